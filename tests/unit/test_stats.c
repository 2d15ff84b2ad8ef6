/* Counters, and what the kernel says of the process's memory. */

#include "stats.h"

#include "check_helpers.h"

enum { MEBIBYTE = 1024 * 1024 };

START_TEST(every_engine_has_a_name_of_its_own)
{
    for (int i = 0; i < ZS_ENGINE_COUNT; i++) {
        ck_assert_ptr_nonnull(zs_engine_names[i]);
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(zs_engine_names[i], zs_engine_names[j]);
    }
    ck_assert_str_eq(zs_engine_names[ZS_ENGINE_SPLICE], "splice");
    ck_assert_str_eq(zs_engine_names[ZS_ENGINE_SENDFILE], "sendfile");
    ck_assert_str_eq(zs_engine_names[ZS_ENGINE_MAP_WRITE], "map-write");
    ck_assert_str_eq(zs_engine_names[ZS_ENGINE_BUFFER], "buffer");
}
END_TEST

static unsigned char *touched_memory(size_t length)
{
    unsigned char *memory = mmap(NULL, length, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    ck_assert_ptr_ne(memory, MAP_FAILED);
    memset(memory, 1, length);
    return memory;
}

START_TEST(memory_that_is_used_is_counted)
{
    struct zs_memory before = zs_stats_memory();
    unsigned char *memory = touched_memory(16 * MEBIBYTE);
    struct zs_memory during = zs_stats_memory();
    ck_assert_int_eq(munmap(memory, 16 * MEBIBYTE), 0);
    struct zs_memory after = zs_stats_memory();

    ck_assert_uint_gt(before.anonymous_bytes, 0);
    ck_assert_uint_ge(during.anonymous_bytes, before.anonymous_bytes + 15 * MEBIBYTE);
    ck_assert_uint_lt(after.anonymous_bytes, before.anonymous_bytes + 8 * MEBIBYTE);
    ck_assert_uint_ge(during.peak_rss_bytes, 16 * MEBIBYTE);
    /* Not exactly the same: the kernel sums its counters only now and then (Linux 6.18). */
    ck_assert_uint_ge(after.peak_rss_bytes + 2 * MEBIBYTE, during.peak_rss_bytes);
    ck_assert_uint_gt(during.minor_faults, 0);
}
END_TEST

START_TEST(a_sample_raises_the_peak_and_never_lowers_it)
{
    struct zs_stats stats = {.sample_memory = true};

    zs_stats_sample(&stats);
    uint64_t first = stats.peak_anonymous_bytes;
    ck_assert_uint_gt(first, 0);

    unsigned char *memory = touched_memory(16 * MEBIBYTE);
    zs_stats_sample(&stats);
    uint64_t second = stats.peak_anonymous_bytes;
    ck_assert_uint_ge(second, first + 15 * MEBIBYTE);

    ck_assert_int_eq(munmap(memory, 16 * MEBIBYTE), 0);
    zs_stats_sample(&stats);
    ck_assert_uint_eq(stats.peak_anonymous_bytes, second);
}
END_TEST

START_TEST(nothing_is_sampled_unless_asked)
{
    struct zs_stats stats = {0};

    zs_stats_sample(&stats);
    ck_assert_uint_eq(stats.peak_anonymous_bytes, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stats");
    TCase *tcase = add_case(suite, "stats");
    tcase_add_test(tcase, every_engine_has_a_name_of_its_own);
    tcase_add_test(tcase, memory_that_is_used_is_counted);
    tcase_add_test(tcase, a_sample_raises_the_peak_and_never_lowers_it);
    tcase_add_test(tcase, nothing_is_sampled_unless_asked);
    return run_suite(suite);
}
