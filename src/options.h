#ifndef ZS_OPTIONS_H
#define ZS_OPTIONS_H

#include "error.h"
#include "range.h"
#include "stats.h"

#include <stdbool.h>

/* The command line as values: numbers parsed, combinations checked as far as no file is needed. */

enum zs_action {
    ZS_ACTION_COPY,
    ZS_ACTION_DONE, /* help, usage or version was printed */
};

struct zs_options {
    const char *source_path; /* "-": standard input */
    const char *target_path; /* "-": standard output */
    const char *source_name; /* for messages */
    const char *target_name;

    struct zs_slice slice;
    bool exact;

    bool has_seek;
    struct zs_position seek;
    bool append;
    bool truncate;
    bool no_clobber;

    bool engine_forced;
    enum zs_engine_id engine;

    bool stats_json;
    bool verbose;

    void *parser; /* owns the strings above */
};

/*
 * Parses argv (argv[0] is the program). Prints help, usage or version itself, on standard output.
 * 0, or -1 with *error filled. Either way zs_options_free must be called, after the last use of
 * *options and of *error, whose strings it owns.
 */
int zs_options_parse(int argc, char **argv, struct zs_options *options, enum zs_action *action,
                     struct zs_error *error);

void zs_options_free(struct zs_options *options);

#endif
