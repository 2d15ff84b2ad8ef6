#ifndef ZS_COMPARE_H
#define ZS_COMPARE_H

#include "plan.h"

#include <stdbool.h>
#include <stdint.h>

/* Two files, open for reading, and their names for messages (borrowed). */
struct zs_compared {
    int source_fd;
    int target_fd;
    const char *source_name;
    const char *target_name;
};

struct zs_difference {
    bool found;
    uint64_t source_position; /* of the first byte that differs, in each file */
    uint64_t target_position;
};

/*
 * Compares what the plan's bytes [start, end), counted over all its parts, are in the source with
 * what is at their places in the target. 0 with *difference, or -1 with *error (TRANSFER) if
 * either cannot be read, or ends before.
 */
int zs_compare(const struct zs_plan *plan, const struct zs_compared *files, uint64_t start,
               uint64_t end, struct zs_difference *difference, struct zs_error *error);

#endif
