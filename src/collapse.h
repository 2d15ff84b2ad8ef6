#ifndef ZS_COLLAPSE_H
#define ZS_COLLAPSE_H

#include "error.h"
#include "plan.h"
#include "source.h"
#include "stats.h"

#include <stdint.h>

/*
 * Makes the source itself the slice that the plan has of it: takes out what lies before it, cuts
 * off what lies behind. What lies before is taken out by the file system if it is whole blocks (and
 * the file system can: ext4, XFS), else, with --in-place=auto, by moving the slice's bytes down.
 * Not crash-safe.
 *
 * 0, or -1 with *error: REFUSED, the file is as it was; else *done_bytes of the slice are at its
 * beginning.
 */
int zs_collapse(const struct zs_plan *plan, const struct zs_source *source, struct zs_stats *stats,
                uint64_t *done_bytes, struct zs_error *error);

#endif
