/*
 * dd's operands: the number grammar, every word, and what they amount to between every two ends,
 * above all when it is to be done in blocks.
 */

#include "dd.h"

#include "check_helpers.h"

#include <errno.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

enum { MOST_WORDS = 8 };

struct parsed {
    int argc;
    char *argv[MOST_WORDS + 2];
    struct zs_dd dd;
    struct zs_options options;
    enum zs_action action;
    struct zs_error error;
    int result;
};

static void parse(struct parsed *parsed, const char *const *words)
{
    *parsed = (struct parsed){.argc = 1, .argv = {strdup("zdd")}};
    for (; words[parsed->argc - 1]; parsed->argc++)
        parsed->argv[parsed->argc] = strdup(words[parsed->argc - 1]);
    parsed->result = zs_dd_parse(parsed->argc, parsed->argv, &parsed->dd, &parsed->options,
                                 &parsed->action, &parsed->error);
}

static void end(struct parsed *parsed)
{
    zs_dd_free(&parsed->dd);
    for (int i = 0; i < parsed->argc; i++)
        free(parsed->argv[i]);
}

/* One operand, of a name and a value. */
static void parse_one(struct parsed *parsed, const char *name, const char *value)
{
    char operand[256];
    (void)snprintf(operand, sizeof operand, "%s=%s", name, value);
    parse(parsed, (const char *const[]){operand, NULL});
}

/* The name */

static const struct {
    const char *argv0;
    bool is_name;
} names[] = {
    {"zdd", true},
    {"./zdd", true},
    {"/usr/bin/zdd", true},
    {"dd/zdd", true},
    {"//zdd", true},
    {NULL, false},
    {"", false},
    {"zslice", false},
    {"dd", false},
    {"ZDD", false},
    {"zddd", false},
    {"zdd2", false},
    {"xzdd", false},
    {"zdd/", false},
    {"zdd/zslice", false},
    {"/usr/bin/dd", false},
    {"/usr/zdd.", false},
    {"zdd ", false},
};

START_TEST(zdd_is_the_name)
{
    ck_assert_int_eq(zs_dd_is_name(names[_i].argv0), names[_i].is_name);
}
END_TEST

/* Numbers */

static const struct {
    const char *text;
    uint64_t number;
    bool bytes;
    bool zero_multiplier;
} numbers[] = {
    {"0", 0, false, false},
    {"1", 1, false, false},
    {"4096", 4096, false, false},
    {"9223372036854775807", INT64_MAX, false, false},
    /* leading zeros are decimal; a sign and blanks are what strtol(3) takes */
    {"010", 10, false, false},
    {"00", 0, false, false},
    {"08", 8, false, false},
    {"0000000000000000000000000000000000000000000000010", 10, false, false},
    {"00009223372036854775807", INT64_MAX, false, false},
    {"+5", 5, false, false},
    {" 9", 9, false, false},
    {"\t\n\v\f\r 9", 9, false, false},
    {" +7", 7, false, false},
    {"+0", 0, false, false},
    /* suffixes */
    {"7c", 7, false, false},
    {"7w", 14, false, false},
    {"7b", 3584, false, false},
    {"7k", 7168, false, false},
    {"7K", 7168, false, false},
    {"7M", 7340032, false, false},
    {"7G", 7516192768, false, false},
    {"7T", 7696581394432, false, false},
    {"7P", 7881299347898368, false, false},
    {"7E", 8070450532247928832, false, false},
    {"7kB", 7000, true, false},
    {"7KB", 7000, true, false},
    {"7MB", 7000000, true, false},
    {"7GB", 7000000000, true, false},
    {"7TB", 7000000000000, true, false},
    {"7PB", 7000000000000000, true, false},
    {"7EB", 7000000000000000000, true, false},
    {"7kD", 7000, false, false},
    {"7MD", 7000000, false, false},
    {"7ED", 7000000000000000000, false, false},
    {"7kiB", 7168, true, false},
    {"7KiB", 7168, true, false},
    {"7MiB", 7340032, true, false},
    {"7EiB", 8070450532247928832, true, false},
    /* a suffix alone is one of it */
    {"c", 1, false, false},
    {"w", 2, false, false},
    {"b", 512, false, false},
    {"k", 1024, false, false},
    {"E", 1152921504606846976, false, false},
    {"MB", 1000000, true, false},
    {"MiB", 1048576, true, false},
    /* B: bytes, and not blocks */
    {"0B", 0, true, false},
    {"5B", 5, true, false},
    {"5cB", 5, true, false},
    {"5wB", 10, true, false},
    {"5bB", 2560, true, false},
    {"cB", 1, true, false},
    {"9223372036854775807B", INT64_MAX, true, false},
    /* products */
    {"2x3", 6, false, false},
    {"2x80x18b", 1474560, false, false},
    {"1Kx1K", 1048576, false, false},
    {"2kBx3w", 12000, true, false},
    {"bxb", 262144, false, false},
    {"2Bx3", 6, true, false},
    {"2x3B", 6, true, false},
    {"2x+3", 6, false, false},
    {"2x 3", 6, false, false},
    {"1x1x1x1x1x1x1x1x1x1x1x7", 7, false, false},
    {"3037000499x3037000499", 9223372030926249001, false, false},
    {"9223372036854775807x1", INT64_MAX, false, false},
    {"4294967296x2147483647", 9223372032559808512, false, false},
    /* what looks hexadecimal is a product with 0, and worth a warning */
    {"0x5", 0, false, true},
    {"0x10B", 0, true, true},
    {"0x0", 0, false, true},
    {"2x0x3", 0, false, true},
    {"0x5x6", 0, false, true},
    {"00x5", 0, false, false},
    {"+0x5", 0, false, false},
    {" 0x5", 0, false, false},
    {"0cx5", 0, false, false},
    {"5x0", 0, false, false},
    {"5x00x3", 0, false, false},
    {"10x5", 50, false, false},
    /* 0 of anything is 0, be it beyond all numbers */
    {"0E", 0, false, false},
    {"0Y", 0, false, false},
    {"0ZB", 0, true, false},
    {"0R", 0, false, false},
    {"0QiB", 0, true, false},
    {"00x99999999999999999999", 0, false, false},
    {"0x16E", 0, false, true},
    {"9223372036854775807x9223372036854775807x0", 0, false, false},
};

START_TEST(a_number_of_the_grammar_has_its_exact_value)
{
    static const char *const operands[] = {"seek", "oseek", "skip", "iseek", "count"};

    for (int i = 0; i < ROWS(operands); i++) {
        struct parsed parsed;
        parse_one(&parsed, operands[i], numbers[_i].text);
        ck_assert_msg(parsed.result == 0, "%s=%s is refused: %s", operands[i], numbers[_i].text,
                      parsed.error.detail);
        const struct zs_dd_number *number = i < 2   ? &parsed.dd.seek
                                            : i < 4 ? &parsed.dd.skip
                                                    : &parsed.dd.count;
        ck_assert_uint_eq(number->number, numbers[_i].number);
        ck_assert_int_eq(number->bytes, numbers[_i].bytes);
        ck_assert_int_eq(parsed.dd.zero_multiplier, numbers[_i].zero_multiplier);
        ck_assert_int_eq(parsed.dd.has_count, i == 4);
        end(&parsed);
    }
}
END_TEST

/* From 1 to 2^63-2, of which a B changes nothing. */
START_TEST(every_number_is_a_size_that_a_block_can_have)
{
    static const char *const operands[] = {"bs", "ibs", "obs"};
    uint64_t number = numbers[_i].number;

    for (int i = 0; i < ROWS(operands); i++) {
        struct parsed parsed;
        parse_one(&parsed, operands[i], numbers[_i].text);
        if (number == 0 || number == INT64_MAX) {
            ck_assert_int_eq(parsed.result, -1);
            ck_assert_int_eq(parsed.error.kind, ZS_ERROR_USAGE);
            ck_assert_ptr_eq(parsed.error.object, parsed.argv[1]);
            ck_assert_str_eq(parsed.error.detail,
                             number == 0 ? "it must be at least 1" : "beyond 2^63-1");
        } else {
            ck_assert_int_eq(parsed.result, 0);
            ck_assert_uint_eq(parsed.dd.read_bytes, i < 2 ? number : 512);
            ck_assert_uint_eq(parsed.dd.write_bytes, i != 1 ? number : 512);
            ck_assert_int_eq(parsed.dd.unchanged, i == 0);
        }
        end(&parsed);
    }
}
END_TEST

START_TEST(a_block_has_room_for_one_byte_behind_it)
{
    struct parsed parsed;

    parse_one(&parsed, "bs", "9223372036854775806");
    ck_assert_int_eq(parsed.result, 0);
    ck_assert_uint_eq(parsed.dd.read_bytes, INT64_MAX - 1);
    end(&parsed);
}
END_TEST

static const char malformed[] = "not a number such as 4096, 64K, 10MB or 2x512";
static const char too_large[] = "beyond 2^63-1";

static const struct {
    const char *text;
    const char *reason;
} wrong_numbers[] = {
    /* no digits */
    {"", malformed},
    {" ", malformed},
    {"+", malformed},
    {"-", malformed},
    {"x", malformed},
    {"B", malformed},
    {"iB", malformed},
    {"D", malformed},
    {"m", malformed},
    {"+k", malformed},
    {"ten", malformed},
    /* signs and blanks */
    {"-1", malformed},
    {"-0", malformed},
    {" -1", malformed},
    {"++1", malformed},
    {"+-1", malformed},
    {"+ 1", malformed},
    {"1 ", malformed},
    {"1 K", malformed},
    {"1+", malformed},
    {"1\n", malformed},
    {"2 x3", malformed},
    {"2x-3", malformed},
    /* other notations */
    {"1.5", malformed},
    {"1,000", malformed},
    {"1e3", malformed},
    {"0X5", malformed},
    {"0xff", malformed},
    {"0x1F", malformed},
    {"1*2", malformed},
    {"\xef\xbc\x91", malformed}, /* a full-width 1 */
    {"1\xff", malformed},
    /* products that lack a factor */
    {"x1", malformed},
    {"1x", malformed},
    {"1xx2", malformed},
    {"1x2x", malformed},
    {"0x", malformed},
    {"1xB", malformed},
    {"1X2", malformed},
    /* suffixes that are none */
    {"1m", malformed},
    {"1g", malformed},
    {"1t", malformed},
    {"1e", malformed},
    {"1s", malformed},
    {"1C", malformed},
    {"1W", malformed},
    {"1i", malformed},
    {"1iB", malformed},
    {"1D", malformed},
    {"1cD", malformed},
    {"1wiB", malformed},
    {"1biB", malformed},
    {"1KK", malformed},
    {"1cc", malformed},
    {"1Ki", malformed},
    {"1Kib", malformed},
    {"1KIB", malformed},
    {"1Kb", malformed},
    {"1K1", malformed},
    {"1BB", malformed},
    {"1BK", malformed},
    {"1KBB", malformed},
    {"1KiBB", malformed},
    {"1cBB", malformed},
    {"1KDx", malformed},
    /* beyond 2^63-1 */
    {"9223372036854775808", too_large},
    {"9223372036854775808B", too_large},
    {"18446744073709551615", too_large},
    {"18446744073709551616", too_large}, /* 2^64: wraps to 0 */
    {"18446744073709551617", too_large},
    {"36893488147419103233", too_large},
    {"99999999999999999999999999999999999999999999999999", too_large},
    {"8E", too_large},
    {"8EiB", too_large},
    {"16E", too_large},
    {"17E", too_large},
    {"10EB", too_large},
    {"19EB", too_large},
    {"9223372036854775807w", too_large},
    {"1Z", too_large},
    {"1ZB", too_large},
    {"1Y", too_large},
    {"1YiB", too_large},
    {"1R", too_large},
    {"1Q", too_large},
    {"Y", too_large},
    {"9223372036854775807x2", too_large},
    {"4294967296x2147483648", too_large}, /* 2^63 */
    {"4294967296x4294967296", too_large}, /* 2^64 */
    {"4294967296x4294967297", too_large},
    {"3037000500x3037000500", too_large},
    {"18446744073709551616x1", too_large},
    {"1x18446744073709551616", too_large},
    {"1Ex1Ex1Ex1E", too_large},
    /* malformed wins over too large */
    {"99999999999999999999m", malformed},
    {"8Ex", malformed},
    {"1Zx2m", malformed},
};

START_TEST(what_is_no_number_is_refused_with_its_operand)
{
    static const char *const operands[] = {"bs",    "ibs",  "obs",   "skip",
                                           "iseek", "seek", "oseek", "count"};

    for (int i = 0; i < ROWS(operands); i++) {
        struct parsed parsed;
        parse_one(&parsed, operands[i], wrong_numbers[_i].text);
        ck_assert_msg(parsed.result == -1, "%s is accepted", parsed.argv[1]);
        ck_assert_int_eq(parsed.error.kind, ZS_ERROR_USAGE);
        ck_assert_ptr_eq(parsed.error.object, parsed.argv[1]);
        ck_assert_msg(strcmp(parsed.error.detail, wrong_numbers[_i].reason) == 0, "%s: %s",
                      parsed.argv[1], parsed.error.detail);
        end(&parsed);
    }
}
END_TEST

static const struct {
    const char *text;
    uint64_t factor;
} suffixes[] = {
    {"", 1},
    {"B", 1},
    {"c", 1},
    {"cB", 1},
    {"w", 2},
    {"wB", 2},
    {"b", 512},
    {"bB", 512},
    {"k", 1ULL << 10},
    {"K", 1ULL << 10},
    {"M", 1ULL << 20},
    {"G", 1ULL << 30},
    {"T", 1ULL << 40},
    {"P", 1ULL << 50},
    {"E", 1ULL << 60},
    {"kiB", 1ULL << 10},
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
    {"kD", 1000},
    {"GD", 1000000000},
    {"ED", 1000000000000000000},
    {"x2", 2},
    {"x3", 3},
    {"xK", 1ULL << 10},
    {"xbxw", 1024},
};

START_TEST(every_suffix_multiplies_up_to_the_last_product_of_63_bits)
{
    uint64_t factor = suffixes[_i].factor;
    uint64_t most = INT64_MAX / factor;
    const uint64_t tried[] = {0, 1, 2, 7, most / 2, most - 1, most, most + 1, most + 2};

    for (int i = 0; i < ROWS(tried); i++) {
        char text[64];
        struct parsed parsed;
        (void)snprintf(text, sizeof text, "%ju%s", (uintmax_t)tried[i], suffixes[_i].text);
        parse_one(&parsed, "seek", text);
        ck_assert_msg(parsed.result == (tried[i] <= most ? 0 : -1), "%s: %s", text,
                      parsed.error.detail);
        if (parsed.result == 0)
            ck_assert_uint_eq(parsed.dd.seek.number, tried[i] * factor);
        else
            ck_assert_str_eq(parsed.error.detail, too_large);
        end(&parsed);
    }
}
END_TEST

/* strchr that does not find the terminator. */
static bool is_one_of(int byte, const char *set)
{
    return byte != 0 && strchr(set, byte) != NULL;
}

static void expect_number(const char *text, bool is_number)
{
    struct parsed parsed;

    parse_one(&parsed, "count", text);
    ck_assert_msg((parsed.result == 0) == is_number, "'%s' is %s", text,
                  is_number ? "refused" : "accepted");
    end(&parsed);
}

START_TEST(no_other_byte_is_part_of_a_number)
{
    char byte = (char)_i;
    const char digits[] = "0123456789";
    const char letters[] = "EGkKMPT"; /* which have a decimal form as well */
    bool digit = is_one_of(byte, digits), letter = is_one_of(byte, letters);
    bool suffix = letter || is_one_of(byte, "bcw");

    expect_number((char[]){byte, 0}, digit || suffix);
    expect_number((char[]){byte, '1', 0}, digit || is_one_of(byte, "+ \t\n\v\f\r"));
    expect_number((char[]){'1', byte, 0}, digit || suffix || byte == 'B');
    expect_number((char[]){'1', byte, 'B', 0}, digit || suffix);
    expect_number((char[]){'1', byte, 'D', 0}, letter);
    expect_number((char[]){'1', byte, 'i', 'B', 0}, letter);
    expect_number((char[]){'1', byte, '1', 0}, digit || byte == 'x');
    expect_number((char[]){'1', 'K', byte, 0}, byte == 'B' || byte == 'D');
    expect_number((char[]){'1', 'K', byte, '2', 0}, byte == 'x');
    expect_number((char[]){'1', 'K', 'i', byte, 0}, byte == 'B');
    expect_number((char[]){'1', 'K', 'i', 'B', byte, 0}, false);
    expect_number((char[]){'1', 'B', byte, 0}, false);
    expect_number((char[]){'0', byte, 0}, digit || suffix || is_one_of(byte, "BYZRQ"));
}
END_TEST

/* Operands */

#define N(blocks)                                                                                  \
    {                                                                                              \
        (blocks), false                                                                            \
    }
#define B(bytes)                                                                                   \
    {                                                                                              \
        (bytes), true                                                                              \
    }

static const struct {
    const char *words[MOST_WORDS];
    struct zs_dd expected; /* sizes that are 0: 512 */
} accepted[] = {
    {{NULL}, {.input = NULL}},
    {{"if=in"}, {.input = "in"}},
    {{"of=out"}, {.output = "out"}},
    {{"if=in", "of=out"}, {.input = "in", .output = "out"}},
    {{"if=", "of="}, {.input = "", .output = ""}},
    {{"if=a=b,c"}, {.input = "a=b,c"}},
    {{"of=if=x"}, {.output = "if=x"}},
    {{"if=-", "of=-"}, {.input = "-", .output = "-"}},
    {{"if=--", "of=./-"}, {.input = "--", .output = "./-"}},
    {{"if=tcp://host:1", "of=unix:///x"}, {.input = "tcp://host:1", .output = "unix:///x"}},
    {{"if=a://b", "of=/a://b"}, {.input = "a://b", .output = "/a://b"}},
    {{"if=a:/b", "of=a:b"}, {.input = "a:/b", .output = "a:b"}},
    {{"bs=3"}, {.read_bytes = 3, .write_bytes = 3, .unchanged = true}},
    {{"ibs=3"}, {.read_bytes = 3}},
    {{"obs=3"}, {.write_bytes = 3}},
    {{"ibs=3", "obs=5"}, {.read_bytes = 3, .write_bytes = 5}},
    /* bs= wins, wherever it is */
    {{"ibs=3", "obs=5", "bs=7"}, {.read_bytes = 7, .write_bytes = 7, .unchanged = true}},
    {{"bs=7", "ibs=3", "obs=5"}, {.read_bytes = 7, .write_bytes = 7, .unchanged = true}},
    {{"skip=4"}, {.skip = N(4)}},
    {{"iseek=4"}, {.skip = N(4)}},
    {{"skip=4B"}, {.skip = B(4)}},
    {{"seek=4"}, {.seek = N(4)}},
    {{"oseek=4KiB"}, {.seek = B(4096)}},
    {{"count=0"}, {.has_count = true}},
    {{"count=4"}, {.has_count = true, .count = N(4)}},
    {{"count=4B"}, {.has_count = true, .count = B(4)}},
    {{"iflag=skip_bytes", "skip=4"}, {.skip = B(4)}},
    {{"iflag=count_bytes", "count=4"}, {.has_count = true, .count = B(4)}},
    {{"iflag=count_bytes,skip_bytes", "count=4", "skip=5"},
     {.skip = B(5), .has_count = true, .count = B(4)}},
    {{"oflag=seek_bytes", "seek=4"}, {.seek = B(4)}},
    /* each flag is for its own end */
    {{"iflag=seek_bytes", "seek=4", "skip=5"}, {.seek = N(4), .skip = N(5)}},
    {{"oflag=skip_bytes,count_bytes", "count=4", "skip=5"},
     {.skip = N(5), .has_count = true, .count = N(4)}},
    {{"status=none"}, {.status = ZS_DD_STATUS_NONE}},
    {{"status=noxfer"}, {.status = ZS_DD_STATUS_NO_TRANSFER}},
    {{"status=progress"}, {.status = ZS_DD_STATUS_PROGRESS}},
    {{"status=none,progress"}, {.status = ZS_DD_STATUS_PROGRESS}},
    {{"status=progress,noxfer,none"}, {.status = ZS_DD_STATUS_NONE}},
    /* of a repeated one the last counts */
    {{"if=a", "if=b"}, {.input = "b"}},
    {{"of=a", "of=b"}, {.output = "b"}},
    {{"bs=3", "bs=4"}, {.read_bytes = 4, .write_bytes = 4, .unchanged = true}},
    {{"ibs=3", "ibs=4"}, {.read_bytes = 4}},
    {{"skip=3B", "iseek=4"}, {.skip = N(4)}},
    {{"seek=3", "seek=4B"}, {.seek = B(4)}},
    {{"count=3B", "count=4"}, {.has_count = true, .count = N(4)}},
    {{"status=none", "status=noxfer"}, {.status = ZS_DD_STATUS_NO_TRANSFER}},
    {{"count=0x5", "count=4"}, {.has_count = true, .count = N(4), .zero_multiplier = true}},
    /* words that change nothing here */
    {{"conv=notrunc,excl,fsync"}, {.input = NULL}},
    {{"conv=noerror,sync", "conv=sparse"}, {.input = NULL}},
    {{"conv=nocreat,fdatasync"}, {.input = NULL}},
    {{"iflag=fullblock,noctty", "oflag=append,nocache"}, {.input = NULL}},
    {{"iflag=direct", "oflag=nocache"}, {.input = NULL}},
    {{"iflag=nocache", "oflag=direct"}, {.input = NULL}},
    {{"iflag=sync,sync,sync"}, {.input = NULL}},
    /* -- is no operand, once */
    {{"--"}, {.input = NULL}},
    {{"if=in", "--"}, {.input = "in"}},
    {{"--", "if=in", "bs=3"},
     {.input = "in", .read_bytes = 3, .write_bytes = 3, .unchanged = true}},
};

static void expect_dd_number(struct zs_dd_number number, struct zs_dd_number expected)
{
    ck_assert_uint_eq(number.number, expected.number);
    ck_assert_int_eq(number.bytes, expected.bytes);
}

static void expect_dd(const struct zs_dd *dd, const struct zs_dd *expected)
{
    ck_assert_pstr_eq(dd->input, expected->input);
    ck_assert_pstr_eq(dd->output, expected->output);
    ck_assert_uint_eq(dd->read_bytes, expected->read_bytes ? expected->read_bytes : 512);
    ck_assert_uint_eq(dd->write_bytes, expected->write_bytes ? expected->write_bytes : 512);
    ck_assert_int_eq(dd->unchanged, expected->unchanged);
    expect_dd_number(dd->skip, expected->skip);
    expect_dd_number(dd->seek, expected->seek);
    ck_assert_int_eq(dd->has_count, expected->has_count);
    expect_dd_number(dd->count, expected->count);
    ck_assert_int_eq(dd->status, expected->status);
    ck_assert_int_eq(dd->zero_multiplier, expected->zero_multiplier);
    ck_assert(!dd->cuts_appended && !dd->cannot_sync && !dd->past_end);
}

/* Every name is a file's: none must become standard input, or an address, on the way. */
static void expect_end(const char *path, const char *name, const char *operand, const char *stream)
{
    char expected[64] = "-";

    if (operand) {
        bool special = strcmp(operand, "-") == 0 || strstr(operand, "://");
        (void)snprintf(expected, sizeof expected, "%s%s", special && operand[0] != '/' ? "./" : "",
                       operand);
    }
    ck_assert_str_eq(path, expected);
    ck_assert_str_eq(name, operand ? operand : stream);
}

START_TEST(operands_are_understood)
{
    struct parsed parsed;

    parse(&parsed, accepted[_i].words);
    ck_assert_msg(parsed.result == 0, "'%s' is refused: %s", parsed.error.object,
                  parsed.error.detail);
    ck_assert_int_eq(parsed.error.kind, ZS_ERROR_NONE);
    ck_assert_int_eq(parsed.action, ZS_ACTION_COPY);
    expect_dd(&parsed.dd, &accepted[_i].expected);
    expect_end(parsed.options.source_path, parsed.options.source_name, accepted[_i].expected.input,
               "standard input");
    expect_end(parsed.options.target_path, parsed.options.target_name, accepted[_i].expected.output,
               "standard output");
    ck_assert(!(parsed.options.target_flags & O_EXCL));
    ck_assert_ptr_null(parsed.options.blocks);
    ck_assert_uint_eq(parsed.options.selection.record_bytes, 1);
    for (int i = 1; i < parsed.argc; i++)
        ck_assert_str_eq(parsed.argv[i], accepted[_i].words[i - 1]);
    end(&parsed);
}
END_TEST

/* Each alone; what opens a descriptor with flags, and what does not. */
static const struct {
    const char *name;
    int flag;
} flags[] = {
    {"append", 0},
    {"count_bytes", 0},
    {"direct", O_DIRECT},
    {"directory", O_DIRECTORY},
    {"dsync", O_DSYNC},
    {"fullblock", 0},
    {"noatime", O_NOATIME},
    {"nocache", 0},
    {"noctty", 0},
    {"nofollow", O_NOFOLLOW},
    {"nonblock", O_NONBLOCK},
    {"seek_bytes", 0},
    {"skip_bytes", 0},
    {"sync", O_SYNC},
    {"direct,nonblock,noatime", O_DIRECT | O_NONBLOCK | O_NOATIME},
    {"dsync,directory", O_DSYNC | O_DIRECTORY},
};

START_TEST(a_flag_is_for_the_file_of_its_end)
{
    char input[64], output[64];
    struct parsed parsed;

    (void)snprintf(input, sizeof input, "iflag=%s", flags[_i].name);
    (void)snprintf(output, sizeof output, "oflag=%s", flags[_i].name);
    parse(&parsed, (const char *const[]){input, "if=in", "of=out", NULL});
    ck_assert_int_eq(parsed.result, 0);
    ck_assert_int_eq(parsed.options.source_flags, flags[_i].flag);
    ck_assert_int_eq(parsed.options.target_flags, 0);
    end(&parsed);
    /* What is open already is not opened. */
    parse(&parsed, (const char *const[]){input, "of=out", NULL});
    ck_assert_int_eq(parsed.result, 0);
    ck_assert_int_eq(parsed.options.source_flags, 0);
    ck_assert_int_eq(parsed.options.target_flags, 0);
    end(&parsed);

    bool refused = strcmp(flags[_i].name, "fullblock") == 0;
    parse(&parsed, (const char *const[]){output, "if=in", "of=out", NULL});
    ck_assert_int_eq(parsed.result, refused ? -1 : 0);
    if (!refused) {
        ck_assert_int_eq(parsed.options.source_flags, 0);
        ck_assert_int_eq(parsed.options.target_flags, flags[_i].flag);
    }
    end(&parsed);
    parse(&parsed, (const char *const[]){output, "if=in", NULL});
    if (!refused)
        ck_assert_int_eq(parsed.options.target_flags, 0);
    end(&parsed);
}
END_TEST

static const struct {
    const char *words[MOST_WORDS];
    const char *object;
    const char *reason; /* a part of it */
} refused[] = {
    /* operands that there are not */
    {{"foo"}, "foo", "there is no such operand"},
    {{"foo=1"}, "foo=1", "there is no such operand"},
    {{""}, "", "there is no such operand"},
    {{"="}, "=", "there is no such operand"},
    {{"if"}, "if", "there is no such operand"},
    {{"if:in"}, "if:in", "there is no such operand"},
    {{"ifs=in"}, "ifs=in", "there is no such operand"},
    {{"i=in"}, "i=in", "there is no such operand"},
    {{"IF=in"}, "IF=in", "there is no such operand"},
    {{" if=in"}, " if=in", "there is no such operand"},
    {{"-if=in"}, "-if=in", "there is no such operand"},
    {{"kseek=1"}, "kseek=1", "there is no such operand"},
    {{"--help", "if=in"}, "--help", "there is no such operand"},
    {{"--", "--"}, "--", "there is no such operand"},
    {{"--", "if=in", "--"}, "--", "there is no such operand"},
    {{"--", "--help"}, "--help", "there is no such operand"},
    /* the first one that is wrong is named */
    {{"if=in", "bs=x", "foo"}, "bs=x", "not a number"},
    {{"count=-1", "bs=4"}, "count=-1", "not a number"},
    {{"bs=0", "bs=4"}, "bs=0", "at least 1"},
    {{"bs=4", "bs=0"}, "bs=0", "at least 1"},
    {{"bs=0x5x1", "bs=4"}, "bs=0x5x1", "at least 1"},
    /* what changes bytes */
    {{"cbs=8"}, "cbs=8", "use GNU dd"},
    {{"cbs=x"}, "cbs=x", "use GNU dd"},
    {{"conv=ascii"}, "conv=ascii", "use GNU dd"},
    {{"conv=block"}, "conv=block", "use GNU dd"},
    {{"conv=ebcdic"}, "conv=ebcdic", "use GNU dd"},
    {{"conv=ibm"}, "conv=ibm", "use GNU dd"},
    {{"conv=lcase"}, "conv=lcase", "use GNU dd"},
    {{"conv=swab"}, "conv=swab", "use GNU dd"},
    {{"conv=ucase"}, "conv=ucase", "use GNU dd"},
    {{"conv=unblock"}, "conv=unblock", "use GNU dd"},
    {{"conv=notrunc,swab,sync"}, "conv=notrunc,swab,sync", "use GNU dd"},
    /* words */
    {{"conv="}, "conv=", "'' is not known"},
    {{"conv=none"}, "conv=none", "'none' is not known"},
    {{"conv=sync,"}, "conv=sync,", "'' is not known"},
    {{"conv=,sync"}, "conv=,sync", "'' is not known"},
    {{"conv=sync,,fsync"}, "conv=sync,,fsync", "'' is not known"},
    {{"conv=fsync,Sync"}, "conv=fsync,Sync", "'Sync' is not known"},
    {{"conv=syn"}, "conv=syn", "'syn' is not known"},
    {{"conv=syncs"}, "conv=syncs", "'syncs' is not known"},
    {{"conv=sync fsync"}, "conv=sync fsync", "'sync fsync' is not known"},
    {{"conv=swab,foo"}, "conv=swab,foo", "'foo' is not known"},
    {{"iflag="}, "iflag=", "'' is not known"},
    {{"iflag=cio"}, "iflag=cio", "'cio' is not known"},
    {{"iflag=sync,text"}, "iflag=sync,text", "'text' is not known"},
    {{"oflag=excl"}, "oflag=excl", "'excl' is not known"},
    {{"oflag=notrunc"}, "oflag=notrunc", "'notrunc' is not known"},
    {{"status="}, "status=", "'' is not known"},
    {{"status=some"}, "status=some", "'some' is not known"},
    {{"status=none,"}, "status=none,", "'' is not known"},
    {{"status=none,some"}, "status=none,some", "'some' is not known"},
    {{"status=noxferprogressnone"}, "status=noxferprogressnone", "is not known"},
    /* combinations, of one operand or several */
    {{"conv=excl,nocreat"}, "conv=excl", "cannot be combined with nocreat"},
    {{"conv=nocreat", "conv=excl"}, "conv=excl", "cannot be combined with nocreat"},
    {{"iflag=direct,nocache"}, "iflag=direct", "cannot be combined with nocache"},
    {{"iflag=nocache", "if=in", "iflag=direct"}, "iflag=direct", "combined with nocache"},
    {{"oflag=direct,nocache"}, "oflag=direct", "cannot be combined with nocache"},
    {{"oflag=nocache,direct"}, "oflag=direct", "cannot be combined with nocache"},
    {{"oflag=fullblock"}, "oflag=fullblock", "only what is read has full blocks"},
    {{"iflag=fullblock", "oflag=append,fullblock"}, "oflag=fullblock", "only what is read"},
};

START_TEST(a_wrong_operand_is_refused_by_its_name)
{
    struct parsed parsed;

    parse(&parsed, refused[_i].words);
    ck_assert_msg(parsed.result == -1, "'%s' is accepted", refused[_i].words[0]);
    ck_assert_int_eq(parsed.error.kind, ZS_ERROR_USAGE);
    ck_assert_str_eq(parsed.error.object, refused[_i].object);
    ck_assert_ptr_null(parsed.error.operation);
    ck_assert_int_eq(parsed.error.code, 0);
    ck_assert_msg(strstr(parsed.error.detail, refused[_i].reason), "'%s' does not say '%s'",
                  parsed.error.detail, refused[_i].reason);
    ck_assert_int_eq(parsed.action, ZS_ACTION_COPY);
    end(&parsed);
}
END_TEST

/*
 * In a process of its own, with descriptor 1 on target_fd, which is where information goes. 0, or
 * the errno value of the failure.
 */
static int print_information(const char *word, int target_fd)
{
    int status;

    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct parsed parsed;
        (void)dup2(target_fd, STDOUT_FILENO);
        parse(&parsed, (const char *const[]){word, NULL});
        int code = parsed.error.kind == ZS_ERROR_TRANSFER ? parsed.error.code : 255;
        if (parsed.error.kind == ZS_ERROR_PIPE)
            code = 253;
        if (parsed.result == 0)
            code = 0;
        _exit(parsed.action == ZS_ACTION_DONE ? code : 254);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static char *information(const char *word)
{
    int fd = scratch_file("", 0);

    ck_assert_int_eq(print_information(word, fd), 0);
    size_t length = (size_t)file_size(fd);
    char *text = calloc(1, length + 1);
    ck_assert_ptr_nonnull(text);
    ck_assert_int_eq(pread(fd, text, length, 0), (ssize_t)length);
    (void)close(fd);
    return text;
}

START_TEST(help_names_every_operand_and_word)
{
    static const char *const words[] = {
        "if=",     "of=",     "bs=",      "ibs=",       "obs=",       "skip=",     "iseek=",
        "seek=",   "oseek=",  "count=",   "conv=",      "iflag=",     "oflag=",    "status=",
        "noxfer",  "cbs=",    "excl",     "fdatasync",  "fsync",      "nocreat",   "noerror",
        "notrunc", "sparse",  "sync",     "append",     "direct",     "directory", "dsync",
        "noatime", "nocache", "noctty",   "nofollow",   "nonblock",   "fullblock", "count_bytes",
        "none",    "swab",    "progress", "seek_bytes", "skip_bytes", "GNU dd",    "SIGUSR1",
    };
    char *text = information("--help");

    ck_assert_int_eq(strncmp(text, "Usage: zdd ", 11), 0);
    for (int i = 0; i < ROWS(words); i++)
        ck_assert_msg(strstr(text, words[i]), "--help does not show %s", words[i]);
    free(text);
}
END_TEST

START_TEST(the_version_is_one_line)
{
    char *text = information("--version");

    ck_assert_int_eq(strncmp(text, "zdd (zslice) ", 13), 0);
    ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
    free(text);
}
END_TEST

START_TEST(information_that_cannot_be_written_is_a_failure)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(print_information(_i == 0 ? "--help" : "--version", fd), ENOSPC);
    (void)close(fd);
}
END_TEST

/* Ends. All of them may be read and written. */
#define MODES .readable = true, .writable = true
#define REGULAR(size, number)                                                                      \
    .kind = ZS_KIND_REGULAR, MODES, .positioned = true, .sized = true, .size_bytes = (size),       \
    .inode = (number)
#define BLOCK(size, number)                                                                        \
    .kind = ZS_KIND_BLOCK, MODES, .positioned = true, .sized = true, .size_bytes = (size),         \
    .special_device = (number)
#define PIPE(number) .kind = ZS_KIND_PIPE, MODES, .inode = (number)
#define SOCKET       .kind = ZS_KIND_SOCKET, MODES
#define TERMINAL     .kind = ZS_KIND_TERMINAL, MODES
#define PROC_FILE    .kind = ZS_KIND_REGULAR, MODES, .positioned = true, .inode = 7
#define DIRECTORY    .kind = ZS_KIND_DIRECTORY, MODES
#define ABSENT       .kind = ZS_KIND_NONE, .writable = true, .positioned = true, .sized = true

/* As in the kernel; makedev(3) is no constant. */
#define DEVICE(major, minor) ((dev_t)(major) << 8 | (minor))
#define CHARACTER(major, minor)                                                                    \
    .kind = ZS_KIND_CHARACTER, MODES, .special_device = DEVICE(major, minor)
#define ZEROS      CHARACTER(1, 5)
#define NOWHERE    CHARACTER(1, 3)
#define STANDS(at) .position = (at)

/* The words are as they should be. */
static void fit(struct parsed *parsed, const char *const *words, const struct zs_facts *source,
                const struct zs_facts *target)
{
    parse(parsed, words);
    ck_assert_msg(parsed->result == 0, "%s: %s", parsed->error.object, parsed->error.detail);
    parsed->result = zs_dd_fit(&parsed->dd, source, target, &parsed->options, &parsed->error);
    ck_assert_int_eq(parsed->result < 0, parsed->error.kind != ZS_ERROR_NONE);
}

/* Refusals */

static const struct {
    const char *words[MOST_WORDS];
    struct zs_facts source;
    struct zs_facts target;
    const char *object;
    const char *operation;
    int code;
    const char *detail; /* a part of it */
} unfit[] = {
    /* In each row, what is asked for, and below it the answer. */
    /* clang-format off */
    /* positions that there are not */
    {{"if=in", "skip=9223372036854775807B"}, {REGULAR(9, 1), STANDS(1)}, {PIPE(2)},
     "in", "skipping", EOVERFLOW, "no such position"},
    {{"skip=9223372036854775807B"}, {REGULAR(9, 1), STANDS(1)}, {PIPE(2)},
     "standard input", "skipping", EOVERFLOW, "no such position"},
    {{"if=in", "skip=9223372036854775807", "bs=2"}, {REGULAR(9, 1)}, {PIPE(2)},
     "in", "skipping", EOVERFLOW, "no such position"},
    {{"if=in", "skip=4611686018427387904", "bs=4"}, {REGULAR(9, 1)}, {PIPE(2)}, /* 2^64 */
     "in", "skipping", EOVERFLOW, "no such position"},
    {{"if=in", "skip=4611686018427387904", "bs=2"}, {REGULAR(9, 1)}, {PIPE(2)}, /* 2^63 */
     "in", "skipping", EOVERFLOW, "no such position"},
    {{"if=in", "skip=2"}, {BLOCK(1023, 1)}, {PIPE(2)},
     "in", "skipping", EINVAL, "no such position"},
    {{"if=in", "skip=1B"}, {BLOCK(0, 1)}, {PIPE(2)},
     "in", "skipping", EINVAL, "no such position"},
    {{"skip=1B"}, {BLOCK(5, 1), STANDS(5)}, {PIPE(2)},
     "standard input", "skipping", EINVAL, "no such position"},
    {{"of=out", "seek=9223372036854775807"}, {PIPE(1)}, {ABSENT},
     "out", "seeking", EOVERFLOW, "no such position"},
    {{"of=out", "seek=4611686018427387904", "obs=2"}, {PIPE(1)}, {REGULAR(9, 2)},
     "out", "seeking", EOVERFLOW, "no such position"},
    {{"of=out", "seek=4611686018427387904", "obs=4"}, {PIPE(1)}, {BLOCK(9, 2)},
     "out", "seeking", EOVERFLOW, "no such position"},
    {{"seek=9223372036854775807B"}, {PIPE(1)}, {REGULAR(9, 2), STANDS(1)},
     "standard output", "seeking", EOVERFLOW, "no such position"},
    /* streams have none */
    {{"seek=1"}, {REGULAR(9, 1)}, {PIPE(2)},
     "standard output", "seeking", ESPIPE, ""},
    {{"of=fifo", "seek=1B"}, {REGULAR(9, 1)}, {PIPE(2)},
     "fifo", "seeking", ESPIPE, ""},
    {{"seek=1"}, {REGULAR(9, 1)}, {SOCKET},
     "standard output", "seeking", ESPIPE, ""},
    {{"seek=1"}, {REGULAR(9, 1)}, {TERMINAL},
     "standard output", "seeking", ESPIPE, ""},
    /* folders */
    {{"if=in", "iflag=directory"}, {REGULAR(9, 1)}, {PIPE(2)},
     "in", "opening", ENOTDIR, ""},
    {{"iflag=directory"}, {PIPE(1)}, {PIPE(2)},
     "standard input", "opening", ENOTDIR, ""},
    {{"of=out", "oflag=directory"}, {REGULAR(9, 1)}, {DIRECTORY},
     "out", "opening", EISDIR, ""},
    {{"of=out", "oflag=directory"}, {REGULAR(9, 1)}, {REGULAR(9, 2)},
     "out", "opening", ENOTDIR, ""},
    {{"of=out", "oflag=directory"}, {REGULAR(9, 1)}, {ABSENT},
     "out", "opening", ENOTDIR, ""},
    {{"oflag=directory"}, {REGULAR(9, 1)}, {PIPE(2)},
     "standard output", "opening", ENOTDIR, ""},
    /* what is not to be created */
    {{"of=out", "conv=nocreat"}, {REGULAR(9, 1)}, {ABSENT},
     "out", "opening", ENOENT, ""},
    /* a file that would be cut before it is read */
    {{"if=f", "of=f"}, {REGULAR(9, 1)}, {REGULAR(9, 1)},
     "f", "writing", 0, "use conv=notrunc or another file"},
    {{"of=f"}, {REGULAR(9, 1), STANDS(9)}, {REGULAR(9, 1)},
     "f", "writing", 0, "cut before it is read"},
    {{"if=f", "of=f", "count=0"}, {REGULAR(9, 1)}, {REGULAR(9, 1)},
     "f", "writing", 0, "cut before it is read"},
    {{"if=f", "of=f", "oflag=append"}, {REGULAR(9, 1)}, {REGULAR(9, 1)},
     "f", "writing", 0, "cut before it is read"},
    {{"if=f", "of=f", "bs=1", "count=4", "seek=3"}, {REGULAR(9, 1)}, {REGULAR(9, 1)},
     "f", "writing", 0, "cut before it is read"},
    {{"if=f", "of=f", "bs=1", "skip=2", "count=2", "seek=3"}, {REGULAR(9, 1)}, {REGULAR(9, 1)},
     "f", "writing", 0, "cut before it is read"},
    {{"if=f", "of=f", "bs=1", "seek=8"}, {REGULAR(9, 1)}, {REGULAR(9, 1)},
     "f", "writing", 0, "cut before it is read"},
    {{"of=f", "bs=1", "count=2", "seek=4"}, {REGULAR(9, 1), STANDS(3)}, {REGULAR(9, 1)},
     "f", "writing", 0, "cut before it is read"},
    /* clang-format on */
};

START_TEST(what_the_ends_cannot_do_is_refused)
{
    struct parsed parsed;

    fit(&parsed, unfit[_i].words, &unfit[_i].source, &unfit[_i].target);
    ck_assert_int_eq(parsed.result, -1);
    ck_assert_int_eq(parsed.error.kind, ZS_ERROR_REFUSED);
    ck_assert_str_eq(parsed.error.object, unfit[_i].object);
    ck_assert_str_eq(parsed.error.operation, unfit[_i].operation);
    ck_assert_int_eq(parsed.error.code, unfit[_i].code);
    ck_assert_msg(strstr(parsed.error.detail, unfit[_i].detail), "'%s' does not say '%s'",
                  parsed.error.detail, unfit[_i].detail);
    ck_assert_ptr_null(parsed.options.blocks);
    end(&parsed);
}
END_TEST

/* What goes where */

#define OFFSET(bytes) .slice.offset = {(bytes), false}
#define LENGTH(bytes) .slice.has_length = true, .slice.length_bytes = (bytes)
#define SEEK(bytes)   .has_seek = true, .seek = {(bytes), false}

/* What is told in the end. */
enum odd { NOTHING, PAST_END, EMPTIED, CANNOT_SYNC };

static const struct {
    const char *words[MOST_WORDS];
    struct zs_facts source;
    struct zs_facts target;
    struct zs_options expected;
    enum odd odd;
} fitting[] = {
    /* In each row, what is asked for, and below it what it amounts to. */
    /* clang-format off */
    {{NULL}, {PIPE(1)}, {PIPE(2)}, {.append = false}, NOTHING},
    {{"if=in", "of=out"}, {REGULAR(9, 1)}, {ABSENT}, {.append = false}, NOTHING},
    {{"if=in", "of=out", "bs=1M"}, {REGULAR(9, 1)}, {REGULAR(9, 2)},
     {.append = false}, NOTHING},
    /* lengths */
    {{"if=in", "count=3"}, {REGULAR(9, 1)}, {PIPE(2)}, {LENGTH(1536)}, NOTHING},
    {{"if=in", "count=3", "obs=7"}, {REGULAR(9, 1)}, {PIPE(2)}, {LENGTH(1536)}, NOTHING},
    {{"if=in", "count=3", "ibs=7"}, {REGULAR(9, 1)}, {PIPE(2)}, {LENGTH(21)}, NOTHING},
    {{"if=in", "count=3B", "ibs=7"}, {REGULAR(9, 1)}, {PIPE(2)}, {LENGTH(3)}, NOTHING},
    {{"if=in", "count=0"}, {REGULAR(9, 1)}, {PIPE(2)}, {LENGTH(0)}, NOTHING},
    {{"if=zero", "count=3", "bs=1K"}, {ZEROS}, {PIPE(2)}, {LENGTH(3072)}, NOTHING},
    {{"count=3", "iflag=fullblock"}, {PIPE(1)}, {PIPE(2)}, {LENGTH(1536)}, NOTHING},
    {{"if=in", "count=9223372036854775807"}, {REGULAR(9, 1)}, {PIPE(2)}, /* more than there is */
     {.slice.has_length = false}, NOTHING},
    {{"if=in", "count=9223372036854775807B"}, {REGULAR(9, 1)}, {PIPE(2)},
     {LENGTH(INT64_MAX)}, NOTHING},
    {{"if=in", "count=36028797018963967"}, {REGULAR(9, 1)}, {PIPE(2)},
     {LENGTH(UINT64_MAX - 511)}, NOTHING},
    {{"if=in", "count=36028797018963968"}, {REGULAR(9, 1)}, {PIPE(2)}, /* 2^64 */
     {.slice.has_length = false}, NOTHING},
    /* skipping; behind a file's end there is nothing */
    {{"if=in", "skip=1", "bs=4"}, {REGULAR(9, 1)}, {PIPE(2)}, {OFFSET(4)}, NOTHING},
    {{"if=in", "skip=1", "ibs=4", "obs=7"}, {REGULAR(9, 1)}, {PIPE(2)}, {OFFSET(4)}, NOTHING},
    {{"if=in", "skip=3B", "bs=4", "count=1"}, {REGULAR(9, 1)}, {PIPE(2)},
     {OFFSET(3), LENGTH(4)}, NOTHING},
    {{"if=in", "skip=9B"}, {REGULAR(9, 1)}, {PIPE(2)}, {OFFSET(9)}, NOTHING},
    {{"if=in", "skip=10B"}, {REGULAR(9, 1)}, {PIPE(2)}, {OFFSET(9)}, PAST_END},
    {{"if=in", "skip=9223372036854775807B"}, {REGULAR(9, 1)}, {PIPE(2)}, {OFFSET(9)}, PAST_END},
    {{"if=in", "skip=1"}, {REGULAR(0, 1)}, {PIPE(2)}, {OFFSET(0)}, NOTHING},
    {{"skip=5B"}, {REGULAR(9, 1), STANDS(4)}, {PIPE(2)}, {OFFSET(5)}, NOTHING},
    {{"skip=6B"}, {REGULAR(9, 1), STANDS(4)}, {PIPE(2)}, {OFFSET(5)}, PAST_END},
    {{"skip=1B"}, {REGULAR(9, 1), STANDS(20)}, {PIPE(2)}, {OFFSET(0)}, PAST_END},
    {{"skip=9223372036854775803B"}, {REGULAR(9, 1), STANDS(4)}, {PIPE(2)},
     {OFFSET(5)}, PAST_END},
    {{"if=in", "skip=2"}, {BLOCK(1024, 1)}, {PIPE(2)}, {OFFSET(1024)}, NOTHING},
    {{"skip=4", "iflag=fullblock"}, {PIPE(1)}, {PIPE(2)}, {OFFSET(2048)}, NOTHING},
    {{"skip=9223372036854775807", "iflag=fullblock"}, {PIPE(1)}, {PIPE(2)},
     {OFFSET(UINT64_MAX)}, NOTHING},
    /* a file that is emptied, cut, written over */
    {{"of=out", "conv=notrunc"}, {PIPE(1)}, {REGULAR(9, 2)}, {SEEK(0)}, NOTHING},
    {{"of=out", "conv=notrunc"}, {PIPE(1)}, {ABSENT}, {SEEK(0)}, NOTHING},
    {{"of=out", "seek=3"}, {PIPE(1)}, {REGULAR(9, 2)},
     {SEEK(1536), .cut_before = true}, NOTHING},
    {{"of=out", "seek=3"}, {PIPE(1)}, {ABSENT}, {SEEK(1536), .cut_before = true}, NOTHING},
    {{"of=out", "seek=3", "obs=7", "ibs=5"}, {PIPE(1)}, {REGULAR(9, 2)},
     {SEEK(21), .cut_before = true}, NOTHING},
    {{"of=out", "seek=3B", "bs=7"}, {PIPE(1)}, {REGULAR(9, 2)},
     {SEEK(3), .cut_before = true}, NOTHING},
    {{"of=out", "seek=3", "conv=notrunc"}, {PIPE(1)}, {REGULAR(9, 2)}, {SEEK(1536)}, NOTHING},
    {{"of=out", "seek=9223372036854775807B"}, {PIPE(1)}, {REGULAR(9, 2)},
     {SEEK(INT64_MAX), .cut_before = true}, NOTHING},
    {{"of=out", "seek=9223372036854775807", "obs=1"}, {PIPE(1)}, {ABSENT},
     {SEEK(INT64_MAX), .cut_before = true}, NOTHING},
    /* of a device nothing is cut */
    {{"of=out"}, {PIPE(1)}, {BLOCK(99, 2)}, {SEEK(0)}, NOTHING},
    {{"of=out", "seek=3"}, {PIPE(1)}, {BLOCK(99, 2)}, {SEEK(1536)}, NOTHING},
    {{"of=out", "conv=notrunc"}, {PIPE(1)}, {BLOCK(99, 2)}, {SEEK(0)}, NOTHING},
    {{"of=null"}, {PIPE(1)}, {NOWHERE}, {.has_seek = false}, NOTHING},
    {{"of=null", "conv=notrunc"}, {PIPE(1)}, {NOWHERE}, {.has_seek = false}, NOTHING},
    /* standard output: from where it stands; nothing is cut */
    {{NULL}, {PIPE(1)}, {REGULAR(9, 2), STANDS(4)}, {.has_seek = false}, NOTHING},
    {{"conv=notrunc"}, {PIPE(1)}, {REGULAR(9, 2), STANDS(4)}, {.has_seek = false}, NOTHING},
    {{"seek=3"}, {PIPE(1)}, {REGULAR(9, 2), STANDS(4)}, {SEEK(1540)}, NOTHING},
    {{"seek=3B"}, {PIPE(1)}, {REGULAR(9, 2), STANDS(100)}, {SEEK(103)}, NOTHING},
    {{"seek=3B", "conv=notrunc"}, {PIPE(1)}, {BLOCK(9, 2), STANDS(4)}, {SEEK(7)}, NOTHING},
    {{"seek=9223372036854775803B"}, {PIPE(1)}, {REGULAR(9, 2), STANDS(4)},
     {SEEK(INT64_MAX)}, NOTHING},
    {{"seek=3"}, {PIPE(1)}, {REGULAR(9, 2), .append = true}, {.has_seek = false}, NOTHING},
    /* appending */
    {{"of=out", "oflag=append", "conv=notrunc"}, {PIPE(1)}, {REGULAR(9, 2)},
     {.append = true}, NOTHING},
    {{"of=out", "oflag=append", "conv=notrunc", "seek=3"}, {PIPE(1)}, {REGULAR(9, 2)},
     {.append = true}, NOTHING},
    {{"of=out", "oflag=append", "conv=notrunc"}, {PIPE(1)}, {ABSENT},
     {.append = true}, NOTHING},
    {{"of=out", "oflag=append"}, {PIPE(1)}, {REGULAR(9, 2)}, {.append = false}, EMPTIED},
    {{"of=out", "oflag=append"}, {PIPE(1)}, {REGULAR(0, 2)}, {.append = false}, NOTHING},
    {{"of=out", "oflag=append"}, {PIPE(1)}, {ABSENT}, {.append = false}, NOTHING},
    {{"of=out", "oflag=append", "seek=8B"}, {PIPE(1)}, {REGULAR(9, 2)},
     {SEEK(8), .cut_before = true}, EMPTIED},
    {{"of=out", "oflag=append", "seek=9B"}, {PIPE(1)}, {REGULAR(9, 2)},
     {SEEK(9), .cut_before = true}, NOTHING},
    {{"of=out", "oflag=append"}, {PIPE(1)}, {BLOCK(0, 2)}, {SEEK(0)}, NOTHING},
    /* whether there is one */
    {{"of=out", "conv=excl"}, {PIPE(1)}, {ABSENT}, {.no_clobber = true}, NOTHING},
    {{"of=out", "conv=excl"}, {PIPE(1)}, {REGULAR(9, 2)}, {.no_clobber = true}, NOTHING},
    {{"conv=excl"}, {PIPE(1)}, {REGULAR(9, 2)}, {.no_clobber = false}, NOTHING},
    {{"of=out", "conv=nocreat"}, {PIPE(1)}, {REGULAR(9, 2)}, {.append = false}, NOTHING},
    {{"of=fifo", "conv=nocreat"}, {PIPE(1)}, {PIPE(2)}, {.append = false}, NOTHING},
    {{"conv=nocreat"}, {PIPE(1)}, {REGULAR(9, 2)}, {.append = false}, NOTHING},
    /* what becomes of it then */
    {{"of=out", "conv=fsync"}, {PIPE(1)}, {ABSENT}, {.sync = true}, NOTHING},
    {{"of=out", "conv=fdatasync"}, {PIPE(1)}, {REGULAR(9, 2)}, {.sync = true}, NOTHING},
    {{"of=out", "conv=fsync,fdatasync"}, {PIPE(1)}, {BLOCK(9, 2)},
     {.sync = true, SEEK(0)}, NOTHING},
    {{"conv=fsync"}, {PIPE(1)}, {REGULAR(9, 2)}, {.sync = true}, NOTHING},
    {{"iflag=sync,dsync"}, {PIPE(1)}, {REGULAR(9, 2)}, {.sync = false}, NOTHING},
    {{"conv=fsync"}, {REGULAR(9, 1)}, {PIPE(2)}, {.sync = false}, CANNOT_SYNC},
    {{"of=null", "conv=fdatasync"}, {PIPE(1)}, {NOWHERE}, {.sync = false}, CANNOT_SYNC},
    {{"conv=fsync"}, {REGULAR(9, 1)}, {TERMINAL}, {.sync = false}, CANNOT_SYNC},
    {{"if=in", "of=out", "iflag=nocache", "oflag=nocache"}, {REGULAR(9, 1)}, {REGULAR(9, 2)},
     {.no_cache = true}, NOTHING},
    {{"of=out", "conv=sparse"}, {PIPE(1)}, {REGULAR(9, 2)},
     {.sparse = ZS_SPARSE_ALWAYS}, NOTHING},
    {{"of=out", "conv=sparse", "seek=1"}, {PIPE(1)}, {ABSENT},
     {.sparse = ZS_SPARSE_ALWAYS, SEEK(512), .cut_before = true}, NOTHING},
    /* a folder is refused later, as every folder is */
    {{"if=in", "iflag=directory"}, {DIRECTORY}, {PIPE(2)}, {.append = false}, NOTHING},
    /* a file that is its own target, where none of it is lost */
    {{"if=f", "of=f", "bs=1", "count=3", "seek=3"}, {REGULAR(9, 1)}, {REGULAR(9, 1)},
     {LENGTH(3), SEEK(3), .cut_before = true}, NOTHING},
    {{"if=f", "of=f", "bs=1", "skip=2", "count=3", "seek=5"}, {REGULAR(9, 1)}, {REGULAR(9, 1)},
     {OFFSET(2), LENGTH(3), SEEK(5), .cut_before = true}, NOTHING},
    {{"of=f", "bs=1", "count=2", "seek=5"}, {REGULAR(9, 1), STANDS(3)}, {REGULAR(9, 1)},
     {LENGTH(2), SEEK(5), .cut_before = true}, NOTHING},
    {{"if=f", "of=f", "bs=1", "seek=9"}, {REGULAR(9, 1)}, {REGULAR(9, 1)},
     {SEEK(9), .cut_before = true}, NOTHING},
    {{"if=f", "of=f", "bs=1", "count=99", "seek=9"}, {REGULAR(9, 1)}, {REGULAR(9, 1)},
     {LENGTH(99), SEEK(9), .cut_before = true}, NOTHING},
    {{"if=f", "of=f", "conv=notrunc", "oflag=append"}, {REGULAR(9, 1)}, {REGULAR(9, 1)},
     {.append = true}, NOTHING},
    {{"if=f", "bs=1", "count=3"}, {REGULAR(9, 1)}, {REGULAR(9, 1), STANDS(3)},
     {LENGTH(3), SEEK(3)}, NOTHING},
    {{"if=f", "bs=1", "count=3", "seek=2"}, {REGULAR(9, 1)}, {REGULAR(9, 1), STANDS(3)},
     {LENGTH(3), SEEK(5)}, NOTHING},
    {{"if=f", "of=g", "conv=notrunc"}, {REGULAR(9, 1), .device = 1}, {REGULAR(9, 1), .device = 2},
     {SEEK(0)}, NOTHING},
    /* clang-format on */
};

START_TEST(operands_become_a_slice_and_its_place)
{
    const struct zs_options *expected = &fitting[_i].expected;
    struct parsed parsed;
    const struct zs_options *options = &parsed.options;

    fit(&parsed, fitting[_i].words, &fitting[_i].source, &fitting[_i].target);
    ck_assert_msg(parsed.result == 0, "%s: %s: %s", parsed.error.object, parsed.error.operation,
                  parsed.error.detail);
    ck_assert_uint_eq(options->slice.offset.distance_bytes, expected->slice.offset.distance_bytes);
    ck_assert(!options->slice.offset.from_end);
    ck_assert_int_eq(options->slice.has_length, expected->slice.has_length);
    if (expected->slice.has_length)
        ck_assert_uint_eq(options->slice.length_bytes, expected->slice.length_bytes);
    ck_assert(!options->slice.has_end && !options->slice.has_step && !options->exact);
    ck_assert_int_eq(options->has_seek, expected->has_seek);
    if (expected->has_seek)
        ck_assert_uint_eq(options->seek.distance_bytes, expected->seek.distance_bytes);
    ck_assert(!options->seek.from_end);
    ck_assert_int_eq(options->append, expected->append);
    ck_assert_int_eq(options->cut_before, expected->cut_before);
    ck_assert_int_eq(options->no_clobber, expected->no_clobber);
    ck_assert_int_eq(options->sync, expected->sync);
    ck_assert_int_eq(options->no_cache, expected->no_cache);
    ck_assert_int_eq(options->sparse, expected->sparse);
    ck_assert_int_eq(options->reflink, ZS_REFLINK_AUTO);
    ck_assert(options->allows_past_end);
    ck_assert_msg(!options->blocks, "it is done in blocks");
    ck_assert_int_eq(parsed.dd.past_end, fitting[_i].odd == PAST_END);
    ck_assert_int_eq(parsed.dd.cuts_appended, fitting[_i].odd == EMPTIED);
    ck_assert_int_eq(parsed.dd.cannot_sync, fitting[_i].odd == CANNOT_SYNC);
    end(&parsed);
}
END_TEST

/* Blocks: each reason for them alone, and what is none. */

static const struct {
    const char *words[MOST_WORDS];
    struct zs_facts source;
    struct zs_facts target;
    bool in_blocks;
} needs[] = {
    /* clang-format off */
    {{"if=in", "of=out", "bs=7"}, {REGULAR(9, 1)}, {ABSENT}, false},
    {{"if=in", "of=out", "ibs=7", "obs=5"}, {REGULAR(9, 1)}, {REGULAR(9, 2)}, false},
    {{"if=in", "bs=7", "count=1", "skip=1"}, {REGULAR(99, 1)}, {PIPE(2)}, false},
    {{"bs=7"}, {PIPE(1)}, {PIPE(2)}, false},
    {{"of=out", "bs=7", "seek=1"}, {PIPE(1)}, {ABSENT}, false},
    {{"of=out", "conv=excl,fsync,fdatasync"}, {PIPE(1)}, {ABSENT}, false},
    {{"of=out", "conv=nocreat,notrunc"}, {PIPE(1)}, {REGULAR(9, 2)}, false},
    {{"iflag=fullblock,noctty,nofollow", "oflag=noctty,nofollow"}, {PIPE(1)}, {PIPE(2)}, false},
    {{"status=progress"}, {PIPE(1)}, {PIPE(2)}, false},
    /* what takes each write for one */
    {{NULL}, {SOCKET, .messages = true}, {PIPE(2)}, true},
    {{NULL}, {PIPE(1), .messages = true}, {PIPE(2)}, false}, /* packets, which `splice` keeps whole */
    {{NULL}, {PIPE(1)}, {PIPE(2), .messages = true}, true},
    {{NULL}, {PIPE(1)}, {SOCKET, .messages = true}, true},
    {{NULL}, {SOCKET}, {SOCKET}, false},
    {{"of=tape"}, {PIPE(1)}, {CHARACTER(9, 0)}, true},
    {{"of=log"}, {PIPE(1)}, {CHARACTER(1, 11)}, true},
    {{"if=tape"}, {CHARACTER(9, 0)}, {PIPE(2)}, false},
    {{NULL}, {PIPE(1)}, {TERMINAL}, false},
    {{"of=null"}, {PIPE(1)}, {NOWHERE}, false},
    {{"of=zero"}, {PIPE(1)}, {ZEROS}, false},
    /* errors that are skipped, blocks that are padded */
    {{"if=in", "conv=noerror"}, {REGULAR(9, 1)}, {PIPE(2)}, true},
    {{"if=in", "conv=sync"}, {REGULAR(9, 1)}, {PIPE(2)}, true},
    /* how the kernel is to read and write */
    {{"if=in", "iflag=direct"}, {REGULAR(9, 1)}, {PIPE(2)}, true},
    {{"if=in", "iflag=nonblock"}, {REGULAR(9, 1)}, {PIPE(2)}, true},
    {{"if=in", "iflag=dsync"}, {REGULAR(9, 1)}, {PIPE(2)}, false},
    {{"if=in", "iflag=sync"}, {REGULAR(9, 1)}, {PIPE(2)}, false},
    {{"of=out", "oflag=direct"}, {PIPE(1)}, {ABSENT}, true},
    {{"of=out", "oflag=nonblock"}, {PIPE(1)}, {ABSENT}, true},
    {{"of=out", "oflag=dsync"}, {PIPE(1)}, {ABSENT}, true},
    {{"of=out", "oflag=sync"}, {PIPE(1)}, {ABSENT}, true},
    /* flags that a file is opened with, or that are to be set */
    {{"if=in", "iflag=noatime"}, {REGULAR(9, 1)}, {PIPE(2)}, false},
    {{"iflag=noatime"}, {REGULAR(9, 1)}, {PIPE(2)}, true},
    {{"of=out", "oflag=noatime"}, {PIPE(1)}, {ABSENT}, false},
    {{"oflag=noatime"}, {PIPE(1)}, {PIPE(2)}, true},
    {{"of=out", "oflag=append", "conv=notrunc"}, {PIPE(1)}, {REGULAR(9, 2)}, false},
    {{"of=out", "oflag=append"}, {PIPE(1)}, {REGULAR(9, 2)}, false},
    {{"oflag=append"}, {PIPE(1)}, {REGULAR(9, 2)}, true},
    {{"iflag=append"}, {PIPE(1)}, {REGULAR(9, 2)}, false},
    {{NULL}, {PIPE(1)}, {REGULAR(9, 2), .append = true}, false},
    /* zeros that are left out leave what is there */
    {{"of=out", "conv=sparse"}, {PIPE(1)}, {REGULAR(9, 2)}, false},
    {{"of=out", "conv=sparse"}, {PIPE(1)}, {ABSENT}, false},
    {{"of=out", "conv=sparse,notrunc"}, {PIPE(1)}, {REGULAR(9, 2)}, true},
    {{"of=out", "conv=sparse"}, {PIPE(1)}, {BLOCK(9, 2)}, true},
    {{"conv=sparse"}, {PIPE(1)}, {REGULAR(9, 2)}, true},
    {{"conv=sparse"}, {PIPE(1)}, {PIPE(2)}, true},
    /* short reads of a stream count as blocks */
    {{"count=1"}, {PIPE(1)}, {PIPE(2)}, true},
    {{"count=0"}, {PIPE(1)}, {PIPE(2)}, true},
    {{"count=1B"}, {PIPE(1)}, {PIPE(2)}, true},
    {{"skip=1"}, {PIPE(1)}, {PIPE(2)}, true},
    {{"skip=1B"}, {PIPE(1)}, {PIPE(2)}, true},
    {{"skip=0"}, {PIPE(1)}, {PIPE(2)}, false},
    {{"count=1", "iflag=fullblock"}, {PIPE(1)}, {PIPE(2)}, false},
    {{"skip=1", "iflag=fullblock"}, {PIPE(1)}, {PIPE(2)}, false},
    {{"count=1"}, {SOCKET}, {PIPE(2)}, true},
    {{"skip=1"}, {SOCKET}, {PIPE(2)}, true},
    {{"skip=1", "iflag=fullblock"}, {SOCKET}, {PIPE(2)}, false},
    {{"count=1"}, {TERMINAL}, {PIPE(2)}, true},
    {{"if=in", "count=1"}, {PROC_FILE}, {PIPE(2)}, true},
    {{"if=in", "count=1", "iflag=fullblock"}, {PROC_FILE}, {PIPE(2)}, false},
    {{"if=in", "bs=7"}, {PROC_FILE}, {PIPE(2)}, false},
    {{"if=in", "count=1"}, {CHARACTER(10, 5)}, {PIPE(2)}, true},
    {{"if=in", "count=1"}, {BLOCK(9, 1)}, {PIPE(2)}, false},
    /* files without a size that may have positions */
    {{"if=in", "skip=1", "iflag=fullblock"}, {PROC_FILE}, {PIPE(2)}, true},
    {{"if=in", "skip=1", "iflag=fullblock"}, {CHARACTER(10, 5)}, {PIPE(2)}, true},
    {{"if=zero", "skip=1"}, {ZEROS}, {PIPE(2)}, true},
    {{"if=zero", "skip=0"}, {ZEROS}, {PIPE(2)}, false},
    {{"of=null", "seek=1"}, {REGULAR(9, 1)}, {NOWHERE}, true},
    {{"of=null", "seek=0"}, {REGULAR(9, 1)}, {NOWHERE}, false},
    {{"seek=1"}, {REGULAR(9, 1)}, {CHARACTER(10, 5)}, true},
    /* the page cache of one end, or of all that is there */
    {{"if=in", "of=out", "iflag=nocache"}, {REGULAR(9, 1)}, {ABSENT}, true},
    {{"if=in", "of=out", "oflag=nocache"}, {REGULAR(9, 1)}, {ABSENT}, true},
    {{"if=in", "of=out", "iflag=nocache", "oflag=nocache"}, {REGULAR(9, 1)}, {ABSENT}, false},
    {{"if=in", "of=out", "iflag=nocache", "oflag=nocache", "count=1"},
     {REGULAR(9, 1)}, {ABSENT}, false},
    {{"if=in", "of=out", "iflag=nocache", "oflag=nocache", "count=0"},
     {REGULAR(9, 1)}, {ABSENT}, true},
    {{"if=in", "count=0"}, {REGULAR(9, 1)}, {PIPE(2)}, false},
    /* a file that is its own target */
    {{"if=f", "of=f", "conv=notrunc"}, {REGULAR(9, 1)}, {REGULAR(9, 1)}, true},
    {{"if=f", "of=f", "conv=notrunc", "bs=1", "count=3", "seek=2"},
     {REGULAR(9, 1)}, {REGULAR(9, 1)}, true},
    {{"if=f", "of=f", "conv=notrunc", "bs=1", "count=3", "seek=3"},
     {REGULAR(9, 1)}, {REGULAR(9, 1)}, false},
    {{"if=f", "of=f", "conv=notrunc", "bs=1", "skip=2", "count=2"},
     {REGULAR(9, 1)}, {REGULAR(9, 1)}, false},
    {{"if=f", "of=f", "conv=notrunc", "bs=1", "skip=2", "count=3"},
     {REGULAR(9, 1)}, {REGULAR(9, 1)}, true},
    {{"if=f", "of=f", "conv=notrunc", "bs=1", "skip=2", "seek=8"},
     {REGULAR(9, 1)}, {REGULAR(9, 1)}, true},
    {{"if=f", "of=f", "conv=notrunc", "bs=1", "skip=2", "seek=9"},
     {REGULAR(9, 1)}, {REGULAR(9, 1)}, false},
    {{"if=f", "of=f", "conv=notrunc", "bs=1", "count=0"},
     {REGULAR(9, 1)}, {REGULAR(9, 1)}, false},
    {{"if=f", "of=f", "conv=notrunc", "bs=1", "skip=99"},
     {REGULAR(9, 1)}, {REGULAR(9, 1)}, false},
    {{"if=f", "bs=1", "count=3"}, {REGULAR(9, 1)}, {REGULAR(9, 1), STANDS(3)}, false},
    {{"if=f", "bs=1", "count=3"}, {REGULAR(9, 1)}, {REGULAR(9, 1), STANDS(2)}, true},
    {{"if=f", "bs=1", "count=3", "seek=1"}, {REGULAR(9, 1)}, {REGULAR(9, 1), STANDS(2)}, false},
    {{"bs=1", "count=3"}, {REGULAR(9, 1), STANDS(3)}, {REGULAR(9, 1)}, false},
    {{"bs=1", "count=3"}, {REGULAR(9, 1), STANDS(2)}, {REGULAR(9, 1)}, true},
    {{"if=f", "of=f", "bs=1", "count=3"}, {BLOCK(9, 1)}, {BLOCK(9, 1)}, true},
    {{"if=f", "of=f", "bs=1", "count=3", "seek=3"}, {BLOCK(9, 1)}, {BLOCK(9, 1)}, false},
    {{"if=f", "of=f", "conv=notrunc"}, {PROC_FILE}, {PROC_FILE}, false},
    /* clang-format on */
};

START_TEST(it_is_done_in_blocks_where_it_shows)
{
    struct parsed parsed;

    fit(&parsed, needs[_i].words, &needs[_i].source, &needs[_i].target);
    ck_assert_int_eq(parsed.result, 0);
    ck_assert_ptr_eq(parsed.options.blocks, needs[_i].in_blocks ? &parsed.dd.blocks : NULL);
    if (needs[_i].in_blocks) /* they give the cache back by themselves */
        ck_assert(!parsed.options.no_cache);
    end(&parsed);
}
END_TEST

/* /dev/null, zero, full, random and urandom, and nothing else of major 1, nor of another. */
START_TEST(what_always_gives_all_needs_no_blocks)
{
    static const struct zs_facts target = {PIPE(2)};
    static const unsigned minors[] = {3, 5, 7, 8, 9};
    static const char *const words[] = {"if=in", "count=3", NULL};

    for (unsigned major = 0; major < 12; major++) {
        struct zs_facts source = {CHARACTER(0, 0)};
        struct parsed parsed;
        bool gives_all = false;
        source.special_device = makedev(major, (unsigned)_i);
        for (int i = 0; i < ROWS(minors); i++)
            gives_all |= major == 1 && minors[i] == (unsigned)_i;
        fit(&parsed, words, &source, &target);
        ck_assert_int_eq(parsed.result, 0);
        ck_assert_msg((parsed.options.blocks == NULL) == gives_all, "device %u:%d", major, _i);
        end(&parsed);
    }
}
END_TEST

/* What is copied in blocks, and how */

#define SIZES(read, write) .read_bytes = (read), .write_bytes = (write)
#define ALL                .most_blocks = UINT64_MAX

static const struct {
    const char *words[MOST_WORDS];
    struct zs_facts source;
    struct zs_facts target;
    struct zs_blocks expected;
    struct zs_options options; /* the slice, and whether it is synced */
} copied[] = {
    /* In each row, what is asked for, and below it the blocks. */
    /* clang-format off */
    {{"if=in", "conv=sync"}, {REGULAR(9, 1)}, {PIPE(2)},
     {SIZES(512, 512), ALL, .padded = true}, {.sync = false}},
    {{"if=in", "conv=noerror"}, {REGULAR(9, 1)}, {PIPE(2)},
     {SIZES(512, 512), ALL, .skips_errors = true}, {.sync = false}},
    {{"if=in", "conv=noerror,sync", "ibs=3", "obs=5", "iflag=fullblock"},
     {REGULAR(9, 1)}, {PIPE(2)},
     {SIZES(3, 5), ALL, .skips_errors = true, .padded = true, .whole = true}, {.sync = false}},
    {{"if=in", "conv=sync", "bs=7"}, {REGULAR(9, 1)}, {PIPE(2)},
     {SIZES(7, 7), ALL, .unchanged = true, .padded = true}, {.sync = false}},
    /* counts: blocks, and what of bytes is left */
    {{"count=3", "bs=7"}, {PIPE(1)}, {PIPE(2)},
     {SIZES(7, 7), .unchanged = true, .most_blocks = 3, .warns = true}, {.sync = false}},
    {{"count=3", "ibs=7"}, {PIPE(1)}, {PIPE(2)},
     {SIZES(7, 512), .most_blocks = 3}, {.sync = false}},
    {{"count=23B", "ibs=7"}, {PIPE(1)}, {PIPE(2)},
     {SIZES(7, 512), .most_blocks = 3, .last_bytes = 2}, {.sync = false}},
    {{"count=21B", "ibs=7"}, {PIPE(1)}, {PIPE(2)},
     {SIZES(7, 512), .most_blocks = 3}, {.sync = false}},
    {{"count=6B", "ibs=7"}, {PIPE(1)}, {PIPE(2)},
     {SIZES(7, 512), .last_bytes = 6}, {.sync = false}},
    {{"count=0"}, {PIPE(1)}, {PIPE(2)}, {SIZES(512, 512)}, {.sync = false}},
    {{"count=0B", "bs=7"}, {PIPE(1)}, {PIPE(2)},
     {SIZES(7, 7), .unchanged = true}, {.sync = false}},
    {{"count=6B", "bs=7"}, {PIPE(1)}, {PIPE(2)}, /* less than a block has none before it */
     {SIZES(7, 7), .unchanged = true, .last_bytes = 6}, {.sync = false}},
    {{"count=9223372036854775807", "ibs=7"}, {PIPE(1)}, {PIPE(2)},
     {SIZES(7, 512), .most_blocks = INT64_MAX}, {.sync = false}},
    {{"count=9223372036854775807B", "ibs=2"}, {PIPE(1)}, {PIPE(2)},
     {SIZES(2, 512), .most_blocks = INT64_MAX / 2, .last_bytes = 1}, {.sync = false}},
    /* of what has a size the slice says what is skipped, and of a stream the blocks */
    {{"if=in", "conv=sync", "skip=2", "count=4", "ibs=7"}, {REGULAR(99, 1)}, {PIPE(2)},
     {SIZES(7, 512), .most_blocks = 4, .padded = true}, {OFFSET(14), LENGTH(28)}},
    {{"if=in", "conv=sync", "skip=2", "bs=7"}, {REGULAR(99, 1)}, {PIPE(2)},
     {SIZES(7, 7), .unchanged = true, ALL, .padded = true}, {OFFSET(14)}},
    {{"skip=2", "count=4", "ibs=7"}, {PIPE(1)}, {PIPE(2)},
     {SIZES(7, 512), .most_blocks = 4, .skip_blocks = 2}, {.sync = false}},
    {{"skip=2", "bs=7"}, {PIPE(1)}, {PIPE(2)},
     {SIZES(7, 7), .unchanged = true, ALL, .skip_blocks = 2, .warns = true}, {.sync = false}},
    {{"skip=16B", "ibs=7"}, {PIPE(1)}, {PIPE(2)},
     {SIZES(7, 512), ALL, .skip_blocks = 2, .skip_bytes = 2}, {.sync = false}},
    {{"skip=5B", "bs=7"}, {PIPE(1)}, {PIPE(2)},
     {SIZES(7, 7), .unchanged = true, ALL, .skip_bytes = 5}, {.sync = false}},
    {{"skip=9223372036854775807", "ibs=7"}, {PIPE(1)}, {PIPE(2)}, /* however many bytes */
     {SIZES(7, 512), ALL, .skip_blocks = INT64_MAX}, {.sync = false}},
    {{"if=in", "skip=2", "iflag=fullblock", "bs=7"}, {PROC_FILE}, {PIPE(2)},
     {SIZES(7, 7), .unchanged = true, ALL, .whole = true, .skip_blocks = 2}, {.sync = false}},
    /* a device's position is not the plan's */
    {{"if=in", "of=null", "seek=2", "obs=7"}, {REGULAR(9, 1)}, {NOWHERE},
     {SIZES(512, 7), ALL, .seek_bytes = 14}, {.sync = false}},
    {{"if=in", "of=null", "seek=9223372036854775807B"}, {REGULAR(9, 1)}, {NOWHERE},
     {SIZES(512, 512), ALL, .seek_bytes = INT64_MAX}, {.sync = false}},
    {{"if=in", "of=out", "seek=2", "conv=sync"}, {REGULAR(9, 1)}, {BLOCK(9999, 2)},
     {SIZES(512, 512), ALL, .padded = true}, {SEEK(1024)}},
    /* flags of descriptors */
    {{"if=in", "iflag=direct,nofollow,noatime,sync,dsync"}, {REGULAR(9, 1)}, {PIPE(2)},
     {SIZES(512, 512), ALL, .source_flags = O_DIRECT | O_NOATIME | O_SYNC | O_DSYNC},
     {.sync = false}},
    {{"iflag=nonblock"}, {PIPE(1)}, {PIPE(2)},
     {SIZES(512, 512), ALL, .source_flags = O_NONBLOCK}, {.sync = false}},
    {{"if=in", "iflag=directory,nonblock"}, {DIRECTORY}, {PIPE(2)},
     {SIZES(512, 512), ALL, .source_flags = O_NONBLOCK}, {.sync = false}},
    {{"of=out", "oflag=direct,nofollow,nonblock"}, {PIPE(1)}, {ABSENT},
     {SIZES(512, 512), ALL, .target_flags = O_DIRECT | O_NONBLOCK}, {.sync = false}},
    {{"of=out", "oflag=sync"}, {PIPE(1)}, {ABSENT}, /* it is opened with it */
     {SIZES(512, 512), ALL, .target_flags = O_SYNC}, {.sync = false}},
    {{"oflag=sync"}, {PIPE(1)}, {REGULAR(9, 2)}, /* which fcntl(2) does not set */
     {SIZES(512, 512), ALL, .target_flags = O_SYNC}, {.sync = true}},
    {{"oflag=dsync"}, {PIPE(1)}, {BLOCK(9, 2)},
     {SIZES(512, 512), ALL, .target_flags = O_DSYNC}, {.sync = true}},
    {{"oflag=dsync"}, {PIPE(1)}, {PIPE(2)},
     {SIZES(512, 512), ALL, .target_flags = O_DSYNC}, {.sync = false}},
    {{"oflag=append"}, {PIPE(1)}, {REGULAR(9, 2)},
     {SIZES(512, 512), ALL, .target_flags = O_APPEND}, {.sync = false}},
    {{"of=out", "oflag=append", "conv=sync,notrunc"}, {PIPE(1)}, {REGULAR(9, 2)}, /* as opened */
     {SIZES(512, 512), ALL, .padded = true}, {.append = true}},
    /* the page cache */
    {{"if=in", "of=out", "iflag=nocache"}, {REGULAR(9, 1)}, {ABSENT},
     {SIZES(512, 512), ALL, .drops_source = true}, {.sync = false}},
    {{"if=in", "of=out", "oflag=nocache"}, {REGULAR(9, 1)}, {ABSENT},
     {SIZES(512, 512), ALL, .drops_target = true}, {.sync = false}},
    {{"if=in", "of=out", "iflag=nocache", "oflag=nocache", "count=0"}, {REGULAR(9, 1)}, {ABSENT},
     {SIZES(512, 512), .drops_source = true, .drops_target = true}, {LENGTH(0)}},
    /* zeros, where what is there may stay */
    {{"of=out", "conv=sparse,notrunc"}, {PIPE(1)}, {REGULAR(9, 2)},
     {SIZES(512, 512), ALL, .leaves_zeros = true}, {SEEK(0)}},
    {{"of=out", "conv=sparse,sync"}, {PIPE(1)}, {REGULAR(9, 2)},
     {SIZES(512, 512), ALL, .padded = true, .leaves_zeros = true}, {.sync = false}},
    {{"conv=sparse"}, {PIPE(1)}, {REGULAR(9, 2)},
     {SIZES(512, 512), ALL, .leaves_zeros = true}, {.sync = false}},
    {{"conv=sparse"}, {PIPE(1)}, {REGULAR(9, 2), .append = true},
     {SIZES(512, 512), ALL}, {.sync = false}},
    {{"conv=sparse", "oflag=append"}, {PIPE(1)}, {REGULAR(9, 2)},
     {SIZES(512, 512), ALL, .target_flags = O_APPEND}, {.sync = false}},
    {{"of=out", "conv=sparse,sync,notrunc", "oflag=append"}, {PIPE(1)}, {REGULAR(9, 2)},
     {SIZES(512, 512), ALL, .padded = true}, {.append = true}},
    /* old bytes are cut off first */
    {{"of=out", "conv=sparse,sync", "seek=8B"}, {PIPE(1)}, {REGULAR(9, 2)},
     {SIZES(512, 512), ALL, .padded = true, .leaves_zeros = true}, {SEEK(8), .cut_before = true}},
    {{"of=out", "conv=sparse,sync", "seek=9B"}, {PIPE(1)}, {REGULAR(9, 2)},
     {SIZES(512, 512), ALL, .padded = true, .leaves_zeros = true}, {SEEK(9), .cut_before = true}},
    {{"of=out", "conv=sparse,notrunc", "seek=8B"}, {PIPE(1)}, {REGULAR(9, 2)},
     {SIZES(512, 512), ALL, .leaves_zeros = true}, {SEEK(8)}},
    /* what short blocks are warned of: where bs= and a count let them lose bytes */
    {{"count=3", "bs=7", "iflag=fullblock", "conv=sync"}, {PIPE(1)}, {PIPE(2)},
     {SIZES(7, 7), .unchanged = true, .most_blocks = 3, .whole = true, .padded = true},
     {LENGTH(21)}},
    {{"if=in", "iflag=direct", "bs=7"}, {REGULAR(9, 1)}, {PIPE(2)},
     {SIZES(7, 7), .unchanged = true, ALL, .source_flags = O_DIRECT, .warns = true},
     {.sync = false}},
    {{"of=out", "oflag=direct", "bs=7"}, {PIPE(1)}, {ABSENT},
     {SIZES(7, 7), .unchanged = true, ALL, .target_flags = O_DIRECT, .warns = true},
     {.sync = false}},
    /* clang-format on */
};

static void expect_blocks(const struct zs_blocks *blocks, const struct zs_blocks *expected)
{
    ck_assert_ptr_nonnull(blocks);
    ck_assert_uint_eq(blocks->read_bytes, expected->read_bytes);
    ck_assert_uint_eq(blocks->write_bytes, expected->write_bytes);
    ck_assert_int_eq(blocks->unchanged, expected->unchanged);
    ck_assert_int_eq(blocks->whole, expected->whole);
    ck_assert_int_eq(blocks->padded, expected->padded);
    ck_assert_int_eq(blocks->skips_errors, expected->skips_errors);
    ck_assert_int_eq(blocks->leaves_zeros, expected->leaves_zeros);
    ck_assert_int_eq(blocks->warns, expected->warns);
    ck_assert_uint_eq(blocks->skip_blocks, expected->skip_blocks);
    ck_assert_uint_eq(blocks->skip_bytes, expected->skip_bytes);
    ck_assert_uint_eq(blocks->seek_bytes, expected->seek_bytes);
    ck_assert_uint_eq(blocks->most_blocks, expected->most_blocks);
    ck_assert_uint_eq(blocks->last_bytes, expected->last_bytes);
    ck_assert_int_eq(blocks->source_flags, expected->source_flags);
    ck_assert_int_eq(blocks->target_flags, expected->target_flags);
    ck_assert_int_eq(blocks->drops_source, expected->drops_source);
    ck_assert_int_eq(blocks->drops_target, expected->drops_target);
}

START_TEST(blocks_are_what_the_operands_want)
{
    const struct zs_options *expected = &copied[_i].options;
    struct parsed parsed;
    const struct zs_options *options = &parsed.options;

    fit(&parsed, copied[_i].words, &copied[_i].source, &copied[_i].target);
    ck_assert_int_eq(parsed.result, 0);
    expect_blocks(options->blocks, &copied[_i].expected);
    ck_assert_uint_eq(options->slice.offset.distance_bytes, expected->slice.offset.distance_bytes);
    if (copied[_i].source.sized && parsed.dd.has_count)
        ck_assert_uint_eq(options->slice.length_bytes, expected->slice.length_bytes);
    else
        ck_assert(!options->slice.has_length);
    ck_assert_int_eq(options->sync, expected->sync);
    if (expected->has_seek)
        ck_assert_uint_eq(options->seek.distance_bytes, expected->seek.distance_bytes);
    ck_assert_int_eq(options->append, expected->append);
    ck_assert_int_eq(options->cut_before, expected->cut_before);
    end(&parsed);
}
END_TEST

static void complain(void *context, const char *source_name, int code)
{
    (void)context;
    (void)source_name;
    (void)code;
}

START_TEST(who_wants_to_hear_of_errors_still_does)
{
    static const struct zs_facts source = {REGULAR(9, 1)}, target = {PIPE(2)};
    struct parsed parsed;

    parse(&parsed, (const char *const[]){"if=in", "conv=noerror", NULL});
    parsed.dd.blocks.complain = complain;
    parsed.dd.blocks.context = &parsed;
    ck_assert_int_eq(zs_dd_fit(&parsed.dd, &source, &target, &parsed.options, &parsed.error), 0);
    ck_assert_ptr_eq(parsed.options.blocks->context, &parsed);
    ck_assert(parsed.options.blocks->complain == complain);
    end(&parsed);
}
END_TEST

/*
 * A file that is its own target, small enough to try all of it: refused where a byte is cut off
 * before it is read, in blocks where one is written over that is read.
 */
enum { SMALL_FILE = 6 };

static void expect_own_target(uint64_t skip, uint64_t count, uint64_t seek, bool cuts)
{
    const struct zs_facts file = {REGULAR(SMALL_FILE, 1)};
    char words[3][32];
    struct parsed parsed;
    bool in_both = false, cut = cuts && seek == 0;

    (void)snprintf(words[0], sizeof words[0], "skip=%ju", (uintmax_t)skip);
    (void)snprintf(words[1], sizeof words[1], "count=%ju", (uintmax_t)count);
    (void)snprintf(words[2], sizeof words[2], "seek=%ju", (uintmax_t)seek);
    for (uint64_t n = 0; n < count && skip + n < SMALL_FILE; n++) {
        cut |= cuts && skip + n >= seek;
        for (uint64_t m = 0; m < count && skip + m < SMALL_FILE; m++)
            in_both |= skip + n == seek + m;
    }
    /* Where nothing is read, cutting in front of where it would be is not told from it. */
    bool empty = count == 0 || skip >= SMALL_FILE;
    fit(&parsed,
        (const char *const[]){"if=f", "of=f", "bs=1", words[0], words[1], words[2],
                              cuts ? NULL : "conv=notrunc", NULL},
        &file, &file);
    if (!empty || seek >= skip)
        ck_assert_msg((parsed.result < 0) == cut, "%s %s %s", words[0], words[1], words[2]);
    if (parsed.result == 0)
        ck_assert_msg((parsed.options.blocks != NULL) == in_both, "%s %s %s", words[0], words[1],
                      words[2]);
    end(&parsed);
}

START_TEST(a_file_that_is_its_own_target_keeps_what_is_read)
{
    for (uint64_t count = 0; count <= SMALL_FILE + 2; count++) {
        for (uint64_t seek = 0; seek <= SMALL_FILE + 2; seek++) {
            expect_own_target((uint64_t)_i, count, seek, false);
            expect_own_target((uint64_t)_i, count, seek, true);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dd");
    TCase *name = add_case(suite, "name");
    add_rows(name, zdd_is_the_name, names);

    TCase *number = add_case(suite, "number");
    add_rows(number, a_number_of_the_grammar_has_its_exact_value, numbers);
    add_rows(number, every_number_is_a_size_that_a_block_can_have, numbers);
    tcase_add_test(number, a_block_has_room_for_one_byte_behind_it);
    add_rows(number, what_is_no_number_is_refused_with_its_operand, wrong_numbers);
    add_rows(number, every_suffix_multiplies_up_to_the_last_product_of_63_bits, suffixes);
    tcase_add_loop_test(number, no_other_byte_is_part_of_a_number, 1, 256);

    TCase *operands = add_case(suite, "operands");
    add_rows(operands, operands_are_understood, accepted);
    add_rows(operands, a_flag_is_for_the_file_of_its_end, flags);
    add_rows(operands, a_wrong_operand_is_refused_by_its_name, refused);

    TCase *info = add_case(suite, "information");
    tcase_add_test(info, help_names_every_operand_and_word);
    tcase_add_test(info, the_version_is_one_line);
    tcase_add_loop_test(info, information_that_cannot_be_written_is_a_failure, 0, 2);

    TCase *ends = add_case(suite, "ends");
    add_rows(ends, what_the_ends_cannot_do_is_refused, unfit);
    add_rows(ends, operands_become_a_slice_and_its_place, fitting);
    tcase_add_loop_test(ends, a_file_that_is_its_own_target_keeps_what_is_read, 0, SMALL_FILE + 3);

    TCase *blocks = add_case(suite, "blocks");
    add_rows(blocks, it_is_done_in_blocks_where_it_shows, needs);
    tcase_add_loop_test(blocks, what_always_gives_all_needs_no_blocks, 0, 12);
    add_rows(blocks, blocks_are_what_the_operands_want, copied);
    tcase_add_test(blocks, who_wants_to_hear_of_errors_still_does);
    return run_pure_suite(suite);
}
