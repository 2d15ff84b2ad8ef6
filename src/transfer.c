/*
 * A plan, carried out step by step: open the target, bring the source to the slice's first byte
 * (drop what precedes it in a stream; hold the stream until its end is known, if the slice counts
 * from there), prepare the target, copy part after part, finish. In this order, a stream that ends
 * before its offset leaves the target as it was, and a target that cannot be opened is found before
 * a byte of the stream is used.
 */

#include "transfer.h"

#include "engine.h"
#include "spool.h"
#include "sys.h"
#include "view.h"

#include <errno.h>
#include <fcntl.h>

typedef unsigned long long ull; /* for printf */

/* A plan being carried out. */
struct run {
    struct zs_plan *plan;
    struct zs_source *source;
    struct zs_target *target;
    struct zs_stats *stats;
    struct zs_error *error;

    uint64_t
        source_offset;     /* where the last byte used ends, from where the source stood at first */
    struct zs_spool spool; /* holds the end of a stream; not open if nothing is held */
    struct zs_written written;
};

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
static int reread(struct run *run, uint64_t offset_bytes)
{
    struct zs_source *source = run->source;
    char bytes[32768]; /* less than a pipe holds, more than such a file has */
    struct zs_view all = {.bytes = (unsigned char *)bytes};
    ssize_t got = zs_sys_pread(source->fd, bytes, sizeof bytes, source->facts.position);

    if (got < 0)
        return zs_error_set(run->error, ZS_ERROR_TRANSFER, source->name, "reading", (int)-got,
                            NULL);
    if ((size_t)got == sizeof bytes)
        return zs_error_set(run->error, ZS_ERROR_REFUSED, source->name, "slicing", 0,
                            "it can only be read from its beginning");
    all.length_bytes = (size_t)got;
    if (all.length_bytes < offset_bytes)
        return too_short(source, offset_bytes, run->error);
    run->stats->user_copied_bytes += all.length_bytes;
    run->source_offset = offset_bytes;
    return zs_source_replace(source, zs_view_rest(all, (size_t)offset_bytes), run->error);
}

/*
 * A file that has positions but no size (/proc): the part's first byte need not be there, but the
 * one before it must, else the offset is beyond the end.
 */
static int check_offset(struct run *run, const struct zs_part *part)
{
    struct zs_source *source = run->source;
    uint64_t offset_bytes = part->range.record_start;
    char byte;
    ssize_t got = zs_sys_pread(source->fd, &byte, 1, source->facts.position + offset_bytes - 1);

    if (got < 0)
        return zs_error_set(run->error, ZS_ERROR_TRANSFER, source->name, "reading", (int)-got,
                            NULL);
    if (got > 0)
        return 0;
    return part == run->plan->parts ? reread(run, offset_bytes)
                                    : too_short(source, offset_bytes, run->error);
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
    enum zs_engine_id id = plan->options->engine;

    if (!plan->engine_forced || error->kind != ZS_ERROR_TRANSFER || !stats->engines[id].refused ||
        !is_about_the_engine(stats->engines[id].refused_code))
        return;
    zs_error_append(error, "--engine=%s cannot do this copy", zs_engine_names[id]);
    if (untouched)
        error->kind = ZS_ERROR_REFUSED;
}

/*
 * Copies length_bytes of the source, from source_position on if it has positions, to /dev/null. 0,
 * or -1 with *error; *done_bytes are fewer if the source ended before.
 */
static int copy_to_null(const struct zs_source *source, uint64_t source_position,
                        uint64_t length_bytes, const struct zs_engine *const *engines, size_t count,
                        struct zs_stats *stats, uint64_t *done_bytes, struct zs_error *error)
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
                           .stats = stats};
    struct zs_range range = zs_range_contiguous(0, length_bytes);
    zs_copy_begin(&copy, &range, source_position, 0);
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
    *done_bytes = copy.done_bytes;
out:
    (void)zs_sys_close(fd);
    return result;
}

/* Adds what a copy to somewhere else than the target has cost. */
static void add_cost(struct run *run, const struct zs_stats *cost)
{
    run->stats->user_copied_bytes += cost->user_copied_bytes;
    if (cost->peak_anonymous_bytes > run->stats->peak_anonymous_bytes)
        run->stats->peak_anonymous_bytes = cost->peak_anonymous_bytes;
}

/* For a stream, into whatever: it cannot be sent from or mapped. */
static const struct zs_engine *const stream_engines[] = {&zs_engine_splice, &zs_engine_buffer};
enum { STREAM_ENGINES = 2 };

/*
 * Reads and drops what comes before the offset in a stream; run->source_offset is less than it if
 * the stream ended before.
 */
static int drop(struct run *run, uint64_t offset)
{
    struct zs_stats cost = {.sample_memory = run->stats->sample_memory};
    uint64_t dropped_bytes = 0;

    if (run->source->facts.positioned || offset <= run->source_offset)
        return 0;
    int result = copy_to_null(run->source, 0, offset - run->source_offset, stream_engines,
                              STREAM_ENGINES, &cost, &dropped_bytes, run->error);
    add_cost(run, &cost);
    run->source_offset += dropped_bytes;
    return result;
}

/* Brings the source to a part's first record. */
static int approach(struct run *run, const struct zs_part *part)
{
    uint64_t offset = part->range.record_start;

    if (run->source->facts.sized || offset == 0)
        return 0;
    if (run->source->facts.positioned)
        return check_offset(run, part);
    if (drop(run, offset) < 0)
        return -1;
    return run->source_offset < offset ? too_short(run->source, offset, run->error) : 0;
}

/*
 * Whether the one engine that the user wants can read this source, tried on one byte while the
 * target still has what it will lose. Some files of /proc cannot be spliced, and only trying tells
 * which.
 */
static int try_forced_engine(const struct run *run)
{
    const struct zs_source *source = run->source;
    const struct zs_plan *plan = run->plan;
    const struct zs_engine *engine = zs_engines[plan->options->engine];
    struct zs_stats tried = {0};
    uint64_t done_bytes;

    /* Not `buffer`, which never refuses: reading /proc/kmsg twice gives something else. */
    if (!plan->engine_forced || engine == &zs_engine_buffer || !source->facts.positioned ||
        source->facts.sized || plan->hold != ZS_HOLD_NOTHING || run->spool.fd >= 0)
        return 0;
    if (copy_to_null(source, plan->parts[0].source_position, 1, &engine, 1, &tried, &done_bytes,
                     run->error) == 0)
        return 0;
    explain_forced_engine(&tried, plan, true, run->error);
    return -1;
}

/*
 * Adds the next bytes of the stream to what is held of it. *ended if that were the last. The
 * temporary file is where the stream is read from, so its errors are named by what it is.
 */
static int receive(struct run *run, bool *ended)
{
    static const char file_name[] = "the temporary file that holds the end of the stream";
    struct zs_stats cost = {.sample_memory = run->stats->sample_memory};
    struct zs_copy copy = {.source_fd = run->source->fd,
                           .target_fd = run->spool.fd,
                           .source = &run->source->facts,
                           .target = &run->spool.facts,
                           .source_name = run->source->name,
                           .target_name = file_name,
                           .stats = &cost};
    struct zs_range range = zs_range_contiguous(0, run->spool.chunk_bytes);

    zs_copy_begin(&copy, &range, run->source->facts.position + run->source_offset, 0);
    int result = zs_engine_run(&copy, stream_engines, STREAM_ENGINES, run->error);
    add_cost(run, &cost);
    run->source_offset += copy.done_bytes;
    run->spool.facts.size_bytes = run->source_offset;
    *ended = copy.source_ended;
    return result;
}

/* Reads the whole stream, holding its end, and plans again with what is known then. */
static int hold_tail(struct run *run)
{
    uint64_t keep_bytes = run->plan->hold_bytes;
    bool ended = false;

    if (zs_spool_open(&run->spool, keep_bytes, run->error) < 0)
        return -1;
    while (!ended) {
        if (receive(run, &ended) < 0)
            return -1;
        if (run->source_offset > keep_bytes)
            zs_spool_forget(&run->spool, run->source_offset - keep_bytes);
    }
    return zs_plan_remake(run->plan, &run->spool.facts, &run->target->facts, run->error);
}

/* Everything that can be found out before the target is touched. */
static int approach_slice(struct run *run)
{
    const struct zs_plan *plan = run->plan;

    if (plan->hold == ZS_HOLD_TAIL)
        return hold_tail(run);
    if (approach(run, &plan->parts[0]) < 0)
        return -1;
    if (plan->hold == ZS_HOLD_NOTHING)
        return 0;
    if (zs_spool_open(&run->spool, plan->hold_bytes, run->error) < 0)
        return -1;
    return zs_spool_begin(&run->spool, run->source_offset, run->error);
}

/* A copy from the source, or from what is held of it, to the target. */
static struct zs_copy copy_of(const struct run *run)
{
    bool held = run->spool.fd >= 0;

    return (struct zs_copy){.source_fd = held ? run->spool.fd : run->source->fd,
                            .target_fd = run->target->fd,
                            .source = held ? &run->spool.facts : &run->source->facts,
                            .target = &run->target->facts,
                            .source_name = run->source->name,
                            .target_name = run->target->name,
                            .stats = run->stats,
                            .scattered = run->plan->scattered};
}

/* Runs a copy, and books what it put into the target. */
static int run_copy(struct run *run, const struct zs_part *part, struct zs_copy *copy)
{
    const struct zs_engine *engines[ZS_ENGINE_COUNT];
    struct zs_written *written = &run->written;
    uint64_t done_before = copy->done_bytes;

    for (size_t i = 0; i < part->engine_count; i++)
        engines[i] = zs_engines[part->engines[i]];
    int result = zs_engine_run(copy, engines, part->engine_count, run->error);

    written->done_bytes += copy->done_bytes - done_before;
    written->excess_bytes = copy->excess_bytes;
    written->end =
        copy->target_start + (copy->scattered ? zs_copy_used_bytes(copy) : copy->done_bytes);
    if (written->furthest_end < written->end)
        written->furthest_end = written->end;
    return result;
}

/* The source ended after done_bytes of the range, at `offset`: whether that is a failure. */
static int judge_end(const struct run *run, const struct zs_range *range, uint64_t done_bytes,
                     uint64_t offset)
{
    const char *name = run->source->name;
    uint64_t missing_bytes = range->bounded ? range->length_bytes - done_bytes : 0;
    uint64_t partial_bytes = zs_range_partial_bytes(range, offset);

    if (run->source->facts.sized)
        return zs_error_set(run->error, ZS_ERROR_TRANSFER, name, "reading", 0,
                            "it ended %llu bytes early, as if it had shrunk meanwhile",
                            (ull)missing_bytes);
    if (run->plan->exact && missing_bytes > 0)
        return zs_error_set(run->error, ZS_ERROR_SHORT, name, "slicing", 0,
                            "it ended %llu bytes before the end of the slice", (ull)missing_bytes);
    if (run->plan->exact && partial_bytes > 0)
        return zs_error_set(run->error, ZS_ERROR_SHORT, name, "slicing", 0,
                            "the last record is cut off after %llu bytes", (ull)partial_bytes);
    return 0;
}

/* A range, by one run of the engines. *ended: the source ended before it did. */
static int copy_range(struct run *run, const struct zs_part *part, bool *ended)
{
    const struct zs_range *range = &part->range;
    struct zs_copy copy = copy_of(run);

    zs_copy_begin(&copy, range, part->source_position, part->target_position);
    int result = run_copy(run, part, &copy);
    run->source_offset = range->start + zs_copy_used_bytes(&copy);
    *ended = copy.source_ended;
    if (result == 0 && copy.source_ended)
        result = judge_end(run, range, copy.done_bytes, run->source_offset + copy.trailing_bytes);
    return result;
}

/* A piece of a range, and the gap before it. *done_bytes: of the range, now in the target. */
static int copy_piece(struct run *run, const struct zs_part *part, uint64_t *done_bytes,
                      bool *ended)
{
    const struct zs_range *range = &part->range;
    uint64_t offset = zs_range_offset(range, *done_bytes);
    uint64_t length_bytes = zs_range_run(range, *done_bytes);
    uint64_t target_position =
        part->target_position + (run->plan->scattered ? offset : *done_bytes);
    struct zs_copy copy = copy_of(run);

    *ended = zs_range_is_beyond(range, *done_bytes);
    if (*ended)
        return 0;
    if (drop(run, range->start + offset) < 0)
        return -1;
    *ended = !run->source->facts.positioned && run->source_offset < range->start + offset;
    if (*ended)
        return 0;
    if (run->plan->scattered && zs_target_seek(run->target, target_position, run->error) < 0)
        return -1;
    if (range->bounded && length_bytes > range->length_bytes - *done_bytes)
        length_bytes = range->length_bytes - *done_bytes;

    struct zs_range piece = zs_range_contiguous(range->start + offset, length_bytes);
    zs_copy_begin(&copy, &piece, part->source_position + offset, target_position);
    int result = run_copy(run, part, &copy);
    *done_bytes += copy.done_bytes;
    run->source_offset = piece.start + copy.done_bytes;
    *ended = copy.source_ended;
    return result;
}

/* A range of a stream, piece by piece. */
static int copy_piecewise(struct run *run, const struct zs_part *part, bool *ended)
{
    const struct zs_range *range = &part->range;
    uint64_t done_bytes = 0;

    while (!*ended && (!range->bounded || done_bytes < range->length_bytes)) {
        if (copy_piece(run, part, &done_bytes, ended) < 0)
            return -1;
    }
    return *ended ? judge_end(run, range, done_bytes, run->source_offset) : 0;
}

/* A stream but for its last hold_bytes, which are known only when it has ended. */
static int copy_held_back(struct run *run, const struct zs_part *part)
{
    const struct zs_range *range = &part->range;
    struct zs_copy copy = copy_of(run);
    uint64_t known_end = 0;
    bool ended = false;

    zs_copy_begin(&copy, range, range->start, part->target_position);
    while (!ended) {
        if (receive(run, &ended) < 0)
            return -1;
        if (run->source_offset <= run->plan->hold_bytes)
            continue;
        known_end = run->source_offset - run->plan->hold_bytes;
        if (known_end <= range->start)
            continue;
        zs_copy_extend(&copy, zs_range_count_within(range, known_end - range->start));
        if (run_copy(run, part, &copy) < 0)
            return -1;
        if (copy.source_ended)
            return zs_error_set(run->error, ZS_ERROR_TRANSFER, run->source->name, "reading", 0,
                                "what was held of it is gone");
        zs_spool_forget(&run->spool, known_end);
    }
    run->source_offset = range->start + zs_copy_used_bytes(&copy);
    return judge_end(run, range, copy.done_bytes, known_end);
}

static int copy_part(struct run *run, const struct zs_part *part)
{
    const struct zs_range *range = &part->range;
    bool ended = false;
    int result;

    if (run->plan->hold == ZS_HOLD_BACK)
        return copy_held_back(run, part);
    if (drop(run, range->start) < 0) /* from the first record to its field */
        return -1;
    if (!run->source->facts.positioned && run->spool.fd < 0 && run->source_offset < range->start) {
        ended = true;
        result = judge_end(run, range, 0, run->source_offset);
    } else if (part->piecewise) {
        result = copy_piecewise(run, part, &ended);
    } else {
        result = copy_range(run, part, &ended);
    }
    /* The next range begins where this one would have ended, or later. */
    if (result == 0 && ended && part + 1 < run->plan->parts + run->plan->part_count)
        return too_short(run->source, part[1].range.record_start, run->error);
    return result;
}

static int copy_parts(struct run *run)
{
    const struct zs_plan *plan = run->plan;

    for (size_t i = 0; i < plan->part_count; i++) {
        const struct zs_part *part = &plan->parts[i];
        if (i > 0 && run->spool.fd < 0 && approach(run, part) < 0)
            return -1;
        if (i > 0 && plan->scattered &&
            zs_target_seek(run->target, part->target_position, run->error) < 0)
            return -1;
        run->written.end = part->target_position;
        if (run->written.furthest_end < part->target_position)
            run->written.furthest_end = part->target_position;
        if (copy_part(run, part) < 0)
            return -1;
    }
    return 0;
}

int zs_transfer(struct zs_plan *plan, struct zs_source *source, struct zs_target *target,
                struct zs_stats *stats, uint64_t *done_bytes, struct zs_error *error)
{
    struct run run = {.plan = plan,
                      .source = source,
                      .target = target,
                      .stats = stats,
                      .error = error,
                      .spool = {.fd = -1}};

    *done_bytes = 0;
    if (zs_target_open(target, plan, error) < 0 || approach_slice(&run) < 0 ||
        try_forced_engine(&run) < 0 || zs_target_prepare(target, plan, error) < 0) {
        zs_target_abandon(target, plan, &run.written, error);
        zs_spool_close(&run.spool);
        return -1;
    }

    int result = copy_parts(&run);
    *done_bytes = run.written.done_bytes;
    if (result == 0) {
        result = zs_target_finish(target, plan, &run.written, error);
    } else {
        explain_forced_engine(stats, plan, run.written.done_bytes == 0 && !target->emptied, error);
        zs_target_abandon(target, plan, &run.written, error);
    }
    zs_spool_close(&run.spool);

    if (zs_source_leave(source, source->facts.position + run.source_offset, error) < 0)
        result = -1;
    return result;
}
