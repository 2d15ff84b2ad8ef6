#ifndef ZS_PLAN_H
#define ZS_PLAN_H

#include "error.h"
#include "facts.h"
#include "options.h"
#include "range.h"
#include "stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where in the target the slice goes. */
enum zs_placement {
    ZS_PLACE_WHOLE,  /* a file that is created, or emptied first: the slice is all of it */
    ZS_PLACE_HERE,   /* an inherited descriptor, where it stands; or a stream */
    ZS_PLACE_AT,     /* at target_position of a file or block device, leaving other bytes alone */
    ZS_PLACE_APPEND, /* at the end of a file, wherever that is when a byte is written */
};

/*
 * Everything that will be done, decided before anything is. A value, made from options and facts
 * alone: it touches no file.
 */
struct zs_plan {
    struct zs_range range;    /* of the source, counted from where its descriptor stands */
    uint64_t source_position; /* the range's first byte in the file, if the source is positioned */
    bool exact;               /* a shortfall of a stream is an error */

    enum zs_placement placement;
    uint64_t target_position; /* where the first byte goes, in a regular file or block device */
    bool must_create;         /* the target may not exist */
    bool cut_after;           /* the target ends behind the slice */
    uint64_t reserve_bytes;   /* the slice's length if it is certain, else 0 */

    enum zs_engine_id engines[ZS_ENGINE_COUNT]; /* in order of preference */
    size_t engine_count;
    bool engine_forced; /* there is one, and it must not be replaced */
};

/*
 * 0, or -1 with *error: USAGE or REFUSED (it cannot be done), SHORT (bytes asked for are not
 * there).
 */
int zs_plan_make(const struct zs_options *options, const struct zs_facts *source,
                 const struct zs_facts *target, struct zs_plan *plan, struct zs_error *error);

#endif
