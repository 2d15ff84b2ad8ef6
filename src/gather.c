/* Gathering: the pieces of a range that lie in memory with gaps between them, moved together. */

#include "gather.h"

#include <string.h>

/*
 * Moves count pieces of `size` bytes, one every `stride` bytes from `from` on, to `to`, which lies
 * before them. The sizes of numbers are moved by a load and a store, not by a call.
 */
static void move_pieces(unsigned char *to, const unsigned char *from, size_t count, size_t size,
                        size_t stride)
{
#define MOVE_BY(constant)                                                                          \
    case constant:                                                                                 \
        for (size_t i = 0; i < count; i++) {                                                       \
            unsigned char piece[constant];                                                         \
            memcpy(piece, from + i * stride, constant);                                            \
            memcpy(to + i * (constant), piece, constant);                                          \
        }                                                                                          \
        break
    switch (size) {
        MOVE_BY(1);
        MOVE_BY(2);
        MOVE_BY(4);
        MOVE_BY(8);
        MOVE_BY(16);
    default:
        for (size_t i = 0; i < count; i++)
            memmove(to + i * size, from + i * stride, size);
    }
#undef MOVE_BY
}

size_t zs_gather(const struct zs_range *range, uint64_t index, unsigned char *bytes,
                 size_t length_bytes)
{
    uint64_t run = zs_range_run(range, index);
    uint64_t gap = range->stride_bytes - range->piece_bytes;

    if (run >= length_bytes)
        return length_bytes;
    size_t kept = (size_t)run;
    if (length_bytes - kept <= gap)
        return kept;

    /* A piece begins at `at`; all sizes from here on fit what is in memory, or count is 0. */
    size_t at = kept + (size_t)gap;
    size_t count = (size_t)((length_bytes - at) / range->stride_bytes);
    if (count > 0) {
        size_t size = (size_t)range->piece_bytes;
        size_t stride = (size_t)range->stride_bytes;
        move_pieces(bytes + kept, bytes + at, count, size, stride);
        kept += count * size;
        at += count * stride;
    }
    size_t last = length_bytes - at;
    if (last > range->piece_bytes)
        last = (size_t)range->piece_bytes;
    memmove(bytes + kept, bytes + at, last);
    return kept + last;
}
