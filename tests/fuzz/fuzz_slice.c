/*
 * Numbers and slice algebra on arbitrary text: the input is up to four words, separated by
 * newlines: offset, length, end, and the source's size. Checked against what must hold for any of
 * them.
 */

#include "range.h"
#include "units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition, const char *what)
{
    if (condition)
        return;
    (void)fprintf(stderr, "fuzz_slice: %s\n", what);
    abort();
}

/* A parsed number, printed in decimal, parses to itself; a POS is a SIZE with at most a sign. */
static bool parse_position(const char *text, struct zs_position *position)
{
    char again[32];
    uint64_t size_bytes;

    if (zs_units_parse_position(text, position) < 0)
        return false;
    require(strpbrk(text, " +.\t") == NULL, "a blank, sign or fraction was accepted");
    (void)snprintf(again, sizeof again, "%llu", (unsigned long long)position->distance_bytes);
    require(zs_units_parse_size(again, &size_bytes) == 0, "a printed number was refused");
    require(size_bytes == position->distance_bytes, "a printed number parsed to another one");
    return true;
}

static void check_range(const struct zs_slice *slice, uint64_t size_bytes)
{
    struct zs_range range = zs_range_resolve(slice, size_bytes);

    require(range.bounded, "a range of a sized source is unbounded");
    require(range.start <= size_bytes, "a range starts beyond the end");
    require(range.length_bytes <= size_bytes - range.start, "a range ends beyond the end");
    require(!slice->has_length || range.length_bytes <= slice->length_bytes,
            "a range is longer than asked");
    require(!range.past_end || range.length_bytes == 0, "there are bytes beyond the end");
}

static void check_stream(const struct zs_slice *slice)
{
    struct zs_range range;

    if (zs_range_resolve_stream(slice, &range) < 0)
        return;
    require(range.start == slice->offset.distance_bytes, "a stream's offset was moved");
    require(range.missing_bytes == 0 && !range.past_end, "a stream's end is not known");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zs_slice slice = {0};
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
    if (!parse_position(offset, &slice.offset))
        return 0;
    slice.has_length = length && zs_units_parse_size(length, &slice.length_bytes) == 0;
    slice.has_end = !slice.has_length && end && parse_position(end, &slice.end);
    if (rest && !parse_position(rest, &total))
        return 0;
    check_range(&slice, total.distance_bytes);
    check_stream(&slice);
    return 0;
}
