/*
 * Reads a block, writes a block. Everything here is slower than an engine: it runs only where the
 * blocks matter. Where this manner of copying has corners, GNU dd's behaviour is the measure.
 */

#include "blocks.h"

#include "signals.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What O_DIRECT wants memory to be aligned to; no device in use wants more. */
enum { ALIGNMENT = 4096 };

/* Page cache is dropped from a position that is a multiple of this, or a little less is. */
enum { PAGE_BYTES = 4096 };

struct zs_blocks_run {
    const struct zs_blocks *blocks;
    const struct zs_blocks_ends *ends;
    struct zs_stats *stats;
    struct zs_blocks_done *done;
    struct zs_error *error;

    unsigned char *read;    /* a block that was read */
    unsigned char *written; /* one that is being filled to be written; NULL: those read are */
    uint64_t filled_bytes;
    uint64_t left_bytes;     /* the source may still give */
    uint64_t previous_bytes; /* what the last read gave, 0 if it failed */
    int pending;             /* -errno that the next read has to report, or 0 */
    bool seekable;           /* the source */
    uint64_t start;          /* where it stood, then */
    int source_before;       /* flags of the descriptors, -1: they were not changed */
    int target_before;
    bool leaves_zeros;
    bool ends_in_gap;   /* what was last "written" was left out */
    bool lost_its_way;  /* it could not move behind a block that cannot be read */
    bool ends_indirect; /* the last block was not one for O_DIRECT */
    int direct_flags;   /* what the target had before that; -1: it was not so */
};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static int failed(struct zs_blocks_run *run, const char *name, const char *operation, int code)
{
    return zs_error_set(run->error, ZS_ERROR_TRANSFER, name, operation, code, NULL);
}

/* Waits for a descriptor that does not by itself, unless that is what was asked for. */
static ssize_t read_patiently(struct zs_blocks_run *run, unsigned char *bytes, size_t most_bytes)
{
    int fd = run->ends->source_fd;

    for (;;) {
        ssize_t got = zs_sys_read(fd, bytes, most_bytes);
        if (got != -EAGAIN || (run->blocks->source_flags & O_NONBLOCK))
            return got;
        int ready = zs_sys_wait(fd, POLLIN);
        if (ready < 0)
            return ready;
    }
}

static ssize_t write_patiently(struct zs_blocks_run *run, const unsigned char *bytes,
                               size_t length_bytes)
{
    int fd = run->ends->target_fd;

    for (;;) {
        ssize_t wrote = zs_sys_write(fd, bytes, length_bytes);
        if (wrote != -EAGAIN || (run->blocks->target_flags & O_NONBLOCK))
            return wrote;
        int ready = zs_sys_wait(fd, POLLOUT);
        if (ready < 0)
            return ready;
    }
}

/* What one read(2) gives; several where it is for more than one call may be for. */
static ssize_t read_all_of(struct zs_blocks_run *run, unsigned char *bytes, uint64_t most_bytes)
{
    size_t done = 0;

    while (done < most_bytes) {
        size_t most = (size_t)least(most_bytes - done, ZS_SYS_MOST);
        ssize_t got = read_patiently(run, bytes + done, most);
        if (got < 0 && done > 0)
            run->pending = (int)got;
        if (got <= 0)
            return done > 0 ? (ssize_t)done : got;
        done += (size_t)got;
        if ((size_t)got < most)
            break;
    }
    return (ssize_t)done;
}

/* The same, with an eye on reads that gave less than they were asked for, and were not the last. */
static ssize_t read_once(struct zs_blocks_run *run, unsigned char *bytes, uint64_t most_bytes)
{
    uint64_t before = run->previous_bytes;
    ssize_t got = read_all_of(run, bytes, most_bytes);

    /* The end of a file that is not a multiple of what O_DIRECT wants. */
    if (got == -EINVAL && (run->blocks->source_flags & O_DIRECT) && before > 0 &&
        before < most_bytes)
        got = 0;
    if (got > 0 && run->blocks->warns && before > 0 && before < most_bytes &&
        run->stats->partial_read_bytes == 0)
        run->stats->partial_read_bytes = before;
    run->previous_bytes = got > 0 ? (uint64_t)got : 0;
    return got;
}

/* A block, as far as it goes; 0 at the end, or -errno. */
static ssize_t read_block(struct zs_blocks_run *run, uint64_t most_bytes)
{
    uint64_t done = 0;
    ssize_t got = run->pending;

    run->pending = 0;
    if (got < 0) {
        run->previous_bytes = 0;
        return got;
    }
    most_bytes = least(most_bytes, run->left_bytes);
    while (done < most_bytes) {
        got = read_once(run, run->read + done, most_bytes - done);
        if (got <= 0)
            break;
        done += (uint64_t)got;
        if (!run->blocks->whole || run->pending)
            break;
    }
    if (got < 0 && done > 0)
        run->pending = (int)got;
    run->done->used_bytes += done;
    run->left_bytes -= done;
    return done > 0 || got >= 0 ? (ssize_t)done : got;
}

static bool is_zero(const unsigned char *bytes, size_t length_bytes)
{
    return length_bytes == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, length_bytes - 1) == 0);
}

/* The last block is too short for O_DIRECT: it is written without, and synced for it. */
static void turn_direct_off(struct zs_blocks_run *run)
{
    int flags = fcntl(run->ends->target_fd, F_GETFL);

    if (flags >= 0 && (flags & O_DIRECT)) {
        run->direct_flags = flags;
        (void)fcntl(run->ends->target_fd, F_SETFL, flags & ~O_DIRECT); /* else the write tells */
    }
    run->ends_indirect = true;
}

/* Writes a block, all of it or up to an error. 0, or -1 with *error. */
static int write_block(struct zs_blocks_run *run, const unsigned char *bytes, uint64_t length_bytes,
                       bool full)
{
    const struct zs_blocks_ends *ends = run->ends;
    struct zs_engine_stats *engine = &run->stats->engines[ZS_ENGINE_BUFFER];
    uint64_t done = 0;
    ssize_t wrote = 0;

    if (!full && (run->blocks->target_flags & O_DIRECT))
        turn_direct_off(run);
    run->ends_in_gap = false;
    if (run->leaves_zeros && is_zero(bytes, (size_t)length_bytes)) {
        run->leaves_zeros = lseek(ends->target_fd, (off_t)length_bytes, SEEK_CUR) >= 0;
        run->ends_in_gap = run->leaves_zeros;
        done = run->ends_in_gap ? length_bytes : 0;
        engine->bytes += done;
    }
    while (done < length_bytes) {
        wrote = write_patiently(run, bytes + done, (size_t)(length_bytes - done));
        if (wrote <= 0)
            break;
        done += (uint64_t)wrote;
        engine->bytes += (uint64_t)wrote;
        engine->calls++;
        run->stats->user_copied_bytes += (uint64_t)wrote;
    }
    run->done->written_bytes += done;
    if (done == length_bytes) {
        (*(full ? &run->stats->written_blocks.full : &run->stats->written_blocks.partial))++;
        return 0;
    }
    if (done > 0)
        run->stats->written_blocks.partial++;
    int code = wrote < 0 ? (int)-wrote : ENOSPC; /* a device at its end */
    return zs_error_set(run->error, code == EPIPE ? ZS_ERROR_PIPE : ZS_ERROR_TRANSFER,
                        ends->target_name, "writing", code, NULL);
}

/* Fills blocks to be written with what was read, and writes the full ones. */
static int rearrange(struct zs_blocks_run *run, uint64_t length_bytes)
{
    uint64_t block_bytes = run->blocks->write_bytes;

    for (uint64_t done = 0; done < length_bytes;) {
        uint64_t more = least(length_bytes - done, block_bytes - run->filled_bytes);
        memcpy(run->written + run->filled_bytes, run->read + done, (size_t)more);
        run->filled_bytes += more;
        done += more;
        if (run->filled_bytes < block_bytes)
            continue;
        run->filled_bytes = 0;
        if (write_block(run, run->written, block_bytes, true) < 0)
            return -1;
    }
    return 0;
}

/* Goes behind a block that cannot be read; part of it may have been read before. */
static void pass(struct zs_blocks_run *run, uint64_t bad_bytes)
{
    if (!run->seekable)
        return;
    bad_bytes = least(bad_bytes, run->left_bytes);
    /* From where it should stand: whether a read that failed moved it is not known. */
    if (zs_sys_seek(run->ends->source_fd, run->start + run->done->used_bytes + bad_bytes) < 0) {
        run->lost_its_way = true;
        run->seekable = false;
        return;
    }
    run->done->used_bytes += bad_bytes;
    run->left_bytes -= bad_bytes;
}

/* What the source gave as a block, on its way into the target. */
static int take_block(struct zs_blocks_run *run, uint64_t length_bytes)
{
    const struct zs_blocks *blocks = run->blocks;
    bool full = length_bytes == blocks->read_bytes;

    (*(full ? &run->stats->read_blocks.full : &run->stats->read_blocks.partial))++;
    if (blocks->padded && !full) {
        memset(run->read + length_bytes, 0, (size_t)(blocks->read_bytes - length_bytes));
        length_bytes = blocks->read_bytes;
    }
    return run->written
               ? rearrange(run, length_bytes)
               : write_block(run, run->read, length_bytes, length_bytes == blocks->read_bytes);
}

/* Has signals answered between blocks. -1 if one stops the copy. */
static int attend(struct zs_blocks_run *run, const char *name, const char *operation)
{
    return zs_signals_attend() ? zs_error_set(run->error, ZS_ERROR_TRANSFER, name, operation, 0,
                                              "%s", zs_signals_reason())
                               : 0;
}

static int copy_blocks(struct zs_blocks_run *run)
{
    const struct zs_blocks *blocks = run->blocks;
    struct zs_block_count *count = &run->stats->read_blocks;
    uint64_t partial_bytes = 0; /* what the block before had, if it was short */

    for (;;) {
        uint64_t number = count->full + count->partial;
        if (number > blocks->most_blocks ||
            (number == blocks->most_blocks && blocks->last_bytes == 0))
            return 0;
        if (attend(run, run->ends->target_name, "writing") < 0)
            return -1;

        ssize_t got =
            read_block(run, number < blocks->most_blocks ? blocks->read_bytes : blocks->last_bytes);
        if (got == 0)
            return 0;
        if (got < 0 && (!blocks->skips_errors || got == -EINTR))
            return failed(run, run->ends->source_name, "reading", (int)-got);
        if (got < 0) {
            if (blocks->complain)
                blocks->complain(blocks->context, run->ends->source_name, (int)-got);
            pass(run, blocks->read_bytes - partial_bytes);
            if (!blocks->padded || partial_bytes > 0) {
                partial_bytes = 0;
                continue;
            }
            got = 0;
        }
        partial_bytes = (uint64_t)got < blocks->read_bytes ? (uint64_t)got : 0;
        if (take_block(run, (uint64_t)got) < 0)
            return -1;
    }
}

/* Brings a stream to its first byte that is wanted: by moving there, if it can. */
static int skip(struct zs_blocks_run *run)
{
    const struct zs_blocks *blocks = run->blocks;
    uint64_t all_bytes;
    bool huge = __builtin_mul_overflow(blocks->skip_blocks, blocks->read_bytes, &all_bytes) ||
                __builtin_add_overflow(all_bytes, blocks->skip_bytes, &all_bytes) ||
                all_bytes > INT64_MAX;

    if (blocks->skip_blocks == 0 && blocks->skip_bytes == 0)
        return 0;
    if (run->seekable) {
        if (huge || lseek(run->ends->source_fd, (off_t)all_bytes, SEEK_CUR) < 0)
            return failed(run, run->ends->source_name, "skipping", huge ? EOVERFLOW : errno);
        run->done->used_bytes += all_bytes;
        return 0;
    }
    for (uint64_t i = 0; i <= blocks->skip_blocks; i++) {
        uint64_t most_bytes = i < blocks->skip_blocks ? blocks->read_bytes : blocks->skip_bytes;
        if (most_bytes == 0)
            break;
        if (attend(run, run->ends->source_name, "skipping") < 0)
            return -1;
        ssize_t got = read_block(run, most_bytes);
        if (got < 0)
            return failed(run, run->ends->source_name, "reading", (int)-got);
        if (got == 0)
            break;
    }
    /* Short blocks count as blocks, so that fewer bytes may have been skipped than were meant. */
    run->stats->past_end = huge || run->done->used_bytes < all_bytes;
    return 0;
}

static int seek(struct zs_blocks_run *run)
{
    const struct zs_blocks_ends *ends = run->ends;

    if (run->blocks->seek_bytes > 0 &&
        lseek(ends->target_fd, (off_t)run->blocks->seek_bytes, SEEK_CUR) < 0)
        return zs_error_set(run->error, ZS_ERROR_REFUSED, ends->target_name, "seeking", errno,
                            NULL);
    return 0;
}

/* Adds flags to an open descriptor; *before is what it had, -1 if nothing was changed. */
static int add_flags(struct zs_blocks_run *run, int fd, const char *name, int flags, int *before)
{
    int old = fcntl(fd, F_GETFL);

    *before = -1;
    if (old < 0 || (old & flags) == flags)
        return 0;
    if (fcntl(fd, F_SETFL, old | flags) < 0)
        return zs_error_set(run->error, ZS_ERROR_REFUSED, name, "setting flags", errno, NULL);
    *before = old;
    return 0;
}

static int allocate(struct zs_blocks_run *run, unsigned char **block, const char *name,
                    uint64_t length_bytes)
{
    size_t size = ((size_t)length_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

    *block = size >= length_bytes ? aligned_alloc(ALIGNMENT, size) : NULL;
    if (*block)
        return 0;
    return zs_error_set(run->error, ZS_ERROR_REFUSED, name, "making room for a block", ENOMEM,
                        "it has %llu bytes", (unsigned long long)length_bytes);
}

/* A file that would end where a block was left out gets its length. */
static int end_file(struct zs_blocks_run *run)
{
    int fd = run->ends->target_fd;
    struct stat status;

    if (!run->ends_in_gap)
        return 0;
    off_t end = lseek(fd, 0, SEEK_CUR);
    if (end < 0 || fstat(fd, &status) < 0)
        return failed(run, run->ends->target_name, "examining", errno);
    int result =
        S_ISREG(status.st_mode) && status.st_size < end ? zs_sys_truncate(fd, (uint64_t)end) : 0;
    return result < 0 ? failed(run, run->ends->target_name, "truncating", -result) : 0;
}

/* Only where nothing was to be copied is it the whole purpose, and a failure. */
static int drop_cache(struct zs_blocks_run *run, int fd, const char *name)
{
    off_t stands = lseek(fd, 0, SEEK_CUR);
    bool is_purpose = run->blocks->most_blocks == 0 && run->blocks->last_bytes == 0;
    uint64_t start = is_purpose && stands > 0 ? (uint64_t)stands / PAGE_BYTES * PAGE_BYTES : 0;
    int result = stands < 0 ? -errno : zs_sys_drop_cache(fd, start, 0);

    return result < 0 && is_purpose ? failed(run, name, "dropping its cache", -result) : 0;
}

static int finish(struct zs_blocks_run *run)
{
    const struct zs_blocks_ends *ends = run->ends;
    int result = 0;

    /* After a signal no more: nothing would interrupt a write that has to wait. */
    if (run->filled_bytes > 0 && !zs_signals_attend())
        result = write_block(run, run->written, run->filled_bytes, false);
    if (result == 0)
        result = end_file(run);
    if (result == 0 && run->ends_indirect) {
        int synced = zs_sys_sync(ends->target_fd);
        (void)zs_sys_drop_cache(ends->target_fd, 0, 0);
        if (synced < 0)
            result = zs_error_set(run->error, ZS_ERROR_DEVICE, ends->target_name, "syncing",
                                  -synced, NULL);
    }
    if (run->blocks->drops_source && drop_cache(run, ends->source_fd, ends->source_name) < 0)
        result = -1;
    if (run->blocks->drops_target && drop_cache(run, ends->target_fd, ends->target_name) < 0)
        result = -1;
    if (result == 0 && run->lost_its_way)
        result = zs_error_set(run->error, ZS_ERROR_TRANSFER, ends->source_name, "seeking", 0,
                              "it could not be moved behind what cannot be read");
    return result;
}

int zs_blocks_begin(struct zs_blocks_run **run, const struct zs_blocks *blocks,
                    const struct zs_blocks_ends *ends, struct zs_stats *stats,
                    struct zs_blocks_done *done, struct zs_error *error)
{
    struct zs_blocks_run *r = calloc(1, sizeof *r);

    *run = r;
    if (!r)
        return zs_error_set(error, ZS_ERROR_TRANSFER, ends->source_name, "copying", ENOMEM, NULL);
    *r = (struct zs_blocks_run){.blocks = blocks,
                                .ends = ends,
                                .stats = stats,
                                .done = done,
                                .error = error,
                                .left_bytes = ends->most_bytes,
                                .leaves_zeros = blocks->leaves_zeros,
                                .source_before = -1,
                                .target_before = -1,
                                .direct_flags = -1};
    off_t start = lseek(ends->source_fd, 0, SEEK_CUR);
    r->seekable = start >= 0;
    r->start = start >= 0 ? (uint64_t)start : 0;
    return add_flags(r, ends->source_fd, ends->source_name, blocks->source_flags,
                     &r->source_before) < 0 ||
                   add_flags(r, ends->target_fd, ends->target_name, blocks->target_flags,
                             &r->target_before) < 0 ||
                   allocate(r, &r->read, ends->source_name, blocks->read_bytes) < 0 ||
                   (!blocks->unchanged &&
                    allocate(r, &r->written, ends->target_name, blocks->write_bytes) < 0) ||
                   skip(r) < 0 || seek(r) < 0
               ? -1
               : 0;
}

int zs_blocks_copy(struct zs_blocks_run *run, struct zs_error *error)
{
    run->error = error;
    int result = copy_blocks(run);
    return finish(run) < 0 ? -1 : result;
}

void zs_blocks_end(struct zs_blocks_run *run)
{
    if (!run)
        return;
    if (run->target_before < 0)
        run->target_before = run->direct_flags;
    if (run->target_before >= 0)
        (void)fcntl(run->ends->target_fd, F_SETFL, run->target_before);
    /* Last: both may be one, and its flags were the first to be changed. */
    if (run->source_before >= 0)
        (void)fcntl(run->ends->source_fd, F_SETFL, run->source_before);
    free(run->read);
    free(run->written);
    free(run);
}
