/*
 * Plans for arbitrary options and ends: the input's bytes choose them, one after the other.
 * Whatever they are, a plan that is made must copy exactly the bytes asked for (walked one by one
 * where the source is small) to places that do not overlap and that exist, and one that is refused
 * must say why. Where blocks are to be shared, the parts are compared with those of the same plan
 * without sharing.
 */

#include "plan.h"

#include "engine.h"
#include "input.h"

#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_RANGES = 4, WALKED = 300 };

/* Small numbers mostly; also any number, and the neighbours of the limits. */
static uint64_t take_number(struct input *input)
{
    static const uint64_t limits[] = {INT64_MAX, UINT64_MAX, 4096, 1 << 18, (uint64_t)1 << 32, 200};
    uint8_t first = take(input);
    uint64_t number = 0;

    if (first < 224)
        return first % 112;
    if (first >= 232)
        return limits[first % 6] - take(input) + (first >= 244 ? 128 : 0);
    for (int i = 0; i < 8; i++)
        number = number << 8 | take(input);
    return number;
}

static struct zs_position take_position(struct input *input, bool from_end)
{
    return (struct zs_position){.distance_bytes = take_number(input), .from_end = from_end};
}

/* As the parser would have it: a step is at least a record, and there is none with shards. */
static struct zs_slice take_slice(struct input *input, const struct zs_selection *selection)
{
    uint8_t flags = take(input);
    struct zs_slice slice = {.offset = take_position(input, flags & 1)};

    if ((flags & 6) == 2) {
        slice.has_length = true;
        slice.length_bytes = take_number(input);
    } else if ((flags & 6) == 4) {
        slice.has_end = true;
        slice.end = take_position(input, flags & 8);
    }
    if (flags & 16 && selection->shard.number == 0) {
        slice.has_step = true;
        if (__builtin_add_overflow(selection->record_bytes, take_number(input), &slice.step_bytes))
            slice.step_bytes = UINT64_MAX;
    }
    return slice;
}

static struct zs_selection take_selection(struct input *input)
{
    struct zs_selection selection = {.record_bytes = 1, .field = {0, 1}, .align_bytes = 1};
    uint8_t flags = take(input);

    if (flags & 1)
        selection.record_bytes = take_number(input);
    if (selection.record_bytes == 0)
        selection.record_bytes = 1;
    selection.field.length_bytes = selection.align_bytes = selection.record_bytes;
    if (flags & 2) {
        selection.field.start = take_number(input) % selection.record_bytes;
        selection.field.length_bytes =
            take_number(input) % (selection.record_bytes - selection.field.start);
    }
    if ((flags & 12) != 12)
        return selection;
    selection.shard.count = 1 + take_number(input) % UINT32_MAX;
    selection.shard.number = 1 + take_number(input) % selection.shard.count;
    if (flags & 16 && !(flags & 2))
        selection.align_bytes = 1 + take_number(input) % UINT64_MAX;
    return selection;
}

static void take_options(struct input *input, struct zs_options *options,
                         struct zs_slice ranges[MOST_RANGES])
{
    uint8_t where = take(input);
    uint8_t flags = take(input);
    bool to_stdout = where & 8;

    *options = (struct zs_options){.source_path = "in",
                                   .source_name = "in",
                                   .target_path = to_stdout ? "-" : "out",
                                   .target_name = to_stdout ? "stdout" : "out",
                                   .exact = flags & 1,
                                   .engine_forced = (flags & 6) == 6,
                                   .engine = (enum zs_engine_id)(flags / 8 % ZS_ENGINE_COUNT)};
    options->has_seek = where % 8 == 1 || where % 8 == 2;
    options->keep_offset = where % 8 == 3 || where % 8 == 4;
    options->append = where % 8 == 5;
    options->no_clobber = where % 8 == 6 && !to_stdout;
    options->truncate = (options->has_seek || options->keep_offset) && flags & 64;
    if (options->has_seek)
        options->seek = take_position(input, where % 8 == 2);
    options->selection = take_selection(input);
    options->slice = take_slice(input, &options->selection);
    options->slice.has_step = false;
    size_t most = options->selection.shard.number ? 1 : MOST_RANGES;
    options->range_count = take(input) % (most + 1);
    for (size_t i = 0; i < options->range_count; i++)
        ranges[i] = take_slice(input, &options->selection);
    options->ranges = options->range_count ? ranges : NULL;
}

static struct zs_facts take_facts(struct input *input, bool source)
{
    uint8_t kind = take(input);
    uint8_t flags = take(input);
    struct zs_facts facts = {.kind = (enum zs_kind)(kind % 9),
                             .readable = (flags & 3) != 3,
                             .writable = (flags & 12) != 12,
                             .inode = flags & 16 ? 1
                                      : source   ? 2
                                                 : 3};

    if (kind >= 128) /* files are what there is most to say about */
        facts.kind = ZS_KIND_REGULAR;
    if (source && facts.kind == ZS_KIND_NONE)
        facts.kind = ZS_KIND_REGULAR;
    facts.special_device = facts.inode;
    facts.messages = facts.kind == ZS_KIND_SOCKET && flags & 32;
    facts.append = !source && flags & 64 && facts.kind != ZS_KIND_NONE;
    facts.positioned =
        facts.kind == ZS_KIND_REGULAR || facts.kind == ZS_KIND_BLOCK || facts.kind == ZS_KIND_NONE;
    facts.sized = facts.positioned && !(source && facts.kind == ZS_KIND_REGULAR && flags & 128);
    if (facts.positioned && facts.kind != ZS_KIND_NONE) {
        facts.position = flags & 32 ? take_number(input) : 0;
        facts.size_bytes = facts.sized ? take_number(input) : 0;
        facts.allocated_bytes = facts.size_bytes;
    }
    return facts;
}

/* What decides about sharing, and by how many threads; behind everything else. */
static void take_sharing(struct input *input, struct zs_options *options, struct zs_facts *source,
                         struct zs_facts *target)
{
    static const uint32_t types[] = {
        0,           XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, EXT4_SUPER_MAGIC,
        TMPFS_MAGIC, NFS_SUPER_MAGIC, FUSE_SUPER_MAGIC,  PROC_SUPER_MAGIC};
    static const uint64_t blocks[] = {4096, 0,  1,   2,     3,       4,
                                      7,    16, 512, 65536, 1 << 20, (uint64_t)1 << 40};
    uint8_t flags = take(input);
    uint8_t how = take(input);

    options->reflink = (enum zs_reflink)(flags % 3);
    options->stable = flags & 64;
    options->sync = flags & 128;
    options->no_cache = flags & 32;
    options->jobs = how % 4;
    source->device = how & 16;
    target->device = source->inode == target->inode ? source->device : how & 32;
    source->shares_nothing = (how & 192) == 192;
    source->cached = how & 4 && source->sized;
    target->local = how & 8 && target->kind == ZS_KIND_SOCKET;
    source->filesystem =
        source->kind == ZS_KIND_REGULAR ? types[take(input) % (sizeof types / sizeof *types)] : 0;
    if (source->kind == ZS_KIND_REGULAR)
        source->block_bytes = blocks[take(input) % (sizeof blocks / sizeof *blocks)];
}

/* What protects and proves a copy; behind everything else. At most one place to go to. */
static void take_proof(struct input *input, struct zs_options *options, struct zs_facts *source,
                       struct zs_facts *target)
{
    uint8_t flags = take(input);
    uint8_t more = take(input);
    bool elsewhere = options->has_seek || options->keep_offset || options->append ||
                     options->no_clobber || options->target_path[0] == '-';

    options->resume = !elsewhere && (flags & 3) == 1;
    options->atomic = !elsewhere && (flags & 3) == 2;
    options->verify = flags & 4 && options->target_path[0] != '-' && !options->append;
    options->sparse = (enum zs_sparse)(flags / 8 % 3);
    if (options->reflink == ZS_REFLINK_ALWAYS ||
        (options->engine_forced && options->engine == ZS_ENGINE_REFLINK))
        options->sparse = ZS_SPARSE_AUTO;
    options->digest = (enum zs_digest_kind)(more % ZS_DIGEST_COUNT);
    if (more & 16 && source->sized)
        source->allocated_bytes = source->size_bytes / 2;
    if (more & 32 && options->resume && source->size_bytes < UINT64_MAX) /* likely to fit */
        target->size_bytes %= 1 + source->size_bytes;
}

static bool is_file(const struct zs_facts *facts)
{
    return facts->positioned;
}

static uint64_t remaining(const struct zs_facts *source)
{
    return source->size_bytes > source->position ? source->size_bytes - source->position : 0;
}

static uint64_t clamped(struct zs_position position, uint64_t size)
{
    if (position.distance_bytes > size)
        return position.from_end ? 0 : size;
    return position.from_end ? size - position.distance_bytes : position.distance_bytes;
}

/* Where shard `number` ends in `length` bytes; both factors are small here. */
static uint64_t bound(const struct zs_selection *selection, uint64_t number, uint64_t length)
{
    uint64_t at = number * length / selection->shard.count;
    return number == selection->shard.count ? length : at - at % selection->align_bytes;
}

/* The range against a walk over a small source. */
static void check_bytes(const struct zs_range *range, const struct zs_slice *slice,
                        const struct zs_selection *selection, uint64_t size)
{
    uint64_t start = clamped(slice->offset, size);
    uint64_t end = slice->has_end ? clamped(slice->end, size) : size;
    uint64_t stride = slice->has_step ? slice->step_bytes : selection->record_bytes;
    uint64_t index = 0;

    if (slice->has_length && slice->length_bytes < size - start)
        end = start + slice->length_bytes;
    if (end < start)
        end = start;
    if (selection->shard.number > 0) {
        uint64_t length = end - start;
        end = start + bound(selection, selection->shard.number, length);
        start += bound(selection, selection->shard.number - 1, length);
    }
    for (uint64_t at = start; at < end; at++) {
        uint64_t within = (at - start) % stride;
        if (within < selection->field.start ||
            within - selection->field.start >= selection->field.length_bytes)
            continue;
        require(index < range->length_bytes && range->start + zs_range_offset(range, index) == at,
                "a byte that was asked for is not copied");
        index++;
    }
    require(index == range->length_bytes, "a byte that was not asked for is copied");
}

static void check_source(const struct zs_plan *plan, const struct zs_facts *source,
                         const struct zs_slice *slices)
{
    uint64_t size = remaining(source);

    for (size_t i = 0; i < plan->part_count; i++) {
        const struct zs_part *part = &plan->parts[i];
        const struct zs_range *range = &part->range;
        if (source->positioned) {
            require(part->source_position == source->position + range->start &&
                        part->source_position >= source->position &&
                        part->source_position <= INT64_MAX,
                    "a position in the source is not within the limits");
        }
        if (source->sized) {
            require(range->bounded && zs_range_end(range) <= size, "bytes beyond the source's end");
            require(!range->past_end, "an offset beyond the end");
            require(!plan->exact || (range->missing_bytes == 0 && range->partial_bytes == 0),
                    "not exact");
            if (size <= WALKED)
                check_bytes(range, &slices[i], &plan->options->selection, size);
        } else if (i > 0) {
            require(range[0].start >= zs_range_end(&plan->parts[i - 1].range) &&
                        plan->parts[i - 1].range.bounded,
                    "a stream would have to be read again");
        }
    }
}

static void check_target(const struct zs_plan *plan, const struct zs_facts *source,
                         const struct zs_facts *target)
{
    uint64_t limit = target->kind == ZS_KIND_BLOCK ? target->size_bytes : INT64_MAX;
    uint64_t next = plan->options->resume ? 0 : plan->target_position;
    uint64_t total = 0;

    for (size_t i = 0; i < plan->part_count; i++) {
        const struct zs_part *part = &plan->parts[i];
        const struct zs_range *range = &part->range;
        bool certain = source->sized || (range->bounded && plan->exact);
        uint64_t length = certain ? range->length_bytes : 0;
        uint64_t span = plan->scattered && certain ? zs_range_end(range) - range->start : length;
        if (is_file(target)) {
            require(part->target_position <= limit && span <= limit - part->target_position,
                    "a part ends beyond the target's limit");
            require(part->target_position == (plan->options->keep_offset ? range->start : next),
                    "a part is not where it belongs");
            /* If it is complete, as it is if there is a next one. */
            if (__builtin_add_overflow(next, range->bounded ? range->length_bytes : 0, &next))
                next = UINT64_MAX;
        }
        require(!__builtin_add_overflow(total, length, &total), "the total overflows");
    }
    uint64_t reserved = source->sized && !plan->scattered ? total - plan->resumed_bytes : 0;
    if (plan->options->sparse == ZS_SPARSE_ALWAYS && plan->part_count > 0)
        reserved = 0; /* it may be all zeros */
    if (plan->looks_for_space)
        require(plan->reserve_bytes == 0 || plan->reserve_bytes + (source->size_bytes - reserved) ==
                                                source->allocated_bytes,
                "more data are looked for than the slice must have");
    else
        require(plan->reserve_bytes == reserved, "other bytes are reserved than there are");
    require(!plan->scattered || plan->options->keep_offset, "scattered without --keep-offset");
}

static void check_engines(const struct zs_plan *plan, const struct zs_facts *target)
{
    struct zs_facts end = *target;

    end.append |= plan->placement == ZS_PLACE_APPEND;
    for (size_t i = 0; i < plan->part_count; i++) {
        const struct zs_part *part = &plan->parts[i];
        bool seen[ZS_ENGINE_COUNT] = {false};
        require(part->engine_count > 0 && part->engine_count <= ZS_ENGINE_COUNT, "no engine");
        for (size_t e = 0; e < part->engine_count; e++) {
            require(!seen[part->engines[e]], "an engine is tried twice");
            seen[part->engines[e]] = true;
        }
        require(!plan->engine_forced ||
                    (part->engine_count == 1 && part->engines[0] == plan->options->engine),
                "a forced engine is replaced");
        bool only_shared = part->shareable && plan->options->reflink == ZS_REFLINK_ALWAYS;
        require(plan->engine_forced || only_shared || seen[ZS_ENGINE_BUFFER],
                "no engine that can always do it");
        require(!seen[ZS_ENGINE_REFLINK] || part->shareable || part->range.length_bytes == 0,
                "reflink for what cannot be shared");
        require(!part->shareable || part->engines[0] == ZS_ENGINE_REFLINK,
                "what can be shared is not");
        require(!only_shared || part->engine_count == 1, "always is not always");
        require(part->jobs >= 1 && part->jobs <= 2 &&
                    (part->jobs == 1 || part->jobs <= plan->options->jobs),
                "more threads than may be used");
        require(part->why && part->why[0], "no reason");
        require(part->passed_over == ZS_ENGINE_COUNT ||
                    (!plan->engine_forced && !only_shared && !seen[part->passed_over]),
                "an engine is used that was passed over");
        for (size_t e = 0; e < part->engine_count; e++)
            require(!plan->options->stable || !zs_facts_is_stream(target) ||
                        zs_engines[part->engines[e]]->copies,
                    "references for who wants copies");
        require(!part->piecewise || !zs_range_is_contiguous(&part->range), "one piece, piecewise");
    }
}

/* Of one file: no byte that is written is read, byte by byte. */
static void check_same_file(const struct zs_plan *plan, const struct zs_facts *source,
                            const struct zs_facts *target)
{
    bool read[4 * WALKED] = {false};
    bool written[4 * WALKED] = {false};

    if (!zs_facts_same_file(source, target) || plan->placement == ZS_PLACE_APPEND)
        return;
    require(source->sized, "a stream and a file are one");
    if (source->size_bytes > WALKED)
        return;
    for (size_t i = 0; i < plan->part_count; i++) {
        const struct zs_part *part = &plan->parts[i];
        for (uint64_t n = 0; n < part->range.length_bytes; n++) {
            uint64_t offset = zs_range_offset(&part->range, n);
            uint64_t to = part->target_position + (plan->scattered ? offset : n);
            read[part->source_position + offset] = true;
            if (to < sizeof written)
                written[to] = true;
        }
    }
    for (size_t at = 0; at < sizeof written; at++)
        require(!read[at] || !written[at], "the slice overwrites itself");
}

/* The section is whole blocks of both files, or ends both of them. */
static void check_shareable(const struct zs_plan *plan, const struct zs_part *part,
                            const struct zs_facts *source, const struct zs_facts *target)
{
    uint64_t block = source->block_bytes ? source->block_bytes : 4096;
    uint64_t length = part->range.length_bytes;
    bool emptied = plan->placement == ZS_PLACE_WHOLE;

    require(zs_range_is_contiguous(&part->range) && length > 0, "nothing is shared");
    require(part->source_position % block == 0, "a block of the source is cut");
    require(part->target_position % block == 0, "a block of the target is cut");
    require(length % block == 0 ||
                (part->source_position + length == source->size_bytes && !plan->shared &&
                 !zs_facts_same_file(source, target) &&
                 (emptied || part->target_position + length >= target->size_bytes)),
            "a part of a block is shared that does not end both files");
    require(length > ZS_SMALL_BYTES || plan->options->reflink == ZS_REFLINK_ALWAYS ||
                plan->engine_forced,
            "a small slice is shared");
    require(plan->options->reflink != ZS_REFLINK_NEVER, "never is not never");
    require(!zs_facts_refuse_sharing(source, target), "file systems that cannot share");
    require(plan->placement != ZS_PLACE_APPEND && plan->hold == ZS_HOLD_NOTHING, "shared nowhere");
}

/*
 * The parts of a plan against those of the same plan without sharing: one after the other, each
 * part there is one part here, or its sections, which leave nothing out and nothing twice.
 */
static void check_cuts(const struct zs_plan *plan, const struct zs_plan *uncut,
                       const struct zs_facts *source, const struct zs_facts *target)
{
    const struct zs_part *part = plan->parts;
    const struct zs_part *behind = plan->parts + plan->part_count;
    uint64_t shared_bytes = 0;
    bool shares = false;

    for (size_t i = 0; i < uncut->part_count; i++) {
        const struct zs_part *whole = &uncut->parts[i];
        uint64_t done = 0;
        size_t sections = 0, shared = 0;
        do {
            require(part < behind, "a part is missing");
            require(part->range.start == whole->range.start + done &&
                        (!source->positioned ||
                         part->source_position == whole->source_position + done) &&
                        part->target_position == whole->target_position + done,
                    "a section is not where it belongs");
            if (part->shareable)
                check_shareable(plan, part, source, target);
            shared += part->shareable;
            shared_bytes += part->shareable ? part->range.length_bytes : 0;
            require(shared > 0 || part->range.bounded == whole->range.bounded, "another part");
            done += part->range.length_bytes;
            part++;
            sections++;
        } while (whole->range.bounded && done < whole->range.length_bytes);
        require(!whole->range.bounded || done == whole->range.length_bytes,
                "the sections are not the part");
        require(sections == 1 || (shared == 1 && sections <= 3), "cut without a reason");
        require(sections > 1 || part[-1].range.piece_bytes == whole->range.piece_bytes ||
                    zs_range_is_contiguous(&whole->range),
                "another form");
        shares |= shared > 0;
    }
    require(part == behind, "there are more parts than ranges");
    require(plan->shares == shares, "the plan says otherwise");
    require(plan->looks_for_space || uncut->looks_for_space ||
                plan->reserve_bytes ==
                    uncut->reserve_bytes - (uncut->reserve_bytes ? shared_bytes : 0),
            "another reservation");
    require(plan->placement == uncut->placement &&
                plan->target_position == uncut->target_position &&
                plan->scattered == uncut->scattered && plan->shared == uncut->shared,
            "another place");
}

/* One behind the other, no byte of the target is written twice. */
static void check_written_once(const struct zs_plan *plan, const struct zs_facts *source,
                               const struct zs_facts *target)
{
    bool written[MOST_RANGES * WALKED] = {false};

    if (plan->options->keep_offset || !is_file(target) || !source->sized ||
        remaining(source) > WALKED)
        return;
    for (size_t i = 0; i < plan->part_count; i++) {
        const struct zs_part *part = &plan->parts[i];
        for (uint64_t n = 0; n < part->range.length_bytes; n++) {
            uint64_t first = plan->options->resume ? 0 : plan->target_position;
            uint64_t at = part->target_position - first + n;
            require(at < sizeof written && !written[at], "a byte of the target is written twice");
            written[at] = true;
        }
    }
}

static void check_longest(const struct zs_plan *plan)
{
    const struct zs_part *longest = zs_plan_longest(plan);

    require(!longest || (longest->range.bounded && zs_range_is_contiguous(&longest->range)),
            "the longest part is of no known length, or in pieces");
    for (size_t i = 0; i < plan->part_count; i++) {
        const struct zs_range *range = &plan->parts[i].range;
        require(!range->bounded || !zs_range_is_contiguous(range) ||
                    (longest && longest->range.length_bytes >= range->length_bytes),
                "a part is longer than the longest");
    }
}

static void check_uncut(const struct zs_plan *plan, const struct zs_facts *source,
                        const struct zs_facts *target)
{
    struct zs_options options = *plan->options;
    struct zs_plan uncut;
    struct zs_error error = {0};
    size_t count;
    const struct zs_slice *slices = zs_options_slices(&options, &count);

    options.reflink = ZS_REFLINK_NEVER;
    options.engine_forced &= options.engine != ZS_ENGINE_REFLINK;
    require(zs_plan_make(&options, source, target, &uncut, &error) == 0,
            "what can be shared cannot be copied");
    require(uncut.part_count == count, "there are not as many parts as ranges");
    require(!uncut.shares, "never is not never");
    check_source(&uncut, source, slices);
    check_target(&uncut, source, target);
    check_engines(&uncut, target);
    check_cuts(plan, &uncut, source, target);
    zs_plan_free(&uncut);
}

/* What is in the target already is its beginning, and of the parts the first bytes, in order. */
static void check_resumed(const struct zs_plan *plan, const struct zs_facts *source,
                          const struct zs_facts *target)
{
    uint64_t present = 0, total = 0;

    for (size_t i = 0; i < plan->part_count; i++) {
        const struct zs_part *part = &plan->parts[i];
        require(part->present_bytes == 0 || part->present_bytes <= part->range.length_bytes,
                "more of a part is there than it has");
        require(part->present_bytes == 0 || present == total, "a hole in what is there");
        require(!part->shareable || part->present_bytes == 0, "what is there is shared again");
        present += part->present_bytes;
        total += part->range.bounded ? part->range.length_bytes : 0;
    }
    require(present == plan->resumed_bytes, "another number of bytes is there");
    if (!plan->options->resume || target->kind == ZS_KIND_NONE) {
        require(plan->resumed_bytes == 0, "resumed without being asked");
        return;
    }
    require(target->kind == ZS_KIND_REGULAR && plan->resumed_bytes == target->size_bytes,
            "another file is gone on with");
    require(zs_facts_mappable(source), "what is there cannot be compared");
    require(plan->placement == ZS_PLACE_AT && plan->target_position == plan->resumed_bytes &&
                !plan->scattered && !plan->shared,
            "resumed at another place");
    require(zs_plan_total_bytes(plan) == total - present, "another total");
}

static void check_holes(const struct zs_plan *plan, const struct zs_facts *source,
                        const struct zs_facts *target)
{
    bool kept = false;

    for (size_t i = 0; i < plan->part_count; i++) {
        const struct zs_part *part = &plan->parts[i];
        enum zs_sparse sparse = plan->options->sparse;
        kept |= part->holes == ZS_HOLES_KEPT;
        require((part->holes == ZS_HOLES_MADE) == (sparse == ZS_SPARSE_ALWAYS),
                "holes are made without being asked, or not");
        require(sparse != ZS_SPARSE_NEVER || (part->holes == ZS_HOLES_FILLED && !part->shareable),
                "never is not never");
        require(part->holes == ZS_HOLES_FILLED ||
                    (is_file(target) && plan->placement != ZS_PLACE_APPEND),
                "a hole where there can be none");
        require(part->holes != ZS_HOLES_KEPT ||
                    (zs_facts_is_sparse(source) && zs_range_is_contiguous(&part->range) &&
                     (plan->placement == ZS_PLACE_WHOLE || plan->options->resume)),
                "old bytes would show through a hole");
    }
    require(plan->looks_for_space == kept, "space for holes is reserved");
}

static void check_proof(const struct zs_plan *plan, const struct zs_facts *source,
                        const struct zs_facts *target)
{
    bool regular = target->kind == ZS_KIND_REGULAR || target->kind == ZS_KIND_NONE;

    require(regular || !(plan->atomic || plan->verify || plan->options->resume),
            "what needs a file is done to something else");
    require(!plan->atomic || plan->placement == ZS_PLACE_WHOLE ||
                (plan->placement == ZS_PLACE_APPEND && target->append),
            "a part of a file is replaced");
    require(!plan->verify || zs_facts_mappable(source), "a stream is read again");
    require(!plan->digest_fed || plan->options->digest != ZS_DIGEST_NONE, "a digest unasked for");
    require(plan->options->digest == ZS_DIGEST_NONE || plan->digest_fed ||
                (zs_facts_mappable(source) && plan->hold == ZS_HOLD_NOTHING),
            "nothing makes the digest");
    for (size_t i = 0; i < plan->part_count; i++) {
        const struct zs_part *part = &plan->parts[i];
        for (size_t e = 0; e < part->engine_count; e++) {
            const struct zs_engine *engine = zs_engines[part->engines[e]];
            require(!plan->digest_fed || engine->feeds_digest, "bytes that the digest misses");
            require(part->holes != ZS_HOLES_MADE || engine->finds_zeros, "zeros that are missed");
        }
    }
}

static void check_plan(const struct zs_plan *plan, const struct zs_facts *source,
                       const struct zs_facts *target)
{
    const struct zs_options *options = plan->options;

    require(!plan->sync || zs_facts_is_file(target), "a stream is synced");
    require(plan->sync == (options->sync || options->verify) &&
                plan->no_cache == options->no_cache && plan->atomic == options->atomic &&
                plan->verify == options->verify,
            "what was asked for is forgotten");
    check_resumed(plan, source, target);
    check_holes(plan, source, target);
    check_proof(plan, source, target);

    require(plan->hold == ZS_HOLD_NOTHING || !source->sized, "a known end is held back");
    if (plan->hold == ZS_HOLD_TAIL) {
        require(plan->part_count == 0, "there are parts of an unknown tail");
        return;
    }
    check_uncut(plan, source, target);
    check_engines(plan, target);
    check_longest(plan);
    check_written_once(plan, source, target);
    check_same_file(plan, source, target);
}

static void check_error(const struct zs_error *error)
{
    require(error->kind == ZS_ERROR_USAGE || error->kind == ZS_ERROR_REFUSED ||
                error->kind == ZS_ERROR_SHORT,
            "a refusal of no kind that a plan has");
    require(error->object && error->operation, "a refusal that names nothing");
    require(error->code != 0 || error->detail[0] != '\0', "a refusal without a reason");
}

/* The stream's end becomes known. */
static void check_remade(struct zs_plan *plan, const struct zs_facts *target, uint64_t size)
{
    const struct zs_facts held = {.kind = ZS_KIND_REGULAR,
                                  .readable = true,
                                  .writable = true,
                                  .positioned = true,
                                  .sized = true,
                                  .size_bytes = size,
                                  .allocated_bytes = size,
                                  .shares_nothing = true,
                                  .inode = 99};
    struct zs_error error = {0};

    if (zs_plan_remake(plan, &held, target, &error) < 0)
        check_error(&error);
    else
        check_plan(plan, &held, target);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct zs_slice ranges[MOST_RANGES];
    struct zs_options options;
    struct zs_plan plan;
    struct zs_error error = {0};

    take_options(&input, &options, ranges);
    struct zs_facts source = take_facts(&input, true);
    struct zs_facts target = take_facts(&input, false);
    uint64_t held_bytes = take_number(&input);
    take_sharing(&input, &options, &source, &target);
    take_proof(&input, &options, &source, &target);
    if (zs_plan_make(&options, &source, &target, &plan, &error) < 0) {
        check_error(&error);
    } else {
        require(error.kind == ZS_ERROR_NONE, "a plan and an error");
        check_plan(&plan, &source, &target);
        if (plan.hold == ZS_HOLD_TAIL)
            check_remade(&plan, &target, held_bytes);
    }
    zs_plan_free(&plan);
    return 0;
}
