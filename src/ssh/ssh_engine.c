#include "ssh_engine.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <stdlib.h>

/* What libcrypto calls them. */
static const char *const evp_ciphers[SSH_CIPHER_COUNT] = {
    [SSH_CIPHER_CHACHA20_POLY1305] = "ChaCha20",
    [SSH_CIPHER_AES256_GCM] = "AES-256-GCM",
    [SSH_CIPHER_AES128_GCM] = "AES-128-GCM",
    [SSH_CIPHER_AES256_CTR] = "AES-256-CTR",
    [SSH_CIPHER_AES128_CTR] = "AES-128-CTR",
};
static const char evp_hashes[SSH_HASHES][8] = {
    [SSH_HASH_SHA2_256] = "SHA256",
    [SSH_HASH_SHA2_512] = "SHA512",
};

static int
missing(struct err *err, const char *name)
{
	ERR_clear_error();
	err_set(err, ERR_SYSTEM, "libcrypto (%s) has no %s",
	    OpenSSL_version(OPENSSL_VERSION), name);
	return err_hint(err,
	    "install an OpenSSL 3 whose default provider is not switched off");
}

static EVP_CIPHER_CTX *
new_cipher(const char *name, enum ssh_side side)
{
	static const uint8_t zeroes[32];
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (cipher == NULL || ctx == NULL ||
	    !EVP_CipherInit_ex2(
		ctx, cipher, zeroes, zeroes, side == SSH_SIDE_SEAL, NULL)) {
		EVP_CIPHER_CTX_free(ctx);
		ctx = NULL;
	}
	EVP_CIPHER_free(cipher);
	return ctx;
}

static EVP_MAC_CTX *
new_mac(const char *name)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, name, NULL);
	EVP_MAC_CTX *ctx = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);

	EVP_MAC_free(mac);
	return ctx;
}

static EVP_MAC_CTX *
new_hmac(enum ssh_hash hash)
{
	char digest[sizeof evp_hashes[hash]];
	EVP_MAC_CTX *ctx = new_mac("HMAC");
	OSSL_PARAM params[2];

	memcpy(digest, evp_hashes[hash], sizeof digest);
	params[0] =
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
	params[1] = OSSL_PARAM_construct_end();
	if (ctx != NULL && !EVP_MAC_CTX_set_params(ctx, params)) {
		EVP_MAC_CTX_free(ctx);
		ctx = NULL;
	}
	return ctx;
}

static int
fill_x25519(struct ssh_engine *engine, struct err *err)
{
	static const uint8_t nine[32] = {9}; /* RFC 7748 section 6.1 */
	EVP_PKEY **keys[] = {&engine->base_point, &engine->peer};

	engine->x25519 = EVP_PKEY_CTX_new_from_name(NULL, "X25519", NULL);
	if (engine->x25519 == NULL ||
	    EVP_PKEY_fromdata_init(engine->x25519) != 1)
		return missing(err, "X25519");
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		*keys[i] = EVP_PKEY_new_raw_public_key(
		    EVP_PKEY_X25519, NULL, nine, sizeof nine);
		if (*keys[i] == NULL)
			return missing(err, "X25519");
	}
	return 0;
}

static int
fill(struct ssh_engine *engine, struct err *err)
{
	for (size_t side = 0; side < SSH_SIDES; side++) {
		for (size_t i = SSH_CIPHER_NONE + 1; i < SSH_CIPHER_COUNT;
		     i++) {
			engine->ciphers[i][side].ctx =
			    new_cipher(evp_ciphers[i], (enum ssh_side)side);
			if (engine->ciphers[i][side].ctx == NULL)
				return missing(err, evp_ciphers[i]);
		}
		for (size_t i = 0; i < SSH_HASHES; i++) {
			engine->hmacs[i][side].ctx = new_hmac((enum ssh_hash)i);
			if (engine->hmacs[i][side].ctx == NULL)
				return missing(err, "HMAC with SHA-2");
		}
	}
	engine->poly1305 = new_mac("POLY1305");
	if (engine->poly1305 == NULL)
		return missing(err, "POLY1305");
	/* Before 3.0.3 it said yes and went on with the last packet's state. */
	engine->hmac_restarts = OpenSSL_version_num() >= 0x30000030;
	return fill_x25519(engine, err);
}

struct ssh_engine *
ssh_engine_new(struct err *err)
{
	struct ssh_engine *engine = calloc(1, sizeof *engine);

	if (engine == NULL) {
		err_set(err, ERR_NOMEM, "no memory for cipher contexts");
		return NULL;
	}
	if (fill(engine, err) != 0) {
		ssh_engine_free(engine);
		return NULL;
	}
	return engine;
}

void
ssh_engine_free(struct ssh_engine *engine)
{
	if (engine == NULL)
		return;
	for (size_t side = 0; side < SSH_SIDES; side++) {
		for (size_t i = 0; i < SSH_CIPHER_COUNT; i++)
			EVP_CIPHER_CTX_free(engine->ciphers[i][side].ctx);
		for (size_t i = 0; i < SSH_HASHES; i++)
			EVP_MAC_CTX_free(engine->hmacs[i][side].ctx);
	}
	EVP_MAC_CTX_free(engine->poly1305);
	EVP_PKEY_CTX_free(engine->x25519);
	EVP_PKEY_free(engine->base_point);
	EVP_PKEY_free(engine->peer);
	explicit_bzero(engine, sizeof *engine);
	free(engine);
}
