/*
 * Slice algebra: clamping, positions from the end, shards, records and fields, and what of the
 * asked bytes is not there.
 */

#include "range.h"

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

/* A part of the source, gaps between records included. */
struct span {
    uint64_t start;
    uint64_t length_bytes;
    uint64_t missing_before; /* of what was asked for, before the source's start */
    uint64_t missing_after;  /* and behind its end */
};

/* The length counts from the clamped start; what is missing, from where it was asked for. */
static struct span span_of_length(struct point start, uint64_t length_bytes, uint64_t size_bytes)
{
    uint64_t available = size_bytes - start.at;
    uint64_t before = min(length_bytes, start.below);
    uint64_t inside = length_bytes - before;

    return (struct span){.start = start.at,
                         .length_bytes = min(length_bytes, available),
                         .missing_before = before,
                         .missing_after = inside - min(inside, available)};
}

/* Bytes asked for before 0 and after the size; a reversed pair of positions asks for none. */
static struct span span_of_end(struct point start, struct point end)
{
    return (struct span){.start = start.at,
                         .length_bytes = end.at > start.at ? end.at - start.at : 0,
                         .missing_before = start.below - min(start.below, end.below),
                         .missing_after = end.beyond - min(end.beyond, start.beyond)};
}

/*
 * Where part number `number` of `count` ends in a slice of length_bytes: floor(number * length /
 * count), rounded down to a multiple of align_bytes, but for the last part's end. Both factors of
 * the product that is left are below 2^32.
 */
static uint64_t shard_bound(const struct zs_selection *selection, uint64_t number,
                            uint64_t length_bytes)
{
    uint64_t count = selection->shard.count;

    if (number == count)
        return length_bytes;
    uint64_t bound = number * (length_bytes / count) + number * (length_bytes % count) / count;
    return bound - bound % selection->align_bytes;
}

static struct span take_shard(struct span span, const struct zs_selection *selection)
{
    uint64_t number = selection->shard.number;

    if (number == 0)
        return span;
    uint64_t from = shard_bound(selection, number - 1, span.length_bytes);
    uint64_t to = shard_bound(selection, number, span.length_bytes);
    span.start += from;
    span.length_bytes = to - from;
    return span;
}

/* The range's form: its pieces, without a length yet. */
static struct zs_range form(const struct zs_slice *slice, const struct zs_selection *selection,
                            uint64_t record_start)
{
    uint64_t stride_bytes = slice->has_step ? slice->step_bytes : selection->record_bytes;
    uint64_t piece_bytes = selection->field.length_bytes;
    struct zs_range range = {.start = record_start,
                             .piece_bytes = piece_bytes,
                             .stride_bytes = stride_bytes,
                             .record_start = record_start,
                             .needed_bytes =
                                 piece_bytes > 0 ? selection->field.start + piece_bytes : 0};

    /* Beyond 64 bits there is nothing to select. */
    if (piece_bytes < stride_bytes)
        range.start = add_saturating(record_start, selection->field.start);
    return range;
}

/* How many bytes are selected of a span that begins with the range's first record. */
static uint64_t count_selected(const struct zs_range *range, uint64_t span_bytes)
{
    uint64_t skipped = range->start - range->record_start;
    return span_bytes > skipped ? zs_range_count_within(range, span_bytes - skipped) : 0;
}

/* The bytes selected of the span, which begins with a record. */
static struct zs_range select_from(const struct zs_slice *slice,
                                   const struct zs_selection *selection, struct span span)
{
    struct zs_range range = form(slice, selection, span.start);

    range.bounded = true;
    range.length_bytes = count_selected(&range, span.length_bytes);
    if (range.length_bytes == 0)
        range.start = span.start;
    return range;
}

/*
 * What is missing of the bytes selected; those asked for before the source's start count all, as
 * records begin at 0.
 */
static uint64_t count_missing(const struct zs_range *whole, struct span span)
{
    uint64_t asked = add_saturating(span.length_bytes, span.missing_after);

    return add_saturating(span.missing_before,
                          count_selected(whole, asked) - count_selected(whole, span.length_bytes));
}

struct zs_range zs_range_resolve(const struct zs_slice *slice, const struct zs_selection *selection,
                                 uint64_t size_bytes)
{
    struct point start = locate(slice->offset, size_bytes);
    struct point end = {.at = size_bytes};
    struct span span;

    if (slice->has_end)
        end = locate(slice->end, size_bytes);
    if (slice->has_length)
        span = span_of_length(start, slice->length_bytes, size_bytes);
    else
        span = span_of_end(start, end);

    struct zs_range range = select_from(slice, selection, take_shard(span, selection));
    /* A record that is cut off is the whole slice's affair, also for a shard that has all of it. */
    struct zs_range whole = form(slice, selection, span.start);
    range.missing_bytes = count_missing(&whole, span);
    range.partial_bytes = zs_range_partial_bytes(&whole, span.start + span.length_bytes);
    range.past_end = start.beyond > 0;
    return range;
}

struct zs_range zs_range_resolve_stream(const struct zs_slice *slice,
                                        const struct zs_selection *selection)
{
    struct span span = {.start = slice->offset.distance_bytes};

    if (slice->has_end && !slice->end.from_end) {
        if (slice->end.distance_bytes > span.start)
            span.length_bytes = slice->end.distance_bytes - span.start;
    } else if (slice->has_length) {
        span.length_bytes = slice->length_bytes;
    } else if (selection->field.length_bytes > 0) {
        struct zs_range range = form(slice, selection, span.start);
        /* No stream is so long that the field of its first record lies there. */
        if (range.start <= INT64_MAX || span.start > INT64_MAX)
            return range;
    }
    struct zs_range range = select_from(slice, selection, span);
    struct zs_range whole = form(slice, selection, 0);
    range.partial_bytes = zs_range_partial_bytes(&whole, span.length_bytes);
    return range;
}

struct zs_range zs_range_contiguous(uint64_t start, uint64_t length_bytes)
{
    return (struct zs_range){.start = start,
                             .piece_bytes = 1,
                             .stride_bytes = 1,
                             .length_bytes = length_bytes,
                             .bounded = true,
                             .record_start = start,
                             .needed_bytes = 1};
}

bool zs_range_is_contiguous(const struct zs_range *range)
{
    return range->piece_bytes >= range->stride_bytes;
}

uint64_t zs_range_offset(const struct zs_range *range, uint64_t index)
{
    if (zs_range_is_contiguous(range))
        return index;
    return index / range->piece_bytes * range->stride_bytes + index % range->piece_bytes;
}

uint64_t zs_range_run(const struct zs_range *range, uint64_t index)
{
    if (zs_range_is_contiguous(range))
        return UINT64_MAX;
    return range->piece_bytes - index % range->piece_bytes;
}

bool zs_range_is_beyond(const struct zs_range *range, uint64_t index)
{
    return range->start > INT64_MAX ||
           zs_range_offset(range, index) > (uint64_t)INT64_MAX - range->start;
}

uint64_t zs_range_count_within(const struct zs_range *range, uint64_t span_bytes)
{
    if (zs_range_is_contiguous(range))
        return span_bytes;
    return span_bytes / range->stride_bytes * range->piece_bytes +
           min(span_bytes % range->stride_bytes, range->piece_bytes);
}

uint64_t zs_range_end(const struct zs_range *range)
{
    if (range->length_bytes == 0)
        return range->start;
    return add_saturating(range->start, zs_range_offset(range, range->length_bytes - 1) + 1);
}

uint64_t zs_range_partial_bytes(const struct zs_range *range, uint64_t size_bytes)
{
    if (size_bytes <= range->record_start)
        return 0;
    uint64_t there = (size_bytes - range->record_start) % range->stride_bytes;
    return there < range->needed_bytes ? there : 0;
}
