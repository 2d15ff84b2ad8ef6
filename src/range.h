#ifndef ZS_RANGE_H
#define ZS_RANGE_H

#include "slice.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Slice algebra: what the user asked for, against the size of the source, gives the bytes to copy.
 * Pure; all arithmetic is exact over the whole 64-bit range.
 */

/*
 * The bytes to copy for one slice, in order: pieces of piece_bytes, one every stride_bytes from
 * `start` on, length_bytes of them in all (so the last piece may be shorter). Where piece and
 * stride are equal, the bytes lie together.
 *
 *        start           start + stride          start + 2 * stride
 *          |piece|         |piece|                 |pi
 */
struct zs_range {
    uint64_t start; /* position 0 is the source's first byte */
    uint64_t piece_bytes;
    uint64_t stride_bytes;
    uint64_t length_bytes; /* without meaning unless bounded */
    bool bounded;          /* false: until the stream ends */

    bool past_end;          /* the offset lies beyond the source's end: always an error */
    uint64_t missing_bytes; /* asked for, but not in the source: an error with --exact */
    uint64_t partial_bytes; /* what the last selected record has, if it is cut off: likewise */

    /* To judge where a stream has ended. */
    uint64_t record_start; /* of the first record; start lies in it */
    uint64_t needed_bytes; /* of each record: up to the end of its field; 0 if that is empty */
};

/*
 * Clamps as Python's memoryview does: an end or a length beyond the source stops at its end, a
 * negative position before its start is 0, an end before the offset gives an empty range. A length
 * counts from the clamped offset. Of these bytes, the selection's shard, and of its records, each
 * step's first one, and of that the field.
 */
struct zs_range zs_range_resolve(const struct zs_slice *slice, const struct zs_selection *selection,
                                 uint64_t size_bytes);

/*
 * For a source whose end is not known; the slice has no position that counts from it, but may end
 * some bytes before it: until then the range is not bounded.
 */
struct zs_range zs_range_resolve_stream(const struct zs_slice *slice,
                                        const struct zs_selection *selection);

/* length_bytes from start on, lying together. */
struct zs_range zs_range_contiguous(uint64_t start, uint64_t length_bytes);

/* Whether the bytes lie together in the source. */
bool zs_range_is_contiguous(const struct zs_range *range);

/* How far behind `start` the range's byte number `index` lies in the source. */
uint64_t zs_range_offset(const struct zs_range *range, uint64_t index);

/* How many bytes from byte number `index` on lie together in the source; saturates. */
uint64_t zs_range_run(const struct zs_range *range, uint64_t index);

/* Whether byte number `index` lies beyond 2^63-1, where neither file nor stream has any. */
bool zs_range_is_beyond(const struct zs_range *range, uint64_t index);

/* How many of the range's bytes lie in the first span_bytes behind `start`. */
uint64_t zs_range_count_within(const struct zs_range *range, uint64_t span_bytes);

/*
 * The position behind the last byte of a bounded range (of an empty one: its start); saturates.
 */
uint64_t zs_range_end(const struct zs_range *range);

/*
 * How many bytes of the last selected record are there, if a source that ends at `size_bytes` cuts
 * it off before the end of its field; 0 if it does not. For a stream, when its end is known.
 */
uint64_t zs_range_partial_bytes(const struct zs_range *range, uint64_t size_bytes);

#endif
