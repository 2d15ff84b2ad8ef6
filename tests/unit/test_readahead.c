/*
 * Read-ahead of a file that is not cached: what is asked for, by the calls, and that it arrives, by
 * mincore(2), on a real file of the current folder's file system. What it calls is written down,
 * and what tells what is cached answers as it is told to.
 */

#include "readahead.h"

#include "check_helpers.h"

#include <errno.h>
#include <time.h>

#define MIB ((uint64_t)1024 * 1024)

/* As in readahead.c: one request, and how far ahead of the copy. */
#define PIECE_BYTES MIB
#define LEAD_BYTES  (8 * MIB)

/* What tells what is cached and what asks for it, in place of those of sys.c: see CMakeLists.txt */

enum { MOST_CALLS = 256 };

static struct {
    struct {
        uint64_t start, length;
    } fetches[MOST_CALLS];
    int fetch_count;
    int advice_code; /* what advice gives; 0: it is taken */
    int questions;   /* what is cached */
    bool lies;       /* the answer to each of them is `answer`, else the truth */
    int answer;
} calls;

int __real_zs_sys_is_cached(int fd, uint64_t position);
int __wrap_zs_sys_is_cached(int fd, uint64_t position);
int __real_zs_sys_fetch(int fd, uint64_t start, uint64_t length_bytes);
int __wrap_zs_sys_fetch(int fd, uint64_t start, uint64_t length_bytes);

int __wrap_zs_sys_is_cached(int fd, uint64_t position)
{
    calls.questions++;
    return calls.lies ? calls.answer : __real_zs_sys_is_cached(fd, position);
}

int __wrap_zs_sys_fetch(int fd, uint64_t start, uint64_t length_bytes)
{
    ck_assert_int_lt(calls.fetch_count, MOST_CALLS);
    calls.fetches[calls.fetch_count].start = start;
    calls.fetches[calls.fetch_count++].length = length_bytes;
    return calls.advice_code < 0 ? calls.advice_code : __real_zs_sys_fetch(fd, start, length_bytes);
}

static void begin_test(void)
{
    memset(&calls, 0, sizeof calls);
}

/* Whatever the file system is: nothing is cached, so all that is asked for shows in the calls. */
static void begin_cold(void)
{
    begin_test();
    calls.lies = true;          /* all zero: it is not cached */
    calls.advice_code = -EBADF; /* of no file */
}

static void expect_fetch(int number, uint64_t start, uint64_t length)
{
    ck_assert_int_gt(calls.fetch_count, number);
    ck_assert_uint_eq(calls.fetches[number].start, start);
    ck_assert_uint_eq(calls.fetches[number].length, length);
}

/* One behind the other, in pieces, from start to stop: nothing is left out or asked for twice. */
static void expect_fetches(uint64_t start, uint64_t stop)
{
    uint64_t next = start;

    for (int i = 0; i < calls.fetch_count; i++) {
        ck_assert_uint_eq(calls.fetches[i].start, next);
        ck_assert_uint_gt(calls.fetches[i].length, 0);
        ck_assert_uint_le(calls.fetches[i].length, PIECE_BYTES);
        next += calls.fetches[i].length;
    }
    ck_assert_uint_eq(next, stop);
}

/* Files on disk, and what of them is cached */

/* An unlinked file of the current folder, or -1. */
static int open_here(void)
{
    int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) { /* a file system without that */
        char name[] = "zslice-unit.XXXXXX";
        fd = mkostemp(name, O_CLOEXEC);
        if (fd >= 0)
            (void)unlink(name);
    }
    return fd;
}

static int file_here(uint64_t size)
{
    int fd = open_here();
    ck_assert_int_ge(fd, 0);
    unsigned char *bytes = new_pattern((size_t)size); /* not of holes: they need no device */
    write_all(fd, bytes, (size_t)size);
    free(bytes);
    return fd;
}

static uint64_t cached_bytes(int fd, uint64_t start, uint64_t stop)
{
    static unsigned char pages[65536];
    size_t page = (size_t)sysconf(_SC_PAGESIZE), length = (size_t)(stop - start);
    uint64_t count = 0;

    ck_assert_uint_le(length / page, sizeof pages);
    void *map = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, (off_t)start);
    ck_assert_ptr_ne(map, MAP_FAILED);
    ck_assert_int_eq(mincore(map, length, pages), 0);
    for (size_t i = 0; i < (length + page - 1) / page; i++)
        count += pages[i] & 1;
    ck_assert_int_eq(munmap(map, length), 0);
    return count * page;
}

static void drop(int fd)
{
    ck_assert_int_eq(fsync(fd), 0);
    ck_assert_int_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
}

static int cold_file(uint64_t size)
{
    int fd = file_here(size);
    drop(fd);
    ck_assert_uint_eq(cached_bytes(fd, 0, size), 0);
    return fd;
}

/* Caches these pages and no more: by a descriptor for which the kernel reads nothing ahead. */
static void warm(int fd, uint64_t start, uint64_t length)
{
    char name[64];
    char *bytes = malloc((size_t)length);

    ck_assert_ptr_nonnull(bytes);
    (void)snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    int other = open(name, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(other, 0);
    ck_assert_int_eq(posix_fadvise(other, 0, 0, POSIX_FADV_RANDOM), 0);
    ck_assert_int_eq(pread(other, bytes, (size_t)length, (off_t)start), (ssize_t)length);
    (void)close(other);
    free(bytes);
}

static void pause_a_moment(void)
{
    const struct timespec moment = {.tv_nsec = 2000000};
    (void)nanosleep(&moment, NULL);
}

/*
 * Within a second, and more only where the machine is busy with something else. Most of it: under
 * load the kernel leaves single pages out, up to a tenth of them (Linux 6.18, ext4). Unasked, none
 * comes.
 */
static bool arrives(int fd, uint64_t start, uint64_t stop)
{
    for (int i = 0; i < 2500; i++) {
        if (cached_bytes(fd, start, stop) >= (stop - start) / 4 * 3)
            return true;
        pause_a_moment();
    }
    return false;
}

/* Whether a page leaves the cache at all: on tmpfs it does not. No assertion: no test runs yet. */
static bool can_be_cold_here(void)
{
    int fd = open_here();
    unsigned char cached = 1;
    void *map = MAP_FAILED;

    if (fd >= 0 && write(fd, "bytes", 5) == 5 && fsync(fd) == 0 &&
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0)
        map = mmap(NULL, 5, PROT_READ, MAP_SHARED, fd, 0);
    if (map != MAP_FAILED) {
        (void)mincore(map, 5, &cached);
        (void)munmap(map, 5);
    }
    (void)close(fd);
    return !(cached & 1);
}

/* On a real file */

START_TEST(what_is_asked_for_arrives_in_the_cache)
{
    enum { SIZE = 24 };
    int fd = cold_file(SIZE * MIB);
    struct zs_readahead readahead = {0};

    zs_readahead_advance(&readahead, fd, 0, SIZE * MIB);
    ck_assert(!readahead.useless);
    expect_fetches(0, LEAD_BYTES);
    ck_assert(arrives(fd, 0, LEAD_BYTES));
    /* Nor much more. */
    ck_assert_uint_le(cached_bytes(fd, LEAD_BYTES, SIZE * MIB), 4 * MIB);

    zs_readahead_advance(&readahead, fd, 5 * MIB, SIZE * MIB);
    expect_fetches(0, LEAD_BYTES + 5 * MIB);
    ck_assert(arrives(fd, 0, LEAD_BYTES + 5 * MIB));
    (void)close(fd);
}
END_TEST

START_TEST(from_within_a_page_to_within_a_page_it_arrives)
{
    enum { SIZE = 4 };
    int fd = cold_file(SIZE * MIB);
    struct zs_readahead readahead = {0};

    zs_readahead_advance(&readahead, fd, MIB + 1001, 3 * MIB + 7);
    expect_fetch(0, MIB + 1001, PIECE_BYTES);
    expect_fetch(1, 2 * MIB + 1001, MIB + 7 - 1001);
    ck_assert_int_eq(calls.fetch_count, 2);
    ck_assert(arrives(fd, MIB, 3 * MIB + 4096));
    (void)close(fd);
}
END_TEST

START_TEST(of_a_cached_file_nothing_is_asked_for)
{
    enum { SIZE = 20 };
    int fd = file_here(SIZE * MIB);
    struct zs_readahead readahead = {0};

    for (uint64_t at = 0; at < SIZE * MIB; at += MIB / 2)
        zs_readahead_advance(&readahead, fd, at, SIZE * MIB);
    ck_assert_int_eq(calls.fetch_count, 0);
    ck_assert(!readahead.useless);
    ck_assert_uint_eq(readahead.until, SIZE * MIB);
    ck_assert_int_eq(calls.questions, SIZE); /* one for each piece */
    (void)close(fd);
}
END_TEST

START_TEST(only_the_pieces_that_are_not_cached_are_asked_for)
{
    enum { SIZE = 6 };
    int fd = cold_file(SIZE * MIB);
    struct zs_readahead readahead = {0};

    warm(fd, MIB, MIB);
    warm(fd, 4 * MIB, MIB);
    zs_readahead_advance(&readahead, fd, 0, SIZE * MIB);
    expect_fetch(0, 0, MIB);
    expect_fetch(1, 2 * MIB, MIB);
    expect_fetch(2, 3 * MIB, MIB);
    expect_fetch(3, 5 * MIB, MIB);
    ck_assert_int_eq(calls.fetch_count, 4);
    ck_assert(arrives(fd, 0, SIZE * MIB));
    (void)close(fd);
}
END_TEST

/* Behind its end there is nothing that could be read, and nobody waits for it. */
START_TEST(a_file_that_has_shrunk_is_read_ahead_to_its_end)
{
    int fd = cold_file(3 * MIB);
    struct zs_readahead readahead = {0};

    ck_assert_int_eq(ftruncate(fd, (off_t)MIB), 0);
    zs_readahead_advance(&readahead, fd, 0, 3 * MIB);
    expect_fetch(0, 0, MIB);
    ck_assert(!readahead.useless);
    ck_assert_uint_eq(readahead.until, 3 * MIB);
    ck_assert(arrives(fd, 0, MIB));
    ck_assert_uint_eq(file_size(fd), MIB);
    (void)close(fd);
}
END_TEST

/* By the calls alone */

static const uint64_t steps[] = {4096, 100001, MIB / 4, MIB, 3 * MIB, 9 * MIB, 40 * MIB};

START_TEST(nothing_is_asked_for_twice)
{
    uint64_t end = 40 * MIB + 12345;
    struct zs_readahead readahead = {0};

    for (uint64_t at = 0; at < end; at += steps[_i]) {
        int before = calls.fetch_count;
        zs_readahead_advance(&readahead, 7, at, end);
        /* What is about to be copied was asked for, up to the lead and no piece more. */
        uint64_t lead = end - at < LEAD_BYTES ? end : at + LEAD_BYTES;
        ck_assert_uint_ge(readahead.until, lead);
        ck_assert_uint_lt(readahead.until, lead + PIECE_BYTES);
        if (steps[_i] >= LEAD_BYTES + PIECE_BYTES && at > 0)
            expect_fetch(before, at, PIECE_BYTES < end - at ? PIECE_BYTES : end - at);
    }
    if (steps[_i] < LEAD_BYTES)
        expect_fetches(0, end);
    for (int i = 1; i < calls.fetch_count; i++)
        ck_assert_uint_ge(calls.fetches[i].start,
                          calls.fetches[i - 1].start + calls.fetches[i - 1].length);
    ck_assert_int_eq(calls.questions, calls.fetch_count);
}
END_TEST

START_TEST(a_position_beyond_what_was_asked_for_goes_on_from_there)
{
    struct zs_readahead readahead = {0};

    zs_readahead_advance(&readahead, 7, 0, 100 * MIB);
    ck_assert_int_eq(calls.fetch_count, 8);
    zs_readahead_advance(&readahead, 7, 50 * MIB + 3, 100 * MIB);
    ck_assert_int_eq(calls.fetch_count, 16);
    for (int i = 8; i < 16; i++)
        expect_fetch(i, 50 * MIB + 3 + (uint64_t)(i - 8) * MIB, MIB);
}
END_TEST

START_TEST(a_position_before_what_was_asked_for_asks_for_nothing)
{
    struct zs_readahead readahead = {0};

    zs_readahead_advance(&readahead, 7, 50 * MIB, 100 * MIB);
    ck_assert_int_eq(calls.fetch_count, 8);
    for (uint64_t at = 0; at <= 50 * MIB; at += 10 * MIB)
        zs_readahead_advance(&readahead, 7, at, 100 * MIB);
    ck_assert_int_eq(calls.fetch_count, 8);
    zs_readahead_advance(&readahead, 7, 51 * MIB, 100 * MIB);
    ck_assert_int_eq(calls.fetch_count, 9);
    expect_fetch(8, 58 * MIB, MIB);
}
END_TEST

static const struct {
    uint64_t position, end;
    int pieces;
    uint64_t last_bytes;
} ends[] = {
    {0, 0, 0, 0},
    {5 * MIB, 5 * MIB, 0, 0},
    {0, 1, 1, 1},
    {0, MIB - 1, 1, MIB - 1},
    {0, MIB, 1, MIB},
    {0, MIB + 1, 2, 1},
    {777, 3 * MIB, 3, MIB - 777},
    {0, LEAD_BYTES - 1, 8, MIB - 1},
    {0, LEAD_BYTES, 8, MIB},
    {0, LEAD_BYTES + 1, 8, MIB},
    {INT64_MAX - 1, INT64_MAX, 1, 1},
    {INT64_MAX - 2 * MIB, INT64_MAX, 2, MIB},
    {0, INT64_MAX, 8, MIB},
    {INT64_MAX - 8 * MIB - 5, INT64_MAX, 8, MIB},
};

START_TEST(nothing_behind_the_end_is_asked_for)
{
    struct zs_readahead readahead = {0};

    for (int again = 0; again < 2; again++) {
        zs_readahead_advance(&readahead, 7, ends[_i].position, ends[_i].end);
        ck_assert_int_eq(calls.fetch_count, ends[_i].pieces);
    }
    if (ends[_i].pieces > 0) {
        const uint64_t start = ends[_i].position + (uint64_t)(ends[_i].pieces - 1) * MIB;
        expect_fetch(0, ends[_i].position, ends[_i].pieces > 1 ? MIB : ends[_i].last_bytes);
        expect_fetch(ends[_i].pieces - 1, start, ends[_i].last_bytes);
    }
}
END_TEST

/* The first answer is enough. */
static const int refusals[] = {EOPNOTSUPP, EINVAL, ENOSYS, EBADF, EIO, EPERM};

START_TEST(a_file_system_that_cannot_tell_is_left_alone)
{
    struct zs_readahead readahead = {0};

    calls.answer = -refusals[_i];
    for (uint64_t at = 0; at < 30 * MIB; at += MIB)
        zs_readahead_advance(&readahead, 7, at, 30 * MIB);
    ck_assert(readahead.useless);
    ck_assert_int_eq(calls.fetch_count, 0);
    ck_assert_int_eq(calls.questions, 1);
}
END_TEST

START_TEST(what_is_not_open_is_left_alone)
{
    struct zs_readahead readahead = {0};

    calls.lies = false;
    zs_readahead_advance(&readahead, -1, 0, 30 * MIB);
    ck_assert(readahead.useless);
    ck_assert_int_eq(calls.fetch_count, 0);
    ck_assert_int_eq(calls.questions, 1);
}
END_TEST

/* It is only a hint: no device that refuses it keeps the copy from going on. */
START_TEST(advice_that_is_not_taken_does_no_harm)
{
    struct zs_readahead readahead = {0};

    calls.advice_code = -EINVAL;
    zs_readahead_advance(&readahead, 7, 0, 3 * MIB);
    ck_assert_int_eq(calls.fetch_count, 3);
    ck_assert(!readahead.useless);
    ck_assert_uint_eq(readahead.until, 3 * MIB);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("readahead");

    if (can_be_cold_here()) {
        TCase *cache = add_case(suite, "cache");
        tcase_add_checked_fixture(cache, begin_test, NULL);
        tcase_add_test(cache, what_is_asked_for_arrives_in_the_cache);
        tcase_add_test(cache, from_within_a_page_to_within_a_page_it_arrives);
        tcase_add_test(cache, only_the_pieces_that_are_not_cached_are_asked_for);
        tcase_add_test(cache, a_file_that_has_shrunk_is_read_ahead_to_its_end);
        tcase_add_test(cache, of_a_cached_file_nothing_is_asked_for);
    } else {
        (void)puts("SKIPPED: all tests of pages that are read ahead: they do not leave the page "
                   "cache of this file system");
    }

    TCase *requests = add_case(suite, "requests");
    tcase_add_checked_fixture(requests, begin_cold, NULL);
    add_rows(requests, nothing_is_asked_for_twice, steps);
    tcase_add_test(requests, a_position_beyond_what_was_asked_for_goes_on_from_there);
    tcase_add_test(requests, a_position_before_what_was_asked_for_asks_for_nothing);
    add_rows(requests, nothing_behind_the_end_is_asked_for, ends);
    add_rows(requests, a_file_system_that_cannot_tell_is_left_alone, refusals);
    tcase_add_test(requests, what_is_not_open_is_left_alone);
    tcase_add_test(requests, advice_that_is_not_taken_does_no_harm);
    return run_suite(suite);
}
