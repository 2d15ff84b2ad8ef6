#ifndef ZS_READAHEAD_H
#define ZS_READAHEAD_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Read-ahead of a file that is not cached, in larger requests than the kernel makes by itself. All
 * zero: nothing was asked for yet.
 */
struct zs_readahead {
    uint64_t until; /* position before which everything was asked for */
    bool useless;   /* the file system cannot tell what is cached */
};

/*
 * The bytes of fd from `position` on are about to be copied, up to `end`: asks for some of them to
 * be read into the page cache, those that are not there yet. Only a hint; does not wait for the
 * device, and costs next to nothing for what is cached.
 */
void zs_readahead_advance(struct zs_readahead *readahead, int fd, uint64_t position, uint64_t end);

#endif
