/*
 * buffer: read into memory of the program's own, write from there. For what the kernel cannot copy
 * by itself: most /proc files, eventfd and its like, streams to O_APPEND targets, terminals; and
 * for short pieces with gaps between them, which it gathers. It also gives the true errno where the
 * in-kernel ways hide it (/dev/full, kernel 6.18), and the certain end.
 */

#include "engine.h"
#include "gather.h"
#include "sys.h"
#include "view.h"

#include <errno.h>
#include <stdlib.h>

/*
 * 768 KiB keep anonymous memory under the 1 MiB that zslice promises. 4 of every 16 bytes of 1 GiB,
 * page cache to ext4, Linux 6.18, ms with 256 KiB, 512 KiB, 768 KiB, 1 MiB: 239, 222, 214, 206. Of
 * a pipe to ext4 any of these takes 330 to 340 ms for 512 MiB.
 */
enum { BUFFER_BYTES = 768 * 1024 };

/*
 * Of a file whose gaps between pieces are at least this long, each piece is read by itself; shorter
 * gaps are read along. A quarter of 256 MiB, page cache to ext4, ms, gap read along / piece by
 * piece: pieces of 1 KiB 41 / 67, 2 KiB 41 / 44, 4 KiB 42 / 31.
 */
enum { LONG_GAP_BYTES = 8192 };

struct buffer {
    struct zs_view unwritten; /* what was read and is not in the target yet */
    uint64_t stream_offset;   /* how far behind the range's first byte a stream stands */
    unsigned char memory[BUFFER_BYTES];
};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static const char *refuse(const struct zs_facts *source, const struct zs_facts *target)
{
    (void)source;
    (void)target;
    return NULL;
}

static int open_buffer(const struct zs_copy *copy, void **state)
{
    struct buffer *buffer = malloc(sizeof *buffer);
    if (!buffer)
        return -ENOMEM;
    buffer->unwritten = (struct zs_view){0};
    buffer->stream_offset = zs_copy_used_bytes(copy);
    *state = buffer;
    return 0;
}

/*
 * Reads the next bytes of a file into the free part of memory, behind `kept` bytes of the range
 * that are there already, and gathers them. How many of the range's bytes that adds, 0 at the end,
 * or -errno.
 */
static ssize_t read_file(const struct zs_copy *copy, struct buffer *buffer, size_t kept)
{
    const struct zs_range *range = &copy->range;
    uint64_t index = copy->done_bytes + kept;
    uint64_t last = copy->done_bytes + copy->remaining_bytes - 1;
    uint64_t offset = zs_range_offset(range, index);
    uint64_t span_bytes = zs_range_offset(range, last) + 1 - offset;

    if (range->stride_bytes - range->piece_bytes >= LONG_GAP_BYTES)
        span_bytes = least(span_bytes, zs_range_run(range, index));
    ssize_t got =
        zs_sys_pread(copy->source_fd, buffer->memory + kept,
                     (size_t)least(span_bytes, BUFFER_BYTES - kept), copy->source_start + offset);
    return got <= 0 ? got : (ssize_t)zs_gather(range, index, buffer->memory + kept, (size_t)got);
}

/* Of pieces with gaps as much as makes the write worth its while. */
static ssize_t fill_from_file(const struct zs_copy *copy, struct buffer *buffer)
{
    bool gathers = !zs_range_is_contiguous(&copy->range);
    size_t kept = 0;
    ssize_t got;

    do {
        got = read_file(copy, buffer, kept);
        if (got > 0)
            kept += (size_t)got;
    } while (gathers && got > 0 && kept < BUFFER_BYTES / 2 && kept < copy->remaining_bytes);
    return kept > 0 ? (ssize_t)kept : got; /* an error after some bytes is met again */
}

static ssize_t read_stream(const struct zs_copy *copy, struct buffer *buffer, uint64_t most_bytes)
{
    size_t most = (size_t)least(most_bytes, BUFFER_BYTES);
    ssize_t got = copy->source->positioned
                      ? zs_sys_pread(copy->source_fd, buffer->memory, most,
                                     copy->source_start + buffer->stream_offset)
                      : zs_sys_read(copy->source_fd, buffer->memory, most);
    if (got > 0)
        buffer->stream_offset += (uint64_t)got;
    return got;
}

/* As much as comes: a stream's reader is not kept waiting. */
static ssize_t fill_from_stream(const struct zs_copy *copy, struct buffer *buffer)
{
    uint64_t offset = zs_range_offset(&copy->range, copy->done_bytes);

    while (buffer->stream_offset < offset) {
        ssize_t dropped = read_stream(copy, buffer, offset - buffer->stream_offset);
        if (dropped <= 0)
            return dropped;
    }
    ssize_t got = read_stream(copy, buffer, zs_copy_span(copy, BUFFER_BYTES));
    return got <= 0
               ? got
               : (ssize_t)zs_gather(&copy->range, copy->done_bytes, buffer->memory, (size_t)got);
}

/* length_bytes, or -errno: -EOPNOTSUPP if zeros must be written. */
static ssize_t make_hole(const struct zs_copy *copy, uint64_t position, size_t length_bytes)
{
    int made = zs_holes_make(copy->holes, position, length_bytes);
    return made < 0 ? made : (ssize_t)length_bytes;
}

/* Each piece to its place. How many bytes, or -errno if there are none; else that is met again. */
static ssize_t write_scattered(const struct zs_copy *copy, struct zs_view pieces)
{
    size_t done = 0;

    while (done < pieces.length_bytes) {
        uint64_t index = copy->done_bytes + done;
        struct zs_view rest = zs_view_rest(pieces, done);
        size_t length = (size_t)least(rest.length_bytes, zs_range_run(&copy->range, index));
        uint64_t position = copy->target_start + zs_range_offset(&copy->range, index);
        bool zero = false;
        if (copy->holes)
            length = zs_holes_run(rest.bytes, length, position, &zero);
        ssize_t written = zero ? make_hole(copy, position, length) : -EOPNOTSUPP;
        if (written == -EOPNOTSUPP)
            written = zs_sys_pwrite(copy->target_fd, rest.bytes, length, position);
        copy->stats->engines[ZS_ENGINE_BUFFER].calls++;
        if (written <= 0)
            return done > 0 ? (ssize_t)done : written;
        done += (size_t)written;
    }
    return (ssize_t)done;
}

/* Runs of zeros are left out, or punched; a count, or -errno if there is nothing to count. */
static ssize_t write_sparse(const struct zs_copy *copy, struct zs_view bytes)
{
    size_t done = 0;

    while (done < bytes.length_bytes) {
        uint64_t position = copy->target_start + copy->done_bytes + done;
        struct zs_view rest = zs_view_rest(bytes, done);
        bool zero = false;
        size_t run = zs_holes_run(rest.bytes, rest.length_bytes, position, &zero);
        ssize_t moved = zero ? make_hole(copy, position, run) : -EOPNOTSUPP;

        if (moved == -EOPNOTSUPP)
            moved = zs_copy_write(copy, rest.bytes, run);
        if (moved <= 0)
            return done > 0 ? (ssize_t)done : moved;
        done += (size_t)moved;
    }
    return (ssize_t)done;
}

static ssize_t write_together(const struct zs_copy *copy, struct zs_view pieces)
{
    if (copy->holes)
        return write_sparse(copy, pieces);
    copy->stats->engines[ZS_ENGINE_BUFFER].calls++;
    return zs_copy_write(copy, pieces.bytes, pieces.length_bytes);
}

static struct zs_step step(const struct zs_copy *copy, void *state)
{
    struct buffer *buffer = state;

    if (buffer->unwritten.length_bytes == 0) {
        ssize_t got =
            copy->source->sized ? fill_from_file(copy, buffer) : fill_from_stream(copy, buffer);
        if (got < 0)
            return zs_step_of_error(got, ZS_END_SOURCE);
        if (got == 0)
            return (struct zs_step){
                .verdict = ZS_STEP_END,
                .trailing_bytes =
                    copy->source->sized ? 0 : buffer->stream_offset - zs_copy_used_bytes(copy)};
        buffer->unwritten = (struct zs_view){.bytes = buffer->memory, .length_bytes = (size_t)got};
    }

    ssize_t written = copy->scattered ? write_scattered(copy, buffer->unwritten)
                                      : write_together(copy, buffer->unwritten);
    if (written > 0) {
        if (copy->digest)
            zs_digest_update(copy->digest, buffer->unwritten.bytes, (size_t)written);
        buffer->unwritten = zs_view_rest(buffer->unwritten, (size_t)written);
        copy->stats->user_copied_bytes += (uint64_t)written;
    }
    return zs_step_of_write(written);
}

const struct zs_engine zs_engine_buffer = {
    .id = ZS_ENGINE_BUFFER,
    .refuse = refuse,
    .open = open_buffer,
    .step = step,
    .close = free,
    .end_is_certain = true,
    .scatters = true,
    .finds_zeros = true,
    .feeds_digest = true,
    .copies = true,
};
