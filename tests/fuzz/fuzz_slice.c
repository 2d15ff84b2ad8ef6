/*
 * Numbers, the slice language and slice algebra on arbitrary text: the input is up to nine words,
 * separated by newlines: offset, length, end, and the source's size; then RANGE (which takes the
 * place of the first three), record, field, shard and align. Checked against what must hold for any
 * of them.
 */

#include "input.h"
#include "range.h"
#include "units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long ull; /* for printf */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A parsed number, printed in decimal, parses to itself; a POS is a SIZE with at most a sign. */
static bool parse_position(const char *text, struct zs_position *position)
{
    char again[32];
    uint64_t size_bytes;

    if (zs_units_parse_position(text, position) < 0)
        return false;
    require(strpbrk(text, " +.\t") == NULL, "a blank, sign or fraction was accepted");
    (void)snprintf(again, sizeof again, "%llu", (ull)position->distance_bytes);
    require(zs_units_parse_size(again, &size_bytes) == 0, "a printed number was refused");
    require(size_bytes == position->distance_bytes, "a printed number parsed to another one");
    return true;
}

static bool same_position(struct zs_position a, struct zs_position b)
{
    return a.distance_bytes == b.distance_bytes && a.from_end == b.from_end;
}

/* A parsed RANGE, printed in decimal, parses to the same one. */
static bool parse_range(const char *text, struct zs_slice *slice)
{
    char again[128];
    struct zs_slice parsed;
    const char *sign = "";

    if (zs_slice_parse(text, slice) < 0)
        return false;
    require(strpbrk(text, " .\t/") == NULL, "a blank or fraction was accepted in a range");
    require(!slice->has_length || (!slice->has_end && !slice->has_step), "a range of both forms");
    if (slice->offset.from_end)
        sign = "-";
    if (slice->has_length)
        (void)snprintf(again, sizeof again, "%s%llu+%llu", sign, (ull)slice->offset.distance_bytes,
                       (ull)slice->length_bytes);
    else
        (void)snprintf(
            again, sizeof again, "%s%llu:%s%.0llu%s:%.0llu%s", sign,
            (ull)slice->offset.distance_bytes, slice->has_end && slice->end.from_end ? "-" : "",
            (ull)slice->end.distance_bytes,
            slice->has_end && slice->end.distance_bytes == 0 ? "0" : "", (ull)slice->step_bytes,
            slice->has_step && slice->step_bytes == 0 ? "0" : "");
    require(zs_slice_parse(again, &parsed) == 0, "a printed range was refused");
    require(same_position(slice->offset, parsed.offset) && same_position(slice->end, parsed.end) &&
                slice->has_length == parsed.has_length && slice->has_end == parsed.has_end &&
                slice->has_step == parsed.has_step && slice->length_bytes == parsed.length_bytes &&
                slice->step_bytes == parsed.step_bytes,
            "a printed range parsed to another one");
    return true;
}

static bool parse_shard(const char *text, struct zs_shard *shard)
{
    char again[64];
    struct zs_shard parsed;

    if (zs_slice_parse_shard(text, shard) < 0)
        return false;
    require(shard->number >= 1 && shard->number <= shard->count && shard->count <= UINT32_MAX,
            "a shard that there is not");
    (void)snprintf(again, sizeof again, "%llu/%llu", (ull)shard->number, (ull)shard->count);
    require(zs_slice_parse_shard(again, &parsed) == 0, "a printed shard was refused");
    require(parsed.number == shard->number && parsed.count == shard->count,
            "a printed shard parsed to another one");
    return true;
}

static bool parse_field(const char *text, uint64_t record_bytes, struct zs_field *field)
{
    if (zs_slice_parse_field(text, record_bytes, field) < 0)
        return false;
    require(field->start <= record_bytes && field->length_bytes <= record_bytes - field->start,
            "a field reaches out of its record");
    return true;
}

static bool is_whole(const struct zs_slice *slice, const struct zs_selection *selection)
{
    return !slice->has_step && selection->field.length_bytes == selection->record_bytes;
}

/* Of neighbours, the second begins where the first one ends. */
static void check_shards(const struct zs_slice *slice, const struct zs_selection *selection,
                         uint64_t size_bytes)
{
    struct zs_selection next = *selection;
    struct zs_range range = zs_range_resolve(slice, selection, size_bytes);
    struct zs_range whole;

    next.shard = (struct zs_shard){0};
    whole = zs_range_resolve(slice, &next, size_bytes);
    if (!is_whole(slice, selection))
        return;
    require(range.start >= whole.start && zs_range_end(&range) <= zs_range_end(&whole),
            "a shard reaches out of the slice");
    require(selection->shard.number > 1 || range.start == whole.start, "the first shard is not");
    if (selection->shard.number == selection->shard.count) {
        require(zs_range_end(&range) == zs_range_end(&whole), "the last shard is not");
        return;
    }
    next.shard =
        (struct zs_shard){.number = selection->shard.number + 1, .count = selection->shard.count};
    require((zs_range_end(&range) - whole.start) % selection->align_bytes == 0,
            "a bound is not aligned");
    require(zs_range_resolve(slice, &next, size_bytes).start == zs_range_end(&range),
            "there is a gap between shards, or an overlap");
}

static void check_range(const struct zs_slice *slice, const struct zs_selection *selection,
                        uint64_t size_bytes)
{
    struct zs_range range = zs_range_resolve(slice, selection, size_bytes);

    require(range.bounded, "a range of a sized source is unbounded");
    require(range.start <= size_bytes, "a range starts beyond the end");
    require(range.length_bytes <= size_bytes - range.start, "a range ends beyond the end");
    require(zs_range_end(&range) <= size_bytes, "a range's last byte lies beyond the end");
    require(!slice->has_length || range.length_bytes <= slice->length_bytes,
            "a range is longer than asked");
    require(!range.past_end || range.length_bytes == 0, "there are bytes beyond the end");
    require(range.partial_bytes < selection->record_bytes, "a partial record is whole");
    if (range.length_bytes > 0)
        require(zs_range_count_within(&range, zs_range_end(&range) - range.start) ==
                    range.length_bytes,
                "a range has other bytes than it says");
    if (selection->shard.number > 0)
        check_shards(slice, selection, size_bytes);
}

/* How many bytes are selected, by walking them; for sizes where that is quick. */
static void check_count(const struct zs_slice *slice, const struct zs_selection *selection,
                        uint64_t size_bytes)
{
    struct zs_selection plain = {.record_bytes = 1, .field = {0, 1}, .align_bytes = 1};
    struct zs_range span;
    struct zs_slice all = *slice;
    uint64_t stride = slice->has_step ? slice->step_bytes : selection->record_bytes;
    uint64_t index = 0;

    if (size_bytes > 1000 || selection->shard.number > 0)
        return;
    all.has_step = false;
    span = zs_range_resolve(&all, &plain, size_bytes);
    struct zs_range range = zs_range_resolve(slice, selection, size_bytes);
    for (uint64_t at = 0; at < span.length_bytes; at++) {
        uint64_t within = at % stride;
        if (within < selection->field.start ||
            within - selection->field.start >= selection->field.length_bytes)
            continue;
        require(index < range.length_bytes &&
                    range.start + zs_range_offset(&range, index) == span.start + at,
                "a byte that was asked for is missing");
        index++;
    }
    require(index == range.length_bytes, "a byte that was not asked for");
}

static void check_stream(const struct zs_slice *slice, const struct zs_selection *selection)
{
    if (slice->offset.from_end || selection->shard.number > 0)
        return;
    struct zs_range range = zs_range_resolve_stream(slice, selection);
    bool ends = slice->has_length || (slice->has_end && !slice->end.from_end);

    require(range.record_start == slice->offset.distance_bytes, "a stream's offset was moved");
    require(range.missing_bytes == 0 && !range.past_end, "a stream's end is not known");
    /* The field of the first record lies where no stream has bytes: then there is nothing to copy.
     */
    bool beyond = slice->offset.distance_bytes <= INT64_MAX &&
                  selection->field.start > INT64_MAX - slice->offset.distance_bytes;
    require(range.bounded == (ends || selection->field.length_bytes == 0 || beyond),
            "a stream's bound");
    if (range.bounded)
        require(zs_range_end(&range) >= range.start, "a stream's range ends before it starts");
}

/* The words behind the first four. False if one of them is wrong, as for the program. */
static bool take_selection(char *rest, struct zs_slice *slice, struct zs_selection *selection)
{
    char *range = strsep(&rest, "\n");
    char *record = strsep(&rest, "\n");
    char *field = strsep(&rest, "\n");
    char *shard = strsep(&rest, "\n");
    char *align = strsep(&rest, "\n");

    if (range && *range && !parse_range(range, slice))
        return false;
    if (record && *record &&
        (zs_units_parse_size(record, &selection->record_bytes) < 0 || !selection->record_bytes))
        return false;
    selection->field = (struct zs_field){.length_bytes = selection->record_bytes};
    selection->align_bytes = selection->record_bytes;
    if (field && *field && !parse_field(field, selection->record_bytes, &selection->field))
        return false;
    if (shard && *shard && !parse_shard(shard, &selection->shard))
        return false;
    if (align && *align &&
        (zs_units_parse_size(align, &selection->align_bytes) < 0 || !selection->align_bytes))
        return false;
    return true;
}

/* What the options refuse. */
static bool is_possible(struct zs_slice *slice, const struct zs_selection *selection)
{
    if (zs_slice_scale(slice, selection->record_bytes) < 0)
        return false;
    require(!slice->offset_bare && !slice->length_bare && !slice->end_bare && !slice->step_bare,
            "something is to be scaled again");
    return !slice->has_step ||
           (slice->step_bytes >= selection->record_bytes && selection->shard.number == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zs_slice slice = {0};
    struct zs_selection selection = {.record_bytes = 1};
    struct zs_position total = {0};
    char text[256];
    char *rest = text;

    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';

    char *offset = strsep(&rest, "\n");
    char *length = strsep(&rest, "\n");
    char *end = strsep(&rest, "\n");
    char *of = strsep(&rest, "\n");
    if (!parse_position(offset, &slice.offset))
        return 0;
    slice.has_length = length && zs_units_parse_size(length, &slice.length_bytes) == 0;
    slice.has_end = !slice.has_length && end && parse_position(end, &slice.end);
    if (of && !parse_position(of, &total))
        return 0;
    if (!take_selection(rest, &slice, &selection) || !is_possible(&slice, &selection))
        return 0;
    check_range(&slice, &selection, total.distance_bytes);
    check_count(&slice, &selection, total.distance_bytes);
    check_stream(&slice, &selection);
    return 0;
}
