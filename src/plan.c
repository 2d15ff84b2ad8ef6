/*
 * The plan: what can be decided from the options and the facts of both ends, and every refusal that
 * needs no more than that. Pure.
 */

#include "plan.h"

#include "engine.h"

#include <errno.h>

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

/* A regular file or block device: it has positions, and keeps what is written at them. */
static bool is_file(const struct zs_facts *facts)
{
    return facts->kind == ZS_KIND_REGULAR || facts->kind == ZS_KIND_BLOCK ||
           facts->kind == ZS_KIND_NONE;
}

static int check_ends(const struct planning *p)
{
    if (!p->source->readable)
        return refuse_source(p, 0, "it is not open for reading");
    if (p->source->kind == ZS_KIND_DIRECTORY)
        return refuse_source(p, EISDIR, NULL);
    if (p->source->messages)
        return refuse_source(p, 0, "it is a socket of messages, not of bytes");
    if (!p->target->writable)
        return refuse_target(p, "writing", 0, "it is read-only, or not open for writing");
    if (p->target->kind == ZS_KIND_DIRECTORY)
        return refuse_target(p, "writing", EISDIR, NULL);
    if (p->options->no_clobber && p->target->kind != ZS_KIND_NONE)
        return refuse_target(p, "creating", EEXIST, NULL);
    return 0;
}

/* Position 0 of an inherited descriptor is where it stands; a path's descriptor stands at 0. */
static uint64_t remaining_size(const struct zs_facts *source)
{
    return source->size_bytes > source->position ? source->size_bytes - source->position : 0;
}

static int resolve_range(const struct planning *p)
{
    const struct zs_slice *slice = &p->options->slice;
    struct zs_range *range = &p->plan->range;
    const char *name = p->options->source_name;

    p->plan->exact = p->options->exact;
    if (!p->source->sized) {
        if (zs_range_resolve_stream(slice, range) < 0)
            return zs_error_set(p->error, ZS_ERROR_REFUSED, name, "slicing", 0,
                                "the position counts from the end, and the end of %s is not known",
                                p->source->kind == ZS_KIND_REGULAR
                                    ? "a file without a size"
                                    : zs_facts_kind_name(p->source->kind));
    } else {
        uint64_t size_bytes = remaining_size(p->source);
        *range = zs_range_resolve(slice, size_bytes);
        if (range->past_end)
            return zs_error_set(p->error, ZS_ERROR_SHORT, name, "slicing", 0,
                                "the offset %llu is beyond its end at %llu",
                                (ull)slice->offset.distance_bytes, (ull)size_bytes);
        if (range->missing_bytes > 0 && p->options->exact)
            return zs_error_set(p->error, ZS_ERROR_SHORT, name, "slicing", 0,
                                "%llu of the bytes asked for are not there: it has %llu bytes",
                                (ull)range->missing_bytes, (ull)size_bytes);
        p->plan->reserve_bytes = range->length_bytes;
    }

    if (p->source->positioned &&
        (__builtin_add_overflow(p->source->position, range->start, &p->plan->source_position) ||
         p->plan->source_position > INT64_MAX))
        return zs_error_set(p->error, ZS_ERROR_SHORT, name, "slicing", 0,
                            "the offset %llu is beyond the largest file position",
                            (ull)range->start);
    return 0;
}

static int place_at_seek(const struct planning *p)
{
    const struct zs_facts *target = p->target;
    struct zs_position seek = p->options->seek;

    if (!is_file(target))
        return zs_error_set(p->error, ZS_ERROR_REFUSED, p->options->target_name, "--seek", 0,
                            "%s has no positions", zs_facts_kind_name(target->kind));
    if (target->append)
        return refuse_target(p, "--seek", 0, "it is open for appending");
    if (p->options->truncate && target->kind == ZS_KIND_BLOCK)
        return refuse_target(p, "--truncate", 0, "a block device cannot be cut");
    if (seek.from_end && target->kind == ZS_KIND_NONE)
        return refuse_target(p, "--seek", ENOENT, "so it has no end to count from");
    if (seek.from_end && seek.distance_bytes > target->size_bytes)
        return zs_error_set(p->error, ZS_ERROR_REFUSED, p->options->target_name, "--seek", 0,
                            "-%llu is before its start: it has %llu bytes",
                            (ull)seek.distance_bytes, (ull)target->size_bytes);

    p->plan->placement = ZS_PLACE_AT;
    p->plan->cut_after = p->options->truncate;
    p->plan->target_position =
        seek.from_end ? target->size_bytes - seek.distance_bytes : seek.distance_bytes;
    return 0;
}

static int place(const struct planning *p)
{
    const struct zs_facts *target = p->target;
    bool inherited = p->options->target_path[0] == '-' && p->options->target_path[1] == '\0';

    p->plan->must_create = p->options->no_clobber;
    if (p->options->has_seek)
        return place_at_seek(p);
    if (!is_file(target)) {
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
 * Whether the slice fits the positions there are: 2^63-1 in a file, its size in a block device. A
 * stream may end before its slice does, unless it must not.
 */
static int check_room(const struct planning *p)
{
    uint64_t position = p->plan->target_position;
    bool certain = p->source->sized || (p->plan->range.bounded && p->plan->exact);
    uint64_t length = certain ? p->plan->range.length_bytes : 0;
    bool block = p->target->kind == ZS_KIND_BLOCK;
    uint64_t limit = block ? p->target->size_bytes : INT64_MAX;

    if (!is_file(p->target) || (position <= limit && length <= limit - position))
        return 0;
    return zs_error_set(p->error, ZS_ERROR_REFUSED, p->options->target_name, "writing", 0,
                        block ? "%llu bytes at position %llu do not fit its %llu bytes"
                              : "%llu bytes at position %llu end beyond the largest position %llu",
                        (ull)length, (ull)position, (ull)limit);
}

static int check_same_file(const struct planning *p)
{
    const struct zs_plan *plan = p->plan;

    if (!zs_facts_same_file(p->source, p->target))
        return 0;
    if (p->source->kind == ZS_KIND_PIPE)
        return refuse_target(p, "writing", 0, "source and target are the same pipe");
    if (!p->options->has_seek && plan->placement != ZS_PLACE_APPEND)
        return refuse_target(p, "writing", 0,
                             "it is the source, too, and would be overwritten: use --seek or "
                             "--append, or another file");

    uint64_t source_end, target_end;
    if (!p->source->sized ||
        __builtin_add_overflow(plan->source_position, plan->range.length_bytes, &source_end) ||
        __builtin_add_overflow(plan->target_position, plan->range.length_bytes, &target_end) ||
        (plan->source_position < target_end && plan->target_position < source_end))
        return refuse_target(p, "writing", 0,
                             "it is the source, too, and the slice would overwrite itself");
    return 0;
}

/*
 * Sizes up to which a copy from file to file is best made with the fewest system calls:
 * microseconds at 64 KiB on ext4, Linux 6.18: sendfile 31, splice through a private pipe 37,
 * map-write 42; at 256 KiB 84, 63, 86.
 */
#define SMALL_BYTES ((uint64_t)128 * 1024)

/*
 * The choice of engine, all of it: the order of preference for the kinds of both ends. Engines that
 * refuse the ends are left out; the figures are in the engines' files. ZS_ENGINE_COUNT ends a list.
 */
static const enum zs_engine_id *preferences(const struct planning *p)
{
    static const enum zs_engine_id few_calls[] = {ZS_ENGINE_SENDFILE, ZS_ENGINE_SPLICE,
                                                  ZS_ENGINE_MAP_WRITE, ZS_ENGINE_BUFFER,
                                                  ZS_ENGINE_COUNT};
    static const enum zs_engine_id large_pieces[] = {ZS_ENGINE_SPLICE, ZS_ENGINE_MAP_WRITE,
                                                     ZS_ENGINE_SENDFILE, ZS_ENGINE_BUFFER,
                                                     ZS_ENGINE_COUNT};
    bool small = p->plan->range.bounded && p->plan->range.length_bytes <= SMALL_BYTES;

    if (p->target->kind == ZS_KIND_SOCKET || (is_file(p->target) && small))
        return few_calls;
    return large_pieces;
}

static int choose_engines(const struct planning *p)
{
    struct zs_facts target = *p->target;
    target.append |= p->plan->placement == ZS_PLACE_APPEND;

    p->plan->engine_forced = p->options->engine_forced;
    if (p->plan->engine_forced) {
        enum zs_engine_id id = p->options->engine;
        const char *refusal = zs_engines[id]->refuse(p->source, &target);
        if (refusal)
            return zs_error_set(p->error, ZS_ERROR_REFUSED, "--engine", zs_engine_names[id], 0,
                                "it cannot do this copy: %s", refusal);
        p->plan->engines[p->plan->engine_count++] = id;
        return 0;
    }

    for (const enum zs_engine_id *id = preferences(p); *id != ZS_ENGINE_COUNT; id++) {
        if (!zs_engines[*id]->refuse(p->source, &target))
            p->plan->engines[p->plan->engine_count++] = *id;
    }
    return 0;
}

int zs_plan_make(const struct zs_options *options, const struct zs_facts *source,
                 const struct zs_facts *target, struct zs_plan *plan, struct zs_error *error)
{
    const struct planning p = {options, source, target, plan, error};

    *plan = (struct zs_plan){0};
    if (check_ends(&p) < 0 || place(&p) < 0 || resolve_range(&p) < 0 || check_room(&p) < 0 ||
        check_same_file(&p) < 0 || choose_engines(&p) < 0)
        return -1;
    return 0;
}
