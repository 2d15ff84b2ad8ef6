/*
 * A file made the slice of itself: by a file system that takes its beginning out, by moving, with
 * others that change it meanwhile, and with calls that fail.
 */

#include "collapse.h"

#include "check_helpers.h"

#include <errno.h>

enum { KIB = 1024, BLOCK = 4 * KIB, SIZE = 40 * KIB + 123 };

int __real_zs_sys_collapse(int fd, uint64_t start, uint64_t length_bytes);
int __wrap_zs_sys_collapse(int fd, uint64_t start, uint64_t length_bytes);
int __real_zs_sys_truncate(int fd, uint64_t size_bytes);
int __wrap_zs_sys_truncate(int fd, uint64_t size_bytes);
int __wrap_zs_sys_sync(int fd);
ssize_t __real_zs_sys_write(int fd, const void *bytes, size_t length_bytes);
ssize_t __wrap_zs_sys_write(int fd, const void *bytes, size_t length_bytes);

static struct {
    bool emulated; /* the file system can do it, with blocks of BLOCK */
    int collapse_code, truncate_code, sync_code, write_code;
    int writes_good; /* so many writes succeed before one fails */
    bool grows;      /* another process adds to the file, when its beginning is out */
    int collapses, truncates, syncs;
} calls;

static unsigned char *bytes;

static void take_out(int fd, uint64_t length)
{
    char *rest = malloc(SIZE);
    ck_assert_ptr_nonnull(rest);
    ssize_t got = pread(fd, rest, SIZE, (off_t)length);
    ck_assert_int_ge(got, 0);
    ck_assert_int_eq(pwrite(fd, rest, (size_t)got, 0), got);
    ck_assert_int_eq(ftruncate(fd, (off_t)got), 0);
    free(rest);
}

int __wrap_zs_sys_collapse(int fd, uint64_t start, uint64_t length_bytes)
{
    int result = 0;

    calls.collapses++;
    ck_assert_uint_eq(start, 0);
    if (calls.collapse_code)
        return -calls.collapse_code;
    if (calls.emulated)
        take_out(fd, length_bytes);
    else
        result = __real_zs_sys_collapse(fd, start, length_bytes);
    if (calls.grows)
        ck_assert_int_eq(pwrite(fd, "theirs", 6, (off_t)file_size(fd)), 6);
    return result;
}

int __wrap_zs_sys_truncate(int fd, uint64_t size_bytes)
{
    calls.truncates++;
    return calls.truncate_code ? -calls.truncate_code : __real_zs_sys_truncate(fd, size_bytes);
}

int __wrap_zs_sys_sync(int fd)
{
    (void)fd;
    calls.syncs++;
    return -calls.sync_code;
}

ssize_t __wrap_zs_sys_write(int fd, const void *some, size_t length_bytes)
{
    if (calls.write_code && calls.writes_good-- == 0)
        return -calls.write_code;
    return __real_zs_sys_write(fd, some,
                               length_bytes < 5000 || !calls.write_code ? length_bytes : 5000);
}

static void begin_test(void)
{
    enter_scratch_folder();
    memset(&calls, 0, sizeof calls);
    bytes = new_pattern(SIZE);
    make_file("file", bytes, SIZE);
}

static void end_test(void)
{
    free(bytes);
    leave_scratch_folder();
}

struct run {
    enum zs_in_place how;
    uint64_t start, length;
    bool sync;
    void (*meddle)(void); /* after the plan was made */
    struct zs_error error;
    struct zs_stats stats;
    uint64_t done_bytes;
};

static int collapse(struct run *run)
{
    struct zs_options options = {
        .source_path = "file",
        .source_name = "FILE",
        .target_path = "-",
        .target_name = "standard output",
        .selection = {1, {0, 1}, {0, 0}, 1},
        .slice = {.offset = {run->start, false}, .has_length = true, .length_bytes = run->length},
        .in_place = run->how};
    struct zs_facts target = {.kind = ZS_KIND_CHARACTER, .writable = true};
    struct zs_source source;
    struct zs_plan plan;

    ck_assert_int_eq(zs_source_open(&source, "file", "FILE", 0, &run->error), 0);
    ck_assert_msg(zs_plan_make(&options, &source.facts, &target, &plan, &run->error) == 0, "%s",
                  run->error.detail);
    plan.sync = run->sync;
    if (run->meddle)
        run->meddle();
    int result = zs_collapse(&plan, &source, &run->stats, &run->done_bytes, &run->error);
    zs_plan_free(&plan);
    zs_source_close(&source);
    return result;
}

static void expect_slice(uint64_t start, uint64_t length)
{
    expect_file("file", bytes + start, (size_t)length);
}

static const struct {
    uint64_t start, length;
} slices[] = {
    {0, SIZE},         {0, 1},          {0, 0},           {1, SIZE - 1},
    {BLOCK, SIZE},     {BLOCK, BLOCK},  {2 * BLOCK, 1},   {BLOCK - 1, 2 * BLOCK},
    {SIZE - 1, 1},     {SIZE, 0},       {SIZE / 2, 0},    {1, 5},
    {9 * BLOCK, SIZE}, {3, 10 * BLOCK}, {BLOCK + 1, 777},
};

static uint64_t length_of(int row)
{
    uint64_t left = SIZE - slices[row].start;
    return slices[row].length < left ? slices[row].length : left;
}

/* By whatever the file system of the tests can do; by one that can; by one that cannot. */
START_TEST(the_file_becomes_the_slice)
{
    for (int way = 0; way < 3; way++) {
        struct run run = {
            .how = ZS_IN_PLACE_AUTO, .start = slices[_i].start, .length = slices[_i].length};
        make_file("file", bytes, SIZE);
        calls.emulated = way == 1;
        calls.collapse_code = way == 2 ? EOPNOTSUPP : 0;
        ck_assert_msg(collapse(&run) == 0, "%s: %d %s", run.error.operation, run.error.code,
                      run.error.detail);
        ck_assert_uint_eq(run.done_bytes, length_of(_i));
        expect_slice(slices[_i].start, length_of(_i));
        ck_assert_int_eq(calls.syncs, 0);
    }
}
END_TEST

START_TEST(whole_blocks_are_taken_out_and_nothing_is_copied)
{
    struct run run = {.how = ZS_IN_PLACE_COLLAPSE, .start = 2 * BLOCK, .length = 3 * BLOCK + 5};

    calls.emulated = true;
    ck_assert_int_eq(collapse(&run), 0);
    ck_assert_int_eq(calls.collapses, 1);
    ck_assert_uint_eq(run.stats.user_copied_bytes, 0);
    expect_slice(2 * BLOCK, 3 * BLOCK + 5);
}
END_TEST

/* A file that is the slice already is not touched, and neither are those that need no collapse. */
START_TEST(what_is_not_needed_is_not_done)
{
    struct run whole = {.how = ZS_IN_PLACE_COLLAPSE, .length = SIZE};
    struct run front = {.how = ZS_IN_PLACE_COLLAPSE, .length = 3};
    struct run empty = {.how = ZS_IN_PLACE_COLLAPSE, .start = 7, .length = 0};

    ck_assert_int_eq(collapse(&whole), 0);
    ck_assert_int_eq(calls.truncates, 0);
    ck_assert_int_eq(collapse(&front), 0);
    ck_assert_int_eq(calls.truncates, 1);
    expect_slice(0, 3);
    make_file("file", bytes, SIZE);
    ck_assert_int_eq(collapse(&empty), 0);
    ck_assert_int_eq(calls.collapses, 0);
    expect_slice(0, 0);
}
END_TEST

static void expect_failure(struct run *run, enum zs_error_kind kind, const char *operation,
                           int code, const char *detail)
{
    ck_assert_int_eq(collapse(run), -1);
    ck_assert_int_eq(run->error.kind, kind);
    ck_assert_str_eq(run->error.object, "FILE");
    ck_assert_str_eq(run->error.operation, operation);
    ck_assert_int_eq(run->error.code, code);
    ck_assert_msg(strstr(run->error.detail, detail), "'%s' does not say '%s'", run->error.detail,
                  detail);
}

START_TEST(an_offset_inside_a_block_is_refused_with_those_that_would_do)
{
    struct run run = {.how = ZS_IN_PLACE_COLLAPSE, .start = 2 * BLOCK + 1, .length = 5};
    struct stat status;
    char detail[100];

    ck_assert_int_eq(stat("file", &status), 0);
    uint64_t block = (uint64_t)status.st_blksize;
    uint64_t lower = run.start / block * block;
    (void)snprintf(detail, sizeof detail, "the offset %llu would do, or %llu",
                   (unsigned long long)lower, (unsigned long long)(lower + block));
    expect_failure(&run, ZS_ERROR_REFUSED, "--in-place=collapse", 0, detail);
    expect_slice(0, SIZE);
    ck_assert_int_eq(calls.collapses, 0);
}
END_TEST

static const struct {
    int code;
    enum zs_error_kind kind;
    const char *operation, *detail;
} refusals[] = {
    {EOPNOTSUPP, ZS_ERROR_REFUSED, "--in-place", "its file system cannot take out its beginning"},
    {ENOSYS, ZS_ERROR_REFUSED, "--in-place", "its file system cannot take out its beginning"},
    {EINVAL, ZS_ERROR_REFUSED, "--in-place", "its file system cannot take out its beginning"},
    {EPERM, ZS_ERROR_REFUSED, "--in-place", ""},
    {ETXTBSY, ZS_ERROR_REFUSED, "--in-place", ""},
    {EIO, ZS_ERROR_TRANSFER, "taking out its beginning", "is not known"},
    {ENOSPC, ZS_ERROR_TRANSFER, "taking out its beginning", "is not known"},
};

START_TEST(a_beginning_that_cannot_be_taken_out_is_told)
{
    struct run run = {.how = ZS_IN_PLACE_COLLAPSE, .start = 2 * BLOCK, .length = 5};

    calls.collapse_code = refusals[_i].code;
    expect_failure(&run, refusals[_i].kind, refusals[_i].operation, refusals[_i].code,
                   refusals[_i].detail);
    expect_slice(0, SIZE);
}
END_TEST

START_TEST(auto_does_not_move_what_could_be_lost)
{
    struct run run = {.how = ZS_IN_PLACE_AUTO, .start = 2 * BLOCK, .length = 5};

    calls.collapse_code = _i == 0 ? EIO : EPERM;
    ck_assert_int_eq(collapse(&run), -1);
    ck_assert_int_eq(run.error.code, calls.collapse_code);
    expect_slice(0, SIZE);
}
END_TEST

static void grow(void)
{
    int fd = open("file", O_WRONLY | O_APPEND | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    write_all(fd, "theirs", 6);
    (void)close(fd);
}

static void rewrite(void)
{
    int fd = open("file", O_WRONLY | O_CLOEXEC);
    static const struct timespec times[2] = {{1, 2}, {3, 4}};
    ck_assert_int_ge(fd, 0);
    write_all(fd, bytes, 1);
    ck_assert_int_eq(futimens(fd, times), 0);
    (void)close(fd);
}

static void replace(void)
{
    make_file("other", bytes, SIZE);
    ck_assert_int_eq(rename("other", "file"), 0);
}

static void (*const meddlers[])(void) = {grow, rewrite, replace};

START_TEST(a_file_that_was_changed_meanwhile_is_left_alone)
{
    static const enum zs_in_place hows[] = {ZS_IN_PLACE_AUTO, ZS_IN_PLACE_COLLAPSE};

    for (int i = 0; i < ROWS(hows); i++) {
        struct run run = {.how = hows[i], .start = BLOCK, .length = 5, .meddle = meddlers[_i]};
        make_file("file", bytes, SIZE);
        expect_failure(&run, ZS_ERROR_REFUSED, "--in-place", 0, "it was changed meanwhile");
        ck_assert_int_eq(calls.collapses + calls.truncates, 0);
        ck_assert_uint_eq(run.done_bytes, 0);
    }
}
END_TEST

START_TEST(what_others_add_later_is_not_cut_off)
{
    struct run run = {.how = ZS_IN_PLACE_AUTO, .start = BLOCK, .length = _i == 0 ? 5 : SIZE};

    calls.emulated = calls.grows = true;
    expect_failure(&run, ZS_ERROR_TRANSFER, "truncating", 0, "it was changed meanwhile");
    ck_assert_int_eq(calls.truncates, 0);
    int fd = open("file", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_uint_eq(file_size(fd), SIZE - BLOCK + 6);
    (void)close(fd);
}
END_TEST

START_TEST(a_cut_that_fails_leaves_the_slice_at_the_front)
{
    struct run run = {.how = ZS_IN_PLACE_AUTO, .start = BLOCK, .length = 500};
    unsigned char front[500];

    calls.emulated = true;
    calls.truncate_code = EIO;
    expect_failure(&run, ZS_ERROR_TRANSFER, "truncating", EIO, "its first 500 bytes are the slice");
    ck_assert_uint_eq(run.done_bytes, 500);
    int fd = open("file", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(pread(fd, front, 500, 0), 500);
    ck_assert_mem_eq(front, bytes + BLOCK, 500);
    (void)close(fd);
}
END_TEST

/* What was moved and what is still where it was make up the slice. */
START_TEST(a_move_that_fails_says_where_the_rest_is)
{
    struct run run = {.how = ZS_IN_PLACE_AUTO, .start = 10001, .length = 20000};
    char detail[100];

    calls.collapse_code = EOPNOTSUPP;
    calls.write_code = EIO;
    calls.writes_good = _i;
    (void)snprintf(detail, sizeof detail,
                   "its first %d bytes are the slice's, which goes on at position %d", 5000 * _i,
                   10001 + 5000 * _i);
    expect_failure(&run, ZS_ERROR_TRANSFER, "writing", EIO, detail);
    ck_assert_uint_eq(run.done_bytes, 5000 * (unsigned)_i);
    int fd = open("file", O_RDONLY | O_CLOEXEC);
    unsigned char *content = malloc(SIZE);
    ck_assert_ptr_nonnull(content);
    ck_assert_int_eq(pread(fd, content, SIZE, 0), SIZE);
    ck_assert_mem_eq(content, bytes + 10001, 5000 * (size_t)_i);
    ck_assert_mem_eq(content + 10001 + 5000 * _i, bytes + 10001 + 5000 * _i,
                     20000 - 5000 * (size_t)_i);
    free(content);
    (void)close(fd);
}
END_TEST

START_TEST(it_is_synced_if_that_is_wanted)
{
    struct run run = {.how = ZS_IN_PLACE_AUTO, .start = 1, .length = 5, .sync = true};

    if (_i == 0) {
        ck_assert_int_eq(collapse(&run), 0);
    } else {
        calls.sync_code = EIO;
        expect_failure(&run, ZS_ERROR_DEVICE, "syncing", EIO, "");
    }
    ck_assert_int_eq(calls.syncs, 1);
    expect_slice(1, 5);
}
END_TEST

/* Holes that are moved down stay holes. */
START_TEST(holes_are_moved_as_holes)
{
    enum { HUGE_SIZE = 8 * 1024 * KIB };
    struct run run = {.how = ZS_IN_PLACE_AUTO, .start = 1, .length = UINT64_MAX};
    struct stat status;
    char byte = 0;

    make_file("file", "", 0);
    ck_assert_int_eq(truncate("file", HUGE_SIZE), 0);
    int fd = open("file", O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(pwrite(fd, "x", 1, HUGE_SIZE - 1), 1);
    calls.collapse_code = EOPNOTSUPP;
    ck_assert_msg(collapse(&run) == 0, "%s", run.error.detail);
    ck_assert_uint_eq(file_size(fd), HUGE_SIZE - 1);
    ck_assert_int_eq(pread(fd, &byte, 1, HUGE_SIZE - 2), 1);
    ck_assert_int_eq(byte, 'x');
    ck_assert_int_eq(fstat(fd, &status), 0);
    ck_assert_int_lt(status.st_blocks, HUGE_SIZE / 512 / 8);
    (void)close(fd);
}
END_TEST

START_TEST(a_file_that_may_not_be_written_is_refused)
{
    struct run run = {.how = ZS_IN_PLACE_AUTO, .start = 1, .length = 5};

    ck_assert_int_eq(chmod("file", 0444), 0);
    ck_assert_int_eq(chmod(".", 0755), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(1234), 0);
    expect_failure(&run, ZS_ERROR_REFUSED, "opening", EACCES, "");
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
    expect_slice(0, SIZE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("collapse");
    TCase *done = add_case(suite, "done");
    tcase_add_checked_fixture(done, begin_test, end_test);
    add_rows(done, the_file_becomes_the_slice, slices);
    tcase_add_test(done, whole_blocks_are_taken_out_and_nothing_is_copied);
    tcase_add_test(done, what_is_not_needed_is_not_done);
    tcase_add_loop_test(done, it_is_synced_if_that_is_wanted, 0, 2);
    tcase_add_test(done, holes_are_moved_as_holes);

    TCase *failures = add_case(suite, "failures");
    tcase_add_checked_fixture(failures, begin_test, end_test);
    tcase_add_test(failures, an_offset_inside_a_block_is_refused_with_those_that_would_do);
    add_rows(failures, a_beginning_that_cannot_be_taken_out_is_told, refusals);
    tcase_add_loop_test(failures, auto_does_not_move_what_could_be_lost, 0, 2);
    add_rows(failures, a_file_that_was_changed_meanwhile_is_left_alone, meddlers);
    tcase_add_loop_test(failures, what_others_add_later_is_not_cut_off, 0, 2);
    tcase_add_test(failures, a_cut_that_fails_leaves_the_slice_at_the_front);
    tcase_add_loop_test(failures, a_move_that_fails_says_where_the_rest_is, 0, 4);
    tcase_add_test(failures, a_file_that_may_not_be_written_is_refused);
    return run_suite(suite);
}
