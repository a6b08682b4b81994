#ifndef KAYA_PUBKEY_H
#define KAYA_PUBKEY_H

/*
 * pubkey: a public key as a line of text (`type base64 comment`) and as the
 * blob of RFC 4253 section 6.6.
 *
 * The blob is checked for shape (the right strings of the right lengths,
 * nothing after them), not for mathematics: a point that is on no curve passes
 * here and fails every signature later.
 */

#include "buf.h"
#include "span.h"

enum pubkey_type {
	PUBKEY_UNKNOWN,
	PUBKEY_ED25519,
	PUBKEY_ECDSA_256,
	PUBKEY_ECDSA_384,
	PUBKEY_ECDSA_521,
	PUBKEY_RSA,
	PUBKEY_DSA,
	PUBKEY_SK_ED25519,
	PUBKEY_SK_ECDSA,
	/* the certificates of the above, in the same order */
	PUBKEY_ED25519_CERT,
	PUBKEY_ECDSA_256_CERT,
	PUBKEY_ECDSA_384_CERT,
	PUBKEY_ECDSA_521_CERT,
	PUBKEY_RSA_CERT,
	PUBKEY_DSA_CERT,
	PUBKEY_SK_ED25519_CERT,
	PUBKEY_SK_ECDSA_CERT,
	PUBKEY_TYPE_COUNT
};

enum {
	PUBKEY_DIGEST_BYTES = 32,
	/* An RSA key of 16,384 bits takes 2,081 bytes. */
	PUBKEY_MAX_BYTES = 4096,
	PUBKEY_RSA_MAX_BITS = 16384,
	/* "SHA256:" and 43 characters, terminated */
	PUBKEY_FINGERPRINT_SIZE = 51,
	/* "key-" and 32 hex digits, terminated */
	PUBKEY_IDENTITY_SIZE = 37
};

/*
 * The type that a line's first word names, PUBKEY_UNKNOWN for any other word.
 * As sshd does, `rsa-sha2-256` and `rsa-sha2-512`, names of signatures, pass
 * for `ssh-rsa`.
 */
enum pubkey_type pubkey_type_of_word(struct span word);

/* The word for a type, "unknown" for PUBKEY_UNKNOWN. */
const char *pubkey_type_word(enum pubkey_type type);

bool pubkey_type_is_certificate(enum pubkey_type type);

/* A FIDO token's key: its signatures tell of touch and PIN. */
bool pubkey_type_is_token(enum pubkey_type type);

/* All words of plain keys, NULL-terminated: for str_nearest. */
const char *const *pubkey_words(void);

enum pubkey_result {
	PUBKEY_GOOD,
	PUBKEY_BAD_BASE64, /* a foreign character, or wrong padding */
	PUBKEY_TOO_LONG, /* more than PUBKEY_MAX_BYTES */
	PUBKEY_CUT_OFF, /* ends before what its own lengths announce */
	PUBKEY_TRAILING, /* more behind it than its lengths announce */
	PUBKEY_OTHER_TYPE, /* a known type, but not the one expected */
	PUBKEY_MALFORMED /* not a key at all, or of a type nobody knows */
};

/* What a blob is. */
struct pubkey {
	enum pubkey_type type;
	unsigned bits; /* RSA and DSA: of the modulus; else the curve's */
};

/*
 * Decode base64 as sshd does: white space other than blank and tab (the CR of
 * a foreign line end) is passed over.  `blob` holds `size` bytes, `*len` gets
 * their number.  GOOD, BAD_BASE64 or TOO_LONG.
 */
enum pubkey_result pubkey_decode(
    struct span base64, uint8_t *blob, size_t size, size_t *len);

/*
 * Read a blob whose line says `type` (PUBKEY_UNKNOWN: whatever it is).  On
 * GOOD, OTHER_TYPE, CUT_OFF and TRAILING `key->type` is what the blob itself
 * says.  Certificates are recognised by name and not looked into.
 */
enum pubkey_result pubkey_read(
    struct span blob, enum pubkey_type type, struct pubkey *key);

/*
 * sshd compares keys and not their bytes: it takes numbers with zeros before
 * them, a zero byte behind a name, and a signature algorithm's name for its
 * key's.  Append the same key to `out` as its own program would write it.
 * False where it is no plain key, or `out` has no room; what stands behind the
 * key is kept.
 */
bool pubkey_tidy(struct span blob, struct buf *out);

/*
 * Whether the point of a key that pubkey_read found good lies on its curve;
 * true of the types that have none.  sshd passes over one that does not.
 */
bool pubkey_is_on_curve(struct span blob);

/*
 * The blob of the key that a certificate is about (PROTOCOL.certkeys), appended
 * to `key`.  False where it is no certificate, its key is not whole, or `key`
 * has no room; nothing behind the key is looked at.
 */
bool pubkey_certified(struct span certificate, struct buf *key);

/* SHA-256 of the blob: what fingerprints and identities are made of. */
void pubkey_digest(struct span blob, uint8_t digest[PUBKEY_DIGEST_BYTES]);

/* "SHA256:..." as ssh-keygen -l prints it. */
void pubkey_fingerprint(const uint8_t digest[PUBKEY_DIGEST_BYTES],
    char text[PUBKEY_FINGERPRINT_SIZE]);

/* The identity of a key to which no line gives a name. */
void pubkey_identity(
    const uint8_t digest[PUBKEY_DIGEST_BYTES], char text[PUBKEY_IDENTITY_SIZE]);

#endif
