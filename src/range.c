/* Slice algebra: clamping, positions from the end, and what of the asked bytes is not there. */

#include "range.h"

#include <errno.h>

/*
 * A position asked for, which may lie outside the source: at most one of below and beyond is not 0.
 */
struct point {
    uint64_t at;     /* clamped into [0, size] */
    uint64_t below;  /* how far it lies before 0 */
    uint64_t beyond; /* how far it lies after the size */
};

static struct point locate(struct zs_position position, uint64_t size_bytes)
{
    uint64_t distance = position.distance_bytes;

    if (distance <= size_bytes)
        return (struct point){.at = position.from_end ? size_bytes - distance : distance};
    if (position.from_end)
        return (struct point){.at = 0, .below = distance - size_bytes};
    return (struct point){.at = size_bytes, .beyond = distance - size_bytes};
}

static uint64_t add_saturating(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static uint64_t min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The length counts from the clamped start; what is missing, from where it was asked for. */
static void resolve_length(struct zs_range *range, struct point start, uint64_t length_bytes,
                           uint64_t size_bytes)
{
    uint64_t available = size_bytes - start.at;
    uint64_t asked_inside = length_bytes - min(length_bytes, start.below);

    range->length_bytes = min(length_bytes, available);
    range->missing_bytes = length_bytes - min(asked_inside, available);
}

static void resolve_end(struct zs_range *range, struct point start, struct point end)
{
    if (end.at > start.at)
        range->length_bytes = end.at - start.at;

    /* Bytes asked for before 0 and after the size; a reversed pair of positions asks for none. */
    if (start.below > end.below)
        range->missing_bytes = start.below - end.below;
    if (end.beyond > start.beyond)
        range->missing_bytes = add_saturating(range->missing_bytes, end.beyond - start.beyond);
}

struct zs_range zs_range_resolve(const struct zs_slice *slice, uint64_t size_bytes)
{
    struct point start = locate(slice->offset, size_bytes);
    struct point end = {.at = size_bytes};
    struct zs_range range = {.start = start.at, .bounded = true, .past_end = start.beyond > 0};

    if (slice->has_end)
        end = locate(slice->end, size_bytes);
    if (slice->has_length)
        resolve_length(&range, start, slice->length_bytes, size_bytes);
    else
        resolve_end(&range, start, end);
    return range;
}

int zs_range_resolve_stream(const struct zs_slice *slice, struct zs_range *range)
{
    bool to_the_end = slice->has_end && slice->end.from_end && slice->end.distance_bytes == 0;

    if (slice->offset.from_end || (slice->has_end && slice->end.from_end && !to_the_end))
        return -ESPIPE;

    *range = (struct zs_range){.start = slice->offset.distance_bytes};
    if (slice->has_length) {
        range->bounded = true;
        range->length_bytes = slice->length_bytes;
    } else if (slice->has_end && !to_the_end) {
        range->bounded = true;
        if (slice->end.distance_bytes > range->start)
            range->length_bytes = slice->end.distance_bytes - range->start;
    }
    return 0;
}
