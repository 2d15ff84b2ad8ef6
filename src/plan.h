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

/* What must be known of a stream's end before bytes of it can be copied. */
enum zs_hold {
    ZS_HOLD_NOTHING,
    ZS_HOLD_BACK, /* its last hold_bytes are not copied: the rest is, as they go by */
    ZS_HOLD_TAIL, /* the slice lies in its last hold_bytes: there are no parts until its end is
                     known */
};

/* What becomes of zeros in the slice. */
enum zs_holes_kept {
    ZS_HOLES_FILLED, /* they are written */
    ZS_HOLES_KEPT,   /* the source's holes are holes in the target */
    ZS_HOLES_MADE,   /* those, and runs of zeros */
};

/* One range: which bytes, where they go, and by which engines. */
struct zs_part {
    struct zs_range range;    /* counted from where the source's descriptor stands */
    uint64_t source_position; /* the range's first byte in the file, if the source is positioned */
    uint64_t target_position; /* where it goes, in a regular file or block device */
    uint64_t present_bytes;   /* its first so many are in the target already */
    enum zs_holes_kept holes;
    enum zs_engine_id engines[ZS_ENGINE_COUNT]; /* in order of preference */
    size_t engine_count;
    unsigned jobs;   /* threads that work on it */
    const char *why; /* the first engine is that, or the one passed over is not; borrowed */
    enum zs_engine_id
        passed_over; /* it would be first, but cannot; ZS_ENGINE_COUNT: there is none */
    bool piecewise;  /* of a stream: each piece is copied by itself, and each gap dropped */
    bool shareable;  /* whole blocks, that lie in both files so that they can be shared */
};

/*
 * Everything that will be done, decided before anything is. Made from options and facts alone: it
 * touches no file.
 */
struct zs_plan {
    const struct zs_options *options; /* borrowed */

    struct zs_part *parts; /* in the order in which they are copied; owned */
    size_t part_count;
    bool exact; /* a shortfall of a stream is an error */
    enum zs_hold hold;
    uint64_t hold_bytes;

    enum zs_placement placement;
    uint64_t target_position; /* where the first byte goes, in a regular file or block device */
    bool shared;              /* other processes may write to the target at the same time */
    bool scattered;           /* its bytes do not lie together in the target */
    bool must_create;         /* the target may not exist */
    bool atomic;              /* a file of its own takes the target's place in the end */
    uint64_t resumed_bytes;   /* of the slice, that the target has already */
    bool verify;              /* what is in the target then is compared with the source */
    bool digest_fed;          /* the digest is made of the bytes as they pass through `buffer` */
    bool cut_after;           /* the target ends behind the slice */
    bool cut_before;          /* it is cut, or made longer, to where the slice begins */
    bool sync;                /* at the end everything is on the device */
    bool no_cache;            /* the page cache of both ends is given back */
    bool shares;              /* some part is shareable: whether the files can, only trying tells */
    uint64_t reserve_bytes;   /* how much space it needs, if that is certain, else 0 */
    bool makes_holes;         /* in some part */
    bool looks_for_space;     /* without reserving it, which would fill the holes */

    bool engine_forced; /* each part has one engine, which must not be replaced */
};

/*
 * 0, or -1 with *error: USAGE or REFUSED (it cannot be done), SHORT (bytes asked for are not
 * there). Either way zs_plan_free may be called; *options must live as long as the plan.
 */
int zs_plan_make(const struct zs_options *options, const struct zs_facts *source,
                 const struct zs_facts *target, struct zs_plan *plan, struct zs_error *error);

/*
 * The plan again, now that the end of a stream is known and `source` is what was held of it, under
 * the same positions. As zs_plan_make; replaces *plan on success only.
 */
int zs_plan_remake(struct zs_plan *plan, const struct zs_facts *source,
                   const struct zs_facts *target, struct zs_error *error);

/* How many bytes are to be copied; 0 if that is not known, as of a stream. */
uint64_t zs_plan_total_bytes(const struct zs_plan *plan);

/* The longest part of known length that lies together in the source; NULL if there is none. */
const struct zs_part *zs_plan_longest(const struct zs_plan *plan);

void zs_plan_free(struct zs_plan *plan);

#endif
