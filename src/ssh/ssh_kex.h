#ifndef KAYA_SSH_KEX_H
#define KAYA_SSH_KEX_H

/*
 * ssh_kex: the arithmetic of a key exchange; who says what when is ssh_conn's.
 *
 * Sources: RFC 4253 sections 7 and 8, RFC 8731 (curve25519-sha256), RFC 10042
 * (mlkem768x25519-sha256).
 */

#include "buf.h"
#include "err.h"
#include "ssh_cipher.h"

enum ssh_kex {
	SSH_KEX_MLKEM768X25519_SHA256,
	SSH_KEX_CURVE25519_SHA256,
	SSH_KEX_CURVE25519_SHA256_LIBSSH, /* the @libssh.org name of the same */
	SSH_KEX_COUNT
};

enum { SSH_KEX_HASH_BYTES = 32 }; /* all of them use SHA-256 */

const char *ssh_kex_name(enum ssh_kex kex);

/* Whether this libcrypto can do it (ML-KEM came with OpenSSL 3.5). */
bool ssh_kex_is_available(enum ssh_kex kex);

enum ssh_kex_result {
	SSH_KEX_OK,
	SSH_KEX_BAD_SHARE, /* wrong length, or a point that gives all zeroes */
	SSH_KEX_FAILED /* libcrypto or memory */
};

/*
 * The server's half: from the client's share (C_INIT, the string's content)
 * make ours (S_REPLY, appended raw to `share`) and the shared secret, appended
 * to `secret` as the exchange hash and the key derivation take it: an mpint
 * for curve25519, a string for mlkem768x25519.  `secret` is to be wiped by the
 * caller (buf_fini_wipe), on every result.  `engine` is of the calling thread.
 */
enum ssh_kex_result ssh_kex_reply(struct ssh_engine *engine, enum ssh_kex kex,
    struct span client_share, struct buf *share, struct buf *secret);

/*
 * RFC 4253 7.2: `len` bytes of key for `letter` ('A' to 'F').  `secret` as
 * encoded by ssh_kex_reply.  0, or -1 where libcrypto fails.
 */
int ssh_kex_derive(struct span secret, const uint8_t hash[SSH_KEX_HASH_BYTES],
    struct span session_id, char letter, uint8_t *key, size_t len);

#endif
