/*
 * Slice algebra: rows at the edges, and every small slice against an oracle that walks the bytes
 * one by one on an axis that reaches beyond both ends of the source.
 */

#include "range.h"

#include "check_helpers.h"

#include <time.h>

#define FROM_START(distance)                                                                       \
    {                                                                                              \
        (distance), false                                                                          \
    }
#define FROM_END(distance)                                                                         \
    {                                                                                              \
        (distance), true                                                                           \
    }
#define LENGTH(count) .has_length = true, .length_bytes = (count)
#define END(...)      .has_end = true, .end = __VA_ARGS__
#define STEP(count)   .has_step = true, .step_bytes = (count)

/* Without --record. */
static const struct zs_selection bytes = {
    .record_bytes = 1, .field = {.length_bytes = 1}, .align_bytes = 1};

/* What random cases come from: printed with each failure; ZSLICE_TEST_SEED repeats it. */
static uint64_t seed, random_state;

/* splitmix64. Unused where the compiler has no numbers of 128 bits. */
__attribute__((unused)) static uint64_t next_random(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

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
    struct zs_range range = zs_range_resolve(&rows[_i].slice, &bytes, rows[_i].size);

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
    struct zs_range range = zs_range_resolve(slice, &bytes, (uint64_t)size);
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
            struct zs_range small = zs_range_resolve(&slice, &bytes, 9);
            bool from_end = slice.offset.from_end;
            if (from_end && slice.offset.distance_bytes > 9)
                continue; /* before the small source, inside the large one */
            if (!from_end)
                slice.offset.distance_bytes += base;

            struct zs_range large = zs_range_resolve(&slice, &bytes, base + 9);
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
    struct zs_range range = zs_range_resolve_stream(&streams[_i].slice, &bytes);

    ck_assert_msg(range.start == streams[_i].start, "%s: start", streams[_i].name);
    ck_assert_msg(range.bounded == streams[_i].bounded, "%s: bounded", streams[_i].name);
    if (range.bounded)
        ck_assert_msg(range.length_bytes == streams[_i].length, "%s: length", streams[_i].name);
    ck_assert_uint_eq(range.missing_bytes, 0);
    ck_assert_uint_eq(range.partial_bytes, 0);
    ck_assert(!range.past_end);
    ck_assert(zs_range_is_contiguous(&range));
}
END_TEST

/* Records, steps and fields */

/* In each row, what is asked for, and below it the range. */
static const struct {
    const char *name;
    uint64_t size;
    struct zs_slice slice;
    uint64_t record;
    struct zs_field field;
    uint64_t start, piece, stride, length, partial;
} forms[] = {
    /* clang-format off */
    {"every other byte", 10, {STEP(2)}, 1, {0, 1},
     0, 1, 2, 5, 0},
    {"a step beyond the end", 10, {STEP(100)}, 1, {0, 1},
     0, 1, 100, 1, 0},
    {"a step of one is all", 10, {STEP(1)}, 1, {0, 1},
     0, 1, 1, 10, 0},
    {"records without a step are all", 10, {STEP(5)}, 5, {0, 5},
     0, 5, 5, 10, 0},
    {"every other record", 20, {STEP(8)}, 4, {0, 4},
     0, 4, 8, 12, 0},
    {"the last record is cut off", 18, {STEP(8)}, 4, {0, 4},
     0, 4, 8, 10, 2},
    {"the end in a gap cuts nothing off", 14, {STEP(8)}, 4, {0, 4},
     0, 4, 8, 8, 0},
    {"a partial record without a step", 10, {.has_length = false}, 4, {0, 4},
     0, 4, 4, 10, 2},
    {"a field", 12, {.has_length = false}, 4, {1, 2},
     1, 2, 4, 6, 0},
    {"a field that is there of a record that is cut off", 11, {.has_length = false}, 4, {1, 2},
     1, 2, 4, 6, 0},
    {"half a field", 10, {.has_length = false}, 4, {1, 2},
     1, 2, 4, 5, 2},
    {"none of a field", 9, {.has_length = false}, 4, {1, 2},
     1, 2, 4, 4, 1},
    {"a field of no record", 1, {.has_length = false}, 4, {1, 2},
     0, 2, 4, 0, 1},
    {"no field", 12, {.has_length = false}, 4, {4, 0},
     0, 0, 4, 0, 0},
    {"a header is skipped", 110, {.offset = FROM_START(100)}, 5, {4, 1},
     104, 1, 5, 2, 0},
    {"from the end", 110, {.offset = FROM_END(10)}, 5, {4, 1},
     104, 1, 5, 2, 0},
    {"the field of every third record", 60, {STEP(15), END(FROM_END(10))}, 5, {1, 3},
     1, 3, 15, 12, 0},
    {"the largest step", UINT64_MAX, {STEP(UINT64_MAX)}, 1, {0, 1},
     0, 1, UINT64_MAX, 1, 0},
    {"the largest record", UINT64_MAX, {.has_length = false}, UINT64_MAX, {0, UINT64_MAX},
     0, UINT64_MAX, UINT64_MAX, UINT64_MAX, 0},
    {"the last byte of the largest record", UINT64_MAX, {.has_length = false},
     UINT64_MAX, {UINT64_MAX - 1, 1},
     UINT64_MAX - 1, 1, UINT64_MAX, 1, 0},
    {"halves of the largest source", UINT64_MAX, {STEP(1ULL << 63)}, 1ULL << 62, {0, 1ULL << 62},
     0, 1ULL << 62, 1ULL << 63, 1ULL << 63, 0},
    {"a field beyond 64 bits", UINT64_MAX, {.offset = FROM_START(UINT64_MAX - 1)}, 8, {3, 1},
     UINT64_MAX - 1, 1, 8, 0, 1},
    {"every other byte of the largest source", UINT64_MAX, {STEP(2)}, 1, {0, 1},
     0, 1, 2, 1ULL << 63, 0},
    /* clang-format on */
};

START_TEST(records_steps_and_fields_have_a_form)
{
    struct zs_selection selection = {
        .record_bytes = forms[_i].record, .field = forms[_i].field, .align_bytes = 1};
    struct zs_range range = zs_range_resolve(&forms[_i].slice, &selection, forms[_i].size);
    const char *name = forms[_i].name;

    ck_assert(range.bounded);
    ck_assert_msg(range.start == forms[_i].start, "%s: start %ju", name, (uintmax_t)range.start);
    ck_assert_msg(range.piece_bytes == forms[_i].piece, "%s: piece", name);
    ck_assert_msg(range.stride_bytes == forms[_i].stride, "%s: stride", name);
    ck_assert_msg(range.length_bytes == forms[_i].length, "%s: length %ju", name,
                  (uintmax_t)range.length_bytes);
    ck_assert_msg(range.partial_bytes == forms[_i].partial, "%s: partial %ju", name,
                  (uintmax_t)range.partial_bytes);
    ck_assert_uint_le(zs_range_end(&range), forms[_i].size);
}
END_TEST

/* The oracle of records: sources of up to 12 bytes, of which each is selected or not. */
enum { MOST_RECORD_SIZE = 12, MOST_RECORD = 4, MORE_STEP = 3, RECORD_POSITIONS = 14 };

struct walked {
    uint64_t start; /* clamped */
    uint64_t end;
    uint64_t selected[MOST_RECORD_SIZE];
    size_t count;
    uint64_t partial;
};

static uint64_t clamped(struct zs_position position, int size)
{
    int at = on_axis(position, size);
    return (uint64_t)(at < 0 ? 0 : at > size ? size : at);
}

/* Byte by byte: which of the source's are of the slice, and of these which are selected. */
static struct walked walk_records(const struct zs_slice *slice,
                                  const struct zs_selection *selection, int size)
{
    struct walked walked = {.start = clamped(slice->offset, size), .end = (uint64_t)size};
    uint64_t stride = slice->has_step ? slice->step_bytes : selection->record_bytes;
    uint64_t in_record = 0; /* where the byte lies in its record, or the gap behind it */

    if (slice->has_end)
        walked.end = clamped(slice->end, size);
    if (slice->has_length && slice->length_bytes < (uint64_t)size - walked.start)
        walked.end = walked.start + slice->length_bytes;
    for (uint64_t at = walked.start; at < walked.end; at++) {
        if (in_record >= selection->field.start &&
            in_record < selection->field.start + selection->field.length_bytes)
            walked.selected[walked.count++] = at;
        in_record = in_record + 1 == stride ? 0 : in_record + 1;
    }
    uint64_t needed = selection->field.start + selection->field.length_bytes;
    if (selection->field.length_bytes > 0 && in_record < needed)
        walked.partial = in_record;
    return walked;
}

/* How many of `length` bytes that begin with a record are selected. */
static uint64_t count_selected(const struct zs_slice *slice, const struct zs_selection *selection,
                               uint64_t length)
{
    uint64_t stride = slice->has_step ? slice->step_bytes : selection->record_bytes;
    uint64_t count = 0;

    for (uint64_t at = 0; at < length; at++)
        count += at % stride >= selection->field.start &&
                 at % stride < selection->field.start + selection->field.length_bytes;
    return count;
}

/*
 * Of what was asked for and is not there, all that lies before the source's start, and what would
 * be selected of the rest. Without records that is what zs_range_resolve says of the plain slice,
 * which has an oracle of its own.
 */
static uint64_t count_missing(const struct zs_slice *slice, const struct zs_selection *selection,
                              const struct walked *walked, int size)
{
    uint64_t there = walked->end > walked->start ? walked->end - walked->start : 0;
    struct zs_slice plain = *slice;
    plain.has_step = false;
    uint64_t all = zs_range_resolve(&plain, &bytes, (uint64_t)size).missing_bytes;
    int offset = on_axis(slice->offset, size);
    int end = slice->has_end ? on_axis(slice->end, size) : size;
    uint64_t below = offset < 0 ? (uint64_t)-offset : 0;
    uint64_t before = below;

    if (slice->has_length && slice->length_bytes < below)
        before = slice->length_bytes;
    if (!slice->has_length && end < 0)
        before = end > offset ? (uint64_t)(end - offset) : 0;
    uint64_t behind = all - before;
    return before + count_selected(slice, selection, there + behind) -
           count_selected(slice, selection, there);
}

static void describe(char text[256], const struct zs_slice *slice,
                     const struct zs_selection *selection, int size)
{
    (void)snprintf(text, 256,
                   "size %d offset %s%d length %d end %s%d record %d step %d field %d+%d", size,
                   slice->offset.from_end ? "-" : "", (int)slice->offset.distance_bytes,
                   slice->has_length ? (int)slice->length_bytes : -1,
                   !slice->has_end       ? "none "
                   : slice->end.from_end ? "-"
                                         : "",
                   (int)slice->end.distance_bytes, (int)selection->record_bytes,
                   slice->has_step ? (int)slice->step_bytes : -1, (int)selection->field.start,
                   (int)selection->field.length_bytes);
}

/* How many of the selected bytes lie together from number i on. */
static uint64_t together(const struct walked *walked, size_t i)
{
    uint64_t run = 1;
    while (i + run < walked->count && walked->selected[i + run] == walked->selected[i] + run)
        run++;
    return run;
}

/* NULL, or what of the range is not as walked. */
static const char *difference(const struct zs_range *range, const struct walked *walked)
{
    if (!range->bounded || range->length_bytes != walked->count)
        return "length";
    if (range->partial_bytes != walked->partial)
        return "partial bytes";
    if (range->record_start != walked->start)
        return "start of the first record";
    if (walked->count == 0)
        return range->start != walked->start || zs_range_end(range) != range->start ? "empty"
                                                                                    : NULL;
    if (zs_range_end(range) != walked->selected[walked->count - 1] + 1)
        return "end";
    for (size_t i = 0; i < walked->count; i++) {
        uint64_t run = zs_range_run(range, i);
        uint64_t left = walked->count - i;
        if (range->start + zs_range_offset(range, i) != walked->selected[i])
            return "offset";
        if ((run < left ? run : left) != together(walked, i))
            return "run";
        if (zs_range_count_within(range, walked->selected[i] - range->start) != i ||
            zs_range_count_within(range, walked->selected[i] - range->start + 1) != i + 1)
            return "count";
    }
    return NULL;
}

static long compared;

static void compare_records(const struct zs_slice *slice, const struct zs_selection *selection,
                            int size)
{
    struct walked walked = walk_records(slice, selection, size);
    struct zs_range range = zs_range_resolve(slice, selection, (uint64_t)size);
    struct zs_range plain = zs_range_resolve(slice, &bytes, (uint64_t)size);
    uint64_t missing = count_missing(slice, selection, &walked, size);
    const char *wrong = difference(&range, &walked);
    char text[256];

    compared++;
    if (!wrong && (range.missing_bytes != missing || range.past_end != plain.past_end))
        wrong = "missing";
    if (!wrong)
        return;
    describe(text, slice, selection, size);
    ck_abort_msg("%s: %s", text, wrong);
}

/* Calls compare with every slice that has this step. */
static void every_slice(uint64_t step, const struct zs_selection *selection, int size,
                        void (*compare)(const struct zs_slice *, const struct zs_selection *, int))
{
    for (int o = 0; o < 2 * RECORD_POSITIONS; o++) {
        struct zs_slice slice = {
            .offset = nth_position(o), .has_step = step > 0, .step_bytes = step};
        compare(&slice, selection, size);
        slice.has_length = true;
        for (uint64_t length = 0; length < RECORD_POSITIONS; length++) {
            slice.length_bytes = length;
            compare(&slice, selection, size);
        }
        slice.has_length = false;
        slice.has_end = true;
        for (int e = 0; e < 2 * RECORD_POSITIONS; e++) {
            slice.end = nth_position(e);
            compare(&slice, selection, size);
        }
    }
}

/* Every record, field and step; 0 is no step. */
static void every_form(int size,
                       void (*compare)(const struct zs_slice *, const struct zs_selection *, int))
{
    for (uint64_t record = 1; record <= MOST_RECORD; record++) {
        for (uint64_t start = 0; start <= record; start++) {
            for (uint64_t length = 0; length <= record - start; length++) {
                struct zs_selection selection = {
                    .record_bytes = record, .field = {start, length}, .align_bytes = record};
                every_slice(0, &selection, size, compare);
                for (uint64_t step = record; step <= record + MORE_STEP; step++)
                    every_slice(step, &selection, size, compare);
            }
        }
    }
}

START_TEST(every_small_selection_agrees_with_walking_the_bytes)
{
    compared = 0;
    every_form(_i, compare_records);
    ck_assert_int_gt(compared, 200000);
}
END_TEST

/* What does not count from the end is the same of a stream, while that has enough bytes. */
static void compare_stream(const struct zs_slice *slice, const struct zs_selection *selection,
                           int size)
{
    char text[256];

    if (zs_slice_is_from_end(slice))
        return;
    struct zs_range stream = zs_range_resolve_stream(slice, selection);
    struct zs_range file = zs_range_resolve(slice, selection, (uint64_t)size);
    bool to_its_end = !slice->has_length && (!slice->has_end || slice->end.from_end);
    bool same = stream.record_start == file.record_start &&
                stream.needed_bytes == file.needed_bytes &&
                stream.piece_bytes == file.piece_bytes && stream.stride_bytes == file.stride_bytes;

    compared++;
    if (to_its_end && selection->field.length_bytes > 0)
        same = same && !stream.bounded && stream.start == file.start;
    else
        same = same && stream.bounded && stream.length_bytes == file.length_bytes &&
               stream.start == file.start;
    if (!to_its_end)
        same = same && stream.partial_bytes == file.partial_bytes;
    if (same && stream.missing_bytes == 0 && !stream.past_end)
        return;
    describe(text, slice, selection, size);
    ck_abort_msg("%s: a stream differs", text);
}

START_TEST(a_selection_of_a_stream_is_that_of_a_file_that_is_large_enough)
{
    compared = 0;
    every_form(1000, compare_stream);
    ck_assert_int_gt(compared, 50000);
}
END_TEST

/* Up to the distance from the end the range is not bounded: that is the holder's affair. */
START_TEST(a_stream_that_ends_before_its_end_is_not_bounded_yet)
{
    static const struct zs_slice slices[] = {
        {END(FROM_END(1))},
        {END(FROM_END(UINT64_MAX))},
        {.offset = FROM_START(5), END(FROM_END(2))},
        {.offset = FROM_START(UINT64_MAX), END(FROM_END(2))},
    };
    struct zs_range range = zs_range_resolve_stream(&slices[_i], &bytes);

    ck_assert(!range.bounded);
    ck_assert_uint_eq(range.start, slices[_i].offset.distance_bytes);
}
END_TEST

/* When a stream has ended: by the position of its end, what its last record has. */
START_TEST(the_record_that_an_end_cuts_off_is_known_by_its_position)
{
    for (uint64_t record = 1; record <= MOST_RECORD; record++) {
        for (uint64_t step = record; step <= record + MORE_STEP; step++) {
            for (uint64_t offset = 0; offset < 5; offset++) {
                struct zs_slice slice = {.offset = FROM_START(offset), STEP(step)};
                struct zs_selection selection = {
                    .record_bytes = record, .field = {0, record}, .align_bytes = 1};
                struct zs_range range = zs_range_resolve_stream(&slice, &selection);
                for (uint64_t end = 0; end < 40; end++) {
                    uint64_t last = end > offset ? (end - offset) % step : 0;
                    ck_assert_uint_eq(zs_range_partial_bytes(&range, end),
                                      last < record ? last : 0);
                }
            }
        }
    }
}
END_TEST

START_TEST(the_arithmetic_of_pieces_is_that_of_counting)
{
    for (uint64_t stride = 1; stride <= 7; stride++) {
        for (uint64_t piece = 1; piece <= stride; piece++) {
            struct zs_range range = {.piece_bytes = piece, .stride_bytes = stride};
            uint64_t index = 0;
            for (uint64_t at = 0; at < 50; at++) {
                ck_assert_uint_eq(zs_range_count_within(&range, at), index);
                if (at % stride >= piece)
                    continue;
                ck_assert_uint_eq(zs_range_offset(&range, index), at);
                ck_assert_uint_eq(zs_range_run(&range, index),
                                  piece == stride ? UINT64_MAX : piece - at % stride);
                index++;
            }
            ck_assert_int_eq(zs_range_is_contiguous(&range), piece == stride);
        }
    }
}
END_TEST

START_TEST(the_end_of_a_range_saturates)
{
    struct zs_range range = zs_range_contiguous(UINT64_MAX - 5, 5);
    ck_assert_uint_eq(zs_range_end(&range), UINT64_MAX);
    range = zs_range_contiguous(UINT64_MAX - 5, UINT64_MAX);
    ck_assert_uint_eq(zs_range_end(&range), UINT64_MAX);
    range = zs_range_contiguous(7, 0);
    ck_assert_uint_eq(zs_range_end(&range), 7);
    range = (struct zs_range){.start = 1ULL << 63,
                              .piece_bytes = 1,
                              .stride_bytes = 1ULL << 62,
                              .length_bytes = 4,
                              .bounded = true};
    ck_assert_uint_eq(zs_range_end(&range), UINT64_MAX);
    range.length_bytes = 2;
    ck_assert_uint_eq(zs_range_end(&range), (3ULL << 62) + 1);
}
END_TEST

/* Shards */

#ifdef __SIZEOF_INT128__

enum { MOST_SHARDS = 60, MOST_SHARD_SIZE = 200, MOST_RANDOM_SHARDS = 10000 };

/* floor(number * length / count), rounded down to a multiple of align; the last one ends it all. */
static uint64_t expected_bound(const struct zs_selection *selection, uint64_t number,
                               uint64_t length)
{
    if (number == selection->shard.count)
        return length;
    uint64_t bound = (uint64_t)((unsigned __int128)number * length / selection->shard.count);
    return bound - bound % selection->align_bytes;
}

/* One shard: its bounds within the slice, which are also what its range says. */
static void expect_shard(const struct zs_slice *slice, struct zs_selection *selection,
                         uint64_t number, uint64_t size, const struct zs_range *whole)
{
    selection->shard.number = number;
    struct zs_range range = zs_range_resolve(slice, selection, size);
    uint64_t from = expected_bound(selection, number - 1, whole->length_bytes);
    uint64_t to = expected_bound(selection, number, whole->length_bytes);

    if (range.start == whole->start + from && range.length_bytes == to - from && range.bounded &&
        range.missing_bytes == whole->missing_bytes && range.past_end == whole->past_end &&
        range.partial_bytes == whole->partial_bytes)
        return;
    ck_abort_msg("seed %ju: shard %ju/%ju of %ju bytes, align %ju: [%ju, %ju), not [%ju, %ju)",
                 (uintmax_t)seed, (uintmax_t)number, (uintmax_t)selection->shard.count,
                 (uintmax_t)whole->length_bytes, (uintmax_t)selection->align_bytes,
                 (uintmax_t)(range.start - whole->start),
                 (uintmax_t)(range.start - whole->start + range.length_bytes), (uintmax_t)from,
                 (uintmax_t)to);
}

/* All shards of a slice: each begins where the one before it ends, and the last ends the slice. */
static void expect_shards(const struct zs_slice *slice, uint64_t count, uint64_t align,
                          uint64_t size)
{
    struct zs_selection selection = {
        .record_bytes = 1, .field = {0, 1}, .shard.count = count, .align_bytes = align};
    struct zs_range whole = zs_range_resolve(slice, &selection, size);
    uint64_t next = whole.start;

    for (uint64_t number = 1; number <= count; number++) {
        expect_shard(slice, &selection, number, size, &whole);
        struct zs_range range = zs_range_resolve(slice, &selection, size);
        if (range.start != next || (number < count && (zs_range_end(&range) - whole.start) % align))
            ck_abort_msg("seed %ju: shard %ju/%ju of %ju bytes, align %ju, leaves a gap, overlaps "
                         "or is not aligned",
                         (uintmax_t)seed, (uintmax_t)number, (uintmax_t)count,
                         (uintmax_t)whole.length_bytes, (uintmax_t)align);
        next = zs_range_end(&range);
    }
    ck_assert_uint_eq(next, zs_range_end(&whole));
}

START_TEST(shards_of_small_slices_are_the_slice)
{
    static const uint64_t aligns[] = {1, 2, 3, 4, 7, 16, 100, 201, UINT64_MAX};
    static const struct zs_slice all = {.has_length = false};
    uint64_t count = (uint64_t)_i;

    for (uint64_t size = 0; size <= MOST_SHARD_SIZE; size++) {
        for (int a = 0; a < ROWS(aligns); a++)
            expect_shards(&all, count, aligns[a], size);
    }
}
END_TEST

/* Numbers of every magnitude. */
static uint64_t random_number(void)
{
    return next_random() >> (next_random() % 64);
}

START_TEST(shards_of_random_slices_are_the_slice)
{
    (void)printf("seed of random shards: %ju\n", (uintmax_t)seed);
    for (int i = 0; i < 400; i++) {
        struct zs_slice slice = {.offset = {random_number(), next_random() % 2},
                                 .has_length = next_random() % 2,
                                 .length_bytes = random_number()};
        uint64_t count = 1 + next_random() % MOST_RANDOM_SHARDS;
        uint64_t align = 1 + random_number() % UINT64_MAX;
        expect_shards(&slice, count, align,
                      i % 4 == 0 ? UINT64_MAX - (uint64_t)i : random_number());
    }
}
END_TEST

/* Single ones of up to 2^32-1. */
START_TEST(any_shard_of_very_many_is_where_the_formula_has_it)
{
    static const struct zs_slice all = {.has_length = false};

    for (int i = 0; i < 100000; i++) {
        uint64_t size = i % 8 == 0 ? UINT64_MAX - (uint64_t)i : random_number();
        uint64_t count = i % 16 == 0 ? UINT32_MAX : 1 + random_number() % UINT32_MAX;
        struct zs_selection selection = {.record_bytes = 1,
                                         .field = {0, 1},
                                         .shard.count = count,
                                         .align_bytes = 1 + random_number() % UINT64_MAX};
        struct zs_range whole = zs_range_resolve(&all, &selection, size);
        expect_shard(&all, &selection, 1, size, &whole);
        expect_shard(&all, &selection, 1 + next_random() % count, size, &whole);
        expect_shard(&all, &selection, count, size, &whole);
    }
}
END_TEST

/* Of records with fields, where align is a multiple of the record: each byte is in one shard. */
START_TEST(shards_of_fields_are_the_fields)
{
    for (uint64_t size = 0; size <= 40; size++) {
        for (uint64_t record = 1; record <= MOST_RECORD; record++) {
            for (uint64_t from = 0; from < record; from++) {
                struct zs_selection selection = {.record_bytes = record,
                                                 .field = {from, record - from},
                                                 .align_bytes = record * (1 + size % 2)};
                struct zs_slice slice = {.offset = FROM_START(size / 3)};
                struct zs_range whole = zs_range_resolve(&slice, &selection, size);
                uint64_t index = 0;
                selection.shard.count = 1 + (uint64_t)_i;
                for (uint64_t k = 1; k <= selection.shard.count; k++) {
                    selection.shard.number = k;
                    struct zs_range part = zs_range_resolve(&slice, &selection, size);
                    ck_assert_uint_eq(part.partial_bytes, whole.partial_bytes);
                    for (uint64_t i = 0; i < part.length_bytes; i++, index++)
                        ck_assert_uint_eq(part.start + zs_range_offset(&part, i),
                                          whole.start + zs_range_offset(&whole, index));
                }
                ck_assert_uint_eq(index, whole.length_bytes);
            }
        }
    }
}
END_TEST

static void add_shards(Suite *suite)
{
    TCase *shards = add_case(suite, "shards");
    tcase_add_loop_test(shards, shards_of_small_slices_are_the_slice, 1, MOST_SHARDS + 1);
    tcase_add_test(shards, shards_of_random_slices_are_the_slice);
    tcase_add_test(shards, any_shard_of_very_many_is_where_the_formula_has_it);
    tcase_add_loop_test(shards, shards_of_fields_are_the_fields, 0, 12);
}

#else

static void add_shards(Suite *suite)
{
    (void)suite;
}

#endif

int main(void)
{
    const char *wanted = getenv("ZSLICE_TEST_SEED");
    seed = wanted ? strtoull(wanted, NULL, 10) : (uint64_t)time(NULL);
    random_state = seed;

    Suite *suite = suite_create("range");
    TCase *sized = add_case(suite, "sized");
    add_rows(sized, a_slice_of_a_known_size_resolves, rows);
    tcase_add_loop_test(sized, every_small_slice_agrees_with_walking_the_bytes, 0, MOST_SIZE + 1);
    tcase_add_loop_test(sized, small_distances_at_the_largest_sizes_resolve_as_at_small_ones, 0, 4);

    TCase *stream = add_case(suite, "stream");
    add_rows(stream, a_slice_of_a_stream_resolves, streams);
    tcase_add_loop_test(stream, a_stream_that_ends_before_its_end_is_not_bounded_yet, 0, 4);
    tcase_add_test(stream, a_selection_of_a_stream_is_that_of_a_file_that_is_large_enough);
    tcase_add_test(stream, the_record_that_an_end_cuts_off_is_known_by_its_position);

    TCase *records = add_case(suite, "records");
    add_rows(records, records_steps_and_fields_have_a_form, forms);
    tcase_add_loop_test(records, every_small_selection_agrees_with_walking_the_bytes, 0,
                        MOST_RECORD_SIZE + 1);
    tcase_add_test(records, the_arithmetic_of_pieces_is_that_of_counting);
    tcase_add_test(records, the_end_of_a_range_saturates);
    add_shards(suite);
    return run_pure_suite(suite);
}
