/*
 * The driver: runs a copy through a list of engines. All policy about errors, ends and fallback is
 * here, so that an engine is only one strategy.
 *
 * Positions. The target is written at its descriptor's own position (or its end, with O_APPEND), so
 * whatever an engine wrote is where the next one goes on, and an inherited descriptor always stands
 * behind the last byte delivered, even after SIGKILL (unless that comes between the two calls of
 * `reflink`); only a scattered copy, whose bytes do not lie
 * together in the target, is written at explicit positions. A source that has positions is read at
 * explicit ones that only the driver advances, by what has arrived in the target and never by what
 * was read: bytes that an engine has read ahead are simply read again by the next engine. A stream
 * cannot be read again, so an engine that is given up hands over what it holds, and `buffer`
 * delivers it.
 *
 * Ends. In-kernel copying answers 0 at the end of a source, and older kernels also where they could
 * not serve a file of /proc, so a 0 from anything but read(2) is confirmed by read(2). What that
 * finds is delivered.
 *
 * Shrinking. A source that another process truncates does not give an error: a mapped page's tail
 * reads as zeros, and so does that of a page referenced from a pipe. So the size is looked at after
 * each step, and what was taken from beyond it is reported as excess, for the target to take back.
 * A source that has shrunk and grown again by the time we look is not noticed.
 *
 * Stopping. Signals are attended to between two steps, and where one interrupted a call; what has
 * arrived by then is booked like after any other failure.
 *
 * Waiting. EAGAIN comes only from non-blocking descriptors that we inherited and whose flags are
 * not ours to change; we wait with poll and never spin.
 */

#include "engine.h"

#include "signals.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

const struct zs_engine *const zs_engines[ZS_ENGINE_COUNT] = {
    [ZS_ENGINE_REFLINK] = &zs_engine_reflink,     [ZS_ENGINE_COPY_RANGE] = &zs_engine_copy_range,
    [ZS_ENGINE_SPLICE] = &zs_engine_splice,       [ZS_ENGINE_SENDFILE] = &zs_engine_sendfile,
    [ZS_ENGINE_MAP_WRITE] = &zs_engine_map_write, [ZS_ENGINE_BUFFER] = &zs_engine_buffer,
};

/* The next byte's position, and how many lie together there. */
static void locate(struct zs_copy *copy)
{
    copy->run_bytes = zs_range_run(&copy->range, copy->done_bytes);
    if (copy->source->positioned)
        copy->source_position =
            copy->source_start + zs_range_offset(&copy->range, copy->done_bytes);
}

void zs_copy_begin(struct zs_copy *copy, const struct zs_range *range, uint64_t source_start,
                   uint64_t target_start)
{
    copy->range = *range;
    copy->source_start = source_start;
    copy->target_start = target_start;
    copy->done_bytes = 0;
    copy->bounded = range->bounded;
    copy->remaining_bytes = range->length_bytes;
    copy->excess_bytes = 0;
    copy->source_ended = false;
    copy->trailing_bytes = 0;
    if (!range->bounded || range->length_bytes > 0)
        locate(copy);
    if (copy->behind)
        zs_behind_begin(copy->behind, source_start, target_start);
}

void zs_copy_skip(struct zs_copy *copy, uint64_t present_bytes)
{
    copy->done_bytes = present_bytes;
    if (copy->bounded)
        copy->remaining_bytes -= present_bytes;
    if (!copy->bounded || copy->remaining_bytes > 0)
        locate(copy);
}

void zs_copy_extend(struct zs_copy *copy, uint64_t end_bytes)
{
    copy->bounded = true;
    copy->remaining_bytes = end_bytes - copy->done_bytes;
    if (copy->remaining_bytes > 0)
        locate(copy);
}

uint64_t zs_copy_used_bytes(const struct zs_copy *copy)
{
    return copy->done_bytes ? zs_range_offset(&copy->range, copy->done_bytes - 1) + 1 : 0;
}

uint64_t zs_copy_target_end(const struct zs_copy *copy)
{
    return copy->target_start + (copy->scattered ? zs_copy_used_bytes(copy) : copy->done_bytes);
}

const uint64_t *zs_copy_place(const struct zs_copy *copy, uint64_t *position)
{
    *position = copy->target_start + zs_range_offset(&copy->range, copy->done_bytes);
    return copy->scattered ? position : NULL;
}

ssize_t zs_copy_write(const struct zs_copy *copy, const void *bytes, size_t length_bytes)
{
    uint64_t position;

    if (zs_copy_place(copy, &position))
        return zs_sys_pwrite(copy->target_fd, bytes, length_bytes, position);
    if (copy->behind && copy->behind->target_fd >= 0)
        return zs_behind_write(copy->behind, copy->target_fd, bytes, length_bytes);
    return zs_sys_write(copy->target_fd, bytes, length_bytes);
}

static size_t min(size_t most, uint64_t value)
{
    return value < most ? (size_t)value : most;
}

size_t zs_copy_most(const struct zs_copy *copy, size_t most)
{
    most = min(most, copy->run_bytes);
    return copy->bounded ? min(most, copy->remaining_bytes) : most;
}

size_t zs_copy_span(const struct zs_copy *copy, size_t most)
{
    if (!copy->bounded)
        return most;
    uint64_t last = copy->done_bytes + copy->remaining_bytes - 1;
    return min(most, zs_range_offset(&copy->range, last) + 1 -
                         zs_range_offset(&copy->range, copy->done_bytes));
}

struct zs_step zs_step_moved(uint64_t moved_bytes)
{
    return (struct zs_step){.verdict = ZS_STEP_MOVED, .moved_bytes = moved_bytes};
}

struct zs_step zs_step_of_write(ssize_t written)
{
    if (written < 0)
        return zs_step_of_error(written, ZS_END_TARGET);
    if (written == 0)
        return (struct zs_step){.verdict = ZS_STEP_UNSUPPORTED, .end = ZS_END_TARGET};
    return zs_step_moved((uint64_t)written);
}

/*
 * The errno values that say "not this way" rather than "not at all". Falling back is always safe:
 * if the cause was real, read and write of the last engine meet it again and name it.
 */
static bool another_engine_may_do(int code)
{
    switch (code) {
    case EINVAL:     /* no splice operations, or an O_APPEND target */
    case EBADF:      /* copying in the kernel to an O_APPEND target, by some kernels */
    case ENOSYS:     /* a kernel or a sandbox without the call */
    case EPERM:      /* a seccomp filter; a sealed memfd */
    case EOPNOTSUPP: /* the file system */
    case ENODEV:     /* it cannot be mapped */
    case EACCES:     /* it may not be mapped */
    case EXDEV:      /* the call wants both ends on one file system, or of one kind */
    case ENOTTY:     /* no such ioctl */
    case EOVERFLOW:  /* the page that 2^63-1 is in cannot be mapped */
    case ESPIPE:     /* the call wants a position and there is none */
    case ENOMEM:     /* no address space for a window, no pages for a pipe */
    case EFAULT: /* a mapped page that cannot be read: read(2) knows whether it is EIO or the end */
    case EAGAIN: /* from an end that cannot be waited for; otherwise it never comes here */
        return true;
    default:
        return false;
    }
}

struct zs_step zs_step_of_error(ssize_t negative_errno, enum zs_end end)
{
    int code = (int)-negative_errno;
    return (struct zs_step){
        .verdict = another_engine_may_do(code) ? ZS_STEP_UNSUPPORTED : ZS_STEP_FAILED,
        .code = code,
        .end = end,
    };
}

void zs_pipe_grow(int fd, size_t capacity_bytes)
{
    /* EPERM: beyond /proc/sys/fs/pipe-max-size, or the user's pipes hold too many pages already. */
    for (size_t wanted = ZS_PIPE_BYTES; wanted > capacity_bytes; wanted /= 2) {
        if (fcntl(fd, F_SETPIPE_SZ, (int)wanted) >= 0 || errno != EPERM)
            return;
    }
}

/* The pipes at both ends, if the copy is worth it: then fewer calls move more at a time. */
static void grow_ends(const struct zs_copy *copy)
{
    const struct {
        enum zs_kind kind;
        int fd;
    } ends[] = {{copy->source->kind, copy->source_fd}, {copy->target->kind, copy->target_fd}};

    if (zs_copy_span(copy, ZS_PIPE_BYTES) <= ZS_DEFAULT_PIPE_BYTES)
        return;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        int capacity = ends[i].kind == ZS_KIND_PIPE ? fcntl(ends[i].fd, F_GETPIPE_SZ) : -1;
        if (capacity >= 0)
            zs_pipe_grow(ends[i].fd, (size_t)capacity);
    }
}

/*
 * A server that copies a block can fail for a bad spot further on, and not at the position (FUSE,
 * Linux 6.18).
 */
enum { BLAME_BYTES = 1024 * 1024 };

static enum zs_end blame(const struct zs_copy *copy)
{
    char bytes[4096];
    size_t most = copy->source->positioned ? zs_copy_most(copy, BLAME_BYTES) : 0;

    for (size_t seen = 0; seen < most;) {
        size_t next = most - seen < sizeof bytes ? most - seen : sizeof bytes;
        ssize_t got = zs_sys_pread(copy->source_fd, bytes, next, copy->source_position + seen);
        if (got < 0)
            return ZS_END_SOURCE;
        if (got == 0)
            break;
        seen += (size_t)got;
    }
    return ZS_END_TARGET;
}

static int stop(const struct zs_copy *copy, struct zs_error *error)
{
    return zs_error_set(error, ZS_ERROR_TRANSFER, copy->target_name, "writing", 0, "%s",
                        zs_signals_reason());
}

static int fail(struct zs_copy *copy, const struct zs_step *step, struct zs_error *error)
{
    if (step->code == EINTR && zs_signals_stopped_by())
        return stop(copy, error);
    enum zs_end end = step->end == ZS_END_EITHER ? blame(copy) : step->end;
    bool source = end == ZS_END_SOURCE;
    enum zs_error_kind kind = !source && step->code == EPIPE ? ZS_ERROR_PIPE : ZS_ERROR_TRANSFER;

    return zs_error_set(error, kind, source ? copy->source_name : copy->target_name,
                        source ? "reading" : "writing", step->code,
                        step->code ? NULL : "the kernel moved no bytes and gave no reason");
}

/*
 * How many of the bytes just moved the source has lost meanwhile, so that they may be not its own.
 */
static uint64_t excess_of_shrunk_source(const struct zs_copy *copy, uint64_t moved_bytes,
                                        uint64_t *size_bytes)
{
    struct stat status;
    uint64_t after = copy->done_bytes + moved_bytes;

    if (copy->source->kind != ZS_KIND_REGULAR || !copy->source->sized ||
        fstat(copy->source_fd, &status) < 0)
        return 0;
    *size_bytes = (uint64_t)status.st_size;
    if (*size_bytes >= copy->source_start + zs_range_offset(&copy->range, after - 1) + 1)
        return 0;
    uint64_t there = *size_bytes > copy->source_start ? *size_bytes - copy->source_start : 0;
    uint64_t good = zs_range_count_within(&copy->range, there);
    return good > copy->done_bytes ? after - good : moved_bytes;
}

/* Goes on to the next byte after moved_bytes have arrived. */
static void move_on(struct zs_copy *copy, uint64_t moved_bytes)
{
    copy->done_bytes += moved_bytes;
    if (copy->bounded)
        copy->remaining_bytes -= moved_bytes;
    if (!copy->bounded || copy->remaining_bytes > 0)
        locate(copy);
}

/* What has arrived is on its way to the device, if that is wanted. */
static int follow(const struct zs_copy *copy, struct zs_error *error)
{
    int followed = copy->behind ? zs_behind_advance(copy->behind,
                                                    copy->source_start + zs_copy_used_bytes(copy),
                                                    zs_copy_target_end(copy))
                                : 0;
    if (followed == -EINTR && zs_signals_stopped_by())
        return stop(copy, error);
    return followed < 0 ? zs_error_set(error, ZS_ERROR_DEVICE, copy->target_name,
                                       "writing to the device", -followed, NULL)
                        : 0;
}

/* Books what arrived. -1 with *error if the source shrank below it. */
static int advance(struct zs_copy *copy, enum zs_engine_id id, uint64_t moved_bytes,
                   struct zs_error *error)
{
    uint64_t size_bytes = 0;

    copy->excess_bytes = excess_of_shrunk_source(copy, moved_bytes, &size_bytes);
    moved_bytes -= copy->excess_bytes;
    copy->stats->engines[id].bytes += moved_bytes;
    if (copy->excess_bytes > 0) {
        copy->done_bytes += moved_bytes;
        return zs_error_set(error, ZS_ERROR_TRANSFER, copy->source_name, "reading", 0,
                            "the file shrank to %llu bytes while it was copied",
                            (unsigned long long)size_bytes);
    }
    move_on(copy, moved_bytes);
    return follow(copy, error);
}

/*
 * Waits for the end that said EAGAIN. False if it is one that cannot be waited for (EAGAIN from a
 * file): then it is an error like any other.
 */
static bool wait_for_end(const struct zs_copy *copy, const struct zs_step *step, unsigned *stalls)
{
    bool source = step->end == ZS_END_SOURCE;

    if (!zs_facts_is_stream(source ? copy->source : copy->target))
        return false;
    /*
     * Ready and still EAGAIN, time after time: the two disagree about what ready means. Slow down.
     */
    if (++*stalls > 16)
        (void)usleep(1000);
    return (source ? zs_sys_wait(copy->source_fd, POLLIN)
                   : zs_sys_wait(copy->target_fd, POLLOUT)) == 0;
}

enum outcome { COPIED, ENDED, GIVEN_UP, BROKEN };

static enum outcome run_engine(struct zs_copy *copy, const struct zs_engine *engine,
                               struct zs_step *last, struct zs_error *error);

/*
 * Brings up to length_bytes from source_fd to the target by `buffer`: the bytes an engine left
 * behind, or the next ones after what it took for the end. COPIED, ENDED (fewer bytes came) or
 * BROKEN.
 */
static enum outcome relay(struct zs_copy *copy, int source_fd, const struct zs_facts *source,
                          uint64_t length_bytes, struct zs_error *error)
{
    struct zs_step last;
    struct zs_copy part = *copy;
    struct zs_range range = zs_range_contiguous(0, length_bytes);
    part.source_fd = source_fd;
    part.source = source;
    part.behind = NULL;
    zs_copy_begin(&part, &range, copy->source_position,
                  copy->target_start + (copy->scattered
                                            ? zs_range_offset(&copy->range, copy->done_bytes)
                                            : copy->done_bytes));

    enum outcome outcome = run_engine(&part, &zs_engine_buffer, &last, error);
    copy->excess_bytes = part.excess_bytes;
    move_on(copy, part.done_bytes);
    if (outcome == GIVEN_UP) {
        (void)fail(copy, &last, error);
        return BROKEN;
    }
    return outcome != BROKEN && follow(copy, error) < 0 ? BROKEN : outcome;
}

/*
 * More than a byte: some files of /proc and /sys give a whole value or nothing, and so nothing to a
 * read of one byte (28 of them with Linux 6.18).
 */
enum { CONFIRM_BYTES = 4096 };

/* An engine has seen the source's end, but not by read(2): see what read(2) says. */
static enum outcome confirm_end(struct zs_copy *copy, struct zs_error *error)
{
    uint64_t length_bytes = zs_copy_most(copy, CONFIRM_BYTES);
    enum outcome outcome = relay(copy, copy->source_fd, copy->source, length_bytes, error);
    return outcome == COPIED ? GIVEN_UP : outcome;
}

/*
 * Delivers what an engine that is given up still holds of a stream (a position can be read again).
 */
static enum outcome deliver_held(struct zs_copy *copy, const struct zs_engine *engine,
                                 const void *state, struct zs_error *error)
{
    static const struct zs_facts pipe = {.kind = ZS_KIND_PIPE, .readable = true};
    int fd = -1;
    uint64_t held_bytes = engine->held ? engine->held(state, &fd) : 0;

    if (held_bytes == 0 || copy->source->positioned)
        return GIVEN_UP;
    enum outcome outcome = relay(copy, fd, &pipe, held_bytes, error);
    return outcome == COPIED ? GIVEN_UP : outcome;
}

static enum outcome run_steps(struct zs_copy *copy, const struct zs_engine *engine, void *state,
                              struct zs_step *last, struct zs_error *error)
{
    unsigned stalls = 0;

    while (!copy->bounded || copy->remaining_bytes > 0) {
        if (zs_range_is_beyond(&copy->range, copy->done_bytes))
            return ENDED;
        if (zs_signals_attend()) {
            (void)stop(copy, error);
            return BROKEN;
        }
        *last = engine->step(copy, state);
        if (last->code == EAGAIN && wait_for_end(copy, last, &stalls))
            continue;
        switch (last->verdict) {
        case ZS_STEP_MOVED:
            stalls = 0;
            if (advance(copy, engine->id, last->moved_bytes, error) < 0)
                return BROKEN;
            break;
        case ZS_STEP_END:
            copy->trailing_bytes = last->trailing_bytes;
            return engine->end_is_certain ? ENDED : confirm_end(copy, error);
        case ZS_STEP_UNSUPPORTED:
            return GIVEN_UP;
        case ZS_STEP_FAILED:
            (void)fail(copy, last, error);
            return BROKEN;
        }
    }
    return COPIED;
}

/* GIVEN_UP: another engine may go on; *last then says why this one could not. */
static enum outcome run_engine(struct zs_copy *copy, const struct zs_engine *engine,
                               struct zs_step *last, struct zs_error *error)
{
    struct zs_engine_stats *stats = &copy->stats->engines[engine->id];
    enum outcome outcome = GIVEN_UP;
    void *state = NULL;

    int opened = engine->open ? engine->open(copy, &state) : 0;
    if (opened < 0) {
        *last =
            (struct zs_step){.verdict = ZS_STEP_UNSUPPORTED, .code = -opened, .end = ZS_END_TARGET};
    } else {
        outcome = run_steps(copy, engine, state, last, error);
        if (outcome == GIVEN_UP)
            outcome = deliver_held(copy, engine, state, error);
        zs_stats_sample(copy->stats);
        if (engine->close)
            engine->close(state);
    }
    if (outcome == GIVEN_UP) {
        stats->refused = true;
        stats->refused_code = last->code;
    }
    return outcome;
}

int zs_engine_run(struct zs_copy *copy, const struct zs_engine *const *engines, size_t count,
                  struct zs_error *error)
{
    struct zs_step last = {.verdict = ZS_STEP_UNSUPPORTED, .code = ENOSYS};

    if (!copy->bounded || copy->remaining_bytes > 0)
        grow_ends(copy);
    for (size_t i = 0; !copy->bounded || copy->remaining_bytes > 0; i++) {
        if (i == count)
            return fail(copy, &last, error);
        switch (run_engine(copy, engines[i], &last, error)) {
        case COPIED:
            return 0;
        case ENDED:
            copy->source_ended = true;
            return 0;
        case GIVEN_UP:
            break;
        case BROKEN:
            return -1;
        }
    }
    return 0;
}
