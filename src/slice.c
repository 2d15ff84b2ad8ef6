/* The slice language: RANGE, field and shard, from text to values. */

#include "slice.h"

#include <errno.h>
#include <string.h>

/* Longer than any number that fits 64 bits, with many leading zeros. */
enum { NUMBER_CHARACTERS = 4096 };

/* Copies text[0 .. length) as a string; -EINVAL if it is too long to be a number. */
static int cut_out(const char *text, size_t length, char number[NUMBER_CHARACTERS])
{
    if (length >= NUMBER_CHARACTERS)
        return -EINVAL;
    memcpy(number, text, length);
    number[length] = '\0';
    return 0;
}

static int parse_position(const char *text, size_t length, struct zs_position *position, bool *bare)
{
    char number[NUMBER_CHARACTERS];

    int result = cut_out(text, length, number);
    if (result == 0)
        result = zs_units_parse_position(number, position);
    if (result == 0)
        *bare = zs_units_is_bare(number);
    return result;
}

static int parse_size(const char *text, size_t length, uint64_t *size_bytes, bool *bare)
{
    char number[NUMBER_CHARACTERS];

    int result = cut_out(text, length, number);
    if (result == 0)
        result = zs_units_parse_size(number, size_bytes);
    if (result == 0)
        *bare = zs_units_is_bare(number);
    return result;
}

/* START+LENGTH: both are there. */
static int parse_start_and_length(const char *text, const char *plus, struct zs_slice *slice)
{
    int result = parse_position(text, (size_t)(plus - text), &slice->offset, &slice->offset_bare);
    if (result < 0)
        return result;
    slice->has_length = true;
    return parse_size(plus + 1, strlen(plus + 1), &slice->length_bytes, &slice->length_bare);
}

/* START:STOP[:STEP], every part optional. */
static int parse_start_stop_step(const char *text, const char *colon, struct zs_slice *slice)
{
    const char *stop = colon + 1;
    const char *second = strchr(stop, ':');
    size_t stop_length = second ? (size_t)(second - stop) : strlen(stop);
    int result = 0;

    if (colon > text)
        result = parse_position(text, (size_t)(colon - text), &slice->offset, &slice->offset_bare);
    if (result == 0 && stop_length > 0) {
        slice->has_end = true;
        result = parse_position(stop, stop_length, &slice->end, &slice->end_bare);
    }
    if (result == 0 && second && second[1] != '\0') {
        slice->has_step = true;
        result = parse_size(second + 1, strlen(second + 1), &slice->step_bytes, &slice->step_bare);
    }
    return result;
}

int zs_slice_parse(const char *text, struct zs_slice *slice)
{
    struct zs_slice parsed = {.has_length = false};
    const char *colon = strchr(text, ':');
    const char *plus = strchr(text, '+');
    int result = -EINVAL;

    if (colon)
        result = parse_start_stop_step(text, colon, &parsed);
    else if (plus)
        result = parse_start_and_length(text, plus, &parsed);
    if (result == 0)
        *slice = parsed;
    return result;
}

static int scale(uint64_t *value, bool *bare, uint64_t record_bytes)
{
    if (*bare && __builtin_mul_overflow(*value, record_bytes, value))
        return -ERANGE;
    *bare = false;
    return 0;
}

int zs_slice_scale(struct zs_slice *slice, uint64_t record_bytes)
{
    if (scale(&slice->offset.distance_bytes, &slice->offset_bare, record_bytes) < 0 ||
        scale(&slice->length_bytes, &slice->length_bare, record_bytes) < 0 ||
        scale(&slice->end.distance_bytes, &slice->end_bare, record_bytes) < 0 ||
        scale(&slice->step_bytes, &slice->step_bare, record_bytes) < 0)
        return -ERANGE;
    return 0;
}

/* A position within a record; -EDOM outside it. */
static int place(struct zs_position position, uint64_t record_bytes, uint64_t *at)
{
    if (position.distance_bytes > record_bytes)
        return -EDOM;
    *at = position.from_end ? record_bytes - position.distance_bytes : position.distance_bytes;
    return 0;
}

int zs_slice_parse_field(const char *text, uint64_t record_bytes, struct zs_field *field)
{
    struct zs_slice slice;
    uint64_t start = 0;
    uint64_t end = record_bytes;

    int result = zs_slice_parse(text, &slice);
    if (result == 0 && slice.has_step)
        result = -EINVAL;
    if (result == 0)
        result = place(slice.offset, record_bytes, &start);
    if (result == 0 && slice.has_end)
        result = place(slice.end, record_bytes, &end);
    if (result == 0 && slice.has_length) {
        if (slice.length_bytes > record_bytes - start)
            result = -EDOM;
        end = start + slice.length_bytes;
    }
    if (result == 0)
        *field = (struct zs_field){.start = start, .length_bytes = end > start ? end - start : 0};
    return result;
}

int zs_slice_parse_shard(const char *text, struct zs_shard *shard)
{
    const char *slash = strchr(text, '/');
    struct zs_shard parsed = {0};
    bool bare = true;

    if (!slash)
        return -EINVAL;
    int result = parse_size(text, (size_t)(slash - text), &parsed.number, &bare);
    if (result == 0 && bare)
        result = parse_size(slash + 1, strlen(slash + 1), &parsed.count, &bare);
    if (result < 0 || !bare)
        return result < 0 ? result : -EINVAL;
    if (parsed.number == 0 || parsed.number > parsed.count || parsed.count > UINT32_MAX)
        return -ERANGE;
    *shard = parsed;
    return 0;
}

bool zs_slice_is_from_end(const struct zs_slice *slice)
{
    bool to_the_end = slice->has_end && slice->end.from_end && slice->end.distance_bytes == 0;

    return slice->offset.from_end || (slice->has_end && slice->end.from_end && !to_the_end);
}
