#ifndef KAYA_SSH_HOST_KEY_PRIVATE_H
#define KAYA_SSH_HOST_KEY_PRIVATE_H

/* ssh_host_key_private: what the three files of ssh_host_key share. */

#include "ssh_host_key.h"

#include <openssl/evp.h>

/* OpenSSH's PROTOCOL.key. */
#define SSH_HOST_KEY_ARMOR "OPENSSH PRIVATE KEY"
#define SSH_HOST_KEY_MAGIC "openssh-key-v1" /* with its zero byte */

enum {
	SSH_HOST_KEY_BLOCK_BYTES = 8, /* of no cipher at all */
	SSH_HOST_KEY_FILE_MAX = 65536, /* bytes; 16384 bits of RSA need 12500 */
	SSH_HOST_KEY_ED25519_BYTES = 32, /* the private seed, the public key */
	SSH_HOST_KEY_ALGORITHMS = 3
};

struct ssh_host_key {
	enum ssh_host_key_type type;
	EVP_PKEY *pkey;
	struct buf blob;
	/*
	 * Contexts that are ready to sign, to be copied: to prepare one anew
	 * costs half as much as a signature.  NULL: it does not go with the
	 * key.
	 */
	EVP_MD_CTX *ready[SSH_HOST_KEY_ALGORITHMS];
};

/*
 * Make `pkey` a host key: type and size are checked, and that its halves
 * belong together.  NULL and `err` where they do not.  It is ours, or freed.
 */
struct ssh_host_key *ssh_host_key_adopt(EVP_PKEY *pkey, struct err *err);

/* Fill `err` with "this key is TYPE, which is no ..." and the remedy. */
void ssh_host_key_refuse_type(struct err *err, const char *type);

/* Fill `err`: libcrypto, or memory, failed.  Its own errors are forgotten. */
int ssh_host_key_failed(struct err *err, const char *what);

/* Append a number of an RSA key (OSSL_PKEY_PARAM_RSA_*) as an mpint. */
bool ssh_host_key_put_number(
    const struct ssh_host_key *key, const char *name, struct buf *out);

#endif
