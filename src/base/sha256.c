#include "sha256.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static EVP_MD *fetched;

static void
fetch(void)
{
	fetched = EVP_MD_fetch(NULL, "SHA256", NULL);
	ERR_clear_error();
}

const EVP_MD *
sha256_md(void)
{
	/* Where memory failed in that one moment, the slower way is as good. */
	return CRYPTO_THREAD_run_once(&once, fetch) == 1 && fetched != NULL
		   ? fetched
		   : EVP_sha256();
}

int
sha256_of(struct span bytes, uint8_t digest[SHA256_BYTES])
{
	if (EVP_Digest(
		bytes.data, bytes.len, digest, NULL, sha256_md(), NULL) == 1)
		return 0;
	ERR_clear_error();
	return -1;
}

void
sha256_or_abort(struct span bytes, uint8_t digest[SHA256_BYTES])
{
	if (sha256_of(bytes, digest) != 0)
		abort();
}
