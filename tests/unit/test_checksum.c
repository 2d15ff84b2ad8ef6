/*
 * The digest of a plan's bytes, from the mapped source, by a thread and without: against the digest
 * of the same bytes put together, and of a source that shrinks below them.
 */

#include "checksum.h"

#include "check_helpers.h"
#include "signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

/* As in checksum.c: what is mapped at a time. */
enum { MEBIBYTE = 1024 * 1024, WINDOW_BYTES = 16 * MEBIBYTE };

/* No thread, if one is not to be had; what a thread of the digest does with signals. */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*function)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*function)(void *), void *argument);

static struct {
    bool none;
    int count;
    sigset_t blocked; /* while it was created, and so in the thread */
} threads;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*function)(void *), void *argument)
{
    threads.count++;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &threads.blocked);
    return threads.none ? EAGAIN : __real_pthread_create(thread, attributes, function, argument);
}

static void begin_test(void)
{
    memset(&threads, 0, sizeof threads);
}

static struct zs_digest *create(void)
{
    struct zs_digest *digest = NULL;
    struct zs_error error = {0};

    ck_assert_int_eq(zs_digest_create(ZS_DIGEST_SHA256, &digest, &error), 0);
    return digest;
}

static void finish(struct zs_digest *digest, char text[ZS_DIGEST_TEXT_BYTES])
{
    struct zs_error error = {0};

    ck_assert_int_eq(zs_digest_finish(digest, text, &error), 0);
    zs_digest_free(digest);
}

#define PIECES(first, piece, stride, length)                                                       \
    {                                                                                              \
        .start = (first), .piece_bytes = (piece), .stride_bytes = (stride),                        \
        .length_bytes = (length), .bounded = true                                                  \
    }
#define SPAN(first, length) PIECES(first, 1, 1, length)

static const struct {
    struct zs_range ranges[3];
    size_t count;
} slices[] = {
    {{SPAN(0, 0)}, 1},
    {{SPAN(0, 1)}, 1},
    {{SPAN(0, 2 * MEBIBYTE)}, 1},
    {{SPAN(1, 2 * MEBIBYTE - 1)}, 1},
    {{SPAN(4095, MEBIBYTE + 2)}, 1},
    {{SPAN(2 * MEBIBYTE - 1, 1)}, 1},
    {{SPAN(0, 10), SPAN(5, 10), SPAN(0, 0)}, 3},
    {{SPAN(MEBIBYTE, MEBIBYTE), SPAN(0, MEBIBYTE)}, 2},
    {{PIECES(0, 5, 4096, 5 * 100 + 2)}, 1},
    {{PIECES(3, 4096, 8192, 100 * 4096 + 7), SPAN(0, 3)}, 2},
    {{PIECES(0, 1, 100001, 20)}, 1},
};

static bool asides[] = {false, true, true}; /* the last: but there are no threads */

static void expect_digest(int fd, const unsigned char *bytes, const struct zs_range *ranges,
                          size_t count, bool aside)
{
    struct zs_part parts[3] = {0};
    struct zs_plan plan = {.parts = parts, .part_count = count};
    struct zs_checksum *checksum = NULL;
    struct zs_error error = {0};
    struct zs_digest *digest = create(), *direct = create();
    char text[ZS_DIGEST_TEXT_BYTES], expected[ZS_DIGEST_TEXT_BYTES];

    for (size_t i = 0; i < count; i++) {
        parts[i].range = ranges[i];
        parts[i].source_position = ranges[i].start;
        for (uint64_t n = 0; n < ranges[i].length_bytes;) {
            uint64_t run = zs_range_run(&ranges[i], n);
            run = run < ranges[i].length_bytes - n ? run : ranges[i].length_bytes - n;
            zs_digest_update(direct, bytes + ranges[i].start + zs_range_offset(&ranges[i], n),
                             (size_t)run);
            n += run;
        }
    }
    ck_assert_int_eq(zs_checksum_start(&checksum, &plan, fd, "in", digest, aside, &error), 0);
    ck_assert_msg(zs_checksum_wait(checksum, &error) == 0, "%s: %d %s", error.object, error.code,
                  error.detail);
    finish(digest, text);
    finish(direct, expected);
    ck_assert_str_eq(text, expected);
}

START_TEST(it_is_the_digest_of_the_bytes_in_order)
{
    unsigned char *bytes = new_pattern(2 * MEBIBYTE);
    int fd = scratch_file(bytes, 2 * MEBIBYTE);

    for (int i = 0; i < ROWS(asides); i++) {
        threads.none = i == 2;
        threads.count = 0;
        expect_digest(fd, bytes, slices[_i].ranges, slices[_i].count, asides[i]);
        ck_assert_int_eq(threads.count, asides[i] ? 1 : 0);
    }
    (void)close(fd);
    free(bytes);
}
END_TEST

START_TEST(a_long_one_goes_window_by_window)
{
    size_t size = WINDOW_BYTES + 2 * MEBIBYTE + 5;
    unsigned char *bytes = new_pattern(size);
    int fd = scratch_file(bytes, size);
    const struct zs_range range = SPAN(777, WINDOW_BYTES + MEBIBYTE);

    expect_digest(fd, bytes, &range, 1, true);
    (void)close(fd);
    free(bytes);
}
END_TEST

/* Signals are for the thread that copies, but for the one that a shrinking source raises. */
START_TEST(the_thread_takes_no_signals_but_its_own)
{
    static const struct zs_range range = SPAN(0, 10);
    unsigned char *bytes = new_pattern(10);
    sigset_t before, after;
    int fd = scratch_file(bytes, 10);

    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);
    expect_digest(fd, bytes, &range, 1, true);
    ck_assert_int_eq(sigismember(&threads.blocked, SIGINT), 1);
    ck_assert_int_eq(sigismember(&threads.blocked, SIGRTMIN), 1);
    ck_assert_int_eq(sigismember(&threads.blocked, SIGUSR1), 1);
    ck_assert_int_eq(sigismember(&threads.blocked, SIGBUS), 0);
    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
    ck_assert_int_eq(sigismember(&after, SIGINT), sigismember(&before, SIGINT));
    (void)close(fd);
    free(bytes);
}
END_TEST

static void expect_failure(int fd, uint64_t length, bool aside, int code, const char *detail)
{
    struct zs_part part = {.range = zs_range_contiguous(0, length)};
    struct zs_plan plan = {.parts = &part, .part_count = 1};
    struct zs_checksum *checksum = NULL;
    struct zs_error error = {0};
    struct zs_digest *digest = create();

    ck_assert_int_eq(zs_checksum_start(&checksum, &plan, fd, "in", digest, aside, &error), 0);
    ck_assert_int_eq(zs_checksum_wait(checksum, &error), -1);
    ck_assert_int_eq(error.kind, ZS_ERROR_TRANSFER);
    ck_assert_str_eq(error.object, "in");
    ck_assert_str_eq(error.operation, "reading it for the digest");
    ck_assert_int_eq(error.code, code);
    ck_assert_str_eq(error.detail, detail);
    zs_digest_free(digest);
}

START_TEST(a_source_that_is_shorter_is_an_error_and_no_crash)
{
    int fd = scratch_file("0123456789", 10);
    static const uint64_t lengths[] = {4097, 2 * MEBIBYTE, WINDOW_BYTES + 1};

    for (int i = 0; i < ROWS(lengths); i++)
        expect_failure(fd, lengths[i], asides[_i], 0, "it shrank meanwhile, or its device failed");
    (void)close(fd);
}
END_TEST

/* The rest of the last page reads as zeros, and raises nothing. */
START_TEST(a_source_that_is_shorter_within_its_last_page_is_an_error)
{
    int fd = scratch_file("0123456789", 10);

    expect_failure(fd, 11, asides[_i], 0, "it shrank meanwhile, or its device failed");
    expect_failure(fd, 4096, asides[_i], 0, "it shrank meanwhile, or its device failed");
    (void)close(fd);
}
END_TEST

START_TEST(a_source_that_cannot_be_mapped_is_an_error)
{
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    expect_failure(ends[0], 10, asides[_i], ENODEV, "");
    (void)close(ends[0]);
    (void)close(ends[1]);
}
END_TEST

/* What came before is the failure to be reported. */
START_TEST(an_error_that_there_was_already_stays)
{
    int fd = scratch_file("", 0);
    struct zs_part part = {.range = zs_range_contiguous(0, 10)};
    struct zs_plan plan = {.parts = &part, .part_count = 1};
    struct zs_checksum *checksum = NULL;
    struct zs_error error = {0};
    struct zs_digest *digest = create();

    ck_assert_int_eq(zs_checksum_start(&checksum, &plan, fd, "in", digest, true, &error), 0);
    (void)zs_error_set(&error, ZS_ERROR_TRANSFER, "out", "writing", ENOSPC, NULL);
    ck_assert_int_eq(zs_checksum_wait(checksum, &error), -1);
    ck_assert_str_eq(error.object, "out");
    ck_assert_int_eq(error.code, ENOSPC);
    zs_digest_free(digest);
    (void)close(fd);
}
END_TEST

/* It ends long before it would be done. */
START_TEST(it_can_be_given_up)
{
    uint64_t size = (uint64_t)1 << 40;
    int fd = memfd_create("huge", MFD_CLOEXEC);
    struct zs_part part = {.range = zs_range_contiguous(0, size)};
    struct zs_plan plan = {.parts = &part, .part_count = 1};
    struct zs_checksum *checksum = NULL;
    struct zs_error error = {0};
    struct zs_digest *digest = create();

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
    ck_assert_int_eq(zs_checksum_start(&checksum, &plan, fd, "in", digest, asides[_i], &error), 0);
    zs_checksum_cancel(checksum);
    zs_checksum_cancel(NULL);
    zs_digest_free(digest);
    (void)close(fd);
}
END_TEST

START_TEST(a_signal_stops_the_thread)
{
    int fd = memfd_create("huge", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)1 << 40), 0);
    zs_signals_catch();
    ck_assert_int_eq(raise(SIGINT), 0);
    expect_failure(fd, (uint64_t)1 << 40, true, EINTR, "");
    (void)close(fd);
}
END_TEST

START_TEST(a_signal_stops_it_where_there_is_no_thread)
{
    int fd = scratch_file("0123456789", 10);

    zs_signals_catch();
    ck_assert_int_eq(raise(SIGINT), 0);
    expect_failure(fd, 10, false, EINTR, "");
    (void)close(fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("checksum");
    TCase *values = add_case(suite, "values");
    tcase_add_checked_fixture(values, begin_test, NULL);
    add_rows(values, it_is_the_digest_of_the_bytes_in_order, slices);
    tcase_add_test(values, a_long_one_goes_window_by_window);
    tcase_add_test(values, the_thread_takes_no_signals_but_its_own);

    TCase *failures = add_case(suite, "failures");
    tcase_add_checked_fixture(failures, begin_test, NULL);
    tcase_add_loop_test(failures, a_source_that_is_shorter_is_an_error_and_no_crash, 0, 2);
    tcase_add_loop_test(failures, a_source_that_is_shorter_within_its_last_page_is_an_error, 0, 2);
    tcase_add_loop_test(failures, a_source_that_cannot_be_mapped_is_an_error, 0, 2);
    tcase_add_test(failures, an_error_that_there_was_already_stays);
    tcase_add_loop_test(failures, it_can_be_given_up, 0, 2);
    tcase_add_test(failures, a_signal_stops_the_thread);
    tcase_add_test(failures, a_signal_stops_it_where_there_is_no_thread);
    return run_suite(suite);
}
