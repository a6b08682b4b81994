#include "ssh_cipher.h"

#include "wire.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

enum {
	LENGTH_BYTES = 4, /* the packet's length field */
	PADDING_MIN = 4,
	AEAD_TAG_BYTES = 16,
	AES_BLOCK_BYTES = 16,
	CHACHA_KEY_BYTES = 32, /* one of the two in a direction's key */
	CHACHA_BLOCK_BYTES = 64,
	/* Far above every cap of a caller, and far below where int ends. */
	LENGTH_MAX = 1 << 28
};

/* As EVP_CipherInit_ex counts them. */
enum side { SIDE_OPEN, SIDE_SEAL, SIDES };
enum hash { HASH_SHA2_256, HASH_SHA2_512, HASHES };

static const struct ssh_cipher_facts ciphers[SSH_CIPHER_COUNT] = {
    [SSH_CIPHER_NONE] = {"none", 0, 0, 8, false},
    [SSH_CIPHER_CHACHA20_POLY1305] = {"chacha20-poly1305@openssh.com", 64, 0, 8,
	true},
    [SSH_CIPHER_AES256_GCM] = {"aes256-gcm@openssh.com", 32, 12, 16, true},
    [SSH_CIPHER_AES128_GCM] = {"aes128-gcm@openssh.com", 16, 12, 16, true},
    [SSH_CIPHER_AES256_CTR] = {"aes256-ctr", 32, 16, 16, false},
    [SSH_CIPHER_AES128_CTR] = {"aes128-ctr", 16, 16, 16, false},
};

static const struct ssh_mac_facts macs[SSH_MAC_COUNT] = {
    [SSH_MAC_NONE] = {"none", 0, 0, false},
    [SSH_MAC_SHA2_256_ETM] = {"hmac-sha2-256-etm@openssh.com", 32, 32, true},
    [SSH_MAC_SHA2_512_ETM] = {"hmac-sha2-512-etm@openssh.com", 64, 64, true},
    [SSH_MAC_SHA2_256] = {"hmac-sha2-256", 32, 32, false},
    [SSH_MAC_SHA2_512] = {"hmac-sha2-512", 64, 64, false},
};

/* What libcrypto calls them. */
static const char *const evp_ciphers[SSH_CIPHER_COUNT] = {
    [SSH_CIPHER_CHACHA20_POLY1305] = "ChaCha20",
    [SSH_CIPHER_AES256_GCM] = "AES-256-GCM",
    [SSH_CIPHER_AES128_GCM] = "AES-128-GCM",
    [SSH_CIPHER_AES256_CTR] = "AES-256-CTR",
    [SSH_CIPHER_AES128_CTR] = "AES-128-CTR",
};
static const struct {
	char name[8];
	uint8_t key_bytes;
} evp_hashes[HASHES] = {
    [HASH_SHA2_256] = {"SHA256", 32},
    [HASH_SHA2_512] = {"SHA512", 64},
};

/*
 * A context and the key that it was last given.  Keys are compared by value,
 * never by the address of their direction: that may be another connection's
 * by now.  To set a key anew costs as much as a small packet itself.
 */
struct keyed_cipher {
	EVP_CIPHER_CTX *ctx;
	bool is_keyed;
	uint8_t key[32];
};
struct keyed_mac {
	EVP_MAC_CTX *ctx;
	bool is_keyed;
	uint8_t key[64];
};

struct ssh_engine {
	struct keyed_cipher ciphers[SSH_CIPHER_COUNT][SIDES];
	struct keyed_mac hmacs[HASHES][SIDES];
	EVP_MAC_CTX *poly1305;
	/* Whether HMAC can start over with the key it has. */
	bool hmac_restarts;
};

static int
missing(struct err *err, const char *name)
{
	ERR_clear_error();
	err_set(err, ERR_SYSTEM, "libcrypto (%s) has no %s",
	    OPENSSL_VERSION_TEXT, name);
	return err_hint(err,
	    "install an OpenSSL 3 whose default provider is not switched off");
}

static EVP_CIPHER_CTX *
new_cipher(const char *name, enum side side)
{
	static const uint8_t zeroes[CHACHA_KEY_BYTES];
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (cipher == NULL || ctx == NULL ||
	    !EVP_CipherInit_ex2(
		ctx, cipher, zeroes, zeroes, side == SIDE_SEAL, NULL)) {
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
new_hmac(enum hash hash)
{
	char digest[sizeof evp_hashes[hash].name];
	EVP_MAC_CTX *ctx = new_mac("HMAC");
	OSSL_PARAM params[2];

	memcpy(digest, evp_hashes[hash].name, sizeof digest);
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
fill(struct ssh_engine *engine, struct err *err)
{
	for (size_t side = 0; side < SIDES; side++) {
		for (size_t i = SSH_CIPHER_NONE + 1; i < SSH_CIPHER_COUNT;
		     i++) {
			engine->ciphers[i][side].ctx =
			    new_cipher(evp_ciphers[i], (enum side)side);
			if (engine->ciphers[i][side].ctx == NULL)
				return missing(err, evp_ciphers[i]);
		}
		for (size_t i = 0; i < HASHES; i++) {
			engine->hmacs[i][side].ctx = new_hmac((enum hash)i);
			if (engine->hmacs[i][side].ctx == NULL)
				return missing(err, "HMAC with SHA-2");
		}
	}
	engine->poly1305 = new_mac("POLY1305");
	if (engine->poly1305 == NULL)
		return missing(err, "POLY1305");
	/* Before 3.0.3 it said yes and went on with the last packet's state. */
	engine->hmac_restarts = OpenSSL_version_num() >= 0x30000030;
	return 0;
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
	for (size_t side = 0; side < SIDES; side++) {
		for (size_t i = 0; i < SSH_CIPHER_COUNT; i++)
			EVP_CIPHER_CTX_free(engine->ciphers[i][side].ctx);
		for (size_t i = 0; i < HASHES; i++)
			EVP_MAC_CTX_free(engine->hmacs[i][side].ctx);
	}
	EVP_MAC_CTX_free(engine->poly1305);
	explicit_bzero(engine, sizeof *engine);
	free(engine);
}

const struct ssh_cipher_facts *
ssh_cipher_facts(enum ssh_cipher cipher)
{
	return &ciphers[cipher];
}

const struct ssh_mac_facts *
ssh_mac_facts(enum ssh_mac mac)
{
	return &macs[mac];
}

size_t
ssh_cipher_tag_bytes(const struct ssh_direction *d)
{
	return ciphers[d->cipher].is_aead ? AEAD_TAG_BYTES
					  : macs[d->mac].tag_bytes;
}

/* Whether the length field is encrypted with the rest, in its blocks. */
static bool
is_length_in_blocks(const struct ssh_direction *d)
{
	return !ciphers[d->cipher].is_aead && !macs[d->mac].is_etm;
}

/* Whether it is a ctr cipher without -etm: the first block tells the length. */
static bool
is_first_block_needed(const struct ssh_direction *d)
{
	return d->cipher != SSH_CIPHER_NONE && is_length_in_blocks(d);
}

size_t
ssh_cipher_padding(const struct ssh_direction *d, size_t payload)
{
	size_t block = ciphers[d->cipher].block_bytes;
	size_t len = 1 + payload + (is_length_in_blocks(d) ? LENGTH_BYTES : 0);
	size_t padding = block - len % block;

	return padding < PADDING_MIN ? padding + block : padding;
}

size_t
ssh_cipher_head_bytes(const struct ssh_direction *d)
{
	return is_first_block_needed(d) ? AES_BLOCK_BYTES : LENGTH_BYTES;
}

/* Whether a packet of this length can be one at all. */
static bool
is_possible(const struct ssh_direction *d, uint32_t length)
{
	size_t len = length;

	if (is_length_in_blocks(d))
		len += LENGTH_BYTES;
	return length > 0 && length <= LENGTH_MAX &&
	       len % ciphers[d->cipher].block_bytes == 0;
}

/* Give a context this key, where it has not got it yet, and this iv. */
static bool
set_key(struct keyed_cipher *k, const struct ssh_direction *d,
    const uint8_t iv[AES_BLOCK_BYTES])
{
	size_t key_bytes = ciphers[d->cipher].key_bytes;

	if (k->is_keyed && CRYPTO_memcmp(k->key, d->key, key_bytes) == 0)
		return EVP_CipherInit_ex(k->ctx, NULL, NULL, NULL, iv, -1) == 1;
	k->is_keyed =
	    EVP_CipherInit_ex(k->ctx, NULL, NULL, d->key, iv, -1) == 1;
	memcpy(k->key, d->key, key_bytes);
	return k->is_keyed;
}

static bool
crypt(EVP_CIPHER_CTX *ctx, uint8_t *bytes, size_t len)
{
	int done;

	return EVP_CipherUpdate(ctx, bytes, &done, bytes, (int)len) == 1;
}

/* Add to a big-endian number of `len` bytes. */
static void
add_to(uint8_t *number, size_t len, uint32_t value)
{
	uint64_t carry = value;

	while (len > 0 && carry > 0) {
		carry += number[--len];
		number[len] = (uint8_t)carry;
		carry >>= 8;
	}
}

/* ---- aes-gcm: RFC 5647, the length in the clear as additional data ---- */

static bool
gcm(struct ssh_engine *engine, struct ssh_direction *d, enum side side,
    uint8_t *packet, uint32_t length)
{
	struct keyed_cipher *k = &engine->ciphers[d->cipher][side];
	uint8_t *tag = packet + LENGTH_BYTES + length, none[AES_BLOCK_BYTES];
	int done;

	if (!set_key(k, d, d->iv))
		return false;
	if (side == SIDE_OPEN &&
	    EVP_CIPHER_CTX_ctrl(
		k->ctx, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_BYTES, tag) != 1)
		return false;
	if (EVP_CipherUpdate(k->ctx, NULL, &done, packet, LENGTH_BYTES) != 1 ||
	    !crypt(k->ctx, packet + LENGTH_BYTES, length) ||
	    EVP_CipherFinal_ex(k->ctx, none, &done) != 1)
		return false;
	if (side == SIDE_SEAL &&
	    EVP_CIPHER_CTX_ctrl(
		k->ctx, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_BYTES, tag) != 1)
		return false;
	/* 4 fixed bytes, then the invocation counter (RFC 5647 section 7.1). */
	add_to(d->iv + 4, 8, 1);
	return true;
}

static bool
gcm_open(struct ssh_engine *engine, struct ssh_direction *d, uint8_t *packet,
    uint32_t length)
{
	return gcm(engine, d, SIDE_OPEN, packet, length);
}

static bool
gcm_seal(struct ssh_engine *engine, struct ssh_direction *d, uint8_t *packet,
    uint32_t length)
{
	return gcm(engine, d, SIDE_SEAL, packet, length);
}

/* ---- chacha20-poly1305@openssh.com ---- */

enum chacha_key { CHACHA_PAYLOAD, CHACHA_LENGTH };

/* The stream of one of the two keys for this packet, from its block 0. */
static EVP_CIPHER_CTX *
chacha_start(struct ssh_engine *engine, const struct ssh_direction *d,
    enum chacha_key which)
{
	EVP_CIPHER_CTX *ctx = engine->ciphers[d->cipher][SIDE_SEAL].ctx;
	const uint8_t *key = d->key + which * CHACHA_KEY_BYTES;
	uint8_t iv[16] = {0}; /* 64 bits of counter, 64 bits of nonce */

	wire_poke_u64(iv + 8, d->sequence);
	return EVP_CipherInit_ex(ctx, NULL, NULL, key, iv, -1) == 1 ? ctx
								    : NULL;
}

static bool
chacha_length(struct ssh_engine *engine, const struct ssh_direction *d,
    uint8_t length[LENGTH_BYTES])
{
	EVP_CIPHER_CTX *ctx = chacha_start(engine, d, CHACHA_LENGTH);

	return ctx != NULL && crypt(ctx, length, LENGTH_BYTES);
}

/*
 * Start the payload's stream: its first block is the key of poly1305, what
 * follows in `ctx` is for the payload.
 */
static EVP_CIPHER_CTX *
chacha_payload(struct ssh_engine *engine, const struct ssh_direction *d)
{
	EVP_CIPHER_CTX *ctx = chacha_start(engine, d, CHACHA_PAYLOAD);
	uint8_t block[CHACHA_BLOCK_BYTES] = {0};
	bool done;

	done = ctx != NULL && crypt(ctx, block, sizeof block) &&
	       EVP_MAC_init(engine->poly1305, block, CHACHA_KEY_BYTES, NULL);
	explicit_bzero(block, sizeof block);
	return done ? ctx : NULL;
}

static bool
poly1305(struct ssh_engine *engine, const uint8_t *packet, uint32_t length,
    uint8_t tag[AEAD_TAG_BYTES])
{
	size_t len;

	return EVP_MAC_update(
		   engine->poly1305, packet, LENGTH_BYTES + length) == 1 &&
	       EVP_MAC_final(engine->poly1305, tag, &len, AEAD_TAG_BYTES) == 1;
}

static bool
chacha_seal(struct ssh_engine *engine, struct ssh_direction *d, uint8_t *packet,
    uint32_t length)
{
	EVP_CIPHER_CTX *ctx;

	if (!chacha_length(engine, d, packet))
		return false;
	ctx = chacha_payload(engine, d);
	return ctx != NULL && crypt(ctx, packet + LENGTH_BYTES, length) &&
	       poly1305(engine, packet, length, packet + LENGTH_BYTES + length);
}

static bool
chacha_open(struct ssh_engine *engine, struct ssh_direction *d, uint8_t *packet,
    uint32_t length)
{
	EVP_CIPHER_CTX *ctx = chacha_payload(engine, d);
	uint8_t tag[AEAD_TAG_BYTES];

	if (ctx == NULL || !poly1305(engine, packet, length, tag) ||
	    CRYPTO_memcmp(tag, packet + LENGTH_BYTES + length, sizeof tag) != 0)
		return false;
	wire_poke_u32(packet, length);
	return crypt(ctx, packet + LENGTH_BYTES, length);
}

/* ---- aes-ctr with hmac ---- */

static bool
hmac(struct ssh_engine *engine, const struct ssh_direction *d, enum side side,
    const uint8_t *packet, uint32_t length, uint8_t tag[64])
{
	size_t key_bytes = macs[d->mac].key_bytes, len;
	enum hash hash = key_bytes == evp_hashes[HASH_SHA2_256].key_bytes
			     ? HASH_SHA2_256
			     : HASH_SHA2_512;
	struct keyed_mac *k = &engine->hmacs[hash][side];
	uint8_t sequence[4];

	if (k->is_keyed && engine->hmac_restarts &&
	    CRYPTO_memcmp(k->key, d->mac_key, key_bytes) == 0) {
		k->is_keyed = EVP_MAC_init(k->ctx, NULL, 0, NULL) == 1;
	} else {
		k->is_keyed =
		    EVP_MAC_init(k->ctx, d->mac_key, key_bytes, NULL) == 1;
		memcpy(k->key, d->mac_key, key_bytes);
	}
	wire_poke_u32(sequence, d->sequence);
	return k->is_keyed &&
	       EVP_MAC_update(k->ctx, sequence, sizeof sequence) == 1 &&
	       EVP_MAC_update(k->ctx, packet, LENGTH_BYTES + length) == 1 &&
	       EVP_MAC_final(k->ctx, tag, &len, macs[d->mac].tag_bytes) == 1;
}

/* Bytes of a packet, to be changed in place. */
struct part {
	uint8_t *data;
	size_t len;
};

/* Encrypt or decrypt from `skip` whole blocks behind the counter on. */
static bool
ctr(struct ssh_engine *engine, const struct ssh_direction *d, enum side side,
    uint32_t skip, struct part part)
{
	struct keyed_cipher *k = &engine->ciphers[d->cipher][side];
	uint8_t iv[AES_BLOCK_BYTES];

	memcpy(iv, d->iv, sizeof iv);
	add_to(iv, sizeof iv, skip);
	return set_key(k, d, iv) && crypt(k->ctx, part.data, part.len);
}

/* The part of a packet that is encrypted. */
static struct part
ctr_part(const struct ssh_direction *d, uint8_t *packet, uint32_t length)
{
	size_t clear = macs[d->mac].is_etm ? LENGTH_BYTES : 0;

	return (struct part){packet + clear, LENGTH_BYTES + length - clear};
}

static bool
ctr_seal(struct ssh_engine *engine, struct ssh_direction *d, uint8_t *packet,
    uint32_t length)
{
	struct part part = ctr_part(d, packet, length);
	uint8_t *tag = packet + LENGTH_BYTES + length;
	bool is_etm = macs[d->mac].is_etm;

	if (d->mac == SSH_MAC_NONE)
		return false;
	if (!is_etm && !hmac(engine, d, SIDE_SEAL, packet, length, tag))
		return false;
	if (!ctr(engine, d, SIDE_SEAL, 0, part))
		return false;
	if (is_etm && !hmac(engine, d, SIDE_SEAL, packet, length, tag))
		return false;
	add_to(d->iv, AES_BLOCK_BYTES, (uint32_t)(part.len / AES_BLOCK_BYTES));
	return true;
}

static bool
ctr_open(struct ssh_engine *engine, struct ssh_direction *d, uint8_t *packet,
    uint32_t length)
{
	struct part part = ctr_part(d, packet, length), rest = part;
	const uint8_t *theirs = packet + LENGTH_BYTES + length;
	uint8_t tag[64];
	bool is_etm = macs[d->mac].is_etm;

	if (d->mac == SSH_MAC_NONE)
		return false;
	/* ssh_cipher_length has been over the first block. */
	if (!is_etm) {
		rest.data += AES_BLOCK_BYTES;
		rest.len -= AES_BLOCK_BYTES;
	}
	if (!is_etm && !ctr(engine, d, SIDE_OPEN, 1, rest))
		return false;
	if (!hmac(engine, d, SIDE_OPEN, packet, length, tag) ||
	    CRYPTO_memcmp(tag, theirs, macs[d->mac].tag_bytes) != 0)
		return false;
	if (is_etm && !ctr(engine, d, SIDE_OPEN, 0, rest))
		return false;
	add_to(d->iv, AES_BLOCK_BYTES, (uint32_t)(part.len / AES_BLOCK_BYTES));
	return true;
}

/* ---- all of them ---- */

int
ssh_cipher_length(struct ssh_engine *engine, const struct ssh_direction *d,
    uint8_t *head, uint32_t *length)
{
	uint8_t bytes[LENGTH_BYTES];

	if (is_first_block_needed(d) &&
	    !ctr(engine, d, SIDE_OPEN, 0, (struct part){head, AES_BLOCK_BYTES}))
		return -1;
	memcpy(bytes, head, sizeof bytes);
	if (d->cipher == SSH_CIPHER_CHACHA20_POLY1305 &&
	    !chacha_length(engine, d, bytes))
		return -1;
	*length = wire_peek_u32(bytes);
	return 0;
}

static bool
plain(struct ssh_engine *engine, struct ssh_direction *d, uint8_t *packet,
    uint32_t length)
{
	return true;
}

typedef bool protect_fn(struct ssh_engine *engine, struct ssh_direction *d,
    uint8_t *packet, uint32_t length);

static protect_fn *const protections[SSH_CIPHER_COUNT][SIDES] = {
    [SSH_CIPHER_NONE] = {plain, plain},
    [SSH_CIPHER_CHACHA20_POLY1305] = {chacha_open, chacha_seal},
    [SSH_CIPHER_AES256_GCM] = {gcm_open, gcm_seal},
    [SSH_CIPHER_AES128_GCM] = {gcm_open, gcm_seal},
    [SSH_CIPHER_AES256_CTR] = {ctr_open, ctr_seal},
    [SSH_CIPHER_AES128_CTR] = {ctr_open, ctr_seal},
};

static int
protect(struct ssh_engine *engine, struct ssh_direction *d, enum side side,
    uint8_t *packet, uint32_t length)
{
	if (!is_possible(d, length))
		return -1;
	if (!protections[d->cipher][side](engine, d, packet, length)) {
		ERR_clear_error();
		return -1;
	}
	d->sequence++;
	return 0;
}

int
ssh_cipher_open(struct ssh_engine *engine, struct ssh_direction *d,
    uint8_t *packet, uint32_t length)
{
	return protect(engine, d, SIDE_OPEN, packet, length);
}

int
ssh_cipher_seal(struct ssh_engine *engine, struct ssh_direction *d,
    uint8_t *packet, uint32_t length)
{
	return protect(engine, d, SIDE_SEAL, packet, length);
}
