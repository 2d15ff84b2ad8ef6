/*
 * Whole copies, in memory: the input's bytes choose the source (a file with holes, or a pipe), the
 * target (a file with old bytes, or a pipe), options, engines, how short each call falls and which
 * of the kernel's ways cannot be gone. A copy that is made must leave exactly what a model in
 * memory has; one that is refused must leave the target as it was.
 */

#include "transfer.h"

#include "engine.h"
#include "input.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A pipe takes all of it, so that nobody has to read meanwhile. */
enum {
    PIPE_BYTES = 60000,
    MOST_BYTES = 90000,
    BLOCK = 4096,
    MOST_RANGES = 3,
    ROOM = 4 * MOST_BYTES
};

/* Up to 65535 and more; the neighbours of blocks as often as any other number. */
static size_t take_size(struct input *input, size_t most)
{
    uint8_t first = take(input);
    size_t number = first;

    if (first >= 128)
        number = (size_t)(first - 128) * BLOCK / 4 + take(input) % 3 - 1;
    else if (first >= 64)
        number = (size_t)(first - 64) << 8 | take(input);
    return number > SIZE_MAX / 2 ? 0 : number % (most + 1);
}

/* What the kernel does: each call moves at most so much, and some cannot be made at all. */
static struct {
    uint32_t state;   /* 0: calls are whole */
    unsigned refused; /* by bit: splice, sendfile, copy_file_range, mapped writes */
    unsigned after;   /* so many calls of them succeed */
} kernel;

static size_t shorten(size_t length)
{
    if (kernel.state == 0 || length < 2)
        return length;
    kernel.state = kernel.state * 1664525 + 1013904223;
    size_t most = (size_t)1 << (kernel.state >> 28);
    return length < most ? length : most;
}

static bool refuses(unsigned call)
{
    if (!(kernel.refused & call))
        return false;
    if (kernel.after == 0)
        return true;
    kernel.after--;
    return false;
}

#define SHORTENED(name, parameters, arguments)                                                     \
    ssize_t __real_##name parameters;                                                              \
    ssize_t __wrap_##name parameters;                                                              \
    ssize_t __wrap_##name parameters                                                               \
    {                                                                                              \
        length = shorten(length);                                                                  \
        return __real_##name arguments;                                                            \
    }
#define REFUSED(name, bit, parameters, arguments)                                                  \
    ssize_t __real_##name parameters;                                                              \
    ssize_t __wrap_##name parameters;                                                              \
    ssize_t __wrap_##name parameters                                                               \
    {                                                                                              \
        if (refuses(bit))                                                                          \
            return -EINVAL;                                                                        \
        length = shorten(length);                                                                  \
        return __real_##name arguments;                                                            \
    }

SHORTENED(zs_sys_read, (int fd, void *bytes, size_t length), (fd, bytes, length))
SHORTENED(zs_sys_pread, (int fd, void *bytes, size_t length, uint64_t at), (fd, bytes, length, at))
SHORTENED(zs_sys_write, (int fd, const void *bytes, size_t length), (fd, bytes, length))
SHORTENED(zs_sys_pwrite, (int fd, const void *bytes, size_t length, uint64_t at),
          (fd, bytes, length, at))
REFUSED(zs_sys_splice, 1, (int from, const uint64_t *at, int to, size_t length),
        (from, at, to, length))
REFUSED(zs_sys_splice_to, 2, (int from, int to, const uint64_t *at, size_t length),
        (from, to, at, length))
REFUSED(zs_sys_sendfile, 4, (int to, int from, uint64_t at, size_t length), (to, from, at, length))
REFUSED(zs_sys_copy_file_range, 8,
        (int from, uint64_t at, int to, const uint64_t *to_at, size_t length),
        (from, at, to, to_at, length))

int __real_zs_sys_punch(int fd, uint64_t start, uint64_t length);
int __wrap_zs_sys_punch(int fd, uint64_t start, uint64_t length);

int __wrap_zs_sys_punch(int fd, uint64_t start, uint64_t length)
{
    return refuses(16) ? -EOPNOTSUPP : __real_zs_sys_punch(fd, start, length);
}

/* Bytes in memory. */
struct bytes {
    uint8_t *at;
    size_t length;
};

static void put(struct bytes *bytes, size_t position, uint8_t byte)
{
    require(position < ROOM, "the model has no room");
    if (position >= bytes->length) {
        memset(bytes->at + bytes->length, 0, position - bytes->length);
        bytes->length = position + 1;
    }
    bytes->at[position] = byte;
}

/* Blocks of zeros and of others, by the bits of a number. */
static void fill(struct bytes *bytes, size_t length, uint32_t zeros)
{
    bytes->length = length;
    for (size_t i = 0; i < length; i++)
        bytes->at[i] = zeros >> (i / BLOCK % 24) & 1 ? 0 : (uint8_t)(i * 2654435761U >> 13 | 1);
}

static int file_of(const struct bytes *bytes, uint32_t zeros)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    require(fd >= 0 && ftruncate(fd, (off_t)bytes->length) == 0, "no memory");
    for (size_t at = 0; at < bytes->length; at += BLOCK) {
        size_t length = bytes->length - at < BLOCK ? bytes->length - at : BLOCK;
        if (!(zeros >> (at / BLOCK % 24) & 1))
            require(pwrite(fd, bytes->at + at, length, (off_t)at) == (ssize_t)length, "no memory");
    }
    return fd;
}

struct copy {
    struct zs_options options;
    struct zs_slice ranges[MOST_RANGES];
    struct bytes source, old, slice, expected;
    size_t furthest_end; /* of the slice, in the source */
    bool from_pipe, to_pipe;
    int source_fd, target_fd; /* of a pipe, the end that the program reads, or writes */
    int other_fd;             /* of the target's pipe */
    char source_path[40], target_path[40];
};

static struct zs_position take_position(struct input *input, bool from_end)
{
    return (struct zs_position){take_size(input, MOST_BYTES), from_end};
}

static struct zs_slice take_slice(struct input *input, const struct zs_selection *selection)
{
    uint8_t flags = take(input);
    struct zs_slice slice = {.offset = take_position(input, flags & 1)};

    if ((flags & 6) == 2) {
        slice.has_length = true;
        slice.length_bytes = take_size(input, MOST_BYTES);
    } else if ((flags & 6) == 4) {
        slice.has_end = true;
        slice.end = take_position(input, flags & 8);
    }
    if (flags & 16 && selection->shard.number == 0) {
        slice.has_step = true;
        slice.step_bytes = selection->record_bytes + take_size(input, MOST_BYTES);
    }
    return slice;
}

static void take_selection(struct input *input, struct zs_selection *selection)
{
    uint8_t flags = take(input);

    *selection = (struct zs_selection){.record_bytes = 1, .field = {0, 1}, .align_bytes = 1};
    if (flags & 1)
        selection->record_bytes = 1 + take_size(input, MOST_BYTES);
    selection->field.length_bytes = selection->align_bytes = selection->record_bytes;
    if (flags & 2) {
        selection->field.start = take_size(input, MOST_BYTES) % selection->record_bytes;
        selection->field.length_bytes -= selection->field.start;
    }
}

static void take_place(struct input *input, struct zs_options *options)
{
    uint8_t place = take(input) % 8;
    uint8_t flags = take(input);

    options->has_seek = place == 1;
    if (options->has_seek)
        options->seek = take_position(input, flags & 1);
    options->keep_offset = place == 2;
    options->append = place == 3;
    options->resume = place == 4 || place == 5;
    options->truncate = (place == 1 || place == 2) && flags & 2;
    options->sparse = (enum zs_sparse)(flags / 4 % 3);
    options->verify = flags & 16 && !options->append;
    options->exact = flags & 32;
    options->stable = flags & 64;
    options->no_cache = flags & 128;
}

static void take_how(struct input *input, struct zs_options *options)
{
    uint8_t how = take(input);

    options->engine_forced = (how & 15) < 6;
    options->engine = (enum zs_engine_id)(how % 15 % ZS_ENGINE_COUNT);
    options->jobs = 1 + (how >> 7);
    options->digest = how & 64 ? ZS_DIGEST_XXH128 : ZS_DIGEST_NONE;
    if (options->engine == ZS_ENGINE_REFLINK)
        options->engine_forced = false;
    uint8_t calls = take(input);
    kernel.state = calls & 1 ? 1 + (uint32_t)calls : 0;
    kernel.refused = options->engine_forced ? 0 : calls >> 1 & 31;
    kernel.after = take(input) % 8;
}

/* The model */

static size_t clamp(struct zs_position position, size_t size)
{
    if (position.distance_bytes > size)
        return position.from_end ? 0 : size;
    return position.from_end ? size - (size_t)position.distance_bytes
                             : (size_t)position.distance_bytes;
}

/* Adds a range's bytes to the slice; with kept offsets they go to their places at once. */
static void model_range(struct copy *copy, const struct zs_slice *slice)
{
    const struct zs_selection *selection = &copy->options.selection;
    size_t size = copy->source.length;
    size_t start = clamp(slice->offset, size),
           end = slice->has_end ? clamp(slice->end, size) : size;
    size_t stride = (size_t)(slice->has_step ? slice->step_bytes : selection->record_bytes);

    if (slice->has_length && slice->length_bytes < size - start)
        end = start + (size_t)slice->length_bytes;
    for (size_t at = start; at < end; at++) {
        size_t within = (at - start) % stride;
        if (within < selection->field.start ||
            within - selection->field.start >= selection->field.length_bytes)
            continue;
        put(&copy->slice, copy->slice.length, copy->source.at[at]);
        if (copy->options.keep_offset)
            put(&copy->expected, at, copy->source.at[at]);
        if (copy->furthest_end < at + 1)
            copy->furthest_end = at + 1;
    }
}

static void model_slice(struct copy *copy)
{
    size_t count;
    const struct zs_slice *slices = zs_options_slices(&copy->options, &count);

    if (copy->options.keep_offset) {
        memcpy(copy->expected.at, copy->old.at, copy->old.length);
        copy->expected.length = copy->old.length;
    }
    for (size_t i = 0; i < count; i++)
        model_range(copy, &slices[i]);
}

/* What is in the target then, but for where it is cut. */
static void model_target(struct copy *copy, const struct zs_plan *plan)
{
    struct bytes *expected = &copy->expected;
    size_t position = 0;

    if (copy->options.keep_offset)
        return;
    expected->length = 0;
    if (copy->options.append || copy->options.has_seek) {
        memcpy(expected->at, copy->old.at, copy->old.length);
        expected->length = copy->old.length;
        position = copy->options.append ? copy->old.length : (size_t)plan->target_position;
    }
    for (size_t i = 0; i < copy->slice.length; i++)
        put(expected, position + i, copy->slice.at[i]);
    if (copy->options.truncate && expected->length > position + copy->slice.length)
        expected->length = position + copy->slice.length;
}

/* Ends, made */

static void open_ends(struct input *input, struct copy *copy)
{
    uint8_t flags = take(input);
    uint32_t zeros =
        (uint32_t)take(input) | (uint32_t)take(input) << 8 | (uint32_t)take(input) << 16;
    int ends[2];

    copy->from_pipe = flags & 1;
    copy->to_pipe = (flags & 6) == 6;
    fill(&copy->source, take_size(input, copy->from_pipe ? PIPE_BYTES : MOST_BYTES), zeros);
    if (copy->from_pipe) {
        require(pipe2(ends, O_CLOEXEC) == 0 &&
                    write(ends[1], copy->source.at, copy->source.length) ==
                        (ssize_t)copy->source.length,
                "no pipe");
        (void)close(ends[1]);
        copy->source_fd = ends[0];
    } else {
        copy->source_fd = file_of(&copy->source, zeros);
    }
    model_slice(copy);
    size_t old = take_size(input, MOST_BYTES);
    uint8_t wrong = take(input);
    if (copy->options.resume) {
        copy->old.length = old % (copy->slice.length + 2);
        memset(copy->old.at, 'x', copy->old.length);
        memcpy(copy->old.at, copy->slice.at,
               old % (copy->slice.length + 2) < copy->slice.length ? old % (copy->slice.length + 2)
                                                                   : copy->slice.length);
        if (wrong >= 224 && copy->old.length > 0)
            copy->old.at[wrong * 977U % copy->old.length] ^= 1;
    } else {
        fill(&copy->old, old, wrong);
    }
    /* Again, with what is in the target. */
    copy->slice.length = 0;
    model_slice(copy);
    copy->other_fd = -1;
    if (copy->to_pipe) {
        require(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0, "no pipe");
        (void)fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
        kernel.state =
            0; /* each short piece takes a page of the pipe, and nobody reads meanwhile */
        copy->other_fd = ends[0];
        copy->target_fd = ends[1];
        copy->old.length = 0;
    } else {
        copy->target_fd = file_of(&copy->old, 0);
    }
    (void)snprintf(copy->source_path, sizeof copy->source_path, "/proc/self/fd/%d",
                   copy->source_fd);
    (void)snprintf(copy->target_path, sizeof copy->target_path, "/proc/self/fd/%d",
                   copy->target_fd);
    copy->options.source_path = copy->options.source_name = copy->source_path;
    copy->options.target_path = copy->options.target_name = copy->target_path;
}

static void expect_content(const struct copy *copy, const struct bytes *expected, const char *what)
{
    static uint8_t content[ROOM];
    ssize_t got = copy->to_pipe ? read(copy->other_fd, content, sizeof content)
                                : pread(copy->target_fd, content, sizeof content, 0);

    if (got < 0 && errno == EAGAIN)
        got = 0;
    require(got == (ssize_t)expected->length, what);
    require(memcmp(content, expected->at, expected->length) == 0, what);
}

static void check_digest(const struct copy *copy, struct zs_digest *digest)
{
    char text[ZS_DIGEST_TEXT_BYTES], expected[ZS_DIGEST_TEXT_BYTES];
    struct zs_error error = {0};
    struct zs_digest *direct = NULL;

    require(zs_digest_finish(digest, text, &error) == 0, "no digest");
    require(zs_digest_create(ZS_DIGEST_XXH128, &direct, &error) == 0, "no other digest");
    zs_digest_update(direct, copy->slice.at, copy->slice.length);
    require(zs_digest_finish(direct, expected, &error) == 0, "no digest of the model");
    require(strcmp(text, expected) == 0, "another digest");
    zs_digest_free(direct);
}

static void check_refusal(const struct copy *copy, const struct zs_error *error)
{
    require(error->object && (error->code != 0 || error->detail[0] != '\0'), "no reason");
    require(error->kind != ZS_ERROR_TRANSFER && error->kind != ZS_ERROR_DEVICE &&
                error->kind != ZS_ERROR_DIFFERENT && error->kind != ZS_ERROR_PIPE,
            error->detail[0] ? error->detail : "a copy that failed for no reason");
    /* A stream that is too short is known when what it has is in the target. */
    if (error->kind != ZS_ERROR_SHORT || !copy->from_pipe)
        expect_content(copy, &copy->old, "a refusal that has touched the target");
}

/* Behind the furthest byte that was copied to its own place, or where a part begins. */
static uint64_t end_of(const struct copy *copy, const struct zs_plan *plan)
{
    uint64_t end = copy->furthest_end;

    for (size_t i = 0; i < plan->part_count; i++) {
        if (end < plan->parts[i].target_position)
            end = plan->parts[i].target_position;
    }
    return end;
}

static void check_done(struct copy *copy, const struct zs_plan *plan, const struct zs_stats *stats,
                       uint64_t done_bytes)
{
    struct zs_stats all = *stats;

    model_target(copy, plan);
    if (copy->options.keep_offset && copy->options.truncate &&
        copy->expected.length > end_of(copy, plan))
        copy->expected.length = (size_t)end_of(copy, plan);
    expect_content(copy, &copy->expected, "another content than the model's");
    require(done_bytes == copy->slice.length - plan->resumed_bytes, "another number of bytes");
    require(zs_stats_bytes(&all) == done_bytes, "the statistics have another number of bytes");
}

static void run(struct copy *copy)
{
    struct zs_source source;
    struct zs_target target = {.fd = -1};
    struct zs_plan plan = {0};
    struct zs_stats stats = {0};
    struct zs_error error = {0};
    struct zs_digest *digest = NULL;
    uint64_t done_bytes = 0;

    int result = zs_source_open(&source, copy->source_path, copy->source_path, 0, &error);
    if (result == 0)
        result = zs_target_examine(&target, copy->target_path, copy->target_path, O_EXCL, &error);
    if (result == 0)
        result = zs_plan_make(&copy->options, &source.facts, &target.facts, &plan, &error);
    if (result == 0 && copy->options.digest != ZS_DIGEST_NONE)
        require(zs_digest_create(ZS_DIGEST_XXH128, &digest, &error) == 0, "no digest");
    if (result == 0)
        result = zs_transfer(&plan, &source, &target, &stats, digest, &done_bytes, &error);
    require((result == 0) == (error.kind == ZS_ERROR_NONE), "a result and an error that differ");
    if (result < 0)
        check_refusal(copy, &error);
    else
        check_done(copy, &plan, &stats, done_bytes);
    if (result == 0 && digest)
        check_digest(copy, digest);
    zs_digest_free(digest);
    zs_plan_free(&plan);
    zs_target_free(&target);
    zs_source_close(&source);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[4][ROOM];
    struct input input = {data, size};
    struct copy copy = {.source.at = memory[0],
                        .old.at = memory[1],
                        .slice.at = memory[2],
                        .expected.at = memory[3]};
    struct zs_options *options = &copy.options;

    take_place(&input, options);
    take_how(&input, options);
    take_selection(&input, &options->selection);
    options->slice = take_slice(&input, &options->selection);
    options->slice.has_step = false;
    options->range_count = take(&input) % (MOST_RANGES + 1);
    for (size_t i = 0; i < options->range_count; i++)
        copy.ranges[i] = take_slice(&input, &options->selection);
    options->ranges = options->range_count > 0 ? copy.ranges : NULL;
    open_ends(&input, &copy);
    if (!copy.to_pipe || copy.slice.length <= PIPE_BYTES)
        run(&copy);
    (void)close(copy.source_fd);
    (void)close(copy.target_fd);
    if (copy.other_fd >= 0)
        (void)close(copy.other_fd);
    return 0;
}
