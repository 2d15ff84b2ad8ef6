#ifndef ZS_REPORT_H
#define ZS_REPORT_H

#include "digest.h"
#include "plan.h"
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
    enum zs_digest_kind digest_kind;
    char digest[ZS_DIGEST_TEXT_BYTES]; /* empty: none */
    char *digest_object; /* what it is the digest of: the name as zs_report_name_slice has it */
    bool complete;       /* every byte asked for is where it was asked for */
    int exit_status;
    const struct zs_stats *stats;
};

/*
 * Opens what --report names, before anything is touched: it must not be source or target. *paper is
 * standard error if there is no such option, or on failure. 0, or -1 with *error: nothing is left
 * then of a file that had to be made.
 */
int zs_report_open(const struct zs_options *options, FILE **paper, struct zs_error *error);

/* What the file held before goes, now that there is something to write into it. */
void zs_report_begin(FILE *paper);

/* 0, or -1 with *error: not all of it could be written. */
int zs_report_close(FILE *paper, const struct zs_options *options, struct zs_error *error);

/*
 * One JSON object and a newline. Bytes of names that are not UTF-8 become lone surrogates U+DC80 to
 * U+DCFF, as Python's surrogateescape has them.
 */
void zs_report_json(FILE *stream, const struct zs_report *report);

/*
 * One line on how far a copy has come after so many nanoseconds: bytes, percentage (unless the
 * total is 0, which is not known), time, rate.
 */
void zs_report_progress(FILE *stream, uint64_t done_bytes, uint64_t total_bytes,
                        uint64_t nanoseconds);

/*
 * What holds exactly the plan's bytes: the target's path, if it is a file that is all of the slice,
 * else the ranges of the source. done_bytes: how long the slice turned out to be. For the caller to
 * free; NULL without memory.
 */
char *zs_report_name_slice(const struct zs_plan *plan, uint64_t done_bytes);

/* The digest as `sha256sum --tag` writes it and `sha256sum --check` reads it. */
void zs_report_digest(FILE *stream, const struct zs_report *report);

/* One line for people: bytes, time, rate, engines. */
void zs_report_summary(FILE *stream, const struct zs_report *report);

#endif
