/* Known digests, in one piece and in many, and a library that is not there. */

#include "digest.h"

#include "check_helpers.h"

#include <dlfcn.h>
#include <errno.h>

/* dlopen(3) and dlsym(3) fail when they are told to. */
void *__real_dlopen(const char *file, int mode);
void *__wrap_dlopen(const char *file, int mode);
void *__real_dlsym(void *library, const char *name);
void *__wrap_dlsym(void *library, const char *name);

static bool is_missing;            /* every library */
static const char *missing_symbol; /* this function of it */
static const char *failing_symbol; /* this one is there, and fails */
static int opened;

/* What libcrypto and libxxhash return on failure. */
static int no(void)
{
    return 0;
}

static int one(void)
{
    return 1;
}

void *__wrap_dlopen(const char *file, int mode)
{
    opened++;
    return is_missing ? NULL : __real_dlopen(file, mode);
}

void *__wrap_dlsym(void *library, const char *name)
{
    if (missing_symbol && strcmp(name, missing_symbol) == 0)
        return NULL;
    /* A function pointer as an object's, as dlsym(3) itself has it. */
    if (failing_symbol && strcmp(name, failing_symbol) == 0)
        return (void *)(uintptr_t)(strncmp(name, "EVP", 3) == 0 ? no : one);
    return __real_dlsym(library, name);
}

/* As sha256sum and xxh128sum have them, too. */
static const struct {
    enum zs_digest_kind kind;
    const char *text; /* repeated `times` */
    int times;
    const char *digest;
} known[] = {
    /* FIPS 180-2 and NIST's examples */
    {ZS_DIGEST_SHA256, "", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {ZS_DIGEST_SHA256, "abc", 1,
     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {ZS_DIGEST_SHA256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {ZS_DIGEST_SHA256, "a", 1000000,
     "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    /* xxHash's own */
    {ZS_DIGEST_XXH128, "", 1, "99aa06d3014798d86001c324468d497f"},
    {ZS_DIGEST_XXH128, "abc", 1, "06b05ab6733a618578af5f94892f3950"},
    {ZS_DIGEST_XXH128, "a", 1000000, "a545df8e384a9579b1fd6fae5285c4eb"},
};

static char *repeated(const char *text, int times, size_t *length)
{
    size_t one = strlen(text);
    char *all = malloc(one * (size_t)times + 1);

    ck_assert_ptr_nonnull(all);
    *length = one * (size_t)times;
    for (int i = 0; i < times; i++)
        memcpy(all + one * (size_t)i, text, one);
    return all;
}

static struct zs_digest *create(enum zs_digest_kind kind)
{
    struct zs_digest *digest = NULL;
    struct zs_error error = {0};

    ck_assert_msg(zs_digest_create(kind, &digest, &error) == 0, "%s: %s", error.operation,
                  error.detail);
    ck_assert_int_eq(error.kind, ZS_ERROR_NONE);
    return digest;
}

static void finish(struct zs_digest *digest, char text[ZS_DIGEST_TEXT_BYTES])
{
    struct zs_error error = {0};

    ck_assert_int_eq(zs_digest_finish(digest, text, &error), 0);
    ck_assert_int_eq(error.kind, ZS_ERROR_NONE);
}

START_TEST(a_known_digest_comes_out)
{
    char text[ZS_DIGEST_TEXT_BYTES];
    size_t length;
    char *bytes = repeated(known[_i].text, known[_i].times, &length);
    struct zs_digest *digest = create(known[_i].kind);

    zs_digest_update(digest, bytes, length);
    finish(digest, text);
    ck_assert_str_eq(text, known[_i].digest);
    zs_digest_free(digest);
    free(bytes);
}
END_TEST

START_TEST(it_is_the_same_in_pieces)
{
    char text[ZS_DIGEST_TEXT_BYTES];
    size_t length;
    char *bytes = repeated(known[_i].text, known[_i].times, &length);
    struct zs_digest *digest = create(known[_i].kind);

    zs_digest_update(digest, "", 0);
    for (size_t at = 0, piece = 1; at < length; at += piece, piece = piece * 3 % 65537 + 1)
        zs_digest_update(digest, bytes + at, piece < length - at ? piece : length - at);
    finish(digest, text);
    ck_assert_str_eq(text, known[_i].digest);
    zs_digest_free(digest);
    free(bytes);
}
END_TEST

START_TEST(two_of_them_do_not_disturb_each_other)
{
    char text[ZS_DIGEST_TEXT_BYTES];
    struct zs_digest *one = create(ZS_DIGEST_SHA256), *other = create(ZS_DIGEST_SHA256);
    struct zs_digest *third = create(ZS_DIGEST_XXH128);

    zs_digest_update(one, "a", 1);
    zs_digest_update(other, "something else", 14);
    zs_digest_update(third, "abc", 3);
    zs_digest_update(one, "bc", 2);
    zs_digest_free(other);
    finish(one, text);
    ck_assert_str_eq(text, known[1].digest);
    zs_digest_free(one);
    finish(third, text);
    ck_assert_str_eq(text, known[5].digest);
    zs_digest_free(third);
}
END_TEST

/* A digest that nobody finished, and none. */
START_TEST(it_can_be_freed_at_any_time)
{
    zs_digest_free(create(ZS_DIGEST_SHA256));
    zs_digest_free(create(ZS_DIGEST_XXH128));
    zs_digest_free(NULL);
}
END_TEST

static const struct {
    enum zs_digest_kind kind;
    bool is_missing;
    const char *missing_symbol;
    const char *detail;
} broken[] = {
    {ZS_DIGEST_SHA256, true, NULL, "libcrypto.so.3 cannot be loaded ("},
    {ZS_DIGEST_XXH128, true, NULL, "libxxhash.so.0 cannot be loaded ("},
    {ZS_DIGEST_SHA256, false, "EVP_sha256", "libcrypto.so.3 does not work here"},
    {ZS_DIGEST_SHA256, false, "EVP_MD_CTX_free", "libcrypto.so.3 does not work here"},
    {ZS_DIGEST_XXH128, false, "XXH3_createState", "libxxhash.so.0 does not work here"},
    {ZS_DIGEST_XXH128, false, "XXH3_freeState", "libxxhash.so.0 does not work here"},
};

START_TEST(a_library_that_is_not_there_is_named)
{
    struct zs_digest *digest = NULL;
    struct zs_error error = {0};

    is_missing = broken[_i].is_missing;
    missing_symbol = broken[_i].missing_symbol;
    int result = zs_digest_create(broken[_i].kind, &digest, &error);
    is_missing = false;
    missing_symbol = NULL;
    ck_assert_int_eq(result, -1);
    ck_assert_int_gt(opened, 0);
    ck_assert_int_eq(error.kind, ZS_ERROR_REFUSED);
    ck_assert_str_eq(error.object, "--digest");
    ck_assert_str_eq(error.operation, zs_digest_names[broken[_i].kind]);
    ck_assert_msg(strstr(error.detail, broken[_i].detail) == error.detail, "%s", error.detail);
    ck_assert_ptr_null(digest);
}
END_TEST

static const struct {
    enum zs_digest_kind kind;
    const char *symbol;
} failing[] = {
    {ZS_DIGEST_SHA256, "EVP_DigestUpdate"},
    {ZS_DIGEST_SHA256, "EVP_DigestFinal_ex"},
    {ZS_DIGEST_XXH128, "XXH3_128bits_update"},
};

START_TEST(a_library_that_fails_is_told_in_the_end)
{
    char text[ZS_DIGEST_TEXT_BYTES];
    struct zs_error error = {0};

    failing_symbol = failing[_i].symbol;
    struct zs_digest *digest = create(failing[_i].kind);
    failing_symbol = NULL;
    zs_digest_update(digest, "abc", 3);
    ck_assert_int_eq(zs_digest_finish(digest, text, &error), -1);
    ck_assert_int_eq(error.kind, ZS_ERROR_TRANSFER);
    ck_assert_str_eq(error.object, "--digest");
    ck_assert_str_eq(error.operation, zs_digest_names[failing[_i].kind]);
    zs_digest_free(digest);
}
END_TEST

static const struct {
    enum zs_digest_kind kind;
    const char *symbol;
} beginning[] = {{ZS_DIGEST_SHA256, "EVP_DigestInit_ex"}, {ZS_DIGEST_XXH128, "XXH3_128bits_reset"}};

START_TEST(a_library_that_cannot_begin_is_refused)
{
    struct zs_digest *digest = NULL;
    struct zs_error error = {0};

    failing_symbol = beginning[_i].symbol;
    int result = zs_digest_create(beginning[_i].kind, &digest, &error);
    failing_symbol = NULL;
    ck_assert_int_eq(result, -1);
    ck_assert_int_eq(error.kind, ZS_ERROR_REFUSED);
    ck_assert_ptr_nonnull(strstr(error.detail, "does not work here"));
}
END_TEST

START_TEST(each_kind_has_a_name_and_a_tag)
{
    ck_assert_ptr_null(zs_digest_names[ZS_DIGEST_NONE]);
    ck_assert_str_eq(zs_digest_names[ZS_DIGEST_SHA256], "sha256");
    ck_assert_str_eq(zs_digest_names[ZS_DIGEST_XXH128], "xxh128");
    ck_assert_str_eq(zs_digest_tags[ZS_DIGEST_SHA256], "SHA256");
    ck_assert_str_eq(zs_digest_tags[ZS_DIGEST_XXH128], "XXH128");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("digest");
    TCase *values = add_case(suite, "values");
    add_rows(values, a_known_digest_comes_out, known);
    add_rows(values, it_is_the_same_in_pieces, known);
    tcase_add_test(values, two_of_them_do_not_disturb_each_other);
    tcase_add_test(values, it_can_be_freed_at_any_time);
    tcase_add_test(values, each_kind_has_a_name_and_a_tag);

    TCase *library = add_case(suite, "library");
    add_rows(library, a_library_that_is_not_there_is_named, broken);
    add_rows(library, a_library_that_cannot_begin_is_refused, beginning);
    add_rows(library, a_library_that_fails_is_told_in_the_end, failing);
    return run_pure_suite(suite);
}
