/* Messages: no text can be more than text, and every escaped text can be read back. */

#include "diag.h"

#include "check_helpers.h"

#include <errno.h>

static char *escaped(const char *text)
{
    struct text printed = {0};
    text_begin(&printed);
    zs_diag_print_escaped(printed.stream, text);
    text_end(&printed);
    return printed.chars;
}

static const struct {
    const char *text;
    const char *expected;
} escapes[] = {
    {"", ""},
    {"plain name.txt", "plain name.txt"},
    {" leading and trailing ", " leading and trailing "},
    {"quotes ' and \" stay", "quotes ' and \" stay"},
    {"~!@#$%^&*()[]{}<>|;:,?", "~!@#$%^&*()[]{}<>|;:,?"},
    {"100% %s %n", "100% %s %n"},
    /* control characters */
    {"a\nb", "a\\nb"},
    {"a\tb", "a\\tb"},
    {"a\rb", "a\\rb"},
    {"\x01", "\\x01"},
    {"\a\b\v\f", "\\x07\\x08\\x0b\\x0c"},
    {"\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"},
    {"\x1f \x20", "\\x1f  "},
    {"\x7e\x7f", "~\\x7f"},
    /* the backslash itself, so that the escapes are unambiguous */
    {"\\", "\\\\"},
    {"\\n", "\\\\n"},
    {"\\x1b", "\\\\x1b"},
    {"\\\n", "\\\\\\n"},
    /* UTF-8 stays */
    {"na\xc3\xafve", "na\xc3\xafve"},
    {"\xe2\x82\xac", "\xe2\x82\xac"},
    {"\xf0\x9f\x8d\x80", "\xf0\x9f\x8d\x80"},
    {"\xc2\xa0", "\xc2\xa0"},                         /* U+00A0, the first after the C1 controls */
    {"\xdf\xbf\xe0\xa0\x80", "\xdf\xbf\xe0\xa0\x80"}, /* U+07FF U+0800 */
    {"\xed\x9f\xbf\xee\x80\x80", "\xed\x9f\xbf\xee\x80\x80"},         /* U+D7FF U+E000 */
    {"\xef\xbf\xbf\xf0\x90\x80\x80", "\xef\xbf\xbf\xf0\x90\x80\x80"}, /* U+FFFF U+10000 */
    {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},                         /* U+10FFFF */
    /* C1 controls: 0x9b is what ESC [ is in one byte */
    {"\xc2\x80", "\\xc2\\x80"},
    {"\xc2\x9b"
     "2J",
     "\\xc2\\x9b2J"},
    {"\xc2\x9f\xc2\xa0", "\\xc2\\x9f\xc2\xa0"},
    {"\x9b", "\\x9b"},
    /* not UTF-8 */
    {"\x80", "\\x80"},
    {"\xbf", "\\xbf"},
    {"\xff\xfe", "\\xff\\xfe"},
    {"\xc3", "\\xc3"},
    {"\xc3(", "\\xc3("},
    {"\xc3\xc3\xaf", "\\xc3\xc3\xaf"},
    {"\xe2\x82", "\\xe2\\x82"},
    {"\xe2\x82"
     "A",
     "\\xe2\\x82"
     "A"},
    {"\xe2(\xac", "\\xe2(\\xac"},
    {"\xf0\x9f\x8d", "\\xf0\\x9f\\x8d"},
    {"\xf0\x9f\x8d\xc3\xaf", "\\xf0\\x9f\\x8d\xc3\xaf"},
    /* overlong */
    {"\xc0\x80", "\\xc0\\x80"},
    {"\xc0\xaf", "\\xc0\\xaf"},
    {"\xc1\xbf", "\\xc1\\xbf"},
    {"\xe0\x80\x9b", "\\xe0\\x80\\x9b"},
    {"\xe0\x9f\xbf", "\\xe0\\x9f\\xbf"},
    {"\xf0\x80\x80\x9b", "\\xf0\\x80\\x80\\x9b"},
    {"\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf"},
    /* surrogates, and beyond Unicode */
    {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
    {"\xed\xbf\xbf", "\\xed\\xbf\\xbf"},
    {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
    {"\xf7\xbf\xbf\xbf", "\\xf7\\xbf\\xbf\\xbf"},
    {"\xf8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80"},
    {"\xfc\x84\x80\x80\x80\x80", "\\xfc\\x84\\x80\\x80\\x80\\x80"},
};

START_TEST(a_text_is_escaped)
{
    char *printed = escaped(escapes[_i].text);
    ck_assert_str_eq(printed, escapes[_i].expected);
    free(printed);
}
END_TEST

/* What a reader makes of the escapes. */
static void unescape(const char *text, char *original)
{
    while (*text) {
        unsigned value = (unsigned char)*text;
        int used = 1;

        if (*text == '\\') {
            used = 2;
            value = text[1] == 'n'    ? '\n'
                    : text[1] == 't'  ? '\t'
                    : text[1] == 'r'  ? '\r'
                    : text[1] == '\\' ? '\\'
                                      : 0;
            if (sscanf(text, "\\x%2x", &value) == 1)
                used = 4;
        }
        *original++ = (char)value;
        text += used;
    }
    *original = '\0';
}

static bool has_control_byte(const char *printed)
{
    const unsigned char *bytes = (const unsigned char *)printed;

    for (size_t i = 0; bytes[i]; i++) {
        if (bytes[i] < 0x20 || bytes[i] == 0x7f)
            return true;
        /* Not inside a longer sequence: 0xc2 and this is a C1 control, without 0xc2 it is a bare
         * one. */
        if (bytes[i] >= 0x80 && bytes[i] < 0xa0 &&
            (i == 0 || bytes[i - 1] < 0x80 || bytes[i - 1] == 0xc2))
            return true;
    }
    return false;
}

/*
 * One stream for all, and no assertion that holds: with 100,000 texts, each opening and each record
 * that Check makes of a passed line would cost seconds.
 */
static void expect_reversible(FILE *stream, const char *printed, const char *text)
{
    char original[16];

    rewind(stream);
    zs_diag_print_escaped(stream, text);
    (void)fputc('\0', stream);
    (void)fflush(stream);
    if (has_control_byte(printed))
        ck_abort_msg("a control byte in '%s'", printed);
    unescape(printed, original);
    if (strcmp(original, text) != 0)
        ck_abort_msg("'%s' does not read back", printed);
}

START_TEST(every_pair_of_bytes_is_harmless_and_can_be_read_back)
{
    char first = (char)_i;
    char printed[32];
    FILE *stream = fmemopen(printed, sizeof printed, "w");

    ck_assert_ptr_nonnull(stream);
    expect_reversible(stream, printed, (char[]){first, 0});
    for (int second = 1; second < 256; second++)
        expect_reversible(stream, printed, (char[]){first, (char)second, 0});
    (void)fclose(stream);
}
END_TEST

START_TEST(every_third_byte_of_a_sequence_is_harmless)
{
    char printed[32];
    FILE *stream = fmemopen(printed, sizeof printed, "w");

    ck_assert_ptr_nonnull(stream);
    for (int second = 0x80; second < 0xc0; second++) {
        for (int third = 1; third < 256; third += 5)
            expect_reversible(stream, printed, (char[]){(char)_i, (char)second, (char)third, 0});
    }
    (void)fclose(stream);
}
END_TEST

static const struct {
    const char *text;
    size_t length;
    unsigned code_point;
} sequences[] = {
    {"A", 1, 'A'},
    {"\x01", 1, 1},
    {"\x7f", 1, 0x7f},
    {"\xc2\x80", 2, 0x80},
    {"\xdf\xbf", 2, 0x7ff},
    {"\xe0\xa0\x80", 3, 0x800},
    {"\xef\xbf\xbf", 3, 0xffff},
    {"\xf0\x90\x80\x80", 4, 0x10000},
    {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
    {"\xe2\x82\xac and more", 3, 0x20ac},
    {"\x80", 0, 0},
    {"\xc3", 0, 0},
    {"\xe2\x82", 0, 0},
    {"\xf0\x9f\x8d", 0, 0},
    {"\xc1\xbf", 0, 0},
    {"\xe0\x9f\xbf", 0, 0},
    {"\xf0\x8f\xbf\xbf", 0, 0},
    {"\xed\xa0\x80", 0, 0},
    {"\xf4\x90\x80\x80", 0, 0},
    {"\xff", 0, 0},
};

START_TEST(a_sequence_has_its_length_and_code_point)
{
    unsigned code_point = 0;
    ck_assert_uint_eq(zs_diag_utf8_length(sequences[_i].text, &code_point), sequences[_i].length);
    ck_assert_uint_eq(code_point, sequences[_i].code_point);
}
END_TEST

/* The sequences that are valid, counted: all of Unicode but the surrogates. */
START_TEST(there_are_as_many_sequences_of_three_bytes_as_unicode_has)
{
    unsigned count = 0;

    for (unsigned bits = 0; bits < 0x10000; bits++) {
        char text[] = {(char)(0xe0 | bits >> 12), (char)(0x80 | (bits >> 6 & 0x3f)),
                       (char)(0x80 | (bits & 0x3f)), 0};
        unsigned code_point = 0;
        if (zs_diag_utf8_length(text, &code_point) == 3) {
            ck_assert_uint_eq(code_point, bits);
            count++;
        }
    }
    ck_assert_uint_eq(count, 0x10000 - 0x800 - 0x800);
}
END_TEST

static const struct {
    struct zs_error error;
    const char *line;
} lines[] = {
    {{ZS_ERROR_TRANSFER, "out", "writing", ENOSPC, ""},
     "zslice: out: writing: No space left on device\n"},
    {{ZS_ERROR_TRANSFER, "out", "writing", ENOSPC, "the first 4096 bytes of out are good"},
     "zslice: out: writing: No space left on device; the first 4096 bytes of out are good\n"},
    {{ZS_ERROR_SHORT, "in", "slicing", 0, "the offset 9 is beyond its end at 8"},
     "zslice: in: slicing: the offset 9 is beyond its end at 8\n"},
    {{ZS_ERROR_REFUSED, "in", NULL, EISDIR, ""}, "zslice: in: Is a directory\n"},
    {{ZS_ERROR_USAGE, "--offset", NULL, 0, "'x' is not a number"},
     "zslice: --offset: 'x' is not a number (see zslice --help)\n"},
    {{ZS_ERROR_REFUSED, "", "opening", ENOENT, ""},
     "zslice: '': opening: No such file or directory\n"},
    {{ZS_ERROR_REFUSED, "a\nb\x1b[m", "opening", ENOENT, ""},
     "zslice: a\\nb\\x1b[m: opening: No such file or directory\n"},
    {{ZS_ERROR_USAGE, "--seek", NULL, 0, "'1\n\xff\\' is not a number"},
     "zslice: --seek: '1\\n\\xff\\\\' is not a number (see zslice --help)\n"},
    {{ZS_ERROR_REFUSED, "100%s", "opening", 0, "%n%s"}, "zslice: 100%s: opening: %n%s\n"},
};

START_TEST(an_error_is_one_line)
{
    struct text printed = {0};

    text_begin(&printed);
    zs_diag_print_error(printed.stream, &lines[_i].error);
    text_end(&printed);
    ck_assert_str_eq(printed.chars, lines[_i].line);
    free(printed.chars);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("diag");
    TCase *escape = add_case(suite, "escape");
    add_rows(escape, a_text_is_escaped, escapes);
    tcase_add_loop_test(escape, every_pair_of_bytes_is_harmless_and_can_be_read_back, 1, 256);
    tcase_add_loop_test(escape, every_third_byte_of_a_sequence_is_harmless, 0xe0, 0xf0);

    TCase *utf8 = add_case(suite, "utf8");
    add_rows(utf8, a_sequence_has_its_length_and_code_point, sequences);
    tcase_add_test(utf8, there_are_as_many_sequences_of_three_bytes_as_unicode_has);

    TCase *error = add_case(suite, "error");
    add_rows(error, an_error_is_one_line, lines);
    return run_pure_suite(suite);
}
