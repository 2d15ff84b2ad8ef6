/* Write-back as the copy goes, and page cache that is given back. */

#include "behind.h"

#include "sys.h"

#include <errno.h>

/*
 * How much gathers before write-back of it is started. 512 MiB with --sync, page cache to ext4 /
 * XFS, Linux 6.18, ms (minimum of 7), with 1, 2, 4, 8, 16, 32 MiB: 216/467, 227/358, 230/404,
 * 236/427, 238/432, 237/420; dd conv=fsync takes 658/594.
 */
#define CHUNK_BYTES ((uint64_t)2 * 1024 * 1024)

/*
 * How far behind the copy the source's pages are given back: the kernel keeps those that are still
 * mapped (16 MiB, see map_write.c) or lie in a pipe.
 */
#define SOURCE_LAG_BYTES ((uint64_t)32 * 1024 * 1024)

/* How much of the source is given back by one call. */
#define SOURCE_CHUNK_BYTES ((uint64_t)8 * 1024 * 1024)

/*
 * Pages come in folios of up to 2 MiB, which are given back whole or not at all: what lay across
 * the end of one call is asked for again by the next, and up to that much on both sides of the
 * slice goes with it.
 */
#define FOLIO_BYTES ((uint64_t)2 * 1024 * 1024)

/*
 * Starts to write back what has arrived, or waits for it. That it cannot be had is no error: a file
 * system writes back when it likes. Anything else is the device's word, which the kernel gives
 * once.
 */
static int write_back(int fd, uint64_t start, uint64_t end, bool wait)
{
    int result = start < end ? zs_sys_write_back(fd, start, end - start, wait) : 0;
    switch (result) {
    case -EINVAL:     /* the file system */
    case -ESPIPE:     /* this kind of file */
    case -EOPNOTSUPP: /* likewise */
    case -ENOSYS:     /* a kernel or a sandbox without the call */
    case -EPERM:      /* a seccomp filter */
        return 0;
    default:
        return result;
    }
}

static void drop_pages(int fd, uint64_t start, uint64_t end)
{
    start -= start % FOLIO_BYTES;
    end += (FOLIO_BYTES - end % FOLIO_BYTES) % FOLIO_BYTES;
    (void)zs_sys_drop_cache(fd, start, end - start);
}

static void drop_source(struct zs_behind *behind, uint64_t end)
{
    struct zs_behind_end *source = &behind->source;

    if (!behind->drop || behind->source_fd < 0 || end <= source->kept)
        return;
    drop_pages(behind->source_fd, source->kept, end);
    source->kept = end;
}

/* Once it is clean. */
static int drop_target(struct zs_behind *behind, uint64_t end)
{
    struct zs_behind_end *target = &behind->target;

    if (!behind->drop || behind->target_fd < 0 || end <= target->kept)
        return 0;
    int result = write_back(behind->target_fd, target->kept, end, true);
    drop_pages(behind->target_fd, target->kept, end);
    target->kept = end;
    return result;
}

/* While a chunk is written back, the one before it is waited for: the device is never idle. */
static int follow_target(struct zs_behind *behind)
{
    struct zs_behind_end *target = &behind->target;

    if (behind->uncached) { /* so was all since the last call */
        behind->uncached = false;
        target->started = target->end;
    }
    if (behind->target_fd < 0 || target->end < target->started + CHUNK_BYTES)
        return 0;
    uint64_t started = target->started;
    int result = write_back(behind->target_fd, started, target->end, false);
    target->started = target->end;
    int dropped = drop_target(behind, started);
    return result < 0 ? result : dropped;
}

/*
 * 512 MiB, page cache to ext4, Linux 6.18, ms: 202 to 231 so, 263 to 339 by waiting for each chunk
 * and dropping it.
 */
ssize_t zs_behind_write(struct zs_behind *behind, int fd, const void *bytes, size_t length_bytes)
{
    if (behind->drop && !behind->no_uncached) {
        ssize_t written = zs_sys_write_uncached(fd, bytes, length_bytes);
        behind->no_uncached = written == -EOPNOTSUPP || written == -EINVAL || written == -ENOSYS;
        behind->uncached = !behind->no_uncached;
        if (behind->uncached)
            return written;
    }
    return zs_sys_write(fd, bytes, length_bytes);
}

int zs_behind_advance(struct zs_behind *behind, uint64_t source_end, uint64_t target_end)
{
    behind->source.end = source_end;
    behind->target.end = target_end;
    if (source_end >= behind->source.kept + SOURCE_LAG_BYTES + SOURCE_CHUNK_BYTES)
        drop_source(behind, source_end - SOURCE_LAG_BYTES);
    return behind->failed < 0 ? behind->failed : follow_target(behind);
}

/* The whole stretch once more: some page may have been in use when its turn was. */
static void finish_source(struct zs_behind *behind)
{
    behind->source.kept = behind->source.start;
    drop_source(behind, behind->source.end);
}

static int finish_target(struct zs_behind *behind)
{
    behind->target.kept = behind->target.start;
    return drop_target(behind, behind->target.end);
}

static void start_stretch(struct zs_behind_end *end, uint64_t position)
{
    *end = (struct zs_behind_end){position, position, position, position};
}

void zs_behind_begin(struct zs_behind *behind, uint64_t source_start, uint64_t target_start)
{
    if (source_start != behind->source.end) {
        finish_source(behind);
        start_stretch(&behind->source, source_start);
    }
    if (target_start != behind->target.end) {
        int finished = finish_target(behind);
        if (behind->failed == 0)
            behind->failed = finished;
        start_stretch(&behind->target, target_start);
    }
}

int zs_behind_finish(struct zs_behind *behind)
{
    finish_source(behind);
    int finished = finish_target(behind);
    return behind->failed < 0 ? behind->failed : finished;
}
