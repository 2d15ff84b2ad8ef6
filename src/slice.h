#ifndef ZS_SLICE_H
#define ZS_SLICE_H

#include "units.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The slice language: which bytes were asked for, as it stands on the command line, before anything
 * is known of the source. Pure.
 */

/*
 * One range. At most one of has_length and has_end; neither means "to the end". In bytes, except
 * where a number is bare (it had no suffix) and zs_slice_scale has not been called yet.
 */
struct zs_slice {
    struct zs_position offset;
    bool has_length;
    bool has_end;
    bool has_step;
    uint64_t length_bytes;
    struct zs_position end;
    uint64_t step_bytes; /* from the start of one selected record to the start of the next */

    bool offset_bare;
    bool length_bare;
    bool end_bare;
    bool step_bare;
};

/* A part of each selected record. */
struct zs_field {
    uint64_t start; /* counted from the record's first byte */
    uint64_t length_bytes;
};

/* One part of the slice, when several processes share the work. */
struct zs_shard {
    uint64_t number; /* from 1 to count; 0: there are no shards */
    uint64_t count;  /* at most 2^32-1 */
};

/* What is selected of every slice. */
struct zs_selection {
    uint64_t record_bytes;
    struct zs_field field; /* the whole record, unless --field was given */
    struct zs_shard shard;
    uint64_t align_bytes; /* inner bounds of shards are multiples of it */
};

/*
 * START:STOP[:STEP], every part optional, or START+LENGTH. 0, or -EINVAL (not of this form), or
 * -ERANGE (a number is beyond 64 bits). *slice is set on success only.
 */
int zs_slice_parse(const char *text, struct zs_slice *slice);

/*
 * Turns the numbers that had no suffix, which count records, into bytes. 0, or -ERANGE if one gets
 * beyond 64 bits.
 */
int zs_slice_scale(struct zs_slice *slice, uint64_t record_bytes);

/*
 * START:STOP or START+LENGTH within a record, in bytes; positions may count from its end. 0, or
 * -EINVAL, or -ERANGE, or -EDOM: it reaches out of the record. *field is set on success only.
 */
int zs_slice_parse_field(const char *text, uint64_t record_bytes, struct zs_field *field);

/* K/N. 0, or -EINVAL, or -ERANGE: not 1 <= K <= N <= 2^32-1. */
int zs_slice_parse_shard(const char *text, struct zs_shard *shard);

/* Whether a position counts from the source's end, other than "-0" as the end. */
bool zs_slice_is_from_end(const struct zs_slice *slice);

#endif
