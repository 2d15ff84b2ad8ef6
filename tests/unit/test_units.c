/* The number grammar: dense tables, every byte as a suffix, the edges of 64 bits. */

#include "units.h"

#include "check_helpers.h"

#include <errno.h>

#define UNTOUCHED 0x1234567890abcdefULL

static const struct {
    const char *text;
    uint64_t bytes;
} sizes[] = {
    {"0", 0},
    {"1", 1},
    {"9", 9},
    {"10", 10},
    {"4096", 4096},
    /* leading zeros are decimal */
    {"010", 10},
    {"00", 0},
    {"007", 7},
    {"08", 8},
    {"0000000000000000000000000000000000000000000000000000000000000000000000010", 10},
    {"010K", 10240},
    {"00000000000000000000018446744073709551615", UINT64_MAX},
    /* bytes and sectors */
    {"0B", 0},
    {"7B", 7},
    {"0s", 0},
    {"1s", 512},
    {"8s", 4096},
    /* powers of 1024 */
    {"1k", 1024},
    {"1K", 1024},
    {"1M", 1048576},
    {"1G", 1073741824},
    {"1T", 1099511627776},
    {"1P", 1125899906842624},
    {"1E", 1152921504606846976},
    {"1kiB", 1024},
    {"1KiB", 1024},
    {"1MiB", 1048576},
    {"1GiB", 1073741824},
    {"1TiB", 1099511627776},
    {"1PiB", 1125899906842624},
    {"1EiB", 1152921504606846976},
    /* powers of 1000 */
    {"1kB", 1000},
    {"1KB", 1000},
    {"1MB", 1000000},
    {"1GB", 1000000000},
    {"1TB", 1000000000000},
    {"1PB", 1000000000000000},
    {"1EB", 1000000000000000000},
    /* hexadecimal, in which B and E are digits */
    {"0x0", 0},
    {"0x1", 1},
    {"0x1B", 27},
    {"0x1b", 27},
    {"0x1E", 30},
    {"0x1EB", 491},
    {"0xff", 255},
    {"0xFF", 255},
    {"0xaBcDeF", 0xabcdef},
    {"0x010", 16},
    {"0x00000000000000000000000000000000000000001", 1},
    {"0xffffffffffffffff", UINT64_MAX},
    {"0x0ffffffffffffffff", UINT64_MAX},
    /* the edges of 64 bits */
    {"9223372036854775807", INT64_MAX},
    {"9223372036854775808", (uint64_t)INT64_MAX + 1},
    {"18446744073709551614", UINT64_MAX - 1},
    {"18446744073709551615", UINT64_MAX},
    {"18446744073709551615B", UINT64_MAX},
    {"15E", 17293822569102704640U},
    {"15EiB", 17293822569102704640U},
    {"18EB", 18000000000000000000U},
    {"18014398509481983K", UINT64_MAX - 1023},
    {"17592186044415M", UINT64_MAX - 1048575},
    {"18446744073709551kB", 18446744073709551000U},
    {"18446744073709MB", 18446744073709000000U},
    {"36028797018963967s", UINT64_MAX - 511},
};

START_TEST(a_size_of_the_grammar_has_its_exact_value)
{
    uint64_t bytes = UNTOUCHED;
    int result = zs_units_parse_size(sizes[_i].text, &bytes);

    ck_assert_msg(result == 0, "'%s' is refused: %d", sizes[_i].text, result);
    ck_assert_msg(bytes == sizes[_i].bytes, "'%s' is %ju", sizes[_i].text, (uintmax_t)bytes);
}
END_TEST

#define FIFTY_DIGITS "12345678901234567890123456789012345678901234567890"
#define FIFTY_ZEROS  "00000000000000000000000000000000000000000000000000"

static const struct {
    const char *text;
    int code;
} refused_sizes[] = {
    /* no digits */
    {"", -EINVAL},
    {"K", -EINVAL},
    {"KiB", -EINVAL},
    {"B", -EINVAL},
    {"s", -EINVAL},
    {"m", -EINVAL},
    {"x", -EINVAL},
    {"x1", -EINVAL},
    {"0x", -EINVAL},
    {"0xG", -EINVAL},
    {"0xK", -EINVAL},
    {"0xs", -EINVAL},
    {"0x-1", -EINVAL},
    {"0x+1", -EINVAL},
    {"0x 1", -EINVAL},
    {"0x0x1", -EINVAL},
    /* signs and blanks */
    {"+", -EINVAL},
    {"+1", -EINVAL},
    {"-", -EINVAL},
    {"-0", -EINVAL},
    {"-1", -EINVAL},
    {"-0x1", -EINVAL},
    {"--1", -EINVAL},
    {" ", -EINVAL},
    {" 1", -EINVAL},
    {"1 ", -EINVAL},
    {"1 K", -EINVAL},
    {"1K ", -EINVAL},
    {"\t1", -EINVAL},
    {"1\n", -EINVAL},
    {"1\r", -EINVAL},
    {"\v1", -EINVAL},
    {"0x1 ", -EINVAL},
    /* other notations */
    {"0X1", -EINVAL},
    {"00x1", -EINVAL},
    {"1x1", -EINVAL},
    {"0b1", -EINVAL},
    {"0o7", -EINVAL},
    {"1.5", -EINVAL},
    {"1.5K", -EINVAL},
    {".5", -EINVAL},
    {"1.", -EINVAL},
    {"1,000", -EINVAL},
    {"1_000", -EINVAL},
    {"1'000", -EINVAL},
    {"1e3", -EINVAL},
    {"1E3", -EINVAL},
    {"$1", -EINVAL},
    {"1*2", -EINVAL},
    {"1-2", -EINVAL},
    {"1+2", -EINVAL},
    {"1:2", -EINVAL},
    {"ten", -EINVAL},
    {"inf", -EINVAL},
    {"nan", -EINVAL},
    {"a", -EINVAL},
    {"1a", -EINVAL},
    /* suffixes that are none */
    {"1b", -EINVAL},
    {"1S", -EINVAL},
    {"1m", -EINVAL},
    {"1g", -EINVAL},
    {"1e", -EINVAL},
    {"1w", -EINVAL},
    {"1c", -EINVAL},
    {"1Z", -EINVAL},
    {"1Y", -EINVAL},
    {"1R", -EINVAL},
    {"1Q", -EINVAL},
    {"1i", -EINVAL},
    {"1iB", -EINVAL},
    {"1Ki", -EINVAL},
    {"1Kib", -EINVAL},
    {"1KIB", -EINVAL},
    {"1Kb", -EINVAL},
    {"1mB", -EINVAL},
    {"1miB", -EINVAL},
    {"1gB", -EINVAL},
    {"1eB", -EINVAL},
    {"1ZB", -EINVAL},
    {"1KK", -EINVAL},
    {"1KM", -EINVAL},
    {"1BB", -EINVAL},
    {"1BK", -EINVAL},
    {"1ss", -EINVAL},
    {"1sB", -EINVAL},
    {"1siB", -EINVAL},
    {"1Ks", -EINVAL},
    {"1KBB", -EINVAL},
    {"1KiBs", -EINVAL},
    {"1KiB1", -EINVAL},
    {"1K1", -EINVAL},
    {"1Kx", -EINVAL},
    {"1\xc2\xb5", -EINVAL},
    {"1\xe2\x82\xac", -EINVAL},
    {"\xef\xbc\x91", -EINVAL}, /* a full-width 1 */
    {"1\xd9\xa1", -EINVAL},    /* an Arabic-Indic 1 */
    {"\xff", -EINVAL},
    {"1\xff", -EINVAL},
    /* hexadecimal takes no suffix */
    {"0x1K", -EINVAL},
    {"0x1s", -EINVAL},
    {"0x1KiB", -EINVAL},
    {"0x1g", -EINVAL},
    /* beyond 2^64-1 */
    {"18446744073709551616", -ERANGE},
    {"18446744073709551616B", -ERANGE},
    {"18446744073709551617", -ERANGE},
    {"18446744073709551620", -ERANGE},
    {"18446744073709551625", -ERANGE},
    {"18446744073709551700", -ERANGE},
    {"27670116110564327424", -ERANGE},
    {"99999999999999999999", -ERANGE},
    {"184467440737095516150", -ERANGE},
    {"36893488147419103232", -ERANGE}, /* 2^65: wraps to 0 */
    {"0x10000000000000000", -ERANGE},
    {"0x1ffffffffffffffff", -ERANGE},
    {"0xfffffffffffffffff", -ERANGE},
    {FIFTY_DIGITS FIFTY_DIGITS, -ERANGE},
    {"1" FIFTY_ZEROS FIFTY_ZEROS, -ERANGE},
    {"0x1" FIFTY_ZEROS FIFTY_ZEROS, -ERANGE},
    {"16E", -ERANGE},
    {"16EiB", -ERANGE},
    {"17E", -ERANGE},
    {"32E", -ERANGE},
    {"19EB", -ERANGE},
    {"16384P", -ERANGE},
    {"18014398509481984K", -ERANGE},
    {"18014398509481984KiB", -ERANGE},
    {"18446744073709552kB", -ERANGE},
    {"18446744073710MB", -ERANGE},
    {"36028797018963968s", -ERANGE},
    {"18446744073709551615K", -ERANGE},
    {"18446744073709551615s", -ERANGE},
    {"18446744073709551616K", -ERANGE},
    /* malformed wins over too large */
    {FIFTY_DIGITS "x", -EINVAL},
    {FIFTY_DIGITS " ", -EINVAL},
    {"0x1" FIFTY_ZEROS "g", -EINVAL},
    {"16EE", -EINVAL},
};

START_TEST(what_is_no_size_is_refused_and_sets_nothing)
{
    uint64_t bytes = UNTOUCHED;
    int result = zs_units_parse_size(refused_sizes[_i].text, &bytes);

    ck_assert_msg(result == refused_sizes[_i].code, "'%s' gives %d", refused_sizes[_i].text,
                  result);
    ck_assert_uint_eq(bytes, UNTOUCHED);
}
END_TEST

START_TEST(what_is_no_size_is_no_position_either)
{
    const char *text = refused_sizes[_i].text;
    struct zs_position position = {UNTOUCHED, true};

    if (text[0] == '-' && text[1] != '-' && text[1] != '\0')
        return; /* a sign is what a POS may have */
    ck_assert_msg(zs_units_parse_position(text, &position) == refused_sizes[_i].code,
                  "'%s' is accepted or refused otherwise", text);
    ck_assert_uint_eq(position.distance_bytes, UNTOUCHED);
    ck_assert(position.from_end);
}
END_TEST

START_TEST(what_is_no_size_is_none_behind_a_minus)
{
    char text[128];
    struct zs_position position = {UNTOUCHED, false};

    (void)snprintf(text, sizeof text, "-%s", refused_sizes[_i].text);
    ck_assert_msg(zs_units_parse_position(text, &position) == refused_sizes[_i].code,
                  "'%s' is accepted or refused otherwise", text);
    ck_assert_uint_eq(position.distance_bytes, UNTOUCHED);
    ck_assert(!position.from_end);
}
END_TEST

static const struct {
    const char *text;
    uint64_t distance;
    bool from_end;
} positions[] = {
    {"0", 0, false},
    {"-0", 0, true},
    {"5", 5, false},
    {"-5", 5, true},
    {"-0x10", 16, true},
    {"0x10", 16, false},
    {"-010", 10, true},
    {"-1K", 1024, true},
    {"-1kB", 1000, true},
    {"-8s", 4096, true},
    {"-0K", 0, true},
    {"-18446744073709551615", UINT64_MAX, true},
    {"18446744073709551615", UINT64_MAX, false},
    {"-15E", 17293822569102704640U, true},
};

START_TEST(a_position_counts_from_the_end_behind_a_minus)
{
    struct zs_position position = {UNTOUCHED, !positions[_i].from_end};

    ck_assert_int_eq(zs_units_parse_position(positions[_i].text, &position), 0);
    ck_assert_uint_eq(position.distance_bytes, positions[_i].distance);
    ck_assert_int_eq(position.from_end, positions[_i].from_end);
}
END_TEST

START_TEST(every_size_is_the_same_position)
{
    struct zs_position position = {UNTOUCHED, true};

    ck_assert_int_eq(zs_units_parse_position(sizes[_i].text, &position), 0);
    ck_assert_uint_eq(position.distance_bytes, sizes[_i].bytes);
    ck_assert(!position.from_end);
}
END_TEST

static const struct {
    const char *text;
    uint64_t factor;
} suffixes[] = {
    {"", 1},
    {"B", 1},
    {"s", 512},
    {"k", 1ULL << 10},
    {"K", 1ULL << 10},
    {"M", 1ULL << 20},
    {"G", 1ULL << 30},
    {"T", 1ULL << 40},
    {"P", 1ULL << 50},
    {"E", 1ULL << 60},
    {"KiB", 1ULL << 10},
    {"MiB", 1ULL << 20},
    {"GiB", 1ULL << 30},
    {"TiB", 1ULL << 40},
    {"PiB", 1ULL << 50},
    {"EiB", 1ULL << 60},
    {"kB", 1000},
    {"KB", 1000},
    {"MB", 1000000},
    {"GB", 1000000000},
    {"TB", 1000000000000},
    {"PB", 1000000000000000},
    {"EB", 1000000000000000000},
};

static int parse_with_suffix(uint64_t number, const char *suffix, uint64_t *bytes)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%ju%s", (uintmax_t)number, suffix);
    return zs_units_parse_size(text, bytes);
}

START_TEST(every_suffix_multiplies_up_to_the_last_product_of_64_bits)
{
    const char *suffix = suffixes[_i].text;
    uint64_t factor = suffixes[_i].factor;
    uint64_t most = UINT64_MAX / factor;
    const uint64_t numbers[] = {0, 1, 2, 7, 15, most / 2, most - 1, most};

    for (int i = 0; i < ROWS(numbers); i++) {
        uint64_t bytes = UNTOUCHED;
        if (numbers[i] > most)
            continue;
        ck_assert_int_eq(parse_with_suffix(numbers[i], suffix, &bytes), 0);
        ck_assert_uint_eq(bytes, numbers[i] * factor);
    }
    uint64_t bytes = UNTOUCHED;
    if (most < UINT64_MAX)
        ck_assert_int_eq(parse_with_suffix(most + 1, suffix, &bytes), -ERANGE);
    ck_assert_uint_eq(bytes, UNTOUCHED);
}
END_TEST

/* strchr that does not find the terminator. */
static bool is_one_of(int byte, const char *set)
{
    return byte != 0 && strchr(set, byte) != NULL;
}

static void expect_accepted(const char *text, bool accepted)
{
    uint64_t bytes;
    ck_assert_msg((zs_units_parse_size(text, &bytes) == 0) == accepted, "'%s' is %s", text,
                  accepted ? "refused" : "accepted");
}

START_TEST(no_other_byte_is_a_suffix_or_a_digit)
{
    char byte = (char)_i;
    const char digits[] = "0123456789";
    const char letters[] = "kKMGTPE";

    expect_accepted((char[]){byte, 0}, is_one_of(byte, digits));
    expect_accepted((char[]){byte, '1', 0}, is_one_of(byte, digits));
    expect_accepted((char[]){'1', byte, 0},
                    is_one_of(byte, digits) || is_one_of(byte, letters) || is_one_of(byte, "sB"));
    expect_accepted((char[]){'1', byte, 'B', 0},
                    is_one_of(byte, digits) || is_one_of(byte, letters));
    expect_accepted((char[]){'1', byte, 'i', 'B', 0}, is_one_of(byte, letters));
    expect_accepted((char[]){'1', 'K', byte, 0}, byte == 'B');
    expect_accepted((char[]){'1', 'K', byte, 'B', 0}, byte == 'i');
    expect_accepted((char[]){'1', 'K', 'i', byte, 0}, byte == 'B');
    expect_accepted((char[]){'1', 'K', 'i', 'B', byte, 0}, false);
    expect_accepted((char[]){'0', byte, '1', 0}, is_one_of(byte, digits) || byte == 'x');
    expect_accepted((char[]){'0', 'x', byte, 0},
                    is_one_of(byte, digits) || is_one_of(byte, "abcdefABCDEF"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("units");
    TCase *size = add_case(suite, "size");
    add_rows(size, a_size_of_the_grammar_has_its_exact_value, sizes);
    add_rows(size, what_is_no_size_is_refused_and_sets_nothing, refused_sizes);
    add_rows(size, every_suffix_multiplies_up_to_the_last_product_of_64_bits, suffixes);
    tcase_add_loop_test(size, no_other_byte_is_a_suffix_or_a_digit, 1, 256);

    TCase *position = add_case(suite, "position");
    add_rows(position, a_position_counts_from_the_end_behind_a_minus, positions);
    add_rows(position, every_size_is_the_same_position, sizes);
    add_rows(position, what_is_no_size_is_no_position_either, refused_sizes);
    add_rows(position, what_is_no_size_is_none_behind_a_minus, refused_sizes);
    return run_pure_suite(suite);
}
