#ifndef KAYA_SHA256_H
#define KAYA_SHA256_H

/*
 * sha256: SHA-256 (FIPS 180-4) by libcrypto, which is asked for it by name
 * once: to name it anew is a third of the cost of a short digest.
 */

#include "span.h"

#include <openssl/types.h>

enum { SHA256_BYTES = 32 };

/*
 * The digest of `bytes`.  0, or -1 where libcrypto or memory fails; nothing is
 * to be concluded from `digest` then.
 */
int sha256_of(struct span bytes, uint8_t digest[SHA256_BYTES])
    __attribute__((warn_unused_result));

/*
 * The same for who has no way to say that it failed: it ends the program, as
 * digests that were not made would all be alike.
 */
void sha256_or_abort(struct span bytes, uint8_t digest[SHA256_BYTES]);

/* For a digest made in parts (EVP_DigestInit_ex).  Never NULL, not to free. */
const EVP_MD *sha256_md(void);

#endif
