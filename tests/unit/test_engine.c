/*
 * The driver with engines that do what a script says, and every real engine between every pair of
 * real descriptors: always the bytes themselves are compared.
 */

#include "engine.h"

#include "check_helpers.h"
#include "sys.h"

#include <dirent.h>
#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

enum { KIBIBYTE = 1024, MEBIBYTE = 1024 * 1024 };

/* A copy and everything it borrows. */
struct bench {
    struct zs_facts source;
    struct zs_facts target;
    struct zs_stats stats;
    struct zs_error error;
    struct zs_copy copy;
};

static void bench_slice(struct bench *bench, uint64_t start, uint64_t length)
{
    struct zs_range range = zs_range_contiguous(start, length);
    zs_copy_begin(&bench->copy, &range, start, 0);
}

static void bench_bound(struct bench *bench, uint64_t length)
{
    bench_slice(bench, 0, length);
}

/* To wherever the source ends. */
static void bench_unbound(struct bench *bench, uint64_t start)
{
    struct zs_range range = zs_range_contiguous(start, 0);
    range.bounded = false;
    zs_copy_begin(&bench->copy, &range, start, 0);
}

static void bench_begin(struct bench *bench, int source_fd, int target_fd)
{
    *bench = (struct bench){.copy = {.source_fd = source_fd, .target_fd = target_fd}};
    ck_assert_int_eq(zs_facts_of_descriptor(source_fd, &bench->source), 0);
    ck_assert_int_eq(zs_facts_of_descriptor(target_fd, &bench->target), 0);
    bench->copy.source = &bench->source;
    bench->copy.target = &bench->target;
    bench->copy.source_name = "in";
    bench->copy.target_name = "out";
    bench->copy.stats = &bench->stats;
    bench_unbound(bench, 0);
}

/*
 * Engines that follow a script. An entry that is MOVED with N bytes really moves N; any other is
 * just what the engine says. Behind the script it moves what it can, and ends where the source
 * does.
 */
enum { MOST_ENTRIES = 24 };

struct script {
    struct zs_step entries[MOST_ENTRIES];
    int count;
    int open_result;
    void (*after)(const struct zs_copy *copy); /* once, after the first step */
    int steps;                                 /* taken */
    int opened;
    int closed;
    uint64_t first_position; /* of the source, at the first step */
};

#define MOVES(bytes)                                                                               \
    {                                                                                              \
        .verdict = ZS_STEP_MOVED, .moved_bytes = (bytes)                                           \
    }
#define SAYS_END                                                                                   \
    {                                                                                              \
        .verdict = ZS_STEP_END                                                                     \
    }
#define CANNOT(errno_, end_)                                                                       \
    {                                                                                              \
        .verdict = ZS_STEP_UNSUPPORTED, .code = (errno_), .end = (end_)                            \
    }
#define FAILS(errno_, end_)                                                                        \
    {                                                                                              \
        .verdict = ZS_STEP_FAILED, .code = (errno_), .end = (end_)                                 \
    }

static struct script first_script, second_script;

static struct zs_step move(const struct zs_copy *copy, uint64_t length)
{
    unsigned char bytes[16384];
    size_t most = zs_copy_most(copy, length < sizeof bytes ? (size_t)length : sizeof bytes);
    ssize_t got = copy->source->positioned
                      ? pread(copy->source_fd, bytes, most, (off_t)copy->source_position)
                      : read(copy->source_fd, bytes, most);
    if (got < 0)
        return zs_step_of_error(-errno, ZS_END_SOURCE);
    if (got == 0)
        return (struct zs_step){.verdict = ZS_STEP_END};
    ssize_t written = zs_copy_write(copy, bytes, (size_t)got);
    if (written < 0)
        return zs_step_of_error(-errno, ZS_END_TARGET);
    return zs_step_moved((uint64_t)written);
}

static struct zs_step follow(const struct zs_copy *copy, void *state)
{
    struct script *script = state;
    int n = script->steps++;
    struct zs_step entry = n < script->count ? script->entries[n] : zs_step_moved(UINT64_MAX);

    if (n == 0)
        script->first_position = copy->source_position;
    struct zs_step step = entry.verdict == ZS_STEP_MOVED ? move(copy, entry.moved_bytes) : entry;
    if (n == 0 && script->after)
        script->after(copy);
    return step;
}

static int open_script(struct script *script, void **state)
{
    if (script->open_result < 0)
        return script->open_result;
    script->opened++;
    *state = script;
    return 0;
}

static int open_first(const struct zs_copy *copy, void **state)
{
    (void)copy;
    return open_script(&first_script, state);
}

static int open_second(const struct zs_copy *copy, void **state)
{
    (void)copy;
    return open_script(&second_script, state);
}

static void close_script(void *state)
{
    struct script *script = state;
    script->closed++;
}

static const struct zs_engine first = {
    .id = ZS_ENGINE_SPLICE, .open = open_first, .step = follow, .close = close_script};
static const struct zs_engine second = {
    .id = ZS_ENGINE_SENDFILE, .open = open_second, .step = follow, .close = close_script};
static const struct zs_engine certain = {.id = ZS_ENGINE_SPLICE,
                                         .open = open_first,
                                         .step = follow,
                                         .close = close_script,
                                         .end_is_certain = true};

static const struct zs_engine *const both[] = {&first, &second};

#define SCRIPT(...)                                                                                \
    (struct script)                                                                                \
    {                                                                                              \
        .entries = {__VA_ARGS__},                                                                  \
        .count = sizeof((struct zs_step[]){__VA_ARGS__}) / sizeof(struct zs_step),                 \
    }

static void no_scripts(void)
{
    first_script = second_script = (struct script){.count = 0};
    (void)signal(SIGPIPE, SIG_IGN); /* as the program has it */
}

static void expect_refused(const struct bench *bench, enum zs_engine_id id, int code)
{
    ck_assert(bench->stats.engines[id].refused);
    ck_assert_int_eq(bench->stats.engines[id].refused_code, code);
}

/*
 * reflink shares whole blocks of one file system that can, and nothing else: everywhere else here
 * it must say so before a byte has moved, and the next engine does the copy. Its own tests are
 * below, under "sharing".
 */
static bool is_refusal_to_share(int code)
{
    return code == EOPNOTSUPP || code == EINVAL || code == EXDEV;
}

/* Runs one engine; behind reflink, `buffer`. */
static int run_one(struct bench *bench, enum zs_engine_id id)
{
    const struct zs_engine *const engines[] = {zs_engines[id], &zs_engine_buffer};
    int result =
        zs_engine_run(&bench->copy, engines, id == ZS_ENGINE_REFLINK ? 2 : 1, &bench->error);

    if (id == ZS_ENGINE_REFLINK && bench->stats.engines[ZS_ENGINE_REFLINK].calls > 0) {
        ck_assert(bench->stats.engines[id].refused);
        ck_assert(is_refusal_to_share(bench->stats.engines[id].refused_code));
        ck_assert_uint_eq(bench->stats.engines[id].bytes, 0);
    }
    return result;
}

/* The one whose bytes count in a run of run_one. */
static enum zs_engine_id copier(enum zs_engine_id id)
{
    return id == ZS_ENGINE_REFLINK ? ZS_ENGINE_BUFFER : id;
}

/* A copy of a file of LENGTH bytes into a file, by fake engines: what most tests below begin with.
 */
enum { LENGTH = 10000 };

struct file_copy {
    struct bench bench;
    unsigned char bytes[LENGTH];
};

static void file_copy_begin(struct file_copy *file)
{
    fill_pattern(file->bytes, LENGTH);
    bench_begin(&file->bench, scratch_file(file->bytes, LENGTH), scratch_file("", 0));
    bench_bound(&file->bench, LENGTH);
}

static void file_copy_end(struct file_copy *file)
{
    ck_assert_int_eq(first_script.opened, first_script.closed);
    ck_assert_int_eq(second_script.opened, second_script.closed);
    (void)close(file->bench.copy.source_fd);
    (void)close(file->bench.copy.target_fd);
}

static void expect_copied(struct file_copy *file)
{
    struct zs_copy *copy = &file->bench.copy;
    ck_assert_uint_eq(copy->done_bytes, LENGTH);
    ck_assert_uint_eq(copy->remaining_bytes, 0);
    ck_assert_uint_eq(zs_copy_used_bytes(copy), LENGTH);
    ck_assert_uint_eq(zs_copy_target_end(copy), LENGTH);
    ck_assert_uint_eq(copy->excess_bytes, 0);
    ck_assert(!copy->source_ended);
    ck_assert_int_eq(file->bench.error.kind, ZS_ERROR_NONE);
    expect_content(copy->target_fd, file->bytes, LENGTH);
}

static int run(struct file_copy *file, size_t engine_count)
{
    return zs_engine_run(&file->bench.copy, both, engine_count, &file->bench.error);
}

START_TEST(the_first_engine_does_it_all_if_it_can)
{
    struct file_copy file;
    file_copy_begin(&file);

    first_script = SCRIPT(MOVES(1), MOVES(300));
    ck_assert_int_eq(run(&file, 2), 0);
    expect_copied(&file);
    ck_assert_int_eq(second_script.steps, 0);
    ck_assert_uint_eq(file.bench.stats.engines[first.id].bytes, LENGTH);
    ck_assert(!file.bench.stats.engines[first.id].refused);
    file_copy_end(&file);
}
END_TEST

START_TEST(an_engine_that_cannot_begin_is_followed_by_the_next)
{
    struct file_copy file;
    file_copy_begin(&file);

    first_script = SCRIPT(CANNOT(EINVAL, ZS_END_TARGET));
    ck_assert_int_eq(run(&file, 2), 0);
    expect_copied(&file);
    expect_refused(&file.bench, first.id, EINVAL);
    ck_assert(!file.bench.stats.engines[second.id].refused);
    ck_assert_uint_eq(file.bench.stats.engines[first.id].bytes, 0);
    ck_assert_uint_eq(file.bench.stats.engines[second.id].bytes, LENGTH);
    ck_assert_int_eq(first_script.steps, 1);
    file_copy_end(&file);
}
END_TEST

START_TEST(an_engine_that_cannot_be_opened_is_followed_by_the_next)
{
    struct file_copy file;
    file_copy_begin(&file);

    first_script.open_result = -EMFILE;
    ck_assert_int_eq(run(&file, 2), 0);
    expect_copied(&file);
    expect_refused(&file.bench, first.id, EMFILE);
    ck_assert_int_eq(first_script.steps, 0);
    ck_assert_int_eq(first_script.closed, 0);
    file_copy_end(&file);
}
END_TEST

START_TEST(the_next_engine_goes_on_at_the_exact_byte)
{
    struct file_copy file;
    file_copy_begin(&file);

    first_script = SCRIPT(MOVES(100), MOVES(1), MOVES(36), CANNOT(EOPNOTSUPP, ZS_END_SOURCE));
    ck_assert_int_eq(run(&file, 2), 0);
    expect_copied(&file);
    ck_assert_uint_eq(second_script.first_position, 137);
    ck_assert_uint_eq(file.bench.stats.engines[first.id].bytes, 137);
    ck_assert_uint_eq(file.bench.stats.engines[second.id].bytes, LENGTH - 137);
    expect_refused(&file.bench, first.id, EOPNOTSUPP);
    file_copy_end(&file);
}
END_TEST

START_TEST(a_slice_in_the_middle_of_a_file_is_copied_across_engines)
{
    struct file_copy file;
    file_copy_begin(&file);
    bench_slice(&file.bench, 200, 500);

    first_script = SCRIPT(MOVES(77), CANNOT(EINVAL, ZS_END_TARGET));
    ck_assert_int_eq(run(&file, 2), 0);
    ck_assert_uint_eq(file.bench.copy.done_bytes, 500);
    ck_assert_uint_eq(zs_copy_used_bytes(&file.bench.copy), 500);
    ck_assert_uint_eq(second_script.first_position, 277);
    expect_content(file.bench.copy.target_fd, file.bytes + 200, 500);
    file_copy_end(&file);
}
END_TEST

START_TEST(when_no_engine_can_the_last_reason_is_the_error)
{
    struct file_copy file;
    file_copy_begin(&file);

    first_script = SCRIPT(CANNOT(EINVAL, ZS_END_TARGET));
    second_script = SCRIPT(MOVES(10), CANNOT(EACCES, ZS_END_SOURCE));
    ck_assert_int_eq(run(&file, 2), -1);
    ck_assert_int_eq(file.bench.error.kind, ZS_ERROR_TRANSFER);
    ck_assert_int_eq(file.bench.error.code, EACCES);
    ck_assert_str_eq(file.bench.error.object, "in");
    ck_assert_str_eq(file.bench.error.operation, "reading");
    ck_assert_uint_eq(file.bench.copy.done_bytes, 10);
    expect_content(file.bench.copy.target_fd, file.bytes, 10);
    expect_refused(&file.bench, first.id, EINVAL);
    expect_refused(&file.bench, second.id, EACCES);
    file_copy_end(&file);
}
END_TEST

START_TEST(an_engine_that_gives_no_reason_is_told_so)
{
    struct file_copy file;
    file_copy_begin(&file);

    first_script = SCRIPT(CANNOT(0, ZS_END_TARGET));
    ck_assert_int_eq(run(&file, 1), -1);
    ck_assert_int_eq(file.bench.error.kind, ZS_ERROR_TRANSFER);
    ck_assert_int_eq(file.bench.error.code, 0);
    ck_assert_str_eq(file.bench.error.object, "out");
    ck_assert_str_eq(file.bench.error.operation, "writing");
    ck_assert_str_ne(file.bench.error.detail, "");
    expect_refused(&file.bench, first.id, 0);
    file_copy_end(&file);
}
END_TEST

static const struct {
    struct zs_step step;
    enum zs_error_kind kind;
    const char *object;
    const char *operation;
} failures[] = {
    {FAILS(ENOSPC, ZS_END_TARGET), ZS_ERROR_TRANSFER, "out", "writing"},
    {FAILS(EIO, ZS_END_TARGET), ZS_ERROR_TRANSFER, "out", "writing"},
    {FAILS(EIO, ZS_END_SOURCE), ZS_ERROR_TRANSFER, "in", "reading"},
    {FAILS(EPIPE, ZS_END_TARGET), ZS_ERROR_PIPE, "out", "writing"},
    {FAILS(EPIPE, ZS_END_SOURCE), ZS_ERROR_TRANSFER, "in", "reading"},
    {FAILS(ECONNRESET, ZS_END_TARGET), ZS_ERROR_TRANSFER, "out", "writing"},
    {FAILS(EAGAIN, ZS_END_TARGET), ZS_ERROR_TRANSFER, "out", "writing"},
};

START_TEST(a_failure_is_final_and_names_the_end_at_fault)
{
    struct file_copy file;
    file_copy_begin(&file);

    first_script = SCRIPT(MOVES(7), failures[_i].step);
    ck_assert_int_eq(run(&file, 2), -1);
    ck_assert_int_eq(file.bench.error.kind, failures[_i].kind);
    ck_assert_int_eq(file.bench.error.code, failures[_i].step.code);
    ck_assert_str_eq(file.bench.error.object, failures[_i].object);
    ck_assert_str_eq(file.bench.error.operation, failures[_i].operation);
    ck_assert_int_eq(first_script.steps, 2);
    ck_assert_int_eq(second_script.steps, 0);
    ck_assert_uint_eq(file.bench.copy.done_bytes, 7);
    ck_assert_uint_eq(file.bench.stats.engines[first.id].bytes, 7);
    ck_assert(!file.bench.stats.engines[first.id].refused);
    file_copy_end(&file);
}
END_TEST

START_TEST(nothing_to_copy_opens_no_engine)
{
    struct file_copy file;
    file_copy_begin(&file);
    bench_bound(&file.bench, 0);

    ck_assert_int_eq(run(&file, 2), 0);
    ck_assert_int_eq(run(&file, 0), 0);
    ck_assert_int_eq(first_script.opened, 0);
    ck_assert(!file.bench.copy.source_ended);
    ck_assert_uint_eq(file_size(file.bench.copy.target_fd), 0);
    file_copy_end(&file);
}
END_TEST

/* Ends */

START_TEST(an_end_where_the_source_has_bytes_is_no_end)
{
    struct file_copy file;
    file_copy_begin(&file);

    first_script = SCRIPT(MOVES(100), SAYS_END);
    ck_assert_int_eq(run(&file, 2), 0);
    expect_copied(&file);
    expect_refused(&file.bench, first.id, 0);
    ck_assert_uint_eq(file.bench.stats.engines[first.id].bytes, 100);
    /* The bytes that proved it came through memory, and are not copied again. */
    ck_assert_uint_eq(second_script.first_position, 100 + 4096);
    ck_assert_uint_eq(file.bench.stats.engines[ZS_ENGINE_BUFFER].bytes, 4096);
    ck_assert_uint_eq(file.bench.stats.user_copied_bytes, 4096);
    file_copy_end(&file);
}
END_TEST

START_TEST(the_bytes_that_disprove_an_end_may_be_the_last_ones)
{
    struct file_copy file;
    file_copy_begin(&file);

    first_script = SCRIPT(MOVES(LENGTH - 1), SAYS_END);
    ck_assert_int_eq(run(&file, 1), 0);
    expect_copied(&file);
    file_copy_end(&file);
}
END_TEST

START_TEST(an_end_that_read_confirms_ends_the_copy)
{
    struct file_copy file;
    file_copy_begin(&file);
    bench_bound(&file.bench, LENGTH + 500);

    first_script = SCRIPT(MOVES(100));
    ck_assert_int_eq(run(&file, 2), 0);
    ck_assert(file.bench.copy.source_ended);
    ck_assert_uint_eq(file.bench.copy.done_bytes, LENGTH);
    ck_assert_uint_eq(file.bench.copy.remaining_bytes, 500);
    ck_assert_int_eq(second_script.steps, 0);
    ck_assert(!file.bench.stats.engines[first.id].refused);
    ck_assert_uint_eq(file.bench.stats.user_copied_bytes, 0);
    expect_content(file.bench.copy.target_fd, file.bytes, LENGTH);
    file_copy_end(&file);
}
END_TEST

START_TEST(without_a_bound_the_copy_goes_to_the_end)
{
    struct file_copy file;
    file_copy_begin(&file);
    bench_unbound(&file.bench, 0);

    first_script = SCRIPT(MOVES(100), SAYS_END);
    ck_assert_int_eq(run(&file, 2), 0);
    ck_assert(file.bench.copy.source_ended);
    ck_assert_uint_eq(file.bench.copy.done_bytes, LENGTH);
    expect_content(file.bench.copy.target_fd, file.bytes, LENGTH);
    file_copy_end(&file);
}
END_TEST

START_TEST(an_end_that_is_certain_is_believed)
{
    struct file_copy file;
    const struct zs_engine *const engines[] = {&certain, &second};
    file_copy_begin(&file);

    first_script = SCRIPT(MOVES(100), SAYS_END);
    ck_assert_int_eq(zs_engine_run(&file.bench.copy, engines, 2, &file.bench.error), 0);
    ck_assert(file.bench.copy.source_ended);
    ck_assert_uint_eq(file.bench.copy.done_bytes, 100);
    ck_assert_uint_eq(file.bench.copy.remaining_bytes, LENGTH - 100);
    ck_assert_int_eq(second_script.steps, 0);
    file_copy_end(&file);
}
END_TEST

/* A pipe that holds bytes, and whose writer is gone unless its descriptor is asked for. */
static int filled_pipe(const void *bytes, size_t length, int flags, int *writer)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC | flags), 0);
    write_all(ends[1], bytes, length);
    if (writer)
        *writer = ends[1];
    else
        (void)close(ends[1]);
    return ends[0];
}

static void drain(int fd, void *bytes, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t got = read(fd, (char *)bytes + done, length - done);
        ck_assert_int_gt(got, 0);
        done += (size_t)got;
    }
}

START_TEST(an_end_of_a_stream_is_confirmed_without_losing_the_byte)
{
    struct bench bench;
    unsigned char *bytes = new_pattern(LENGTH);
    bench_begin(&bench, filled_pipe(bytes, LENGTH, 0, NULL), scratch_file("", 0));

    first_script = SCRIPT(MOVES(100), SAYS_END);
    second_script = SCRIPT(MOVES(100));
    ck_assert_int_eq(zs_engine_run(&bench.copy, both, 2, &bench.error), 0);
    ck_assert(bench.copy.source_ended);
    ck_assert_uint_eq(bench.copy.done_bytes, LENGTH);
    expect_content(bench.copy.target_fd, bytes, LENGTH);
    ck_assert_uint_eq(bench.stats.engines[ZS_ENGINE_BUFFER].bytes, 4096);
    free(bytes);
}
END_TEST

START_TEST(a_failure_while_an_end_is_confirmed_is_final)
{
    struct bench bench;
    bench_begin(&bench, scratch_file("0123456789", 10), open("/dev/full", O_WRONLY | O_CLOEXEC));
    bench_bound(&bench, 10);

    first_script = SCRIPT(SAYS_END);
    ck_assert_int_eq(zs_engine_run(&bench.copy, both, 2, &bench.error), -1);
    ck_assert_int_eq(bench.error.code, ENOSPC);
    ck_assert_str_eq(bench.error.object, "out");
    ck_assert_uint_eq(bench.copy.done_bytes, 0);
    ck_assert_int_eq(second_script.steps, 0);
}
END_TEST

/* An engine that takes TAKEN bytes of the source, delivers DELIVERED of them and keeps the rest. */
enum { TAKEN = 300, DELIVERED = 40 };

struct hoard {
    int ends[2];
    uint64_t held_bytes;
    int steps;
    struct zs_step last;
};

static struct hoard hoard;

static int open_hoard(const struct zs_copy *copy, void **state)
{
    (void)copy;
    ck_assert_int_eq(pipe2(hoard.ends, O_CLOEXEC), 0);
    *state = &hoard;
    return 0;
}

static struct zs_step step_hoard(const struct zs_copy *copy, void *state)
{
    unsigned char bytes[TAKEN];
    (void)state;
    if (hoard.steps++ > 0)
        return hoard.last;
    drain(copy->source_fd, bytes, TAKEN);
    write_all(copy->target_fd, bytes, DELIVERED);
    write_all(hoard.ends[1], bytes + DELIVERED, TAKEN - DELIVERED);
    hoard.held_bytes = TAKEN - DELIVERED;
    return zs_step_moved(DELIVERED);
}

static uint64_t held_hoard(const void *state, int *fd)
{
    const struct hoard *held = state;
    *fd = held->ends[0];
    return held->held_bytes;
}

static void close_hoard(void *state)
{
    struct hoard *closed = state;
    (void)close(closed->ends[0]);
    (void)close(closed->ends[1]);
}

static const struct zs_engine hoarder = {.id = ZS_ENGINE_SPLICE,
                                         .open = open_hoard,
                                         .step = step_hoard,
                                         .held = held_hoard,
                                         .close = close_hoard};
static const struct zs_engine *const hoarder_first[] = {&hoarder, &second};

START_TEST(bytes_of_a_stream_that_an_engine_holds_are_delivered_before_the_next_goes_on)
{
    struct bench bench;
    unsigned char *bytes = new_pattern(LENGTH);
    bench_begin(&bench, filled_pipe(bytes, LENGTH, 0, NULL), scratch_file("", 0));
    bench_bound(&bench, LENGTH);

    hoard = (struct hoard){.last = CANNOT(EINVAL, ZS_END_TARGET)};
    ck_assert_int_eq(zs_engine_run(&bench.copy, hoarder_first, 2, &bench.error), 0);
    ck_assert_uint_eq(bench.copy.done_bytes, LENGTH);
    ck_assert_uint_eq(bench.copy.remaining_bytes, 0);
    ck_assert_uint_eq(bench.stats.engines[hoarder.id].bytes, DELIVERED);
    ck_assert_uint_eq(bench.stats.engines[ZS_ENGINE_BUFFER].bytes, TAKEN - DELIVERED);
    ck_assert_uint_eq(bench.stats.engines[second.id].bytes, LENGTH - TAKEN);
    ck_assert_uint_eq(bench.stats.user_copied_bytes, TAKEN - DELIVERED);
    expect_refused(&bench, hoarder.id, EINVAL);
    expect_content(bench.copy.target_fd, bytes, LENGTH);
    free(bytes);
}
END_TEST

START_TEST(held_bytes_that_are_all_there_was_end_the_copy)
{
    struct bench bench;
    unsigned char *bytes = new_pattern(TAKEN);
    bench_begin(&bench, filled_pipe(bytes, TAKEN, 0, NULL), scratch_file("", 0));
    bench_bound(&bench, TAKEN);

    hoard = (struct hoard){.last = CANNOT(EINVAL, ZS_END_TARGET)};
    ck_assert_int_eq(zs_engine_run(&bench.copy, hoarder_first, 1, &bench.error), 0);
    ck_assert_uint_eq(bench.copy.done_bytes, TAKEN);
    ck_assert(!bench.copy.source_ended);
    expect_content(bench.copy.target_fd, bytes, TAKEN);
    free(bytes);
}
END_TEST

/* A position can be read again: the next engine does, and what is held is forgotten. */
START_TEST(held_bytes_of_a_file_are_read_again)
{
    struct bench bench;
    unsigned char *bytes = new_pattern(LENGTH);
    bench_begin(&bench, scratch_file(bytes, LENGTH), scratch_file("", 0));
    bench_bound(&bench, LENGTH);

    hoard = (struct hoard){.last = CANNOT(EINVAL, ZS_END_TARGET)};
    ck_assert_int_eq(zs_engine_run(&bench.copy, hoarder_first, 2, &bench.error), 0);
    ck_assert_uint_eq(second_script.first_position, DELIVERED);
    ck_assert_uint_eq(bench.stats.engines[ZS_ENGINE_BUFFER].bytes, 0);
    expect_content(bench.copy.target_fd, bytes, LENGTH);
    free(bytes);
}
END_TEST

START_TEST(held_bytes_are_waited_out_on_a_target_that_is_not_ready)
{
    struct bench bench;
    unsigned char *bytes = new_pattern(LENGTH);
    unsigned char *got = malloc(LENGTH);
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    bench_begin(&bench, filled_pipe(bytes, LENGTH, 0, NULL), ends[0]);
    bench_bound(&bench, LENGTH);

    hoard = (struct hoard){.last = CANNOT(ENOMEM, ZS_END_TARGET)};
    ck_assert_int_eq(zs_engine_run(&bench.copy, hoarder_first, 2, &bench.error), 0);
    drain(ends[1], got, LENGTH);
    ck_assert_mem_eq(got, bytes, LENGTH);
    free(bytes);
    free(got);
}
END_TEST

static int reader_fd;

static struct zs_step lose_the_reader(const struct zs_copy *copy, void *state)
{
    struct zs_step step = step_hoard(copy, state);
    (void)close(reader_fd);
    return step;
}

START_TEST(a_target_that_fails_on_held_bytes_is_a_failure)
{
    struct bench bench;
    struct zs_engine losing = hoarder;
    const struct zs_engine *const engines[] = {&losing, &second};
    unsigned char *bytes = new_pattern(LENGTH);
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    bench_begin(&bench, filled_pipe(bytes, LENGTH, 0, NULL), ends[1]);
    bench_bound(&bench, LENGTH);

    losing.step = lose_the_reader;
    reader_fd = ends[0];
    hoard = (struct hoard){.last = CANNOT(EINVAL, ZS_END_TARGET)};
    ck_assert_int_eq(zs_engine_run(&bench.copy, engines, 2, &bench.error), -1);
    ck_assert_int_eq(bench.error.kind, ZS_ERROR_PIPE);
    ck_assert_str_eq(bench.error.object, "out");
    ck_assert_uint_eq(bench.copy.done_bytes, DELIVERED);
    ck_assert_int_eq(second_script.steps, 0);
    free(bytes);
}
END_TEST

/* Waiting */

/* What another process or person does meanwhile. */
struct later {
    pthread_t thread;
    int fd;
    unsigned char *bytes;
    size_t length;
    size_t piece;
    int delay_ms;
};

static void pause_ms(int milliseconds)
{
    const struct timespec time = {.tv_nsec = (long)milliseconds * 1000000};
    (void)nanosleep(&time, NULL);
}

static void wait_for(int fd, short events)
{
    struct pollfd waited = {.fd = fd, .events = events};
    (void)poll(&waited, 1, -1);
}

/* Writes everything and closes. */
static void *feed(void *argument)
{
    struct later *later = argument;
    pause_ms(later->delay_ms);
    for (size_t done = 0; done < later->length;) {
        size_t left = later->length - done;
        wait_for(later->fd, POLLOUT);
        ssize_t written =
            write(later->fd, later->bytes + done, left < later->piece ? left : later->piece);
        if (written < 0 && errno != EAGAIN)
            break;
        done += written > 0 ? (size_t)written : 0;
    }
    (void)close(later->fd);
    return NULL;
}

/* Reads until the end, or length bytes; then length is what came. */
static void *swallow(void *argument)
{
    struct later *later = argument;
    size_t done = 0;
    pause_ms(later->delay_ms);
    while (done < later->length) {
        size_t left = later->length - done;
        wait_for(later->fd, POLLIN);
        ssize_t got =
            read(later->fd, later->bytes + done, left < later->piece ? left : later->piece);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            break;
        done += got > 0 ? (size_t)got : 0;
    }
    later->length = done;
    return NULL;
}

static void start(struct later *later, void *(*work)(void *))
{
    ck_assert_int_eq(pthread_create(&later->thread, NULL, work, later), 0);
}

static void join(struct later *later)
{
    ck_assert_int_eq(pthread_join(later->thread, NULL), 0);
}

START_TEST(a_source_that_is_not_ready_is_waited_for_without_spinning)
{
    struct bench bench;
    struct later later = {.length = LENGTH, .piece = LENGTH, .delay_ms = 100};
    int source = filled_pipe("", 0, O_NONBLOCK, &later.fd);
    later.bytes = new_pattern(LENGTH);
    bench_begin(&bench, source, scratch_file("", 0));
    bench_bound(&bench, LENGTH);

    start(&later, feed);
    ck_assert_int_eq(zs_engine_run(&bench.copy, both, 2, &bench.error), 0);
    join(&later);
    expect_content(bench.copy.target_fd, later.bytes, LENGTH);
    ck_assert_int_le(first_script.steps, 3);
    ck_assert_int_eq(second_script.steps, 0);
    ck_assert(!bench.stats.engines[first.id].refused);
    free(later.bytes);
}
END_TEST

START_TEST(a_target_that_is_not_ready_is_waited_for_without_spinning)
{
    struct file_copy file;
    int ends[2];
    file_copy_begin(&file);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    ck_assert_int_ge(fcntl(ends[1], F_SETPIPE_SZ, 4096), 0);
    unsigned char before[4096] = {0};
    write_all(ends[1], before, sizeof before);
    struct bench bench;
    bench_begin(&bench, file.bench.copy.source_fd, ends[1]);
    bench_bound(&bench, LENGTH);

    struct later later = {
        .fd = ends[0], .length = sizeof before + LENGTH, .piece = 8192, .delay_ms = 100};
    later.bytes = calloc(1, later.length);
    start(&later, swallow);
    ck_assert_int_eq(zs_engine_run(&bench.copy, both, 2, &bench.error), 0);
    (void)close(ends[1]);
    join(&later);
    ck_assert_uint_eq(later.length, sizeof before + LENGTH);
    ck_assert_mem_eq(later.bytes + sizeof before, file.bytes, LENGTH);
    ck_assert_int_le(first_script.steps, 8);
    free(later.bytes);
}
END_TEST

START_TEST(an_end_that_is_ready_but_says_eagain_is_asked_again_and_not_too_often)
{
    struct bench bench;
    bench_begin(&bench, filled_pipe("x", 1, O_NONBLOCK, NULL), scratch_file("", 0));
    bench_bound(&bench, 1);
    struct timespec begin, end;

    for (int i = 0; i < 20; i++)
        first_script.entries[i] = (struct zs_step)CANNOT(EAGAIN, ZS_END_SOURCE);
    first_script.count = 20;
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    ck_assert_int_eq(zs_engine_run(&bench.copy, both, 1, &bench.error), 0);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    ck_assert_int_eq(first_script.steps, 21);
    expect_content(bench.copy.target_fd, "x", 1);
    /* The last few of twenty are slowed down, each by a millisecond. */
    int64_t ns = (end.tv_sec - begin.tv_sec) * (int64_t)1000000000 + end.tv_nsec - begin.tv_nsec;
    ck_assert_int_ge(ns, 3000000);
}
END_TEST

START_TEST(eagain_from_a_file_is_not_waited_for)
{
    struct file_copy file;
    file_copy_begin(&file);

    first_script = SCRIPT(MOVES(10), CANNOT(EAGAIN, ZS_END_SOURCE));
    second_script = SCRIPT(MOVES(10), FAILS(EAGAIN, ZS_END_TARGET));
    ck_assert_int_eq(run(&file, 2), -1);
    ck_assert_int_eq(first_script.steps, 2);
    ck_assert_int_eq(second_script.steps, 2);
    expect_refused(&file.bench, first.id, EAGAIN);
    ck_assert_int_eq(file.bench.error.code, EAGAIN);
    ck_assert_uint_eq(file.bench.copy.done_bytes, 20);
    file_copy_end(&file);
}
END_TEST

/* A source that shrinks */

static off_t shrunk_size;

static void shrink(const struct zs_copy *copy)
{
    ck_assert_int_eq(ftruncate(copy->source_fd, shrunk_size), 0);
}

static const struct {
    off_t size;
    uint64_t done;
    uint64_t excess;
} shrinks[] = {
    {400, 400, 0}, {399, 399, 1}, {250, 250, 150}, {1, 1, 399}, {0, 0, 400},
};

START_TEST(what_was_taken_beyond_the_new_end_is_excess)
{
    struct file_copy file;
    file_copy_begin(&file);
    bool excess = shrinks[_i].excess > 0;

    shrunk_size = shrinks[_i].size;
    first_script = SCRIPT(MOVES(400));
    first_script.after = shrink;
    ck_assert_int_eq(run(&file, 2), excess ? -1 : 0);
    ck_assert_uint_eq(file.bench.copy.done_bytes, shrinks[_i].done);
    ck_assert_uint_eq(file.bench.copy.excess_bytes, shrinks[_i].excess);
    ck_assert_uint_eq(zs_copy_used_bytes(&file.bench.copy), shrinks[_i].done);
    ck_assert_uint_eq(zs_copy_target_end(&file.bench.copy), shrinks[_i].done);
    ck_assert_uint_eq(file.bench.stats.engines[first.id].bytes, shrinks[_i].done);
    ck_assert_int_eq(file.bench.copy.source_ended, !excess);
    if (excess) {
        ck_assert_int_eq(file.bench.error.kind, ZS_ERROR_TRANSFER);
        ck_assert_str_eq(file.bench.error.object, "in");
        ck_assert_ptr_nonnull(strstr(file.bench.error.detail, "shrank"));
    }
    file_copy_end(&file);
}
END_TEST

START_TEST(only_the_last_step_can_have_taken_too_much)
{
    struct file_copy file;
    file_copy_begin(&file);

    /* 300 bytes are checked after the first step, so that at most the next 100 are in doubt. */
    shrunk_size = 50;
    first_script = SCRIPT(MOVES(300), CANNOT(EINVAL, ZS_END_TARGET));
    second_script = SCRIPT(MOVES(100));
    second_script.after = shrink;
    ck_assert_int_eq(run(&file, 2), -1);
    ck_assert_uint_eq(file.bench.copy.done_bytes, 300);
    ck_assert_uint_eq(file.bench.copy.excess_bytes, 100);
    expect_content(file.bench.copy.target_fd, file.bytes, 400);
    file_copy_end(&file);
}
END_TEST

START_TEST(a_source_that_grows_or_is_a_stream_has_no_excess)
{
    struct file_copy file;
    file_copy_begin(&file);

    shrunk_size = 15000;
    first_script = SCRIPT(MOVES(400));
    first_script.after = shrink;
    ck_assert_int_eq(run(&file, 2), 0);
    expect_copied(&file);
    file_copy_end(&file);
}
END_TEST

/* The same with the real engines: one step of each, then the file is cut. */

static const struct zs_engine *real;

/* reflink moves nothing here, before or after the cut: see "sharing". */
enum { FIRST_COPYING = ZS_ENGINE_REFLINK + 1 };

static struct zs_step step_and_shrink(const struct zs_copy *copy, void *state)
{
    struct zs_step step = real->step(copy, state);
    if (first_script.steps++ == 0)
        shrink(copy);
    return step;
}

static const off_t cuts[] = {0,
                             1,
                             4095,
                             4096,
                             70000,
                             MEBIBYTE - 1,
                             MEBIBYTE,
                             MEBIBYTE + 1,
                             2 * MEBIBYTE - 100,
                             5 * MEBIBYTE - 1};

static unsigned copies_by; /* jobs */

static void copy_while_shrinking(enum zs_engine_id id, off_t size)
{
    enum { SIZE = 6 * MEBIBYTE };
    struct bench bench;
    unsigned char *bytes = new_pattern(SIZE);
    bench_begin(&bench, scratch_file(bytes, SIZE), scratch_file("", 0));
    bench.copy.jobs = copies_by;
    bench_bound(&bench, SIZE);

    real = zs_engines[id];
    first_script.steps = 0;
    shrunk_size = size;
    struct zs_engine shrinking = *real;
    shrinking.step = step_and_shrink;
    const struct zs_engine *const engines[] = {&shrinking, &zs_engine_buffer};
    int result = zs_engine_run(&bench.copy, engines, 2, &bench.error);

    /* However it was found: what counts as done is the source's, and nothing lies behind the
     * excess. */
    ck_assert(result == -1 || bench.copy.source_ended);
    ck_assert_uint_eq(bench.copy.done_bytes, (uint64_t)size);
    ck_assert_uint_eq(file_size(bench.copy.target_fd),
                      bench.copy.done_bytes + bench.copy.excess_bytes);
    ck_assert_int_eq(ftruncate(bench.copy.target_fd, size), 0);
    expect_content(bench.copy.target_fd, bytes, (size_t)size);
    free(bytes);
    (void)close(bench.copy.source_fd);
    (void)close(bench.copy.target_fd);
}

START_TEST(every_engine_knows_the_good_bytes_of_a_file_that_shrank)
{
    for (int id = FIRST_COPYING; id < ZS_ENGINE_COUNT; id++)
        copy_while_shrinking((enum zs_engine_id)id, cuts[_i]);
}
END_TEST

/* Pieces with gaps between them, and where each byte of them goes */

static const struct {
    uint64_t start, piece, stride;
} pieces[] = {
    {0, 1, 1},         {0, 1, 2},      {3, 3, 7},        {5, 4, 8},
    {0, 16, 17},       {9, 100, 4196}, {0, 4096, 8192},  {4097, 5000, 13000},
    {1, 65536, 65537}, {0, 1, 20000},  {77, 9000, 9001}, {0, 262144, 300000},
};

enum { MOST_PIECES = 700, LAST_PIECE_CUT = 3 };

/* That many pieces as there are in at most 3 MiB, the last of them cut off if it can be. */
static struct zs_range range_of_pieces(int n)
{
    uint64_t stride = pieces[n].stride;
    uint64_t count = 3 * MEBIBYTE / stride;
    uint64_t length = (count < MOST_PIECES ? count : MOST_PIECES) * pieces[n].piece;

    return (struct zs_range){.start = pieces[n].start,
                             .piece_bytes = pieces[n].piece,
                             .stride_bytes = stride,
                             .length_bytes = length > LAST_PIECE_CUT ? length - LAST_PIECE_CUT : 1,
                             .bounded = true,
                             .record_start = pieces[n].start,
                             .needed_bytes = pieces[n].piece};
}

/* The oracle: the range's bytes, one by one, and how far behind its first one they lie. */
static unsigned char *picked(const struct zs_range *range, const unsigned char *bytes,
                             bool scattered, size_t before, size_t *length)
{
    uint64_t in_stride = 0, offset = 0;
    unsigned char *out = NULL;

    *length = before;
    out = malloc(before + (size_t)(range->length_bytes * range->stride_bytes / range->piece_bytes +
                                   range->stride_bytes));
    ck_assert_ptr_nonnull(out);
    for (uint64_t done = 0; done < range->length_bytes; offset++) {
        if (in_stride < range->piece_bytes) {
            out[(*length)++] = bytes[range->start + offset];
            done++;
        } else if (scattered) {
            out[(*length)++] = '.';
        }
        in_stride = in_stride + 1 == range->stride_bytes ? 0 : in_stride + 1;
    }
    memset(out, '.', before);
    return out;
}

/* A file of dots, which stand where nothing is written. */
static int dotted_file(size_t length, size_t position)
{
    char *dots = malloc(length + 1);
    ck_assert_ptr_nonnull(dots);
    memset(dots, '.', length);
    int fd = scratch_file(dots, length);
    ck_assert_int_eq(lseek(fd, (off_t)position, SEEK_SET), (off_t)position);
    free(dots);
    return fd;
}

enum { TARGET_START = 11, BEHIND_PIPE = 3000 };

static void copy_pieces(enum zs_engine_id id, int n, bool scattered)
{
    if (scattered && !zs_engines[id]->scatters)
        return;
    struct bench bench;
    struct zs_range range = range_of_pieces(n);
    size_t size = (size_t)zs_range_end(&range) + 5000;
    unsigned char *bytes = new_pattern(size);
    size_t length;
    unsigned char *expected = picked(&range, bytes, scattered, TARGET_START, &length);

    bench_begin(&bench, scratch_file(bytes, size),
                dotted_file(scattered ? length : TARGET_START, TARGET_START));
    bench.copy.scattered = scattered;
    zs_copy_begin(&bench.copy, &range, range.start, TARGET_START);
    int result = run_one(&bench, id);
    ck_assert_msg(result == 0, "%s, pieces %d: %d %s", zs_engine_names[id], n, bench.error.code,
                  bench.error.detail);
    ck_assert_uint_eq(bench.copy.done_bytes, range.length_bytes);
    ck_assert_uint_eq(bench.stats.engines[copier(id)].bytes, range.length_bytes);
    ck_assert_uint_eq(zs_copy_target_end(&bench.copy), length);
    ck_assert_uint_eq(range.start + zs_copy_used_bytes(&bench.copy), zs_range_end(&range));
    ck_assert(!bench.copy.source_ended);
    expect_content(bench.copy.target_fd, expected, length);
    free(bytes);
    free(expected);
    (void)close(bench.copy.source_fd);
    (void)close(bench.copy.target_fd);
}

START_TEST(every_engine_copies_pieces_with_gaps_between_them)
{
    for (int id = 0; id < ZS_ENGINE_COUNT; id++)
        copy_pieces((enum zs_engine_id)id, _i, false);
}
END_TEST

START_TEST(every_engine_puts_pieces_where_they_were)
{
    for (int id = 0; id < ZS_ENGINE_COUNT; id++)
        copy_pieces((enum zs_engine_id)id, _i, true);
}
END_TEST

/* From a pipe, by what gathers; behind the last piece nothing is read. */
static void copy_pieces_of_a_pipe(int n, bool scattered)
{
    const struct zs_engine *const engines[] = {&zs_engine_buffer};
    struct bench bench;
    struct zs_range range = range_of_pieces(n);
    range.start = 0;
    size_t end = (size_t)zs_range_end(&range);
    struct later writer = {.length = end + BEHIND_PIPE, .piece = 70001};
    int source = filled_pipe("", 0, 0, &writer.fd);
    size_t length;
    writer.bytes = new_pattern(writer.length);
    unsigned char *expected = picked(&range, writer.bytes, scattered, 0, &length);
    unsigned char left[BEHIND_PIPE];

    bench_begin(&bench, source, dotted_file(scattered ? length : 0, 0));
    bench.copy.scattered = scattered;
    zs_copy_begin(&bench.copy, &range, 0, 0);
    start(&writer, feed);
    ck_assert_int_eq(zs_engine_run(&bench.copy, engines, 1, &bench.error), 0);
    drain(source, left, BEHIND_PIPE);
    join(&writer);
    ck_assert_mem_eq(left, writer.bytes + end, BEHIND_PIPE);
    ck_assert_uint_eq(bench.copy.done_bytes, range.length_bytes);
    expect_content(bench.copy.target_fd, expected, length);
    free(writer.bytes);
    free(expected);
    (void)close(source);
    (void)close(bench.copy.target_fd);
}

START_TEST(pieces_of_a_pipe_are_gathered_and_nothing_behind_them_is_read)
{
    copy_pieces_of_a_pipe(_i, false);
    copy_pieces_of_a_pipe(_i, true);
}
END_TEST

/* Where a stream ends in the gap behind a piece, how far into it. */
START_TEST(the_gap_in_which_a_stream_ends_is_known)
{
    for (size_t size = 1; size <= 40; size++) {
        const struct zs_engine *const engines[] = {&zs_engine_buffer};
        struct zs_range range = {.piece_bytes = 3, .stride_bytes = 10, .bounded = false};
        unsigned char *bytes = new_pattern(size);
        struct bench bench;
        bench_begin(&bench, filled_pipe(bytes, size, 0, NULL), scratch_file("", 0));
        zs_copy_begin(&bench.copy, &range, 0, 0);
        ck_assert_int_eq(zs_engine_run(&bench.copy, engines, 1, &bench.error), 0);
        ck_assert(bench.copy.source_ended);
        ck_assert_uint_eq(bench.copy.done_bytes, zs_range_count_within(&range, size));
        ck_assert_uint_eq(zs_copy_used_bytes(&bench.copy) + bench.copy.trailing_bytes, size);
        free(bytes);
        (void)close(bench.copy.source_fd);
        (void)close(bench.copy.target_fd);
    }
}
END_TEST

/* Engines that stop or see an end in the middle of a piece, and at its last byte. */
static const struct {
    uint64_t moves;
    struct zs_step then;
} halts[] = {
    {7, CANNOT(EINVAL, ZS_END_TARGET)},
    {10, CANNOT(EINVAL, ZS_END_TARGET)},
    {1, SAYS_END},
    {9, SAYS_END},
    {10, SAYS_END},
};

static void halt_in_a_piece(int n, bool scattered)
{
    struct file_copy file;
    struct zs_range range = {
        .start = 100, .piece_bytes = 10, .stride_bytes = 25, .length_bytes = 95, .bounded = true};
    size_t length;
    file_copy_begin(&file);
    unsigned char *expected = picked(&range, file.bytes, scattered, 0, &length);
    struct bench bench;

    bench_begin(&bench, file.bench.copy.source_fd, dotted_file(scattered ? length : 0, 0));
    bench.copy.scattered = scattered;
    zs_copy_begin(&bench.copy, &range, range.start, 0);
    no_scripts();
    first_script = SCRIPT(MOVES(10), MOVES(halts[n].moves), halts[n].then);
    ck_assert_int_eq(zs_engine_run(&bench.copy, both, 2, &bench.error), 0);
    ck_assert_uint_eq(bench.copy.done_bytes, 95);
    ck_assert_uint_eq(zs_copy_target_end(&bench.copy), length);
    expect_content(bench.copy.target_fd, expected, length);
    free(expected);
    (void)close(bench.copy.target_fd);
    file_copy_end(&file);
}

START_TEST(the_next_engine_goes_on_at_the_exact_byte_of_a_piece)
{
    halt_in_a_piece(_i, false);
    halt_in_a_piece(_i, true);
}
END_TEST

/* A copy whose end becomes known bit by bit: after every piece, and within it. */
static void copy_bit_by_bit(enum zs_engine_id id, uint64_t bit, bool scattered)
{
    if (scattered && !zs_engines[id]->scatters)
        return;
    struct bench bench;
    struct zs_range range = {
        .start = 5, .piece_bytes = 10, .stride_bytes = 25, .length_bytes = 95, .bounded = true};
    unsigned char *bytes = new_pattern(1000);
    size_t length;
    unsigned char *expected = picked(&range, bytes, scattered, 0, &length);

    bench_begin(&bench, scratch_file(bytes, 1000), dotted_file(scattered ? length : 0, 0));
    bench.copy.scattered = scattered;
    range.bounded = false;
    zs_copy_begin(&bench.copy, &range, range.start, 0);
    for (uint64_t end = 0; end < 95; end += bit) {
        zs_copy_extend(&bench.copy, end);
        ck_assert_int_eq(run_one(&bench, id), 0);
        ck_assert_uint_eq(bench.copy.done_bytes, end);
    }
    zs_copy_extend(&bench.copy, 95);
    ck_assert_int_eq(run_one(&bench, id), 0);
    expect_content(bench.copy.target_fd, expected, length);
    free(bytes);
    free(expected);
    (void)close(bench.copy.source_fd);
    (void)close(bench.copy.target_fd);
}

START_TEST(a_copy_is_extended_at_the_exact_byte)
{
    for (uint64_t bit = 1; bit <= 21; bit++)
        copy_bit_by_bit((enum zs_engine_id)_i, bit, false);
}
END_TEST

START_TEST(a_scattered_copy_is_extended_at_the_exact_place)
{
    for (uint64_t bit = 1; bit <= 21; bit++)
        copy_bit_by_bit((enum zs_engine_id)_i, bit, true);
}
END_TEST

/* As copy_while_shrinking, with gaps: the source is cut after the first step. */
static void copy_pieces_while_shrinking(enum zs_engine_id id, int n, uint64_t size)
{
    struct bench bench;
    struct zs_range range = range_of_pieces(n);
    size_t whole = (size_t)zs_range_end(&range);
    unsigned char *bytes = new_pattern(whole);
    size_t length;
    unsigned char *expected = picked(&range, bytes, false, 0, &length);
    uint64_t good = size > range.start ? zs_range_count_within(&range, size - range.start) : 0;

    bench_begin(&bench, scratch_file(bytes, whole), scratch_file("", 0));
    zs_copy_begin(&bench.copy, &range, range.start, 0);
    real = zs_engines[id];
    first_script.steps = 0;
    shrunk_size = (off_t)size;
    struct zs_engine shrinking = *real;
    shrinking.step = step_and_shrink;
    const struct zs_engine *const engines[] = {&shrinking, &zs_engine_buffer};
    int result = zs_engine_run(&bench.copy, engines, 2, &bench.error);

    if (bench.copy.remaining_bytes == 0) /* one step took it all before */
        good = range.length_bytes;
    ck_assert(result == -1 || bench.copy.source_ended || bench.copy.remaining_bytes == 0);
    ck_assert_msg(bench.copy.done_bytes == good, "%s, pieces %d, cut at %ju: %ju done, not %ju",
                  zs_engine_names[id], n, (uintmax_t)size, (uintmax_t)bench.copy.done_bytes,
                  (uintmax_t)good);
    ck_assert_uint_eq(zs_copy_target_end(&bench.copy), good);
    ck_assert_uint_eq(file_size(bench.copy.target_fd), good + bench.copy.excess_bytes);
    ck_assert_int_eq(bench.copy.excess_bytes > 0, result == -1);
    ck_assert_int_eq(ftruncate(bench.copy.target_fd, (off_t)good), 0);
    expect_content(bench.copy.target_fd, expected, (size_t)good);
    free(bytes);
    free(expected);
    (void)close(bench.copy.source_fd);
    (void)close(bench.copy.target_fd);
}

START_TEST(every_engine_knows_the_good_bytes_of_pieces_of_a_file_that_shrank)
{
    struct zs_range range = range_of_pieces(_i);
    uint64_t end = zs_range_end(&range);
    uint64_t behind = range.start + range.piece_bytes;
    const uint64_t sizes[] = {0,      range.start, range.start + 1, behind - 1,
                              behind, end / 3,     end / 2,         end - 1};

    for (int id = FIRST_COPYING; id < ZS_ENGINE_COUNT; id++) {
        for (int s = 0; s < ROWS(sizes); s++)
            copy_pieces_while_shrinking((enum zs_engine_id)id, _i, sizes[s]);
    }
}
END_TEST

/* Every real engine, between every pair of descriptors */

enum end_kind { END_FILE, END_MEMFD, END_APPEND, END_PIPE, END_SOCKET, END_COUNT };

static bool is_flow(enum end_kind kind)
{
    return kind == END_PIPE || kind == END_SOCKET;
}

/* An open end, and the other side of it if there is one. */
struct end {
    int fd;
    int other;
};

static struct end open_flow(enum end_kind kind, bool source, int flags)
{
    int ends[2];
    int result = kind == END_PIPE
                     ? pipe2(ends, O_CLOEXEC | flags)
                     : socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0, ends);
    ck_assert_int_eq(result, 0);
    return source ? (struct end){ends[0], ends[1]} : (struct end){ends[1], ends[0]};
}

static struct end open_end(enum end_kind kind, bool source, int flags, const void *bytes,
                           size_t length)
{
    if (is_flow(kind))
        return open_flow(kind, source, flags);

    struct end end = {.other = -1};
    end.fd = kind == END_MEMFD ? memfd_create("end", MFD_CLOEXEC) : scratch_file("", 0);
    ck_assert_int_ge(end.fd, 0);
    write_all(end.fd, bytes, length);
    if (kind == END_APPEND)
        ck_assert_int_eq(fcntl(end.fd, F_SETFL, O_APPEND), 0);
    return end;
}

/* BEFORE bytes in a file target that must stay; SKIPPED before the slice of a file, BEHIND after
 * it. */
enum { BEFORE = 5, SKIPPED = 4099, BEHIND = 3000 };

struct crossing {
    const struct zs_engine *engine;
    enum end_kind from, to;
    size_t length;
    bool bounded;
    int flags; /* of pipes and sockets */
};

static void expect_delivered(const struct crossing *crossing, const struct end *target,
                             struct later *reader, const unsigned char *expected)
{
    if (is_flow(crossing->to)) {
        (void)close(target->fd);
        join(reader);
        ck_assert_uint_eq(reader->length, crossing->length);
        if (memcmp(reader->bytes, expected, crossing->length) != 0)
            ck_abort_msg("other bytes came out");
        free(reader->bytes);
        (void)close(target->other);
        return;
    }
    unsigned char *whole = malloc(BEFORE + crossing->length);
    ck_assert_ptr_nonnull(whole);
    memcpy(whole, "stays", BEFORE);
    memcpy(whole + BEFORE, expected, crossing->length);
    expect_content(target->fd, whole, BEFORE + crossing->length);
    free(whole);
    (void)close(target->fd);
}

/* What lies behind the slice is still in the pipe or socket for the next reader. */
static void expect_left(const struct crossing *crossing, const struct end *source,
                        struct later *writer)
{
    if (is_flow(crossing->from)) {
        unsigned char left[BEHIND];
        if (crossing->bounded) {
            (void)fcntl(source->fd, F_SETFL, 0);
            drain(source->fd, left, BEHIND);
            ck_assert_mem_eq(left, writer->bytes + crossing->length, BEHIND);
        }
        join(writer);
    }
    (void)close(source->fd);
}

/* Two files on two file systems: copy_file_range(2) needs one. */
static bool is_across(const struct bench *bench)
{
    return bench->source.kind == ZS_KIND_REGULAR && bench->target.kind == ZS_KIND_REGULAR &&
           bench->source.device != bench->target.device;
}

/*
 * Runs the engine. Where only the file systems can refuse it, they must do so before a byte has
 * moved; then `buffer` goes on. Whether the engine itself did the copy.
 */
static bool run_crossing(const struct crossing *crossing, struct bench *bench)
{
    enum zs_engine_id id = crossing->engine->id;
    bool refused = id == ZS_ENGINE_REFLINK || (id == ZS_ENGINE_COPY_RANGE && is_across(bench));
    const struct zs_engine *const next = &zs_engine_buffer;
    int result = zs_engine_run(&bench->copy, &crossing->engine, 1, &bench->error);

    ck_assert_msg(result == (refused ? -1 : 0), "%s from %d to %d: error %d %s %s",
                  zs_engine_names[id], crossing->from, crossing->to, bench->error.code,
                  bench->error.operation, bench->error.detail);
    if (!refused)
        return true;
    expect_refused(bench, id, bench->error.code);
    if (id == ZS_ENGINE_COPY_RANGE)
        ck_assert_int_eq(bench->error.code, EXDEV);
    else
        ck_assert(is_refusal_to_share(bench->error.code));
    ck_assert_uint_eq(bench->copy.done_bytes, 0);
    expect_content(bench->copy.target_fd, "stays", BEFORE);
    ck_assert_int_eq(zs_engine_run(&bench->copy, &next, 1, &bench->error), 0);
    return false;
}

/* Whether the engine itself did it. */
static bool cross(const struct crossing *crossing)
{
    struct bench bench;
    bool flows = is_flow(crossing->from);
    size_t skipped = flows ? 0 : SKIPPED;
    size_t behind = crossing->bounded ? BEHIND : 0;
    size_t size = skipped + crossing->length + behind;
    unsigned char *bytes = new_pattern(size);
    struct end source = open_end(crossing->from, true, crossing->flags, bytes, size);
    struct end target = open_end(crossing->to, false, crossing->flags, "stays", BEFORE);
    struct later writer = {.fd = source.other, .bytes = bytes, .length = size, .piece = 70001};
    struct later reader = {.fd = target.other, .length = crossing->length + 1, .piece = 7001};

    bench_begin(&bench, source.fd, target.fd);
    ck_assert_ptr_null(crossing->engine->refuse(&bench.source, &bench.target));
    if (crossing->bounded)
        bench_slice(&bench, skipped, crossing->length);
    else
        bench_unbound(&bench, skipped);
    if (flows)
        start(&writer, feed);
    if (is_flow(crossing->to)) {
        reader.bytes = malloc(reader.length);
        start(&reader, swallow);
    }

    bool did_it = run_crossing(crossing, &bench);
    enum zs_engine_id mover = did_it ? crossing->engine->id : ZS_ENGINE_BUFFER;
    ck_assert_uint_eq(bench.copy.done_bytes, crossing->length);
    ck_assert_uint_eq(bench.stats.engines[mover].bytes, crossing->length);
    ck_assert_uint_eq(bench.stats.user_copied_bytes,
                      mover == ZS_ENGINE_BUFFER ? crossing->length : 0);
    ck_assert_int_eq(bench.copy.source_ended, !crossing->bounded);
    expect_delivered(crossing, &target, &reader, bytes + skipped);
    expect_left(crossing, &source, &writer);
    free(bytes);
    return did_it;
}

static bool can_cross(const struct zs_engine *engine, enum end_kind from, enum end_kind to)
{
    struct bench bench;
    struct end source = open_end(from, true, 0, "", 0);
    struct end target = open_end(to, false, 0, "", 0);

    bench_begin(&bench, source.fd, target.fd);
    bool can = engine->refuse(&bench.source, &bench.target) == NULL;
    const int fds[] = {source.fd, source.other, target.fd, target.other};
    for (int i = 0; i < ROWS(fds); i++) {
        if (fds[i] >= 0)
            (void)close(fds[i]);
    }
    return can;
}

static const struct {
    size_t length;
    bool bounded;
    int flags;
} manners[] = {
    {1, true, 0},
    {4096, true, 0},
    {65537, true, 0},
    {MEBIBYTE + 3, true, 0},
    {3 * MEBIBYTE + 1, false, 0},
    {3 * MEBIBYTE + 1, true, O_NONBLOCK},
    {300 * KIBIBYTE, false, O_NONBLOCK},
};

START_TEST(every_engine_copies_exactly_the_slice_between_all_ends_that_it_accepts)
{
    int crossed = 0, copied = 0;

    for (enum end_kind from = 0; from < END_COUNT; from++) {
        for (enum end_kind to = 0; to < END_COUNT; to++) {
            if (from == END_APPEND || !can_cross(zs_engines[_i], from, to))
                continue;
            bool did_it = false;
            for (int m = 0; m < ROWS(manners); m++) {
                const struct crossing crossing = {
                    zs_engines[_i],  from, to, manners[m].length, manners[m].bounded,
                    manners[m].flags};
                /* What has a size is always bounded, by the plan. */
                if (is_flow(from) || crossing.bounded)
                    did_it = cross(&crossing);
            }
            crossed++;
            copied += did_it;
        }
    }
    /* From 4 kinds of sources to 5 of targets; but no appending, or no streams to read from, or
     * only files. */
    static const int expected[ZS_ENGINE_COUNT] = {
        [ZS_ENGINE_REFLINK] = 4,  [ZS_ENGINE_COPY_RANGE] = 2, [ZS_ENGINE_SPLICE] = 16,
        [ZS_ENGINE_SENDFILE] = 8, [ZS_ENGINE_MAP_WRITE] = 10, [ZS_ENGINE_BUFFER] = 20};
    ck_assert_int_eq(crossed, expected[_i]);
    if (_i == ZS_ENGINE_REFLINK)
        ck_assert_int_eq(copied, 0);
    else if (_i == ZS_ENGINE_COPY_RANGE)
        ck_assert_int_ge(copied, 2); /* from file to file, from memfd to memfd */
    else
        ck_assert_int_eq(copied, crossed);
}
END_TEST

START_TEST(an_empty_stream_ends_at_once)
{
    for (enum end_kind from = END_PIPE; from <= END_SOCKET; from++) {
        const struct crossing crossing = {zs_engines[_i], from, END_FILE, 0, false, 0};
        if (can_cross(zs_engines[_i], from, END_FILE))
            cross(&crossing);
    }
}
END_TEST

START_TEST(a_file_without_a_size_is_copied_to_its_end)
{
    struct bench bench;
    char expected[4096];
    int source = open("/proc/version", O_RDONLY | O_CLOEXEC);
    if (source < 0)
        return;
    ssize_t length = pread(source, expected, sizeof expected, 0);
    ck_assert_int_gt(length, 7);

    bench_begin(&bench, source, scratch_file("", 0));
    bench_unbound(&bench, 7);
    if (zs_engines[_i]->refuse(&bench.source, &bench.target))
        return;
    const struct zs_engine *const engines[] = {zs_engines[_i], &zs_engine_buffer};
    ck_assert_int_eq(zs_engine_run(&bench.copy, engines, 2, &bench.error), 0);
    ck_assert(bench.copy.source_ended);
    expect_content(bench.copy.target_fd, expected + 7, (size_t)length - 7);
}
END_TEST

START_TEST(a_reader_that_is_gone_is_told_from_other_failures)
{
    for (enum end_kind to = END_PIPE; to <= END_SOCKET; to++) {
        struct bench bench;
        unsigned char *bytes = new_pattern(MEBIBYTE);
        struct end target = open_end(to, false, 0, "", 0);
        (void)close(target.other);
        bench_begin(&bench, scratch_file(bytes, MEBIBYTE), target.fd);
        free(bytes);
        bench_bound(&bench, MEBIBYTE);
        bool files_only = _i == ZS_ENGINE_REFLINK || _i == ZS_ENGINE_COPY_RANGE;
        ck_assert_int_eq(zs_engines[_i]->refuse(&bench.source, &bench.target) != NULL, files_only);
        if (files_only)
            continue;

        ck_assert_int_eq(zs_engine_run(&bench.copy, &zs_engines[_i], 1, &bench.error), -1);
        ck_assert_int_eq(bench.error.kind, ZS_ERROR_PIPE);
        ck_assert_int_eq(bench.error.code, EPIPE);
        ck_assert_uint_eq(bench.copy.done_bytes, 0);
        (void)close(target.fd);
        (void)close(bench.copy.source_fd);
    }
}
END_TEST

START_TEST(a_full_device_is_named_by_its_errno_whatever_comes_first)
{
    const struct zs_engine *const engines[] = {zs_engines[_i], &zs_engine_buffer};
    struct bench bench;
    bench_begin(&bench, scratch_file("0123456789", 10), open("/dev/full", O_WRONLY | O_CLOEXEC));
    bench_bound(&bench, 10);

    ck_assert_int_eq(zs_engine_run(&bench.copy, engines, 2, &bench.error), -1);
    ck_assert_int_eq(bench.error.kind, ZS_ERROR_TRANSFER);
    ck_assert_int_eq(bench.error.code, ENOSPC);
    ck_assert_str_eq(bench.error.object, "out");
    ck_assert_uint_eq(bench.copy.done_bytes, 0);
}
END_TEST

START_TEST(a_source_that_cannot_be_read_is_the_end_at_fault)
{
    struct bench bench;
    bench_begin(&bench, open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), scratch_file("", 0));
    bench.source.positioned = true; /* else it is read(2); the answer is the same */
    bench_bound(&bench, 10);

    const struct zs_engine *const engines[] = {zs_engines[_i], &zs_engine_buffer};
    ck_assert_int_eq(zs_engine_run(&bench.copy, engines, 2, &bench.error), -1);
    ck_assert_str_eq(bench.error.object, "in");
    ck_assert_int_eq(bench.error.code, EISDIR);
}
END_TEST

START_TEST(a_size_limit_fails_the_target_after_the_bytes_that_fit)
{
    struct file_copy file;
    file_copy_begin(&file);

    struct rlimit before, limit;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 600;
    (void)signal(SIGXFSZ, SIG_IGN);
    /* No assertion while the limit holds: it would cut Check's own file of messages, too. */
    int limited = setrlimit(RLIMIT_FSIZE, &limit);
    const struct zs_engine *const engines[] = {zs_engines[_i], &zs_engine_buffer};
    int result = zs_engine_run(&file.bench.copy, engines, _i == ZS_ENGINE_REFLINK ? 2 : 1,
                               &file.bench.error);
    int restored = setrlimit(RLIMIT_FSIZE, &before);

    ck_assert_int_eq(limited, 0);
    ck_assert_int_eq(restored, 0);
    ck_assert_int_eq(result, -1);
    ck_assert_int_eq(file.bench.error.code, EFBIG);
    ck_assert_str_eq(file.bench.error.object, "out");
    ck_assert_uint_eq(file.bench.copy.done_bytes, 600);
    expect_content(file.bench.copy.target_fd, file.bytes, 600);
    file_copy_end(&file);
}
END_TEST

/* What engines are given to work with */

START_TEST(a_step_may_move_what_remains_or_the_most_it_wants)
{
    struct zs_copy copy = {.bounded = true, .run_bytes = UINT64_MAX};
    static const uint64_t remaining[] = {1, 4095, 4096, 4097, UINT64_MAX};

    for (int i = 0; i < ROWS(remaining); i++) {
        copy.remaining_bytes = remaining[i];
        ck_assert_uint_eq(zs_copy_most(&copy, 4096), remaining[i] < 4096 ? remaining[i] : 4096);
    }
    copy.bounded = false;
    copy.remaining_bytes = 0;
    ck_assert_uint_eq(zs_copy_most(&copy, 4096), 4096);
}
END_TEST

/* Every place within every small range: what lies together, and what is left with its gaps. */
static void expect_most_and_span(struct zs_copy *copy, uint64_t end, size_t most)
{
    uint64_t done = copy->done_bytes;
    uint64_t together = zs_range_run(&copy->range, done);
    uint64_t expected = together < end - done ? together : end - done;
    uint64_t span =
        zs_range_offset(&copy->range, end - 1) + 1 - zs_range_offset(&copy->range, done);

    ck_assert_uint_eq(zs_copy_most(copy, most), expected < most ? expected : most);
    ck_assert_uint_eq(zs_copy_span(copy, most), span < most ? span : most);
}

START_TEST(a_step_may_move_what_lies_together)
{
    struct zs_facts file = {.kind = ZS_KIND_REGULAR, .positioned = true, .sized = true};

    for (uint64_t piece = 1; piece <= 4; piece++) {
        for (uint64_t stride = piece; stride <= 7; stride++) {
            for (uint64_t end = 1; end <= 14; end++) {
                for (uint64_t done = 0; done < end; done++) {
                    struct zs_copy copy = {.source = &file};
                    struct zs_range range = {
                        .piece_bytes = piece, .stride_bytes = stride, .bounded = false};
                    zs_copy_begin(&copy, &range, 100, 0);
                    ck_assert_uint_eq(zs_copy_span(&copy, 4096), 4096);
                    copy.done_bytes = done;
                    zs_copy_extend(&copy, end);
                    ck_assert_uint_eq(copy.source_position, 100 + zs_range_offset(&range, done));
                    for (size_t most = 1; most <= 40; most++)
                        expect_most_and_span(&copy, end, most);
                }
            }
        }
    }
}
END_TEST

static const int another_way[] = {EINVAL, EBADF,  ENOSYS, EPERM,  EOPNOTSUPP, ENODEV, EACCES,
                                  EXDEV,  ENOTTY, ESPIPE, ENOMEM, EFAULT,     EAGAIN, EOVERFLOW};
static const int no_other_way[] = {EIO,    ENOSPC,    EDQUOT, EFBIG, EPIPE,   ECONNRESET,
                                   EISDIR, ETIMEDOUT, EROFS,  ENXIO, ENOTCONN};

START_TEST(an_errno_says_whether_another_engine_may_do)
{
    for (int i = 0; i < ROWS(another_way); i++) {
        struct zs_step step = zs_step_of_error(-another_way[i], ZS_END_SOURCE);
        ck_assert_int_eq(step.verdict, ZS_STEP_UNSUPPORTED);
        ck_assert_int_eq(step.code, another_way[i]);
        ck_assert_int_eq(step.end, ZS_END_SOURCE);
    }
    for (int i = 0; i < ROWS(no_other_way); i++) {
        struct zs_step step = zs_step_of_error(-no_other_way[i], ZS_END_TARGET);
        ck_assert_int_eq(step.verdict, ZS_STEP_FAILED);
        ck_assert_int_eq(step.code, no_other_way[i]);
        ck_assert_int_eq(step.end, ZS_END_TARGET);
    }
}
END_TEST

/* Of a call that reads and writes, and does not say which of them failed. */
static const struct zs_step either[] = {FAILS(EIO, ZS_END_EITHER), CANNOT(EINVAL, ZS_END_EITHER)};

static void expect_blamed(int source_fd, const struct zs_step *step, const char *name)
{
    struct bench bench;

    no_scripts();
    first_script = (struct script){.count = 1, .entries = {*step}};
    bench_begin(&bench, source_fd, scratch_file("", 0));
    ck_assert_int_eq(zs_engine_run(&bench.copy, both, 1, &bench.error), -1);
    ck_assert_int_eq(bench.error.kind, ZS_ERROR_TRANSFER);
    ck_assert_int_eq(bench.error.code, step->code);
    ck_assert_str_eq(bench.error.object, name);
    ck_assert_str_eq(bench.error.operation, *name == 'i' ? "reading" : "writing");
}

START_TEST(the_end_at_fault_is_found_by_reading)
{
    make_file("unreadable", "12345", 5);
    expect_blamed(open("unreadable", O_WRONLY | O_CLOEXEC), &either[_i], "in");
    expect_blamed(scratch_file("12345", 5), &either[_i], "out");
    /* At the end there is nothing to read, which is no error. */
    expect_blamed(scratch_file("", 0), &either[_i], "out");

    /* A stream loses no byte to the question. */
    char byte;
    int fd = filled_pipe("x", 1, 0, NULL);
    expect_blamed(fd, &either[_i], "out");
    ck_assert_int_eq(read(fd, &byte, 1), 1);
}
END_TEST

static int capacity_of(int fd)
{
    return fcntl(fd, F_GETPIPE_SZ);
}

START_TEST(a_pipe_is_grown_and_never_shrunk)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);

    zs_pipe_grow(ends[0], ZS_DEFAULT_PIPE_BYTES);
    ck_assert_int_eq(capacity_of(ends[1]), ZS_PIPE_BYTES);
    zs_pipe_grow(ends[1], ZS_PIPE_BYTES);
    ck_assert_int_eq(capacity_of(ends[0]), ZS_PIPE_BYTES);
    if (fcntl(ends[0], F_SETPIPE_SZ, 4 * MEBIBYTE) >= 0) { /* root may */
        zs_pipe_grow(ends[1], 4 * ZS_PIPE_BYTES);
        ck_assert_int_eq(capacity_of(ends[0]), 4 * MEBIBYTE);
    }
    int file = scratch_file("", 0);
    zs_pipe_grow(file, ZS_DEFAULT_PIPE_BYTES); /* no pipe: nothing happens */
    zs_pipe_grow(-1, ZS_DEFAULT_PIPE_BYTES);
}
END_TEST

static bool add_pipe(size_t bytes)
{
    int ends[2];
    return pipe2(ends, O_CLOEXEC) == 0 && fcntl(ends[1], F_SETPIPE_SZ, (int)bytes) >= 0;
}

/*
 * The pages that a user's pipes may hold are used up but for those of half a pipe of ZS_PIPE_BYTES.
 * 0 if the next pipe gets them, or if nothing can be said.
 */
static int grow_the_last_pipe(long soft_pages)
{
    long pages = (long)ZS_PIPE_BYTES / sysconf(_SC_PAGESIZE);
    int ends[2];

    for (long left = soft_pages - pages; left >= pages; left -= pages) {
        if (!add_pipe(ZS_PIPE_BYTES))
            return 0; /* this user has other pipes */
    }
    if (!add_pipe(ZS_PIPE_BYTES / 2))
        return 0;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return 2;
    int before = capacity_of(ends[1]);
    if (fcntl(ends[1], F_SETPIPE_SZ, (int)ZS_PIPE_BYTES) >= 0)
        return 3; /* the limit does not bind */
    zs_pipe_grow(ends[1], (size_t)before);
    int after = capacity_of(ends[1]);
    if (after <= before || after >= (int)ZS_PIPE_BYTES)
        return 4;
    return fcntl(ends[1], F_SETPIPE_SZ, 2 * after) < 0 ? 0 : 5;
}

static long read_soft_limit(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/sys/fs/pipe-user-pages-soft", "r");
    if (file) {
        if (fscanf(file, "%ld", &pages) != 1)
            pages = 0;
        (void)fclose(file);
    }
    return pages;
}

START_TEST(a_pipe_grows_as_far_as_the_users_limit_allows)
{
    long soft_pages = read_soft_limit();
    int status;
    if (soft_pages < 512 || soft_pages > 65536)
        return;

    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(geteuid() == 0 && setuid(65533) != 0 ? 1 : grow_the_last_pipe(soft_pages));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

/* Pipes: the ends' own are grown, the program's is kept from copy to copy */

static const struct {
    size_t length;
    int before; /* 0: as it is created */
    int after;
} growths[] = {
    {1, 0, ZS_DEFAULT_PIPE_BYTES},
    {ZS_DEFAULT_PIPE_BYTES, 0, ZS_DEFAULT_PIPE_BYTES},
    {ZS_DEFAULT_PIPE_BYTES + 1, 0, ZS_PIPE_BYTES},
    {ZS_DEFAULT_PIPE_BYTES + 1, 4096, ZS_PIPE_BYTES},
    {3 * MEBIBYTE, ZS_PIPE_BYTES, ZS_PIPE_BYTES},
};

START_TEST(pipes_at_both_ends_are_grown_if_the_copy_is_worth_it)
{
    size_t length = growths[_i].length;
    struct bench bench;
    struct end source = open_flow(END_PIPE, true, 0), target = open_flow(END_PIPE, false, 0);
    struct later writer = {.fd = source.other, .length = length, .piece = 70001};
    struct later reader = {.fd = target.other, .length = length, .piece = 70001};
    writer.bytes = new_pattern(length);
    reader.bytes = malloc(length);
    if (growths[_i].before > 0) {
        ck_assert_int_ge(fcntl(source.fd, F_SETPIPE_SZ, growths[_i].before), 0);
        ck_assert_int_ge(fcntl(target.fd, F_SETPIPE_SZ, growths[_i].before), 0);
    }

    bench_begin(&bench, source.fd, target.fd);
    bench_bound(&bench, length);
    start(&writer, feed);
    start(&reader, swallow);
    ck_assert_int_eq(run_one(&bench, ZS_ENGINE_SPLICE), 0);
    join(&writer);
    join(&reader);
    ck_assert_mem_eq(reader.bytes, writer.bytes, length);
    ck_assert_int_eq(capacity_of(source.fd), growths[_i].after);
    ck_assert_int_eq(capacity_of(target.fd), growths[_i].after);
    free(writer.bytes);
    free(reader.bytes);
}
END_TEST

static const struct zs_pipe no_pipe = {.read_fd = -1, .write_fd = -1};

/* A copy of a new file into a new file by splice, which uses that pipe. */
static void copy_through(struct zs_pipe *pipe, size_t length)
{
    struct bench bench;
    unsigned char *bytes = new_pattern(length);

    bench_begin(&bench, scratch_file(bytes, length), scratch_file("", 0));
    bench.copy.pipe = pipe;
    bench_bound(&bench, length);
    ck_assert_int_eq(run_one(&bench, ZS_ENGINE_SPLICE), 0);
    expect_content(bench.copy.target_fd, bytes, length);
    free(bytes);
    (void)close(bench.copy.source_fd);
    (void)close(bench.copy.target_fd);
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void expect_empty(const struct zs_pipe *pipe)
{
    int bytes = -1;
    ck_assert_int_eq(ioctl(pipe->read_fd, FIONREAD, &bytes), 0);
    ck_assert_int_eq(bytes, 0);
}

START_TEST(a_pipe_is_kept_empty_from_copy_to_copy_and_grown_once)
{
    struct zs_pipe pipe = no_pipe;

    copy_through(&pipe, 1000);
    ck_assert(is_open(pipe.read_fd) && is_open(pipe.write_fd));
    ck_assert(!pipe.grown);
    ck_assert_int_eq(capacity_of(pipe.read_fd), ZS_DEFAULT_PIPE_BYTES);
    expect_empty(&pipe);
    struct zs_pipe first_pipe = pipe;

    copy_through(&pipe, ZS_DEFAULT_PIPE_BYTES + 1);
    ck_assert_int_eq(pipe.read_fd, first_pipe.read_fd);
    ck_assert_int_eq(pipe.write_fd, first_pipe.write_fd);
    ck_assert(pipe.grown);
    ck_assert_int_eq(capacity_of(pipe.read_fd), ZS_PIPE_BYTES);
    expect_empty(&pipe);

    /* It is not asked for its size again, nor grown. */
    ck_assert_int_ge(fcntl(pipe.read_fd, F_SETPIPE_SZ, ZS_DEFAULT_PIPE_BYTES), 0);
    copy_through(&pipe, 3 * MEBIBYTE + 7);
    ck_assert_int_eq(pipe.read_fd, first_pipe.read_fd);
    ck_assert_int_eq(capacity_of(pipe.read_fd), ZS_DEFAULT_PIPE_BYTES);
    expect_empty(&pipe);
}
END_TEST

START_TEST(without_a_pipe_to_keep_none_is_left_open)
{
    int before = dup(STDERR_FILENO);
    (void)close(before);
    copy_through(NULL, MEBIBYTE);
    int after = dup(STDERR_FILENO);
    (void)close(after);
    ck_assert_int_eq(after, before);
}
END_TEST

/* To a socket whose reader is gone: what has been taken of the source stays in the pipe. */
START_TEST(a_pipe_that_is_not_empty_is_thrown_away)
{
    struct zs_pipe pipe = no_pipe;
    struct bench bench;
    unsigned char *bytes = new_pattern(MEBIBYTE);
    struct end target = open_flow(END_SOCKET, false, 0);

    copy_through(&pipe, 1000);
    struct zs_pipe kept = pipe;
    (void)close(target.other);
    bench_begin(&bench, scratch_file(bytes, MEBIBYTE), target.fd);
    bench.copy.pipe = &pipe;
    bench_bound(&bench, MEBIBYTE);
    ck_assert_int_eq(zs_engine_run(&bench.copy, &zs_engines[ZS_ENGINE_SPLICE], 1, &bench.error),
                     -1);
    ck_assert_int_eq(bench.error.kind, ZS_ERROR_PIPE);
    ck_assert_int_eq(pipe.read_fd, -1);
    ck_assert_int_eq(pipe.write_fd, -1);
    ck_assert(!pipe.grown);
    ck_assert(!is_open(kept.read_fd) && !is_open(kept.write_fd));

    /* The next copy makes another, and gets nothing of what was in the first. */
    copy_through(&pipe, 2 * MEBIBYTE);
    ck_assert(is_open(pipe.read_fd) && pipe.grown);
    expect_empty(&pipe);
    free(bytes);
}
END_TEST

START_TEST(ends_that_are_spliced_directly_need_no_pipe)
{
    struct zs_pipe pipe = no_pipe;
    struct bench bench;
    struct end target = open_flow(END_PIPE, false, 0);

    bench_begin(&bench, scratch_file("0123456789", 10), target.fd);
    bench.copy.pipe = &pipe;
    bench_bound(&bench, 10);
    ck_assert_int_eq(run_one(&bench, ZS_ENGINE_SPLICE), 0);
    ck_assert_int_eq(pipe.read_fd, -1);
}
END_TEST

/* What follows the copy is told how far it has come, and what the device says is an error. */

START_TEST(what_follows_a_copy_is_told_where_both_ends_are)
{
    struct file_copy file;
    file_copy_begin(&file);
    struct zs_copy *copy = &file.bench.copy;
    struct zs_behind behind = {.source_fd = -1, .target_fd = -1};
    struct zs_range range = zs_range_contiguous(0, 500);

    copy->behind = &behind;
    zs_copy_begin(copy, &range, 200, 3000);
    ck_assert_uint_eq(behind.source.start, 200);
    ck_assert_uint_eq(behind.target.start, 3000);
    first_script = SCRIPT(MOVES(77), CANNOT(EINVAL, ZS_END_TARGET));
    ck_assert_int_eq(run(&file, 2), 0);
    ck_assert_uint_eq(behind.source.end, 700);
    ck_assert_uint_eq(behind.target.end, 3500);
    file_copy_end(&file);
}
END_TEST

/* With gaps in the source, and in the target only if it is scattered. */
START_TEST(what_follows_pieces_is_told_where_they_end)
{
    for (int scattered = 0; scattered < 2; scattered++) {
        struct bench bench;
        struct zs_range range = {.start = 100,
                                 .piece_bytes = 10,
                                 .stride_bytes = 25,
                                 .length_bytes = 95,
                                 .bounded = true};
        struct zs_behind behind = {.source_fd = -1, .target_fd = -1};
        unsigned char *bytes = new_pattern(LENGTH);

        bench_begin(&bench, scratch_file(bytes, LENGTH), scratch_file("", 0));
        bench.copy.behind = &behind;
        bench.copy.scattered = scattered;
        zs_copy_begin(&bench.copy, &range, 100, 40);
        ck_assert_int_eq(run_one(&bench, ZS_ENGINE_BUFFER), 0);
        ck_assert_uint_eq(behind.source.end, 100 + 9 * 25 + 5);
        ck_assert_uint_eq(behind.target.end, 40 + (scattered ? 9 * 25 + 5 : 95));
        free(bytes);
    }
}
END_TEST

START_TEST(a_device_that_refuses_what_was_written_is_an_error_of_the_target)
{
    struct file_copy file;
    file_copy_begin(&file);
    struct zs_behind behind = {.source_fd = -1, .target_fd = -1, .failed = -EIO};

    file.bench.copy.behind = &behind;
    first_script = SCRIPT(MOVES(77));
    ck_assert_int_eq(run(&file, 2), -1);
    ck_assert_int_eq(file.bench.error.kind, ZS_ERROR_DEVICE);
    ck_assert_int_eq(file.bench.error.code, EIO);
    ck_assert_str_eq(file.bench.error.object, "out");
    ck_assert_str_eq(file.bench.error.operation, "writing to the device");
    ck_assert_uint_eq(file.bench.copy.done_bytes, 77);
    ck_assert_int_eq(second_script.steps, 0);
    file_copy_end(&file);
}
END_TEST

/* Also of bytes that are delivered for an engine that is given up: the device fails only then. */
static struct zs_step step_before_the_device_fails(const struct zs_copy *copy, void *state)
{
    if (hoard.steps == 1)
        copy->behind->failed = -EIO;
    return step_hoard(copy, state);
}

START_TEST(a_device_that_refuses_what_an_engine_held_is_one_too)
{
    struct zs_engine engine = hoarder;
    const struct zs_engine *const engines[] = {&engine, &second};
    struct zs_behind behind = {.source_fd = -1, .target_fd = -1};
    struct bench bench;
    unsigned char *bytes = new_pattern(2 * TAKEN);

    engine.step = step_before_the_device_fails;
    bench_begin(&bench, filled_pipe(bytes, 2 * TAKEN, 0, NULL), scratch_file("", 0));
    bench.copy.behind = &behind;
    bench_bound(&bench, 2 * TAKEN);
    hoard = (struct hoard){.last = CANNOT(EINVAL, ZS_END_TARGET)};
    ck_assert_int_eq(zs_engine_run(&bench.copy, engines, 2, &bench.error), -1);
    ck_assert_int_eq(bench.error.kind, ZS_ERROR_DEVICE);
    ck_assert_int_eq(bench.error.code, EIO);
    ck_assert_str_eq(bench.error.object, "out");
    ck_assert_uint_eq(bench.copy.done_bytes, TAKEN);
    expect_content(bench.copy.target_fd, bytes, TAKEN);
    ck_assert_int_eq(second_script.steps, 0);
    free(bytes);
}
END_TEST

/* map-write with a second thread */

/* A copy of what is in source_fd, by map-write with so many jobs, into a new memory file. */
static int map_write(struct bench *bench, int source_fd, uint64_t position, uint64_t length,
                     unsigned jobs)
{
    int target = memfd_create("target", MFD_CLOEXEC);

    ck_assert_int_ge(target, 0);
    bench_begin(bench, source_fd, target);
    bench->copy.jobs = jobs;
    bench_slice(bench, position, length);
    return zs_engine_run(&bench->copy, &zs_engines[ZS_ENGINE_MAP_WRITE], 1, &bench->error);
}

static void expect_mapped(const unsigned char *bytes, int source_fd, uint64_t position,
                          uint64_t length)
{
    for (unsigned jobs = 0; jobs <= 3; jobs++) {
        struct bench bench;
        ck_assert_int_eq(map_write(&bench, source_fd, position, length, jobs), 0);
        ck_assert_uint_eq(bench.copy.done_bytes, length);
        ck_assert_uint_eq(bench.stats.jobs, jobs > 1 ? 2 : 0);
        ck_assert_uint_eq(bench.stats.user_copied_bytes, 0);
        expect_content(bench.copy.target_fd, bytes + position, (size_t)length);
        (void)close(bench.copy.target_fd);
    }
}

START_TEST(two_jobs_copy_what_one_does)
{
    static const uint64_t positions[] = {0, 1, 4095, 4096, 4097, 1048575, 1048577};
    static const uint64_t lengths[] = {1, 4095, 4096, 4097, 1048575, 1048577, 5000003, 3 * 1048576};
    enum { SIZE = 6 * MEBIBYTE + 123 };
    unsigned char *bytes = new_pattern(SIZE);
    int source = scratch_file(bytes, SIZE);

    for (int l = 0; l < ROWS(lengths); l++)
        expect_mapped(bytes, source, positions[_i % 7], lengths[l]);
    expect_mapped(bytes, source, positions[_i % 7], SIZE - positions[_i % 7]);
    free(bytes);
    (void)close(source);
}
END_TEST

/* Longer than the lead, and than what is unmapped behind at once. */
START_TEST(two_jobs_copy_a_long_slice)
{
    enum { SIZE = 40 * MEBIBYTE };
    unsigned char *bytes = new_pattern(SIZE);
    int source = memfd_create("long", MFD_CLOEXEC);
    struct bench bench;

    ck_assert_int_ge(source, 0);
    write_all(source, bytes, SIZE);
    ck_assert_int_eq(map_write(&bench, source, 12345, SIZE - 12345, 2), 0);
    expect_content(bench.copy.target_fd, bytes + 12345, SIZE - 12345);
    free(bytes);
}
END_TEST

/* With gaps: the used bytes jump. */
START_TEST(two_jobs_copy_pieces)
{
    struct zs_range range = range_of_pieces(_i);
    size_t size = (size_t)zs_range_end(&range) + 5000;
    unsigned char *bytes = new_pattern(size);
    size_t length;
    unsigned char *expected = picked(&range, bytes, false, 0, &length);
    struct bench bench;

    bench_begin(&bench, scratch_file(bytes, size), scratch_file("", 0));
    bench.copy.jobs = 2;
    zs_copy_begin(&bench.copy, &range, range.start, 0);
    ck_assert_int_eq(run_one(&bench, ZS_ENGINE_MAP_WRITE), 0);
    expect_content(bench.copy.target_fd, expected, length);
    free(bytes);
    free(expected);
}
END_TEST

START_TEST(two_jobs_know_the_good_bytes_of_a_file_that_shrank)
{
    copies_by = 2;
    copy_while_shrinking(ZS_ENGINE_MAP_WRITE, cuts[_i]);
    copies_by = 0;
}
END_TEST

/* A signal for the process is for the thread that copies: the second one blocks them all. */
START_TEST(the_second_thread_takes_no_signals)
{
    struct bench bench;
    unsigned char *bytes = new_pattern(MEBIBYTE);
    void *state = NULL;
    char path[64], line[256];
    unsigned long long blocked = 0;
    int threads = 0;

    bench_begin(&bench, scratch_file(bytes, MEBIBYTE), scratch_file("", 0));
    bench.copy.jobs = 2;
    bench_bound(&bench, MEBIBYTE);
    ck_assert_int_eq(zs_engine_map_write.open(&bench.copy, &state), 0);
    DIR *tasks = opendir("/proc/self/task");
    ck_assert_ptr_nonnull(tasks);
    for (const struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        if (entry->d_name[0] == '.' || atoi(entry->d_name) == getpid())
            continue;
        (void)snprintf(path, sizeof path, "/proc/self/task/%.20s/status", entry->d_name);
        FILE *status = fopen(path, "r");
        ck_assert_ptr_nonnull(status);
        while (fgets(line, sizeof line, status))
            (void)sscanf(line, "SigBlk: %llx", &blocked);
        (void)fclose(status);
        threads += (blocked & (1ULL << (SIGINT - 1))) && (blocked & (1ULL << (SIGTERM - 1))) &&
                   (blocked & (1ULL << (SIGUSR1 - 1)));
    }
    (void)closedir(tasks);
    ck_assert_int_ge(threads, 1);
    zs_engine_map_write.close(state);
    free(bytes);
}
END_TEST

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static uint64_t address_space(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%llu", &pages), 1);
    (void)fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

enum { LARGE_SOURCE = 60 * MEBIBYTE };

/* A copy of 60 MiB to /dev/null with two jobs, in so much more address space than there is. */
static void copy_in(uint64_t more, const struct zs_engine *const *engines, size_t count,
                    struct bench *bench, int *result)
{
    struct rlimit before, limit;
    int source = scratch_file("", 0);

    ck_assert_int_eq(ftruncate(source, LARGE_SOURCE), 0);
    bench_begin(bench, source, open("/dev/null", O_WRONLY | O_CLOEXEC));
    bench->copy.jobs = 2;
    bench_bound(bench, LARGE_SOURCE);
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &before), 0);
    limit = before;
    limit.rlim_cur = address_space() + more;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    *result = zs_engine_run(&bench->copy, engines, count, &bench->error);
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &before), 0);
    (void)close(source);
}

START_TEST(where_the_long_window_does_not_fit_a_shorter_one_does)
{
    struct bench bench;
    int result;

    if (SANITIZED)
        return; /* shadow memory needs more address space than there is */
    copy_in((uint64_t)40 * MEBIBYTE, &zs_engines[ZS_ENGINE_MAP_WRITE], 1, &bench, &result);
    ck_assert_msg(result == 0, "%d %s", bench.error.code, bench.error.detail);
    ck_assert_uint_eq(bench.copy.done_bytes, LARGE_SOURCE);
    ck_assert_uint_eq(bench.stats.jobs, 2);
}
END_TEST

START_TEST(where_no_window_fits_the_next_engine_goes_on)
{
    const struct zs_engine *const engines[] = {&zs_engine_map_write, &zs_engine_splice};
    struct bench bench;
    int result;

    if (SANITIZED)
        return;
    copy_in((uint64_t)64 * KIBIBYTE, engines, 2, &bench, &result);
    ck_assert_int_eq(result, 0);
    ck_assert_uint_eq(bench.copy.done_bytes, LARGE_SOURCE);
    expect_refused(&bench, ZS_ENGINE_MAP_WRITE, ENOMEM);
    ck_assert_uint_eq(bench.stats.engines[ZS_ENGINE_SPLICE].bytes, LARGE_SOURCE);
}
END_TEST

/* Where no thread is to be had, one job copies, and says so. */
START_TEST(without_a_second_thread_one_does_it)
{
    struct bench bench;
    struct rlimit before, limit;

    if (SANITIZED)
        return;
    unsigned char *bytes = new_pattern(MEBIBYTE);
    ck_assert_int_eq(getrlimit(RLIMIT_NPROC, &before), 0);
    int source = scratch_file(bytes, MEBIBYTE);
    if (geteuid() == 0) /* whom the limit does not bind */
        ck_assert_int_eq(setresuid(65532, 65532, 0), 0);
    limit = before;
    limit.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
    ck_assert_int_eq(map_write(&bench, source, 5, MEBIBYTE - 5, 2), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &before), 0);
    (void)setresuid(0, 0, 0);
    ck_assert_uint_eq(bench.stats.jobs, 0);
    expect_content(bench.copy.target_fd, bytes + 5, MEBIBYTE - 5);
    free(bytes);
}
END_TEST

/*
 * Read-ahead: what is asked for is written down, and nothing need be cached. In place of the
 * functions of sys.c: see CMakeLists.txt.
 */

static struct {
    bool cold; /* nothing is cached */
    int questions;
    int count; /* of what was asked for */
    uint64_t start, end;
} fetched;

int __real_zs_sys_is_cached(int fd, uint64_t position);
int __wrap_zs_sys_is_cached(int fd, uint64_t position);
int __real_zs_sys_fetch(int fd, uint64_t start, uint64_t length_bytes);
int __wrap_zs_sys_fetch(int fd, uint64_t start, uint64_t length_bytes);

int __wrap_zs_sys_is_cached(int fd, uint64_t position)
{
    fetched.questions++;
    return fetched.cold ? 0 : __real_zs_sys_is_cached(fd, position);
}

int __wrap_zs_sys_fetch(int fd, uint64_t start, uint64_t length_bytes)
{
    if (fetched.count++ == 0)
        fetched.start = start;
    else
        ck_assert_uint_eq(fetched.end, start);
    fetched.end = start + length_bytes;
    return __real_zs_sys_fetch(fd, start, length_bytes);
}

enum { READ_AHEAD_FROM = 2 * MEBIBYTE, COLD_SIZE = 5 * MEBIBYTE };

static void nothing_is_cached(void)
{
    no_scripts();
    memset(&fetched, 0, sizeof fetched);
    fetched.cold = true;
}

/* A range of a file of COLD_SIZE, by one engine. False if it cannot do that. */
static bool copy_cold(const struct zs_engine *engine, const struct zs_range *range, unsigned jobs)
{
    struct bench bench;
    unsigned char *bytes = new_pattern(COLD_SIZE), *wanted = malloc(COLD_SIZE);

    ck_assert_ptr_nonnull(wanted);
    bench_begin(&bench, scratch_file(bytes, COLD_SIZE), scratch_file("", 0));
    bench.copy.jobs = jobs;
    zs_copy_begin(&bench.copy, range, range->start, 0);
    bool done = zs_engine_run(&bench.copy, &engine, 1, &bench.error) == 0;
    for (uint64_t n = 0; n < bench.copy.done_bytes; n++)
        wanted[n] = bytes[range->start + zs_range_offset(range, n)];
    expect_content(bench.copy.target_fd, wanted, (size_t)bench.copy.done_bytes);
    (void)close(bench.copy.source_fd);
    (void)close(bench.copy.target_fd);
    free(wanted);
    free(bytes);
    return done;
}

/* The others read ahead by themselves, and are slowed down by it. */
START_TEST(only_an_engine_that_faults_reads_ahead)
{
    const struct zs_engine *engine = zs_engines[_i];
    bool faults = _i == ZS_ENGINE_MAP_WRITE;
    struct zs_range range = zs_range_contiguous(1001, COLD_SIZE - 2002);

    for (unsigned jobs = 1; jobs <= 2; jobs++) {
        nothing_is_cached();
        ck_assert(copy_cold(engine, &range, jobs) || _i == ZS_ENGINE_REFLINK ||
                  _i == ZS_ENGINE_COPY_RANGE);
        ck_assert_int_eq(fetched.count > 0, faults);
        ck_assert_int_eq(fetched.questions, fetched.count);
        if (faults) {
            ck_assert_uint_eq(fetched.start, 1001); /* all of it, and nothing else, once */
            ck_assert_uint_eq(fetched.end, COLD_SIZE - 1001);
        }
    }
}
END_TEST

static const struct {
    struct zs_range range;
    bool reads;
} cold_ranges[] = {
    {{0, 1, 1, READ_AHEAD_FROM, true, .needed_bytes = 1}, true},
    {{0, 1, 1, READ_AHEAD_FROM - 1, true, .needed_bytes = 1}, false},
    {{77, 1, 1, READ_AHEAD_FROM, true, .needed_bytes = 1}, true},
    {{0, 1, 1, 1, true, .needed_bytes = 1}, false},
    {{0, 1, 1, 0, false, .needed_bytes = 1}, false},
    {{0, MEBIBYTE, MEBIBYTE + 1, 4 * MEBIBYTE, true, .needed_bytes = MEBIBYTE}, false},
};

START_TEST(what_is_short_or_in_pieces_or_of_no_known_length_is_left_to_the_kernel)
{
    ck_assert(copy_cold(&zs_engine_map_write, &cold_ranges[_i].range, 1));
    ck_assert_int_eq(fetched.count > 0, cold_ranges[_i].reads);
    ck_assert(cold_ranges[_i].reads || fetched.questions == 0);
}
END_TEST

/* Of what is cached nothing is asked for. */
START_TEST(a_cached_source_is_not_read_ahead)
{
    struct zs_range range = zs_range_contiguous(0, COLD_SIZE);

    fetched.cold = false;
    ck_assert(copy_cold(&zs_engine_map_write, &range, 2));
    ck_assert_int_eq(fetched.count, 0);
    ck_assert_int_eq(fetched.questions, COLD_SIZE / MEBIBYTE);
}
END_TEST

/* An engine that takes over asks for what it copies, and each copy anew. */
START_TEST(read_ahead_begins_where_the_engine_does)
{
    static const struct zs_engine *const then[] = {&first, &zs_engine_map_write};
    struct bench bench;
    unsigned char *bytes = new_pattern(COLD_SIZE);

    bench_begin(&bench, scratch_file(bytes, COLD_SIZE), scratch_file("", 0));
    first_script =
        (struct script){.count = 2, .entries = {MOVES(5000), CANNOT(EINVAL, ZS_END_TARGET)}};
    bench_bound(&bench, COLD_SIZE);
    ck_assert_int_eq(zs_engine_run(&bench.copy, then, 2, &bench.error), 0);
    ck_assert_uint_eq(fetched.start, 5000);
    ck_assert_uint_eq(fetched.end, COLD_SIZE);
    expect_content(bench.copy.target_fd, bytes, COLD_SIZE);

    nothing_is_cached();
    bench_slice(&bench, 100, READ_AHEAD_FROM);
    ck_assert_int_eq(zs_engine_run(&bench.copy, &then[1], 1, &bench.error), 0);
    ck_assert_uint_eq(fetched.start, 100);
    ck_assert_uint_eq(fetched.end, 100 + READ_AHEAD_FROM);
    free(bytes);
}
END_TEST

/* Sharing blocks, in the folder that ZSLICE_REFLINK_DIR names, on XFS or btrfs */

static const char *sharing_folder;

enum { BLOCK = 4096, SHARED_SIZE = 40 * BLOCK + 123 };

static int file_in(const char *folder, const void *bytes, size_t length)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/zslice-unit.XXXXXX", folder);
    int fd = mkostemp(path, O_CLOEXEC);
    ck_assert_msg(fd >= 0, "there is no folder %s", folder);
    ck_assert_int_eq(unlink(path), 0);
    write_all(fd, bytes, length);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* Where on the device the file's byte at the position lies; 0: nowhere. */
static uint64_t place_on_device(int fd, uint64_t position)
{
    union {
        struct fiemap map;
        unsigned char room[sizeof(struct fiemap) + sizeof(struct fiemap_extent)];
    } request = {.map = {.fm_start = position,
                         .fm_length = 1,
                         .fm_flags = FIEMAP_FLAG_SYNC,
                         .fm_extent_count = 1}};

    ck_assert_int_eq(ioctl(fd, FS_IOC_FIEMAP, &request.map), 0);
    if (request.map.fm_mapped_extents == 0)
        return 0;
    const struct fiemap_extent *extent = &request.map.fm_extents[0];
    return extent->fe_physical + (position - extent->fe_logical);
}

static void expect_shared(const struct bench *bench, uint64_t from, uint64_t to, uint64_t length)
{
    for (uint64_t at = 0; at < length; at += BLOCK) {
        uint64_t there = place_on_device(bench->copy.source_fd, from + at);
        ck_assert_uint_ne(there, 0);
        ck_assert_uint_eq(place_on_device(bench->copy.target_fd, to + at), there);
    }
}

/* From a pattern to a file of dots; both are in the folder. */
static unsigned char *begin_sharing(struct bench *bench, size_t target_size)
{
    unsigned char *bytes = new_pattern(SHARED_SIZE);
    char *dots = malloc(target_size + 1);

    ck_assert_ptr_nonnull(dots);
    memset(dots, '.', target_size);
    bench_begin(bench, file_in(sharing_folder, bytes, SHARED_SIZE),
                file_in(sharing_folder, dots, target_size));
    free(dots);
    return bytes;
}

static void expect_bytes_at(int fd, const void *bytes, size_t length, uint64_t position)
{
    char *content = malloc(length + 1);
    ck_assert_ptr_nonnull(content);
    ck_assert_int_eq(pread(fd, content, length, (off_t)position), (ssize_t)length);
    ck_assert_mem_eq(content, bytes, length);
    free(content);
}

static const struct {
    uint64_t from, length, to;
    size_t target_size;
} shares[] = {
    {0, BLOCK, 0, 0},
    {0, 40 * BLOCK, 0, 0},
    {BLOCK, 7 * BLOCK, 0, 3},
    {3 * BLOCK, 2 * BLOCK, 9 * BLOCK, 0},
    {3 * BLOCK, 2 * BLOCK, 9 * BLOCK, 20 * BLOCK + 5},
    {0, SHARED_SIZE, 0, 0},                                /* with the last block, not full */
    {39 * BLOCK, BLOCK + 123, 2 * BLOCK, 0},               /* likewise */
    {39 * BLOCK, BLOCK + 123, 2 * BLOCK, 3 * BLOCK + 123}, /* over the target's end */
};

START_TEST(reflink_shares_whole_blocks)
{
    struct bench bench;
    unsigned char *bytes = begin_sharing(&bench, shares[_i].target_size);
    uint64_t from = shares[_i].from, to = shares[_i].to, length = shares[_i].length;
    struct zs_range range = zs_range_contiguous(from, length);

    for (int scattered = 0; scattered < 2; scattered++) {
        bench.copy.scattered = scattered;
        ck_assert_int_eq(lseek(bench.copy.target_fd, (off_t)to, SEEK_SET), (off_t)to);
        zs_copy_begin(&bench.copy, &range, from, to);
        ck_assert_int_eq(
            zs_engine_run(&bench.copy, &zs_engines[ZS_ENGINE_REFLINK], 1, &bench.error), 0);
        ck_assert_uint_eq(bench.copy.done_bytes, length);
        ck_assert_uint_eq(bench.stats.engines[ZS_ENGINE_REFLINK].bytes,
                          length * (scattered ? 2 : 1));
        /* The engine that comes next writes where the descriptor stands. */
        ck_assert_int_eq(lseek(bench.copy.target_fd, 0, SEEK_CUR),
                         (off_t)(scattered ? to : to + length));
        expect_bytes_at(bench.copy.target_fd, bytes + from, (size_t)length, to);
        uint64_t end = to + length;
        ck_assert_uint_eq(file_size(bench.copy.target_fd),
                          end > shares[_i].target_size ? end : shares[_i].target_size);
        expect_shared(&bench, from, to, length);
    }
    ck_assert_uint_eq(bench.stats.user_copied_bytes, 0);
    free(bytes);
}
END_TEST

static const struct {
    uint64_t from, length, to;
} unshareable[] = {
    {0, BLOCK - 1, 0},
    {1, BLOCK, 1},
    {BLOCK, BLOCK, 100},
    {39 * BLOCK, BLOCK + 123, 0}, /* not the end of the target */
};

START_TEST(what_reflink_cannot_share_goes_to_the_next_engine)
{
    struct bench bench;
    unsigned char *bytes = begin_sharing(&bench, 30 * BLOCK);
    uint64_t to = unshareable[_i].to, length = unshareable[_i].length;
    struct zs_range range = zs_range_contiguous(unshareable[_i].from, length);

    ck_assert_int_eq(lseek(bench.copy.target_fd, (off_t)to, SEEK_SET), (off_t)to);
    zs_copy_begin(&bench.copy, &range, unshareable[_i].from, to);
    ck_assert_int_eq(run_one(&bench, ZS_ENGINE_REFLINK), 0);
    expect_bytes_at(bench.copy.target_fd, bytes + unshareable[_i].from, (size_t)length, to);
    expect_bytes_at(bench.copy.target_fd, ".....", 5, to + length);
    ck_assert_uint_eq(file_size(bench.copy.target_fd), 30 * BLOCK);
    free(bytes);
}
END_TEST

START_TEST(what_is_shared_stays_when_the_source_is_written_to)
{
    struct bench bench;
    unsigned char *bytes = begin_sharing(&bench, 0);

    bench_bound(&bench, SHARED_SIZE);
    ck_assert_int_eq(zs_engine_run(&bench.copy, &zs_engines[ZS_ENGINE_REFLINK], 1, &bench.error),
                     0);
    ck_assert_int_eq(pwrite(bench.copy.source_fd, "changed", 7, BLOCK), 7);
    expect_content(bench.copy.target_fd, bytes, SHARED_SIZE);
    free(bytes);
}
END_TEST

/* Piece by piece, so that a signal is noticed between them. */
START_TEST(more_than_a_gibibyte_is_shared_by_several_calls)
{
    struct bench bench;
    uint64_t size = ((uint64_t)2 << 30) + 3 * BLOCK;

    bench_begin(&bench, file_in(sharing_folder, "", 0), file_in(sharing_folder, "", 0));
    ck_assert_int_eq(ftruncate(bench.copy.source_fd, (off_t)size), 0);
    ck_assert_int_eq(pwrite(bench.copy.source_fd, "end", 3, (off_t)size - 3), 3);
    ck_assert_int_eq(zs_facts_of_descriptor(bench.copy.source_fd, &bench.source), 0);
    bench_bound(&bench, size);
    ck_assert_int_eq(zs_engine_run(&bench.copy, &zs_engines[ZS_ENGINE_REFLINK], 1, &bench.error),
                     0);
    ck_assert_uint_eq(bench.stats.engines[ZS_ENGINE_REFLINK].calls, 3);
    ck_assert_uint_eq(file_size(bench.copy.target_fd), size);
    expect_bytes_at(bench.copy.target_fd, "end", 3, size - 3);
}
END_TEST

START_TEST(a_source_that_shrank_before_it_was_shared_gives_its_good_bytes)
{
    struct bench bench;
    unsigned char *bytes = begin_sharing(&bench, 0);

    bench_bound(&bench, SHARED_SIZE);
    ck_assert_int_eq(ftruncate(bench.copy.source_fd, 9 * BLOCK + 5), 0);
    ck_assert_int_eq(run_one(&bench, ZS_ENGINE_REFLINK), 0);
    ck_assert(bench.copy.source_ended);
    expect_content(bench.copy.target_fd, bytes, 9 * BLOCK + 5);
    free(bytes);
}
END_TEST

START_TEST(whether_blocks_are_shared_is_tried_without_touching_anything)
{
    struct bench bench;
    struct stat before, after;
    unsigned char *bytes = begin_sharing(&bench, 5000);
    int elsewhere = scratch_file("content", 7);

    ck_assert_int_eq(fstat(bench.copy.target_fd, &before), 0);
    ck_assert_int_eq(zs_reflink_try(bench.copy.source_fd, bench.copy.target_fd), 0);
    ck_assert_int_eq(zs_reflink_try(bench.copy.target_fd, bench.copy.source_fd), 0);
    ck_assert_int_eq(fstat(bench.copy.target_fd, &after), 0);
    ck_assert_int_eq(after.st_size, 5000);
    ck_assert_int_eq(after.st_blocks, before.st_blocks);
    ck_assert_int_eq(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
    expect_content(bench.copy.source_fd, bytes, SHARED_SIZE);
    ck_assert_int_eq(zs_reflink_try(bench.copy.source_fd, elsewhere), -EXDEV);
    free(bytes);
}
END_TEST

START_TEST(copy_range_copies_where_blocks_are_shared)
{
    struct bench bench;
    unsigned char *bytes = begin_sharing(&bench, 0);

    bench_slice(&bench, 5, 20 * BLOCK);
    ck_assert_int_eq(run_one(&bench, ZS_ENGINE_COPY_RANGE), 0);
    expect_content(bench.copy.target_fd, bytes + 5, 20 * BLOCK);
    bench_bound(&bench, SHARED_SIZE);
    ck_assert_int_eq(ftruncate(bench.copy.target_fd, 0), 0);
    ck_assert_int_eq(lseek(bench.copy.target_fd, 0, SEEK_SET), 0);
    ck_assert_int_eq(run_one(&bench, ZS_ENGINE_COPY_RANGE), 0);
    expect_content(bench.copy.target_fd, bytes, SHARED_SIZE);
    free(bytes);
}
END_TEST

/* Where it is known that nothing is shared, and what has no blocks at all. */
START_TEST(trying_to_share_says_why_it_cannot_be)
{
    int memory = memfd_create("memory", MFD_CLOEXEC), other = memfd_create("other", MFD_CLOEXEC);
    int file = scratch_file("content", 7);
    int ends[2];

    ck_assert_int_ge(memory, 0);
    ck_assert_int_ge(other, 0);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_eq(zs_reflink_try(memory, other), -EOPNOTSUPP);
    ck_assert_int_lt(zs_reflink_try(memory, file), 0);
    ck_assert_int_lt(zs_reflink_try(file, ends[1]), 0);
    ck_assert_int_eq(zs_reflink_try(-1, file), -EBADF);
    expect_content(file, "content", 7);
}
END_TEST

START_TEST(every_engine_stands_in_the_table_under_its_own_id)
{
    for (int id = 0; id < ZS_ENGINE_COUNT; id++) {
        ck_assert_ptr_nonnull(zs_engines[id]);
        ck_assert_int_eq(zs_engines[id]->id, id);
        ck_assert_ptr_nonnull(zs_engines[id]->refuse);
        ck_assert_ptr_nonnull(zs_engines[id]->step);
    }
    ck_assert(zs_engine_buffer.end_is_certain);
}
END_TEST

static void add_driver_tests(Suite *suite)
{
    TCase *fallback = add_case(suite, "fallback");
    tcase_add_checked_fixture(fallback, no_scripts, NULL);
    tcase_add_test(fallback, the_first_engine_does_it_all_if_it_can);
    tcase_add_test(fallback, an_engine_that_cannot_begin_is_followed_by_the_next);
    tcase_add_test(fallback, an_engine_that_cannot_be_opened_is_followed_by_the_next);
    tcase_add_test(fallback, the_next_engine_goes_on_at_the_exact_byte);
    tcase_add_test(fallback, a_slice_in_the_middle_of_a_file_is_copied_across_engines);
    tcase_add_test(fallback, when_no_engine_can_the_last_reason_is_the_error);
    tcase_add_test(fallback, an_engine_that_gives_no_reason_is_told_so);
    add_rows(fallback, a_failure_is_final_and_names_the_end_at_fault, failures);
    tcase_add_test(fallback, nothing_to_copy_opens_no_engine);

    TCase *ends = add_case(suite, "ends");
    tcase_add_checked_fixture(ends, no_scripts, NULL);
    tcase_add_test(ends, an_end_where_the_source_has_bytes_is_no_end);
    tcase_add_test(ends, the_bytes_that_disprove_an_end_may_be_the_last_ones);
    tcase_add_test(ends, an_end_that_read_confirms_ends_the_copy);
    tcase_add_test(ends, without_a_bound_the_copy_goes_to_the_end);
    tcase_add_test(ends, an_end_that_is_certain_is_believed);
    tcase_add_test(ends, an_end_of_a_stream_is_confirmed_without_losing_the_byte);
    tcase_add_test(ends, a_failure_while_an_end_is_confirmed_is_final);

    TCase *held = add_case(suite, "held");
    tcase_add_checked_fixture(held, no_scripts, NULL);
    tcase_add_test(held,
                   bytes_of_a_stream_that_an_engine_holds_are_delivered_before_the_next_goes_on);
    tcase_add_test(held, held_bytes_that_are_all_there_was_end_the_copy);
    tcase_add_test(held, held_bytes_of_a_file_are_read_again);
    tcase_add_test(held, held_bytes_are_waited_out_on_a_target_that_is_not_ready);
    tcase_add_test(held, a_target_that_fails_on_held_bytes_is_a_failure);

    TCase *waiting = add_case(suite, "waiting");
    tcase_add_checked_fixture(waiting, no_scripts, NULL);
    tcase_add_test(waiting, a_source_that_is_not_ready_is_waited_for_without_spinning);
    tcase_add_test(waiting, a_target_that_is_not_ready_is_waited_for_without_spinning);
    tcase_add_test(waiting, an_end_that_is_ready_but_says_eagain_is_asked_again_and_not_too_often);
    tcase_add_test(waiting, eagain_from_a_file_is_not_waited_for);

    TCase *shrinking = add_case(suite, "shrinking");
    tcase_add_checked_fixture(shrinking, no_scripts, NULL);
    add_rows(shrinking, what_was_taken_beyond_the_new_end_is_excess, shrinks);
    tcase_add_test(shrinking, only_the_last_step_can_have_taken_too_much);
    tcase_add_test(shrinking, a_source_that_grows_or_is_a_stream_has_no_excess);
    add_rows(shrinking, every_engine_knows_the_good_bytes_of_a_file_that_shrank, cuts);
    add_rows(shrinking, every_engine_knows_the_good_bytes_of_pieces_of_a_file_that_shrank, pieces);
}

static void add_tests_of_pieces(Suite *suite)
{
    TCase *gaps = add_case(suite, "pieces");
    tcase_add_checked_fixture(gaps, no_scripts, NULL);
    add_rows(gaps, every_engine_copies_pieces_with_gaps_between_them, pieces);
    add_rows(gaps, every_engine_puts_pieces_where_they_were, pieces);
    add_rows(gaps, pieces_of_a_pipe_are_gathered_and_nothing_behind_them_is_read, pieces);
    tcase_add_test(gaps, the_gap_in_which_a_stream_ends_is_known);
    add_rows(gaps, the_next_engine_goes_on_at_the_exact_byte_of_a_piece, halts);
    tcase_add_loop_test(gaps, a_copy_is_extended_at_the_exact_byte, 0, ZS_ENGINE_COUNT);
    tcase_add_loop_test(gaps, a_scattered_copy_is_extended_at_the_exact_place, 0, ZS_ENGINE_COUNT);
}

static void add_engine_tests(Suite *suite)
{
    TCase *engines = add_case(suite, "engines");
    tcase_add_checked_fixture(engines, no_scripts, NULL);
    tcase_add_loop_test(engines,
                        every_engine_copies_exactly_the_slice_between_all_ends_that_it_accepts, 0,
                        ZS_ENGINE_COUNT);
    tcase_add_loop_test(engines, an_empty_stream_ends_at_once, 0, ZS_ENGINE_COUNT);
    tcase_add_loop_test(engines, a_file_without_a_size_is_copied_to_its_end, 0, ZS_ENGINE_COUNT);
    tcase_add_loop_test(engines, a_reader_that_is_gone_is_told_from_other_failures, 0,
                        ZS_ENGINE_COUNT);
    tcase_add_loop_test(engines, a_full_device_is_named_by_its_errno_whatever_comes_first, 0,
                        ZS_ENGINE_COUNT);
    tcase_add_loop_test(engines, a_source_that_cannot_be_read_is_the_end_at_fault, 0,
                        ZS_ENGINE_COUNT);
    tcase_add_loop_test(engines, a_size_limit_fails_the_target_after_the_bytes_that_fit, 0,
                        ZS_ENGINE_COUNT);

    TCase *tools = add_case(suite, "tools");
    tcase_add_checked_fixture(tools, enter_scratch_folder, leave_scratch_folder);
    tcase_add_test(tools, a_step_may_move_what_remains_or_the_most_it_wants);
    tcase_add_test(tools, a_step_may_move_what_lies_together);
    tcase_add_test(tools, an_errno_says_whether_another_engine_may_do);
    add_rows(tools, the_end_at_fault_is_found_by_reading, either);
    tcase_add_test(tools, a_pipe_is_grown_and_never_shrunk);
    tcase_add_test(tools, a_pipe_grows_as_far_as_the_users_limit_allows);
    tcase_add_test(tools, every_engine_stands_in_the_table_under_its_own_id);
    tcase_add_test(tools, trying_to_share_says_why_it_cannot_be);
}

static void add_tests_of_pipes(Suite *suite)
{
    TCase *pipes = add_case(suite, "pipes");
    tcase_add_checked_fixture(pipes, no_scripts, NULL);
    add_rows(pipes, pipes_at_both_ends_are_grown_if_the_copy_is_worth_it, growths);
    tcase_add_test(pipes, a_pipe_is_kept_empty_from_copy_to_copy_and_grown_once);
    tcase_add_test(pipes, without_a_pipe_to_keep_none_is_left_open);
    tcase_add_test(pipes, a_pipe_that_is_not_empty_is_thrown_away);
    tcase_add_test(pipes, ends_that_are_spliced_directly_need_no_pipe);

    TCase *behind = add_case(suite, "behind");
    tcase_add_checked_fixture(behind, no_scripts, NULL);
    tcase_add_test(behind, what_follows_a_copy_is_told_where_both_ends_are);
    tcase_add_test(behind, what_follows_pieces_is_told_where_they_end);
    tcase_add_test(behind, a_device_that_refuses_what_was_written_is_an_error_of_the_target);
    tcase_add_test(behind, a_device_that_refuses_what_an_engine_held_is_one_too);
}

static void add_tests_of_jobs(Suite *suite)
{
    TCase *jobs = add_case(suite, "jobs");
    tcase_add_checked_fixture(jobs, no_scripts, NULL);
    tcase_add_loop_test(jobs, two_jobs_copy_what_one_does, 0, 7);
    tcase_add_test(jobs, two_jobs_copy_a_long_slice);
    add_rows(jobs, two_jobs_copy_pieces, pieces);
    add_rows(jobs, two_jobs_know_the_good_bytes_of_a_file_that_shrank, cuts);
    tcase_add_test(jobs, the_second_thread_takes_no_signals);
    tcase_add_test(jobs, where_the_long_window_does_not_fit_a_shorter_one_does);
    tcase_add_test(jobs, where_no_window_fits_the_next_engine_goes_on);
    tcase_add_test(jobs, without_a_second_thread_one_does_it);
}

static void add_tests_of_read_ahead(Suite *suite)
{
    TCase *ahead = add_case(suite, "read-ahead");
    tcase_add_checked_fixture(ahead, nothing_is_cached, NULL);
    tcase_add_loop_test(ahead, only_an_engine_that_faults_reads_ahead, 0, ZS_ENGINE_COUNT);
    add_rows(ahead, what_is_short_or_in_pieces_or_of_no_known_length_is_left_to_the_kernel,
             cold_ranges);
    tcase_add_test(ahead, a_cached_source_is_not_read_ahead);
    tcase_add_test(ahead, read_ahead_begins_where_the_engine_does);
}

static void add_tests_of_sharing(Suite *suite)
{
    sharing_folder = getenv("ZSLICE_REFLINK_DIR");
    if (!sharing_folder || !*sharing_folder) {
        (void)puts("SKIPPED: all tests of shared blocks: ZSLICE_REFLINK_DIR names no folder on XFS "
                   "or btrfs");
        return;
    }
    TCase *sharing = add_case(suite, "sharing");
    add_rows(sharing, reflink_shares_whole_blocks, shares);
    add_rows(sharing, what_reflink_cannot_share_goes_to_the_next_engine, unshareable);
    tcase_add_test(sharing, what_is_shared_stays_when_the_source_is_written_to);
    tcase_add_test(sharing, more_than_a_gibibyte_is_shared_by_several_calls);
    tcase_add_test(sharing, a_source_that_shrank_before_it_was_shared_gives_its_good_bytes);
    tcase_add_test(sharing, whether_blocks_are_shared_is_tried_without_touching_anything);
    tcase_add_test(sharing, copy_range_copies_where_blocks_are_shared);
}

int main(void)
{
    Suite *suite = suite_create("engine");
    add_driver_tests(suite);
    add_tests_of_pieces(suite);
    add_engine_tests(suite);
    add_tests_of_pipes(suite);
    add_tests_of_jobs(suite);
    add_tests_of_read_ahead(suite);
    add_tests_of_sharing(suite);
    return run_suite(suite);
}
