#include "ssh_key.h"

#include "sha256.h"
#include "ssh_algorithm.h"
#include "wire.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/params.h>

enum {
	ED25519_KEY_BYTES = 32,
	ED25519_SIGNATURE_BYTES = 64,
	/*
	 * Nobody makes larger exponents, and one as long as the modulus would
	 * have us work as hard as a signer.
	 */
	RSA_EXPONENT_BYTES_MAX = 8,
	TOKEN_PRESENT = 0x01, /* PROTOCOL.u2f, "flags" */
	TOKEN_VERIFIED = 0x04
};

const char *
ssh_key_signature_algorithms(void)
{
	return ssh_algorithm_names();
}

/* What stands in a blob; points into it. */
struct parts {
	const struct ssh_algorithm *algorithm;
	struct span point; /* ed25519, ecdsa */
	struct span modulus, exponent; /* rsa */
	struct span application; /* tokens */
};

static size_t
bits_of(struct span number)
{
	size_t bits = number.len * 8;

	for (uint8_t bit = 0x80; bit > 0 && number.len > 0; bit >>= 1, bits--)
		if ((number.data[0] & bit) != 0)
			break;
	return bits;
}

static bool
is_odd(struct span number)
{
	return number.len > 0 && (number.data[number.len - 1] & 1) != 0;
}

static enum ssh_key_verdict
judge_rsa(const struct parts *parts)
{
	size_t bits = bits_of(parts->modulus);

	if (!is_odd(parts->modulus) || !is_odd(parts->exponent) ||
	    bits_of(parts->exponent) < 2)
		return SSH_KEY_MALFORMED;
	if (bits < SSH_KEY_RSA_MIN_BITS)
		return SSH_KEY_TOO_WEAK;
	if (bits > SSH_KEY_RSA_MAX_BITS ||
	    parts->exponent.len > RSA_EXPONENT_BYTES_MAX)
		return SSH_KEY_UNSUPPORTED;
	return SSH_KEY_GOOD;
}

static bool
take_point(struct span *in, struct parts *parts)
{
	const struct ssh_algorithm *algorithm = parts->algorithm;
	struct span curve;

	if (algorithm->kind == SSH_KIND_ED25519)
		return wire_take_string32(in, &parts->point) &&
		       parts->point.len == ED25519_KEY_BYTES;
	/* Uncompressed points alone, as OpenSSH has it: one blob a key. */
	return wire_take_string32(in, &curve) &&
	       span_is(curve, algorithm->curve) &&
	       wire_take_string32(in, &parts->point) &&
	       parts->point.len == 1 + 2 * algorithm->field_bytes &&
	       parts->point.data[0] == 4;
}

/* Take a blob to pieces.  Whether its point is on the curve is not asked. */
static enum ssh_key_verdict
parse_blob(struct span name, struct span blob, struct parts *parts)
{
	struct span type, in = blob;

	parts->algorithm = ssh_algorithm_find(name);
	if (parts->algorithm == NULL)
		return SSH_KEY_UNSUPPORTED;
	if (!wire_take_string32(&in, &type))
		return SSH_KEY_MALFORMED;
	if (!span_is(type, parts->algorithm->key_type))
		return SSH_KEY_UNSUPPORTED;
	if (parts->algorithm->kind == SSH_KIND_RSA) {
		if (!wire_take_mpint(&in, &parts->exponent) ||
		    !wire_take_mpint(&in, &parts->modulus) || in.len > 0)
			return SSH_KEY_MALFORMED;
		return judge_rsa(parts);
	}
	if (!take_point(&in, parts))
		return SSH_KEY_MALFORMED;
	if (parts->algorithm->holder == SSH_HOLDER_TOKEN &&
	    !wire_take_string32(&in, &parts->application))
		return SSH_KEY_MALFORMED;
	return in.len == 0 ? SSH_KEY_GOOD : SSH_KEY_MALFORMED;
}

static EVP_PKEY *
from_params(const char *type, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (ctx == NULL || params == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static EVP_PKEY *
make_ecdsa(const struct parts *parts)
{
	OSSL_PARAM params[3];

	/* libcrypto does not write to what it is given here. */
	params[0] = OSSL_PARAM_construct_utf8_string(
	    OSSL_PKEY_PARAM_GROUP_NAME, (char *)parts->algorithm->group, 0);
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
	    (uint8_t *)parts->point.data, parts->point.len);
	params[2] = OSSL_PARAM_construct_end();
	return from_params("EC", params);
}

static EVP_PKEY *
make_rsa(const struct parts *parts)
{
	BIGNUM *n =
	    BN_bin2bn(parts->modulus.data, (int)parts->modulus.len, NULL);
	BIGNUM *e =
	    BN_bin2bn(parts->exponent.data, (int)parts->exponent.len, NULL);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;

	if (n != NULL && e != NULL && build != NULL &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
		params = OSSL_PARAM_BLD_to_param(build);
	if (params != NULL)
		key = from_params("RSA", params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	BN_free(e);
	BN_free(n);
	return key;
}

/* NULL: the point is on no curve (or memory fails). */
static EVP_PKEY *
make_key(const struct parts *parts)
{
	switch (parts->algorithm->kind) {
	case SSH_KIND_ED25519:
		return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
		    parts->point.data, parts->point.len);
	case SSH_KIND_ECDSA:
		return make_ecdsa(parts);
	case SSH_KIND_RSA:
		return make_rsa(parts);
	}
	return NULL;
}

enum ssh_key_verdict
ssh_key_check(struct span algorithm, struct span blob)
{
	struct parts parts = {0};
	enum ssh_key_verdict verdict = parse_blob(algorithm, blob, &parts);
	EVP_PKEY *key;

	if (verdict != SSH_KEY_GOOD || parts.algorithm->kind != SSH_KIND_ECDSA)
		return verdict;
	key = make_key(&parts);
	if (key == NULL) {
		ERR_clear_error();
		return SSH_KEY_MALFORMED;
	}
	EVP_PKEY_free(key);
	return SSH_KEY_GOOD;
}

/* The largest of what libcrypto or a token is given. */
struct signature {
	uint8_t bytes[SSH_KEY_RSA_MAX_BITS / 8];
	size_t len;
};

/* RFC 8332: as long as the modulus; old clients leave leading zeroes out. */
static bool
rsa_signature(const struct parts *parts, struct span raw, struct signature *out)
{
	size_t missing;

	if (raw.len == 0 || raw.len > parts->modulus.len)
		return false;
	missing = parts->modulus.len - raw.len;
	memset(out->bytes, 0, missing);
	memcpy(out->bytes + missing, raw.data, raw.len);
	out->len = parts->modulus.len;
	return true;
}

/* A DER INTEGER: an mpint with other bytes before it. */
static void
put_integer(struct signature *out, struct span number)
{
	size_t zero = (number.data[0] & 0x80) != 0 ? 1 : 0;

	out->bytes[out->len++] = 0x02;
	out->bytes[out->len++] = (uint8_t)(number.len + zero);
	if (zero > 0)
		out->bytes[out->len++] = 0;
	memcpy(out->bytes + out->len, number.data, number.len);
	out->len += number.len;
}

/* RFC 5656 section 3.1.2: two mpints; libcrypto wants them in a SEQUENCE. */
static bool
ecdsa_signature(
    const struct parts *parts, struct span raw, struct signature *out)
{
	struct span r, s;
	struct signature body = {.len = 0};
	size_t max = parts->algorithm->field_bytes;

	if (!wire_take_mpint(&raw, &r) || !wire_take_mpint(&raw, &s) ||
	    raw.len > 0 || r.len == 0 || s.len == 0 || r.len > max ||
	    s.len > max)
		return false;
	put_integer(&body, r);
	put_integer(&body, s);
	out->len = 0;
	out->bytes[out->len++] = 0x30;
	if (body.len >= 0x80)
		out->bytes[out->len++] = 0x81;
	out->bytes[out->len++] = (uint8_t)body.len;
	memcpy(out->bytes + out->len, body.bytes, body.len);
	out->len += body.len;
	return true;
}

/* What a token put its name to (PROTOCOL.u2f, "SSH U2F Signatures"). */
struct statement {
	uint8_t bytes[SHA256_BYTES + 1 + 4 + SHA256_BYTES];
	uint8_t flags;
	uint32_t counter;
};

static bool
make_statement(
    struct statement *statement, const struct parts *parts, struct span message)
{
	uint8_t *p = statement->bytes;

	if (sha256_of(parts->application, p) != 0)
		return false;
	p += SHA256_BYTES;
	*p++ = statement->flags;
	wire_poke_u32(p, statement->counter);
	return sha256_of(message, p + 4) == 0;
}

/* Take a signature to pieces, into what libcrypto takes. */
static bool
parse_signature(const struct parts *parts, struct span in,
    struct signature *signature, struct statement *statement)
{
	struct span name, raw;

	if (!wire_take_string32(&in, &name) ||
	    !span_is(name, parts->algorithm->name) ||
	    !wire_take_string32(&in, &raw))
		return false;
	if (parts->algorithm->holder == SSH_HOLDER_TOKEN &&
	    (!wire_take_u8(&in, &statement->flags) ||
		!wire_take_u32(&in, &statement->counter)))
		return false;
	if (in.len > 0)
		return false;
	switch (parts->algorithm->kind) {
	case SSH_KIND_ED25519:
		if (raw.len != ED25519_SIGNATURE_BYTES)
			return false;
		memcpy(signature->bytes, raw.data, raw.len);
		signature->len = raw.len;
		return true;
	case SSH_KIND_ECDSA:
		return ecdsa_signature(parts, raw, signature);
	case SSH_KIND_RSA:
		return rsa_signature(parts, raw, signature);
	}
	return false;
}

static bool
matches(EVP_PKEY *key, const char *digest, const struct signature *signature,
    struct span message)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool done;

	done = ctx != NULL &&
	       EVP_DigestVerifyInit_ex(
		   ctx, NULL, digest, NULL, NULL, key, NULL) == 1 &&
	       EVP_DigestVerify(ctx, signature->bytes, signature->len,
		   message.data, message.len) == 1;
	EVP_MD_CTX_free(ctx);
	return done;
}

enum ssh_key_verdict
ssh_key_verify(struct span algorithm, struct span blob, struct span signature,
    struct span message, struct ssh_key_presence *presence)
{
	struct parts parts = {0};
	struct signature raw;
	struct statement statement = {.flags = 0};
	enum ssh_key_verdict verdict = parse_blob(algorithm, blob, &parts);
	bool is_token;
	EVP_PKEY *key;

	if (verdict != SSH_KEY_GOOD)
		return verdict;
	is_token = parts.algorithm->holder == SSH_HOLDER_TOKEN;
	key = make_key(&parts);
	if (key == NULL) {
		verdict = SSH_KEY_MALFORMED;
		goto out;
	}
	verdict = SSH_KEY_BAD_SIGNATURE;
	if (!parse_signature(&parts, signature, &raw, &statement))
		goto out;
	if (is_token) {
		if (!make_statement(&statement, &parts, message))
			goto out;
		message = span_of(statement.bytes, sizeof statement.bytes);
	}
	if (!matches(key, parts.algorithm->digest, &raw, message))
		goto out;
	*presence = (struct ssh_key_presence){
	    .is_token = is_token,
	    .touched = (statement.flags & TOKEN_PRESENT) != 0,
	    .verified = (statement.flags & TOKEN_VERIFIED) != 0,
	};
	verdict = SSH_KEY_GOOD;
out:
	if (verdict != SSH_KEY_GOOD)
		ERR_clear_error();
	EVP_PKEY_free(key);
	return verdict;
}
