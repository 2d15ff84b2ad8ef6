/*
 * What follows a copy: which pages leave the page cache when, by mincore(2) on real files, and what
 * the device has to say. sync_file_range(2) is written down, and fails when it is told to.
 */

#include "behind.h"

#include "check_helpers.h"

#include <errno.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#define MIB ((uint64_t)1024 * 1024)

/* As in behind.c: what gathers before it is written back, how much of the source is given back at a
 * time, how far behind the copy that is, and in what it is given back. */
#define CHUNK_BYTES        (2 * MIB)
#define SOURCE_CHUNK_BYTES (8 * MIB)
#define SOURCE_LAG_BYTES   (32 * MIB)
#define FOLIO_BYTES        (2 * MIB)

/* sync_file_range(2), in place of the C library's */

enum { WAITS = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WAIT_AFTER, MOST_CALLS = 64 };

static struct {
    struct {
        uint64_t start, length;
        bool waits;
    } calls[MOST_CALLS];
    int count;
    int fails_at; /* this call, from 1 on; 0: none */
    int code;
} device;

int sync_file_range(int fd, off_t start, off_t length, unsigned flags)
{
    if (device.count < MOST_CALLS) {
        device.calls[device.count].start = (uint64_t)start;
        device.calls[device.count].length = (uint64_t)length;
        device.calls[device.count].waits = (flags & WAITS) == WAITS;
    }
    ck_assert(flags & SYNC_FILE_RANGE_WRITE);
    if (++device.count == device.fails_at) {
        errno = device.code;
        return -1;
    }
    return (int)syscall(SYS_sync_file_range, fd, start, length, flags);
}

static void expect_call(int number, uint64_t start, uint64_t length, bool waits)
{
    ck_assert_int_gt(device.count, number);
    ck_assert_uint_eq(device.calls[number].start, start);
    ck_assert_uint_eq(device.calls[number].length, length);
    ck_assert_int_eq(device.calls[number].waits, waits);
}

/* Files, and what of them is cached */

static uint64_t cached_bytes(int fd, uint64_t start, uint64_t stop)
{
    static unsigned char pages[65536];
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint64_t size = file_size(fd), count = 0;

    stop = stop < size ? stop : size;
    if (start >= stop)
        return 0;
    size_t length = (size_t)(stop - start);
    void *map = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, (off_t)start);
    ck_assert_ptr_ne(map, MAP_FAILED);
    ck_assert_uint_le(length / page, sizeof pages);
    ck_assert_int_eq(mincore(map, length, pages), 0);
    for (size_t i = 0; i < (length + page - 1) / page; i++)
        count += pages[i] & 1;
    ck_assert_int_eq(munmap(map, length), 0);
    return count * page;
}

/*
 * As good as all of it: the kernel may take a page back at any time (for a virtual machine's host
 * it does, though there is memory enough).
 */
static void expect_cached(int fd, uint64_t start, uint64_t stop)
{
    ck_assert_uint_ge(cached_bytes(fd, start, stop), (stop - start) / 8 * 7);
}

/* Brings holes into the page cache: they are clean, and cost no device. */
static void cache(int fd, uint64_t start, uint64_t stop)
{
    static char bytes[1024 * 1024];

    for (uint64_t at = start; at < stop; at += sizeof bytes)
        ck_assert_int_gt(pread(fd, bytes, sizeof bytes, (off_t)at), 0);
}

static int cached_file(uint64_t size)
{
    int fd = scratch_file("", 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
    cache(fd, 0, size);
    expect_cached(fd, 0, size);
    return fd;
}

static void write_at(int fd, uint64_t position, uint64_t length)
{
    unsigned char *bytes = new_pattern((size_t)length);
    ck_assert_int_eq(pwrite(fd, bytes, (size_t)length, (off_t)position), (ssize_t)length);
    free(bytes);
}

static void expect_written(int fd, uint64_t position, uint64_t length)
{
    unsigned char *bytes = new_pattern((size_t)length);
    unsigned char *content = malloc((size_t)length);
    ck_assert_ptr_nonnull(content);
    ck_assert_int_eq(pread(fd, content, (size_t)length, (off_t)position), (ssize_t)length);
    ck_assert_mem_eq(content, bytes, (size_t)length);
    free(content);
    free(bytes);
}

/* tmpfs keeps every page: there is nothing to see. */
static bool cache_is_given_back_here(void)
{
    struct statfs filesystem;
    return statfs(P_tmpdir, &filesystem) == 0 && (uint32_t)filesystem.f_type != TMPFS_MAGIC &&
           (uint32_t)filesystem.f_type != RAMFS_MAGIC;
}

static void begin_test(void)
{
    memset(&device, 0, sizeof device);
}

static struct zs_behind of_source(int fd)
{
    return (struct zs_behind){.source_fd = fd, .target_fd = -1, .drop = true};
}

static struct zs_behind of_target(int fd, bool drop)
{
    return (struct zs_behind){.source_fd = -1, .target_fd = fd, .drop = drop};
}

/* The source */

START_TEST(the_source_is_given_back_some_way_behind_the_copy)
{
    enum { SIZE = 64 };
    int fd = cached_file(SIZE * MIB);
    struct zs_behind behind = of_source(fd);

    zs_behind_begin(&behind, 0, 0);
    for (uint64_t end = MIB; end <= SIZE * MIB; end += MIB) {
        ck_assert_int_eq(zs_behind_advance(&behind, end, 0), 0);
        uint64_t kept = end > SOURCE_LAG_BYTES ? end - SOURCE_LAG_BYTES : 0;
        uint64_t gone = kept > SOURCE_CHUNK_BYTES ? kept - SOURCE_CHUNK_BYTES : 0;
        kept += FOLIO_BYTES;
        ck_assert_uint_eq(cached_bytes(fd, 0, gone), 0);
        expect_cached(fd, kept, SIZE * MIB);
    }
    ck_assert_int_eq(zs_behind_finish(&behind), 0);
    ck_assert_uint_eq(cached_bytes(fd, 0, SIZE * MIB), 0);
    ck_assert_int_eq(device.count, 0); /* nothing of it is dirty */
    (void)close(fd);
}
END_TEST

START_TEST(a_short_source_is_given_back_at_the_end)
{
    int fd = cached_file(10 * MIB);
    struct zs_behind behind = of_source(fd);

    zs_behind_begin(&behind, 3 * MIB, 0);
    ck_assert_int_eq(zs_behind_advance(&behind, 7 * MIB, 0), 0);
    expect_cached(fd, 0, 10 * MIB);
    ck_assert_int_eq(zs_behind_finish(&behind), 0);
    ck_assert_uint_eq(cached_bytes(fd, 3 * MIB, 7 * MIB), 0);
    /* What is not the slice's stays, but for what shares a folio with it. */
    expect_cached(fd, 0, 2 * MIB);
    expect_cached(fd, 8 * MIB, 10 * MIB);
    (void)close(fd);
}
END_TEST

/* A page that somebody has mapped stays: it is asked for again when the copies have ended. */
START_TEST(a_page_in_use_is_given_back_at_the_end)
{
    enum { SIZE = 48 };
    int fd = cached_file(SIZE * MIB);
    struct zs_behind behind = of_source(fd);
    volatile char *map = mmap(NULL, 4 * MIB, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);

    ck_assert_ptr_ne((void *)(uintptr_t)map, MAP_FAILED);
    zs_behind_begin(&behind, 0, 0);
    ck_assert_int_eq(zs_behind_advance(&behind, SIZE * MIB, 0), 0);
    expect_cached(fd, 0, 4 * MIB);
    ck_assert_uint_eq(cached_bytes(fd, 6 * MIB, 14 * MIB), 0);
    ck_assert_int_eq(munmap((void *)(uintptr_t)map, 4 * MIB), 0);
    ck_assert_int_eq(zs_behind_finish(&behind), 0);
    ck_assert_uint_eq(cached_bytes(fd, 0, SIZE * MIB), 0);
    (void)close(fd);
}
END_TEST

START_TEST(where_the_source_goes_on_somewhere_else_each_stretch_is_given_back)
{
    int fd = cached_file(60 * MIB);
    struct zs_behind behind = of_source(fd);

    zs_behind_begin(&behind, 40 * MIB, 0);
    ck_assert_int_eq(zs_behind_advance(&behind, 46 * MIB, 0), 0);
    zs_behind_begin(&behind, 10 * MIB, 0); /* back */
    ck_assert_uint_eq(cached_bytes(fd, 40 * MIB, 46 * MIB), 0);
    expect_cached(fd, 10 * MIB, 20 * MIB);
    ck_assert_int_eq(zs_behind_advance(&behind, 14 * MIB, 0), 0);
    zs_behind_begin(&behind, 14 * MIB, 0); /* on from there */
    expect_cached(fd, 10 * MIB, 14 * MIB);
    ck_assert_int_eq(zs_behind_advance(&behind, 16 * MIB, 0), 0);
    ck_assert_int_eq(zs_behind_finish(&behind), 0);
    ck_assert_uint_eq(cached_bytes(fd, 10 * MIB, 16 * MIB), 0);
    expect_cached(fd, 20 * MIB, 38 * MIB);
    (void)close(fd);
}
END_TEST

/* The target */

START_TEST(the_target_is_written_and_given_back_as_the_copy_goes)
{
    enum { SIZE = 28 };
    int fd = scratch_file("", 0);
    struct zs_behind behind = of_target(fd, true);

    zs_behind_begin(&behind, 0, 0);
    for (uint64_t end = MIB; end <= SIZE * MIB; end += MIB) {
        write_at(fd, end - MIB, MIB);
        ck_assert_int_eq(zs_behind_advance(&behind, 0, end), 0);
        ck_assert_uint_le(cached_bytes(fd, 0, end), 2 * CHUNK_BYTES + FOLIO_BYTES);
    }
    ck_assert_int_eq(zs_behind_finish(&behind), 0);
    ck_assert_uint_eq(cached_bytes(fd, 0, SIZE * MIB), 0);
    for (uint64_t at = 0; at < SIZE * MIB; at += MIB)
        expect_written(fd, at, MIB);
    (void)close(fd);
}
END_TEST

/* While a chunk is on its way, the one before it is waited for. */
START_TEST(a_chunk_is_waited_for_when_the_next_one_has_begun)
{
    int fd = scratch_file("", 0);
    struct zs_behind behind = of_target(fd, true);

    zs_behind_begin(&behind, 0, 100);
    ck_assert_int_eq(zs_behind_advance(&behind, 0, 100 + CHUNK_BYTES - 1), 0);
    ck_assert_int_eq(device.count, 0);
    ck_assert_int_eq(zs_behind_advance(&behind, 0, 100 + CHUNK_BYTES), 0);
    ck_assert_int_eq(device.count, 1);
    expect_call(0, 100, CHUNK_BYTES, false);
    ck_assert_int_eq(zs_behind_advance(&behind, 0, 100 + 2 * CHUNK_BYTES + 5), 0);
    ck_assert_int_eq(device.count, 3);
    expect_call(1, 100 + CHUNK_BYTES, CHUNK_BYTES + 5, false);
    expect_call(2, 100, CHUNK_BYTES, true);
    ck_assert_int_eq(zs_behind_advance(&behind, 0, 100 + 2 * CHUNK_BYTES + 70), 0);
    ck_assert_int_eq(device.count, 3);
    ck_assert_int_eq(zs_behind_finish(&behind), 0);
    ck_assert_int_eq(device.count, 4);
    expect_call(3, 100, 2 * CHUNK_BYTES + 70, true);
    (void)close(fd);
}
END_TEST

/* For --sync: the sync at the end waits. */
START_TEST(without_giving_back_write_back_is_only_started)
{
    int fd = cached_file(40 * MIB), source = cached_file(64 * MIB);
    struct zs_behind behind = {.source_fd = source, .target_fd = fd, .drop = false};

    zs_behind_begin(&behind, 0, 0);
    for (uint64_t end = MIB; end <= 40 * MIB; end += MIB)
        ck_assert_int_eq(zs_behind_advance(&behind, end + 24 * MIB, end), 0);
    ck_assert_int_eq(zs_behind_finish(&behind), 0);
    ck_assert_int_eq(device.count, 20);
    for (int i = 0; i < 20; i++)
        expect_call(i, (uint64_t)i * CHUNK_BYTES, CHUNK_BYTES, false);
    expect_cached(fd, 0, 40 * MIB);
    expect_cached(source, 0, 64 * MIB);
    (void)close(fd);
    (void)close(source);
}
END_TEST

START_TEST(where_the_target_goes_on_somewhere_else_each_stretch_is_given_back)
{
    int fd = scratch_file("", 0);
    struct zs_behind behind = of_target(fd, true);

    write_at(fd, 30 * MIB, MIB);
    zs_behind_begin(&behind, 0, 30 * MIB);
    ck_assert_int_eq(zs_behind_advance(&behind, 0, 31 * MIB), 0);
    write_at(fd, 4 * MIB, MIB / 2);
    zs_behind_begin(&behind, 0, 4 * MIB);
    expect_call(0, 30 * MIB, MIB, true);
    ck_assert_uint_eq(cached_bytes(fd, 30 * MIB, 31 * MIB), 0);
    ck_assert_int_eq(zs_behind_advance(&behind, 0, 4 * MIB + MIB / 2), 0);
    zs_behind_begin(&behind, 0, 4 * MIB + MIB / 2); /* on from there */
    ck_assert_int_eq(device.count, 1);
    write_at(fd, 4 * MIB + MIB / 2, MIB);
    ck_assert_int_eq(zs_behind_advance(&behind, 0, 5 * MIB + MIB / 2), 0);
    ck_assert_int_eq(zs_behind_finish(&behind), 0);
    ck_assert_int_eq(device.count, 2);
    expect_call(1, 4 * MIB, MIB + MIB / 2, true);
    ck_assert_uint_eq(cached_bytes(fd, 0, 40 * MIB), 0);
    expect_written(fd, 30 * MIB, MIB);
    expect_written(fd, 4 * MIB + MIB / 2, MIB);
    (void)close(fd);
}
END_TEST

/* Whether past the cache or not: the bytes arrive where the target stands. */
START_TEST(what_is_written_arrives_and_leaves_the_cache_if_it_is_to)
{
    for (int drop = 0; drop < 2; drop++) {
        int fd = scratch_file("", 0);
        struct zs_behind behind = of_target(fd, drop);
        unsigned char *bytes = new_pattern(MIB);

        zs_behind_begin(&behind, 0, 0);
        for (uint64_t end = MIB; end <= 6 * MIB; end += MIB) {
            ck_assert_int_eq(zs_behind_write(&behind, behind.target_fd, bytes, MIB), (ssize_t)MIB);
            ck_assert_int_eq(zs_behind_advance(&behind, 0, end), 0);
        }
        ck_assert_int_eq(zs_behind_finish(&behind), 0);
        ck_assert_uint_eq(file_size(fd), 6 * MIB);
        for (uint64_t at = 0; at < 6 * MIB && !drop; at += MIB)
            expect_cached(fd, at, at + MIB);
        if (drop)
            ck_assert_uint_eq(cached_bytes(fd, 0, 6 * MIB), 0);
        for (uint64_t at = 0; at < 6 * MIB; at += MIB)
            expect_written(fd, at, MIB);
        free(bytes);
        (void)close(fd);
    }
}
END_TEST

/* That it cannot be had is found once, and nothing is lost by it. */
START_TEST(where_the_cache_cannot_be_passed_bytes_are_written_as_ever)
{
    int fd = memfd_create("memory", MFD_CLOEXEC), ends[2];
    struct zs_behind behind = of_target(fd, true);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(zs_behind_write(&behind, behind.target_fd, "01234", 5), 5);
    ck_assert(behind.no_uncached && !behind.uncached);
    ck_assert_int_eq(zs_behind_write(&behind, behind.target_fd, "56789", 5), 5);
    expect_content(fd, "0123456789", 10);

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    (void)close(ends[0]);
    (void)signal(SIGPIPE, SIG_IGN);
    behind = of_target(ends[1], true);
    ck_assert_int_eq(zs_behind_write(&behind, behind.target_fd, "x", 1), -EPIPE);
    behind = of_target(-1, true);
    ck_assert_int_eq(zs_behind_write(&behind, behind.target_fd, "x", 1), -EBADF);
}
END_TEST

START_TEST(an_end_that_is_no_file_has_no_part_in_it)
{
    struct zs_behind behind = {.source_fd = -1, .target_fd = -1, .drop = true};

    zs_behind_begin(&behind, 5, 7);
    ck_assert_int_eq(zs_behind_advance(&behind, 100 * MIB, 100 * MIB), 0);
    zs_behind_begin(&behind, 3, 9);
    ck_assert_int_eq(zs_behind_advance(&behind, 200 * MIB, 200 * MIB), 0);
    ck_assert_int_eq(zs_behind_finish(&behind), 0);
    ck_assert_int_eq(device.count, 0);
}
END_TEST

START_TEST(nothing_copied_asks_for_nothing)
{
    int fd = cached_file(4 * MIB);
    struct zs_behind behind = {.source_fd = fd, .target_fd = fd, .drop = true};

    ck_assert_int_eq(zs_behind_finish(&behind), 0);
    zs_behind_begin(&behind, MIB, MIB);
    zs_behind_begin(&behind, 2 * MIB, 2 * MIB);
    ck_assert_int_eq(zs_behind_advance(&behind, 2 * MIB, 2 * MIB), 0);
    ck_assert_int_eq(zs_behind_finish(&behind), 0);
    ck_assert_int_eq(device.count, 0);
    expect_cached(fd, 0, 4 * MIB);
    (void)close(fd);
}
END_TEST

/* Positions near the last one there is: only advice, so nothing may come of it. */
START_TEST(the_last_positions_do_no_harm)
{
    int fd = scratch_file("0123456789", 10);
    struct zs_behind behind = {.source_fd = fd, .target_fd = fd, .drop = true};
    uint64_t last = INT64_MAX;

    zs_behind_begin(&behind, last - 100, last - 100);
    ck_assert_int_eq(zs_behind_advance(&behind, last, last), 0);
    ck_assert_int_eq(zs_behind_finish(&behind), 0);
    expect_content(fd, "0123456789", 10);
    (void)close(fd);
}
END_TEST

/* That it cannot be asked is not the device's word; anything else may be, and is kept. */

static const struct {
    int code;
    bool matters;
} answers[] = {
    {EIO, true},         {ENOSPC, true},    {EDQUOT, true}, {ENOMEM, true},  {EBADF, true},
    {EROFS, true},       {ETIMEDOUT, true}, {ESTALE, true}, {EINVAL, false}, {ESPIPE, false},
    {EOPNOTSUPP, false}, {ENOSYS, false},   {EPERM, false},
};

START_TEST(what_the_device_says_to_write_back_is_returned)
{
    int fd = scratch_file("", 0);
    int expected = answers[_i].matters ? -answers[_i].code : 0;

    device.code = answers[_i].code;
    /* The first call starts a chunk, the second one the next, the third waits for the first. */
    for (device.fails_at = 1; device.fails_at <= 3; device.fails_at++) {
        struct zs_behind behind = of_target(fd, true);
        device.count = 0;
        zs_behind_begin(&behind, 0, 0);
        int first = zs_behind_advance(&behind, 0, CHUNK_BYTES);
        int second = zs_behind_advance(&behind, 0, 2 * CHUNK_BYTES);
        ck_assert_int_eq(first, device.fails_at == 1 ? expected : 0);
        ck_assert_int_eq(second, device.fails_at > 1 ? expected : 0);
    }
    (void)close(fd);
}
END_TEST

START_TEST(what_the_device_says_at_the_end_is_returned)
{
    int fd = scratch_file("", 0);
    struct zs_behind behind = of_target(fd, true);

    device.code = answers[_i].code;
    device.fails_at = 1;
    zs_behind_begin(&behind, 0, 0);
    ck_assert_int_eq(zs_behind_advance(&behind, 0, 100), 0);
    ck_assert_int_eq(zs_behind_finish(&behind), answers[_i].matters ? -answers[_i].code : 0);
    (void)close(fd);
}
END_TEST

/* Where a stretch has ended there is nobody to tell: the next call tells it. */
START_TEST(what_the_device_says_between_stretches_is_not_lost)
{
    int fd = scratch_file("", 0);
    int expected = answers[_i].matters ? -answers[_i].code : 0;

    for (int advances = 0; advances < 2; advances++) {
        struct zs_behind behind = of_target(fd, true);
        memset(&device, 0, sizeof device);
        device.code = answers[_i].code;
        device.fails_at = 1;
        zs_behind_begin(&behind, 0, 0);
        ck_assert_int_eq(zs_behind_advance(&behind, 0, 100), 0);
        zs_behind_begin(&behind, 0, 5000); /* waits for the first 100 bytes */
        ck_assert_int_eq(device.count, 1);
        if (advances > 0)
            ck_assert_int_eq(zs_behind_advance(&behind, 0, 5100), expected);
        zs_behind_begin(&behind, 0, 90000); /* what works afterwards changes nothing */
        ck_assert_int_eq(zs_behind_finish(&behind), expected);
    }
    (void)close(fd);
}
END_TEST

/* Of the source nothing is written: what cannot be given back stays. */
START_TEST(a_source_that_is_not_open_is_no_error_and_a_target_is)
{
    struct zs_behind behind = of_source(100000);

    zs_behind_begin(&behind, 0, 0);
    ck_assert_int_eq(zs_behind_advance(&behind, 100 * MIB, 100 * MIB), 0);
    zs_behind_begin(&behind, 5, 5);
    ck_assert_int_eq(zs_behind_finish(&behind), 0);

    behind = of_target(100000, true);
    zs_behind_begin(&behind, 0, 0);
    ck_assert_int_eq(zs_behind_advance(&behind, 100 * MIB, 100 * MIB), -EBADF);
    ck_assert_int_eq(zs_behind_finish(&behind), -EBADF);
}
END_TEST

/* Neither a pipe nor a device that keeps nothing can be synced. */
START_TEST(what_cannot_be_written_back_is_left_alone)
{
    int ends[2];
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    const int fds[] = {ends[1], null};
    for (int i = 0; i < ROWS(fds); i++) {
        struct zs_behind behind = of_target(fds[i], true);
        zs_behind_begin(&behind, 0, 0);
        ck_assert_int_eq(zs_behind_advance(&behind, 0, 100 * MIB), 0);
        ck_assert_int_eq(zs_behind_finish(&behind), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("behind");

    if (cache_is_given_back_here()) {
        TCase *pages = add_case(suite, "pages");
        tcase_add_checked_fixture(pages, begin_test, NULL);
        tcase_add_test(pages, the_source_is_given_back_some_way_behind_the_copy);
        tcase_add_test(pages, a_short_source_is_given_back_at_the_end);
        tcase_add_test(pages, a_page_in_use_is_given_back_at_the_end);
        tcase_add_test(pages, where_the_source_goes_on_somewhere_else_each_stretch_is_given_back);
        tcase_add_test(pages, the_target_is_written_and_given_back_as_the_copy_goes);
        tcase_add_test(pages, where_the_target_goes_on_somewhere_else_each_stretch_is_given_back);
        tcase_add_test(pages, what_is_written_arrives_and_leaves_the_cache_if_it_is_to);
    } else {
        (void)puts("SKIPPED: all tests of pages that leave the page cache: " P_tmpdir
                   " keeps them, as tmpfs does");
    }

    TCase *calls = add_case(suite, "calls");
    tcase_add_checked_fixture(calls, begin_test, NULL);
    tcase_add_test(calls, a_chunk_is_waited_for_when_the_next_one_has_begun);
    tcase_add_test(calls, without_giving_back_write_back_is_only_started);
    tcase_add_test(calls, an_end_that_is_no_file_has_no_part_in_it);
    tcase_add_test(calls, nothing_copied_asks_for_nothing);
    tcase_add_test(calls, where_the_cache_cannot_be_passed_bytes_are_written_as_ever);
    tcase_add_test(calls, the_last_positions_do_no_harm);

    TCase *errors = add_case(suite, "errors");
    tcase_add_checked_fixture(errors, begin_test, NULL);
    add_rows(errors, what_the_device_says_to_write_back_is_returned, answers);
    add_rows(errors, what_the_device_says_at_the_end_is_returned, answers);
    add_rows(errors, what_the_device_says_between_stretches_is_not_lost, answers);
    tcase_add_test(errors, a_source_that_is_not_open_is_no_error_and_a_target_is);
    tcase_add_test(errors, what_cannot_be_written_back_is_left_alone);
    return run_suite(suite);
}
