#ifndef ZS_RANGE_H
#define ZS_RANGE_H

#include "units.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Slice algebra: what the user asked for, against the size of the source, gives the bytes to copy.
 * Pure; all arithmetic is exact over the whole 64-bit range.
 */

/* What was asked for. At most one of has_length and has_end; neither means "to the end". */
struct zs_slice {
    struct zs_position offset;
    bool has_length;
    bool has_end;
    uint64_t length_bytes;
    struct zs_position end;
};

/* The bytes [start, start + length_bytes) of a source whose position 0 is its first byte. */
struct zs_range {
    uint64_t start;
    uint64_t length_bytes;  /* without meaning unless bounded */
    bool bounded;           /* false: until the stream ends */
    bool past_end;          /* the offset lies beyond the source's end: always an error */
    uint64_t missing_bytes; /* asked for, but not in the source: an error with --exact */
};

/*
 * Clamps as Python's memoryview does: an end or a length beyond the source stops at its end, a
 * negative position before its start is 0, an end before the offset gives an empty range. A length
 * counts from the clamped offset.
 */
struct zs_range zs_range_resolve(const struct zs_slice *slice, uint64_t size_bytes);

/*
 * For a source whose end is not known. 0, or -ESPIPE where a position counts from that end ("-0" as
 * the end is the one such position that needs no knowledge of it).
 */
int zs_range_resolve_stream(const struct zs_slice *slice, struct zs_range *range);

#endif
