#ifndef KAYA_SSH_CIPHER_H
#define KAYA_SSH_CIPHER_H

/*
 * ssh_cipher: one direction's protection of binary packets, in place.
 *
 * Sources: RFC 4253 section 6; RFC 4344 (ctr); OpenSSH's PROTOCOL (-etm@,
 * aes*-gcm@openssh.com) and PROTOCOL.chacha20poly1305.
 *
 * The keys of a direction are a few bytes in the connection
 * (`struct ssh_direction`); the libcrypto contexts stand once in each thread
 * (`struct ssh_engine`) and are re-keyed packet by packet, so that an idle
 * connection owns none.
 */

#include "err.h"
#include "span.h"

/* libcrypto's contexts of one thread.  Not to be shared between threads. */
struct ssh_engine;

/* NULL and `err` where libcrypto lacks something that cannot be done without.
 */
struct ssh_engine *ssh_engine_new(struct err *err);
void ssh_engine_free(struct ssh_engine *engine);

enum ssh_cipher {
	SSH_CIPHER_NONE,
	SSH_CIPHER_CHACHA20_POLY1305,
	SSH_CIPHER_AES256_GCM,
	SSH_CIPHER_AES128_GCM,
	SSH_CIPHER_AES256_CTR,
	SSH_CIPHER_AES128_CTR,
	SSH_CIPHER_COUNT
};

enum ssh_mac {
	SSH_MAC_NONE, /* and all AEAD ciphers */
	SSH_MAC_SHA2_256_ETM,
	SSH_MAC_SHA2_512_ETM,
	SSH_MAC_SHA2_256, /* encrypt-and-mac: only under `legacy_macs` */
	SSH_MAC_SHA2_512,
	SSH_MAC_COUNT
};

/* Key sizes in bytes, and the name in KEXINIT. */
struct ssh_cipher_facts {
	const char *name;
	uint8_t key_bytes;
	uint8_t iv_bytes;
	uint8_t block_bytes; /* padding aligns to this */
	bool is_aead; /* needs no MAC of its own */
};
const struct ssh_cipher_facts *ssh_cipher_facts(enum ssh_cipher cipher);

struct ssh_mac_facts {
	const char *name;
	uint8_t key_bytes;
	uint8_t tag_bytes;
	bool is_etm;
};
const struct ssh_mac_facts *ssh_mac_facts(enum ssh_mac mac);

/* What one direction needs to go on.  Holds secrets: wipe it when done. */
struct ssh_direction {
	uint8_t cipher; /* enum ssh_cipher */
	uint8_t mac; /* enum ssh_mac */
	uint32_t sequence; /* of the next packet; wraps (RFC 4253 6.4) */
	uint8_t key[64];
	uint8_t iv[16]; /* gcm: nonce and counter; ctr: the counter */
	uint8_t mac_key[64];
};

/* Bytes behind the packet: the tag. */
size_t ssh_cipher_tag_bytes(const struct ssh_direction *d);

/*
 * Padding for a packet of `payload` bytes: 4 to 255 (RFC 4253 section 6), the
 * shortest that aligns; the length field counts only without -etm and AEAD.
 */
size_t ssh_cipher_padding(const struct ssh_direction *d, size_t payload);

/*
 * Learn the packet length (RFC 4253 6: the bytes after the length field, tag
 * not counted) from the first bytes of a packet.  `head` holds at least
 * ssh_cipher_head_bytes(d).  For ctr without -etm the first block is decrypted
 * in place and must be handed to ssh_cipher_open as it then is; all others
 * leave `head` as it was.  To be called once a packet.  0, or -1 where
 * libcrypto fails.
 */
size_t ssh_cipher_head_bytes(const struct ssh_direction *d);
int ssh_cipher_length(struct ssh_engine *engine, const struct ssh_direction *d,
    uint8_t *head, uint32_t *length);

/*
 * Verify and decrypt in place `4 + length + tag` bytes at `packet`, then step
 * on sequence, nonce and counter.  0; or -1: the packet is not authentic, its
 * length is out of step with the cipher's blocks, or libcrypto fails, and
 * nothing of it may be used.
 */
int ssh_cipher_open(struct ssh_engine *engine, struct ssh_direction *d,
    uint8_t *packet, uint32_t length);

/*
 * Encrypt in place a packet of `4 + length` bytes (length field, padding
 * length, payload, padding) and write the tag behind it.  Padding bytes are
 * the caller's to fill.  0, or -1 where libcrypto fails or the padding is not
 * what ssh_cipher_padding says, give or take whole blocks.
 */
int ssh_cipher_seal(struct ssh_engine *engine, struct ssh_direction *d,
    uint8_t *packet, uint32_t length);

#endif
