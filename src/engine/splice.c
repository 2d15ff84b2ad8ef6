/*
 * splice: page references through a pipe. Directly from a file or pipe into a pipe, else through a
 * private pipe.
 */

#include "engine.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

struct splice {
    struct zs_pipe *pipe; /* NULL where the ends are spliced directly */
    struct zs_pipe own;   /* if the copy brings none */
    size_t held_bytes;    /* in the pipe */
};

static const char *refuse(const struct zs_facts *source, const struct zs_facts *target)
{
    if (target->append && target->kind != ZS_KIND_PIPE)
        return "it cannot append";
    /*
     * A terminal's end is one read that gives 0; reading again to be sure would ask the user twice.
     */
    if (source->kind == ZS_KIND_TERMINAL)
        return "its source cannot be a terminal";
    return NULL;
}

/*
 * While splice waits for one end it holds the lock of the pipe at the other, and whoever reads or
 * writes that pipe is stuck, O_NONBLOCK or not (Linux 6.18): the reader of `zslice < socket |
 * reader` would not get the bytes that are in the pipe already. So only ends that do not make it
 * wait are spliced directly into a pipe, and nothing directly out of one but into another, where
 * waiting releases the locks. Pipe to file, 512 MiB, whose producer stalls: 467 ms (ext4) and 504
 * ms (XFS) directly, 169 and 94 ms through a private pipe.
 */
static bool is_direct(const struct zs_copy *copy)
{
    return copy->target->kind == ZS_KIND_PIPE &&
           (copy->source->kind == ZS_KIND_PIPE || zs_facts_mappable(copy->source));
}

static int open_private_pipe(const struct zs_copy *copy, struct splice *splice)
{
    struct zs_pipe *pipe = copy->pipe ? copy->pipe : &splice->own;

    if (pipe->read_fd < 0) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0)
            return -errno;
        *pipe = (struct zs_pipe){.read_fd = ends[0], .write_fd = ends[1]};
    }
    if (!pipe->grown && zs_copy_span(copy, ZS_PIPE_BYTES) > ZS_DEFAULT_PIPE_BYTES) {
        zs_pipe_grow(pipe->write_fd, ZS_DEFAULT_PIPE_BYTES);
        pipe->grown = true;
    }
    splice->pipe = pipe;
    return 0;
}

static int open_splice(const struct zs_copy *copy, void **state)
{
    struct splice *splice = malloc(sizeof *splice);
    if (!splice)
        return -ENOMEM;
    *splice = (struct splice){.own = {.read_fd = -1, .write_fd = -1}};

    int opened = is_direct(copy) ? 0 : open_private_pipe(copy, splice);
    if (opened < 0) {
        free(splice);
        return opened;
    }
    *state = splice;
    return 0;
}

static const uint64_t *position_of(const struct zs_copy *copy)
{
    return copy->source->positioned ? &copy->source_position : NULL;
}

/* Which of two streams spliced directly was not ready. */
static enum zs_end unready_end(const struct zs_copy *copy)
{
    struct pollfd source = {.fd = copy->source_fd, .events = POLLIN};
    if (!zs_facts_is_stream(copy->source) || poll(&source, 1, 0) > 0)
        return ZS_END_TARGET;
    return ZS_END_SOURCE;
}

/*
 * After the first `taken` bytes of a step, takes the pieces that come next, without waiting for
 * room, so that many go into the target by one call, or are one step: 64 MiB in pieces of 4, 16 and
 * 64 KiB, every fourth of 256 MiB, into ext4: 95, 38 and 20 ms one by one, 32, 20 and 16 ms so (15
 * ms if they lie together); XFS 90, 31 and 13, so 25, 13 and 8 (7). What stops it is met again by
 * the next step.
 */
static size_t take_more_pieces(const struct zs_copy *copy, int pipe_write, size_t taken,
                               struct zs_engine_stats *stats)
{
    const struct zs_range *range = &copy->range;

    if (!copy->source->sized || copy->scattered || zs_range_is_contiguous(range))
        return taken;
    while (taken < ZS_PIPE_BYTES && taken < copy->remaining_bytes) {
        uint64_t index = copy->done_bytes + taken;
        uint64_t position = copy->source_start + zs_range_offset(range, index);
        uint64_t run = zs_range_run(range, index);
        uint64_t most =
            copy->remaining_bytes < ZS_PIPE_BYTES ? copy->remaining_bytes : ZS_PIPE_BYTES;
        uint64_t rest = most - taken;

        ssize_t more = zs_sys_splice_at_once(copy->source_fd, &position, pipe_write,
                                             (size_t)(run < rest ? run : rest));
        stats->calls++;
        if (more <= 0)
            break;
        taken += (size_t)more;
    }
    return taken;
}

static struct zs_step step_directly(const struct zs_copy *copy)
{
    struct zs_engine_stats *stats = &copy->stats->engines[ZS_ENGINE_SPLICE];
    ssize_t moved = zs_sys_splice(copy->source_fd, position_of(copy), copy->target_fd,
                                  zs_copy_most(copy, ZS_PIPE_BYTES));
    stats->calls++;
    if (moved == -EAGAIN)
        return zs_step_of_error(moved, unready_end(copy));
    if (moved < 0)
        /* A pipe fails only for want of readers. */
        return zs_step_of_error(moved, moved == -EPIPE ? ZS_END_TARGET : ZS_END_SOURCE);
    if (moved == 0)
        return (struct zs_step){.verdict = ZS_STEP_END};
    return zs_step_moved(take_more_pieces(copy, copy->target_fd, (size_t)moved, stats));
}

static struct zs_step step_through_pipe(const struct zs_copy *copy, struct splice *splice)
{
    struct zs_engine_stats *stats = &copy->stats->engines[ZS_ENGINE_SPLICE];

    if (splice->held_bytes == 0) {
        ssize_t taken = zs_sys_splice(copy->source_fd, position_of(copy), splice->pipe->write_fd,
                                      zs_copy_most(copy, ZS_PIPE_BYTES));
        stats->calls++;
        if (taken < 0)
            return zs_step_of_error(taken, ZS_END_SOURCE);
        if (taken == 0)
            return (struct zs_step){.verdict = ZS_STEP_END};
        splice->held_bytes = take_more_pieces(copy, splice->pipe->write_fd, (size_t)taken, stats);
    }

    uint64_t place;
    ssize_t moved = zs_sys_splice_to(splice->pipe->read_fd, copy->target_fd,
                                     zs_copy_place(copy, &place), splice->held_bytes);
    stats->calls++;
    if (moved == 0 && copy->source->positioned) {
        /*
         * A page that was not read yet when the file was truncated stops the splice with 0 (ENODATA
         * inside the kernel, 6.18). What is held can be read again, if it is still there.
         */
        return (struct zs_step){.verdict = ZS_STEP_END};
    }
    if (moved > 0)
        splice->held_bytes -= (size_t)moved;
    return zs_step_of_write(moved);
}

static struct zs_step step(const struct zs_copy *copy, void *state)
{
    struct splice *splice = state;
    return !splice->pipe ? step_directly(copy) : step_through_pipe(copy, splice);
}

static uint64_t held(const void *state, int *fd)
{
    const struct splice *splice = state;
    if (splice->held_bytes > 0)
        *fd = splice->pipe->read_fd;
    return splice->held_bytes;
}

static void close_splice(void *state)
{
    struct splice *splice = state;
    struct zs_pipe *pipe = splice->pipe;

    /* A pipe that is not empty is of no use to the next copy. */
    if (pipe && (pipe == &splice->own || splice->held_bytes > 0)) {
        (void)zs_sys_close(pipe->read_fd);
        (void)zs_sys_close(pipe->write_fd);
        *pipe = (struct zs_pipe){.read_fd = -1, .write_fd = -1};
    }
    free(splice);
}

const struct zs_engine zs_engine_splice = {
    .id = ZS_ENGINE_SPLICE,
    .refuse = refuse,
    .open = open_splice,
    .step = step,
    .held = held,
    .close = close_splice,
    .scatters = true,
};
