#ifndef ZS_CHOICE_H
#define ZS_CHOICE_H

#include "facts.h"
#include "range.h"
#include "stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The choice of engines, all of it: made by the kinds and sizes of the ends. Pure. */

/* What a choice is made for: one range between two ends. */
struct zs_choice_of {
    const struct zs_range *range;
    const struct zs_facts *source;
    const struct zs_facts *target;
    bool piecewise; /* each piece is copied by itself */
    bool no_cache;  /* the page cache is to be given back */
    bool shareable; /* whole blocks, at positions that suit sharing them */
    unsigned jobs;  /* threads that may be used, at least 1 */
};

struct zs_choice {
    enum zs_engine_id engines[ZS_ENGINE_COUNT]; /* in order of preference, not all may be able to */
    size_t count;
    unsigned jobs;   /* threads that are worth their while, at most those that may be used */
    const char *why; /* for --explain: the reason for the first one */
};

struct zs_choice zs_choice_make(const struct zs_choice_of *of);

#endif
