/*
 * A plan from end to end, where what is decided on the way makes it another one: a stream that is
 * held and then copied like a file, blocks that cannot be shared after all, what follows a copy.
 */

#include "transfer.h"

#include "check_helpers.h"

#include <errno.h>
#include <pthread.h>

enum { MEBIBYTE = 1024 * 1024, SIZE = 6 * MEBIBYTE + 777 };

static unsigned char *bytes;

static void begin(void)
{
    enter_scratch_folder();
    bytes = new_pattern(SIZE);
}

static void end(void)
{
    free(bytes);
    leave_scratch_folder();
}

/* A pipe that a thread writes all bytes to. */
static void *feed(void *fd)
{
    int *writer = fd;
    write_all(*writer, bytes, SIZE);
    (void)close(*writer);
    return NULL;
}

struct run {
    struct zs_options options;
    struct zs_source source;
    struct zs_target target;
    struct zs_plan plan;
    struct zs_stats stats;
    struct zs_error error;
    uint64_t done_bytes;
    bool forget_filesystem; /* of the source */
};

/* From source_fd to the file "out". */
static int transfer(struct run *run, int source_fd)
{
    struct zs_options *options = &run->options;

    options->source_path = "in";
    options->source_name = "in";
    options->target_path = "out";
    options->target_name = "out";
    options->selection.record_bytes = 1;
    options->selection.field.length_bytes = 1;
    options->selection.align_bytes = 1;
    run->source = (struct zs_source){.name = "in", .fd = source_fd};
    ck_assert_int_eq(zs_facts_of_descriptor(source_fd, &run->source.facts), 0);
    if (run->forget_filesystem)
        run->source.facts.filesystem = 0;
    ck_assert_int_eq(zs_target_examine(&run->target, "out", "out", O_EXCL, &run->error), 0);
    int result =
        zs_plan_make(options, &run->source.facts, &run->target.facts, &run->plan, &run->error);
    if (result == 0)
        result = zs_transfer(&run->plan, &run->source, &run->target, &run->stats, NULL,
                             &run->done_bytes, &run->error);
    zs_plan_free(&run->plan);
    zs_target_free(&run->target);
    zs_source_close(&run->source);
    return result;
}

static void transfer_stream(struct run *run)
{
    pthread_t thread;
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, feed, &ends[1]), 0);
    int result = transfer(run, ends[0]);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_msg(result == 0, "%s: %s: %d %s", run->error.object, run->error.operation,
                  run->error.code, run->error.detail);
}

/* Few bytes are held in memory, many in a file, whose blocks are nobody's business. */
static const uint64_t tails[] = {1,
                                 777,
                                 65536,
                                 65537,
                                 MEBIBYTE - 1,
                                 MEBIBYTE,
                                 1024 * 1024 + 777,
                                 2 * MEBIBYTE + 777,
                                 5 * MEBIBYTE,
                                 SIZE};

START_TEST(the_tail_of_a_stream_is_copied)
{
    static const enum zs_reflink reflinks[] = {ZS_REFLINK_AUTO, ZS_REFLINK_NEVER};

    for (int i = 0; i < ROWS(reflinks); i++) {
        struct run run = {.options.slice.offset = {tails[_i], true},
                          .options.reflink = reflinks[i]};
        transfer_stream(&run);
        ck_assert_uint_eq(run.done_bytes, tails[_i]);
        expect_file("out", bytes + SIZE - tails[_i], (size_t)tails[_i]);
    }
}
END_TEST

START_TEST(all_but_the_tail_of_a_stream_is_copied)
{
    struct run run = {.options.slice = {.has_end = true, .end = {tails[_i], true}}};

    transfer_stream(&run);
    ck_assert_uint_eq(run.done_bytes, SIZE - tails[_i]);
    expect_file("out", bytes, SIZE - (size_t)tails[_i]);
}
END_TEST

/* A file in memory, whose file system nobody has asked for: only trying tells that it shares
 * nothing with the target's. */
static int file_of_no_known_kind(struct run *run)
{
    int memory = memfd_create("in", MFD_CLOEXEC);

    ck_assert_int_ge(memory, 0);
    write_all(memory, bytes, SIZE);
    ck_assert_int_eq(lseek(memory, 0, SEEK_SET), 0);
    run->forget_filesystem = true;
    return memory;
}

START_TEST(what_cannot_be_shared_is_copied)
{
    struct run run = {.options.slice.offset = {4096, false}};

    ck_assert_int_eq(transfer(&run, file_of_no_known_kind(&run)), 0);
    ck_assert_uint_eq(run.done_bytes, SIZE - 4096);
    ck_assert(run.stats.engines[ZS_ENGINE_REFLINK].refused);
    ck_assert_uint_eq(run.stats.engines[ZS_ENGINE_REFLINK].bytes, 0);
    expect_file("out", bytes + 4096, SIZE - 4096);
}
END_TEST

START_TEST(what_must_be_shared_and_cannot_be_leaves_the_target_as_it_was)
{
    struct run run = {.options.reflink = ZS_REFLINK_ALWAYS};
    struct run again = run;

    ck_assert_int_eq(transfer(&run, file_of_no_known_kind(&run)), -1);
    ck_assert_int_eq(run.error.kind, ZS_ERROR_REFUSED);
    ck_assert_str_eq(run.error.operation, "sharing blocks");
    ck_assert_uint_eq(run.done_bytes, 0);
    ck_assert(!exists("out"));

    make_file("out", "old", 3);
    ck_assert_int_eq(transfer(&again, file_of_no_known_kind(&again)), -1);
    expect_file("out", "old", 3);
}
END_TEST

static const struct {
    bool sync, no_cache;
    unsigned jobs;
} manners[] = {
    {false, false, 1}, {true, false, 1}, {false, true, 1}, {true, true, 1},
    {false, false, 2}, {true, false, 2}, {false, true, 2}, {true, true, 2},
};

START_TEST(however_it_is_followed_the_bytes_are_the_same)
{
    static const enum zs_engine_id engines[] = {ZS_ENGINE_COPY_RANGE, ZS_ENGINE_SPLICE,
                                                ZS_ENGINE_SENDFILE, ZS_ENGINE_MAP_WRITE,
                                                ZS_ENGINE_BUFFER};

    for (int i = 0; i <= ROWS(engines); i++) {
        struct run run = {.options = {.slice.offset = {100, false},
                                      .sync = manners[_i].sync,
                                      .no_cache = manners[_i].no_cache,
                                      .jobs = manners[_i].jobs,
                                      .engine_forced = i < ROWS(engines),
                                      .engine = engines[i % ROWS(engines)]}};
        ck_assert_int_eq(transfer(&run, scratch_file(bytes, SIZE)), 0);
        ck_assert_uint_eq(run.done_bytes, SIZE - 100);
        expect_file("out", bytes + 100, SIZE - 100);
    }
}
END_TEST

START_TEST(several_ranges_are_followed_from_place_to_place)
{
    struct zs_slice ranges[] = {
        {.offset = {3 * MEBIBYTE, false}, .has_length = true, .length_bytes = 2 * MEBIBYTE + 5},
        {.offset = {0, false}, .has_length = true, .length_bytes = MEBIBYTE},
        {.offset = {5, false}, .has_length = true, .length_bytes = 0},
        {.offset = {MEBIBYTE, false}, .has_length = true, .length_bytes = 70000},
    };
    struct run run = {.options = {.ranges = ranges,
                                  .range_count = (size_t)ROWS(ranges),
                                  .sync = manners[_i].sync,
                                  .no_cache = manners[_i].no_cache,
                                  .jobs = manners[_i].jobs}};
    unsigned char *expected = malloc(SIZE);
    size_t length = 0;

    ck_assert_ptr_nonnull(expected);
    for (int i = 0; i < ROWS(ranges); i++) {
        size_t bytes_now = (size_t)ranges[i].length_bytes;
        memcpy(expected + length, bytes + ranges[i].offset.distance_bytes, bytes_now);
        length += bytes_now;
    }
    ck_assert_int_eq(transfer(&run, scratch_file(bytes, SIZE)), 0);
    ck_assert_uint_eq(run.done_bytes, length);
    expect_file("out", expected, length);
    free(expected);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("transfer");
    TCase *held = add_case(suite, "held");
    tcase_add_checked_fixture(held, begin, end);
    add_rows(held, the_tail_of_a_stream_is_copied, tails);
    add_rows(held, all_but_the_tail_of_a_stream_is_copied, tails);

    TCase *sharing = add_case(suite, "sharing");
    tcase_add_checked_fixture(sharing, begin, end);
    tcase_add_test(sharing, what_cannot_be_shared_is_copied);
    tcase_add_test(sharing, what_must_be_shared_and_cannot_be_leaves_the_target_as_it_was);

    TCase *followed = add_case(suite, "followed");
    tcase_add_checked_fixture(followed, begin, end);
    add_rows(followed, however_it_is_followed_the_bytes_are_the_same, manners);
    add_rows(followed, several_ranges_are_followed_from_place_to_place, manners);
    return run_suite(suite);
}
