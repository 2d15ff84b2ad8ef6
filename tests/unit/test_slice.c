/* The slice language: what is accepted and as what, what is refused, and that nothing else is set.
 */

#include "slice.h"

#include "check_helpers.h"

#include <errno.h>

#define MOST_TEXT "18446744073709551615"
#define TOO_MUCH  "18446744073709551616"

#define AT(distance)                                                                               \
    {                                                                                              \
        (distance), false                                                                          \
    }
#define BACK(distance)                                                                             \
    {                                                                                              \
        (distance), true                                                                           \
    }
#define OFFSET(...) .offset = __VA_ARGS__
#define END(...)    .has_end = true, .end = __VA_ARGS__
#define LENGTH(n)   .has_length = true, .length_bytes = (n)
#define STEP(n)     .has_step = true, .step_bytes = (n)
#define O           .offset_bare = true
#define E           .end_bare = true
#define L           .length_bare = true
#define S           .step_bare = true

static const struct {
    const char *text;
    struct zs_slice slice;
} accepted[] = {
    /* clang-format off */
    {":", {.has_end = false}},
    {"::", {.has_end = false}},
    {"0:", {OFFSET(AT(0)), O}},
    {"1:3", {OFFSET(AT(1)), O, END(AT(3)), E}},
    {":3", {END(AT(3)), E}},
    {"3:", {OFFSET(AT(3)), O}},
    {"3::", {OFFSET(AT(3)), O}},
    {"-4:", {OFFSET(BACK(4)), O}},
    {":-4", {END(BACK(4)), E}},
    {"-6:-4", {OFFSET(BACK(6)), O, END(BACK(4)), E}},
    {"-0:", {OFFSET(BACK(0)), O}},
    {":-0", {END(BACK(0)), E}},
    {"5:2", {OFFSET(AT(5)), O, END(AT(2)), E}},
    {"::2", {STEP(2), S}},
    {"1:9:2", {OFFSET(AT(1)), O, END(AT(9)), E, STEP(2), S}},
    {"1::2", {OFFSET(AT(1)), O, STEP(2), S}},
    {":9:2", {END(AT(9)), E, STEP(2), S}},
    {"::0", {STEP(0), S}}, /* refused by the options */
    {"1K:2K:1K", {OFFSET(AT(1024)), END(AT(2048)), STEP(1024)}},
    {"100B:", {OFFSET(AT(100))}},
    {"-8s:-1s", {OFFSET(BACK(4096)), END(BACK(512))}},
    {"1:2B:3", {OFFSET(AT(1)), O, END(AT(2)), STEP(3), S}},
    {"1B:2:3B", {OFFSET(AT(1)), END(AT(2)), E, STEP(3)}},
    {"0x1B:", {OFFSET(AT(27)), O}},
    {"-0x10:0x20:0xf", {OFFSET(BACK(16)), O, END(AT(32)), E, STEP(15), S}},
    {"010:", {OFFSET(AT(10)), O}},
    {"0+0", {OFFSET(AT(0)), O, LENGTH(0), L}},
    {"5+7", {OFFSET(AT(5)), O, LENGTH(7), L}},
    {"-5+7", {OFFSET(BACK(5)), O, LENGTH(7), L}},
    {"-0+1", {OFFSET(BACK(0)), O, LENGTH(1), L}},
    {"1K+1", {OFFSET(AT(1024)), LENGTH(1), L}},
    {"1+1KB", {OFFSET(AT(1)), O, LENGTH(1000)}},
    {MOST_TEXT ":" MOST_TEXT ":" MOST_TEXT,
     {OFFSET(AT(UINT64_MAX)), O, END(AT(UINT64_MAX)), E, STEP(UINT64_MAX), S}},
    {"-" MOST_TEXT ":-" MOST_TEXT, {OFFSET(BACK(UINT64_MAX)), O, END(BACK(UINT64_MAX)), E}},
    {"-" MOST_TEXT "+" MOST_TEXT, {OFFSET(BACK(UINT64_MAX)), O, LENGTH(UINT64_MAX), L}},
    {"0xffffffffffffffff:15E", {OFFSET(AT(UINT64_MAX)), O, END(AT(15ULL << 60))}},
    {"000000000000000000000000000000000000000000000000000000000000001:", {OFFSET(AT(1)), O}},
    /* clang-format on */
};

static void expect_position(struct zs_position position, struct zs_position expected,
                            const char *text)
{
    ck_assert_msg(position.distance_bytes == expected.distance_bytes &&
                      position.from_end == expected.from_end,
                  "%s: %s%ju", text, position.from_end ? "-" : "",
                  (uintmax_t)position.distance_bytes);
}

static void expect_slice(const struct zs_slice *slice, const struct zs_slice *expected,
                         const char *text)
{
    expect_position(slice->offset, expected->offset, text);
    expect_position(slice->end, expected->end, text);
    ck_assert_msg(slice->has_length == expected->has_length, "%s: has_length", text);
    ck_assert_msg(slice->has_end == expected->has_end, "%s: has_end", text);
    ck_assert_msg(slice->has_step == expected->has_step, "%s: has_step", text);
    ck_assert_msg(slice->length_bytes == expected->length_bytes, "%s: length", text);
    ck_assert_msg(slice->step_bytes == expected->step_bytes, "%s: step", text);
    ck_assert_msg(
        slice->offset_bare == expected->offset_bare && slice->end_bare == expected->end_bare &&
            slice->length_bare == expected->length_bare && slice->step_bare == expected->step_bare,
        "%s: what is bare", text);
}

static const struct zs_slice untouched = {.offset = {77, true}, LENGTH(78), STEP(79), S};

START_TEST(a_range_is_understood)
{
    struct zs_slice slice = untouched;

    ck_assert_msg(zs_slice_parse(accepted[_i].text, &slice) == 0, "'%s' is refused",
                  accepted[_i].text);
    expect_slice(&slice, &accepted[_i].slice, accepted[_i].text);
}
END_TEST

/* Most of them are refused as a field and as a shard, too. */
static const struct {
    const char *text;
    int code;
} refused[] = {
    {"", -EINVAL},
    {"5", -EINVAL},
    {"-5", -EINVAL},
    {"+", -EINVAL},
    {"5+", -EINVAL},
    {"+5", -EINVAL},
    {"1+-2", -EINVAL},
    {"1++2", -EINVAL},
    {"1+2+3", -EINVAL},
    {"1+2:3", -EINVAL},
    {"1:2+3", -EINVAL},
    {"1:+2", -EINVAL},
    {":+", -EINVAL},
    {":::", -EINVAL},
    {"1:2:3:", -EINVAL},
    {"1:2:3:4", -EINVAL},
    {"1:2:-3", -EINVAL},
    {"::-1", -EINVAL},
    {"::-0", -EINVAL},
    {"-:", -EINVAL},
    {":-", -EINVAL},
    {"--1:", -EINVAL},
    {" 1:2", -EINVAL},
    {"1 :2", -EINVAL},
    {"1: 2", -EINVAL},
    {"1:2 ", -EINVAL},
    {"1.5:2", -EINVAL},
    {"1:2:", 0}, /* an empty STEP is none, as in Python */
    {"a:b", -EINVAL},
    {"1K2:", -EINVAL},
    {"0x:", -EINVAL},
    {"K:", -EINVAL},
    {"1;2", -EINVAL},
    {"1/2", -EINVAL},
    {TOO_MUCH ":", -ERANGE},
    {":" TOO_MUCH, -ERANGE},
    {"::" TOO_MUCH, -ERANGE},
    {"-" TOO_MUCH ":", -ERANGE},
    {":-" TOO_MUCH, -ERANGE},
    {TOO_MUCH "+1", -ERANGE},
    {"1+" TOO_MUCH, -ERANGE},
    {"16E:", -ERANGE},
    {"0+16E", -ERANGE},
    {"0x10000000000000000:", -ERANGE},
    {"99999999999999999999999999999999999999999999999999999999999999:", -ERANGE},
};

START_TEST(what_is_no_range_is_refused_and_sets_nothing)
{
    struct zs_slice slice = untouched;
    int result = zs_slice_parse(refused[_i].text, &slice);

    ck_assert_msg(result == refused[_i].code, "'%s': %d", refused[_i].text, result);
    if (result < 0)
        expect_slice(&slice, &untouched, refused[_i].text);
}
END_TEST

/* Every text of up to six of these characters: what is accepted has its form and nothing else. */
static bool has_form(const char *text)
{
    int colons = 0, pluses = 0;

    for (const char *c = text; *c; c++) {
        colons += *c == ':';
        pluses += *c == '+';
        if (*c == '-' && c > text && c[-1] != ':')
            return false;
        if (*c == '-' && (c[1] < '0' || c[1] > '9'))
            return false;
        if (*c == '-' && colons == 2)
            return false;
    }
    if (pluses == 1 && colons == 0)
        return text[0] != '+' && text[strlen(text) - 1] != '+';
    return pluses == 0 && colons >= 1 && colons <= 2;
}

START_TEST(every_short_text_is_accepted_exactly_if_it_has_the_form)
{
    static const char characters[] = "07:+-";
    int accepted_count = 0;

    for (int n = 0; n < 5 * 5 * 5 * 5 * 5 * 5 * 5; n++) {
        char text[8];
        int length = 0;
        for (int rest = n; rest > 0; rest /= 5)
            text[length++] = characters[rest % 5];
        text[length] = '\0';
        struct zs_slice slice;
        int result = zs_slice_parse(text, &slice);
        ck_assert_msg((result == 0) == has_form(text), "'%s': %d", text, result);
        accepted_count += result == 0;
    }
    ck_assert_int_gt(accepted_count, 1000);
}
END_TEST

START_TEST(bare_numbers_count_records)
{
    struct zs_slice slice = {OFFSET(BACK(2)), O, LENGTH(3), L, END(AT(5)), E, STEP(7), S};
    ck_assert_int_eq(zs_slice_scale(&slice, 10), 0);
    expect_slice(&slice, &(struct zs_slice){OFFSET(BACK(20)), LENGTH(30), END(AT(50)), STEP(70)},
                 "all bare");
    /* Once is enough. */
    ck_assert_int_eq(zs_slice_scale(&slice, 10), 0);
    expect_slice(&slice, &(struct zs_slice){OFFSET(BACK(20)), LENGTH(30), END(AT(50)), STEP(70)},
                 "scaled again");

    slice = (struct zs_slice){OFFSET(AT(2)), LENGTH(3), L, END(AT(5)), STEP(7)};
    ck_assert_int_eq(zs_slice_scale(&slice, 10), 0);
    expect_slice(&slice, &(struct zs_slice){OFFSET(AT(2)), LENGTH(30), END(AT(5)), STEP(7)},
                 "with suffixes");
}
END_TEST

START_TEST(records_beyond_64_bits_are_refused)
{
    static const struct {
        uint64_t number, record;
        int code;
    } products[] = {
        {UINT64_MAX, 1, 0},
        {UINT64_MAX / 2, 2, 0},
        {UINT64_MAX / 2 + 1, 2, -ERANGE},
        {2, UINT64_MAX / 2 + 1, -ERANGE},
        {0, UINT64_MAX, 0},
        {1, UINT64_MAX, 0},
        {2, UINT64_MAX, -ERANGE},
        {1ULL << 32, 1ULL << 32, -ERANGE},
        {(1ULL << 32) - 1, (1ULL << 32) + 1, 0},
    };
    for (int i = 0; i < ROWS(products); i++) {
        uint64_t n = products[i].number;
        struct zs_slice slices[] = {{OFFSET(AT(n)), O},
                                    {OFFSET(BACK(n)), O},
                                    {END(AT(n)), E},
                                    {LENGTH(n), L},
                                    {STEP(n), S}};
        for (int s = 0; s < ROWS(slices); s++)
            ck_assert_int_eq(zs_slice_scale(&slices[s], products[i].record), products[i].code);
    }
}
END_TEST

static const struct {
    const char *text;
    uint64_t record;
    int code;
    struct zs_field field;
} fields[] = {
    {":", 8, 0, {0, 8}},
    {"0:8", 8, 0, {0, 8}},
    {"4:8", 8, 0, {4, 4}},
    {"4:", 8, 0, {4, 4}},
    {":4", 8, 0, {0, 4}},
    {"8:", 8, 0, {8, 0}},
    {"8:8", 8, 0, {8, 0}},
    {"0:0", 8, 0, {0, 0}},
    {"6:2", 8, 0, {6, 0}},
    {"-4:", 8, 0, {4, 4}},
    {"-8:-4", 8, 0, {0, 4}},
    {":-1", 8, 0, {0, 7}},
    {"-0:", 8, 0, {8, 0}},
    {"2:-2", 8, 0, {2, 4}},
    {"4+4", 8, 0, {4, 4}},
    {"4+0", 8, 0, {4, 0}},
    {"8+0", 8, 0, {8, 0}},
    {"-2+2", 8, 0, {6, 2}},
    {"0x2:4B", 8, 0, {2, 2}},
    {"1K:2K", 4096, 0, {1024, 1024}},
    {"1::", 8, 0, {1, 7}},
    {"0:" MOST_TEXT, UINT64_MAX, 0, {0, UINT64_MAX}},
    {"1+18446744073709551614", UINT64_MAX, 0, {1, UINT64_MAX - 1}},
    {"-1:", UINT64_MAX, 0, {UINT64_MAX - 1, 1}},
    {"0:9", 8, -EDOM, {0}},
    {"9:", 8, -EDOM, {0}},
    {"9:9", 8, -EDOM, {0}},
    {"-9:", 8, -EDOM, {0}},
    {":-9", 8, -EDOM, {0}},
    {"4+5", 8, -EDOM, {0}},
    {"8+1", 8, -EDOM, {0}},
    {"-2+3", 8, -EDOM, {0}},
    {"1+" MOST_TEXT, 8, -EDOM, {0}},
    {"1+" MOST_TEXT, UINT64_MAX, -EDOM, {0}},
    {"0:2:1", 8, -EINVAL, {0}},
    {"::1", 8, -EINVAL, {0}},
    {"4", 8, -EINVAL, {0}},
    {"", 8, -EINVAL, {0}},
    {"4-8", 8, -EINVAL, {0}},
    {"0:" TOO_MUCH, 8, -ERANGE, {0}},
    {TOO_MUCH "+1", 8, -ERANGE, {0}},
};

START_TEST(a_field_lies_in_its_record)
{
    struct zs_field field = {77, 78};
    int result = zs_slice_parse_field(fields[_i].text, fields[_i].record, &field);

    ck_assert_msg(result == fields[_i].code, "'%s': %d", fields[_i].text, result);
    if (result < 0) {
        ck_assert_uint_eq(field.start, 77);
        ck_assert_uint_eq(field.length_bytes, 78);
        return;
    }
    ck_assert_msg(field.start == fields[_i].field.start &&
                      field.length_bytes == fields[_i].field.length_bytes,
                  "'%s': %ju+%ju", fields[_i].text, (uintmax_t)field.start,
                  (uintmax_t)field.length_bytes);
}
END_TEST

static const struct {
    const char *text;
    int code;
    uint64_t number, count;
} shards[] = {
    {"1/1", 0, 1, 1},
    {"1/8", 0, 1, 8},
    {"8/8", 0, 8, 8},
    {"007/010", 0, 7, 10},
    {"0x7/0xa", 0, 7, 10},
    {"1/4294967295", 0, 1, UINT32_MAX},
    {"4294967295/4294967295", 0, UINT32_MAX, UINT32_MAX},
    {"0/1", -ERANGE, 0, 0},
    {"0/0", -ERANGE, 0, 0},
    {"1/0", -ERANGE, 0, 0},
    {"2/1", -ERANGE, 0, 0},
    {"1/4294967296", -ERANGE, 0, 0},
    {"4294967296/4294967296", -ERANGE, 0, 0},
    {TOO_MUCH "/1", -ERANGE, 0, 0},
    {"1/" TOO_MUCH, -ERANGE, 0, 0},
    {"1/" MOST_TEXT, -ERANGE, 0, 0},
    {"", -EINVAL, 0, 0},
    {"1", -EINVAL, 0, 0},
    {"/", -EINVAL, 0, 0},
    {"1/", -EINVAL, 0, 0},
    {"/1", -EINVAL, 0, 0},
    {"1/2/3", -EINVAL, 0, 0},
    {"1//2", -EINVAL, 0, 0},
    {"-1/2", -EINVAL, 0, 0},
    {"1/-2", -EINVAL, 0, 0},
    {" 1/2", -EINVAL, 0, 0},
    {"1/2 ", -EINVAL, 0, 0},
    {"1K/2K", -EINVAL, 0, 0},
    {"1/2K", -EINVAL, 0, 0},
    {"1B/2", -EINVAL, 0, 0},
    {"1/2s", -EINVAL, 0, 0},
    {"1:2", -EINVAL, 0, 0},
    {"1.0/2", -EINVAL, 0, 0},
};

START_TEST(a_shard_is_one_of_its_count)
{
    struct zs_shard shard = {77, 78};
    int result = zs_slice_parse_shard(shards[_i].text, &shard);

    ck_assert_msg(result == shards[_i].code, "'%s': %d", shards[_i].text, result);
    ck_assert_uint_eq(shard.number, result < 0 ? 77 : shards[_i].number);
    ck_assert_uint_eq(shard.count, result < 0 ? 78 : shards[_i].count);
}
END_TEST

START_TEST(a_position_from_the_end_is_told_from_the_end_itself)
{
    static const struct {
        struct zs_slice slice;
        bool from_end;
    } rows[] = {
        {{.has_end = false}, false},
        {{OFFSET(AT(5))}, false},
        {{OFFSET(BACK(5))}, true},
        {{OFFSET(BACK(0))}, true},
        {{OFFSET(BACK(5)), LENGTH(3)}, true},
        {{END(AT(5))}, false},
        {{END(BACK(5))}, true},
        {{END(BACK(0))}, false},
        {{END(BACK(UINT64_MAX))}, true},
        {{OFFSET(BACK(5)), END(BACK(0))}, true},
        {{OFFSET(AT(5)), END(BACK(0))}, false},
        {{.end = BACK(5)}, false}, /* there is no end */
    };
    for (int i = 0; i < ROWS(rows); i++)
        ck_assert_msg(zs_slice_is_from_end(&rows[i].slice) == rows[i].from_end, "row %d", i);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slice");
    TCase *range = add_case(suite, "range");
    add_rows(range, a_range_is_understood, accepted);
    add_rows(range, what_is_no_range_is_refused_and_sets_nothing, refused);
    tcase_add_test(range, every_short_text_is_accepted_exactly_if_it_has_the_form);
    tcase_add_test(range, a_position_from_the_end_is_told_from_the_end_itself);

    TCase *scale = add_case(suite, "scale");
    tcase_add_test(scale, bare_numbers_count_records);
    tcase_add_test(scale, records_beyond_64_bits_are_refused);

    TCase *others = add_case(suite, "others");
    add_rows(others, a_field_lies_in_its_record, fields);
    add_rows(others, a_shard_is_one_of_its_count, shards);
    return run_pure_suite(suite);
}
