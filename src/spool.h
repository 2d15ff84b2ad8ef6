#ifndef ZS_SPOOL_H
#define ZS_SPOOL_H

#include "error.h"
#include "facts.h"

#include <stdint.h>

/*
 * Holds the last bytes of a stream whose end is not known yet, at the positions they have in the
 * stream, in a file without a name: in memory if they are few, else on disk. What is forgotten
 * becomes a hole, so the file takes no more room than what is held, however long the stream.
 */
struct zs_spool {
    int fd;               /* to read from at explicit positions; -1: not open */
    uint64_t held_start;  /* what lies before is forgotten */
    uint64_t chunk_bytes; /* how much to receive at a time */
    struct zs_facts facts;
};

/*
 * For a stream of which the last keep_bytes are needed. In memory up to 64 KiB, else in the folder
 * named by TMPDIR, or /tmp. 0, or -1 with *error.
 */
int zs_spool_open(struct zs_spool *spool, uint64_t keep_bytes, struct zs_error *error);

/* The first byte to be received has this position in the stream. 0, or -1 with *error. */
int zs_spool_begin(struct zs_spool *spool, uint64_t position, struct zs_error *error);

/*
 * Gives the room of everything before the position back. Best effort: where the file system cannot
 * make holes, the file stays as it is.
 */
void zs_spool_forget(struct zs_spool *spool, uint64_t position);

void zs_spool_close(struct zs_spool *spool);

#endif
