#include "check_helpers.h"

#include "progress.h"

#include <string.h>

#define SECOND ((uint64_t)1000000000)
#define MB     ((uint64_t)1000000)

static struct zs_progress progress;

static const char *text(size_t columns)
{
    static char line[256];
    zs_progress_text(&progress, columns, line, sizeof line);
    return line;
}

/* At a steady rate, ten updates a second. */
static void run(uint64_t from_second, uint64_t to_second, uint64_t *done, uint64_t bytes_per_second,
                uint64_t total)
{
    for (uint64_t tenth = from_second * 10 + 1; tenth <= to_second * 10; tenth++) {
        *done += bytes_per_second / 10;
        zs_progress_update(&progress, tenth * SECOND / 10, *done, total);
    }
}

START_TEST(nothing_has_happened_yet)
{
    zs_progress_begin(&progress, 5 * SECOND);
    zs_progress_update(&progress, 5 * SECOND, 0, 1000);
    ck_assert_double_eq(zs_progress_rate_now(&progress), 0);
    ck_assert_double_eq(zs_progress_rate_mean(&progress), 0);
    ck_assert_double_lt(zs_progress_seconds_left(&progress), 0);
    ck_assert_str_eq(text(0), "0 B 0% 0 B/s - left, mean 0 B/s, of 1.0 kB");
}
END_TEST

START_TEST(a_steady_copy_has_one_rate)
{
    uint64_t done = 0;

    zs_progress_begin(&progress, 0);
    run(0, 10, &done, 100 * MB, 2000 * MB);
    ck_assert_double_eq_tol(zs_progress_rate_now(&progress), 100e6, 1);
    ck_assert_double_eq_tol(zs_progress_rate_mean(&progress), 100e6, 1);
    ck_assert_double_eq_tol(zs_progress_seconds_left(&progress), 10, 0.001);
    ck_assert_str_eq(text(0), "1.0 GB 50% 100.0 MB/s 0:10 left, mean 100.0 MB/s, of 2.0 GB");
}
END_TEST

START_TEST(the_rate_now_forgets_what_was_three_seconds_ago)
{
    uint64_t done = 0;

    zs_progress_begin(&progress, 0);
    run(0, 10, &done, 100 * MB, 0);
    run(10, 14, &done, 10 * MB, 0);
    ck_assert_double_eq_tol(zs_progress_rate_now(&progress), 10e6, 1e5);
    ck_assert_double_eq_tol(zs_progress_rate_mean(&progress), 1040e6 / 14, 1);
    /* A stall is one, however long. */
    run(14, 100, &done, 0, 0);
    ck_assert_double_eq(zs_progress_rate_now(&progress), 0);
}
END_TEST

START_TEST(one_update_after_a_long_wait_counts_from_the_last_one)
{
    zs_progress_begin(&progress, 0);
    zs_progress_update(&progress, 20 * SECOND, 200 * MB, 400 * MB);
    ck_assert_double_gt(zs_progress_rate_now(&progress), -1);
    zs_progress_update(&progress, 40 * SECOND, 400 * MB, 400 * MB);
    ck_assert_double_eq_tol(zs_progress_rate_mean(&progress), 10e6, 1);
    ck_assert_str_eq(strstr(text(0), "100%") ? "100%" : text(0), "100%");
}
END_TEST

START_TEST(an_end_that_is_not_known_has_no_percentage)
{
    uint64_t done = 0;

    zs_progress_begin(&progress, 0);
    run(0, 75, &done, 10 * MB, 0);
    ck_assert_double_lt(zs_progress_seconds_left(&progress), 0);
    ck_assert_str_eq(text(80), "750.0 MB 10.0 MB/s 1:15 gone by, mean 10.0 MB/s");
}
END_TEST

START_TEST(more_bytes_than_were_expected_are_no_more_than_all)
{
    zs_progress_begin(&progress, 0);
    zs_progress_update(&progress, SECOND, 300, 200);
    ck_assert_ptr_nonnull(strstr(text(0), " 100% "));
    ck_assert_ptr_nonnull(strstr(text(0), " in all"));
}
END_TEST

START_TEST(one_byte_short_of_all_is_99_percent)
{
    zs_progress_begin(&progress, 0);
    zs_progress_update(&progress, SECOND, 9999999, 10000000);
    ck_assert_ptr_nonnull(strstr(text(0), " 99% "));
}
END_TEST

START_TEST(a_line_is_never_wider_than_the_terminal)
{
    uint64_t done = 0;
    size_t longest = 0;

    zs_progress_begin(&progress, 0);
    run(0, 10, &done, 123456789, 98765432100);
    for (size_t columns = 1; columns < 300; columns++) {
        size_t length = strlen(text(columns));
        ck_assert_uint_le(length, columns);
        longest = length > longest ? length : longest;
        /* Bytes come first, then the percentage. */
        if (columns >= 7)
            ck_assert_int_eq(strncmp(text(columns), "1.2 GB", 6), 0);
        if (columns >= 60) {
            ck_assert_ptr_nonnull(strstr(text(columns), " 1% "));
            ck_assert_ptr_nonnull(strstr(text(columns), "left"));
        }
        if (columns >= 90)
            ck_assert_ptr_nonnull(strstr(text(columns), "[>"));
    }
    ck_assert_uint_gt(longest, 90);
    ck_assert_uint_lt(longest, 140);
}
END_TEST

START_TEST(the_bar_grows_with_the_copy)
{
    static const struct {
        uint64_t done;
        const char *bar;
    } bars[] = {
        {0, "[>         "}, {50, "[=====>    "}, {99, "[=========>]"}, {100, "[==========]"}};
    char short_bar[64];

    for (size_t i = 0; i < sizeof bars / sizeof *bars; i++) {
        zs_progress_begin(&progress, 0);
        zs_progress_update(&progress, SECOND, bars[i].done, 100);
        /* The width at which the bar is 10 characters wide: the first at which there is one. */
        size_t columns = 1;
        while (!strchr(text(columns), '['))
            columns++;
        (void)snprintf(short_bar, sizeof short_bar, "%.*s", (int)strlen(bars[i].bar),
                       strchr(text(columns), '['));
        ck_assert_str_eq(short_bar, bars[i].bar);
    }
}
END_TEST

START_TEST(a_small_buffer_is_enough)
{
    char line[8];

    zs_progress_begin(&progress, 0);
    zs_progress_update(&progress, SECOND, 12345678, 0);
    zs_progress_text(&progress, 0, line, sizeof line);
    ck_assert_str_eq(line, "12.3 MB");
}
END_TEST

static const struct {
    double value;
    const char *text;
} scaled[] = {
    {0, "0 B"},          {999, "999 B"},
    {999.4, "999 B"},    {1000, "1.0 kB"},
    {1234567, "1.2 MB"}, {999499999, "999.5 MB"},
    {1e12, "1.0 TB"},    {1.8446744073709552e19, "18.4 EB"},
};

START_TEST(numbers_are_scaled)
{
    char line[32];
    zs_progress_scale(scaled[_i].value, line, sizeof line);
    ck_assert_str_eq(line, scaled[_i].text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("progress");
    TCase *figures = add_case(suite, "figures");
    TCase *lines = add_case(suite, "lines");

    tcase_add_test(figures, nothing_has_happened_yet);
    tcase_add_test(figures, a_steady_copy_has_one_rate);
    tcase_add_test(figures, the_rate_now_forgets_what_was_three_seconds_ago);
    tcase_add_test(figures, one_update_after_a_long_wait_counts_from_the_last_one);
    tcase_add_test(figures, an_end_that_is_not_known_has_no_percentage);
    tcase_add_test(figures, more_bytes_than_were_expected_are_no_more_than_all);
    tcase_add_test(figures, one_byte_short_of_all_is_99_percent);
    tcase_add_test(lines, a_line_is_never_wider_than_the_terminal);
    tcase_add_test(lines, the_bar_grows_with_the_copy);
    tcase_add_test(lines, a_small_buffer_is_enough);
    tcase_add_loop_test(lines, numbers_are_scaled, 0, sizeof scaled / sizeof *scaled);
    return run_pure_suite(suite);
}
