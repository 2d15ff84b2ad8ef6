#ifndef ZS_REPORT_H
#define ZS_REPORT_H

#include "stats.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* What a run amounted to, for --stats=json and --verbose. */
struct zs_report {
    const char *source; /* as given on the command line */
    const char *target;
    uint64_t bytes;  /* of the slice, in the target */
    uint64_t ranges; /* that were to be copied */
    uint64_t nanoseconds;
    bool complete; /* every byte asked for is where it was asked for */
    int exit_status;
    const struct zs_stats *stats;
};

/*
 * One JSON object and a newline. Bytes of names that are not UTF-8 become lone surrogates U+DC80 to
 * U+DCFF, as Python's surrogateescape has them.
 */
void zs_report_json(FILE *stream, const struct zs_report *report);

/* One line for people: bytes, time, rate, engines. */
void zs_report_summary(FILE *stream, const struct zs_report *report);

#endif
