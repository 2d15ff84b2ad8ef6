#ifndef ZS_BEHIND_H
#define ZS_BEHIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One end of a copy, as far as the page cache has to do with it. Positions are of the file. */
struct zs_behind_end {
    uint64_t start;   /* where this stretch of the copy began */
    uint64_t kept;    /* before it pages were given back */
    uint64_t started; /* before it write-back was started */
    uint64_t end;     /* how far the copy has come */
};

/*
 * What follows a copy through the page cache: starts to write to the device what has arrived in the
 * target (so that a sync at the end finds little to do), and gives back the cached pages of both
 * ends once nobody needs them.
 *
 * Functions that can fail return 0, or -errno if the device refused what was written: the kernel
 * tells that once, so it must not be lost.
 */
struct zs_behind {
    int source_fd; /* -1: not a file, and has no part in this */
    int target_fd; /* likewise */
    bool drop;     /* give the page cache back; else only write-back is started */

    bool uncached;    /* what is written leaves the cache by itself */
    bool no_uncached; /* that was tried, and cannot be had */
    int failed;       /* -errno of a stretch that has ended already, for the next call to return */
    struct zs_behind_end source;
    struct zs_behind_end target;
};

/* A copy begins at these positions: on from where the last one ended, or somewhere else. */
void zs_behind_begin(struct zs_behind *behind, uint64_t source_start, uint64_t target_start);

/*
 * Writes to where fd, the target, stands, past the page cache if it is to be given back and the
 * kernel can. A count, 0, or -errno.
 */
ssize_t zs_behind_write(struct zs_behind *behind, int fd, const void *bytes, size_t length_bytes);

/* It has come as far as these positions. */
int zs_behind_advance(struct zs_behind *behind, uint64_t source_end, uint64_t target_end);

/* All copies have ended, and nothing maps their pages any more: the rest is given back. */
int zs_behind_finish(struct zs_behind *behind);

#endif
