#ifndef ZS_TALLY_H
#define ZS_TALLY_H

#include "dd.h"
#include "stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * dd's statistics, in dd's words: "1+0 records in". What was not copied in blocks is counted as the
 * blocks that it would have been.
 */
struct zs_tally {
    struct zs_dd *dd;
    const struct zs_options *options;
    const struct zs_stats *stats;
    uint64_t start_ns;
    size_t line_length; /* of the progress line that is shown; 0: there is none */
};

/*
 * From now on SIGUSR1 is answered, errors that a copy goes on after are reported, and the progress
 * is shown if status=progress wants that.
 */
void zs_tally_begin(struct zs_tally *tally);

/* Before the error, if there is one: the progress line, if there is one, is left behind. */
void zs_tally_end(struct zs_tally *tally);

/* What is odd but no failure. `stream` gets whole lines. */
void zs_tally_warn(const struct zs_tally *tally, FILE *stream);

/* The final statistics, as much of them as status= wants. */
void zs_tally_print(const struct zs_tally *tally, uint64_t nanoseconds, FILE *stream);

/*
 * A number of bytes as dd has it: "1.0 kB" (base 1000) or "1.0 KiB" (base 1024), rounded to
 * nearest, ties to even; below the base, as it is: "999 B".
 */
void zs_tally_scale(uint64_t bytes, unsigned base, char *text, size_t size_bytes);

#endif
