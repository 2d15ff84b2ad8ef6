/* Two files side by side, against a comparison byte by byte, and files that cannot be read. */

#include "compare.h"

#include "check_helpers.h"
#include "signals.h"

#include <errno.h>
#include <signal.h>

/* As in compare.c: what is read at a time. */
enum { CHUNK_BYTES = 256 * 1024, SIZE = 3 * CHUNK_BYTES + 1000 };

ssize_t __real_zs_sys_pread(int fd, void *buffer, size_t length_bytes, uint64_t position);
ssize_t __wrap_zs_sys_pread(int fd, void *buffer, size_t length_bytes, uint64_t position);

static struct {
    int fd, fails_at, code; /* this read of this descriptor, from 1 on; 0: none */
    size_t most;            /* a read gives no more; 0: what it gives */
    int count;
} reads;

ssize_t __wrap_zs_sys_pread(int fd, void *buffer, size_t length_bytes, uint64_t position)
{
    if (fd == reads.fd && ++reads.count == reads.fails_at)
        return -reads.code;
    if (reads.most > 0 && length_bytes > reads.most)
        length_bytes = reads.most;
    return __real_zs_sys_pread(fd, buffer, length_bytes, position);
}

static struct zs_error error;
static unsigned char *bytes;

static void begin_test(void)
{
    memset(&reads, 0, sizeof reads);
    memset(&error, 0, sizeof error);
    bytes = new_pattern(SIZE);
}

static void end_test(void)
{
    free(bytes);
}

static struct zs_compared open_both(const void *source, size_t source_length, const void *target,
                                    size_t target_length)
{
    return (struct zs_compared){.source_fd = scratch_file(source, source_length),
                                .target_fd = scratch_file(target, target_length),
                                .source_name = "in",
                                .target_name = "out"};
}

static void close_both(const struct zs_compared *files)
{
    (void)close(files->source_fd);
    (void)close(files->target_fd);
}

/* One part, all of the source, at the target's beginning. */
static struct zs_part whole_part(uint64_t length)
{
    return (struct zs_part){.range = zs_range_contiguous(0, length)};
}

static void expect_no_difference(const struct zs_plan *plan, const struct zs_compared *files,
                                 uint64_t start, uint64_t end)
{
    struct zs_difference difference;

    ck_assert_msg(zs_compare(plan, files, start, end, &difference, &error) == 0, "%s: %s",
                  error.object, error.detail);
    ck_assert_msg(!difference.found, "byte %ju differs from %ju",
                  (uintmax_t)difference.source_position, (uintmax_t)difference.target_position);
}

static void expect_difference(const struct zs_plan *plan, const struct zs_compared *files,
                              uint64_t start, uint64_t end, uint64_t source, uint64_t target)
{
    struct zs_difference difference;

    ck_assert_int_eq(zs_compare(plan, files, start, end, &difference, &error), 0);
    ck_assert(difference.found);
    ck_assert_uint_eq(difference.source_position, source);
    ck_assert_uint_eq(difference.target_position, target);
    ck_assert_int_eq(error.kind, ZS_ERROR_NONE);
}

static const size_t places[] = {
    0, 1, 4095, CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES - 1, 3 * CHUNK_BYTES, SIZE - 1};

START_TEST(the_first_byte_that_differs_is_found)
{
    unsigned char *other = new_pattern(SIZE);
    struct zs_part part = whole_part(SIZE);
    struct zs_plan plan = {.parts = &part, .part_count = 1};
    size_t at = places[_i];

    other[at] ^= 1;
    other[SIZE - 1] ^= 2; /* and a later one, which does not matter */
    struct zs_compared files = open_both(bytes, SIZE, other, SIZE);
    expect_difference(&plan, &files, 0, SIZE, at, at);
    expect_no_difference(&plan, &files, 0, at);
    expect_difference(&plan, &files, at, SIZE, at, at);
    expect_difference(&plan, &files, at, at + 1, at, at);
    if (at + 1 < SIZE)
        expect_no_difference(&plan, &files, at + 1, SIZE - 1);
    close_both(&files);
    free(other);
}
END_TEST

START_TEST(files_that_are_the_same_do_not_differ)
{
    struct zs_part part = whole_part(SIZE);
    struct zs_plan plan = {.parts = &part, .part_count = 1};
    struct zs_compared files = open_both(bytes, SIZE, bytes, SIZE);

    expect_no_difference(&plan, &files, 0, SIZE);
    expect_no_difference(&plan, &files, SIZE - 1, SIZE);
    expect_no_difference(&plan, &files, 5, 5);
    expect_no_difference(&plan, &files, SIZE, SIZE);
    expect_no_difference(&plan, &files, 0, UINT64_MAX); /* there is no more than the plan has */
    reads.most = 777; /* reads that give less than was asked for */
    expect_no_difference(&plan, &files, 0, SIZE);
    close_both(&files);
}
END_TEST

/* Small files, several parts with gaps, and every stretch of them, against a walk. */

enum { SMALL = 48, MOST_BYTES = 64 };

struct byte {
    uint64_t source, target;
};

static size_t walk(const struct zs_plan *plan, struct byte walked[MOST_BYTES])
{
    size_t count = 0;

    for (size_t i = 0; i < plan->part_count; i++) {
        const struct zs_part *part = &plan->parts[i];
        for (uint64_t n = 0; n < part->range.length_bytes; n++) {
            uint64_t offset = zs_range_offset(&part->range, n);
            ck_assert_uint_lt(count, MOST_BYTES);
            walked[count++] = (struct byte){part->source_position + offset,
                                            part->target_position + (plan->scattered ? offset : n)};
        }
    }
    return count;
}

#define PIECES(first, piece, stride, length)                                                       \
    {                                                                                              \
        .start = (first), .piece_bytes = (piece), .stride_bytes = (stride),                        \
        .length_bytes = (length), .bounded = true                                                  \
    }

static const struct {
    struct zs_range ranges[3];
    size_t count;
    bool keep_offset;
} layouts[] = {
    {{PIECES(0, 1, 1, 20)}, 1, false},
    {{PIECES(3, 2, 5, 11)}, 1, false},
    {{PIECES(3, 2, 5, 11)}, 1, true},
    {{PIECES(30, 4, 4, 4), PIECES(0, 4, 4, 4)}, 2, false},
    {{PIECES(30, 4, 4, 4), PIECES(0, 4, 4, 4)}, 2, true},
    {{PIECES(0, 1, 3, 6), PIECES(9, 1, 1, 0), PIECES(20, 3, 7, 10)}, 3, false},
    {{PIECES(0, 1, 3, 6), PIECES(9, 1, 1, 0), PIECES(20, 3, 7, 10)}, 3, true},
    {{PIECES(5, 1, 1, 7), PIECES(5, 1, 1, 7), PIECES(6, 1, 2, 3)}, 3, false},
};

START_TEST(each_byte_is_compared_with_the_one_at_its_place)
{
    struct zs_part parts[3] = {0};
    struct zs_plan plan = {.parts = parts, .part_count = layouts[_i].count};
    struct byte walked[MOST_BYTES];
    unsigned char target[SMALL + 10] = {0};
    uint64_t next = 2;

    plan.scattered = layouts[_i].keep_offset;
    for (size_t i = 0; i < plan.part_count; i++) {
        parts[i].range = layouts[_i].ranges[i];
        parts[i].source_position = parts[i].range.start + 5; /* the source stands at 5 */
        parts[i].target_position = plan.scattered ? parts[i].range.start : next;
        next += parts[i].range.length_bytes;
    }
    size_t count = walk(&plan, walked);
    for (size_t n = 0; n < count; n++)
        target[walked[n].target] = bytes[walked[n].source];

    struct zs_compared files = open_both(bytes, SMALL, target, sizeof target);
    for (size_t start = 0; start <= count; start++) {
        for (size_t end = start; end <= count; end++)
            expect_no_difference(&plan, &files, start, end);
    }
    for (size_t wrong = 0; wrong < count; wrong++) {
        unsigned char byte = (unsigned char)~bytes[walked[wrong].source];
        ck_assert_int_eq(pwrite(files.target_fd, &byte, 1, (off_t)walked[wrong].target), 1);
        expect_difference(&plan, &files, 0, count, walked[wrong].source, walked[wrong].target);
        expect_no_difference(&plan, &files, 0, wrong);
        expect_no_difference(&plan, &files, wrong + 1, count);
        byte = bytes[walked[wrong].source];
        ck_assert_int_eq(pwrite(files.target_fd, &byte, 1, (off_t)walked[wrong].target), 1);
    }
    close_both(&files);
}
END_TEST

static void expect_failure(const struct zs_plan *plan, const struct zs_compared *files,
                           const char *object, int code, const char *detail)
{
    struct zs_difference difference;

    ck_assert_int_eq(zs_compare(plan, files, 0, SIZE, &difference, &error), -1);
    ck_assert_int_eq(error.kind, ZS_ERROR_TRANSFER);
    ck_assert_str_eq(error.object, object);
    ck_assert_int_eq(error.code, code);
    ck_assert_msg(strstr(error.detail, detail), "'%s' does not say '%s'", error.detail, detail);
}

START_TEST(a_file_that_ends_before_is_an_error)
{
    struct zs_part part = whole_part(SIZE);
    struct zs_plan plan = {.parts = &part, .part_count = 1};
    size_t short_by = (size_t)1 << (4 * _i); /* up to 64 KiB */
    char detail[64];
    struct zs_compared files = open_both(bytes, SIZE - short_by, bytes, SIZE);

    (void)snprintf(detail, sizeof detail, "it ends at %zu, before the slice does", SIZE - short_by);
    expect_failure(&plan, &files, "in", 0, detail);
    close_both(&files);
    memset(&error, 0, sizeof error);
    files = open_both(bytes, SIZE, bytes, SIZE - short_by);
    expect_failure(&plan, &files, "out", 0, detail);
    close_both(&files);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_named)
{
    struct zs_part part = whole_part(SIZE);
    struct zs_plan plan = {.parts = &part, .part_count = 1};
    struct zs_compared files = open_both(bytes, SIZE, bytes, SIZE);
    bool source = _i % 2 == 0;

    reads.fd = source ? files.source_fd : files.target_fd;
    reads.fails_at = 1 + _i / 2;
    reads.code = EIO;
    expect_failure(&plan, &files, source ? "in" : "out", EIO, "");
    ck_assert_str_eq(error.operation, "reading it again");
    ck_assert_int_eq(reads.count, reads.fails_at);
    close_both(&files);
}
END_TEST

START_TEST(a_signal_stops_it)
{
    struct zs_part part = whole_part(SIZE);
    struct zs_plan plan = {.parts = &part, .part_count = 1};
    struct zs_compared files = open_both(bytes, SIZE, bytes, SIZE);

    zs_signals_catch();
    ck_assert_int_eq(raise(SIGTERM), 0);
    expect_failure(&plan, &files, "out", 0, "stopped by SIGTERM");
    ck_assert_str_eq(error.operation, "comparing");
    close_both(&files);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("compare");
    TCase *differences = add_case(suite, "differences");
    tcase_add_checked_fixture(differences, begin_test, end_test);
    add_rows(differences, the_first_byte_that_differs_is_found, places);
    tcase_add_test(differences, files_that_are_the_same_do_not_differ);
    add_rows(differences, each_byte_is_compared_with_the_one_at_its_place, layouts);

    TCase *failures = add_case(suite, "failures");
    tcase_add_checked_fixture(failures, begin_test, end_test);
    tcase_add_loop_test(failures, a_file_that_ends_before_is_an_error, 0, 5);
    tcase_add_loop_test(failures, a_file_that_cannot_be_read_is_named, 0, 8);
    tcase_add_test(failures, a_signal_stops_it);
    return run_suite(suite);
}
