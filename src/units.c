/* The number grammar: text to exact 64-bit values, or a refusal. */

#include "units.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/*
 * Reads digits up to the first character that is none; *text is moved behind them. Reading goes on
 * after an overflow, so that "99999999999999999999x" is malformed rather than too large.
 */
static int parse_digits(const char **text, unsigned base, uint64_t *value)
{
    const char *start = *text;
    bool overflow = false;
    uint64_t sum = 0;

    for (;; (*text)++) {
        int digit = digit_value(**text);
        if (digit < 0 || (unsigned)digit >= base)
            break;
        overflow |= __builtin_mul_overflow(sum, (uint64_t)base, &sum);
        overflow |= __builtin_add_overflow(sum, (uint64_t)digit, &sum);
    }
    if (*text == start)
        return -EINVAL;
    *value = sum;
    return overflow ? -ERANGE : 0;
}

static uint64_t power(uint64_t base, size_t exponent)
{
    uint64_t result = 1;
    while (exponent-- > 0)
        result *= base;
    return result;
}

/* The factor of a suffix, 0 if it is none. The largest, 1024^6, fits 64 bits. */
static uint64_t suffix_factor(const char *suffix)
{
    static const char letters[] = "KMGTPE";

    if (*suffix == '\0' || strcmp(suffix, "B") == 0)
        return 1;
    if (strcmp(suffix, "s") == 0)
        return 512;

    char letter = *suffix == 'k' ? 'K' : *suffix;
    const char *found = strchr(letters, letter);
    if (!found)
        return 0;
    size_t exponent = (size_t)(found - letters) + 1;

    if (suffix[1] == '\0' || strcmp(suffix + 1, "iB") == 0)
        return power(1024, exponent);
    if (strcmp(suffix + 1, "B") == 0)
        return power(1000, exponent);
    return 0;
}

int zs_units_parse_size(const char *text, uint64_t *size_bytes)
{
    uint64_t value = 0;
    uint64_t factor = 1;
    int digits;

    if (text[0] == '0' && text[1] == 'x') {
        text += 2;
        digits = parse_digits(&text, 16, &value);
        if (*text != '\0')
            return -EINVAL;
    } else {
        digits = parse_digits(&text, 10, &value);
        factor = suffix_factor(text);
        if (factor == 0)
            return -EINVAL;
    }
    if (digits < 0)
        return digits;
    if (__builtin_mul_overflow(value, factor, &value))
        return -ERANGE;
    *size_bytes = value;
    return 0;
}

int zs_units_parse_position(const char *text, struct zs_position *position)
{
    bool from_end = text[0] == '-';
    uint64_t distance_bytes;

    int result = zs_units_parse_size(from_end ? text + 1 : text, &distance_bytes);
    if (result < 0)
        return result;
    *position = (struct zs_position){.distance_bytes = distance_bytes, .from_end = from_end};
    return 0;
}

bool zs_units_is_bare(const char *text)
{
    size_t length = strlen(text);
    bool hexadecimal = strstr(text, "0x") != NULL;

    return length > 0 && (hexadecimal || (text[length - 1] >= '0' && text[length - 1] <= '9'));
}
