#ifndef ZS_SOURCE_H
#define ZS_SOURCE_H

#include "error.h"
#include "facts.h"
#include "view.h"

#include <stdint.h>

/* The source as an open descriptor. */
struct zs_source {
    const char *name; /* for messages; borrowed */
    int fd;           /* -1 if not open */
    bool inherited;   /* standard input: left open, and left where its last used byte ends */
    struct zs_facts facts;
};

/*
 * path: "-" is standard input. flags: for open(2), besides O_RDONLY. 0, or -1 with *error
 * (REFUSED).
 */
int zs_source_open(struct zs_source *source, const char *path, const char *name, int flags,
                   struct zs_error *error);

/*
 * The same for one that is only to be looked at: what could be harmed by being opened, as the
 * writer of a FIFO is, or would have to be waited for, is not (fd is -1 then).
 */
int zs_source_examine(struct zs_source *source, const char *path, const char *name,
                      struct zs_error *error);

/*
 * Puts a pipe that holds `bytes`, and then ends, in the source's place; they must fit a new pipe
 * (64 KiB). An inherited descriptor is left open, where it stands. 0, or -1 with *error.
 */
int zs_source_replace(struct zs_source *source, struct zs_view bytes, struct zs_error *error);

/*
 * Moves an inherited descriptor that has positions to `position`, so that the next reader in the
 * script goes on behind the slice. 0, or -1 with *error.
 */
int zs_source_leave(struct zs_source *source, uint64_t position, struct zs_error *error);

void zs_source_close(struct zs_source *source);

#endif
