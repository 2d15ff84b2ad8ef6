#ifndef ZS_DIGEST_H
#define ZS_DIGEST_H

#include "error.h"

#include <stddef.h>

/*
 * Digests, computed by the library that has them: libcrypto's SHA-256, libxxhash's XXH128. It is
 * loaded when the first digest is wanted: linked, libcrypto alone would make every start 2 ms
 * longer.
 */
enum zs_digest_kind {
    ZS_DIGEST_NONE,
    ZS_DIGEST_SHA256,
    ZS_DIGEST_XXH128,
    ZS_DIGEST_COUNT,
};

/* Option values, by kind; NULL for NONE. */
extern const char *const zs_digest_names[ZS_DIGEST_COUNT];

/* As BSD's tools write them: "SHA256". */
extern const char *const zs_digest_tags[ZS_DIGEST_COUNT];

/* Hexadecimal digits of the longest one, and a null. */
enum { ZS_DIGEST_TEXT_BYTES = 65 };

struct zs_digest;

/* kind is not NONE. 0, or -1 with *error: REFUSED, the library is not there. */
int zs_digest_create(enum zs_digest_kind kind, struct zs_digest **digest, struct zs_error *error);

void zs_digest_update(struct zs_digest *digest, const void *bytes, size_t length_bytes);

/*
 * The digest so far in hexadecimal, as the tools print it; afterwards it can only be freed. 0, or
 * -1 with *error if the library failed.
 */
int zs_digest_finish(struct zs_digest *digest, char text[ZS_DIGEST_TEXT_BYTES],
                     struct zs_error *error);

/* NULL does nothing. */
void zs_digest_free(struct zs_digest *digest);

#endif
