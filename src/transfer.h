#ifndef ZS_TRANSFER_H
#define ZS_TRANSFER_H

#include "digest.h"
#include "error.h"
#include "plan.h"
#include "source.h"
#include "stats.h"
#include "target.h"

#include <stdint.h>

/*
 * Carries out a plan from the opening of the target to its close. 0, or -1 with *error; either way
 * *done_bytes of the slice were put into the target, and standard input stands behind the last byte
 * used. digest: is given the slice's bytes; NULL if none is wanted. A plan that counts from a
 * stream's end is made anew when that is known.
 */
int zs_transfer(struct zs_plan *plan, struct zs_source *source, struct zs_target *target,
                struct zs_stats *stats, struct zs_digest *digest, uint64_t *done_bytes,
                struct zs_error *error);

#endif
