/*
 * fido_token: a FIDO token made of software, for OpenSSH's -w and
 * SecurityKeyProvider: its key handle is the private key itself.
 *
 * Always present and always touched, unless the handle was enrolled without;
 * the PIN is "1234" where one is asked for.  The calls and structures are those
 * of OpenSSH's middleware API (PROTOCOL.u2f, "SSH U2F/FIDO middleware").
 */

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	API_VERSION = 0x000a0000,
	ALG_ECDSA = 0,
	ALG_ED25519 = 1,
	ERR_GENERAL = -1,
	ERR_UNSUPPORTED = -2,
	ERR_PIN_REQUIRED = -3,
	USER_PRESENCE = 0x01,
	USER_VERIFICATION = 0x04,
	ECDSA_BYTES = 32,
	HASH_BYTES = 32,
	SIGNED_BYTES = HASH_BYTES + 1 + 4 + HASH_BYTES,
};

struct sk_option;

struct sk_enroll_response {
	uint8_t flags;
	uint8_t *public_key;
	size_t public_key_len;
	uint8_t *key_handle;
	size_t key_handle_len;
	uint8_t *signature;
	size_t signature_len;
	uint8_t *attestation_cert;
	size_t attestation_cert_len;
	uint8_t *authdata;
	size_t authdata_len;
};

struct sk_sign_response {
	uint8_t flags;
	uint32_t counter;
	uint8_t *sig_r;
	size_t sig_r_len;
	uint8_t *sig_s;
	size_t sig_s_len;
};

uint32_t sk_api_version(void);
int sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len,
    const char *application, uint8_t flags, const char *pin,
    struct sk_option **options, struct sk_enroll_response **response);
int sk_sign(uint32_t alg, const uint8_t *data, size_t data_len,
    const char *application, const uint8_t *handle, size_t handle_len,
    uint8_t flags, const char *pin, struct sk_option **options,
    struct sk_sign_response **response);
int sk_load_resident_keys(
    const char *pin, struct sk_option **options, void ***keys, size_t *count);

static uint8_t *
copy(const void *data, size_t len)
{
	uint8_t *result = malloc(len > 0 ? len : 1);

	if (result == NULL)
		abort();
	memcpy(result, data, len);
	return result;
}

static EVP_PKEY *
generate(uint32_t alg)
{
	return alg == ALG_ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
				  : EVP_EC_gen("P-256");
}

static void
take_ed25519(EVP_PKEY *key, struct sk_enroll_response *out)
{
	uint8_t public_key[32], handle[32];
	size_t len = sizeof public_key;

	EVP_PKEY_get_raw_public_key(key, public_key, &len);
	EVP_PKEY_get_raw_private_key(key, handle, &len);
	out->public_key = copy(public_key, len);
	out->key_handle = copy(handle, len);
	out->public_key_len = out->key_handle_len = len;
}

/* The handle is the whole key, as libcrypto writes it down. */
static void
take_ecdsa(EVP_PKEY *key, struct sk_enroll_response *out)
{
	uint8_t point[65], *handle = NULL;
	size_t len;
	int handle_len;

	EVP_PKEY_get_octet_string_param(
	    key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &len);
	handle_len = i2d_PrivateKey(key, &handle);
	out->public_key = copy(point, len);
	out->public_key_len = len;
	out->key_handle = copy(handle, (size_t)handle_len);
	out->key_handle_len = (size_t)handle_len;
	OPENSSL_free(handle);
}

uint32_t
sk_api_version(void)
{
	return API_VERSION;
}

static int
check_pin(uint8_t flags, const char *pin)
{
	if ((flags & USER_VERIFICATION) != 0 &&
	    (pin == NULL || strcmp(pin, "1234") != 0))
		return ERR_PIN_REQUIRED;
	return 0;
}

int
sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len,
    const char *application, uint8_t flags, const char *pin,
    struct sk_option **options, struct sk_enroll_response **response)
{
	struct sk_enroll_response *out = calloc(1, sizeof *out);
	EVP_PKEY *key;

	(void)challenge;
	(void)challenge_len;
	(void)application;
	(void)options;
	if (out == NULL || alg > ALG_ED25519 || check_pin(flags, pin) != 0) {
		free(out);
		return alg > ALG_ED25519 ? ERR_UNSUPPORTED : ERR_PIN_REQUIRED;
	}
	key = generate(alg);
	if (alg == ALG_ED25519)
		take_ed25519(key, out);
	else
		take_ecdsa(key, out);
	EVP_PKEY_free(key);
	out->flags = flags;
	out->signature = copy("", 0);
	out->attestation_cert = copy("", 0);
	out->authdata = copy("", 0);
	*response = out;
	return 0;
}

/* What a token signs: who asks, how, how often, and what (CTAP2, 6.2.2). */
static void
compose(uint8_t text[SIGNED_BYTES], const char *application, uint8_t flags,
    uint32_t counter, const uint8_t *data, size_t len)
{
	EVP_Digest(
	    application, strlen(application), text, NULL, EVP_sha256(), NULL);
	text[HASH_BYTES] = flags;
	for (int i = 0; i < 4; i++)
		text[HASH_BYTES + 1 + i] = (uint8_t)(counter >> (24 - 8 * i));
	EVP_Digest(data, len, text + HASH_BYTES + 5, NULL, EVP_sha256(), NULL);
}

static int
sign_ed25519(const uint8_t *handle, size_t handle_len, const uint8_t *text,
    struct sk_sign_response *out)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(
	    EVP_PKEY_ED25519, NULL, handle, handle_len);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t signature[64];
	size_t len = sizeof signature;
	int ok = key != NULL &&
		 EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
		 EVP_DigestSign(ctx, signature, &len, text, SIGNED_BYTES) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	if (!ok)
		return ERR_GENERAL;
	out->sig_r = copy(signature, len);
	out->sig_r_len = len;
	return 0;
}

static int
sign_ecdsa(const uint8_t *handle, size_t handle_len, const uint8_t *text,
    struct sk_sign_response *out)
{
	const uint8_t *from = handle;
	EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &from, (long)handle_len);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t der[80], number[ECDSA_BYTES];
	const uint8_t *in = der;
	size_t len = sizeof der;
	ECDSA_SIG *signature;

	if (key == NULL ||
	    EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) != 1 ||
	    EVP_DigestSign(ctx, der, &len, text, SIGNED_BYTES) != 1) {
		EVP_MD_CTX_free(ctx);
		EVP_PKEY_free(key);
		return ERR_GENERAL;
	}
	signature = d2i_ECDSA_SIG(NULL, &in, (long)len);
	BN_bn2binpad(ECDSA_SIG_get0_r(signature), number, sizeof number);
	out->sig_r = copy(number, sizeof number);
	BN_bn2binpad(ECDSA_SIG_get0_s(signature), number, sizeof number);
	out->sig_s = copy(number, sizeof number);
	out->sig_r_len = out->sig_s_len = sizeof number;
	ECDSA_SIG_free(signature);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return 0;
}

int
sk_sign(uint32_t alg, const uint8_t *data, size_t data_len,
    const char *application, const uint8_t *handle, size_t handle_len,
    uint8_t flags, const char *pin, struct sk_option **options,
    struct sk_sign_response **response)
{
	struct sk_sign_response *out = calloc(1, sizeof *out);
	uint8_t text[SIGNED_BYTES];
	int result = check_pin(flags, pin);

	(void)options;
	if (out == NULL || result != 0) {
		free(out);
		return result != 0 ? result : ERR_GENERAL;
	}
	out->flags = flags & (USER_PRESENCE | USER_VERIFICATION);
	out->counter = 0x12345678;
	compose(text, application, out->flags, out->counter, data, data_len);
	result = alg == ALG_ED25519
		     ? sign_ed25519(handle, handle_len, text, out)
		     : sign_ecdsa(handle, handle_len, text, out);
	if (result != 0) {
		free(out);
		return result;
	}
	*response = out;
	return 0;
}

int
sk_load_resident_keys(
    const char *pin, struct sk_option **options, void ***keys, size_t *count)
{
	(void)pin;
	(void)options;
	(void)keys;
	(void)count;
	return ERR_UNSUPPORTED;
}
