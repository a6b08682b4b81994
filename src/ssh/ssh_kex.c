#include "ssh_kex.h"

#include "sha256.h"
#include "ssh_engine.h"
#include "wire.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

enum {
	X25519_BYTES = 32,
	MLKEM768_PUBLIC_BYTES = 1184, /* FIPS 203, table 3 */
	MLKEM768_CIPHERTEXT_BYTES = 1088,
	MLKEM768_SECRET_BYTES = 32
};

static const char mlkem768_name[] = "ML-KEM-768";

static const char *const names[SSH_KEX_COUNT] = {
    [SSH_KEX_MLKEM768X25519_SHA256] = "mlkem768x25519-sha256",
    [SSH_KEX_CURVE25519_SHA256] = "curve25519-sha256",
    [SSH_KEX_CURVE25519_SHA256_LIBSSH] = "curve25519-sha256@libssh.org",
};

const char *
ssh_kex_name(enum ssh_kex kex)
{
	return names[kex];
}

/*
 * A fact of the library that is loaded, looked up once: to look for what is
 * not there goes through all of its providers every time.
 */
static CRYPTO_ONCE mlkem_once = CRYPTO_ONCE_STATIC_INIT;
static bool has_mlkem;

static void
look_for_mlkem(void)
{
	EVP_PKEY_CTX *ctx =
	    EVP_PKEY_CTX_new_from_name(NULL, mlkem768_name, NULL);

	has_mlkem = ctx != NULL;
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
}

bool
ssh_kex_is_available(enum ssh_kex kex)
{
	if (kex != SSH_KEX_MLKEM768X25519_SHA256)
		return true;
	return CRYPTO_THREAD_run_once(&mlkem_once, look_for_mlkem) == 1 &&
	       has_mlkem;
}

/*
 * A key made for this once, of which only the private half counts.  libcrypto
 * would work the public one out where it is not given, and by a slower way
 * than the one by which shared secrets are: derive() makes it, from the base
 * point, as RFC 7748 section 6.1 defines it.
 */
static EVP_PKEY *
new_private_key(struct ssh_engine *engine)
{
	uint8_t private[X25519_BYTES], unused[X25519_BYTES] = {0};
	EVP_PKEY *key = NULL;
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_octet_string(
		OSSL_PKEY_PARAM_PRIV_KEY, private, sizeof private),
	    OSSL_PARAM_construct_octet_string(
		OSSL_PKEY_PARAM_PUB_KEY, unused, sizeof unused),
	    OSSL_PARAM_construct_end(),
	};

	if (RAND_priv_bytes(private, sizeof private) == 1 &&
	    EVP_PKEY_fromdata(engine->x25519, &key, EVP_PKEY_KEYPAIR, params) !=
		1) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	explicit_bzero(private, sizeof private);
	return key;
}

/* RFC 7748: the private key of `ctx` times its peer's point; not zeroes. */
static bool
derive(EVP_PKEY_CTX *ctx, uint8_t point[X25519_BYTES])
{
	static const uint8_t zeroes[X25519_BYTES];
	size_t len = X25519_BYTES;

	/*
	 * Once it is set up, libcrypto fails where the secret comes out as
	 * zeroes; RFC 8731 section 3 asks for that, so look again.
	 */
	return EVP_PKEY_derive(ctx, point, &len) == 1 && len == X25519_BYTES &&
	       CRYPTO_memcmp(point, zeroes, sizeof zeroes) != 0;
}

/* X25519 with a key made for this once: our public key, the common secret. */
static enum ssh_kex_result
x25519(struct ssh_engine *engine, struct span theirs,
    uint8_t public[X25519_BYTES], uint8_t secret[X25519_BYTES])
{
	enum ssh_kex_result result = SSH_KEX_FAILED;
	EVP_PKEY *key = new_private_key(engine);
	EVP_PKEY_CTX *ctx = key == NULL ? NULL : EVP_PKEY_CTX_new(key, NULL);

	if (ctx == NULL || EVP_PKEY_derive_init(ctx) != 1 ||
	    EVP_PKEY_derive_set_peer_ex(ctx, engine->base_point, 0) != 1 ||
	    !derive(ctx, public) ||
	    EVP_PKEY_set1_encoded_public_key(
		engine->peer, theirs.data, theirs.len) != 1 ||
	    EVP_PKEY_derive_set_peer_ex(ctx, engine->peer, 0) != 1)
		goto out;
	result = derive(ctx, secret) ? SSH_KEX_OK : SSH_KEX_BAD_SHARE;
out:
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
	return result;
}

static enum ssh_kex_result
curve25519_reply(struct ssh_engine *engine, struct span theirs,
    struct buf *share, struct buf *secret)
{
	uint8_t public[X25519_BYTES], common[X25519_BYTES];
	enum ssh_kex_result result;

	if (theirs.len != X25519_BYTES)
		return SSH_KEX_BAD_SHARE;
	result = x25519(engine, theirs, public, common);
	if (result == SSH_KEX_OK) {
		buf_append(share, public, sizeof public);
		wire_put_mpint(secret, span_of(common, sizeof common));
	}
	explicit_bzero(common, sizeof common);
	return result;
}

/* A secret for whoever holds the key, and what to tell him of it. */
static enum ssh_kex_result
mlkem768(struct span key, uint8_t ciphertext[MLKEM768_CIPHERTEXT_BYTES],
    uint8_t secret[MLKEM768_SECRET_BYTES])
{
	enum ssh_kex_result result = SSH_KEX_FAILED;
	size_t ciphertext_len = MLKEM768_CIPHERTEXT_BYTES;
	size_t secret_len = MLKEM768_SECRET_BYTES;
	EVP_PKEY_CTX *ctx = NULL;
	EVP_PKEY *peer = EVP_PKEY_new_raw_public_key_ex(
	    NULL, mlkem768_name, NULL, key.data, key.len);

	/* FIPS 203 section 7.2: its coefficients have been checked. */
	if (peer == NULL) {
		result = SSH_KEX_BAD_SHARE;
		goto out;
	}
	ctx = EVP_PKEY_CTX_new(peer, NULL);
	if (ctx != NULL && EVP_PKEY_encapsulate_init(ctx, NULL) == 1 &&
	    EVP_PKEY_encapsulate(
		ctx, ciphertext, &ciphertext_len, secret, &secret_len) == 1 &&
	    ciphertext_len == MLKEM768_CIPHERTEXT_BYTES &&
	    secret_len == MLKEM768_SECRET_BYTES)
		result = SSH_KEX_OK;
out:
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(peer);
	return result;
}

static enum ssh_kex_result
mlkem768x25519_reply(struct ssh_engine *engine, struct span theirs,
    struct buf *share, struct buf *secret)
{
	uint8_t ours[MLKEM768_CIPHERTEXT_BYTES + X25519_BYTES];
	uint8_t both[MLKEM768_SECRET_BYTES + X25519_BYTES];
	uint8_t hash[SSH_KEX_HASH_BYTES];
	enum ssh_kex_result result = SSH_KEX_FAILED;
	struct span key;

	if (!ssh_kex_is_available(SSH_KEX_MLKEM768X25519_SHA256))
		return SSH_KEX_FAILED;
	if (!wire_take_bytes(&theirs, MLKEM768_PUBLIC_BYTES, &key) ||
	    theirs.len != X25519_BYTES)
		return SSH_KEX_BAD_SHARE;
	result = mlkem768(key, ours, both);
	if (result == SSH_KEX_OK)
		result =
		    x25519(engine, theirs, ours + MLKEM768_CIPHERTEXT_BYTES,
			both + MLKEM768_SECRET_BYTES);
	if (result == SSH_KEX_OK &&
	    sha256_of(span_of(both, sizeof both), hash) != 0)
		result = SSH_KEX_FAILED;
	if (result == SSH_KEX_OK) {
		buf_append(share, ours, sizeof ours);
		wire_put_string32(secret, span_of(hash, sizeof hash));
	}
	explicit_bzero(both, sizeof both);
	explicit_bzero(hash, sizeof hash);
	return result;
}

typedef enum ssh_kex_result reply_fn(struct ssh_engine *engine,
    struct span theirs, struct buf *share, struct buf *secret);

static reply_fn *const replies[SSH_KEX_COUNT] = {
    [SSH_KEX_MLKEM768X25519_SHA256] = mlkem768x25519_reply,
    [SSH_KEX_CURVE25519_SHA256] = curve25519_reply,
    [SSH_KEX_CURVE25519_SHA256_LIBSSH] = curve25519_reply,
};

enum ssh_kex_result
ssh_kex_reply(struct ssh_engine *engine, enum ssh_kex kex,
    struct span client_share, struct buf *share, struct buf *secret)
{
	enum ssh_kex_result result =
	    replies[kex](engine, client_share, share, secret);

	if (result == SSH_KEX_OK && (share->failed || secret->failed))
		result = SSH_KEX_FAILED;
	if (result != SSH_KEX_OK)
		ERR_clear_error();
	return result;
}

int
ssh_kex_derive(struct span secret, const uint8_t hash[SSH_KEX_HASH_BYTES],
    struct span session_id, char letter, uint8_t *key, size_t len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t block[SSH_KEX_HASH_BYTES];
	size_t done = 0, part;
	int result = -1;

	while (ctx != NULL && done < len) {
		if (EVP_DigestInit_ex(ctx, sha256_md(), NULL) != 1 ||
		    EVP_DigestUpdate(ctx, secret.data, secret.len) != 1 ||
		    EVP_DigestUpdate(ctx, hash, SSH_KEX_HASH_BYTES) != 1)
			goto out;
		/* The first block has the letter, the others what there is. */
		if (done == 0 ? EVP_DigestUpdate(ctx, &letter, 1) != 1 ||
				    EVP_DigestUpdate(ctx, session_id.data,
					session_id.len) != 1
			      : EVP_DigestUpdate(ctx, key, done) != 1)
			goto out;
		if (EVP_DigestFinal_ex(ctx, block, NULL) != 1)
			goto out;
		part = len - done < sizeof block ? len - done : sizeof block;
		memcpy(key + done, block, part);
		done += part;
	}
	if (done == len)
		result = 0;
out:
	if (result != 0)
		ERR_clear_error();
	explicit_bzero(block, sizeof block);
	EVP_MD_CTX_free(ctx);
	return result;
}
