/* Failures as values: the first one wins, and text that is too long is cut. */

#include "error.h"

#include "check_helpers.h"

#include <errno.h>

START_TEST(setting_fills_every_part)
{
    struct zs_error error = {0};
    const char *object = "out";

    ck_assert_int_eq(zs_error_set(&error, ZS_ERROR_TRANSFER, object, "writing", ENOSPC,
                                  "%d bytes at %s", 7, "the end"),
                     -1);
    ck_assert_int_eq(error.kind, ZS_ERROR_TRANSFER);
    ck_assert_ptr_eq(error.object, object);
    ck_assert_str_eq(error.operation, "writing");
    ck_assert_int_eq(error.code, ENOSPC);
    ck_assert_str_eq(error.detail, "7 bytes at the end");
}
END_TEST

START_TEST(no_format_is_no_detail)
{
    struct zs_error error = {.detail = "left over"};

    ck_assert_int_eq(zs_error_set(&error, ZS_ERROR_REFUSED, "in", NULL, EISDIR, NULL), -1);
    ck_assert_str_eq(error.detail, "");
    ck_assert_ptr_null(error.operation);
}
END_TEST

START_TEST(the_first_error_wins)
{
    struct zs_error error = {0};

    (void)zs_error_set(&error, ZS_ERROR_SHORT, "in", "slicing", 0, "first");
    struct zs_error first = error;
    ck_assert_int_eq(zs_error_set(&error, ZS_ERROR_TRANSFER, "out", "closing", EIO, "second"), -1);
    ck_assert_mem_eq(&error, &first, sizeof error);
}
END_TEST

START_TEST(appended_text_follows_a_semicolon)
{
    struct zs_error error = {0};

    (void)zs_error_set(&error, ZS_ERROR_TRANSFER, "out", "writing", EIO, NULL);
    zs_error_append(&error, "%d bytes", 3);
    ck_assert_str_eq(error.detail, "3 bytes");
    zs_error_append(&error, "and %s", "more");
    ck_assert_str_eq(error.detail, "3 bytes; and more");
}
END_TEST

START_TEST(text_that_is_too_long_is_cut)
{
    char text[1000];
    struct zs_error error = {0};

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)zs_error_set(&error, ZS_ERROR_USAGE, "in", NULL, 0, "%s", text);
    ck_assert_uint_eq(strlen(error.detail), sizeof error.detail - 1);
}
END_TEST

/* Every length around the end of the room, for the separator may be cut as well as the text. */
START_TEST(appending_never_leaves_the_room)
{
    struct zs_error error = {0};
    size_t most = sizeof error.detail - 1;
    size_t length = most - 6 + (size_t)_i;

    (void)zs_error_set(&error, ZS_ERROR_USAGE, "in", NULL, 0, "%*s", (int)length, "");
    zs_error_append(&error, "%s", "tail");
    size_t expected = length + strlen("; tail");
    ck_assert_uint_eq(strlen(error.detail), expected < most ? expected : most);
    ck_assert_int_eq(error.kind, ZS_ERROR_USAGE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("error");
    TCase *tcase = add_case(suite, "error");
    tcase_add_test(tcase, setting_fills_every_part);
    tcase_add_test(tcase, no_format_is_no_detail);
    tcase_add_test(tcase, the_first_error_wins);
    tcase_add_test(tcase, appended_text_follows_a_semicolon);
    tcase_add_test(tcase, text_that_is_too_long_is_cut);
    tcase_add_loop_test(tcase, appending_never_leaves_the_room, 0, 7);
    return run_pure_suite(suite);
}
