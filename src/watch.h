#ifndef ZS_WATCH_H
#define ZS_WATCH_H

#include "options.h"
#include "progress.h"
#include "stats.h"

#include <stdbool.h>
#include <stdint.h>

/* What is shown of a copy under way: --progress, and the answer to SIGUSR1. */
struct zs_watch {
    const struct zs_stats *stats; /* of the copy; borrowed, filled by the caller */
    uint64_t total_bytes;         /* 0: not known (yet) */

    struct zs_progress progress;
    bool bar; /* on a terminal: one line, drawn again and again */
    bool drawn;
    long pace; /* microseconds from one drawing to the next */
};

/* From now on signals are answered, and the progress is shown if the options want that. */
void zs_watch_begin(struct zs_watch *watch, const struct zs_options *options, uint64_t start_ns);

/*
 * The copy has ended. The last state stays on the screen, and what comes after it begins on a line
 * of its own.
 */
void zs_watch_end(struct zs_watch *watch, const struct zs_options *options, bool complete);

#endif
