#ifndef KAYA_SSH_KEY_H
#define KAYA_SSH_KEY_H

/*
 * ssh_key: public keys as blobs, signatures over bytes, and our host keys.
 *
 * Sources: RFC 4253 6.6, RFC 8332 (rsa-sha2), RFC 8709 (ed25519), RFC 5656
 * (ecdsa), OpenSSH's PROTOCOL.u2f (sk-*), PROTOCOL.key (private key files).
 */

#include "buf.h"
#include "err.h"
#include "span.h"

enum { SSH_KEY_RSA_MIN_BITS = 2048, SSH_KEY_RSA_MAX_BITS = 16384 };

enum ssh_key_verdict {
	SSH_KEY_GOOD,
	SSH_KEY_BAD_SIGNATURE, /* does not match, or is malformed */
	SSH_KEY_UNSUPPORTED, /* algorithm unknown, or not for this key */
	SSH_KEY_TOO_WEAK, /* RSA below SSH_KEY_RSA_MIN_BITS */
	SSH_KEY_MALFORMED /* the blob is no key */
};

/*
 * The user-key signature algorithms that we verify, best first, comma
 * separated: the value of server-sig-algs (RFC 8308 section 3.1).
 */
const char *ssh_key_signature_algorithms(void);

/*
 * Whether `algorithm` (as USERAUTH_REQUEST names it) is one of ours and fits
 * the key in `blob`, and the blob is a whole key: GOOD, UNSUPPORTED, TOO_WEAK
 * or MALFORMED.  Costs no signature verification.
 */
enum ssh_key_verdict ssh_key_check(struct span algorithm, struct span blob);

/* What a FIDO token says of the moment of signing (PROTOCOL.u2f). */
struct ssh_key_presence {
	bool is_token; /* an sk- key; else the two below mean nothing */
	bool touched; /* user presence */
	bool verified; /* PIN or fingerprint */
};

/*
 * Verify `signature` (the SSH string's content: algorithm and raw signature)
 * of `message` by `blob`.  The algorithm inside must be `algorithm`.
 * `presence` is filled on GOOD.
 */
enum ssh_key_verdict ssh_key_verify(struct span algorithm, struct span blob,
    struct span signature, struct span message,
    struct ssh_key_presence *presence);

/* ---- host keys: the private side, for the process that holds them ---- */

struct ssh_host_key;

enum ssh_host_key_type { SSH_HOST_KEY_ED25519, SSH_HOST_KEY_RSA };

/* Make one (RSA: 3072 bits).  NULL and `err` on failure. */
struct ssh_host_key *ssh_host_key_generate(
    enum ssh_host_key_type type, struct err *err);

/*
 * Read an unencrypted private key file's content: "OPENSSH PRIVATE KEY"
 * (PROTOCOL.key) or a PEM that libcrypto reads.  Encrypted ones, other types
 * and RSA below the minimum are refused with cause and remedy.
 */
struct ssh_host_key *ssh_host_key_parse(struct span file, struct err *err);

/* The "OPENSSH PRIVATE KEY" file's content, as ssh-keygen reads it. */
int ssh_host_key_encode(const struct ssh_host_key *key, const char *comment,
    struct buf *file, struct err *err);

/* Wiped and freed; NULL is fine. */
void ssh_host_key_free(struct ssh_host_key *key);

enum ssh_host_key_type ssh_host_key_type(const struct ssh_host_key *key);

/* The public blob (borrowed from the key). */
struct span ssh_host_key_blob(const struct ssh_host_key *key);

/*
 * Sign `message` by `algorithm` ("ssh-ed25519", "rsa-sha2-256",
 * "rsa-sha2-512"); the signature blob (algorithm and raw signature, as in
 * KEX_ECDH_REPLY) is appended.
 */
int ssh_host_key_sign(const struct ssh_host_key *key, const char *algorithm,
    struct span message, struct buf *signature, struct err *err);

#endif
