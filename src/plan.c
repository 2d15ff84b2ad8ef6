/*
 * The plan: what can be decided from the options and the facts of both ends, and every refusal that
 * needs no more than that. Pure.
 */

#include "plan.h"

#include "choice.h"
#include "engine.h"

#include <errno.h>
#include <stdlib.h>

/* What the steps below have in common. */
struct planning {
    const struct zs_options *options;
    const struct zs_facts *source;
    const struct zs_facts *target;
    struct zs_plan *plan;
    struct zs_error *error;
};

typedef unsigned long long ull; /* for printf */

static int refuse(const struct planning *p, const char *name, const char *operation, int code,
                  const char *reason)
{
    return zs_error_set(p->error, ZS_ERROR_REFUSED, name, operation, code, reason ? "%s" : NULL,
                        reason);
}

static int refuse_source(const struct planning *p, int code, const char *reason)
{
    return refuse(p, p->options->source_name, "reading", code, reason);
}

static int refuse_target(const struct planning *p, const char *operation, int code,
                         const char *reason)
{
    return refuse(p, p->options->target_name, operation, code, reason);
}

/* What only a regular file can be the target of, and what only one can be the source of. */
static int check_named(const struct planning *p)
{
    const struct zs_options *options = p->options;
    const char *option = options->atomic   ? "--atomic"
                         : options->resume ? "--resume"
                         : options->verify ? "--verify"
                                           : NULL;
    bool regular = p->target->kind == ZS_KIND_REGULAR || p->target->kind == ZS_KIND_NONE;

    if (option && !regular)
        return zs_error_set(p->error, ZS_ERROR_REFUSED, options->target_name, option, 0,
                            "it must be a regular file, not %s",
                            zs_facts_kind_name(p->target->kind));
    if ((options->resume || options->verify) && !zs_facts_mappable(p->source))
        return zs_error_set(p->error, ZS_ERROR_REFUSED, options->source_name,
                            options->resume ? "--resume" : "--verify", 0,
                            "it must be a file or block device, to be read again, not %s",
                            p->source->kind == ZS_KIND_REGULAR
                                ? "a file without a size"
                                : zs_facts_kind_name(p->source->kind));
    return 0;
}

static int check_ends(const struct planning *p)
{
    if (!p->source->readable)
        return refuse_source(p, 0, "it is not open for reading");
    if (p->source->kind == ZS_KIND_DIRECTORY)
        return refuse_source(p, EISDIR, NULL);
    if (p->source->messages && p->source->kind == ZS_KIND_SOCKET && !p->options->blocks)
        return refuse_source(p, 0, "it is a socket of messages, not of bytes");
    if (!p->target->writable)
        return refuse_target(p, "writing", 0, "it is read-only, or not open for writing");
    if (p->target->kind == ZS_KIND_DIRECTORY)
        return refuse_target(p, "writing", EISDIR, NULL);
    if (p->options->no_clobber && p->target->kind != ZS_KIND_NONE)
        return refuse_target(p, "creating", EEXIST, NULL);
    if (check_named(p) < 0)
        return -1;
    if (p->options->sync && !zs_facts_is_file(p->target))
        return zs_error_set(p->error, ZS_ERROR_REFUSED, p->options->target_name, "--sync", 0,
                            "%s keeps no bytes", zs_facts_kind_name(p->target->kind));
    return 0;
}

/* Position 0 of an inherited descriptor is where it stands; a path's descriptor stands at 0. */
static uint64_t remaining_size(const struct zs_facts *source)
{
    return source->size_bytes > source->position ? source->size_bytes - source->position : 0;
}

/* Why the bytes asked for cannot be had, if so. */
static int check_range(const struct planning *p, const struct zs_slice *slice,
                       const struct zs_range *range, uint64_t size_bytes)
{
    const char *name = p->options->source_name;

    if (range->past_end)
        return zs_error_set(p->error, ZS_ERROR_SHORT, name, "slicing", 0,
                            "the offset %llu is beyond its end at %llu",
                            (ull)slice->offset.distance_bytes, (ull)size_bytes);
    if (!p->options->exact)
        return 0;
    if (range->missing_bytes > 0)
        return zs_error_set(p->error, ZS_ERROR_SHORT, name, "slicing", 0,
                            "%llu of the bytes asked for are not there: it has %llu bytes",
                            (ull)range->missing_bytes, (ull)size_bytes);
    if (range->partial_bytes > 0)
        return zs_error_set(p->error, ZS_ERROR_SHORT, name, "slicing", 0,
                            "the last record is cut off after %llu bytes",
                            (ull)range->partial_bytes);
    return 0;
}

static int refuse_on_stream(const struct planning *p, const char *what)
{
    return zs_error_set(p->error, ZS_ERROR_REFUSED, p->options->source_name, "slicing", 0,
                        "%s the end of %s is not known", what,
                        p->source->kind == ZS_KIND_REGULAR ? "a file without a size"
                                                           : zs_facts_kind_name(p->source->kind));
}

/* What a stream cannot have, and what of it must be held until its end is known. */
static int hold_of_stream(const struct planning *p)
{
    size_t count;
    const struct zs_slice *slices = zs_options_slices(p->options, &count);

    if (p->options->selection.shard.number > 0)
        return refuse_on_stream(p, "--shard needs a known size:");
    for (size_t i = 0; i < count; i++) {
        const struct zs_slice *slice = &slices[i];
        if (!zs_slice_is_from_end(slice))
            continue;
        if (count > 1)
            return refuse_on_stream(
                p, "a position counts from the end, which several ranges cannot have:");
        p->plan->hold = slice->offset.from_end ? ZS_HOLD_TAIL : ZS_HOLD_BACK;
        p->plan->hold_bytes =
            slice->offset.from_end ? slice->offset.distance_bytes : slice->end.distance_bytes;
    }
    return 0;
}

/* A stream goes by once: what is asked of it must come in that order. */
static int check_order(const struct planning *p)
{
    const struct zs_part *parts = p->plan->parts;

    for (size_t i = 1; i < p->plan->part_count; i++) {
        const struct zs_range *before = &parts[i - 1].range;
        if (before->bounded && parts[i].range.start >= zs_range_end(before))
            continue;
        return zs_error_set(p->error, ZS_ERROR_REFUSED, p->options->source_name, "slicing", 0,
                            "range %zu begins before range %zu ends, and %s is read once, from "
                            "front to back",
                            i + 1, i, zs_facts_kind_name(p->source->kind));
    }
    return 0;
}

static int place_in_file(const struct planning *p, struct zs_part *part)
{
    if (!p->source->positioned)
        return 0;
    if (__builtin_add_overflow(p->source->position, part->range.start, &part->source_position) ||
        part->source_position > INT64_MAX)
        return zs_error_set(p->error, ZS_ERROR_SHORT, p->options->source_name, "slicing", 0,
                            "the offset %llu is beyond the largest file position",
                            (ull)part->range.start);
    return 0;
}

static int resolve_ranges(const struct planning *p)
{
    const struct zs_selection *selection = &p->options->selection;
    struct zs_plan *plan = p->plan;
    uint64_t size_bytes = remaining_size(p->source);
    size_t count;
    const struct zs_slice *slices = zs_options_slices(p->options, &count);

    plan->exact = p->options->exact;
    if (!p->source->sized && hold_of_stream(p) < 0)
        return -1;
    if (plan->hold == ZS_HOLD_TAIL)
        return 0;
    plan->parts = calloc(count, sizeof *plan->parts);
    if (!plan->parts)
        return zs_error_set(p->error, ZS_ERROR_TRANSFER, "zslice", "planning", ENOMEM, NULL);

    for (; plan->part_count < count; plan->part_count++) {
        const struct zs_slice *slice = &slices[plan->part_count];
        struct zs_part *part = &plan->parts[plan->part_count];

        part->range = p->source->sized ? zs_range_resolve(slice, selection, size_bytes)
                                       : zs_range_resolve_stream(slice, selection);
        if (check_range(p, slice, &part->range, size_bytes) < 0 || place_in_file(p, part) < 0)
            return -1;
    }
    return p->source->sized ? 0 : check_order(p);
}

/* --seek and --keep-offset: at positions of a target that keeps its other bytes. */
static int place_at(const struct planning *p)
{
    const struct zs_facts *target = p->target;
    const char *option = p->options->has_seek ? "--seek" : "--keep-offset";

    if (!zs_facts_is_file(target))
        return zs_error_set(p->error, ZS_ERROR_REFUSED, p->options->target_name, option, 0,
                            "%s has no positions", zs_facts_kind_name(target->kind));
    if (target->append)
        return refuse_target(p, option, 0, "it is open for appending");
    if (p->options->truncate && target->kind == ZS_KIND_BLOCK)
        return refuse_target(p, "--truncate", 0, "a block device cannot be cut");
    p->plan->placement = ZS_PLACE_AT;
    p->plan->cut_after = p->options->truncate;
    p->plan->cut_before = p->options->cut_before;
    p->plan->shared = p->options->keep_offset;
    return 0;
}

static int place_at_seek(const struct planning *p)
{
    const struct zs_facts *target = p->target;
    struct zs_position seek = p->options->seek;

    if (place_at(p) < 0)
        return -1;
    if (seek.from_end && target->kind == ZS_KIND_NONE)
        return refuse_target(p, "--seek", ENOENT, "so it has no end to count from");
    if (seek.from_end && seek.distance_bytes > target->size_bytes)
        return zs_error_set(p->error, ZS_ERROR_REFUSED, p->options->target_name, "--seek", 0,
                            "-%llu is before its start: it has %llu bytes",
                            (ull)seek.distance_bytes, (ull)target->size_bytes);

    p->plan->target_position =
        seek.from_end ? target->size_bytes - seek.distance_bytes : seek.distance_bytes;
    return 0;
}

static int place(const struct planning *p)
{
    const struct zs_facts *target = p->target;
    bool inherited = p->options->target_path[0] == '-' && p->options->target_path[1] == '\0';

    p->plan->must_create = p->options->no_clobber;
    p->plan->atomic = p->options->atomic;
    p->plan->verify = p->options->verify;
    p->plan->sync = p->options->sync || p->options->verify;
    p->plan->no_cache = p->options->no_cache;
    if (p->options->has_seek)
        return place_at_seek(p);
    if (p->options->keep_offset)
        return place_at(p);
    if (p->options->resume && target->kind == ZS_KIND_REGULAR) {
        p->plan->placement = ZS_PLACE_AT;
        p->plan->resumed_bytes = target->size_bytes;
        return 0;
    }
    if (!zs_facts_is_file(target)) {
        p->plan->placement = ZS_PLACE_HERE;
    } else if (target->append || p->options->append) {
        if (target->kind == ZS_KIND_BLOCK)
            return refuse_target(p, "--append", 0, "a block device has no end to add to");
        p->plan->placement = ZS_PLACE_APPEND;
        p->plan->target_position = target->size_bytes;
    } else if (inherited) {
        p->plan->placement = ZS_PLACE_HERE;
        p->plan->target_position = target->position;
    } else if (target->kind == ZS_KIND_BLOCK) {
        p->plan->placement = ZS_PLACE_AT;
    } else {
        p->plan->placement = ZS_PLACE_WHOLE;
    }
    return 0;
}

/*
 * Whether a part fits the positions there are: 2^63-1 in a file, its size in a block device. A
 * stream may end before its slice does, unless it must not.
 */
static int check_room(const struct planning *p, uint64_t position, uint64_t span_bytes)
{
    bool block = p->target->kind == ZS_KIND_BLOCK;
    uint64_t limit = block ? p->target->size_bytes : INT64_MAX;

    if (!zs_facts_is_file(p->target) || (position <= limit && span_bytes <= limit - position))
        return 0;
    return zs_error_set(p->error, ZS_ERROR_REFUSED, p->options->target_name, "writing", 0,
                        block ? "%llu bytes at position %llu do not fit its %llu bytes"
                              : "%llu bytes at position %llu end beyond the largest position %llu",
                        (ull)span_bytes, (ull)position, (ull)limit);
}

/* What the target has of the slice already need not be copied again. */
static int go_on(const struct planning *p, uint64_t total_bytes)
{
    struct zs_plan *plan = p->plan;
    uint64_t left_bytes = plan->resumed_bytes;

    if (plan->resumed_bytes > total_bytes)
        return zs_error_set(p->error, ZS_ERROR_REFUSED, p->options->target_name, "--resume", 0,
                            "it has %llu bytes, and the slice only %llu", (ull)plan->resumed_bytes,
                            (ull)total_bytes);
    for (size_t i = 0; i < plan->part_count && left_bytes > 0; i++) {
        struct zs_part *part = &plan->parts[i];
        part->present_bytes =
            left_bytes < part->range.length_bytes ? left_bytes : part->range.length_bytes;
        left_bytes -= part->present_bytes;
    }
    plan->target_position = plan->resumed_bytes;
    plan->reserve_bytes -= plan->resumed_bytes;
    return 0;
}

/*
 * Where each part goes: to the positions it has in the source, or one behind the other. Of a stream
 * that may end early the length is not certain.
 */
static int place_parts(const struct planning *p)
{
    struct zs_plan *plan = p->plan;
    bool keep_offset = p->options->keep_offset;
    uint64_t position = plan->target_position;
    uint64_t total_bytes = 0;

    for (size_t i = 0; i < plan->part_count; i++) {
        struct zs_part *part = &plan->parts[i];
        const struct zs_range *range = &part->range;
        bool certain = p->source->sized || (range->bounded && plan->exact);
        uint64_t length_bytes = certain ? range->length_bytes : 0;
        uint64_t span_bytes =
            keep_offset && certain ? zs_range_end(range) - range->start : length_bytes;

        if (keep_offset)
            position = range->start;
        part->target_position = position;
        if (check_room(p, position, span_bytes) < 0)
            return -1;
        if (__builtin_add_overflow(total_bytes, length_bytes, &total_bytes))
            return refuse_source(p, EOVERFLOW, "the ranges have more than 2^64-1 bytes in all");
        /* Where the next part goes, if this one is complete, as it is if there is a next one. */
        if (!keep_offset && zs_facts_is_file(p->target) && range->bounded &&
            __builtin_add_overflow(position, range->length_bytes, &position))
            position = UINT64_MAX;
        plan->scattered |= keep_offset && (i > 0 || !zs_range_is_contiguous(range));
    }
    if (keep_offset && plan->part_count > 0)
        plan->target_position = plan->parts[0].target_position;
    if (p->source->sized && !plan->scattered && !p->options->blocks)
        plan->reserve_bytes = total_bytes;
    return plan->resumed_bytes > 0 ? go_on(p, total_bytes) : 0;
}

/* The part of a file, from the first to the last byte, that a copy reads or writes. */
struct region {
    uint64_t start;
    uint64_t end;
};

static void widen(struct region *region, uint64_t start, uint64_t length_bytes)
{
    if (length_bytes == 0)
        return;
    uint64_t end = start + length_bytes;
    if (region->start == region->end)
        *region = (struct region){start, end};
    region->start = start < region->start ? start : region->start;
    region->end = end > region->end ? end : region->end;
}

static bool overlaps(const struct region *region, uint64_t start, uint64_t length_bytes)
{
    return length_bytes > 0 && start < region->end && region->start < start + length_bytes;
}

/*
 * Whether a byte may be read after it was written. Gaps between pieces count as read, and between
 * parts of the target as written: more is refused than need be, and the check stays linear.
 */
static bool overwrites_itself(const struct planning *p)
{
    const struct zs_plan *plan = p->plan;
    struct region written = {0, 0};

    for (size_t i = 0; i < plan->part_count; i++) {
        const struct zs_range *range = &plan->parts[i].range;
        widen(&written, plan->parts[i].target_position,
              plan->scattered ? zs_range_end(range) - range->start : range->length_bytes);
    }
    for (size_t i = 0; i < plan->part_count; i++) {
        const struct zs_range *range = &plan->parts[i].range;
        if (overlaps(&written, plan->parts[i].source_position, zs_range_end(range) - range->start))
            return true;
    }
    return false;
}

static int check_same_file(const struct planning *p)
{
    const struct zs_plan *plan = p->plan;

    if (!zs_facts_same_file(p->source, p->target))
        return 0;
    if (p->source->kind == ZS_KIND_PIPE)
        return refuse_target(p, "writing", 0, "source and target are the same pipe");
    if (plan->cut_after && plan->verify)
        return refuse_target(
            p, "--verify", 0,
            "it is the source, too, and --truncate may cut what is to be compared");
    if (plan->placement == ZS_PLACE_APPEND && p->source->sized)
        return 0;
    if (plan->placement != ZS_PLACE_APPEND && !p->options->has_seek && !p->options->keep_offset)
        return refuse_target(p, "writing", 0,
                             "it is the source, too, and would be overwritten: use --seek or "
                             "--append, --in-place, or another file");
    if (!p->options->blocks && (!p->source->sized || overwrites_itself(p)))
        return refuse_target(p, "writing", 0,
                             "it is the source, too, and the slice would overwrite itself");
    return 0;
}

/*
 * Pieces of a stream from this length on are copied like ranges, each by engines of its own; below,
 * `buffer` reads gaps and all.
 */
#define PIECEWISE_BYTES ((uint64_t)256 * 1024)

/* What the engines will read: of a stream that is held back, the file that holds it. */
static const struct zs_facts *read_end(const struct planning *p)
{
    static const struct zs_facts held = {
        .kind = ZS_KIND_REGULAR, .readable = true, .positioned = true, .sized = true};
    return p->plan->hold == ZS_HOLD_NOTHING ? p->source : &held;
}

/* Why nothing of this copy can be shared, whatever the positions are; NULL if something may be. */
static const char *refuse_sharing(const struct planning *p)
{
    const struct zs_options *options = p->options;

    if (options->in_place != ZS_IN_PLACE_NO)
        return "nothing is copied to another file";
    if (options->reflink == ZS_REFLINK_NEVER)
        return "--reflink=never";
    if (options->sparse != ZS_SPARSE_AUTO)
        return "--sparse says what becomes of holes";
    if (options->engine_forced && options->engine != ZS_ENGINE_REFLINK)
        return "another engine is wanted";
    if (p->plan->placement == ZS_PLACE_APPEND)
        return "what is appended cannot be shared";
    if (p->plan->hold != ZS_HOLD_NOTHING)
        return "only regular files share blocks";
    return zs_facts_refuse_sharing(p->source, p->target);
}

/*
 * The bytes of a part that can be shared, counted from its first one: whole blocks of both files.
 * (A last block that is not full could be, but only as long as neither file grows.)
 */
struct shareable {
    uint64_t start;
    uint64_t end;
};

static struct shareable shareable_of(const struct planning *p, const struct zs_part *part)
{
    uint64_t block = p->source->block_bytes > 0 ? p->source->block_bytes : 4096;
    uint64_t first = part->source_position;
    uint64_t missing = first + part->present_bytes;
    uint64_t end = first + part->range.length_bytes;
    struct shareable none = {0, 0};

    if (!zs_range_is_contiguous(&part->range) || part->range.length_bytes == 0 ||
        first % block != part->target_position % block || missing > UINT64_MAX - block)
        return none;
    uint64_t shared_start = (missing + block - 1) / block * block;
    uint64_t shared_end = end / block * block;
    if (shared_start >= shared_end)
        return none;
    return (struct shareable){shared_start - first, shared_end - first};
}

/* Appends bytes [start, end) of a part as a part of their own, if there are any. */
static void add_section(struct zs_plan *plan, const struct zs_part *part, uint64_t start,
                        uint64_t end, bool shareable)
{
    if (start >= end)
        return;
    struct zs_part *section = &plan->parts[plan->part_count++];
    *section = *part;
    section->range = zs_range_contiguous(part->range.start + start, end - start);
    section->source_position += start;
    section->target_position += start;
    section->shareable = shareable;
    section->present_bytes = part->present_bytes > start ? part->present_bytes - start : 0;
    if (section->present_bytes > end - start)
        section->present_bytes = end - start;
}

/*
 * Where the user leaves that open, a slice of more than ZS_SMALL_BYTES is shared. The whole process
 * on XFS / btrfs, Linux 6.18, ms, shared and copied: 256 KiB 2.6/2.6 and 2.6/2.8, 1 MiB 2.6/2.6 and
 * 2.8/3.4, 4 MiB 2.6/2.6 and 3.3/6.0, 16 MiB 2.6/2.7 and 5.7/19.4.
 */
static bool is_worth_sharing(const struct planning *p, struct shareable blocks)
{
    bool wanted = p->options->reflink == ZS_REFLINK_ALWAYS || p->options->engine_forced;
    return blocks.start < blocks.end && (wanted || blocks.end - blocks.start > ZS_SMALL_BYTES);
}

/* Cuts what can be shared out of each part; its edges are copied. */
static int cut_parts(const struct planning *p)
{
    struct zs_plan *plan = p->plan;
    struct zs_part *parts = plan->parts;
    size_t count = plan->part_count;

    plan->parts = calloc(count, 3 * sizeof *plan->parts);
    if (!plan->parts) {
        plan->parts = parts;
        return zs_error_set(p->error, ZS_ERROR_TRANSFER, "zslice", "planning", ENOMEM, NULL);
    }
    plan->part_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct shareable blocks = shareable_of(p, &parts[i]);

        if (!is_worth_sharing(p, blocks)) {
            plan->parts[plan->part_count++] = parts[i];
            continue;
        }
        add_section(plan, &parts[i], 0, blocks.start, false);
        add_section(plan, &parts[i], blocks.start, blocks.end, true);
        add_section(plan, &parts[i], blocks.end, parts[i].range.length_bytes, false);
        plan->shares = true;
    }
    free(parts);
    return 0;
}

static bool is_all_shareable(const struct zs_plan *plan)
{
    for (size_t i = 0; i < plan->part_count; i++) {
        if (!plan->parts[i].shareable && plan->parts[i].range.length_bytes > 0)
            return false;
    }
    return true;
}

static bool is_nothing(const struct zs_plan *plan)
{
    for (size_t i = 0; i < plan->part_count; i++) {
        if (!plan->parts[i].range.bounded || plan->parts[i].range.length_bytes > 0)
            return false;
    }
    return plan->hold != ZS_HOLD_TAIL;
}

static uint64_t shareable_bytes(const struct zs_plan *plan)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < plan->part_count; i++)
        bytes += plan->parts[i].shareable ? plan->parts[i].range.length_bytes : 0;
    return bytes;
}

static int share_blocks(const struct planning *p)
{
    const struct zs_options *options = p->options;
    struct zs_plan *plan = p->plan;
    bool only = options->engine_forced && options->engine == ZS_ENGINE_REFLINK;
    const char *refusal = refuse_sharing(p);
    ull block = p->source->block_bytes;

    if (!refusal && cut_parts(p) < 0)
        return -1;
    if (plan->reserve_bytes > 0)
        plan->reserve_bytes -= shareable_bytes(plan); /* they take no space, if all goes well */
    if ((options->reflink != ZS_REFLINK_ALWAYS && !only) || is_nothing(plan))
        return 0;
    if (refusal)
        return refuse_target(p, only ? "--engine=reflink" : "--reflink=always", 0, refusal);
    if (only && !is_all_shareable(plan))
        return zs_error_set(p->error, ZS_ERROR_REFUSED, "--engine", "reflink", 0,
                            "it shares whole blocks of %llu bytes only, at positions that differ "
                            "by a multiple of that",
                            block);
    if (!plan->shares)
        return zs_error_set(p->error, ZS_ERROR_REFUSED, options->target_name, "--reflink=always", 0,
                            "no block of %llu bytes can be shared: it must lie whole in the slice, "
                            "and the positions in both files differ by a multiple of that",
                            block);
    return 0;
}

/* A slice of less has hardly a block that could be a hole, and is not worth looking for one. */
#define HOLES_FROM_BYTES ((uint64_t)8192)

/*
 * What becomes of holes. A file that is made, or emptied first, has the source's; where there are
 * old bytes, or a device, a hole is as many zeros.
 */
static enum zs_holes_kept holes_of(const struct planning *p, const struct zs_part *part)
{
    const struct zs_options *options = p->options;
    bool fresh = p->plan->placement == ZS_PLACE_WHOLE || options->resume;

    if (options->sparse == ZS_SPARSE_ALWAYS)
        return ZS_HOLES_MADE;
    return options->sparse == ZS_SPARSE_AUTO && fresh &&
                   part->range.length_bytes >= HOLES_FROM_BYTES && zs_facts_is_file(p->target) &&
                   zs_facts_is_sparse(p->source) && zs_range_is_contiguous(&part->range) &&
                   p->plan->hold == ZS_HOLD_NOTHING && !part->shareable
               ? ZS_HOLES_KEPT
               : ZS_HOLES_FILLED;
}

/*
 * How much of a slice of a file with holes are data, at least: all that lies outside of it may be
 * data, too. Of several ranges, which may overlap, nothing can be said.
 */
static uint64_t least_data_bytes(const struct planning *p)
{
    uint64_t slice_bytes = p->plan->reserve_bytes;
    uint64_t outside_bytes = p->source->size_bytes - slice_bytes;
    uint64_t allocated_bytes = p->source->allocated_bytes;

    if (p->options->range_count > 1 || slice_bytes > p->source->size_bytes ||
        allocated_bytes <= outside_bytes)
        return 0;
    return allocated_bytes - outside_bytes;
}

/* Reserving space would take what holes are there to save. */
static int keep_holes(const struct planning *p)
{
    struct zs_plan *plan = p->plan;

    if (p->options->sparse == ZS_SPARSE_ALWAYS &&
        (!zs_facts_is_file(p->target) || plan->placement == ZS_PLACE_APPEND))
        return zs_error_set(p->error, ZS_ERROR_REFUSED, p->options->target_name, "--sparse=always",
                            0, "%s has no holes",
                            plan->placement == ZS_PLACE_APPEND
                                ? "what is appended"
                                : zs_facts_kind_name(p->target->kind));
    for (size_t i = 0; i < plan->part_count; i++) {
        plan->parts[i].holes = holes_of(p, &plan->parts[i]);
        plan->makes_holes |= plan->parts[i].holes != ZS_HOLES_FILLED;
        plan->looks_for_space |= plan->parts[i].holes == ZS_HOLES_KEPT;
        if (plan->parts[i].holes == ZS_HOLES_MADE)
            plan->reserve_bytes = 0; /* it may be all zeros */
    }
    if (plan->looks_for_space)
        plan->reserve_bytes = least_data_bytes(p);
    return 0;
}

/* A file that becomes the slice itself: it must be one, and the slice in one piece. */
static int check_in_place(const struct planning *p)
{
    const struct zs_plan *plan = p->plan;

    if (p->options->in_place == ZS_IN_PLACE_NO)
        return 0;
    if (p->source->kind != ZS_KIND_REGULAR || !zs_facts_mappable(p->source))
        return refuse(p, p->options->source_name, "--in-place", 0, "it must be a regular file");
    if (plan->part_count != 1 || !zs_range_is_contiguous(&plan->parts[0].range))
        return refuse(p, p->options->source_name, "--in-place", 0,
                      "the slice's bytes do not lie together");
    return 0;
}

static bool is_piecewise(const struct planning *p, const struct zs_range *range)
{
    bool buffer_forced = p->options->engine_forced && p->options->engine == ZS_ENGINE_BUFFER;

    if (zs_range_is_contiguous(range) || zs_facts_mappable(read_end(p)) || buffer_forced)
        return false;
    return p->options->engine_forced || range->piece_bytes >= PIECEWISE_BYTES;
}

/*
 * Why an engine cannot do the copy, or NULL. What is held back of a stream is forgotten as soon as
 * it is written, so a pipe or socket must get copies of the bytes: references to the pages would
 * show zeros by the time they are read.
 */
static const char *refusal_of(const struct planning *p, enum zs_engine_id id,
                              const struct zs_facts *target)
{
    const struct zs_engine *engine = zs_engines[id];

    if (p->plan->hold == ZS_HOLD_BACK && !zs_facts_is_file(target) && !engine->copies)
        return "what is held back of a stream must be copied into a pipe or socket";
    if (p->options->stable && zs_facts_is_stream(target) && !engine->copies)
        return "it may pass references to the source's pages on, and --stable wants copies";
    if (p->options->sparse == ZS_SPARSE_ALWAYS && !engine->finds_zeros)
        return "--sparse=always looks at each byte, which only `buffer` does";
    if (p->plan->digest_fed && !engine->feeds_digest)
        return "the digest of a stream is made as it passes through memory";
    if (p->plan->scattered && !engine->scatters)
        return "it cannot write at positions that do not follow each other";
    return engine->refuse(read_end(p), target);
}

static int force_engine(const struct planning *p, const struct zs_facts *target)
{
    enum zs_engine_id id = p->options->engine;
    const char *refusal = refusal_of(p, id, target);

    p->plan->engine_forced = true;
    return refusal ? zs_error_set(p->error, ZS_ERROR_REFUSED, "--engine", zs_engine_names[id], 0,
                                  "it cannot do this copy: %s", refusal)
                   : 0;
}

/* The one that the user wants, or those of the choice that can do it. */
static void list_engines(const struct planning *p, const struct zs_facts *target,
                         const struct zs_choice *choice, struct zs_part *part)
{
    if (p->options->engine_forced) {
        part->engines[part->engine_count++] = p->options->engine;
        return;
    }
    if (part->shareable && p->options->reflink == ZS_REFLINK_ALWAYS) {
        part->engines[part->engine_count++] = ZS_ENGINE_REFLINK;
        return;
    }
    for (size_t i = 0; i < choice->count; i++) {
        const char *refusal = refusal_of(p, choice->engines[i], target);
        if (!refusal) {
            part->engines[part->engine_count++] = choice->engines[i];
        } else if (i == 0) {
            part->passed_over = choice->engines[i];
            part->why = refusal;
        }
    }
}

static int choose_engines(const struct planning *p)
{
    struct zs_facts target = *p->target;
    target.append |= p->plan->placement == ZS_PLACE_APPEND;

    p->plan->digest_fed = p->options->digest != ZS_DIGEST_NONE &&
                          (p->plan->hold != ZS_HOLD_NOTHING || !zs_facts_mappable(p->source));
    if (p->options->engine_forced && force_engine(p, &target) < 0)
        return -1;
    for (size_t i = 0; i < p->plan->part_count; i++) {
        struct zs_part *part = &p->plan->parts[i];
        part->piecewise = is_piecewise(p, &part->range);

        struct zs_choice_of of = {.range = &part->range,
                                  .source = read_end(p),
                                  .target = &target,
                                  .piecewise = part->piecewise,
                                  .no_cache = p->options->no_cache,
                                  .shareable = part->shareable,
                                  .jobs = p->options->jobs > 0 ? p->options->jobs
                                                               : p->source->processors};
        struct zs_choice choice = zs_choice_make(&of);
        part->jobs = choice.jobs;
        part->why = p->options->engine_forced ? "it is the one that is wanted" : choice.why;
        part->passed_over = ZS_ENGINE_COUNT;
        list_engines(p, &target, &choice, part);
    }
    return 0;
}

int zs_plan_make(const struct zs_options *options, const struct zs_facts *source,
                 const struct zs_facts *target, struct zs_plan *plan, struct zs_error *error)
{
    const struct planning p = {options, source, target, plan, error};

    *plan = (struct zs_plan){.options = options};
    if (check_ends(&p) < 0 || place(&p) < 0 || resolve_ranges(&p) < 0 || place_parts(&p) < 0 ||
        check_same_file(&p) < 0 || check_in_place(&p) < 0)
        return -1;
    if (options->blocks) /* no engine copies those */
        return 0;
    return share_blocks(&p) < 0 || keep_holes(&p) < 0 || choose_engines(&p) < 0 ? -1 : 0;
}

int zs_plan_remake(struct zs_plan *plan, const struct zs_facts *source,
                   const struct zs_facts *target, struct zs_error *error)
{
    struct zs_plan again;

    if (zs_plan_make(plan->options, source, target, &again, error) < 0) {
        zs_plan_free(&again);
        return -1;
    }
    zs_plan_free(plan);
    *plan = again;
    return 0;
}

uint64_t zs_plan_total_bytes(const struct zs_plan *plan)
{
    uint64_t total_bytes = 0;

    for (size_t i = 0; i < plan->part_count; i++) {
        if (!plan->parts[i].range.bounded)
            return 0;
        total_bytes += plan->parts[i].range.length_bytes;
    }
    return total_bytes - plan->resumed_bytes;
}

const struct zs_part *zs_plan_longest(const struct zs_plan *plan)
{
    const struct zs_part *longest = NULL;

    for (size_t i = 0; i < plan->part_count; i++) {
        const struct zs_part *part = &plan->parts[i];
        if (part->range.bounded && zs_range_is_contiguous(&part->range) &&
            (!longest || part->range.length_bytes > longest->range.length_bytes))
            longest = part;
    }
    return longest;
}

void zs_plan_free(struct zs_plan *plan)
{
    free(plan->parts);
    plan->parts = NULL;
    plan->part_count = 0;
}
