/* The target's life on real files: what is touched when, and what a failure leaves behind. */

#include "target.h"

#include "check_helpers.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>

enum { MEBIBYTE = 1024 * 1024 };

static const struct zs_plan whole = {.placement = ZS_PLACE_WHOLE};
static const struct zs_plan append = {.placement = ZS_PLACE_APPEND};

static struct zs_plan at(uint64_t position)
{
    return (struct zs_plan){.placement = ZS_PLACE_AT, .target_position = position};
}

static struct zs_error error;

static void no_error(void)
{
    enter_scratch_folder();
    error = (struct zs_error){0};
    (void)umask(022);
}

static void examine(struct zs_target *target, const char *path)
{
    ck_assert_int_eq(zs_target_examine(target, path, path, O_EXCL, &error), 0);
}

/* Up to where the engines begin. */
static void begin(struct zs_target *target, const char *path, const struct zs_plan *plan)
{
    examine(target, path);
    ck_assert_int_eq(zs_target_open(target, plan, &error), 0);
    ck_assert_int_eq(zs_target_prepare(target, plan, &error), 0);
}

/* What engines leave that have put `done` bytes, and `excess` behind them, where the plan has them.
 */
static struct zs_written wrote(const struct zs_plan *plan, uint64_t done, uint64_t excess)
{
    return (struct zs_written){.done_bytes = done,
                               .excess_bytes = excess,
                               .end = plan->target_position + done,
                               .furthest_end = plan->target_position + done};
}

static const struct zs_written nothing;

/* The last two steps of a copy. */
static int complete(struct zs_target *target, const struct zs_plan *plan,
                    const struct zs_written *written, struct zs_error *failure)
{
    if (zs_target_settle(target, plan, written, failure) == 0)
        return zs_target_finish(target, plan, failure);
    zs_target_abandon(target, plan, written, failure);
    return -1;
}

static void finish(struct zs_target *target, const struct zs_plan *plan, uint64_t done)
{
    struct zs_written written = wrote(plan, done, 0);

    ck_assert_int_eq(complete(target, plan, &written, &error), 0);
    ck_assert_int_eq(target->fd, -1);
    zs_target_free(target);
}

/* Abandons after a failure of the engines; what was added to its message is in error.detail. */
static void abandon(struct zs_target *target, const struct zs_plan *plan, uint64_t done,
                    uint64_t excess)
{
    struct zs_written written = wrote(plan, done, excess);

    (void)zs_error_set(&error, ZS_ERROR_TRANSFER, target->name, "writing", EIO, NULL);
    zs_target_abandon(target, plan, &written, &error);
    ck_assert_int_eq(target->fd, -1);
    ck_assert_int_eq(error.code, EIO);
    zs_target_free(target);
}

static void expect_no_error(void)
{
    ck_assert_msg(error.kind == ZS_ERROR_NONE, "%s: %s: %d %s", error.object, error.operation,
                  error.code, error.detail);
}

static void expect_refused(const char *operation, int code)
{
    ck_assert_int_eq(error.kind, ZS_ERROR_REFUSED);
    ck_assert_str_eq(error.operation, operation);
    ck_assert_int_eq(error.code, code);
}

/* Examining and opening */

START_TEST(examining_touches_nothing)
{
    struct zs_target target;

    make_file("out", "old", 3);
    examine(&target, "out");
    ck_assert_int_eq(target.facts.kind, ZS_KIND_REGULAR);
    ck_assert_uint_eq(target.facts.size_bytes, 3);
    ck_assert_int_eq(target.fd, -1);
    zs_target_free(&target);
    expect_file("out", "old", 3);

    examine(&target, "absent");
    ck_assert_int_eq(target.facts.kind, ZS_KIND_NONE);
    zs_target_free(&target);
    ck_assert(!exists("absent"));
}
END_TEST

START_TEST(a_path_that_cannot_be_examined_is_refused)
{
    struct zs_target target;

    make_file("file", "", 0);
    ck_assert_int_eq(zs_target_examine(&target, "file/below", "file/below", O_EXCL, &error), -1);
    expect_refused("examining", ENOTDIR);
    ck_assert_str_eq(error.object, "file/below");
    zs_target_free(&target);
}
END_TEST

START_TEST(a_loop_of_links_is_refused)
{
    struct zs_target target;

    ck_assert_int_eq(symlink("b", "a"), 0);
    ck_assert_int_eq(symlink("a", "b"), 0);
    ck_assert_int_eq(zs_target_examine(&target, "a", "a", O_EXCL, &error), -1);
    expect_refused("examining", ELOOP);
    zs_target_free(&target);
}
END_TEST

START_TEST(opening_an_existing_file_leaves_its_bytes)
{
    struct zs_target target;

    make_file("out", "old", 3);
    examine(&target, "out");
    ck_assert_int_eq(zs_target_open(&target, &whole, &error), 0);
    ck_assert_int_ge(target.fd, 0);
    ck_assert_ptr_null(target.created_path);
    expect_file("out", "old", 3);
    zs_target_free(&target);
}
END_TEST

START_TEST(a_file_is_created_with_0666_less_umask)
{
    static const mode_t masks[] = {0, 022, 077, 0246};
    struct zs_target target;
    struct stat status;

    (void)umask(masks[_i]);
    begin(&target, "out", &whole);
    ck_assert_str_eq(target.created_path, "out");
    ck_assert_int_eq(stat("out", &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0666 & ~masks[_i]);
    finish(&target, &whole, 0);
    expect_file("out", "", 0);
    expect_no_error();
}
END_TEST

START_TEST(the_descriptor_is_not_inherited_by_other_programs)
{
    struct zs_target target;

    begin(&target, "out", &whole);
    ck_assert_int_eq(fcntl(target.fd, F_GETFD), FD_CLOEXEC);
    finish(&target, &whole, 0);
}
END_TEST

START_TEST(a_missing_folder_is_refused_with_a_hint)
{
    struct zs_target target;

    examine(&target, "no/such/out");
    ck_assert_int_eq(zs_target_open(&target, &whole, &error), -1);
    expect_refused("creating", ENOENT);
    ck_assert_ptr_nonnull(strstr(error.detail, "folder"));
    zs_target_abandon(&target, &whole, &nothing, &error);
    zs_target_free(&target);
}
END_TEST

START_TEST(a_file_that_appears_meanwhile_is_not_taken)
{
    struct zs_target target;

    examine(&target, "out");
    make_file("out", "theirs", 6);
    ck_assert_int_eq(zs_target_open(&target, &whole, &error), -1);
    expect_refused("creating", EEXIST);
    zs_target_abandon(&target, &whole, &nothing, &error);
    zs_target_free(&target);
    expect_file("out", "theirs", 6);
}
END_TEST

START_TEST(a_file_that_is_replaced_meanwhile_is_not_taken)
{
    struct zs_target target;

    make_file("out", "old", 3);
    make_file("other", "theirs", 6);
    examine(&target, "out");
    ck_assert_int_eq(rename("other", "out"), 0);
    ck_assert_int_eq(zs_target_open(&target, &whole, &error), -1);
    expect_refused("opening", 0);
    ck_assert_ptr_nonnull(strstr(error.detail, "another file"));
    zs_target_abandon(&target, &whole, &nothing, &error);
    ck_assert_int_eq(target.fd, -1);
    zs_target_free(&target);
    expect_file("out", "theirs", 6);
}
END_TEST

START_TEST(a_file_that_vanishes_meanwhile_is_not_created)
{
    struct zs_target target;

    make_file("out", "old", 3);
    examine(&target, "out");
    ck_assert_int_eq(unlink("out"), 0);
    ck_assert_int_eq(zs_target_open(&target, &whole, &error), -1);
    expect_refused("opening", ENOENT);
    zs_target_free(&target);
    ck_assert(!exists("out"));
}
END_TEST

/* Symbolic links to nothing */

START_TEST(a_link_to_nothing_creates_what_it_names)
{
    struct zs_target target;

    ck_assert_int_eq(mkdir("folder", 0755), 0);
    ck_assert_int_eq(symlink("named", "folder/link"), 0);
    begin(&target, "folder/link", &whole);
    ck_assert_str_eq(target.created_path, "folder/named");
    write_all(target.fd, "new", 3);
    finish(&target, &whole, 3);
    expect_file("folder/named", "new", 3);
    expect_file("folder/link", "new", 3);
}
END_TEST

START_TEST(a_chain_of_links_is_followed_to_its_end)
{
    char absolute[128];
    struct zs_target target;

    ck_assert_int_eq(mkdir("a", 0755), 0);
    ck_assert_int_eq(mkdir("a/b", 0755), 0);
    (void)snprintf(absolute, sizeof absolute, "%s/a/second", scratch_folder);
    ck_assert_int_eq(symlink(absolute, "a/first"), 0);
    ck_assert_int_eq(symlink("b/third", "a/second"), 0);
    ck_assert_int_eq(symlink("../../end", "a/b/third"), 0);
    begin(&target, "a/first", &whole);
    write_all(target.fd, "new", 3);
    finish(&target, &whole, 3);
    expect_file("end", "new", 3);
}
END_TEST

START_TEST(abandoning_removes_what_the_link_names_and_not_the_link)
{
    struct zs_target target;

    ck_assert_int_eq(mkdir("folder", 0755), 0);
    ck_assert_int_eq(symlink("folder/named", "link"), 0);
    begin(&target, "link", &whole);
    ck_assert(exists("folder/named"));
    abandon(&target, &whole, 0, 0);
    ck_assert(!exists("folder/named"));
    ck_assert(exists("link"));
}
END_TEST

START_TEST(no_clobber_takes_a_link_to_nothing_for_a_file)
{
    struct zs_target target;
    const struct zs_plan plan = {.placement = ZS_PLACE_WHOLE, .must_create = true};

    ck_assert_int_eq(symlink("named", "link"), 0);
    examine(&target, "link");
    ck_assert_int_eq(zs_target_open(&target, &plan, &error), -1);
    expect_refused("creating", EEXIST);
    zs_target_free(&target);
    ck_assert(!exists("named"));
}
END_TEST

START_TEST(a_link_into_a_missing_folder_is_refused)
{
    struct zs_target target;

    ck_assert_int_eq(symlink("no/such", "link"), 0);
    examine(&target, "link");
    ck_assert_int_eq(zs_target_open(&target, &whole, &error), -1);
    expect_refused("creating", ENOENT);
    zs_target_free(&target);
    ck_assert(exists("link"));
}
END_TEST

/* Preparing */

START_TEST(a_whole_file_is_emptied_only_when_prepared)
{
    struct zs_target target;

    make_file("out", "old bytes", 9);
    examine(&target, "out");
    ck_assert_int_eq(zs_target_open(&target, &whole, &error), 0);
    expect_file("out", "old bytes", 9);
    ck_assert_int_eq(zs_target_prepare(&target, &whole, &error), 0);
    ck_assert(target.emptied);
    expect_file("out", "", 0);
    write_all(target.fd, "new", 3);
    finish(&target, &whole, 3);
    expect_file("out", "new", 3);
}
END_TEST

START_TEST(an_empty_file_is_not_emptied_again)
{
    struct zs_target target;

    make_file("out", "", 0);
    begin(&target, "out", &whole);
    ck_assert(!target.emptied);
    finish(&target, &whole, 0);
}
END_TEST

static const struct {
    uint64_t position;
    const char *expected;
    size_t length;
} seeks[] = {
    {0, "NEW34567", 8},    {3, "012NEW67", 8},     {5, "01234NEW", 8},
    {7, "0123456NEW", 10}, {8, "01234567NEW", 11}, {10, "01234567\0\0NEW", 13},
};

START_TEST(bytes_go_to_their_position_and_the_others_stay)
{
    struct zs_target target;
    struct zs_plan plan = at(seeks[_i].position);

    make_file("out", "01234567", 8);
    begin(&target, "out", &plan);
    ck_assert(!target.emptied);
    expect_file("out", "01234567", 8);
    write_all(target.fd, "NEW", 3);
    finish(&target, &plan, 3);
    expect_file("out", seeks[_i].expected, seeks[_i].length);
}
END_TEST

START_TEST(a_new_file_begins_with_a_hole_before_the_position)
{
    struct zs_target target;
    struct zs_plan plan = at(4);

    begin(&target, "out", &plan);
    write_all(target.fd, "NEW", 3);
    finish(&target, &plan, 3);
    expect_file("out", "\0\0\0\0NEW", 7);
}
END_TEST

START_TEST(appending_goes_to_the_end_even_if_it_moves)
{
    struct zs_target target;
    struct zs_plan plan = append;
    plan.target_position = 3;

    make_file("out", "old", 3);
    begin(&target, "out", &plan);
    ck_assert(fcntl(target.fd, F_GETFL) & O_APPEND);
    int other = open("out", O_WRONLY | O_APPEND | O_CLOEXEC);
    write_all(other, "+theirs", 7);
    (void)close(other);
    write_all(target.fd, "+new", 4);
    finish(&target, &plan, 4);
    expect_file("out", "old+theirs+new", 14);
}
END_TEST

START_TEST(appending_creates)
{
    struct zs_target target;

    begin(&target, "out", &append);
    ck_assert(fcntl(target.fd, F_GETFL) & O_APPEND);
    write_all(target.fd, "new", 3);
    finish(&target, &append, 3);
    expect_file("out", "new", 3);
}
END_TEST

START_TEST(a_fifo_is_opened_and_nothing_is_done_to_it)
{
    struct zs_target target;
    const struct zs_plan plan = {.placement = ZS_PLACE_HERE, .reserve_bytes = MEBIBYTE};
    char got[4] = "";

    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
    int reader = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    begin(&target, "fifo", &plan);
    write_all(target.fd, "new", 3);
    finish(&target, &plan, 3);
    ck_assert_int_eq(read(reader, got, sizeof got), 3);
    ck_assert_str_eq(got, "new");
    (void)close(reader);
}
END_TEST

/* Finishing */

START_TEST(the_file_is_cut_behind_the_slice)
{
    struct zs_target target;
    struct zs_plan plan = at(2);
    plan.cut_after = true;

    make_file("out", "0123456789", 10);
    begin(&target, "out", &plan);
    write_all(target.fd, "NEW", 3);
    finish(&target, &plan, 3);
    expect_file("out", "01NEW", 5);
}
END_TEST

START_TEST(cutting_behind_an_empty_slice_cuts_at_its_position)
{
    struct zs_target target;
    struct zs_plan plan = at(4);
    plan.cut_after = true;

    make_file("out", "0123456789", 10);
    begin(&target, "out", &plan);
    expect_file("out", "0123456789", 10);
    finish(&target, &plan, 0);
    expect_file("out", "0123", 4);
}
END_TEST

START_TEST(cutting_never_lengthens)
{
    struct zs_target target;
    struct zs_plan plan = at(9);
    plan.cut_after = true;

    make_file("out", "01234", 5);
    begin(&target, "out", &plan);
    finish(&target, &plan, 0);
    expect_file("out", "01234", 5);
}
END_TEST

START_TEST(a_cut_before_sets_the_length_at_once)
{
    struct zs_target target;
    struct zs_plan plan = at(9);
    plan.cut_before = true;

    make_file("out", "01234", 5);
    begin(&target, "out", &plan);
    expect_file("out", "01234\0\0\0\0", 9);
    ck_assert(!target.emptied);
    finish(&target, &plan, 0);
    expect_file("out", "01234\0\0\0\0", 9);

    plan = at(2);
    plan.cut_before = true;
    begin(&target, "out", &plan);
    expect_file("out", "01", 2);
    ck_assert(target.emptied);
    write_all(target.fd, "x", 1);
    finish(&target, &plan, 1);
    expect_file("out", "01x", 3);
}
END_TEST

START_TEST(without_a_cut_the_rest_stays)
{
    struct zs_target target;
    struct zs_plan plan = at(0);

    make_file("out", "01234", 5);
    begin(&target, "out", &plan);
    finish(&target, &plan, 0);
    expect_file("out", "01234", 5);
}
END_TEST

START_TEST(a_cut_that_fails_is_reported_and_the_file_is_closed)
{
    struct zs_target target;
    struct zs_plan plan = at(0);
    plan.cut_after = true;
    struct stat status;

    /* In place of the descriptor, one that ftruncate cannot cut. */
    make_file("out", "01234", 5);
    begin(&target, "out", &plan);
    int readable = open("out", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(dup3(readable, target.fd, O_CLOEXEC), 0);
    int fd = target.fd;
    ck_assert_int_eq(complete(&target, &plan, &nothing, &error), -1);
    ck_assert_int_eq(error.kind, ZS_ERROR_TRANSFER);
    ck_assert_str_eq(error.operation, "truncating");
    ck_assert_int_eq(target.fd, -1);
    ck_assert_int_eq(fstat(fd, &status), -1);
    zs_target_free(&target);
}
END_TEST

/* Reserving */

static uint64_t allocated(const char *path)
{
    struct stat status;
    ck_assert_int_eq(stat(path, &status), 0);
    return (uint64_t)status.st_blocks * 512;
}

static bool can_reserve_here(void)
{
    int fd = open("probe", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    bool can = fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, MEBIBYTE) == 0;
    (void)close(fd);
    (void)unlink("probe");
    return can;
}

static struct zs_plan reserving(struct zs_plan plan, uint64_t bytes)
{
    plan.reserve_bytes = bytes;
    return plan;
}

START_TEST(space_is_reserved_without_making_the_file_longer)
{
    struct zs_target target;
    struct zs_plan plan = reserving(whole, MEBIBYTE);
    if (!can_reserve_here())
        return;

    begin(&target, "out", &plan);
    ck_assert_uint_ge(allocated("out"), MEBIBYTE);
    expect_file("out", "", 0);
    /* A stream's end, or a file that shrank: what is not used is given back. */
    write_all(target.fd, "short", 5);
    finish(&target, &plan, 5);
    ck_assert_uint_lt(allocated("out"), MEBIBYTE);
    expect_file("out", "short", 5);
}
END_TEST

START_TEST(space_that_was_reserved_is_given_back_on_failure)
{
    struct zs_target target;
    struct zs_plan plan = reserving(whole, MEBIBYTE);
    if (!can_reserve_here())
        return;

    begin(&target, "out", &plan);
    write_all(target.fd, "short", 5);
    abandon(&target, &plan, 5, 0);
    ck_assert_uint_lt(allocated("out"), MEBIBYTE);
    expect_file("out", "short", 5);
}
END_TEST

START_TEST(only_what_lies_behind_the_end_is_reserved)
{
    struct zs_target target;
    struct zs_plan plan = reserving(at(0), MEBIBYTE);
    if (!can_reserve_here())
        return;

    /* A hole stays a hole, as far as the file reaches. */
    make_file("out", "", 0);
    ck_assert_int_eq(truncate("out", MEBIBYTE), 0);
    begin(&target, "out", &plan);
    ck_assert_uint_lt(allocated("out"), MEBIBYTE / 2);
    finish(&target, &plan, MEBIBYTE);
    ck_assert_int_eq(truncate("out", MEBIBYTE / 2), 0);

    error = (struct zs_error){0};
    begin(&target, "out", &plan);
    ck_assert_uint_ge(allocated("out"), MEBIBYTE / 2);
    ck_assert_uint_lt(allocated("out"), MEBIBYTE);
    finish(&target, &plan, 0);
    expect_no_error();
}
END_TEST

/*
 * A disk of 1 MiB of our own, for filling the real one would harm others. False where that is not
 * allowed; the tests of full disks in tests/fault and tests/cli remain.
 */
static bool mount_small_disk(void)
{
    ck_assert_int_eq(mkdir("small", 0755), 0);
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", "small", "tmpfs", 0, "size=1m") == 0;
}

static void fail_to_prepare(struct zs_target *target, const struct zs_plan *plan)
{
    examine(target, "small/out");
    ck_assert_int_eq(zs_target_open(target, plan, &error), 0);
    ck_assert_int_eq(zs_target_prepare(target, plan, &error), -1);
    ck_assert_int_eq(error.kind, ZS_ERROR_TRANSFER);
    ck_assert_str_eq(error.operation, "reserving space");
    ck_assert_int_eq(error.code, ENOSPC);
    zs_target_abandon(target, plan, &nothing, &error);
    zs_target_free(target);
}

START_TEST(a_slice_that_cannot_fit_is_found_before_the_old_bytes_are_gone)
{
    struct zs_target target;
    struct zs_plan plan = reserving(whole, 4 * MEBIBYTE);
    if (!mount_small_disk())
        return;

    make_file("small/out", "old", 3);
    fail_to_prepare(&target, &plan);
    expect_file("small/out", "old", 3);
    ck_assert_uint_lt(allocated("small/out"), MEBIBYTE / 2);
    ck_assert_int_eq(umount("small"), 0);
}
END_TEST

START_TEST(a_created_file_that_cannot_hold_the_slice_is_removed)
{
    struct zs_target target;
    struct zs_plan plan = reserving(whole, 4 * MEBIBYTE);
    if (!mount_small_disk())
        return;

    fail_to_prepare(&target, &plan);
    ck_assert(!exists("small/out"));
    ck_assert_int_eq(umount("small"), 0);
}
END_TEST

START_TEST(the_old_bytes_count_as_space_for_the_new_ones)
{
    struct zs_target target;
    struct zs_plan plan = reserving(whole, 700 * 1024);
    unsigned char *old = new_pattern(600 * 1024);
    if (mount_small_disk()) {
        make_file("small/out", old, 600 * 1024);
        begin(&target, "small/out", &plan);
        expect_file("small/out", "", 0);
        finish(&target, &plan, 0);
        expect_no_error();
        ck_assert_int_eq(umount("small"), 0);
    }
    free(old);
}
END_TEST

/* Abandoning */

START_TEST(a_created_file_without_bytes_is_removed)
{
    struct zs_target target;

    begin(&target, "out", &whole);
    abandon(&target, &whole, 0, 0);
    ck_assert(!exists("out"));
    ck_assert_str_eq(error.detail, "");
}
END_TEST

START_TEST(a_created_file_with_bytes_stays_and_says_how_many_are_good)
{
    struct zs_target target;

    begin(&target, "out", &whole);
    write_all(target.fd, "12345", 5);
    abandon(&target, &whole, 5, 0);
    expect_file("out", "12345", 5);
    ck_assert_ptr_nonnull(strstr(error.detail, "first 5 bytes"));
}
END_TEST

START_TEST(an_existing_file_is_never_removed)
{
    struct zs_target target;

    make_file("out", "", 0);
    begin(&target, "out", &whole);
    abandon(&target, &whole, 0, 0);
    expect_file("out", "", 0);
    ck_assert_str_eq(error.detail, "");
}
END_TEST

START_TEST(a_file_that_was_emptied_says_so)
{
    struct zs_target target;

    make_file("out", "old", 3);
    begin(&target, "out", &whole);
    abandon(&target, &whole, 0, 0);
    expect_file("out", "", 0);
    ck_assert_ptr_nonnull(strstr(error.detail, "empty now"));
}
END_TEST

START_TEST(a_file_that_was_only_opened_is_as_it_was)
{
    struct zs_target target;

    make_file("out", "old", 3);
    examine(&target, "out");
    ck_assert_int_eq(zs_target_open(&target, &whole, &error), 0);
    abandon(&target, &whole, 0, 0);
    expect_file("out", "old", 3);
    ck_assert_str_eq(error.detail, "");
}
END_TEST

START_TEST(good_bytes_inside_a_file_are_told_with_their_position)
{
    struct zs_target target;
    struct zs_plan plan = at(2);

    make_file("out", "0123456789", 10);
    begin(&target, "out", &plan);
    write_all(target.fd, "NEW", 3);
    abandon(&target, &plan, 3, 0);
    expect_file("out", "01NEW56789", 10);
    ck_assert_ptr_nonnull(strstr(error.detail, "3 bytes"));
    ck_assert_ptr_nonnull(strstr(error.detail, "position 2"));
}
END_TEST

START_TEST(bytes_that_a_stream_got_are_told)
{
    struct zs_target target;
    const struct zs_plan plan = {.placement = ZS_PLACE_HERE};

    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
    int reader = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    begin(&target, "fifo", &plan);
    write_all(target.fd, "new", 3);
    abandon(&target, &plan, 3, 0);
    ck_assert_ptr_nonnull(strstr(error.detail, "3 bytes were delivered"));
    ck_assert(exists("fifo"));
    (void)close(reader);
}
END_TEST

START_TEST(another_file_of_the_name_is_not_removed)
{
    struct zs_target target;

    begin(&target, "out", &whole);
    make_file("other", "theirs", 6);
    ck_assert_int_eq(rename("other", "out"), 0);
    abandon(&target, &whole, 0, 0);
    expect_file("out", "theirs", 6);
}
END_TEST

START_TEST(a_link_that_took_the_name_is_not_removed)
{
    struct zs_target target;

    begin(&target, "out", &whole);
    ck_assert_int_eq(rename("out", "moved"), 0);
    ck_assert_int_eq(symlink("moved", "out"), 0);
    abandon(&target, &whole, 0, 0);
    ck_assert(exists("out"));
    expect_file("moved", "", 0);
}
END_TEST

/* Bytes that are not the source's */

START_TEST(excess_is_cut_off_the_end)
{
    struct zs_target target;

    begin(&target, "out", &whole);
    write_all(target.fd, "good!bad", 8);
    abandon(&target, &whole, 5, 3);
    expect_file("out", "good!", 5);
    ck_assert_ptr_nonnull(strstr(error.detail, "first 5 bytes"));
    ck_assert_ptr_null(strstr(error.detail, "not the source's"));
}
END_TEST

START_TEST(a_created_file_with_nothing_but_excess_is_removed)
{
    struct zs_target target;

    begin(&target, "out", &whole);
    write_all(target.fd, "bad", 3);
    abandon(&target, &whole, 0, 3);
    ck_assert(!exists("out"));
}
END_TEST

START_TEST(excess_behind_appended_bytes_is_cut_off)
{
    struct zs_target target;
    struct zs_plan plan = append;
    plan.target_position = 3;

    make_file("out", "old", 3);
    begin(&target, "out", &plan);
    write_all(target.fd, "good!bad", 8);
    abandon(&target, &plan, 5, 3);
    expect_file("out", "oldgood!", 8);
}
END_TEST

START_TEST(excess_inside_a_longer_file_cannot_be_taken_back_and_is_told)
{
    struct zs_target target;
    struct zs_plan plan = at(0);

    make_file("out", "0123456789", 10);
    begin(&target, "out", &plan);
    write_all(target.fd, "gbad", 4);
    abandon(&target, &plan, 1, 3);
    expect_file("out", "gbad456789", 10);
    ck_assert_ptr_nonnull(strstr(error.detail, "3 bytes behind them are not the source's"));
}
END_TEST

START_TEST(excess_that_others_wrote_behind_stays)
{
    struct zs_target target;
    struct zs_plan plan = append;

    begin(&target, "out", &plan);
    write_all(target.fd, "bad", 3);
    int other = open("out", O_WRONLY | O_APPEND | O_CLOEXEC);
    write_all(other, "theirs", 6);
    (void)close(other);
    abandon(&target, &plan, 0, 3);
    expect_file("out", "badtheirs", 9);
    ck_assert_ptr_nonnull(strstr(error.detail, "not the source's"));
}
END_TEST

/* Standard output */

static int kept_stdout = -1;

static void replace_stdout(int fd)
{
    (void)fflush(stdout);
    kept_stdout = dup(STDOUT_FILENO);
    ck_assert_int_ge(kept_stdout, 0);
    ck_assert_int_eq(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
}

static void restore_stdout(void)
{
    ck_assert_int_eq(dup2(kept_stdout, STDOUT_FILENO), STDOUT_FILENO);
    (void)close(kept_stdout);
}

static struct zs_plan here(uint64_t position)
{
    return (struct zs_plan){.placement = ZS_PLACE_HERE, .target_position = position};
}

START_TEST(standard_output_goes_on_where_it_stands)
{
    struct zs_target target;
    struct zs_plan plan = here(4);
    int fd = scratch_file("0123456789", 10);
    ck_assert_int_eq(lseek(fd, 4, SEEK_SET), 4);

    replace_stdout(fd);
    begin(&target, "-", &plan);
    ck_assert(target.inherited);
    ck_assert_uint_eq(target.facts.position, 4);
    write_all(target.fd, "NEW", 3);
    finish(&target, &plan, 3);
    restore_stdout();
    expect_content(fd, "0123NEW789", 10);
    ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 7);
    expect_no_error();
}
END_TEST

START_TEST(standard_output_is_left_behind_the_good_bytes_on_failure)
{
    struct zs_target target;
    struct zs_plan plan = here(10);
    int fd = scratch_file("0123456789", 10);
    ck_assert_int_eq(lseek(fd, 10, SEEK_SET), 10);

    replace_stdout(fd);
    begin(&target, "-", &plan);
    write_all(target.fd, "good!bad", 8);
    abandon(&target, &plan, 5, 3);
    restore_stdout();
    expect_content(fd, "0123456789good!", 15);
    ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 15);
}
END_TEST

START_TEST(seeking_on_standard_output_is_absolute)
{
    struct zs_target target;
    struct zs_plan plan = at(2);
    int fd = scratch_file("0123456789", 10);
    ck_assert_int_eq(lseek(fd, 7, SEEK_SET), 7);

    replace_stdout(fd);
    begin(&target, "-", &plan);
    write_all(target.fd, "NEW", 3);
    finish(&target, &plan, 3);
    restore_stdout();
    expect_content(fd, "01NEW56789", 10);
}
END_TEST

START_TEST(a_plan_that_was_never_carried_out_leaves_standard_output_open)
{
    struct zs_target target;
    int fd = scratch_file("0123456789", 10);

    replace_stdout(fd);
    examine(&target, "-");
    zs_target_free(&target);
    bool open = fcntl(STDOUT_FILENO, F_GETFD) >= 0;
    restore_stdout();
    ck_assert(open);
    expect_content(fd, "0123456789", 10);
}
END_TEST

START_TEST(standard_output_that_is_closed_is_refused)
{
    struct zs_target target;

    replace_stdout(STDERR_FILENO);
    (void)close(STDOUT_FILENO);
    int result = zs_target_examine(&target, "-", "standard output", O_EXCL, &error);
    zs_target_free(&target);
    restore_stdout();
    ck_assert_int_eq(result, -1);
    expect_refused("examining", EBADF);
}
END_TEST

/* Files that other processes write to at the same time: --keep-offset */

static struct zs_plan shared_at(uint64_t position)
{
    return (struct zs_plan){.placement = ZS_PLACE_AT, .target_position = position, .shared = true};
}

START_TEST(a_shared_file_that_appears_meanwhile_is_joined)
{
    struct zs_target target;
    struct zs_plan plan = shared_at(6);

    examine(&target, "out");
    make_file("out", "theirs", 6);
    ck_assert_int_eq(zs_target_open(&target, &plan, &error), 0);
    ck_assert_ptr_null(target.created_path);
    ck_assert_int_eq(zs_target_prepare(&target, &plan, &error), 0);
    write_all(target.fd, "ours", 4);
    finish(&target, &plan, 4);
    expect_file("out", "theirsours", 10);
    expect_no_error();
}
END_TEST

START_TEST(what_appears_meanwhile_and_is_no_file_is_not_joined)
{
    struct zs_target target;
    struct zs_plan plan = shared_at(0);

    examine(&target, "out");
    ck_assert_int_eq(mkfifo("out", 0600), 0);
    int reader = open("out", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ck_assert_int_eq(zs_target_open(&target, &plan, &error), -1);
    expect_refused("opening", 0);
    ck_assert_ptr_nonnull(strstr(error.detail, "another file"));
    zs_target_abandon(&target, &plan, &nothing, &error);
    zs_target_free(&target);
    (void)close(reader);
}
END_TEST

START_TEST(a_shared_file_is_not_removed_though_it_was_created)
{
    struct zs_target target;
    struct zs_plan plan = shared_at(0);

    begin(&target, "out", &plan);
    ck_assert_str_eq(target.created_path, "out");
    abandon(&target, &plan, 0, 0);
    expect_file("out", "", 0);
}
END_TEST

/* What lies there may be another's by now. */
START_TEST(excess_in_a_shared_file_is_told_and_not_cut_off)
{
    struct zs_target target;
    struct zs_plan plan = shared_at(0);

    begin(&target, "out", &plan);
    write_all(target.fd, "good!bad", 8);
    abandon(&target, &plan, 5, 3);
    expect_file("out", "good!bad", 8);
    ck_assert_ptr_nonnull(strstr(error.detail, "3 bytes behind them are not the source's"));
}
END_TEST

START_TEST(a_shared_file_keeps_its_size_and_blocks)
{
    struct zs_target target;
    struct zs_plan plan = reserving(shared_at(0), MEBIBYTE);

    make_file("out", "old", 3);
    begin(&target, "out", &plan);
    ck_assert_uint_eq(target.reserved_end, 0);
    ck_assert_uint_lt(allocated("out"), MEBIBYTE / 2);
    expect_file("out", "old", 3);
    finish(&target, &plan, 0);
    expect_file("out", "old", 3);
}
END_TEST

START_TEST(scattered_bytes_are_told_by_their_number)
{
    struct zs_target target;
    struct zs_plan plan = shared_at(2);
    plan.scattered = true;

    begin(&target, "out", &plan);
    write_all(target.fd, "x", 1);
    ck_assert_int_eq(pwrite(target.fd, "y", 1, 9), 1);
    abandon(&target, &plan, 2, 0);
    expect_file("out", "\0\0x\0\0\0\0\0\0y", 10);
    ck_assert_ptr_nonnull(strstr(error.detail, "first 2 bytes of the slice are in their places"));
}
END_TEST

START_TEST(a_cut_is_behind_the_furthest_byte_written)
{
    struct zs_target target;
    struct zs_plan plan = at(7);
    const struct zs_written written = {.done_bytes = 4, .end = 3, .furthest_end = 8};
    plan.cut_after = true;

    make_file("out", "0123456789", 10);
    begin(&target, "out", &plan);
    ck_assert_int_eq(complete(&target, &plan, &written, &error), 0);
    expect_file("out", "01234567", 8);
    zs_target_free(&target);
}
END_TEST

START_TEST(a_position_that_no_file_has_cannot_be_moved_to)
{
    struct zs_target target;
    struct zs_plan plan = at((uint64_t)1 << 63);

    examine(&target, "out");
    ck_assert_int_eq(zs_target_open(&target, &plan, &error), 0);
    ck_assert_int_eq(zs_target_prepare(&target, &plan, &error), -1);
    expect_refused("seeking", EINVAL);
    zs_target_free(&target);
}
END_TEST

/* --sync. fsync(2) and fdatasync(2) are written down, and fail when they are told to. */

static struct {
    struct {
        bool data; /* fdatasync(2) */
        dev_t device;
        ino_t inode;
        uint64_t size;
    } calls[8];
    int count;
    int fails_at; /* this call, from 1 on; 0: none */
    int code;
} syncs;

static int write_down(int fd, bool data)
{
    struct stat status;

    ck_assert_int_eq(fstat(fd, &status), 0);
    ck_assert_int_lt(syncs.count, ROWS(syncs.calls));
    syncs.calls[syncs.count].data = data;
    syncs.calls[syncs.count].device = status.st_dev;
    syncs.calls[syncs.count].inode = status.st_ino;
    syncs.calls[syncs.count].size = (uint64_t)status.st_size;
    if (++syncs.count != syncs.fails_at)
        return 0;
    errno = syncs.code;
    return -1;
}

int fdatasync(int fd)
{
    return write_down(fd, true);
}

int fsync(int fd)
{
    return write_down(fd, false);
}

static void expect_synced(int call, const char *path, bool data)
{
    struct stat status;

    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_gt(syncs.count, call);
    ck_assert_int_eq(syncs.calls[call].data, data);
    ck_assert_uint_eq(syncs.calls[call].device, status.st_dev);
    ck_assert_uint_eq(syncs.calls[call].inode, status.st_ino);
}

static struct zs_plan synced(struct zs_plan plan)
{
    plan.sync = true;
    return plan;
}

static void no_syncs(void)
{
    no_error();
    memset(&syncs, 0, sizeof syncs);
    ck_assert_int_eq(mkdir("folder", 0700), 0);
}

static const struct {
    const char *path, *folder;
} places[] = {{"out", "."},
              {"./out", "."},
              {"folder/out", "folder"},
              {"folder//out", "folder"},
              {"folder/../out", "."}};

START_TEST(a_new_file_is_synced_and_then_its_folder)
{
    struct zs_target target;
    struct zs_plan plan = synced(whole);

    begin(&target, places[_i].path, &plan);
    write_all(target.fd, "12345", 5);
    ck_assert_int_eq(syncs.count, 0);
    finish(&target, &plan, 5);
    expect_no_error();
    ck_assert_int_eq(syncs.count, 2);
    expect_synced(0, places[_i].path, true);
    expect_synced(1, places[_i].folder, false);
}
END_TEST

START_TEST(an_absolute_path_names_its_folder)
{
    struct zs_target target;
    struct zs_plan plan = synced(whole);
    char path[200];

    (void)snprintf(path, sizeof path, "%s/out", scratch_folder);
    begin(&target, path, &plan);
    finish(&target, &plan, 0);
    ck_assert_int_eq(syncs.count, 2);
    expect_synced(1, scratch_folder, false);
}
END_TEST

/* Its name is where the link points to. */
START_TEST(a_file_created_through_a_link_is_synced_in_its_own_folder)
{
    struct zs_target target;
    struct zs_plan plan = synced(whole);

    ck_assert_int_eq(symlink("folder/real", "link"), 0);
    begin(&target, "link", &plan);
    finish(&target, &plan, 0);
    ck_assert_int_eq(syncs.count, 2);
    expect_synced(0, "folder/real", true);
    expect_synced(1, "folder", false);
}
END_TEST

START_TEST(an_existing_file_has_its_name_already)
{
    struct zs_target target;
    struct zs_plan plan = synced(whole);

    make_file("out", "old", 3);
    begin(&target, "out", &plan);
    finish(&target, &plan, 0);
    ck_assert_int_eq(syncs.count, 1);
    expect_synced(0, "out", true);
}
END_TEST

/* Who created it may not sync it. */
START_TEST(a_file_that_another_process_created_meanwhile_is_synced_with_its_folder)
{
    struct zs_target target;
    struct zs_plan plan = synced(shared_at(0));

    examine(&target, "out");
    make_file("out", "theirs", 6);
    ck_assert_int_eq(zs_target_open(&target, &plan, &error), 0);
    ck_assert_int_eq(zs_target_prepare(&target, &plan, &error), 0);
    finish(&target, &plan, 0);
    ck_assert_int_eq(syncs.count, 2);
    expect_synced(0, "out", true);
    expect_synced(1, ".", false);
}
END_TEST

START_TEST(it_is_synced_when_it_has_its_last_size)
{
    struct zs_target target;
    struct zs_plan plan = synced(at(4));
    plan.cut_after = true;

    make_file("out", "0123456789", 10);
    begin(&target, "out", &plan);
    write_all(target.fd, "xy", 2);
    finish(&target, &plan, 2);
    ck_assert_int_eq(syncs.count, 1);
    ck_assert_uint_eq(syncs.calls[0].size, 6);
    expect_file("out", "0123xy", 6);
}
END_TEST

START_TEST(without_being_asked_nothing_is_synced)
{
    struct zs_target target;

    begin(&target, "out", &whole);
    write_all(target.fd, "12345", 5);
    finish(&target, &whole, 5);
    ck_assert_int_eq(syncs.count, 0);
}
END_TEST

START_TEST(what_has_failed_is_not_synced)
{
    struct zs_target target;
    struct zs_plan plan = synced(whole);

    begin(&target, "out", &plan);
    write_all(target.fd, "12345", 5);
    abandon(&target, &plan, 5, 0);
    ck_assert_int_eq(syncs.count, 0);
}
END_TEST

static const struct {
    int fails_at, code;
    const char *operation; /* NULL: it is no error */
    enum zs_error_kind kind;
} sync_failures[] = {
    {1, EIO, "syncing", ZS_ERROR_DEVICE},
    {1, ENOSPC, "syncing", ZS_ERROR_DEVICE},
    {1, EINVAL, NULL, ZS_ERROR_NONE}, /* one that has only fsync */
    {2, EIO, "syncing its folder", ZS_ERROR_TRANSFER},
    {2, ENOSPC, "syncing its folder", ZS_ERROR_TRANSFER},
    {2, EINVAL, NULL, ZS_ERROR_NONE}, /* a file system whose folders cannot be synced */
};

START_TEST(what_the_device_says_to_a_sync_is_an_error)
{
    struct zs_target target;
    struct zs_plan plan = synced(whole);
    struct zs_written written = wrote(&plan, 5, 0);
    const char *operation = sync_failures[_i].operation;

    begin(&target, "out", &plan);
    write_all(target.fd, "12345", 5);
    syncs.fails_at = sync_failures[_i].fails_at;
    syncs.code = sync_failures[_i].code;
    ck_assert_int_eq(complete(&target, &plan, &written, &error), operation ? -1 : 0);
    ck_assert_int_eq(target.fd, -1);
    ck_assert_int_eq(error.kind, sync_failures[_i].kind);
    if (operation) {
        ck_assert_str_eq(error.operation, operation);
        ck_assert_int_eq(error.code, sync_failures[_i].code);
        ck_assert_str_eq(error.object, "out");
    }
    zs_target_free(&target);
    expect_file("out", "12345", 5); /* nobody knows what of it is on the device */
}
END_TEST

static void add_opening(Suite *suite)
{
    TCase *opening = add_case(suite, "opening");
    tcase_add_checked_fixture(opening, no_error, leave_scratch_folder);
    tcase_add_test(opening, examining_touches_nothing);
    tcase_add_test(opening, a_path_that_cannot_be_examined_is_refused);
    tcase_add_test(opening, a_loop_of_links_is_refused);
    tcase_add_test(opening, opening_an_existing_file_leaves_its_bytes);
    tcase_add_loop_test(opening, a_file_is_created_with_0666_less_umask, 0, 4);
    tcase_add_test(opening, the_descriptor_is_not_inherited_by_other_programs);
    tcase_add_test(opening, a_missing_folder_is_refused_with_a_hint);
    tcase_add_test(opening, a_file_that_appears_meanwhile_is_not_taken);
    tcase_add_test(opening, a_file_that_is_replaced_meanwhile_is_not_taken);
    tcase_add_test(opening, a_file_that_vanishes_meanwhile_is_not_created);

    TCase *links = add_case(suite, "links");
    tcase_add_checked_fixture(links, no_error, leave_scratch_folder);
    tcase_add_test(links, a_link_to_nothing_creates_what_it_names);
    tcase_add_test(links, a_chain_of_links_is_followed_to_its_end);
    tcase_add_test(links, abandoning_removes_what_the_link_names_and_not_the_link);
    tcase_add_test(links, no_clobber_takes_a_link_to_nothing_for_a_file);
    tcase_add_test(links, a_link_into_a_missing_folder_is_refused);
}

static void add_writing(Suite *suite)
{
    TCase *preparing = add_case(suite, "preparing");
    tcase_add_checked_fixture(preparing, no_error, leave_scratch_folder);
    tcase_add_test(preparing, a_whole_file_is_emptied_only_when_prepared);
    tcase_add_test(preparing, an_empty_file_is_not_emptied_again);
    add_rows(preparing, bytes_go_to_their_position_and_the_others_stay, seeks);
    tcase_add_test(preparing, a_new_file_begins_with_a_hole_before_the_position);
    tcase_add_test(preparing, appending_goes_to_the_end_even_if_it_moves);
    tcase_add_test(preparing, appending_creates);
    tcase_add_test(preparing, a_fifo_is_opened_and_nothing_is_done_to_it);

    TCase *finishing = add_case(suite, "finishing");
    tcase_add_checked_fixture(finishing, no_error, leave_scratch_folder);
    tcase_add_test(finishing, the_file_is_cut_behind_the_slice);
    tcase_add_test(finishing, cutting_behind_an_empty_slice_cuts_at_its_position);
    tcase_add_test(finishing, cutting_never_lengthens);
    tcase_add_test(finishing, a_cut_before_sets_the_length_at_once);
    tcase_add_test(finishing, without_a_cut_the_rest_stays);
    tcase_add_test(finishing, a_cut_that_fails_is_reported_and_the_file_is_closed);

    TCase *space = add_case(suite, "space");
    tcase_add_checked_fixture(space, no_error, leave_scratch_folder);
    tcase_add_test(space, space_is_reserved_without_making_the_file_longer);
    tcase_add_test(space, space_that_was_reserved_is_given_back_on_failure);
    tcase_add_test(space, only_what_lies_behind_the_end_is_reserved);
    tcase_add_test(space, a_slice_that_cannot_fit_is_found_before_the_old_bytes_are_gone);
    tcase_add_test(space, a_created_file_that_cannot_hold_the_slice_is_removed);
    tcase_add_test(space, the_old_bytes_count_as_space_for_the_new_ones);
}

static void add_abandoning(Suite *suite)
{
    TCase *failing = add_case(suite, "abandoning");
    tcase_add_checked_fixture(failing, no_error, leave_scratch_folder);
    tcase_add_test(failing, a_created_file_without_bytes_is_removed);
    tcase_add_test(failing, a_created_file_with_bytes_stays_and_says_how_many_are_good);
    tcase_add_test(failing, an_existing_file_is_never_removed);
    tcase_add_test(failing, a_file_that_was_emptied_says_so);
    tcase_add_test(failing, a_file_that_was_only_opened_is_as_it_was);
    tcase_add_test(failing, good_bytes_inside_a_file_are_told_with_their_position);
    tcase_add_test(failing, bytes_that_a_stream_got_are_told);
    tcase_add_test(failing, another_file_of_the_name_is_not_removed);
    tcase_add_test(failing, a_link_that_took_the_name_is_not_removed);

    TCase *excess = add_case(suite, "excess");
    tcase_add_checked_fixture(excess, no_error, leave_scratch_folder);
    tcase_add_test(excess, excess_is_cut_off_the_end);
    tcase_add_test(excess, a_created_file_with_nothing_but_excess_is_removed);
    tcase_add_test(excess, excess_behind_appended_bytes_is_cut_off);
    tcase_add_test(excess, excess_inside_a_longer_file_cannot_be_taken_back_and_is_told);
    tcase_add_test(excess, excess_that_others_wrote_behind_stays);

    TCase *output = add_case(suite, "standard output");
    tcase_add_checked_fixture(output, no_error, leave_scratch_folder);
    tcase_add_test(output, standard_output_goes_on_where_it_stands);
    tcase_add_test(output, standard_output_is_left_behind_the_good_bytes_on_failure);
    tcase_add_test(output, seeking_on_standard_output_is_absolute);
    tcase_add_test(output, a_plan_that_was_never_carried_out_leaves_standard_output_open);
    tcase_add_test(output, standard_output_that_is_closed_is_refused);
}

int main(void)
{
    Suite *suite = suite_create("target");
    add_opening(suite);
    add_writing(suite);
    add_abandoning(suite);
    TCase *shared = add_case(suite, "shared");
    tcase_add_checked_fixture(shared, no_error, leave_scratch_folder);
    tcase_add_test(shared, a_shared_file_that_appears_meanwhile_is_joined);
    tcase_add_test(shared, what_appears_meanwhile_and_is_no_file_is_not_joined);
    tcase_add_test(shared, a_shared_file_is_not_removed_though_it_was_created);
    tcase_add_test(shared, excess_in_a_shared_file_is_told_and_not_cut_off);
    tcase_add_test(shared, a_shared_file_keeps_its_size_and_blocks);
    tcase_add_test(shared, scattered_bytes_are_told_by_their_number);
    tcase_add_test(shared, a_cut_is_behind_the_furthest_byte_written);
    tcase_add_test(shared, a_position_that_no_file_has_cannot_be_moved_to);

    TCase *sync = add_case(suite, "sync");
    tcase_add_checked_fixture(sync, no_syncs, leave_scratch_folder);
    add_rows(sync, a_new_file_is_synced_and_then_its_folder, places);
    tcase_add_test(sync, an_absolute_path_names_its_folder);
    tcase_add_test(sync, a_file_created_through_a_link_is_synced_in_its_own_folder);
    tcase_add_test(sync, an_existing_file_has_its_name_already);
    tcase_add_test(sync, a_file_that_another_process_created_meanwhile_is_synced_with_its_folder);
    tcase_add_test(sync, it_is_synced_when_it_has_its_last_size);
    tcase_add_test(sync, without_being_asked_nothing_is_synced);
    tcase_add_test(sync, what_has_failed_is_not_synced);
    add_rows(sync, what_the_device_says_to_a_sync_is_an_error, sync_failures);
    return run_suite(suite);
}
