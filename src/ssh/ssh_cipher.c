#include "ssh_engine.h"

#include "wire.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

enum {
	LENGTH_BYTES = 4, /* the packet's length field */
	PADDING_MIN = 4,
	AEAD_TAG_BYTES = 16,
	AES_BLOCK_BYTES = 16,
	CHACHA_KEY_BYTES = 32, /* one of the two in a direction's key */
	/* Far above every cap of a caller, and far below where int ends. */
	LENGTH_MAX = 1 << 28
};

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
set_key(struct ssh_keyed_cipher *k, const struct ssh_direction *d,
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
gcm(struct ssh_engine *engine, struct ssh_direction *d, enum ssh_side side,
    uint8_t *packet, uint32_t length)
{
	struct ssh_keyed_cipher *k = &engine->ciphers[d->cipher][side];
	uint8_t *tag = packet + LENGTH_BYTES + length, none[AES_BLOCK_BYTES];
	int done;

	if (!set_key(k, d, d->iv))
		return false;
	if (side == SSH_SIDE_OPEN &&
	    EVP_CIPHER_CTX_ctrl(
		k->ctx, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_BYTES, tag) != 1)
		return false;
	if (EVP_CipherUpdate(k->ctx, NULL, &done, packet, LENGTH_BYTES) != 1 ||
	    !crypt(k->ctx, packet + LENGTH_BYTES, length) ||
	    EVP_CipherFinal_ex(k->ctx, none, &done) != 1)
		return false;
	if (side == SSH_SIDE_SEAL &&
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
	return gcm(engine, d, SSH_SIDE_OPEN, packet, length);
}

static bool
gcm_seal(struct ssh_engine *engine, struct ssh_direction *d, uint8_t *packet,
    uint32_t length)
{
	return gcm(engine, d, SSH_SIDE_SEAL, packet, length);
}

/* ---- chacha20-poly1305@openssh.com ---- */

enum chacha_key { CHACHA_PAYLOAD, CHACHA_LENGTH };

/* The stream of one of the two keys for this packet, from its block 0. */
static EVP_CIPHER_CTX *
chacha_start(struct ssh_engine *engine, const struct ssh_direction *d,
    enum chacha_key which)
{
	EVP_CIPHER_CTX *ctx = engine->ciphers[d->cipher][SSH_SIDE_SEAL].ctx;
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
 * Start the payload's stream: its first block is the key of poly1305.  A short
 * payload goes through the cipher with it: a call costs more than its bytes.
 */
static bool
chacha_begin(struct ssh_engine *engine, const struct ssh_direction *d,
    const uint8_t *payload, uint32_t length)
{
	EVP_CIPHER_CTX *ctx = chacha_start(engine, d, CHACHA_PAYLOAD);
	uint8_t *block = engine->scratch;
	size_t ahead = length <= SSH_ENGINE_SHORT_BYTES ? length : 0;
	bool done;

	memset(block, 0, SSH_ENGINE_BLOCK_BYTES);
	memcpy(block + SSH_ENGINE_BLOCK_BYTES, payload, ahead);
	done = ctx != NULL &&
	       crypt(ctx, block, SSH_ENGINE_BLOCK_BYTES + ahead) &&
	       EVP_MAC_init(engine->poly1305, block, CHACHA_KEY_BYTES, NULL);
	explicit_bzero(block, SSH_ENGINE_BLOCK_BYTES);
	return done;
}

/* The rest of the work on the payload that was begun. */
static bool
chacha_end(struct ssh_engine *engine, const struct ssh_direction *d,
    uint8_t *payload, uint32_t length)
{
	if (length > SSH_ENGINE_SHORT_BYTES)
		return crypt(engine->ciphers[d->cipher][SSH_SIDE_SEAL].ctx,
		    payload, length);
	memcpy(payload, engine->scratch + SSH_ENGINE_BLOCK_BYTES, length);
	return true;
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
	uint8_t *payload = packet + LENGTH_BYTES;

	return chacha_length(engine, d, packet) &&
	       chacha_begin(engine, d, payload, length) &&
	       chacha_end(engine, d, payload, length) &&
	       poly1305(engine, packet, length, payload + length);
}

static bool
chacha_open(struct ssh_engine *engine, struct ssh_direction *d, uint8_t *packet,
    uint32_t length)
{
	uint8_t *payload = packet + LENGTH_BYTES, tag[AEAD_TAG_BYTES];

	if (!chacha_begin(engine, d, payload, length) ||
	    !poly1305(engine, packet, length, tag) ||
	    CRYPTO_memcmp(tag, payload + length, sizeof tag) != 0)
		return false;
	wire_poke_u32(packet, length);
	return chacha_end(engine, d, payload, length);
}

/* ---- aes-ctr with hmac ---- */

static bool
hmac(struct ssh_engine *engine, const struct ssh_direction *d,
    enum ssh_side side, const uint8_t *packet, uint32_t length, uint8_t tag[64])
{
	size_t key_bytes = macs[d->mac].key_bytes, len;
	enum ssh_hash hash =
	    key_bytes == 32 ? SSH_HASH_SHA2_256 : SSH_HASH_SHA2_512;
	struct ssh_keyed_mac *k = &engine->hmacs[hash][side];
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
ctr(struct ssh_engine *engine, const struct ssh_direction *d,
    enum ssh_side side, uint32_t skip, struct part part)
{
	struct ssh_keyed_cipher *k = &engine->ciphers[d->cipher][side];
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
	if (!is_etm && !hmac(engine, d, SSH_SIDE_SEAL, packet, length, tag))
		return false;
	if (!ctr(engine, d, SSH_SIDE_SEAL, 0, part))
		return false;
	if (is_etm && !hmac(engine, d, SSH_SIDE_SEAL, packet, length, tag))
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
	if (!is_etm && !ctr(engine, d, SSH_SIDE_OPEN, 1, rest))
		return false;
	if (!hmac(engine, d, SSH_SIDE_OPEN, packet, length, tag) ||
	    CRYPTO_memcmp(tag, theirs, macs[d->mac].tag_bytes) != 0)
		return false;
	if (is_etm && !ctr(engine, d, SSH_SIDE_OPEN, 0, rest))
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
	    !ctr(engine, d, SSH_SIDE_OPEN, 0,
		(struct part){head, AES_BLOCK_BYTES}))
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

static protect_fn *const protections[SSH_CIPHER_COUNT][SSH_SIDES] = {
    [SSH_CIPHER_NONE] = {plain, plain},
    [SSH_CIPHER_CHACHA20_POLY1305] = {chacha_open, chacha_seal},
    [SSH_CIPHER_AES256_GCM] = {gcm_open, gcm_seal},
    [SSH_CIPHER_AES128_GCM] = {gcm_open, gcm_seal},
    [SSH_CIPHER_AES256_CTR] = {ctr_open, ctr_seal},
    [SSH_CIPHER_AES128_CTR] = {ctr_open, ctr_seal},
};

static int
protect(struct ssh_engine *engine, struct ssh_direction *d, enum ssh_side side,
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
	return protect(engine, d, SSH_SIDE_OPEN, packet, length);
}

int
ssh_cipher_seal(struct ssh_engine *engine, struct ssh_direction *d,
    uint8_t *packet, uint32_t length)
{
	return protect(engine, d, SSH_SIDE_SEAL, packet, length);
}
