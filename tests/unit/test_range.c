/*
 * Slice algebra: rows at the edges, and every small slice against an oracle that walks the bytes
 * one by one on an axis that reaches beyond both ends of the source.
 */

#include "range.h"

#include "check_helpers.h"

#include <errno.h>

#define FROM_START(distance)                                                                       \
    {                                                                                              \
        (distance), false                                                                          \
    }
#define FROM_END(distance)                                                                         \
    {                                                                                              \
        (distance), true                                                                           \
    }
#define LENGTH(bytes) .has_length = true, .length_bytes = (bytes)
#define END(...)      .has_end = true, .end = __VA_ARGS__

static const struct {
    const char *name;
    uint64_t size;
    struct zs_slice slice;
    uint64_t start;
    uint64_t length;
    uint64_t missing;
    bool past_end;
} rows[] = {
    {"everything", 10, {.has_length = false}, 0, 10, 0, false},
    {"everything of nothing", 0, {.has_length = false}, 0, 0, 0, false},
    {"from an offset", 10, {.offset = FROM_START(3)}, 3, 7, 0, false},
    {"an offset at the end is empty", 10, {.offset = FROM_START(10)}, 10, 0, 0, false},
    {"an offset beyond the end", 10, {.offset = FROM_START(11)}, 10, 0, 0, true},
    {"-0 is the end", 10, {.offset = FROM_END(0)}, 10, 0, 0, false},
    {"view[-4:]", 10, {.offset = FROM_END(4)}, 6, 4, 0, false},
    {"the size from the end is 0", 10, {.offset = FROM_END(10)}, 0, 10, 0, false},
    {"before the start is 0", 10, {.offset = FROM_END(13)}, 0, 10, 3, false},
    {"view[1:3]", 10, {.offset = FROM_START(1), END(FROM_START(3))}, 1, 2, 0, false},
    {"view[:-4]", 10, {END(FROM_END(4))}, 0, 6, 0, false},
    {"view[-6:-4]", 10, {.offset = FROM_END(6), END(FROM_END(4))}, 4, 2, 0, false},
    {"an end beyond the end", 10, {END(FROM_START(12))}, 0, 10, 2, false},
    {"an end before the start", 10, {END(FROM_END(12))}, 0, 0, 0, false},
    {"an end before the offset", 10, {.offset = FROM_START(5), END(FROM_START(2))}, 5, 0, 0, false},
    {"both before 0", 10, {.offset = FROM_END(15), END(FROM_END(12))}, 0, 0, 3, false},
    {"both before 0, reversed", 10, {.offset = FROM_END(12), END(FROM_END(15))}, 0, 0, 0, false},
    {"over both ends", 10, {.offset = FROM_END(15), END(FROM_START(12))}, 0, 10, 7, false},
    {"both beyond", 10, {.offset = FROM_START(12), END(FROM_START(15))}, 10, 0, 3, true},
    {"a length", 10, {LENGTH(4)}, 0, 4, 0, false},
    {"a length to the end", 10, {.offset = FROM_START(6), LENGTH(4)}, 6, 4, 0, false},
    {"a length beyond the end", 10, {.offset = FROM_START(6), LENGTH(5)}, 6, 4, 1, false},
    {"no length", 10, {.offset = FROM_START(6), LENGTH(0)}, 6, 0, 0, false},
    {"no length before 0", 10, {.offset = FROM_END(20), LENGTH(0)}, 0, 0, 0, false},
    {"a length beyond", 10, {.offset = FROM_START(11), LENGTH(2)}, 10, 0, 2, true},
    {"a length counts from the clamped offset",
     10,
     {.offset = FROM_END(4), LENGTH(3)},
     6,
     3,
     0,
     false},

    {"the largest file", INT64_MAX, {.has_length = false}, 0, INT64_MAX, 0, false},
    {"its last byte", INT64_MAX, {.offset = FROM_END(1)}, INT64_MAX - 1, 1, 0, false},
    {"one beyond it", INT64_MAX, {.offset = FROM_START(1ULL << 63)}, INT64_MAX, 0, 0, true},
    {"all of it and one", INT64_MAX, {LENGTH(1ULL << 63)}, 0, INT64_MAX, 1, false},
    {"the largest end", INT64_MAX, {END(FROM_START(UINT64_MAX))}, 0, INT64_MAX, 1ULL << 63, false},
    {"the largest length", 10, {LENGTH(UINT64_MAX)}, 0, 10, UINT64_MAX - 10, false},
    {"the largest length behind the offset",
     10,
     {.offset = FROM_START(9), LENGTH(UINT64_MAX)},
     9,
     1,
     UINT64_MAX - 1,
     false},
    {"the largest offset", 10, {.offset = FROM_START(UINT64_MAX)}, 10, 0, 0, true},
    {"the largest offset from the end",
     10,
     {.offset = FROM_END(UINT64_MAX)},
     0,
     10,
     UINT64_MAX - 10,
     false},
    {"the largest distances",
     10,
     {.offset = FROM_END(UINT64_MAX), END(FROM_END(UINT64_MAX))},
     0,
     0,
     0,
     false},
    {"the largest distances apart: the count saturates",
     10,
     {.offset = FROM_END(UINT64_MAX), END(FROM_START(UINT64_MAX))},
     0,
     10,
     UINT64_MAX,
     false},
    {"the largest of everything",
     UINT64_MAX,
     {.offset = FROM_START(UINT64_MAX), LENGTH(UINT64_MAX)},
     UINT64_MAX,
     0,
     UINT64_MAX,
     false},
    {"the largest source", UINT64_MAX, {.offset = FROM_END(UINT64_MAX)}, 0, UINT64_MAX, 0, false},
    {"the largest source to its end",
     UINT64_MAX,
     {.offset = FROM_START(1), END(FROM_START(UINT64_MAX))},
     1,
     UINT64_MAX - 1,
     0,
     false},
};

START_TEST(a_slice_of_a_known_size_resolves)
{
    struct zs_range range = zs_range_resolve(&rows[_i].slice, rows[_i].size);

    ck_assert_msg(range.start == rows[_i].start, "%s: start %ju", rows[_i].name,
                  (uintmax_t)range.start);
    ck_assert_msg(range.length_bytes == rows[_i].length, "%s: length %ju", rows[_i].name,
                  (uintmax_t)range.length_bytes);
    ck_assert_msg(range.missing_bytes == rows[_i].missing, "%s: missing %ju", rows[_i].name,
                  (uintmax_t)range.missing_bytes);
    ck_assert_msg(range.past_end == rows[_i].past_end, "%s: past_end", rows[_i].name);
    ck_assert(range.bounded);
}
END_TEST

/* The oracle's axis: sources of up to 8 bytes, positions that reach 20 bytes to both sides. */
enum { MOST_SIZE = 8, MOST_POSITION = 10, AXIS_BEFORE = 40, AXIS_AFTER = 40 };

/* Where a position lies on the axis, unclamped. */
static int on_axis(struct zs_position position, int size)
{
    int distance = (int)position.distance_bytes;
    return position.from_end ? size - distance : distance;
}

struct expectation {
    int start;
    int copied;
    int missing;
    bool past_end;
    bool missing_is_exact;
};

static bool is_asked(const struct zs_slice *slice, int size, int at)
{
    int start = on_axis(slice->offset, size);

    if (at < start)
        return false;
    if (slice->has_length)
        return at - start < (int)slice->length_bytes;
    return at < (slice->has_end ? on_axis(slice->end, size) : size);
}

/* A length counts from the clamped offset: which of the source's bytes come then. */
static bool is_copied(const struct zs_slice *slice, int size, int at)
{
    int start = on_axis(slice->offset, size);

    if (!slice->has_length || start >= 0)
        return is_asked(slice, size, at);
    return at >= 0 && at < (int)slice->length_bytes;
}

static struct expectation walk(const struct zs_slice *slice, int size)
{
    int start = on_axis(slice->offset, size);
    struct expectation expected = {
        .start = start < 0      ? 0
                 : start > size ? size
                                : start,
        .past_end = start > size,
        /* Of a length that begins before 0 it is only said whether something is missing. */
        .missing_is_exact = !slice->has_length || start >= 0,
    };

    for (int at = -AXIS_BEFORE; at < AXIS_AFTER; at++) {
        bool there = at >= 0 && at < size;
        expected.copied += there && is_copied(slice, size, at);
        expected.missing += !there && is_asked(slice, size, at);
    }
    /* To the end of the source is never more than there is, but for the offset. */
    if (!slice->has_length && !slice->has_end && start > size)
        expected.missing = 0;
    return expected;
}

static void compare_with_walk(const struct zs_slice *slice, int size)
{
    struct expectation expected = walk(slice, size);
    struct zs_range range = zs_range_resolve(slice, (uint64_t)size);
    char text[160];

    (void)snprintf(text, sizeof text, "size %d offset %s%d length %d end %s%d", size,
                   slice->offset.from_end ? "-" : "", (int)slice->offset.distance_bytes,
                   slice->has_length ? (int)slice->length_bytes : -1,
                   !slice->has_end       ? "none "
                   : slice->end.from_end ? "-"
                                         : "",
                   (int)slice->end.distance_bytes);
    ck_assert_msg(range.bounded, "%s: not bounded", text);
    ck_assert_msg((int)range.start == expected.start, "%s: start %d", text, (int)range.start);
    ck_assert_msg((int)range.length_bytes == expected.copied, "%s: length %d, not %d", text,
                  (int)range.length_bytes, expected.copied);
    ck_assert_msg(range.past_end == expected.past_end, "%s: past_end", text);
    ck_assert_msg((range.missing_bytes > 0) == (expected.missing > 0), "%s: missing %d, not %d",
                  text, (int)range.missing_bytes, expected.missing);
    if (expected.missing_is_exact)
        ck_assert_msg((int)range.missing_bytes == expected.missing, "%s: missing %d, not %d", text,
                      (int)range.missing_bytes, expected.missing);
}

/* -10 .. -0, 0 .. 10 */
enum { POSITION_COUNT = 2 * (MOST_POSITION + 1) };

static struct zs_position nth_position(int n)
{
    return (struct zs_position){.distance_bytes = (uint64_t)(n / 2), .from_end = n % 2 == 1};
}

START_TEST(every_small_slice_agrees_with_walking_the_bytes)
{
    int size = _i;

    for (int o = 0; o < POSITION_COUNT; o++) {
        struct zs_slice slice = {.offset = nth_position(o)};
        compare_with_walk(&slice, size);

        slice.has_length = true;
        for (uint64_t length = 0; length <= MOST_POSITION; length++) {
            slice.length_bytes = length;
            compare_with_walk(&slice, size);
        }
        slice.has_length = false;
        slice.has_end = true;
        for (int e = 0; e < POSITION_COUNT; e++) {
            slice.end = nth_position(e);
            compare_with_walk(&slice, size);
        }
    }
}
END_TEST

/* The same small slices, moved to the top of 64 bits: only the start may differ. */
START_TEST(small_distances_at_the_largest_sizes_resolve_as_at_small_ones)
{
    static const uint64_t bases[] = {INT64_MAX - 5, INT64_MAX, 1ULL << 63, UINT64_MAX - 10};
    uint64_t base = bases[_i];

    for (int o = 0; o < POSITION_COUNT; o++) {
        for (uint64_t length = 0; length <= 9; length++) {
            struct zs_slice slice = {.offset = nth_position(o), LENGTH(length)};
            struct zs_range small = zs_range_resolve(&slice, 9);
            bool from_end = slice.offset.from_end;
            if (from_end && slice.offset.distance_bytes > 9)
                continue; /* before the small source, inside the large one */
            if (!from_end)
                slice.offset.distance_bytes += base;

            struct zs_range large = zs_range_resolve(&slice, base + 9);
            ck_assert_uint_eq(large.start, small.start + base);
            ck_assert_uint_eq(large.length_bytes, small.length_bytes);
            ck_assert_uint_eq(large.missing_bytes, small.missing_bytes);
            ck_assert_int_eq(large.past_end, small.past_end);
        }
    }
}
END_TEST

static const struct {
    const char *name;
    struct zs_slice slice;
    uint64_t start;
    bool bounded;
    uint64_t length;
} streams[] = {
    {"everything", {.has_length = false}, 0, false, 0},
    {"an offset", {.offset = FROM_START(5)}, 5, false, 0},
    {"a length", {LENGTH(7)}, 0, true, 7},
    {"no length", {LENGTH(0)}, 0, true, 0},
    {"offset and length", {.offset = FROM_START(5), LENGTH(7)}, 5, true, 7},
    {"an end", {END(FROM_START(7))}, 0, true, 7},
    {"offset and end", {.offset = FROM_START(5), END(FROM_START(7))}, 5, true, 2},
    {"an end at the offset", {.offset = FROM_START(7), END(FROM_START(7))}, 7, true, 0},
    {"an end before the offset", {.offset = FROM_START(8), END(FROM_START(7))}, 8, true, 0},
    {"-0 as the end", {.offset = FROM_START(5), END(FROM_END(0))}, 5, false, 0},
    {"the largest length", {LENGTH(UINT64_MAX)}, 0, true, UINT64_MAX},
    {"the largest offset",
     {.offset = FROM_START(UINT64_MAX), END(FROM_START(UINT64_MAX))},
     UINT64_MAX,
     true,
     0},
    {"the largest end",
     {.offset = FROM_START(1), END(FROM_START(UINT64_MAX))},
     1,
     true,
     UINT64_MAX - 1},
};

START_TEST(a_slice_of_a_stream_resolves)
{
    struct zs_range range = {.missing_bytes = 9, .past_end = true};

    ck_assert_int_eq(zs_range_resolve_stream(&streams[_i].slice, &range), 0);
    ck_assert_msg(range.start == streams[_i].start, "%s: start", streams[_i].name);
    ck_assert_msg(range.bounded == streams[_i].bounded, "%s: bounded", streams[_i].name);
    if (range.bounded)
        ck_assert_msg(range.length_bytes == streams[_i].length, "%s: length", streams[_i].name);
    ck_assert_uint_eq(range.missing_bytes, 0);
    ck_assert(!range.past_end);
}
END_TEST

static const struct zs_slice streams_refused[] = {
    {.offset = FROM_END(5)},
    {.offset = FROM_END(0)},
    {.offset = FROM_END(UINT64_MAX)},
    {.offset = FROM_END(5), LENGTH(3)},
    {.offset = FROM_END(5), END(FROM_END(0))},
    {END(FROM_END(1))},
    {END(FROM_END(UINT64_MAX))},
    {.offset = FROM_START(5), END(FROM_END(2))},
};

START_TEST(a_stream_has_no_end_to_count_from)
{
    struct zs_range range = {.start = 77, .length_bytes = 78};

    ck_assert_int_eq(zs_range_resolve_stream(&streams_refused[_i], &range), -ESPIPE);
    ck_assert_uint_eq(range.start, 77);
    ck_assert_uint_eq(range.length_bytes, 78);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("range");
    TCase *sized = add_case(suite, "sized");
    add_rows(sized, a_slice_of_a_known_size_resolves, rows);
    tcase_add_loop_test(sized, every_small_slice_agrees_with_walking_the_bytes, 0, MOST_SIZE + 1);
    tcase_add_loop_test(sized, small_distances_at_the_largest_sizes_resolve_as_at_small_ones, 0, 4);

    TCase *stream = add_case(suite, "stream");
    add_rows(stream, a_slice_of_a_stream_resolves, streams);
    add_rows(stream, a_stream_has_no_end_to_count_from, streams_refused);
    return run_pure_suite(suite);
}
