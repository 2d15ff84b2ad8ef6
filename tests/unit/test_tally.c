/* dd's statistics to the letter: numbers rounded as GNU dd rounds them, and what each status=
 * wants. */

#include "tally.h"

#include "check_helpers.h"
#include "diag.h"
#include "signals.h"
#include "sys.h"

#include <errno.h>
#include <fnmatch.h>
#include <signal.h>

/* What GNU dd 9.1 prints, up to 2 GB; beyond that, what its rule makes of it. */
static const struct {
    uint64_t bytes;
    const char *decimal, *binary;
} scaled[] = {
    {0, "0 B", "0 B"},
    {1, "1 B", "1 B"},
    {999, "999 B", "999 B"},
    {1000, "1.0 kB", "1000 B"},
    {1023, "1.0 kB", "1023 B"},
    {1024, "1.0 kB", "1.0 KiB"},
    {1025, "1.0 kB", "1.0 KiB"},
    {1999, "2.0 kB", "2.0 KiB"},
    {2047, "2.0 kB", "2.0 KiB"},
    {2048, "2.0 kB", "2.0 KiB"},
    /* tenths: ties to even */
    {1049, "1.0 kB", "1.0 KiB"},
    {1050, "1.0 kB", "1.0 KiB"},
    {1051, "1.1 kB", "1.0 KiB"},
    {1075, "1.1 kB", "1.0 KiB"},
    {1076, "1.1 kB", "1.1 KiB"},
    {1150, "1.2 kB", "1.1 KiB"},
    {1250, "1.2 kB", "1.2 KiB"},
    {1350, "1.4 kB", "1.3 KiB"},
    /* from 10 on there are none */
    {9949, "9.9 kB", "9.7 KiB"},
    {9950, "10 kB", "9.7 KiB"},
    {9951, "10 kB", "9.7 KiB"},
    {9999, "10 kB", "9.8 KiB"},
    {10000, "10 kB", "9.8 KiB"},
    {10188, "10 kB", "9.9 KiB"},
    {10189, "10 kB", "10 KiB"},
    {10239, "10 kB", "10 KiB"},
    {10240, "10 kB", "10 KiB"},
    /* whole ones: ties to even */
    {10499, "10 kB", "10 KiB"},
    {10500, "10 kB", "10 KiB"},
    {10501, "11 kB", "10 KiB"},
    {11500, "12 kB", "11 KiB"},
    {12500, "12 kB", "12 KiB"},
    {99499, "99 kB", "97 KiB"},
    {99500, "100 kB", "97 KiB"},
    {100500, "100 kB", "98 KiB"},
    /* up into the next unit */
    {999499, "999 kB", "976 KiB"},
    {999500, "1.0 MB", "976 KiB"},
    {999501, "1.0 MB", "976 KiB"},
    {999999, "1.0 MB", "977 KiB"},
    {1000000, "1.0 MB", "977 KiB"},
    {1047551, "1.0 MB", "1023 KiB"},
    {1047552, "1.0 MB", "1023 KiB"},
    {1047553, "1.0 MB", "1023 KiB"},
    {1048063, "1.0 MB", "1023 KiB"},
    {1048064, "1.0 MB", "1.0 MiB"},
    {1048065, "1.0 MB", "1.0 MiB"},
    {1048575, "1.0 MB", "1.0 MiB"},
    {1048576, "1.0 MB", "1.0 MiB"},
    {1500000, "1.5 MB", "1.4 MiB"},
    {10485759, "10 MB", "10 MiB"},
    {999499999, "999 MB", "953 MiB"},
    {999500000, "1.0 GB", "953 MiB"},
    {1073741823, "1.1 GB", "1.0 GiB"},
    {1073741824, "1.1 GB", "1.0 GiB"},
    {1000000000000, "1.0 TB", "931 GiB"},
    {1099511627776, "1.1 TB", "1.0 TiB"},
    {1000000000000000, "1.0 PB", "909 TiB"},
    {1125899906842624, "1.1 PB", "1.0 PiB"},
    {999999999999999999, "1.0 EB", "888 PiB"},
    {1000000000000000000, "1.0 EB", "888 PiB"},
    {1152921504606846975, "1.2 EB", "1.0 EiB"},
    {1152921504606846976, "1.2 EB", "1.0 EiB"},
    {9949999999999999999U, "9.9 EB", "8.6 EiB"},
    {9950000000000000000U, "10 EB", "8.6 EiB"},
    {INT64_MAX, "9.2 EB", "8.0 EiB"},
    {(uint64_t)INT64_MAX + 1, "9.2 EB", "8.0 EiB"},
    {UINT64_MAX, "18 EB", "16 EiB"},
};

START_TEST(a_number_is_scaled_as_gnu_dd_does)
{
    char text[32];

    zs_tally_scale(scaled[_i].bytes, 1000, text, sizeof text);
    ck_assert_str_eq(text, scaled[_i].decimal);
    zs_tally_scale(scaled[_i].bytes, 1024, text, sizeof text);
    ck_assert_str_eq(text, scaled[_i].binary);
}
END_TEST

START_TEST(a_small_buffer_is_enough)
{
    char text[4];

    zs_tally_scale(123456, 1000, text, sizeof text);
    ck_assert_str_eq(text, "123");
    zs_tally_scale(999, 1000, text, sizeof text);
    ck_assert_str_eq(text, "999");
    zs_tally_scale(999500, 1000, text, sizeof text);
    ck_assert_str_eq(text, "1.0");
    zs_tally_scale(1500, 1024, text, sizeof text);
    ck_assert_str_eq(text, "1.5");
}
END_TEST

/* What is left of a division: nothing, less than half of the divisor, half, or more. */
enum rest { NOTHING, LESS, HALF, MORE };

static enum rest rest_of(uint64_t rest, uint64_t divisor, bool more_behind)
{
    if (rest > divisor - rest || (rest == divisor - rest && more_behind))
        return MORE;
    if (rest == divisor - rest)
        return HALF;
    return rest > 0 || more_behind ? LESS : NOTHING;
}

static bool goes_up(enum rest rest, uint64_t digit)
{
    return rest == MORE || (rest == HALF && digit % 2 == 1);
}

/* The same by long division, unit after unit, a decimal at a time: a number is printed only once.
 */
static void scale_by_hand(uint64_t bytes, unsigned base, char *text, size_t size_bytes)
{
    const char *letters = base == 1000 ? "kMGTPE" : "KMGTPE";
    const char *ending = base == 1000 ? "B" : "iB";
    uint64_t unit = 1, whole = bytes;
    int power = 0;

    for (; whole >= base; power++) {
        unit *= base;
        whole = bytes / unit;
    }
    if (power == 0) {
        (void)snprintf(text, size_bytes, "%ju B", (uintmax_t)bytes);
        return;
    }
    uint64_t behind = bytes % unit; /* ten times that fits 64 bits, as a unit has 60 at most */
    uint64_t tenth = behind * 10 / unit;
    enum rest rest = rest_of(behind * 10 % unit, unit, false);
    if (whole < 10 && !(whole == 9 && tenth == 9 && goes_up(rest, 9))) {
        tenth += goes_up(rest, tenth);
        whole += tenth / 10;
        (void)snprintf(text, size_bytes, "%ju.%ju %c%s", (uintmax_t)whole, (uintmax_t)(tenth % 10),
                       letters[power - 1], ending);
        return;
    }
    whole += goes_up(rest_of(behind, unit, false), whole);
    if (whole == base && letters[power])
        (void)snprintf(text, size_bytes, "1.0 %c%s", letters[power], ending);
    else
        (void)snprintf(text, size_bytes, "%ju %c%s", (uintmax_t)whole, letters[power - 1], ending);
}

static void expect_scaled(uint64_t bytes, unsigned base)
{
    char text[32], expected[32];

    zs_tally_scale(bytes, base, text, sizeof text);
    scale_by_hand(bytes, base, expected, sizeof expected);
    ck_assert_msg(strcmp(text, expected) == 0, "%ju of %u is '%s' and not '%s'", (uintmax_t)bytes,
                  base, text, expected);
}

/* Around every twentieth below 12 units, and every half of one: wherever a digit may change. */
START_TEST(a_number_is_scaled_as_by_hand)
{
    unsigned base = _i < 6 ? 1000 : 1024;
    uint64_t unit = base;

    for (int power = _i % 6; power > 0; power--)
        unit *= base;
    for (uint64_t n = 1; n <= 240; n++) {
        uint64_t bytes = unit / 20 * n + unit % 20 * n / 20;
        for (uint64_t step = 0; step < 5; step++)
            expect_scaled(bytes - 2 + step, base);
    }
    for (uint64_t n = 1; n <= 2 * (uint64_t)base + 4 && unit / 2 <= UINT64_MAX / (n + 1); n++) {
        for (uint64_t step = 0; step < 5; step++)
            expect_scaled(unit / 2 * n - 2 + step, base);
    }
}
END_TEST

/* The final statistics */

#define ENGINES(spliced, buffered)                                                                 \
    .engines[ZS_ENGINE_SPLICE].bytes = (spliced), .engines[ZS_ENGINE_BUFFER].bytes = (buffered)

#define MILLISECOND ((uint64_t)1000000)

/* Times that GNU dd divides by as we do: those that are no whole seconds. */
static const struct {
    struct zs_dd dd; /* the sizes of blocks are 512 where it says nothing */
    struct zs_stats stats;
    uint64_t nanoseconds;
    bool counted; /* it was copied in blocks */
    const char *text;
} printed[] = {
    /* In each row, what was copied, and below it what is printed. */
    /* clang-format off */
    {{.status = ZS_DD_STATUS_ALL}, {ENGINES(0, 0)}, 1500 * MILLISECOND, false,
     "0+0 records in\n0+0 records out\n0 bytes copied, 1.5 s, 0.0 kB/s\n"},
    {{.status = ZS_DD_STATUS_ALL}, {ENGINES(1, 0)}, 2500 * MILLISECOND, false,
     "0+1 records in\n0+1 records out\n1 byte copied, 2.5 s, 0.0 kB/s\n"},
    {{.status = ZS_DD_STATUS_ALL}, {ENGINES(0, 512)}, 2500 * MILLISECOND, false,
     "1+0 records in\n1+0 records out\n512 bytes copied, 2.5 s, 0.2 kB/s\n"},
    {{.status = ZS_DD_STATUS_ALL}, {ENGINES(0, 999)}, 2500 * MILLISECOND, false,
     "1+1 records in\n1+1 records out\n999 bytes copied, 2.5 s, 0.4 kB/s\n"},
    {{.status = ZS_DD_STATUS_ALL}, {ENGINES(999, 1)}, 2500 * MILLISECOND, false,
     "1+1 records in\n1+1 records out\n1000 bytes (1.0 kB) copied, 2.5 s, 0.4 kB/s\n"},
    {{.status = ZS_DD_STATUS_ALL}, {ENGINES(1000, 23)}, 2500 * MILLISECOND, false,
     "1+1 records in\n1+1 records out\n1023 bytes (1.0 kB) copied, 2.5 s, 0.4 kB/s\n"},
    {{.status = ZS_DD_STATUS_ALL}, {ENGINES(1000, 24)}, 2500 * MILLISECOND, false,
     "2+0 records in\n2+0 records out\n1024 bytes (1.0 kB, 1.0 KiB) copied, 2.5 s, 0.4 kB/s\n"},
    /* of either end's own blocks; holes are bytes, too */
    {{.read_bytes = 1000, .write_bytes = 7}, {ENGINES(2000, 300), .skipped_bytes = 45},
     500 * MILLISECOND, false,
     "2+1 records in\n335+0 records out\n2345 bytes (2.3 kB, 2.3 KiB) copied, 0.5 s, 4.7 kB/s\n"},
    {{.read_bytes = INT64_MAX - 1, .write_bytes = INT64_MAX - 1}, {ENGINES(UINT64_MAX - 1, 1)},
     2500 * MILLISECOND, false,
     "2+1 records in\n2+1 records out\n"
     "18446744073709551615 bytes (18 EB, 16 EiB) copied, 2.5 s, 7.4 EB/s\n"},
    /* what was counted is not computed, and the other way round */
    {{.read_bytes = 10, .write_bytes = 10},
     {ENGINES(0, 1600), .read_blocks = {3, 4}, .written_blocks = {5, 6}}, 100 * MILLISECOND, true,
     "3+4 records in\n5+6 records out\n1600 bytes (1.6 kB, 1.6 KiB) copied, 0.1 s, 16.0 kB/s\n"},
    {{.read_bytes = 10, .write_bytes = 10}, {.read_blocks = {UINT64_MAX, UINT64_MAX}},
     100 * MILLISECOND, true,
     "18446744073709551615+18446744073709551615 records in\n0+0 records out\n"
     "0 bytes copied, 0.1 s, 0.0 kB/s\n"},
    {{.status = ZS_DD_STATUS_ALL},
     {ENGINES(0, 1000), .read_blocks = {7, 7}, .written_blocks = {7, 7}}, 100 * MILLISECOND, false,
     "1+1 records in\n1+1 records out\n1000 bytes (1.0 kB) copied, 0.1 s, 10.0 kB/s\n"},
    /* how much of it status= wants */
    {{.status = ZS_DD_STATUS_PROGRESS}, {ENGINES(0, 1000)}, 100 * MILLISECOND, false,
     "1+1 records in\n1+1 records out\n1000 bytes (1.0 kB) copied, 0.1 s, 10.0 kB/s\n"},
    {{.status = ZS_DD_STATUS_NO_TRANSFER}, {ENGINES(0, 1000)}, 100 * MILLISECOND, false,
     "1+1 records in\n1+1 records out\n"},
    {{.status = ZS_DD_STATUS_NO_TRANSFER},
     {ENGINES(0, 1000), .read_blocks = {2, 0}, .written_blocks = {0, 2}}, 100 * MILLISECOND, true,
     "2+0 records in\n0+2 records out\n"},
    {{.status = ZS_DD_STATUS_NONE}, {ENGINES(0, 1000)}, 100 * MILLISECOND, false, ""},
    {{.status = ZS_DD_STATUS_NONE}, {ENGINES(0, 1000)}, 100 * MILLISECOND, true, ""},
    /* clang-format on */
};

static void complete(struct zs_dd *dd)
{
    dd->read_bytes = dd->read_bytes ? dd->read_bytes : 512;
    dd->write_bytes = dd->write_bytes ? dd->write_bytes : 512;
}

START_TEST(the_final_statistics_are_those_of_dd)
{
    struct zs_dd dd = printed[_i].dd;
    struct zs_options options = {.blocks = printed[_i].counted ? &dd.blocks : NULL};
    struct zs_tally tally = {.dd = &dd, .options = &options, .stats = &printed[_i].stats};
    struct text text;

    complete(&dd);
    text_begin(&text);
    zs_tally_print(&tally, printed[_i].nanoseconds, text.stream);
    text_end(&text);
    ck_assert_str_eq(text.chars, printed[_i].text);
    free(text.chars);
}
END_TEST

static const struct {
    uint64_t bytes, nanoseconds;
    const char *end; /* of the last line */
} rates[] = {
    {0, 0, " copied, 0 s, Infinity B/s\n"},
    {5, 0, " copied, 0 s, Infinity B/s\n"},
    {999, 2500 * MILLISECOND, " copied, 2.5 s, 0.4 kB/s\n"},
    {2500, 2500 * MILLISECOND, " copied, 2.5 s, 1.0 kB/s\n"},
    {24750, 2500 * MILLISECOND, " copied, 2.5 s, 9.9 kB/s\n"},
    {24999, 2500 * MILLISECOND, " copied, 2.5 s, 10.0 kB/s\n"},
    {249874, 2500 * MILLISECOND, " copied, 2.5 s, 99.9 kB/s\n"},
    {249880, 2500 * MILLISECOND, " copied, 2.5 s, 100 kB/s\n"},
    {2498500, 2500 * MILLISECOND, " copied, 2.5 s, 999 kB/s\n"},
    {2499900, 2500 * MILLISECOND, " copied, 2.5 s, 1000 kB/s\n"},
    {2500000, 2500 * MILLISECOND, " copied, 2.5 s, 1.0 MB/s\n"},
    {2500000000, 2500 * MILLISECOND, " copied, 2.5 s, 1.0 GB/s\n"},
    {2500000000000, 2500 * MILLISECOND, " copied, 2.5 s, 1.0 TB/s\n"},
    {2500000000000000, 2500 * MILLISECOND, " copied, 2.5 s, 1.0 PB/s\n"},
    {UINT64_MAX, 15 * MILLISECOND, " copied, 0.015 s, 1.2 ZB/s\n"},
    {UINT64_MAX, 15, " copied, 1.5e-08 s, 1230 YB/s\n"},
    /* six digits of a second, as %g has them */
    {1000, 21851, " copied, 2.1851e-05 s, 45.8 MB/s\n"},
    {1000, 123456789, " copied, 0.123457 s, 8.1 kB/s\n"},
    {1000, 61234567890, " copied, 61.2346 s, 0.0 kB/s\n"},
    {1000, 1234567890123456, " copied, 1.23457e+06 s, 0.0 kB/s\n"},
};

START_TEST(a_rate_has_three_digits_and_is_never_in_bytes)
{
    struct zs_dd dd = {.read_bytes = 512, .write_bytes = 512};
    struct zs_options options = {.blocks = NULL};
    struct zs_stats stats = {.engines[ZS_ENGINE_SENDFILE].bytes = rates[_i].bytes};
    struct zs_tally tally = {.dd = &dd, .options = &options, .stats = &stats};
    struct text text;

    text_begin(&text);
    zs_tally_print(&tally, rates[_i].nanoseconds, text.stream);
    text_end(&text);
    ck_assert_ptr_nonnull(strstr(text.chars, " copied"));
    ck_assert_str_eq(strstr(text.chars, " copied"), rates[_i].end);
    free(text.chars);
}
END_TEST

/* What is odd but no failure */

#define ZERO "zdd: warning: '0x' multiplies by zero; write '00x' if that is intended\n"
#define EMPTIED                                                                                    \
    "zdd: warning: oflag=append emptied the file first; it needs conv=notrunc to keep what is "    \
    "there\n"
#define PAST_END "zdd: in\\nput: cannot skip to specified offset\n"

static const struct {
    struct zs_dd dd;
    struct zs_stats stats;
    const char *text;
} warned[] = {
    {{.zero_multiplier = false}, {.past_end = false}, ""},
    {{.zero_multiplier = true}, {.past_end = false}, ZERO},
    {{.cuts_appended = true}, {.past_end = false}, EMPTIED},
    {{.past_end = true}, {.past_end = false}, PAST_END},
    {{.past_end = false}, {.past_end = true}, PAST_END},
    {{.past_end = true}, {.past_end = true}, PAST_END},
    {{.past_end = false},
     {.partial_read_bytes = 1},
     "zdd: warning: partial read (1 byte); suggest iflag=fullblock\n"},
    {{.past_end = false},
     {.partial_read_bytes = 65536},
     "zdd: warning: partial read (65536 bytes); suggest iflag=fullblock\n"},
    {{.zero_multiplier = true, .cuts_appended = true, .past_end = true},
     {.partial_read_bytes = 2},
     ZERO EMPTIED PAST_END "zdd: warning: partial read (2 bytes); suggest iflag=fullblock\n"},
    {{.status = ZS_DD_STATUS_NO_TRANSFER, .cuts_appended = true},
     {.past_end = true},
     EMPTIED PAST_END},
    {{.status = ZS_DD_STATUS_PROGRESS, .past_end = true}, {.past_end = true}, PAST_END},
    /* status=none silences what comes of the files, and not what is wrong with the operands */
    {{.status = ZS_DD_STATUS_NONE, .cuts_appended = true, .past_end = true},
     {.partial_read_bytes = 2, .past_end = true},
     ""},
    {{.status = ZS_DD_STATUS_NONE, .zero_multiplier = true, .cuts_appended = true},
     {.past_end = true},
     ZERO},
};

START_TEST(what_is_odd_is_told)
{
    struct zs_dd dd = warned[_i].dd;
    struct zs_options options = {.source_name = "in\nput"};
    struct zs_tally tally = {.dd = &dd, .options = &options, .stats = &warned[_i].stats};
    struct text text;

    text_begin(&text);
    zs_tally_warn(&tally, text.stream);
    text_end(&text);
    ck_assert_str_eq(text.chars, warned[_i].text);
    free(text.chars);
}
END_TEST

/* While it is under way: on standard error, which is a file here. */

static struct zs_dd dd;
static struct zs_options options;
static struct zs_stats stats;
static struct zs_tally tally;
static int error_fd = -1;

static void begin_test(void)
{
    error_fd = scratch_file("", 0);
    ck_assert_int_ge(dup2(error_fd, STDERR_FILENO), 0);
    zs_diag_name_program("zdd");
    dd = (struct zs_dd){.read_bytes = 512, .write_bytes = 512};
    options = (struct zs_options){.source_name = "in"};
    stats = (struct zs_stats){ENGINES(1000000, 1024)};
    tally = (struct zs_tally){.dd = &dd, .options = &options, .stats = &stats};
    tally.start_ns = zs_sys_now_ns() - 3000 * MILLISECOND; /* rates of as many digits */
}

static int count_of(const char *text, char wanted)
{
    int count = 0;
    for (; *text; text++)
        count += *text == wanted;
    return count;
}

/* All of it matches the pattern, in which a * is part of one line. */
static void expect_said(const char *pattern)
{
    char said[4096];

    (void)fflush(stderr);
    ssize_t length = pread(error_fd, said, sizeof said - 1, 0);
    ck_assert_int_ge(length, 0);
    said[length] = '\0';
    ck_assert_msg(fnmatch(pattern, said, 0) == 0 &&
                      count_of(said, '\n') == count_of(pattern, '\n') &&
                      count_of(said, '\r') == count_of(pattern, '\r'),
                  "'%s' is not '%s'", said, pattern);
}

#define BYTES    "1001024 bytes (1.0 MB, 978 KiB) copied, "
#define RECORDS  "1955+1 records in\n1955+1 records out\n"
#define PROGRESS "\r" BYTES "[3-9] s, [1-3][0-9][0-9] kB/s"

START_TEST(sigusr1_is_answered_with_the_statistics)
{
    zs_signals_catch();
    zs_tally_begin(&tally);
    ck_assert(!zs_signals_attend());
    expect_said("");
    ck_assert_int_eq(raise(SIGUSR1), 0);
    ck_assert(!zs_signals_attend());
    expect_said(RECORDS BYTES "* s, *B/s\n");
    zs_tally_end(&tally);
    expect_said(RECORDS BYTES "* s, *B/s\n");
}
END_TEST

START_TEST(sigusr1_gets_what_status_wants)
{
    dd.status = _i == 0 ? ZS_DD_STATUS_NONE : ZS_DD_STATUS_NO_TRANSFER;
    zs_signals_catch();
    zs_tally_begin(&tally);
    ck_assert_int_eq(raise(SIGUSR1), 0);
    ck_assert(!zs_signals_attend());
    zs_tally_end(&tally);
    expect_said(_i == 0 ? "" : RECORDS);
}
END_TEST

/* As if a second had gone by: what the timer of signals.c sends. */
static void tick(void)
{
    ck_assert_int_eq(raise(SIGRTMIN), 0);
    ck_assert(!zs_signals_attend());
}

START_TEST(progress_is_one_line_that_is_left_behind)
{
    dd.status = ZS_DD_STATUS_PROGRESS;
    zs_signals_catch();
    zs_tally_begin(&tally);
    tick();
    expect_said(PROGRESS);
    ck_assert_uint_gt(tally.line_length, strlen(BYTES));
    tick();
    expect_said(PROGRESS PROGRESS);
    zs_tally_end(&tally);
    expect_said(PROGRESS PROGRESS "\n");
    ck_assert_uint_eq(tally.line_length, 0);
    zs_tally_end(&tally);
    expect_said(PROGRESS PROGRESS "\n");
    tick(); /* nobody wants it any more */
    expect_said(PROGRESS PROGRESS "\n");
}
END_TEST

START_TEST(progress_has_whole_seconds)
{
    dd.status = ZS_DD_STATUS_PROGRESS;
    tally.start_ns -= 4000 * MILLISECOND;
    zs_signals_catch();
    zs_tally_begin(&tally);
    tick();
    zs_tally_end(&tally);
    expect_said("\r" BYTES "[0-9] s, 1[0-9][0-9] kB/s\n");
}
END_TEST

START_TEST(a_shorter_line_hides_all_of_the_longer_one)
{
    dd.status = ZS_DD_STATUS_PROGRESS;
    zs_signals_catch();
    zs_tally_begin(&tally);
    tick();
    size_t longer = tally.line_length;
    stats = (struct zs_stats){ENGINES(0, 1)};
    tick();
    ck_assert_uint_lt(tally.line_length, longer);
    tick(); /* and that one is as long as it is */
    expect_said(PROGRESS
                "\r1 byte copied, [0-9] s, 0.0 kB/s   *\r1 byte copied, [0-9] s, 0.0 kB/s");
    ck_assert_uint_eq(file_size(error_fd), 1 + longer + 1 + longer + 1 + tally.line_length);
}
END_TEST

START_TEST(statistics_do_not_share_the_line_of_progress)
{
    dd.status = ZS_DD_STATUS_PROGRESS;
    zs_signals_catch();
    zs_tally_begin(&tally);
    tick();
    ck_assert_int_eq(raise(SIGUSR1), 0);
    ck_assert(!zs_signals_attend());
    expect_said(PROGRESS "\n" RECORDS BYTES "* s, *B/s\n");
    ck_assert_uint_eq(tally.line_length, 0);
    dd.blocks.complain(dd.blocks.context, "in", EIO);
    zs_tally_end(&tally);
    expect_said(PROGRESS "\n" RECORDS BYTES "* s, *B/s\n"
                         "zdd: in: reading: Input/output error\n" RECORDS BYTES "* s, *B/s\n");
}
END_TEST

/* status=: what is said of a block that cannot be read. */
static const struct {
    enum zs_dd_status status;
    const char *said;
} complaints[] = {
    {ZS_DD_STATUS_ALL,
     "zdd: i\\\\nn: reading: Input/output error\n3+1 records in\n2+0 records out\n" BYTES
     "* s, *B/s\n"},
    {ZS_DD_STATUS_PROGRESS,
     "zdd: i\\\\nn: reading: Input/output error\n3+1 records in\n2+0 records out\n" BYTES
     "* s, *B/s\n"},
    {ZS_DD_STATUS_NO_TRANSFER,
     "zdd: i\\\\nn: reading: Input/output error\n3+1 records in\n2+0 records out\n"},
    {ZS_DD_STATUS_NONE, ""},
};

START_TEST(a_block_that_cannot_be_read_is_told_of)
{
    dd.status = complaints[_i].status;
    options.blocks = &dd.blocks;
    stats.read_blocks = (struct zs_block_count){3, 1};
    stats.written_blocks = (struct zs_block_count){2, 0};
    zs_tally_begin(&tally);
    ck_assert_ptr_eq(dd.blocks.context, &tally);
    dd.blocks.complain(dd.blocks.context, "i\nn", EIO);
    zs_tally_end(&tally);
    expect_said(complaints[_i].said);
}
END_TEST

START_TEST(progress_is_shown_to_who_wants_it)
{
    dd.status =
        (enum zs_dd_status[]){ZS_DD_STATUS_ALL, ZS_DD_STATUS_NONE, ZS_DD_STATUS_NO_TRANSFER}[_i];
    zs_signals_catch();
    zs_tally_begin(&tally);
    tick();
    zs_tally_end(&tally);
    expect_said("");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tally");
    TCase *numbers = add_case(suite, "numbers");
    add_rows(numbers, a_number_is_scaled_as_gnu_dd_does, scaled);
    tcase_add_test(numbers, a_small_buffer_is_enough);
    tcase_add_loop_test(numbers, a_number_is_scaled_as_by_hand, 0, 12);

    TCase *final = add_case(suite, "final");
    add_rows(final, the_final_statistics_are_those_of_dd, printed);
    add_rows(final, a_rate_has_three_digits_and_is_never_in_bytes, rates);
    add_rows(final, what_is_odd_is_told, warned);

    TCase *during = add_case(suite, "during");
    tcase_add_checked_fixture(during, begin_test, NULL);
    tcase_add_test(during, sigusr1_is_answered_with_the_statistics);
    tcase_add_loop_test(during, sigusr1_gets_what_status_wants, 0, 2);
    tcase_add_test(during, progress_is_one_line_that_is_left_behind);
    tcase_add_test(during, progress_has_whole_seconds);
    tcase_add_test(during, a_shorter_line_hides_all_of_the_longer_one);
    tcase_add_test(during, statistics_do_not_share_the_line_of_progress);
    add_rows(during, a_block_that_cannot_be_read_is_told_of, complaints);
    tcase_add_loop_test(during, progress_is_shown_to_who_wants_it, 0, 3);
    return run_suite(suite);
}
