#include "ssh_host_key_private.h"

#include "ssh_key.h"
#include "wire.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <stdlib.h>

enum { RSA_BITS = 3072, BLOB_MAX = 8192 };

static const struct {
	const char *name;
	enum ssh_host_key_type type;
	const char *digest; /* libcrypto's name, NULL: none */
} algorithms[SSH_HOST_KEY_ALGORITHMS] = {
    {"ssh-ed25519", SSH_HOST_KEY_ED25519, NULL},
    {"rsa-sha2-512", SSH_HOST_KEY_RSA, "SHA512"},
    {"rsa-sha2-256", SSH_HOST_KEY_RSA, "SHA256"},
};

int
ssh_host_key_failed(struct err *err, const char *what)
{
	char reason[160];

	ERR_error_string_n(ERR_peek_last_error(), reason, sizeof reason);
	if (ERR_peek_last_error() == 0)
		err_set(err, ERR_NOMEM, "%s", what);
	else
		err_set(err, ERR_FAILED, "%s: %s", what, reason);
	ERR_clear_error();
	return -1;
}

void
ssh_host_key_refuse_type(struct err *err, const char *type)
{
	err_set(err, ERR_CONFIG,
	    "the key's type is %s; host keys here are ed25519 or RSA", type);
	err_hint(err, "make one by: ssh-keygen -t ed25519 -N '' -f FILE");
}

bool
ssh_host_key_put_number(
    const struct ssh_host_key *key, const char *name, struct buf *out)
{
	uint8_t bytes[SSH_KEY_RSA_MAX_BITS / 8];
	BIGNUM *number = NULL;
	int len = 0;
	bool is_there;

	is_there = EVP_PKEY_get_bn_param(key->pkey, name, &number) == 1 &&
		   BN_num_bytes(number) <= (int)sizeof bytes;
	if (is_there) {
		len = BN_bn2bin(number, bytes);
		wire_put_mpint(out, span_of(bytes, (size_t)len));
		explicit_bzero(bytes, (size_t)len);
	}
	BN_clear_free(number);
	return is_there && !out->failed;
}

static int
make_blob(struct ssh_host_key *key, struct err *err)
{
	uint8_t point[SSH_HOST_KEY_ED25519_BYTES];
	size_t len = sizeof point;
	bool done;

	if (key->type == SSH_HOST_KEY_ED25519) {
		done = EVP_PKEY_get_raw_public_key(key->pkey, point, &len) == 1;
		wire_put_cstring32(&key->blob, "ssh-ed25519");
		wire_put_string32(&key->blob, span_of(point, len));
	} else {
		wire_put_cstring32(&key->blob, "ssh-rsa");
		done = ssh_host_key_put_number(
			   key, OSSL_PKEY_PARAM_RSA_E, &key->blob) &&
		       ssh_host_key_put_number(
			   key, OSSL_PKEY_PARAM_RSA_N, &key->blob);
	}
	if (!done || key->blob.failed)
		return ssh_host_key_failed(
		    err, "the key's public half cannot be read");
	return 0;
}

/* The first algorithm of ours that goes with the key. */
static const char *
first_algorithm(const struct ssh_host_key *key)
{
	return key->type == SSH_HOST_KEY_ED25519 ? "ssh-ed25519"
						 : "rsa-sha2-512";
}

static int
check_size(const struct ssh_host_key *key, struct err *err)
{
	switch (ssh_key_check(
	    span_of_str(first_algorithm(key)), buf_span(&key->blob))) {
	case SSH_KEY_GOOD:
		return 0;
	case SSH_KEY_TOO_WEAK:
		err_set(err, ERR_CONFIG,
		    "the RSA key has %d bits; the least is %d",
		    EVP_PKEY_get_bits(key->pkey), SSH_KEY_RSA_MIN_BITS);
		break;
	case SSH_KEY_UNSUPPORTED:
		err_set(err, ERR_CONFIG,
		    "the RSA key has %d bits, or a large exponent; the most "
		    "is %d",
		    EVP_PKEY_get_bits(key->pkey), SSH_KEY_RSA_MAX_BITS);
		break;
	case SSH_KEY_BAD_SIGNATURE:
	case SSH_KEY_MALFORMED:
		err_set(err, ERR_CONFIG, "the key's numbers make no key");
	}
	return err_hint(err,
	    "make another: ssh-keygen -t ed25519 -N '' -f FILE (or -t rsa)");
}

/* A signature made with one half must be good with the other. */
static int
check_halves(const struct ssh_host_key *key, struct err *err)
{
	const struct span algorithm = span_of_str(first_algorithm(key));
	const struct span message = span_of_str("kaya");
	struct ssh_key_presence presence;
	struct buf signature;
	bool is_good;

	buf_init(&signature, BLOB_MAX);
	is_good = ssh_host_key_sign(key, first_algorithm(key), message,
		      &signature, NULL) == 0 &&
		  ssh_key_verify(algorithm, buf_span(&key->blob),
		      buf_span(&signature), message, &presence) == SSH_KEY_GOOD;
	buf_fini(&signature);
	if (is_good)
		return 0;
	err_set(err, ERR_CONFIG,
	    "the key's private and public halves do not belong together");
	return err_hint(
	    err, "the file is damaged: take it from a backup, or make another");
}

static int
prepare(struct ssh_host_key *key, struct err *err)
{
	for (size_t i = 0; i < SSH_HOST_KEY_ALGORITHMS; i++) {
		if (algorithms[i].type != key->type)
			continue;
		key->ready[i] = EVP_MD_CTX_new();
		if (key->ready[i] == NULL ||
		    EVP_DigestSignInit_ex(key->ready[i], NULL,
			algorithms[i].digest, NULL, NULL, key->pkey, NULL) != 1)
			return ssh_host_key_failed(
			    err, "the host key cannot sign");
	}
	return 0;
}

struct ssh_host_key *
ssh_host_key_adopt(EVP_PKEY *pkey, struct err *err)
{
	struct ssh_host_key *key = calloc(1, sizeof *key);

	if (key == NULL) {
		EVP_PKEY_free(pkey);
		err_set(err, ERR_NOMEM, "no memory for a host key");
		return NULL;
	}
	key->pkey = pkey;
	buf_init(&key->blob, BLOB_MAX);
	if (EVP_PKEY_is_a(pkey, "ED25519")) {
		key->type = SSH_HOST_KEY_ED25519;
	} else if (EVP_PKEY_is_a(pkey, "RSA")) {
		key->type = SSH_HOST_KEY_RSA;
	} else {
		ssh_host_key_refuse_type(err, EVP_PKEY_get0_type_name(pkey));
		goto fail;
	}
	if (make_blob(key, err) == 0 && check_size(key, err) == 0 &&
	    prepare(key, err) == 0 && check_halves(key, err) == 0)
		return key;
fail:
	ssh_host_key_free(key);
	return NULL;
}

struct ssh_host_key *
ssh_host_key_generate(enum ssh_host_key_type type, struct err *err)
{
	EVP_PKEY *pkey = NULL;

	switch (type) {
	case SSH_HOST_KEY_ED25519:
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
		break;
	case SSH_HOST_KEY_RSA:
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)RSA_BITS);
		break;
	}
	if (pkey == NULL) {
		ssh_host_key_failed(err, "no host key can be made");
		return NULL;
	}
	return ssh_host_key_adopt(pkey, err);
}

void
ssh_host_key_free(struct ssh_host_key *key)
{
	if (key == NULL)
		return;
	for (size_t i = 0; i < SSH_HOST_KEY_ALGORITHMS; i++)
		EVP_MD_CTX_free(key->ready[i]);
	/* libcrypto wipes the private half as it frees it. */
	EVP_PKEY_free(key->pkey);
	buf_fini(&key->blob);
	free(key);
}

enum ssh_host_key_type
ssh_host_key_type(const struct ssh_host_key *key)
{
	return key->type;
}

struct span
ssh_host_key_blob(const struct ssh_host_key *key)
{
	return buf_span(&key->blob);
}

int
ssh_host_key_sign(const struct ssh_host_key *key, const char *algorithm,
    struct span message, struct buf *signature, struct err *err)
{
	size_t i = 0;
	uint8_t raw[SSH_KEY_RSA_MAX_BITS / 8];
	size_t raw_len = sizeof raw;
	EVP_MD_CTX *ctx;
	bool done;

	while (i < SSH_HOST_KEY_ALGORITHMS &&
	       (key->ready[i] == NULL ||
		   strcmp(algorithms[i].name, algorithm) != 0))
		i++;
	if (i == SSH_HOST_KEY_ALGORITHMS)
		return err_set(err, ERR_FAILED,
		    "the host key makes no signatures of %s", algorithm);
	ctx = EVP_MD_CTX_new();
	done =
	    ctx != NULL && EVP_MD_CTX_copy_ex(ctx, key->ready[i]) == 1 &&
	    EVP_DigestSign(ctx, raw, &raw_len, message.data, message.len) == 1;
	EVP_MD_CTX_free(ctx);
	if (!done)
		return ssh_host_key_failed(err, "the host key cannot sign");
	wire_put_cstring32(signature, algorithm);
	wire_put_string32(signature, span_of(raw, raw_len));
	if (signature->failed)
		return err_set(err, ERR_NOMEM, "no room for a signature");
	return 0;
}
