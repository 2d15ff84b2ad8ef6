/* Gathering, against moving the bytes one by one. */

#include "gather.h"

#include "check_helpers.h"

/* Behind the bytes in memory: none of these may be touched. */
enum { GUARD = 40, MOST_BYTES = 400 };

static unsigned char pattern[MOST_BYTES];
static long gathered;

static void make_pattern(void)
{
    fill_pattern(pattern, sizeof pattern);
}

/* The bytes of memory that belong to the range, of which the first one is number `index`. */
static size_t gather_one_by_one(const struct zs_range *range, uint64_t index, size_t length,
                                unsigned char *kept)
{
    uint64_t in_stride = index % range->piece_bytes;
    size_t count = 0;

    for (size_t i = 0; i < length; i++) {
        if (in_stride < range->piece_bytes)
            kept[count++] = pattern[i];
        in_stride = in_stride + 1 == range->stride_bytes ? 0 : in_stride + 1;
    }
    return count;
}

static void compare(uint64_t piece, uint64_t stride, uint64_t index, size_t length)
{
    const struct zs_range range = {
        .start = 5, .piece_bytes = piece, .stride_bytes = stride, .length_bytes = UINT64_MAX};
    unsigned char expected[MOST_BYTES];
    unsigned char memory[MOST_BYTES];

    size_t count = gather_one_by_one(&range, index, length, expected);
    memcpy(memory, pattern, sizeof memory);
    size_t result = zs_gather(&range, index, memory, length);
    gathered++;
    if (result == count && memcmp(memory, expected, count) == 0 &&
        memcmp(memory + length, pattern + length, GUARD) == 0)
        return;
    ck_abort_msg("pieces of %ju every %ju, from number %ju, %zu bytes: %zu, not %zu",
                 (uintmax_t)piece, (uintmax_t)stride, (uintmax_t)index, length, result, count);
}

START_TEST(every_small_range_is_gathered_as_byte_by_byte)
{
    uint64_t piece = (uint64_t)_i;

    gathered = 0;
    for (uint64_t stride = piece; stride <= piece + 9; stride++) {
        for (uint64_t index = 0; index < 2 * piece + 1; index++) {
            for (size_t length = 0; length <= 60; length++)
                compare(piece, stride, index, length);
        }
    }
    ck_assert_int_gt(gathered, 1000);
}
END_TEST

/* The sizes of numbers, and their neighbours, which are moved another way. */
static const uint64_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33};

/* A gap of one byte, where what is moved overlaps what it is moved from, up to gaps beyond all. */
START_TEST(pieces_of_the_sizes_of_numbers_are_gathered_whatever_the_gap)
{
    static const uint64_t gaps[] = {1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 100, 1000};
    uint64_t piece = sizes[_i];

    for (int g = 0; g < ROWS(gaps); g++) {
        for (uint64_t index = 0; index <= piece; index++) {
            for (size_t length = 0; length <= MOST_BYTES - GUARD; length++)
                compare(piece, piece + gaps[g], index, length);
        }
    }
}
END_TEST

START_TEST(what_lies_together_stays_as_it_is)
{
    for (uint64_t piece = 1; piece <= 20; piece++) {
        for (size_t length = 0; length <= 50; length++)
            compare(piece, piece, piece / 2, length);
    }
    compare(UINT64_MAX, UINT64_MAX, UINT64_MAX - 1, 100);
}
END_TEST

/* Numbers that do not fit what is in memory: nothing may overflow. */
START_TEST(the_largest_pieces_and_gaps_are_gathered)
{
    static const uint64_t huge[] = {1ULL << 32, (1ULL << 32) + 1, 1ULL << 63, UINT64_MAX - 1,
                                    UINT64_MAX};

    for (int i = 0; i < ROWS(huge); i++) {
        for (size_t length = 0; length <= 64; length++) {
            compare(1, huge[i], 0, length);
            compare(16, huge[i], 5, length);
            compare(huge[i] - 1, huge[i], 0, length);
            compare(huge[i] - 1, huge[i], huge[i] - 2, length);
            compare(huge[i] - 1, huge[i], huge[i] - 20, length);
            compare(huge[i] / 2, huge[i], huge[i] / 2 - 7, length);
            compare(3, 5, huge[i] - 1, length);
            compare(4, 8, huge[i], length);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gather");
    TCase *oracle = add_case(suite, "oracle");
    make_pattern();
    tcase_add_loop_test(oracle, every_small_range_is_gathered_as_byte_by_byte, 1, 13);
    add_rows(oracle, pieces_of_the_sizes_of_numbers_are_gathered_whatever_the_gap, sizes);
    tcase_add_test(oracle, what_lies_together_stays_as_it_is);
    tcase_add_test(oracle, the_largest_pieces_and_gaps_are_gathered);
    return run_pure_suite(suite);
}
