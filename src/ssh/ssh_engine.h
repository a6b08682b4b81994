#ifndef KAYA_SSH_ENGINE_H
#define KAYA_SSH_ENGINE_H

/*
 * ssh_engine: libcrypto's contexts of one thread, for ssh_cipher and ssh_kex.
 * They are kept since libcrypto 3 looks each algorithm up by its name, among
 * all that it has, whenever a context or a key is made.
 */

#include "ssh_cipher.h"

#include <openssl/evp.h>

/* As EVP_CipherInit_ex counts them. */
enum ssh_side { SSH_SIDE_OPEN, SSH_SIDE_SEAL, SSH_SIDES };
enum ssh_hash { SSH_HASH_SHA2_256, SSH_HASH_SHA2_512, SSH_HASHES };

/*
 * A context and the key that it was last given.  Keys are compared by value,
 * never by the address of their direction: that may be another connection's
 * by now.  To set a key anew costs as much as a small packet itself.
 */
struct ssh_keyed_cipher {
	EVP_CIPHER_CTX *ctx;
	bool is_keyed;
	uint8_t key[32];
};
struct ssh_keyed_mac {
	EVP_MAC_CTX *ctx;
	bool is_keyed;
	uint8_t key[64];
};

enum {
	SSH_ENGINE_BLOCK_BYTES = 64, /* of chacha20 */
	SSH_ENGINE_SHORT_BYTES = 1024
};

struct ssh_engine {
	struct ssh_keyed_cipher ciphers[SSH_CIPHER_COUNT][SSH_SIDES];
	struct ssh_keyed_mac hmacs[SSH_HASHES][SSH_SIDES];
	EVP_MAC_CTX *poly1305;
	/* A block of chacha20's stream and a short payload behind it. */
	uint8_t scratch[SSH_ENGINE_BLOCK_BYTES + SSH_ENGINE_SHORT_BYTES];
	/* Whether HMAC can start over with the key it has. */
	bool hmac_restarts;
	EVP_PKEY_CTX *x25519; /* makes keys of bytes (EVP_PKEY_fromdata) */
	EVP_PKEY *base_point; /* 9 */
	EVP_PKEY *peer; /* the public key of who is spoken to */
};

#endif
