#ifndef ZS_DD_H
#define ZS_DD_H

#include "blocks.h"
#include "error.h"
#include "facts.h"
#include "options.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * zdd: the operands of dd as a way to fill the options. What they mean depends on what both ends
 * are, so it is done in two steps.
 */

/* A number of blocks or of bytes. */
struct zs_dd_number {
    uint64_t number;
    bool bytes;
};

enum zs_dd_status {
    ZS_DD_STATUS_ALL,
    ZS_DD_STATUS_NONE,
    ZS_DD_STATUS_NO_TRANSFER, /* how many blocks, but neither bytes nor rate */
    ZS_DD_STATUS_PROGRESS,
};

struct zs_dd {
    const char *input; /* NULL: standard input; borrowed from argv */
    const char *output;
    char *input_path; /* what to open; owned */
    char *output_path;
    uint64_t read_bytes;
    uint64_t write_bytes;
    bool unchanged; /* bs= was given */
    struct zs_dd_number skip;
    struct zs_dd_number seek;
    bool has_count;
    struct zs_dd_number count;
    unsigned input_flags; /* of dd.c's own */
    unsigned output_flags;
    unsigned conversions;
    unsigned status;      /* enum zs_dd_status */
    bool zero_multiplier; /* "0x" was taken for a product with 0 */

    bool cuts_appended;      /* oflag=append without conv=notrunc, of a file that had bytes */
    bool cannot_sync;        /* conv=fsync of what keeps no bytes: a failure, but in the end */
    bool past_end;           /* skip= is behind the source's end */
    struct zs_blocks blocks; /* what options->blocks points to, if it is not NULL; whoever wants to
                                hear of errors sets `complain` and `context` before */
};

/* Whether the program was called by the name that stands for all this. */
bool zs_dd_is_name(const char *argv0);

/*
 * Parses argv; prints help or version itself. 0, or -1 with *error. *dd borrows from argv; *options
 * borrow from *dd, and have the names of both ends and how they are to be opened. Either way
 * zs_dd_free must be called in the end.
 */
int zs_dd_parse(int argc, char **argv, struct zs_dd *dd, struct zs_options *options,
                enum zs_action *action, struct zs_error *error);

/*
 * Completes the options, now that it is known what both ends are. They borrow from *dd. 0, or -1
 * with *error: it cannot be done, and nothing was touched.
 */
int zs_dd_fit(struct zs_dd *dd, const struct zs_facts *source, const struct zs_facts *target,
              struct zs_options *options, struct zs_error *error);

void zs_dd_free(struct zs_dd *dd);

#endif
