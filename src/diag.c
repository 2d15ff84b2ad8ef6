/* Messages, and the escaping that keeps names from being more than names. */

#include "diag.h"

#include <stdbool.h>
#include <string.h>

size_t zs_diag_utf8_length(const char *text, unsigned *code_point)
{
    const unsigned char *bytes = (const unsigned char *)text;
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length;
    unsigned value;

    if (bytes[0] < 0x80) {
        *code_point = bytes[0];
        return 1;
    }
    if (bytes[0] >= 0xc0 && bytes[0] < 0xe0) {
        length = 2;
        value = bytes[0] & 0x1f;
    } else if (bytes[0] >= 0xe0 && bytes[0] < 0xf0) {
        length = 3;
        value = bytes[0] & 0x0f;
    } else if (bytes[0] >= 0xf0 && bytes[0] < 0xf8) {
        length = 4;
        value = bytes[0] & 0x07;
    } else {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80) /* the terminating NUL included */
            return 0;
        value = value << 6 | (bytes[i] & 0x3f);
    }
    /* Overlong forms, surrogates and what lies beyond Unicode are not valid. */
    if (value < least[length] || (value >= 0xd800 && value < 0xe000) || value > 0x10ffff)
        return 0;
    *code_point = value;
    return length;
}

static void print_byte_escaped(FILE *stream, char byte)
{
    switch (byte) {
    case '\n':
        (void)fputs("\\n", stream);
        break;
    case '\t':
        (void)fputs("\\t", stream);
        break;
    case '\r':
        (void)fputs("\\r", stream);
        break;
    case '\\':
        (void)fputs("\\\\", stream);
        break;
    default:
        (void)fprintf(stream, "\\x%02x", (unsigned char)byte);
        break;
    }
}

/* What a terminal obeys, or what makes a name look like another one. */
static bool is_control(unsigned code_point)
{
    return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0) || /* C0, DEL, C1 */
           (code_point >= 0x200e && code_point <= 0x200f) ||                 /* directional marks */
           (code_point >= 0x2028 && code_point <= 0x202e) || /* separators, directional overrides */
           (code_point >= 0x2066 && code_point <= 0x2069);   /* directional isolates */
}

void zs_diag_print_escaped(FILE *stream, const char *text)
{
    while (*text) {
        unsigned code_point = 0;
        size_t length = zs_diag_utf8_length(text, &code_point);

        if (length == 0) {
            print_byte_escaped(stream, *text++);
        } else if (is_control(code_point) || code_point == '\\') {
            for (; length > 0; length--)
                print_byte_escaped(stream, *text++);
        } else {
            (void)fwrite(text, 1, length, stream);
            text += length;
        }
    }
}

static const char *program = "zslice";

void zs_diag_name_program(const char *name)
{
    program = name;
}

void zs_diag_print_error(FILE *stream, const struct zs_error *error)
{
    (void)fprintf(stream, "%s: ", program);
    zs_diag_print_escaped(stream, *error->object ? error->object : "''");
    if (error->operation)
        (void)fprintf(stream, ": %s", error->operation);
    if (error->code)
        (void)fprintf(stream, ": %s", strerror(error->code));
    if (error->detail[0]) {
        (void)fputs(error->code ? "; " : ": ", stream);
        zs_diag_print_escaped(stream, error->detail);
    }
    if (error->kind == ZS_ERROR_USAGE)
        (void)fprintf(stream, " (see %s --help)", program);
    (void)fputc('\n', stream);
}
