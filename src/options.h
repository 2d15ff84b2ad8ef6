#ifndef ZS_OPTIONS_H
#define ZS_OPTIONS_H

#include "digest.h"
#include "error.h"
#include "slice.h"
#include "stats.h"

#include <stdbool.h>
#include <stddef.h>

/* The command line as values: numbers parsed, combinations checked as far as no file is needed. */

enum zs_action {
    ZS_ACTION_COPY,
    ZS_ACTION_DONE, /* help, usage or version was printed */
};

enum zs_reflink {
    ZS_REFLINK_AUTO,
    ZS_REFLINK_ALWAYS,
    ZS_REFLINK_NEVER,
};

enum zs_sparse {
    ZS_SPARSE_AUTO,
    ZS_SPARSE_ALWAYS,
    ZS_SPARSE_NEVER,
};

enum zs_in_place {
    ZS_IN_PLACE_NO,
    ZS_IN_PLACE_COLLAPSE,
    ZS_IN_PLACE_AUTO,
};

struct zs_blocks;

struct zs_options {
    const char *source_path; /* "-": standard input */
    const char *target_path; /* "-": standard output */
    const char *source_name; /* for messages */
    const char *target_name;

    struct zs_slice slice;   /* of --offset, --length and --end */
    struct zs_slice *ranges; /* of each --range; NULL if there are none */
    size_t range_count;
    struct zs_selection selection;
    bool exact;

    bool has_seek;
    struct zs_position seek;
    bool keep_offset;
    bool append;
    bool truncate;
    bool no_clobber;
    bool resume;
    bool atomic;
    enum zs_in_place in_place;

    enum zs_sparse sparse;
    enum zs_reflink reflink;
    bool sync;
    bool no_cache;

    bool engine_forced;
    enum zs_engine_id engine;
    unsigned jobs; /* 0: as many as are worth their while */
    bool stable;
    bool explain;

    enum zs_digest_kind digest;
    bool verify;
    bool progress;
    const char *report_path; /* NULL: standard error */
    bool stats_json;
    bool verbose;

    /* What only the operands of dd ask for. */
    int source_flags; /* for open(2), besides O_RDONLY */
    int target_flags; /* likewise; with O_EXCL, a block device that is in use is refused */
    bool cut_before;  /* with `seek`: TARGET ends where the slice begins, before it is written */
    bool allows_past_end; /* an offset beyond the end of a stream gives nothing, and no error */
    const struct zs_blocks *blocks; /* it is copied block by block; NULL: as is fastest */

    void *parser; /* owns the strings above */
};

/* What nobody said anything about: all of standard input to standard output. */
void zs_options_init(struct zs_options *options);

/*
 * Parses argv (argv[0] is the program). Prints help, usage or version itself, on standard output.
 * 0, or -1 with *error filled. Either way zs_options_free must be called, after the last use of
 * *options and of *error, whose strings it owns.
 */
int zs_options_parse(int argc, char **argv, struct zs_options *options, enum zs_action *action,
                     struct zs_error *error);

/* The slices to copy, in order: at least one; they live as long as the options. */
const struct zs_slice *zs_options_slices(const struct zs_options *options, size_t *count);

void zs_options_free(struct zs_options *options);

#endif
