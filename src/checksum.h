#ifndef ZS_CHECKSUM_H
#define ZS_CHECKSUM_H

#include "digest.h"
#include "plan.h"

#include <stdbool.h>

/*
 * The digest of a plan's bytes from the mapped source: computed beside the copy, by a thread of its
 * own, and not from what was copied, so that no engine has to know of it. A source that does not
 * change gives the digest of what arrives in the target.
 */
struct zs_checksum;

/*
 * Starts. With `aside` false, or where no thread can be had, zs_checksum_wait does the work. The
 * plan, the name and the digest must outlive it; fd stays open. 0, or -1 with *error.
 */
int zs_checksum_start(struct zs_checksum **checksum, const struct zs_plan *plan, int source_fd,
                      const char *source_name, struct zs_digest *digest, bool aside,
                      struct zs_error *error);

/* Ends, and frees. 0, or -1 with *error: the source could not be read, or shrank. */
int zs_checksum_wait(struct zs_checksum *checksum, struct zs_error *error);

/* Gives up, and frees. NULL does nothing. */
void zs_checksum_cancel(struct zs_checksum *checksum);

#endif
