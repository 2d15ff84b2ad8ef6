/*
 * A plan, carried out step by step: open the target, bring the source to the slice's first byte
 * (drop what precedes it in a stream; hold the stream until its end is known, if the slice counts
 * from there), prepare the target, copy part after part, finish. In this order, a stream that ends
 * before its offset leaves the target as it was, and a target that cannot be opened is found before
 * a byte of the stream is used.
 */

#include "transfer.h"

#include "blocks.h"
#include "checksum.h"
#include "compare.h"
#include "engine.h"
#include "signals.h"
#include "spool.h"
#include "sys.h"
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

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
    struct zs_pipe pipe;   /* for all copies that need one */
    struct zs_behind behind; /* follows them through the page cache, if `follows` */
    bool follows;
    struct zs_holes holes;        /* made in the target */
    struct zs_digest *digest;     /* NULL: none is wanted */
    struct zs_checksum *checksum; /* what makes it, if that is not `buffer` */
    struct zs_blocks_run *blocks; /* copies block by block; NULL: the engines do */
    struct zs_blocks_ends ends;
    struct zs_blocks_done blocks_done;
    uint64_t received; /* where what was received into it ends, counted likewise */
    bool ended;        /* the source has, at this offset, before the last part was complete */
    bool past_end;     /* and even before the first one's offset, which is allowed */
    uint64_t end_offset;
    struct zs_written written;
};

static const char spool_name[] = "the temporary file that holds the end of the stream";

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
           code == ESPIPE || code == EBADF || code == EACCES || code == EXDEV || code == ENOTTY ||
           code == EOVERFLOW;
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

enum { STREAM_ENGINES = 2 };

/*
 * The engines that read a stream into whatever is not the target: it cannot be sent from or mapped,
 * and a terminal cannot be spliced from. How many.
 */
static size_t stream_engines(const struct zs_source *source, const struct zs_facts *target,
                             const struct zs_engine *engines[STREAM_ENGINES])
{
    size_t count = 0;

    if (!zs_engine_splice.refuse(&source->facts, target))
        engines[count++] = &zs_engine_splice;
    engines[count++] = &zs_engine_buffer;
    return count;
}

/*
 * Reads and drops what comes before the offset in a stream; run->source_offset is less than it if
 * the stream ended before.
 */
static int drop(struct run *run, uint64_t offset)
{
    static const struct zs_facts null = {.kind = ZS_KIND_CHARACTER, .writable = true};
    struct zs_stats cost = {.sample_memory = run->stats->sample_memory};
    const struct zs_engine *engines[STREAM_ENGINES];
    size_t count = stream_engines(run->source, &null, engines);
    uint64_t dropped_bytes = 0;

    if (run->source->facts.positioned || offset <= run->source_offset)
        return 0;
    int result = copy_to_null(run->source, 0, offset - run->source_offset, engines, count, &cost,
                              &dropped_bytes, run->error);
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
    if (run->source_offset >= offset)
        return 0;
    if (!run->plan->options->allows_past_end)
        return too_short(run->source, offset, run->error);
    run->past_end = run->ended = true;
    run->stats->past_end = true;
    run->end_offset = run->source_offset;
    return 0;
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
 * Only trying tells whether a file system shares blocks, and that touches nothing: so it is done
 * while the plan can still be another one.
 */
static int try_sharing(struct run *run)
{
    const struct zs_options *options = run->plan->options;
    struct zs_engine_stats *stats = &run->stats->engines[ZS_ENGINE_REFLINK];

    if (!run->plan->shares)
        return 0;
    int result = zs_reflink_try(run->source->fd, run->target->fd);
    if (result == 0)
        return 0;
    stats->refused = true;
    stats->refused_code = -result;
    if (options->reflink == ZS_REFLINK_ALWAYS || run->plan->engine_forced)
        return zs_error_set(run->error, ZS_ERROR_REFUSED, run->target->name, "sharing blocks",
                            -result, "it shares none with %s", run->source->name);
    run->source->facts.shares_nothing = true;
    return zs_plan_remake(run->plan, &run->source->facts, &run->target->facts, run->error);
}

/* What is to follow the copy through the page cache, if anything is. */
static void set_up_behind(struct run *run)
{
    const struct zs_plan *plan = run->plan;

    run->follows = plan->sync || plan->no_cache;
    run->behind = (struct zs_behind){
        .source_fd =
            run->spool.fd < 0 && zs_facts_mappable(&run->source->facts) ? run->source->fd : -1,
        .target_fd = zs_facts_is_stream(&run->target->facts) ? -1 : run->target->fd,
        .drop = plan->no_cache};
}

/* Adds the next bytes of the stream to what is held of it. *ended if that were the last. */
static int receive(struct run *run, bool *ended)
{
    struct zs_stats cost = {.sample_memory = run->stats->sample_memory};
    struct zs_copy copy = {.source_fd = run->source->fd,
                           .target_fd = run->spool.fd,
                           .source = &run->source->facts,
                           .target = &run->spool.facts,
                           .source_name = run->source->name,
                           .target_name = spool_name,
                           .stats = &cost};
    struct zs_range range = zs_range_contiguous(0, run->spool.chunk_bytes);

    const struct zs_engine *engines[STREAM_ENGINES];
    size_t count = stream_engines(run->source, &run->spool.facts, engines);

    zs_copy_begin(&copy, &range, run->source->facts.position + run->received, 0);
    int result = zs_engine_run(&copy, engines, count, run->error);
    add_cost(run, &cost);
    run->received += copy.done_bytes;
    run->spool.facts.size_bytes = run->received;
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
        if (run->received > keep_bytes)
            zs_spool_forget(&run->spool, run->received - keep_bytes);
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
    run->received = plan->parts[0].range.record_start;
    return zs_spool_begin(&run->spool, run->received, run->error);
}

/* A copy from the source, or from what is held of it, to the target. */
static struct zs_copy copy_of(struct run *run, const struct zs_part *part)
{
    bool held = run->spool.fd >= 0;

    return (struct zs_copy){.source_fd = held ? run->spool.fd : run->source->fd,
                            .target_fd = run->target->fd,
                            .source = held ? &run->spool.facts : &run->source->facts,
                            .target = &run->target->facts,
                            .source_name = held ? spool_name : run->source->name,
                            .target_name = run->target->name,
                            .stats = run->stats,
                            .pipe = &run->pipe,
                            .holes = part->holes == ZS_HOLES_MADE ? &run->holes : NULL,
                            .digest = run->plan->digest_fed ? run->digest : NULL,
                            .behind = run->follows ? &run->behind : NULL,
                            .jobs = part->jobs,
                            .scattered = run->plan->scattered};
}

/*
 * What an engine held when it could not go on has been delivered by `buffer`; but that must not
 * replace an engine that the user wants, copy after copy.
 */
static int check_forced_engine(const struct run *run)
{
    const struct zs_engine_stats *stats = &run->stats->engines[run->plan->options->engine];

    if (!run->plan->engine_forced || !stats->refused)
        return 0;
    return zs_error_set(run->error, ZS_ERROR_TRANSFER, run->target->name, "writing",
                        stats->refused_code, NULL);
}

/* The slice's bytes in the target end there now. */
static void reach(struct run *run, uint64_t end)
{
    run->written.end = end;
    if (run->written.furthest_end < end)
        run->written.furthest_end = end;
}

/* Runs a copy, and books what it put into the target. */
static int run_copy(struct run *run, const struct zs_part *part, struct zs_copy *copy)
{
    const struct zs_engine *engines[ZS_ENGINE_COUNT];
    struct zs_written *written = &run->written;
    uint64_t done_before = copy->done_bytes;

    if (check_forced_engine(run) < 0)
        return -1;
    for (size_t i = 0; i < part->engine_count; i++)
        engines[i] = zs_engines[part->engines[i]];
    int result = zs_engine_run(copy, engines, part->engine_count, run->error);

    written->done_bytes += copy->done_bytes - done_before;
    written->excess_bytes = copy->excess_bytes;
    reach(run, zs_copy_target_end(copy));
    return result;
}

/*
 * Of a file that has positions but no size, read as far as `from` for certain: where it ends, or
 * `to` if that comes first.
 */
static uint64_t find_end(const struct zs_source *source, uint64_t from, uint64_t to)
{
    char bytes[4096];

    while (from < to) {
        uint64_t most = to - from < sizeof bytes ? to - from : sizeof bytes;
        ssize_t got = zs_sys_pread(source->fd, bytes, (size_t)most, source->facts.position + from);
        if (got <= 0)
            break;
        from += (uint64_t)got;
    }
    return from;
}

/* The source has ended at end_offset, after done_bytes of the range: whether that is a failure. */
static int judge_end(struct run *run, const struct zs_range *range, uint64_t done_bytes,
                     uint64_t end_offset)
{
    const char *name = run->source->name;
    uint64_t missing_bytes = range->bounded ? range->length_bytes - done_bytes : 0;
    uint64_t partial_bytes = zs_range_partial_bytes(range, end_offset);

    run->ended = true;
    run->end_offset = end_offset;
    if (run->source->facts.sized)
        return zs_error_set(run->error, ZS_ERROR_TRANSFER, name, "reading", 0,
                            "it ended early, as if it had shrunk meanwhile");
    if (run->plan->exact && missing_bytes > 0)
        return zs_error_set(run->error, ZS_ERROR_SHORT, name, "slicing", 0,
                            "it ended %llu bytes before the end of the slice", (ull)missing_bytes);
    if (run->plan->exact && partial_bytes > 0)
        return zs_error_set(run->error, ZS_ERROR_SHORT, name, "slicing", 0,
                            "the last record is cut off after %llu bytes", (ull)partial_bytes);
    return 0;
}

/*
 * The same where an engine has met the end: `used` is behind the last byte known to be there. A
 * stream had trailing_bytes more; a file that is read at positions was asked for the next piece,
 * and may have bytes before that.
 */
static int judge_met_end(struct run *run, const struct zs_range *range, uint64_t done_bytes,
                         uint64_t used, uint64_t trailing_bytes)
{
    const struct zs_facts *facts = &run->source->facts;
    uint64_t end_offset = used + trailing_bytes;

    if (facts->positioned && !facts->sized && !zs_range_is_beyond(range, done_bytes))
        end_offset = find_end(run->source, used, range->start + zs_range_offset(range, done_bytes));
    return judge_end(run, range, done_bytes, end_offset);
}

/*
 * Where the last byte used ends, after used_bytes of a range. A stream stands where it was read to;
 * what was positioned for the first bytes of the slice and used for none stands before them.
 */
static void book_use(struct run *run, const struct zs_range *range, uint64_t used_bytes)
{
    if (used_bytes > 0)
        run->source_offset = range->start + used_bytes;
    else if (run->source->facts.positioned && run->written.done_bytes == 0)
        run->source_offset = range->record_start;
}

static int failed_hole(const struct run *run, int code)
{
    return zs_error_set(run->error, ZS_ERROR_TRANSFER, run->target->name, "making a hole", code,
                        NULL);
}

/* Lets length_bytes of the target, at the part's byte number `index`, be a hole. */
static int leave_hole(struct run *run, const struct zs_part *part, uint64_t index,
                      uint64_t length_bytes)
{
    int made = zs_holes_make(&run->holes, part->target_position + index, length_bytes);

    if (made < 0)
        return failed_hole(run, -made);
    run->stats->skipped_bytes += length_bytes;
    run->written.done_bytes += length_bytes;
    reach(run, part->target_position + index + length_bytes);
    return 0;
}

/* The data between two holes. */
static int copy_extent(struct run *run, const struct zs_part *part, uint64_t index,
                       uint64_t length_bytes)
{
    struct zs_range range = zs_range_contiguous(part->range.start + index, length_bytes);
    struct zs_copy copy = copy_of(run, part);

    zs_copy_begin(&copy, &range, part->source_position + index, part->target_position + index);
    int result = run_copy(run, part, &copy);
    run->source_offset = part->range.start + index + copy.done_bytes;
    if (result == 0 && copy.source_ended)
        return judge_end(run, &part->range, index + copy.done_bytes, run->source_offset);
    return result;
}

/* A range of a file with holes, which stay holes. The target is empty behind what is written. */
static int copy_sparse(struct run *run, const struct zs_part *part)
{
    const struct zs_range *range = &part->range;

    book_use(run, range, part->present_bytes);
    for (uint64_t index = part->present_bytes; index < range->length_bytes;) {
        uint64_t position = part->source_position + index;
        struct zs_extent extent =
            zs_holes_find(run->source->fd, position, part->source_position + range->length_bytes);
        uint64_t length_bytes = extent.end - position;

        if (zs_signals_attend())
            return zs_error_set(run->error, ZS_ERROR_TRANSFER, run->target->name, "writing", 0,
                                "%s", zs_signals_reason());
        if ((extent.hole ? leave_hole : copy_extent)(run, part, index, length_bytes) < 0)
            return -1;
        index += length_bytes;
        run->source_offset = range->start + index;
    }
    return 0;
}

/* A range, by one run of the engines. */
static int copy_range(struct run *run, const struct zs_part *part)
{
    const struct zs_range *range = &part->range;
    struct zs_copy copy = copy_of(run, part);

    if (part->holes == ZS_HOLES_KEPT)
        return copy_sparse(run, part);
    zs_copy_begin(&copy, range, part->source_position, part->target_position);
    if (part->present_bytes > 0)
        zs_copy_skip(&copy, part->present_bytes);
    int result = run_copy(run, part, &copy);
    uint64_t used_bytes = zs_copy_used_bytes(&copy);
    book_use(run, range, used_bytes);
    if (result < 0 || !copy.source_ended)
        return result;
    bool stands_there = used_bytes > 0 || !run->source->facts.positioned;
    return judge_met_end(run, range, copy.done_bytes,
                         stands_there ? range->start + used_bytes : range->record_start,
                         copy.trailing_bytes);
}

/* How far a range of a stream has come, piece by piece. */
struct progress {
    uint64_t done_bytes; /* of the range, in the target */
    uint64_t used;       /* offset behind the last byte of the source that is known to be there */
    bool ended;          /* the source has */
};

/* A piece of a range, and the gap before it. */
static int copy_piece(struct run *run, const struct zs_part *part, struct progress *progress)
{
    const struct zs_range *range = &part->range;
    uint64_t done_bytes = progress->done_bytes;

    progress->ended = zs_range_is_beyond(range, done_bytes);
    if (progress->ended)
        return 0;
    uint64_t offset = zs_range_offset(range, done_bytes);
    if (drop(run, range->start + offset) < 0)
        return -1;
    if (!run->source->facts.positioned) {
        progress->used = run->source_offset;
        progress->ended = run->source_offset < range->start + offset;
    }
    if (progress->ended)
        return 0;

    uint64_t length_bytes = zs_range_run(range, done_bytes);
    if (range->bounded && length_bytes > range->length_bytes - done_bytes)
        length_bytes = range->length_bytes - done_bytes;
    struct zs_range piece = zs_range_contiguous(range->start + offset, length_bytes);
    struct zs_copy copy = copy_of(run, part);
    zs_copy_begin(&copy, &piece, part->source_position + offset,
                  part->target_position + (run->plan->scattered ? offset : done_bytes));
    int result = run_copy(run, part, &copy);
    book_use(run, &piece, copy.done_bytes);
    progress->done_bytes += copy.done_bytes;
    if (copy.done_bytes > 0)
        progress->used = run->source_offset;
    progress->ended = copy.source_ended;
    return result;
}

/* A range of a stream whose pieces are long. */
static int copy_piecewise(struct run *run, const struct zs_part *part)
{
    const struct zs_range *range = &part->range;
    struct progress progress = {.used = range->record_start};

    while (!progress.ended && (!range->bounded || progress.done_bytes < range->length_bytes)) {
        if (copy_piece(run, part, &progress) < 0)
            return -1;
    }
    return progress.ended ? judge_met_end(run, range, progress.done_bytes, progress.used, 0) : 0;
}

/* A stream but for its last hold_bytes, which are known only when it has ended. */
static int copy_held_back(struct run *run, const struct zs_part *part)
{
    const struct zs_range *range = &part->range;
    struct zs_copy copy = copy_of(run, part);
    uint64_t known_end = range->record_start;
    bool ended = false;

    zs_copy_begin(&copy, range, range->start, part->target_position);
    while (!ended) {
        if (receive(run, &ended) < 0)
            return -1;
        if (run->received - known_end <= run->plan->hold_bytes)
            continue;
        known_end = run->received - run->plan->hold_bytes;
        if (known_end <= range->start)
            continue;
        zs_copy_extend(&copy, zs_range_count_within(range, known_end - range->start));
        int result = run_copy(run, part, &copy);
        book_use(run, range, zs_copy_used_bytes(&copy));
        if (result == 0 && copy.source_ended)
            result = zs_error_set(run->error, ZS_ERROR_TRANSFER, run->source->name, "reading", 0,
                                  "what was held of it is gone");
        if (result < 0)
            return result;
        zs_spool_forget(&run->spool, known_end);
    }
    return judge_end(run, range, copy.done_bytes, known_end);
}

/* A part of a source that has ended already: it may begin at the end, but not behind it. */
static int copy_nothing(struct run *run, const struct zs_part *part)
{
    if (run->past_end)
        return 0;
    if (part->range.record_start > run->end_offset)
        return too_short(run->source, part->range.record_start, run->error);
    return judge_end(run, &part->range, 0, run->end_offset);
}

static int copy_part(struct run *run, const struct zs_part *part)
{
    const struct zs_range *range = &part->range;

    if (run->plan->hold == ZS_HOLD_BACK)
        return copy_held_back(run, part);
    if (run->spool.fd < 0) {
        if (drop(run, range->start) < 0) /* from the first record to its field */
            return -1;
        if (!run->source->facts.positioned && run->source_offset < range->start)
            return judge_end(run, range, 0, run->source_offset);
    }
    return part->piecewise ? copy_piecewise(run, part) : copy_range(run, part);
}

static int copy_parts(struct run *run)
{
    const struct zs_plan *plan = run->plan;

    for (size_t i = 0; i < plan->part_count; i++) {
        const struct zs_part *part = &plan->parts[i];

        if (i > 0 && run->spool.fd < 0 && !run->ended && approach(run, part) < 0)
            return -1;
        reach(run, part->target_position + part->present_bytes);
        if ((run->ended ? copy_nothing(run, part) : copy_part(run, part)) < 0)
            return -1;
    }
    return 0;
}

/* What dd's operands want to be read and written in blocks of their sizes, up to the first byte. */
static int approach_blocks(struct run *run)
{
    const struct zs_part *part = &run->plan->parts[0];
    const struct zs_facts *facts = &run->source->facts;
    bool own = zs_facts_same_file(facts, &run->target->facts);
    int moved = 0;

    run->ends = (struct zs_blocks_ends){.source_fd = run->source->fd,
                                        .target_fd = run->target->fd,
                                        .source_name = run->source->name,
                                        .target_name = run->target->name,
                                        .most_bytes = own ? part->range.length_bytes : UINT64_MAX};
    if (facts->sized && facts->position != part->source_position)
        moved = zs_sys_seek(run->source->fd, part->source_position);
    if (moved < 0)
        return zs_error_set(run->error, ZS_ERROR_REFUSED, run->source->name, "seeking", -moved,
                            NULL);
    return zs_blocks_begin(&run->blocks, run->plan->options->blocks, &run->ends, run->stats,
                           &run->blocks_done, run->error);
}

static int copy_blocks(struct run *run)
{
    const struct zs_part *part = &run->plan->parts[0];
    int result = zs_blocks_copy(run->blocks, run->error);

    run->written.done_bytes = run->blocks_done.written_bytes;
    reach(run, part->target_position + run->blocks_done.written_bytes);
    return result;
}

/* A file that ends in a hole is not as long as it should be yet. */
static int finish_holes(struct run *run)
{
    int result = zs_holes_finish(&run->holes);

    run->stats->holes_bytes = run->holes.made_bytes;
    return result < 0 ? failed_hole(run, -result) : 0;
}

/* After a failure it ends where its last good byte is, or before. */
static void set_up_holes(struct run *run)
{
    struct stat status = {.st_size = 0};

    run->holes = (struct zs_holes){.fd = run->target->fd, .shared = run->plan->shared};
    if (run->target->facts.kind == ZS_KIND_BLOCK)
        run->holes.size_bytes = run->target->facts.size_bytes;
    else if (fstat(run->target->fd, &status) == 0)
        run->holes.size_bytes = (uint64_t)status.st_size;
    (void)zs_holes_learn(&run->holes); /* not to know costs room, and no byte */
}

/* The end of what is to be resumed has to be what the source has there. */
static const uint64_t COMPARED_BYTES = (uint64_t)1024 * 1024;

static int check_resumed(struct run *run)
{
    uint64_t end = run->plan->resumed_bytes;
    struct stat status;
    struct zs_difference difference;
    const struct zs_compared files = {run->source->fd, run->target->fd, run->source->name,
                                      run->target->name};

    if (!run->plan->options->resume || run->target->facts.kind == ZS_KIND_NONE)
        return 0;
    if (fstat(run->target->fd, &status) < 0 || (uint64_t)status.st_size != end)
        return zs_error_set(run->error, ZS_ERROR_REFUSED, run->target->name, "--resume", 0,
                            "it was changed meanwhile");
    if (zs_compare(run->plan, &files, end > COMPARED_BYTES ? end - COMPARED_BYTES : 0, end,
                   &difference, run->error) < 0)
        return -1;
    if (!difference.found)
        return 0;
    return zs_error_set(run->error, ZS_ERROR_REFUSED, run->target->name, "--resume", 0,
                        "its byte %llu is not the source's byte %llu: it is not the beginning of "
                        "this slice",
                        (ull)difference.target_position, (ull)difference.source_position);
}

/* What the device gives back, not what is in memory. */
static int verify(struct run *run)
{
    const struct zs_plan *plan = run->plan;
    struct zs_difference difference;
    const struct zs_compared files = {run->source->fd, run->target->fd, run->source->name,
                                      run->target->name};
    uint64_t total_bytes = zs_plan_total_bytes(plan) + plan->resumed_bytes;

    if (!plan->verify)
        return 0;
    (void)zs_sys_drop_cache(run->target->fd, 0, 0);
    if (zs_compare(plan, &files, 0, total_bytes, &difference, run->error) < 0)
        return -1;
    if (!difference.found)
        return 0;
    return zs_error_set(run->error, ZS_ERROR_DIFFERENT, run->target->name, "verifying", 0,
                        "its byte %llu differs from byte %llu of %s",
                        (ull)difference.target_position, (ull)difference.source_position,
                        run->source->name);
}

/* A digest that is not fed by the copy is made beside it. */
static int start_checksum(struct run *run)
{
    const struct zs_plan *plan = run->plan;
    bool held = run->spool.fd >= 0;
    bool aside = plan->options->jobs != 1;

    if (!run->digest || plan->digest_fed)
        return 0;
    return zs_checksum_start(&run->checksum, plan, held ? run->spool.fd : run->source->fd,
                             held ? spool_name : run->source->name, run->digest, aside, run->error);
}

static int finish_checksum(struct run *run)
{
    struct zs_checksum *checksum = run->checksum;

    run->checksum = NULL;
    return checksum ? zs_checksum_wait(checksum, run->error) : 0;
}

/* The device may have refused what the target took. */
static int finish_behind(struct run *run)
{
    int result = run->follows ? zs_behind_finish(&run->behind) : 0;
    return result < 0 ? zs_error_set(run->error, ZS_ERROR_DEVICE, run->target->name,
                                     "writing to the device", -result, NULL)
                      : 0;
}

/* What is to be true before the target is closed, or takes its place. */
static int settle(struct run *run)
{
    return finish_holes(run) < 0 || finish_behind(run) < 0 || finish_checksum(run) < 0 ||
                   zs_target_settle(run->target, run->plan, &run->written, run->error) < 0 ||
                   verify(run) < 0
               ? -1
               : 0;
}

/* The target has not become as long as the holes at its end would make it. */
static void forget_holes(struct run *run)
{
    struct zs_written *written = &run->written;
    struct stat status;

    if (fstat(run->target->fd, &status) < 0 || (uint64_t)status.st_size >= written->end)
        return;
    uint64_t lacking = written->end - (uint64_t)status.st_size;
    written->done_bytes -= lacking < written->done_bytes ? lacking : written->done_bytes;
    written->end = (uint64_t)status.st_size;
}

/* After a failure of the copy. */
static void give_up(struct run *run, uint64_t *done_bytes)
{
    struct stat status;
    /* A hole at the beginning is nothing yet. */
    bool unwritten = run->written.done_bytes == 0 ||
                     (run->written.done_bytes == run->stats->skipped_bytes &&
                      fstat(run->target->fd, &status) == 0 && status.st_size == 0);

    if (unwritten)
        run->written.done_bytes = 0;
    else if (zs_holes_finish(&run->holes) < 0) /* they are as good as what was written */
        forget_holes(run);
    *done_bytes = run->plan->atomic ? 0 : run->written.done_bytes;
    explain_forced_engine(run->stats, run->plan, unwritten && !run->target->emptied, run->error);
    zs_target_abandon(run->target, run->plan, &run->written, run->error);
}

/* Everything up to the first byte. */
static int prepare(struct run *run)
{
    return zs_target_open(run->target, run->plan, run->error) < 0 || check_resumed(run) < 0 ||
                   (run->plan->options->blocks ? approach_blocks : approach_slice)(run) < 0 ||
                   try_forced_engine(run) < 0 || try_sharing(run) < 0 ||
                   zs_target_prepare(run->target, run->plan, run->error) < 0
               ? -1
               : 0;
}

/* The pipe is left to the end of the process: one that copies little pays for no call too many. */
int zs_transfer(struct zs_plan *plan, struct zs_source *source, struct zs_target *target,
                struct zs_stats *stats, struct zs_digest *digest, uint64_t *done_bytes,
                struct zs_error *error)
{
    struct run run = {.plan = plan,
                      .source = source,
                      .target = target,
                      .stats = stats,
                      .error = error,
                      .digest = digest,
                      .spool = {.fd = -1},
                      .pipe = {.read_fd = -1, .write_fd = -1}};

    *done_bytes = 0;
    if (prepare(&run) < 0) {
        zs_blocks_end(run.blocks);
        zs_target_abandon(target, plan, &run.written, error);
        zs_spool_close(&run.spool);
        return -1;
    }

    set_up_behind(&run);
    if (plan->makes_holes)
        set_up_holes(&run);
    int result = start_checksum(&run) < 0 || (run.blocks ? copy_blocks : copy_parts)(&run) < 0 ||
                         settle(&run) < 0
                     ? -1
                     : 0;
    zs_checksum_cancel(run.checksum);
    zs_blocks_end(run.blocks);
    *done_bytes = run.written.done_bytes;
    if (result == 0) {
        result = zs_target_finish(target, plan, error);
    } else {
        give_up(&run, done_bytes);
    }
    zs_spool_close(&run.spool);

    /* What was read block by block has left it where it should be. */
    if (!plan->options->blocks &&
        zs_source_leave(source, source->facts.position + run.source_offset, error) < 0)
        result = -1;
    return result;
}
