#include "ssh_host_key_private.h"

#include "ssh_armor.h"
#include "str.h"
#include "wire.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <ctype.h>

static void *
encrypted(struct err *err, const char *hint)
{
	err_set(err, ERR_CONFIG,
	    "the key is encrypted, and nobody is there to type the passphrase "
	    "at a restart");
	err_hint(err, "%s", hint);
	return NULL;
}

static void *
damaged(struct err *err, const char *why)
{
	err_set(err, ERR_CONFIG, "the key file is damaged: %s", why);
	err_hint(err, "take it from a backup, or remove it and make another");
	return NULL;
}

/* ---- RSA from its numbers ---- */

enum rsa_number { RSA_N, RSA_E, RSA_D, RSA_IQMP, RSA_P, RSA_Q, RSA_IN_FILE };
enum { RSA_DMP1 = RSA_IN_FILE, RSA_DMQ1, RSA_NUMBERS };

static const char *const rsa_names[RSA_NUMBERS] = {
    [RSA_N] = OSSL_PKEY_PARAM_RSA_N,
    [RSA_E] = OSSL_PKEY_PARAM_RSA_E,
    [RSA_D] = OSSL_PKEY_PARAM_RSA_D,
    [RSA_IQMP] = OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
    [RSA_P] = OSSL_PKEY_PARAM_RSA_FACTOR1,
    [RSA_Q] = OSSL_PKEY_PARAM_RSA_FACTOR2,
    [RSA_DMP1] = OSSL_PKEY_PARAM_RSA_EXPONENT1,
    [RSA_DMQ1] = OSSL_PKEY_PARAM_RSA_EXPONENT2,
};

/* Whether a * b is one, modulo m. */
static bool
is_inverse(const BIGNUM *a, const BIGNUM *b, const BIGNUM *m, BN_CTX *ctx)
{
	BIGNUM *product = BN_secure_new();
	bool is_one;

	is_one = product != NULL && BN_mod_mul(product, a, b, m, ctx) == 1 &&
		 BN_is_one(product);
	BN_clear_free(product);
	return is_one;
}

/*
 * exponent = d mod (prime - 1), which the file leaves out; false where it does
 * not undo e.
 */
static bool
reduce(
    BIGNUM *exponent, BIGNUM *const numbers[], const BIGNUM *prime, BN_CTX *ctx)
{
	BIGNUM *less = BN_secure_new();
	bool done;

	done = less != NULL && BN_copy(less, prime) != NULL &&
	       BN_sub_word(less, 1) == 1 &&
	       BN_mod(exponent, numbers[RSA_D], less, ctx) == 1 &&
	       is_inverse(numbers[RSA_E], exponent, less, ctx);
	BN_clear_free(less);
	return done;
}

/*
 * libcrypto takes the primes on trust, and mends a wrong result with d alone:
 * a damaged file would stay unnoticed and every signature cost several times
 * as much.
 */
static bool
complete(BIGNUM *numbers[RSA_NUMBERS])
{
	const BIGNUM *n = numbers[RSA_N];
	const BIGNUM *p = numbers[RSA_P], *q = numbers[RSA_Q];
	BN_CTX *ctx = BN_CTX_secure_new();
	BIGNUM *product = BN_secure_new();
	bool done;

	done = ctx != NULL && product != NULL && BN_is_odd(p) && BN_is_odd(q) &&
	       !BN_is_one(p) && !BN_is_one(q) &&
	       BN_mul(product, p, q, ctx) == 1 && BN_cmp(product, n) == 0 &&
	       BN_cmp(numbers[RSA_D], n) < 0 &&
	       BN_cmp(numbers[RSA_IQMP], p) < 0 &&
	       is_inverse(numbers[RSA_IQMP], q, p, ctx) &&
	       reduce(numbers[RSA_DMP1], numbers, p, ctx) &&
	       reduce(numbers[RSA_DMQ1], numbers, q, ctx);
	BN_clear_free(product);
	BN_CTX_free(ctx);
	return done;
}

static EVP_PKEY *
make_rsa(BIGNUM *numbers[RSA_NUMBERS])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *pkey = NULL;
	bool is_full = build != NULL;

	for (size_t i = 0; i < RSA_NUMBERS; i++)
		is_full = is_full && OSSL_PARAM_BLD_push_BN(
					 build, rsa_names[i], numbers[i]) == 1;
	if (is_full)
		params = OSSL_PARAM_BLD_to_param(build);
	if (params != NULL && ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1)
		EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params);
	/* The numbers are secure ones: so are their copies, and wiped. */
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

static void
free_numbers(BIGNUM *numbers[RSA_NUMBERS])
{
	for (size_t i = 0; i < RSA_NUMBERS; i++)
		BN_clear_free(numbers[i]);
}

/* A key of the numbers that stand in a file, which are freed. */
static EVP_PKEY *
finish_rsa(BIGNUM *numbers[RSA_NUMBERS], struct err *err)
{
	EVP_PKEY *pkey = NULL;

	numbers[RSA_DMP1] = BN_secure_new();
	numbers[RSA_DMQ1] = BN_secure_new();
	if (numbers[RSA_DMP1] == NULL || numbers[RSA_DMQ1] == NULL ||
	    !complete(numbers)) {
		damaged(err, "the numbers of the RSA key do not fit together");
	} else {
		pkey = make_rsa(numbers);
		if (pkey == NULL)
			ssh_host_key_failed(
			    err, "libcrypto does not take the key");
	}
	free_numbers(numbers);
	ERR_clear_error();
	return pkey;
}

static EVP_PKEY *
take_rsa(struct span *in, struct err *err)
{
	BIGNUM *numbers[RSA_NUMBERS] = {NULL};

	for (size_t i = 0; i < RSA_IN_FILE; i++) {
		struct span text;

		numbers[i] = BN_secure_new();
		if (numbers[i] == NULL || !wire_take_mpint(in, &text) ||
		    BN_bin2bn(text.data, (int)text.len, numbers[i]) == NULL) {
			free_numbers(numbers);
			return damaged(
			    err, "a number of the RSA key is cut off");
		}
	}
	return finish_rsa(numbers, err);
}

/* The key anew, of the same numbers, so that they are looked at. */
static EVP_PKEY *
remake_rsa(EVP_PKEY *pkey, struct err *err)
{
	BIGNUM *numbers[RSA_NUMBERS] = {NULL};

	for (size_t i = 0; i < RSA_IN_FILE; i++) {
		numbers[i] = BN_secure_new();
		if (numbers[i] == NULL || EVP_PKEY_get_bn_param(pkey,
					      rsa_names[i], &numbers[i]) != 1) {
			free_numbers(numbers);
			EVP_PKEY_free(pkey);
			ERR_clear_error();
			return damaged(
			    err, "a number of the RSA key is missing");
		}
	}
	EVP_PKEY_free(pkey);
	return finish_rsa(numbers, err);
}

static EVP_PKEY *
take_ed25519(struct span *in, struct err *err)
{
	enum { BYTES = SSH_HOST_KEY_ED25519_BYTES };
	struct span public, both;
	EVP_PKEY *pkey;

	/* The private string is the seed and the public key once more. */
	if (!wire_take_string32(in, &public) || public.len != BYTES ||
	    !wire_take_string32(in, &both) || both.len != 2 * BYTES ||
	    memcmp(both.data + BYTES, public.data, BYTES) != 0)
		return damaged(err, "the ed25519 key is cut off or changed");
	pkey = EVP_PKEY_new_raw_private_key(
	    EVP_PKEY_ED25519, NULL, both.data, BYTES);
	if (pkey == NULL)
		ssh_host_key_failed(err, "libcrypto does not take the key");
	return pkey;
}

/* ---- the envelope ---- */

/* The section that would be encrypted. */
static EVP_PKEY *
take_private(struct span in, struct err *err)
{
	EVP_PKEY *pkey = NULL;
	uint32_t check, again;
	struct span type, comment;
	char text[64];

	if (!wire_take_u32(&in, &check) || !wire_take_u32(&in, &again) ||
	    check != again || !wire_take_string32(&in, &type))
		return damaged(err, "its private part does not begin as one");
	if (span_is(type, "ssh-ed25519")) {
		pkey = take_ed25519(&in, err);
	} else if (span_is(type, "ssh-rsa")) {
		pkey = take_rsa(&in, err);
	} else {
		ssh_host_key_refuse_type(
		    err, str_escape(type, text, sizeof text));
		return NULL;
	}
	if (pkey == NULL)
		return NULL;
	if (!wire_take_string32(&in, &comment))
		goto fail;
	for (size_t i = 0; i < in.len; i++)
		if (in.data[i] != (uint8_t)(i + 1))
			goto fail;
	return pkey;
fail:
	EVP_PKEY_free(pkey);
	return damaged(err, "its private part does not end as one");
}

static struct ssh_host_key *
parse_envelope(struct span in, struct err *err)
{
	struct span start, cipher, kdf, options, public, private;
	struct ssh_host_key *key;
	EVP_PKEY *pkey;
	uint32_t count;

	if (!wire_take_bytes(&in, sizeof SSH_HOST_KEY_MAGIC, &start) ||
	    memcmp(start.data, SSH_HOST_KEY_MAGIC, sizeof SSH_HOST_KEY_MAGIC) !=
		0 ||
	    !wire_take_string32(&in, &cipher) ||
	    !wire_take_string32(&in, &kdf) ||
	    !wire_take_string32(&in, &options) || !wire_take_u32(&in, &count))
		return damaged(err, "it does not begin as OpenSSH's do");
	if (!span_is(cipher, "none") || !span_is(kdf, "none"))
		return encrypted(err,
		    "take the passphrase off: ssh-keygen -p -N '' -f FILE");
	if (count != 1 || options.len > 0 ||
	    !wire_take_string32(&in, &public) ||
	    !wire_take_string32(&in, &private) || in.len > 0 ||
	    private.len % SSH_HOST_KEY_BLOCK_BYTES != 0)
		return damaged(err, "it does not hold one key, whole");
	pkey = take_private(private, err);
	key = pkey == NULL ? NULL : ssh_host_key_adopt(pkey, err);
	if (key != NULL && !span_equal(buf_span(&key->blob), public)) {
		ssh_host_key_free(key);
		return damaged(err, "its public part is another key's");
	}
	return key;
}

static struct span
skip_space(struct span text)
{
	while (text.len > 0 && isspace(text.data[0])) {
		text.data++;
		text.len--;
	}
	return text;
}

static bool
begins_with(struct span text, const char *word)
{
	size_t len = strlen(word);

	return text.len >= len &&
	       (len == 0 || memcmp(text.data, word, len) == 0);
}

static struct ssh_host_key *
parse_openssh(struct span text, struct err *err)
{
	struct ssh_host_key *key = NULL;
	struct buf bytes;

	buf_init(&bytes, SSH_HOST_KEY_FILE_MAX);
	switch (ssh_armor_open(text, SSH_HOST_KEY_ARMOR, &bytes)) {
	case SSH_ARMOR_GOOD:
		key = parse_envelope(buf_span(&bytes), err);
		break;
	case SSH_ARMOR_NO_BEGIN:
	case SSH_ARMOR_NO_END:
		damaged(err, "its END line is missing, or not the last");
		break;
	case SSH_ARMOR_BAD_BASE64:
		damaged(err, "it is not base64 throughout");
		break;
	case SSH_ARMOR_NO_MEMORY:
		ssh_host_key_failed(err, "no memory for the key");
	}
	buf_fini_wipe(&bytes);
	return key;
}

/* ---- PEM, as libcrypto reads it ---- */

static int
no_passphrase(char *text, int size, int is_writing, void *is_asked)
{
	*(bool *)is_asked = true;
	return -1;
}

static struct ssh_host_key *
parse_pem(struct span text, struct err *err)
{
	BIO *bio = BIO_new_mem_buf(text.data, (int)text.len);
	bool is_asked = false;
	EVP_PKEY *pkey = NULL;

	if (bio != NULL)
		pkey = PEM_read_bio_PrivateKey(
		    bio, NULL, no_passphrase, &is_asked);
	BIO_free(bio);
	if (pkey != NULL && EVP_PKEY_is_a(pkey, "RSA")) {
		pkey = remake_rsa(pkey, err);
		if (pkey == NULL)
			return NULL;
	}
	if (pkey != NULL)
		return ssh_host_key_adopt(pkey, err);
	ERR_clear_error();
	if (is_asked)
		return encrypted(err,
		    "take the passphrase off: openssl pkey -in FILE -out NEW");
	return damaged(err, "libcrypto finds no private key in it");
}

static const struct {
	const char *start, *what, *hint;
} mistakes[] = {
    {"ssh-", "this is a public key", "name the file without .pub"},
    {"ecdsa-", "this is a public key", "name the file without .pub"},
    {"sk-", "this is a public key", "name the file without .pub"},
    {"PuTTY-User-Key-File-", "this is a key in PuTTY's format",
	"convert it: puttygen FILE -O private-openssh -o NEW"},
    {"", "this is no private key file",
	"name a file made by: ssh-keygen -t ed25519 -N '' -f FILE"},
};

struct ssh_host_key *
ssh_host_key_parse(struct span file, struct err *err)
{
	struct span text = skip_space(file);
	size_t i = 0;

	if (file.len > SSH_HOST_KEY_FILE_MAX) {
		err_set(err, ERR_CONFIG,
		    "the file is larger than any key's: %zu bytes", file.len);
		err_hint(err, "%s",
		    mistakes[sizeof mistakes / sizeof mistakes[0] - 1].hint);
		return NULL;
	}
	if (ssh_armor_begins(text, SSH_HOST_KEY_ARMOR))
		return parse_openssh(text, err);
	if (begins_with(text, "-----BEGIN "))
		return parse_pem(text, err);
	while (!begins_with(text, mistakes[i].start))
		i++;
	err_set(err, ERR_CONFIG, "%s", mistakes[i].what);
	err_hint(err, "%s", mistakes[i].hint);
	return NULL;
}
