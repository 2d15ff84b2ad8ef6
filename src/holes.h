#ifndef ZS_HOLES_H
#define ZS_HOLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Holes: parts of a file that take no room and read as zeros. */

/* A stretch of a file that is either data or a hole, up to `end`. */
struct zs_extent {
    uint64_t end;
    bool hole;
};

/*
 * What lies from `position` on, as far as it is the same, at most to `limit` (which is greater).
 * What the file system cannot tell, or tells in a way that leads nowhere, is data.
 */
struct zs_extent zs_holes_find(int fd, uint64_t position, uint64_t limit);

/*
 * Makes holes in a target that is written front to back at its descriptor's position. Behind the
 * end of the file nothing has to be done but to go on further back: the file does not get longer
 * until something is written there, or zs_holes_finish is called.
 */
struct zs_holes {
    int fd;
    uint64_t size_bytes; /* of the file (or device) before it was written to */
    bool shared;         /* others write to the file, too: it must not be cut */
    bool cannot_punch;   /* it was tried */
    bool preallocates;   /* the file system puts room behind what is written, and leaves it there */
    uint64_t punched_start; /* of old bytes: what was punched last, in one go or in several */
    uint64_t punched_end;
    uint64_t open_start; /* the last hole behind the end of the file, which may have got some */
    uint64_t open_end;
    uint64_t made_bytes;
    uint64_t end; /* behind the hole furthest back */
};

/*
 * Makes [position, position + length_bytes) a hole and moves the descriptor behind it. 0, or
 * -errno; -EOPNOTSUPP: there are old bytes that must be overwritten with zeros.
 */
int zs_holes_make(struct zs_holes *holes, uint64_t position, uint64_t length_bytes);

/* Whether a target's file system preallocates; 0 or -errno. */
int zs_holes_learn(struct zs_holes *holes);

/* Makes a file that would end in a hole as long as it should be. 0 or -errno. */
int zs_holes_finish(struct zs_holes *holes);

/*
 * How many of the bytes from the first one on are alike, all zero or not, block by block;
 * `position` is where the first one goes, so that a run of zeros begins and ends on blocks. *zero
 * tells which.
 */
size_t zs_holes_run(const unsigned char *bytes, size_t length_bytes, uint64_t position, bool *zero);

#endif
