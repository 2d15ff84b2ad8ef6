/*
 * A plan, carried out step by step: open the target, drop what precedes the slice in a stream,
 * prepare the target, copy, finish. In this order, a stream that ends before its offset leaves the
 * target as it was, and a target that cannot be opened is found before a byte of the stream is
 * used.
 */

#include "transfer.h"

#include "engine.h"
#include "sys.h"
#include "view.h"

#include <errno.h>
#include <fcntl.h>

typedef unsigned long long ull; /* for printf */

static int too_short(const struct zs_source *source, uint64_t offset_bytes, struct zs_error *error)
{
    return zs_error_set(error, ZS_ERROR_SHORT, source->name, "slicing", 0,
                        "it ended before the offset %llu", (ull)offset_bytes);
}

/*
 * Some files of /proc and /sys (sysctls, most of all) give all they have to one read at position 0
 * and nothing at any other. What such a file has from the offset on takes the file's place, in a
 * pipe.
 */
static int reread(struct zs_source *source, uint64_t offset_bytes, struct zs_stats *stats,
                  struct zs_error *error)
{
    char bytes[32768]; /* less than a pipe holds, more than such a file has */
    struct zs_view all = {.bytes = (unsigned char *)bytes};
    ssize_t got = zs_sys_pread(source->fd, bytes, sizeof bytes, source->facts.position);

    if (got < 0)
        return zs_error_set(error, ZS_ERROR_TRANSFER, source->name, "reading", (int)-got, NULL);
    if ((size_t)got == sizeof bytes)
        return zs_error_set(error, ZS_ERROR_REFUSED, source->name, "slicing", 0,
                            "it can only be read from its beginning");
    all.length_bytes = (size_t)got;
    if (all.length_bytes < offset_bytes)
        return too_short(source, offset_bytes, error);
    stats->user_copied_bytes += all.length_bytes;
    return zs_source_replace(source, zs_view_rest(all, (size_t)offset_bytes), error);
}

/*
 * A file that has positions but no size (/proc): the slice's first byte need not be there, but the
 * one before it must, else the offset is beyond the end.
 */
static int check_offset(struct zs_source *source, const struct zs_plan *plan,
                        struct zs_stats *stats, struct zs_error *error)
{
    char byte;
    ssize_t got = zs_sys_pread(source->fd, &byte, 1, plan->source_position - 1);

    if (got < 0)
        return zs_error_set(error, ZS_ERROR_TRANSFER, source->name, "reading", (int)-got, NULL);
    return got == 0 ? reread(source, plan->range.start, stats, error) : 0;
}

/*
 * Whether an errno speaks about the way of copying; others (EMFILE, ENOMEM) are about the moment.
 */
static bool is_about_the_engine(int code)
{
    return code == 0 || code == EINVAL || code == ENOSYS || code == EOPNOTSUPP || code == ENODEV ||
           code == ESPIPE || code == EBADF || code == EACCES;
}

/* The one engine that the user wants could not go on: say so, and whether it even began. */
static void explain_forced_engine(const struct zs_stats *stats, const struct zs_plan *plan,
                                  bool untouched, struct zs_error *error)
{
    enum zs_engine_id id = plan->engines[0];

    if (!plan->engine_forced || error->kind != ZS_ERROR_TRANSFER || !stats->engines[id].refused ||
        !is_about_the_engine(stats->engines[id].refused_code))
        return;
    zs_error_append(error, "--engine=%s cannot do this copy", zs_engine_names[id]);
    if (untouched)
        error->kind = ZS_ERROR_REFUSED;
}

/*
 * Copies length_bytes of the source, from source_position on if it has positions, to /dev/null. 0,
 * or -1 with *error; *ended tells whether the source ended before.
 */
static int copy_to_null(const struct zs_source *source, uint64_t source_position,
                        uint64_t length_bytes, const struct zs_engine *const *engines, size_t count,
                        struct zs_stats *stats, bool *ended, struct zs_error *error)
{
    static const char null_path[] = "/dev/null";
    struct zs_facts null_facts;
    int fd = zs_sys_open(null_path, O_WRONLY, 0);

    if (fd < 0)
        return zs_error_set(error, ZS_ERROR_TRANSFER, null_path, "opening", -fd, NULL);
    int result = zs_facts_of_descriptor(fd, &null_facts);
    if (result < 0) {
        (void)zs_error_set(error, ZS_ERROR_TRANSFER, null_path, "examining", -result, NULL);
        goto out;
    }

    struct zs_copy copy = {.source_fd = source->fd,
                           .target_fd = fd,
                           .source = &source->facts,
                           .target = &null_facts,
                           .source_name = source->name,
                           .target_name = null_path,
                           .source_position = source_position,
                           .remaining_bytes = length_bytes,
                           .bounded = true,
                           .stats = stats};
    /* The first one is left out if it refuses the ends: a terminal cannot be spliced from. */
    if (count > 1 && engines[0]->refuse(copy.source, copy.target)) {
        engines++;
        count--;
    }
    struct zs_error cause = {0};
    result = zs_engine_run(&copy, engines, count, &cause);
    if (result < 0) /* nobody asked for /dev/null, which takes everything: it is the source */
        (void)zs_error_set(error, ZS_ERROR_TRANSFER, source->name, "reading", cause.code,
                           cause.detail[0] ? "%s" : NULL, cause.detail);
    *ended = copy.source_ended;
out:
    (void)zs_sys_close(fd);
    return result;
}

/* Reads and drops what precedes the slice in a stream. */
static int drop(const struct zs_source *source, uint64_t offset_bytes, struct zs_stats *stats,
                struct zs_error *error)
{
    const struct zs_engine *engines[] = {&zs_engine_splice, &zs_engine_buffer};
    struct zs_stats dropped = {.sample_memory = stats->sample_memory};
    bool ended = false;

    int result = copy_to_null(source, 0, offset_bytes, engines, 2, &dropped, &ended, error);
    stats->user_copied_bytes += dropped.user_copied_bytes;
    stats->peak_anonymous_bytes = dropped.peak_anonymous_bytes;
    return result == 0 && ended ? too_short(source, offset_bytes, error) : result;
}

/*
 * Whether the one engine that the user wants can read this source, tried on one byte while the
 * target still has what it will lose. Some files of /proc cannot be spliced, and only trying tells
 * which.
 */
static int try_forced_engine(const struct zs_source *source, const struct zs_plan *plan,
                             struct zs_error *error)
{
    const struct zs_engine *engine = zs_engines[plan->engines[0]];
    struct zs_stats tried = {0};
    bool ended;

    /* Not `buffer`, which never refuses: reading /proc/kmsg twice gives something else. */
    if (!plan->engine_forced || engine == &zs_engine_buffer || !source->facts.positioned ||
        source->facts.sized)
        return 0;
    if (copy_to_null(source, plan->source_position, 1, &engine, 1, &tried, &ended, error) == 0)
        return 0;
    explain_forced_engine(&tried, plan, true, error);
    return -1;
}

/* Brings the source to the slice's first byte. */
static int approach(struct zs_source *source, const struct zs_plan *plan, struct zs_stats *stats,
                    struct zs_error *error)
{
    if (plan->range.start == 0 || source->facts.sized)
        return 0;
    if (source->facts.positioned)
        return check_offset(source, plan, stats, error);
    return drop(source, plan->range.start, stats, error);
}

/* The source ended early: whether that is a failure. */
static int judge_end(const struct zs_copy *copy, const struct zs_plan *plan, struct zs_error *error)
{
    if (!copy->source_ended)
        return 0;
    if (copy->source->sized)
        return zs_error_set(error, ZS_ERROR_TRANSFER, copy->source_name, "reading", 0,
                            "it ended %llu bytes early, as if it had shrunk meanwhile",
                            (ull)copy->remaining_bytes);
    if (plan->exact && plan->range.bounded)
        return zs_error_set(error, ZS_ERROR_SHORT, copy->source_name, "slicing", 0,
                            "it ended %llu bytes before the end of the slice",
                            (ull)copy->remaining_bytes);
    return 0;
}

static int copy_slice(struct zs_copy *copy, const struct zs_plan *plan, struct zs_error *error)
{
    const struct zs_engine *engines[ZS_ENGINE_COUNT];

    for (size_t i = 0; i < plan->engine_count; i++)
        engines[i] = zs_engines[plan->engines[i]];
    if (zs_engine_run(copy, engines, plan->engine_count, error) < 0)
        return -1;
    return judge_end(copy, plan, error);
}

int zs_transfer(const struct zs_plan *plan, struct zs_source *source, struct zs_target *target,
                struct zs_stats *stats, uint64_t *done_bytes, struct zs_error *error)
{
    *done_bytes = 0;
    if (zs_target_open(target, plan, error) < 0 || approach(source, plan, stats, error) < 0 ||
        try_forced_engine(source, plan, error) < 0 || zs_target_prepare(target, plan, error) < 0) {
        zs_target_abandon(target, plan, 0, 0, error);
        return -1;
    }

    struct zs_copy copy = {.source_fd = source->fd,
                           .target_fd = target->fd,
                           .source = &source->facts,
                           .target = &target->facts,
                           .source_name = source->name,
                           .target_name = target->name,
                           .source_position = plan->source_position,
                           .remaining_bytes = plan->range.length_bytes,
                           .bounded = plan->range.bounded,
                           .stats = stats};
    int result = copy_slice(&copy, plan, error);
    *done_bytes = copy.done_bytes;
    if (result == 0) {
        result = zs_target_finish(target, plan, copy.done_bytes, error);
    } else {
        explain_forced_engine(stats, plan, copy.done_bytes == 0 && !target->emptied, error);
        zs_target_abandon(target, plan, copy.done_bytes, copy.excess_bytes, error);
    }

    if (zs_source_leave(source, copy.source_position, error) < 0)
        result = -1;
    return result;
}
