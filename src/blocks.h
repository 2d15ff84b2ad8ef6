#ifndef ZS_BLOCKS_H
#define ZS_BLOCKS_H

#include "error.h"
#include "stats.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A copy in blocks of given sizes, through memory of the program's own: what dd's operands ask for
 * where it matters to the result, or to a device, how much one call reads and writes. As a block
 * counts what one read(2) has given, be it short.
 */
struct zs_blocks {
    uint64_t read_bytes;  /* ask for so many at a time; at least 1 */
    uint64_t write_bytes; /* likewise; blocks that were read fill those that are written */
    bool unchanged;       /* each block is written as it was read, be it short */
    bool whole;           /* read on until a block is full */
    bool padded;          /* with zeros to read_bytes */
    bool skips_errors;    /* a block that cannot be read is left out, or zeros if `padded` */
    bool leaves_zeros;    /* blocks of zeros are not written; what the target has there stays */
    bool warns;           /* a short block that is not the last is worth a warning */

    uint64_t skip_blocks; /* of a stream: read and dropped */
    uint64_t skip_bytes;  /* and so many more, fewer than read_bytes */
    uint64_t seek_bytes;  /* of a target without a size, from where it stands */
    uint64_t most_blocks; /* UINT64_MAX: until the source ends */
    uint64_t last_bytes;  /* after them a shorter one, unless it is 0 */

    int source_flags; /* set while it lasts, if the descriptor was not opened with them */
    int target_flags;
    bool drops_source; /* from the page cache, in the end */
    bool drops_target;

    /* Called for each block that cannot be read, if skips_errors; may be NULL. */
    void (*complain)(void *context, const char *source_name, int code);
    void *context;
};

struct zs_blocks_ends {
    int source_fd; /* stands at the first byte, but for what is to be skipped */
    int target_fd;
    const char *source_name; /* for messages; borrowed */
    const char *target_name;
    uint64_t
        most_bytes; /* the source has: what it gets later, if it is its own target, is not read */
};

/* Filled as the copy goes; right after a failure, too. */
struct zs_blocks_done {
    uint64_t used_bytes;    /* of the source, what was skipped included */
    uint64_t written_bytes; /* to the target, padding and what was left unwritten included */
};

struct zs_blocks_run; /* a copy under way */

/*
 * Everything up to the first byte: memory, flags of the descriptors, and what is to be skipped or
 * sought. Nothing of the target is changed, but where a device without a size stands. 0, or -1 with
 * *error: REFUSED, or TRANSFER (the source cannot be read, no memory). Either way zs_blocks_end
 * must be called with *run. *blocks, *ends, *stats and *done must live as long as that.
 */
int zs_blocks_begin(struct zs_blocks_run **run, const struct zs_blocks *blocks,
                    const struct zs_blocks_ends *ends, struct zs_stats *stats,
                    struct zs_blocks_done *done, struct zs_error *error);

/*
 * From where the descriptors stand to where the bytes end, which is where they are left. 0, or -1
 * with *error: TRANSFER, PIPE, DEVICE; what was read until then is written, but not after a signal.
 * Blocks that were left out because they could not be read are no error.
 */
int zs_blocks_copy(struct zs_blocks_run *run, struct zs_error *error);

/* Gives the descriptors their flags back, and frees; NULL is allowed. */
void zs_blocks_end(struct zs_blocks_run *run);

#endif
