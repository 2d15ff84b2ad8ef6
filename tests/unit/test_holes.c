/*
 * Holes found in files whose extents are known, and made in files, and runs of zeros. lseek(2) can
 * be made to answer as file systems do that know less, and punching to fail.
 */

#include "holes.h"

#include "check_helpers.h"

#include <errno.h>
#include <sys/syscall.h>

enum { KIB = 1024, BLOCK = 64 * KIB, BLOCKS = 8 };

int __real_zs_sys_punch(int fd, uint64_t start, uint64_t length_bytes);
int __wrap_zs_sys_punch(int fd, uint64_t start, uint64_t length_bytes);

/* The kernel's answers, unless another one is wanted. */
static struct {
    int data_code, hole_code;     /* of SEEK_DATA and SEEK_HOLE; 0: do as the kernel does */
    off_t data_moved, hole_moved; /* added to what it answers */
    int punch_code;
    int punches;
    uint64_t punched_start, punched_length;
} kernel;

static off_t real_lseek(int fd, off_t position, int whence)
{
#ifdef SYS__llseek
    off_t found;
    int result = (int)syscall(SYS__llseek, fd, (unsigned long)((uint64_t)position >> 32),
                              (unsigned long)position, &found, whence);
    return result < 0 ? -1 : found;
#else
    return (off_t)syscall(SYS_lseek, fd, position, whence);
#endif
}

/* In place of the C library's. */
off_t lseek(int fd, off_t position, int whence)
{
    int code = whence == SEEK_DATA ? kernel.data_code : whence == SEEK_HOLE ? kernel.hole_code : 0;

    if (code != 0) {
        errno = code;
        return -1;
    }
    off_t found = real_lseek(fd, position, whence);
    if (found < 0)
        return found;
    return whence == SEEK_DATA   ? found + kernel.data_moved
           : whence == SEEK_HOLE ? found + kernel.hole_moved
                                 : found;
}

int __wrap_zs_sys_punch(int fd, uint64_t start, uint64_t length_bytes)
{
    kernel.punches++;
    kernel.punched_start = start;
    kernel.punched_length = length_bytes;
    return kernel.punch_code ? -kernel.punch_code : __real_zs_sys_punch(fd, start, length_bytes);
}

static void begin_test(void)
{
    memset(&kernel, 0, sizeof kernel);
}

/* A file of which the blocks marked with an x are data, and the others holes. */
static int file_of(const char *blocks, bool in_memory)
{
    int fd = in_memory ? memfd_create("holes", MFD_CLOEXEC) : scratch_file("", 0);
    unsigned char *bytes = new_pattern(BLOCK);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)strlen(blocks) * BLOCK), 0);
    for (off_t i = 0; blocks[i]; i++) {
        if (blocks[i] == 'x')
            ck_assert_int_eq(pwrite(fd, bytes, BLOCK, i * BLOCK), BLOCK);
    }
    free(bytes);
    return fd;
}

static uint64_t allocated(int fd)
{
    struct stat status;
    ck_assert_int_eq(fstat(fd, &status), 0);
    return (uint64_t)status.st_blocks * 512;
}

/* Whether a file system tells holes as exactly as the tests below make them. */
static bool tells_holes(int fd)
{
    char byte;
    off_t hole = real_lseek(fd, 0, SEEK_HOLE);
    off_t size = (off_t)file_size(fd);

    if (real_lseek(fd, 0, SEEK_DATA) > 0 || hole == 0)
        return true; /* it begins with a hole */
    return pread(fd, &byte, 1, 0) == 1 && (allocated(fd) == (uint64_t)size || hole < size);
}

static const char *const layouts[] = {"x",        "-",        "xxxxxxxx", "--------",
                                      "x-------", "-------x", "x-x-x-x-", "-x-x-x-x",
                                      "xx--xx--", "--xx--xx", "---xx---", "xxx--xxx"};

/* The extent at a position by the layout. */
static struct zs_extent expected_at(const char *blocks, uint64_t position, uint64_t limit)
{
    uint64_t at = position / BLOCK;
    struct zs_extent extent = {.end = limit, .hole = blocks[at] == '-'};

    for (uint64_t next = at; blocks[next]; next++) {
        if ((blocks[next] == '-') != extent.hole) {
            extent.end = next * BLOCK < limit ? next * BLOCK : limit;
            break;
        }
    }
    return extent;
}

static void expect_extents(const char *blocks, int fd)
{
    uint64_t size = strlen(blocks) * BLOCK;
    const uint64_t steps[] = {BLOCK, BLOCK / 2, BLOCK - 1, 3 * BLOCK + 5, 3 * BLOCK};

    for (int s = 0; s < ROWS(steps); s++) {
        for (uint64_t position = 0; position < size; position += steps[s]) {
            for (uint64_t limit = size; limit > position && limit <= size; limit -= steps[s]) {
                struct zs_extent found = zs_holes_find(fd, position, limit);
                struct zs_extent expected = expected_at(blocks, position, limit);
                ck_assert_msg(found.end == expected.end && found.hole == expected.hole,
                              "%s: from %ju to %ju there is %s up to %ju", blocks,
                              (uintmax_t)position, (uintmax_t)limit, found.hole ? "a hole" : "data",
                              (uintmax_t)found.end);
            }
        }
    }
}

START_TEST(holes_of_a_file_are_where_they_were_left)
{
    int fd = file_of(layouts[_i], false);

    if (tells_holes(fd))
        expect_extents(layouts[_i], fd);
    (void)close(fd);
}
END_TEST

START_TEST(holes_of_memory_are_where_they_were_left)
{
    int fd = file_of(layouts[_i], true);

    expect_extents(layouts[_i], fd);
    (void)close(fd);
}
END_TEST

/* Walking from extent to extent comes to the end, whatever the file system says. */
static void expect_walk(int fd, uint64_t size)
{
    uint64_t position = 0;

    for (int steps = 0; position < size; steps++) {
        struct zs_extent extent = zs_holes_find(fd, position, size);
        ck_assert_int_lt(steps, 100);
        ck_assert_uint_gt(extent.end, position);
        ck_assert_uint_le(extent.end, size);
        position = extent.end;
    }
}

static const struct {
    int data_code, hole_code;
    off_t data_moved, hole_moved;
    bool all_data; /* to be taken for data up to the limit */
} answers[] = {
    {EINVAL, EINVAL, 0, 0, true}, /* it knows nothing of holes */
    {EOPNOTSUPP, 0, 0, 0, true},
    {EIO, 0, 0, 0, true},
    {0, EINVAL, 0, 0, true},
    {0, EIO, 0, 0, true},
    {0, 0, -1, 0, true},         /* data before where it was asked for */
    {0, 0, 0, -BLOCK, true},     /* the hole is here, where there were data a moment ago */
    {0, 0, 0, -BLOCK - 1, true}, /* ... or before */
    {0, 0, 0, (off_t)BLOCKS *BLOCK, true}, /* ... or beyond the limit */
};

START_TEST(what_cannot_be_told_is_data)
{
    int fd = file_of("x-x-x-x-", true);

    kernel.data_code = answers[_i].data_code;
    kernel.hole_code = answers[_i].hole_code;
    kernel.data_moved = answers[_i].data_moved;
    kernel.hole_moved = answers[_i].hole_moved;
    struct zs_extent extent = zs_holes_find(fd, 0, (uint64_t)BLOCKS * BLOCK);
    ck_assert(!extent.hole);
    if (answers[_i].all_data)
        ck_assert_uint_eq(extent.end, BLOCKS * BLOCK);
    expect_walk(fd, (uint64_t)BLOCKS * BLOCK);
    (void)close(fd);
}
END_TEST

/* ENXIO says "no data from here on"; behind the end of a file that shrank there is no hole, either.
 */
START_TEST(what_a_file_has_lost_is_no_hole)
{
    int fd = file_of("x-------", true);
    uint64_t limit = (uint64_t)BLOCKS * BLOCK;

    struct zs_extent extent = zs_holes_find(fd, BLOCK, limit);
    ck_assert(extent.hole && extent.end == limit);
    ck_assert_int_eq(ftruncate(fd, (off_t)limit - 1), 0);
    extent = zs_holes_find(fd, BLOCK, limit);
    ck_assert(!extent.hole && extent.end == limit);
    extent = zs_holes_find(fd, BLOCK, limit - 1);
    ck_assert(extent.hole && extent.end == limit - 1);
    ck_assert_int_eq(ftruncate(fd, 0), 0);
    extent = zs_holes_find(fd, BLOCK, limit);
    ck_assert(!extent.hole && extent.end == limit);
    (void)close(fd);
}
END_TEST

START_TEST(a_pipe_has_no_holes)
{
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    struct zs_extent extent = zs_holes_find(ends[0], 0, 10);
    ck_assert(!extent.hole && extent.end == 10);
    (void)close(ends[0]);
    (void)close(ends[1]);
}
END_TEST

static const uint64_t before_the_largest[] = {1, 2, 4094, 4095, 4096, 8192, BLOCK, 2 * BLOCK};

/* In the last page, memory of Linux 6.18 says ENXIO, though there are data. */
START_TEST(data_at_the_largest_positions_are_no_hole)
{
    int fd = memfd_create("holes", MFD_CLOEXEC);
    uint64_t size = INT64_MAX, byte = size - before_the_largest[_i];
    const uint64_t starts[] = {0, byte - 2 * (uint64_t)BLOCK, byte - 1, byte};

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, INT64_MAX), 0);
    ck_assert_int_eq(pwrite(fd, "x", 1, (off_t)byte), 1);
    for (int i = 0; i < ROWS(starts); i++) {
        struct zs_extent extent = zs_holes_find(fd, starts[i], size);
        while (extent.hole && extent.end <= byte)
            extent = zs_holes_find(fd, extent.end, size);
        ck_assert_msg(!extent.hole, "the byte %ju before the largest position is in a hole",
                      (uintmax_t)before_the_largest[_i]);
    }
    (void)close(fd);
}
END_TEST

/* Made */

START_TEST(old_bytes_become_a_hole)
{
    int fd = file_of("xxxx", true);
    struct zs_holes holes = {.fd = fd, .size_bytes = 4 * BLOCK};
    char byte = 'x';

    ck_assert_int_eq(zs_holes_make(&holes, BLOCK, 2 * BLOCK), 0);
    ck_assert_int_eq(kernel.punches, 1);
    ck_assert_uint_eq(allocated(fd), 2 * BLOCK);
    ck_assert_uint_eq(file_size(fd), 4 * BLOCK);
    ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 3 * BLOCK);
    ck_assert_int_eq(pread(fd, &byte, 1, 2 * BLOCK), 1);
    ck_assert_int_eq(byte, 0);
    ck_assert_uint_eq(holes.made_bytes, 2 * BLOCK);
    ck_assert_uint_eq(holes.end, 3 * BLOCK);
    ck_assert_int_eq(zs_holes_finish(&holes), 0);
    ck_assert_uint_eq(file_size(fd), 4 * BLOCK);
    (void)close(fd);
}
END_TEST

/* Behind the end there is nothing to be punched. */
START_TEST(behind_the_end_a_hole_is_a_matter_of_going_on)
{
    int fd = file_of("x", true);
    struct zs_holes holes = {.fd = fd, .size_bytes = BLOCK};

    ck_assert_int_eq(zs_holes_make(&holes, BLOCK, 3 * BLOCK), 0);
    ck_assert_int_eq(kernel.punches, 0);
    ck_assert_uint_eq(file_size(fd), BLOCK);
    ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 4 * BLOCK);
    ck_assert_int_eq(zs_holes_finish(&holes), 0);
    ck_assert_uint_eq(file_size(fd), 4 * BLOCK);
    ck_assert_uint_eq(allocated(fd), BLOCK);
    (void)close(fd);
}
END_TEST

START_TEST(across_the_end_only_the_old_bytes_are_punched)
{
    int fd = file_of("xx", true);
    struct zs_holes holes = {.fd = fd, .size_bytes = 2 * BLOCK};

    ck_assert_int_eq(zs_holes_make(&holes, BLOCK, 5 * BLOCK), 0);
    ck_assert_int_eq(kernel.punches, 1);
    ck_assert_uint_eq(kernel.punched_start, BLOCK);
    ck_assert_uint_eq(kernel.punched_length, BLOCK);
    ck_assert_int_eq(zs_holes_finish(&holes), 0);
    ck_assert_uint_eq(file_size(fd), 6 * BLOCK);
    (void)close(fd);
}
END_TEST

static const struct {
    int code, result;
    bool cannot_punch; /* and is not asked again */
} punches[] = {
    {EOPNOTSUPP, -EOPNOTSUPP, true}, {ENOSYS, -EOPNOTSUPP, true}, {EPERM, -EOPNOTSUPP, true},
    {EINVAL, -EOPNOTSUPP, true},     {EIO, -EIO, false},          {ENOSPC, -ENOSPC, false},
    {ENODEV, -ENODEV, false},
};

START_TEST(a_hole_that_cannot_be_made_is_told)
{
    int fd = file_of("xxxx", true);
    struct zs_holes holes = {.fd = fd, .size_bytes = 4 * BLOCK};
    off_t stands = lseek(fd, 7, SEEK_SET);

    kernel.punch_code = punches[_i].code;
    ck_assert_int_eq(zs_holes_make(&holes, BLOCK, BLOCK), punches[_i].result);
    ck_assert_int_eq(holes.cannot_punch, punches[_i].cannot_punch);
    ck_assert_uint_eq(holes.made_bytes, 0);
    ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), stands);
    kernel.punch_code = 0;
    ck_assert_int_eq(zs_holes_make(&holes, BLOCK, BLOCK),
                     punches[_i].cannot_punch ? -EOPNOTSUPP : 0);
    ck_assert_int_eq(kernel.punches, punches[_i].cannot_punch ? 1 : 2);
    /* Behind the end nothing has to be punched. */
    ck_assert_int_eq(zs_holes_make(&holes, 4 * BLOCK, BLOCK), 0);
    (void)close(fd);
}
END_TEST

/* Of a file that others write to, too. */
START_TEST(a_shared_file_is_made_longer_without_cutting_it)
{
    int fd = file_of("x", true);
    struct zs_holes holes = {.fd = fd, .size_bytes = BLOCK, .shared = true};

    ck_assert_int_eq(zs_holes_make(&holes, 2 * BLOCK, BLOCK), 0);
    ck_assert_int_eq(zs_holes_make(&holes, BLOCK, BLOCK), 0); /* kept offsets may go back */
    ck_assert_uint_eq(holes.end, 3 * BLOCK);
    ck_assert_int_eq(zs_holes_finish(&holes), 0);
    ck_assert_uint_eq(file_size(fd), 3 * BLOCK);
    (void)close(fd);
    ck_assert_int_eq(zs_holes_finish(&holes), -EBADF);
}
END_TEST

/* Others may have written behind the last hole: nothing of that is cut. */
START_TEST(finishing_never_cuts)
{
    int fd = file_of("x-x", true);
    struct zs_holes holes = {.fd = fd, .size_bytes = 0};

    ck_assert_int_eq(zs_holes_finish(&holes), 0); /* none was made */
    ck_assert_int_eq(zs_holes_make(&holes, BLOCK, BLOCK), 0);
    ck_assert_int_eq(zs_holes_finish(&holes), 0);
    ck_assert_uint_eq(file_size(fd), 3 * BLOCK);
    (void)close(fd);
}
END_TEST

START_TEST(a_position_that_no_file_has_is_an_error)
{
    int fd = file_of("x", true);
    struct zs_holes holes = {.fd = fd, .size_bytes = BLOCK};

    ck_assert_int_eq(zs_holes_make(&holes, INT64_MAX, 1), -EINVAL);
    ck_assert_uint_eq(holes.made_bytes, 0);
    (void)close(fd);
    holes = (struct zs_holes){.fd = fd, .made_bytes = 1, .end = 1};
    ck_assert_int_eq(zs_holes_finish(&holes), -EBADF);
}
END_TEST

/* Runs: P is the position of the first byte; blocks are 4096. */

static const struct {
    uint64_t position;
    struct {
        char byte;
        size_t length;
    } pieces[4];
    size_t run;
    bool zero;
} runs[] = {
    {0, {{0, 1}}, 1, true},
    {0, {{'x', 1}}, 1, false},
    {0, {{0, 4096}}, 4096, true},
    {0, {{0, 4095}}, 4095, true},
    {0, {{0, 4097}}, 4097, true},
    {0, {{0, 10000}}, 10000, true},
    {0, {{'x', 10000}}, 10000, false},
    {0, {{0, 4096}, {'x', 1}}, 4096, true},
    {0, {{'x', 4096}, {0, 4096}, {'x', 1}}, 4096, false},
    {0, {{'x', 1}, {0, 4095}, {0, 4096}}, 4096, false},
    {0, {{0, 4095}, {'x', 1}, {0, 4096}}, 4096, false},
    {0, {{0, 4096}, {0, 4095}, {'x', 1}}, 4096, true},
    {0, {{0, 8192}, {'x', 4096}, {0, 4096}}, 8192, true},
    {0, {{'x', 8192}, {0, 1}}, 8192, false}, /* the rest of the bytes is zero, too */
    {0, {{0, 8192}, {'x', 1}, {0, 4095}}, 8192, true},
    /* the first block is what is left of it */
    {1, {{0, 4095}, {'x', 1}}, 4095, true},
    {1, {{0, 4096}, {'x', 1}}, 4095, true},
    {4095, {{0, 1}, {'x', 4096}}, 1, true},
    {4095, {{'x', 1}, {0, 4096}}, 1, false},
    {4095, {{0, 1}, {0, 4096}, {'x', 1}}, 4097, true},
    {8191, {{0, 4096}, {'x', 1}}, 1, true},
    {4000, {{'x', 96}, {0, 10}}, 96, false},
    {UINT64_MAX - 4095, {{0, 4096}}, 4096, true},
    {(uint64_t)INT64_MAX - 10, {{0, 10}}, 10, true},
};

START_TEST(a_run_begins_and_ends_on_blocks)
{
    unsigned char *bytes = malloc(20000);
    size_t length = 0;
    bool zero = !runs[_i].zero;

    ck_assert_ptr_nonnull(bytes);
    for (int i = 0; i < 4; i++) {
        memset(bytes + length, runs[_i].pieces[i].byte, runs[_i].pieces[i].length);
        length += runs[_i].pieces[i].length;
    }
    /* Exactly as long, so that reading beyond is found by a sanitizer. */
    unsigned char *exact = malloc(length);
    ck_assert_ptr_nonnull(exact);
    memcpy(exact, bytes, length);
    ck_assert_uint_eq(zs_holes_run(exact, length, runs[_i].position, &zero), runs[_i].run);
    ck_assert_int_eq(zero, runs[_i].zero);
    free(exact);
    free(bytes);
}
END_TEST

/* Run by run, all bytes are seen once, and each run is what it says. */
START_TEST(runs_follow_each_other)
{
    enum { LENGTH = 40000 };
    unsigned char *bytes = calloc(1, LENGTH);
    uint32_t state = 1;

    ck_assert_ptr_nonnull(bytes);
    for (int i = 0; i < 4; i++)
        bytes[(state = state * 1664525 + 1013904223) % LENGTH] = 1;
    for (uint64_t position = 0; position < 9000; position += 997) {
        size_t at = 0;
        while (at < LENGTH) {
            bool zero = false;
            size_t run = zs_holes_run(bytes + at, LENGTH - at, position + at, &zero);
            ck_assert_uint_gt(run, 0);
            ck_assert_uint_le(run, LENGTH - at);
            ck_assert(at + run == LENGTH || (position + at + run) % 4096 == 0);
            ck_assert_int_eq(zero, memchr(bytes + at, 1, run) == NULL);
            at += run;
        }
    }
    free(bytes);
}
END_TEST

START_TEST(of_nothing_nothing_is_alike)
{
    bool zero = false;
    ck_assert_uint_eq(zs_holes_run((const unsigned char *)"", 0, 0, &zero), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("holes");
    TCase *found = add_case(suite, "found");
    tcase_add_checked_fixture(found, begin_test, NULL);
    add_rows(found, holes_of_a_file_are_where_they_were_left, layouts);
    add_rows(found, holes_of_memory_are_where_they_were_left, layouts);
    add_rows(found, what_cannot_be_told_is_data, answers);
    tcase_add_test(found, what_a_file_has_lost_is_no_hole);
    tcase_add_test(found, a_pipe_has_no_holes);
    add_rows(found, data_at_the_largest_positions_are_no_hole, before_the_largest);

    TCase *made = add_case(suite, "made");
    tcase_add_checked_fixture(made, begin_test, NULL);
    tcase_add_test(made, old_bytes_become_a_hole);
    tcase_add_test(made, behind_the_end_a_hole_is_a_matter_of_going_on);
    tcase_add_test(made, across_the_end_only_the_old_bytes_are_punched);
    add_rows(made, a_hole_that_cannot_be_made_is_told, punches);
    tcase_add_test(made, a_shared_file_is_made_longer_without_cutting_it);
    tcase_add_test(made, finishing_never_cuts);
    tcase_add_test(made, a_position_that_no_file_has_is_an_error);

    TCase *alike = add_case(suite, "runs");
    add_rows(alike, a_run_begins_and_ends_on_blocks, runs);
    tcase_add_test(alike, runs_follow_each_other);
    tcase_add_test(alike, of_nothing_nothing_is_alike);
    return run_suite(suite);
}
