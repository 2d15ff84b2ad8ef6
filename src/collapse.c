/* A file made shorter at both ends, in place. */

#include "collapse.h"

#include "engine.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

typedef unsigned long long ull; /* for printf */

struct work {
    const struct zs_source *source;
    const char *name;
    int fd;
    uint64_t start; /* of the slice, in the file as it was */
    uint64_t length_bytes;
    uint64_t size_bytes; /* the file's, as it should be now */
    struct zs_stats *stats;
    struct zs_error *error;
};

static int refuse(const struct work *work, int code, const char *detail)
{
    return zs_error_set(work->error, ZS_ERROR_REFUSED, work->name, "--in-place", code,
                        detail ? "%s" : NULL, detail);
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Whoever writes to the file meanwhile must not lose what he has written. */
static int check_unchanged(const struct work *work, bool touched)
{
    struct stat status;

    if (fstat(work->fd, &status) < 0) {
        (void)zs_error_set(work->error, touched ? ZS_ERROR_TRANSFER : ZS_ERROR_REFUSED, work->name,
                           "examining", errno, NULL);
        if (touched)
            zs_error_append(work->error, "its first %llu bytes are the slice",
                            (ull)work->length_bytes);
        return -1;
    }
    bool same = status.st_dev == work->source->facts.device &&
                status.st_ino == work->source->facts.inode &&
                (uint64_t)status.st_size == work->size_bytes &&
                (touched || is_same_time(&status.st_mtim, &work->source->facts.modified));
    if (same)
        return 0;
    return touched ? zs_error_set(work->error, ZS_ERROR_TRANSFER, work->name, "truncating", 0,
                                  "it was changed meanwhile: its first %llu bytes are the slice, "
                                  "and it was not cut",
                                  (ull)work->length_bytes)
                   : refuse(work, 0, "it was changed meanwhile");
}

static int refuse_unaligned(const struct work *work, uint64_t block_bytes)
{
    uint64_t lower = work->start / block_bytes * block_bytes;
    uint64_t upper = lower + block_bytes;

    if (upper <= work->size_bytes)
        return zs_error_set(work->error, ZS_ERROR_REFUSED, work->name, "--in-place=collapse", 0,
                            "only whole blocks of %llu bytes can be taken out: the offset %llu "
                            "would do, or %llu; auto takes any",
                            (ull)block_bytes, (ull)lower, (ull)upper);
    return zs_error_set(work->error, ZS_ERROR_REFUSED, work->name, "--in-place=collapse", 0,
                        "only whole blocks of %llu bytes can be taken out; auto takes any offset",
                        (ull)block_bytes);
}

/* Whether an errno says that the file system cannot do it in this way. */
static bool cannot_collapse(int code)
{
    return code == EOPNOTSUPP || code == ENOSYS || code == EINVAL;
}

/* Whether one is said before anything is done; the device's are not. */
static bool is_refusal(int code)
{
    return code == EPERM || code == EACCES || code == ETXTBSY || code == EROFS || code == EINTR;
}

/*
 * Takes out what lies before the slice, by the file system. 1: it cannot, and nothing has changed.
 */
static int take_out(const struct work *work, bool must)
{
    struct zs_facts facts = work->source->facts;
    int result = zs_facts_learn(work->fd, 0, work->size_bytes, &facts);

    if (result < 0)
        return refuse(work, -result, NULL);
    if (work->start % facts.block_bytes != 0)
        return must ? refuse_unaligned(work, facts.block_bytes) : 1;
    result = zs_sys_collapse(work->fd, 0, work->start);
    if (result < 0 && cannot_collapse(-result))
        return must ? refuse(work, -result, "its file system cannot take out its beginning") : 1;
    if (result < 0 && is_refusal(-result))
        return refuse(work, -result, NULL);
    return result < 0 ? zs_error_set(work->error, ZS_ERROR_TRANSFER, work->name,
                                     "taking out its beginning", -result,
                                     "how much of that was done is not known")
                      : 0;
}

/*
 * Moves the slice's bytes to the front, front to back, so that none is overwritten before it was
 * read into memory.
 */
static int move_down(const struct work *work, uint64_t *done_bytes)
{
    static const struct zs_engine *const engines[] = {&zs_engine_buffer};
    struct zs_holes holes = {.fd = work->fd, .size_bytes = work->size_bytes};
    struct zs_copy copy = {.source_fd = work->source->fd,
                           .target_fd = work->fd,
                           .source = &work->source->facts,
                           .target = &work->source->facts,
                           .source_name = work->name,
                           .target_name = work->name,
                           .stats = work->stats,
                           .holes = zs_facts_is_sparse(&work->source->facts) ? &holes : NULL};
    struct zs_range range = zs_range_contiguous(0, work->length_bytes);

    zs_copy_begin(&copy, &range, work->start, 0);
    int result = zs_engine_run(&copy, engines, 1, work->error);
    *done_bytes = copy.done_bytes;
    if (result == 0 && copy.source_ended)
        result = zs_error_set(work->error, ZS_ERROR_TRANSFER, work->name, "reading", 0,
                              "it was cut meanwhile");
    if (result < 0)
        zs_error_append(work->error,
                        "its first %llu bytes are the slice's, which goes on at position %llu",
                        (ull)copy.done_bytes, (ull)(work->start + copy.done_bytes));
    work->stats->holes_bytes = holes.made_bytes;
    return result;
}

static int cut(struct work *work)
{
    if (check_unchanged(work, true) < 0)
        return -1;
    if (work->size_bytes == work->length_bytes)
        return 0;
    int result = zs_sys_truncate(work->fd, work->length_bytes);
    return result < 0
               ? zs_error_set(work->error, ZS_ERROR_TRANSFER, work->name, "truncating", -result,
                              "its first %llu bytes are the slice", (ull)work->length_bytes)
               : 0;
}

static int shorten(struct work *work, const struct zs_plan *plan, uint64_t *done_bytes)
{
    bool must = plan->options->in_place == ZS_IN_PLACE_COLLAPSE;
    bool taken_out = work->start == 0 || work->length_bytes == 0;

    if (check_unchanged(work, false) < 0)
        return -1;
    if (!taken_out) {
        int result = take_out(work, must);
        if (result < 0)
            return -1;
        taken_out = result == 0;
        if (taken_out)
            work->size_bytes -= work->start;
    }
    if (!taken_out && move_down(work, done_bytes) < 0)
        return -1;
    *done_bytes = work->length_bytes;
    if (cut(work) < 0)
        return -1;
    int synced = plan->sync ? zs_sys_sync(work->fd) : 0;
    return synced < 0
               ? zs_error_set(work->error, ZS_ERROR_DEVICE, work->name, "syncing", -synced, NULL)
               : 0;
}

int zs_collapse(const struct zs_plan *plan, const struct zs_source *source, struct zs_stats *stats,
                uint64_t *done_bytes, struct zs_error *error)
{
    struct work work = {.source = source,
                        .name = source->name,
                        .size_bytes = source->facts.size_bytes,
                        .stats = stats,
                        .error = error};
    const struct zs_part *part = plan->parts;

    *done_bytes = 0;
    work.start = part->source_position;
    work.length_bytes = part->range.length_bytes;
    work.fd = zs_sys_open(plan->options->source_path, O_RDWR, 0);
    if (work.fd < 0)
        return zs_error_set(error, ZS_ERROR_REFUSED, source->name, "opening", -work.fd, NULL);
    int result = shorten(&work, plan, done_bytes);
    int closed = zs_sys_close(work.fd);
    if (closed < 0)
        (void)zs_error_set(error, ZS_ERROR_TRANSFER, source->name, "closing", -closed, NULL);
    return result < 0 || closed < 0 ? -1 : 0;
}
