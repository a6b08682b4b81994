#ifndef KAYA_SSH_KEY_H
#define KAYA_SSH_KEY_H

/*
 * ssh_key: users' public keys as blobs, and their signatures over bytes.
 * (Our own keys: ssh_host_key.)
 *
 * Sources: RFC 4253 6.6, RFC 8332 (rsa-sha2), RFC 8709 (ed25519), RFC 5656
 * (ecdsa), OpenSSH's PROTOCOL.u2f (sk-*).
 */

#include "span.h"

enum { SSH_KEY_RSA_MIN_BITS = 2048, SSH_KEY_RSA_MAX_BITS = 16384 };

enum ssh_key_verdict {
	SSH_KEY_GOOD,
	SSH_KEY_BAD_SIGNATURE, /* does not match, or is malformed */
	/*
	 * algorithm unknown, or not for this key, or an RSA modulus above
	 * SSH_KEY_RSA_MAX_BITS or exponent above 64 bits: nobody has such, and
	 * they would have us work as hard as a signer
	 */
	SSH_KEY_UNSUPPORTED,
	SSH_KEY_TOO_WEAK, /* RSA below SSH_KEY_RSA_MIN_BITS */
	SSH_KEY_MALFORMED /* the blob is no key, or more than one */
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
 * `presence` is filled on GOOD.  Where memory fails the signature is not good.
 */
enum ssh_key_verdict ssh_key_verify(struct span algorithm, struct span blob,
    struct span signature, struct span message,
    struct ssh_key_presence *presence);

#endif
