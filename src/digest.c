/*
 * Digests by libraries that are loaded on demand. Their interfaces are stable within the version in
 * the file's name, which is why that is asked for; so their headers are not needed to build.
 */

#include "digest.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const zs_digest_names[ZS_DIGEST_COUNT] = {
    [ZS_DIGEST_SHA256] = "sha256", [ZS_DIGEST_XXH128] = "xxh128"};

const char *const zs_digest_tags[ZS_DIGEST_COUNT] = {
    [ZS_DIGEST_SHA256] = "SHA256", [ZS_DIGEST_XXH128] = "XXH128"};

/* Of <xxhash.h>: returned by value. */
struct xxh128 {
    uint64_t low;
    uint64_t high;
};

/* Of <openssl/evp.h>. */
struct crypto {
    const void *(*algorithm)(void);
    void *(*create)(void);
    int (*begin)(void *context, const void *algorithm, void *engine);
    int (*update)(void *context, const void *bytes, size_t length_bytes);
    int (*finish)(void *context, unsigned char *result, unsigned *length_bytes);
    void (*free)(void *context);
};

/* Of <xxhash.h>. */
struct xxhash {
    void *(*create)(void);
    int (*begin)(void *state);
    int (*update)(void *state, const void *bytes, size_t length_bytes);
    struct xxh128 (*finish)(const void *state);
    int (*free)(void *state);
};

struct zs_digest {
    enum zs_digest_kind kind;
    void *library;
    void *state;
    bool failed;
    struct crypto crypto;
    struct xxhash xxhash;
};

struct symbol {
    void *function; /* address of the pointer to fill */
    const char *name;
};

/* Fills pointers with a library's functions. False if one is missing. */
static bool load(struct zs_digest *digest, const char *file, const struct symbol *symbols,
                 size_t count)
{
    digest->library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!digest->library)
        return false;
    for (size_t i = 0; i < count; i++) {
        void *found = dlsym(digest->library, symbols[i].name);
        if (!found)
            return false;
        memcpy(symbols[i].function, &found, sizeof found);
    }
    return true;
}

static const char crypto_file[] = "libcrypto.so.3";
static const char xxhash_file[] = "libxxhash.so.0";

static bool load_sha256(struct zs_digest *digest)
{
    struct crypto *crypto = &digest->crypto;
    const struct symbol symbols[] = {
        {&crypto->algorithm, "EVP_sha256"},      {&crypto->create, "EVP_MD_CTX_new"},
        {&crypto->begin, "EVP_DigestInit_ex"},   {&crypto->update, "EVP_DigestUpdate"},
        {&crypto->finish, "EVP_DigestFinal_ex"}, {&crypto->free, "EVP_MD_CTX_free"},
    };

    if (!load(digest, crypto_file, symbols, sizeof symbols / sizeof *symbols))
        return false;
    digest->state = crypto->create();
    return digest->state && crypto->begin(digest->state, crypto->algorithm(), NULL) == 1;
}

static bool load_xxh128(struct zs_digest *digest)
{
    struct xxhash *xxhash = &digest->xxhash;
    const struct symbol symbols[] = {
        {&xxhash->create, "XXH3_createState"},    {&xxhash->begin, "XXH3_128bits_reset"},
        {&xxhash->update, "XXH3_128bits_update"}, {&xxhash->finish, "XXH3_128bits_digest"},
        {&xxhash->free, "XXH3_freeState"},
    };

    if (!load(digest, xxhash_file, symbols, sizeof symbols / sizeof *symbols))
        return false;
    digest->state = xxhash->create();
    return digest->state && xxhash->begin(digest->state) == 0;
}

int zs_digest_create(enum zs_digest_kind kind, struct zs_digest **digest, struct zs_error *error)
{
    struct zs_digest *created = calloc(1, sizeof *created);
    bool sha256 = kind == ZS_DIGEST_SHA256;

    if (!created)
        return zs_error_set(error, ZS_ERROR_TRANSFER, "zslice", "preparing the digest", ENOMEM,
                            NULL);
    created->kind = kind;
    if (sha256 ? load_sha256(created) : load_xxh128(created)) {
        *digest = created;
        return 0;
    }
    const char *reason = created->library ? NULL : dlerror();
    (void)zs_error_set(error, ZS_ERROR_REFUSED, "--digest", zs_digest_names[kind], 0,
                       created->library ? "%s does not work here" : "%s cannot be loaded (%s)",
                       sha256 ? crypto_file : xxhash_file, reason ? reason : "no reason given");
    zs_digest_free(created);
    return -1;
}

void zs_digest_update(struct zs_digest *digest, const void *bytes, size_t length_bytes)
{
    bool updated = digest->kind == ZS_DIGEST_SHA256
                       ? digest->crypto.update(digest->state, bytes, length_bytes) == 1
                       : digest->xxhash.update(digest->state, bytes, length_bytes) == 0;
    digest->failed |= !updated;
}

int zs_digest_finish(struct zs_digest *digest, char text[ZS_DIGEST_TEXT_BYTES],
                     struct zs_error *error)
{
    if (digest->kind == ZS_DIGEST_SHA256) {
        unsigned char result[64] = {0}; /* as long as libcrypto's longest one */
        unsigned length = 0;
        digest->failed |= digest->crypto.finish(digest->state, result, &length) != 1;
        for (unsigned i = 0; i < length && 2 * i + 2 < ZS_DIGEST_TEXT_BYTES; i++)
            (void)snprintf(text + (size_t)2 * i, 3, "%02x", result[i]);
    } else {
        struct xxh128 result = digest->xxhash.finish(digest->state);
        (void)snprintf(text, ZS_DIGEST_TEXT_BYTES, "%016llx%016llx",
                       (unsigned long long)result.high, (unsigned long long)result.low);
    }
    return digest->failed ? zs_error_set(error, ZS_ERROR_TRANSFER, "--digest",
                                         zs_digest_names[digest->kind], 0, "its library failed")
                          : 0;
}

void zs_digest_free(struct zs_digest *digest)
{
    if (!digest)
        return;
    if (digest->state && digest->kind == ZS_DIGEST_SHA256)
        digest->crypto.free(digest->state);
    else if (digest->state)
        (void)digest->xxhash.free(digest->state);
    if (digest->library)
        (void)dlclose(digest->library);
    free(digest);
}
