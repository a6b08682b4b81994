#ifndef KAYA_SSH_SIG_H
#define KAYA_SSH_SIG_H

/*
 * ssh_sig: signatures over whole messages, as `ssh-keygen -Y sign` makes them
 * and `ssh-keygen -Y verify` takes them (OpenSSH's PROTOCOL.sshsig).
 *
 *	blob     "SSHSIG", version, public key, namespace, reserved, name of
 *	         the hash, signature
 *	signed   "SSHSIG", namespace, reserved, name of the hash, hash(message)
 *	file     the blob in armour (ssh_armor.h), SSH_SIG_ARMOR
 *
 * The namespace says what a signature is for, so that one that was given for
 * one purpose proves nothing for another.  Whose the key is, and whether it
 * may, is not judged here.
 */

#include "ssh_host_key.h"
#include "ssh_key.h"

#define SSH_SIG_ARMOR "SSH SIGNATURE"

enum {
	SSH_SIG_BLOB_MAX = 16384, /* bytes; RSA of 16,384 bits takes 4,300 */
	SSH_SIG_FILE_MAX = 24576, /* bytes of the same in armour */
	SSH_SIG_NAMESPACE_MAX = 64,
	SSH_SIG_DATA_MAX = 256 /* bytes of ssh_sig_data */
};

enum ssh_sig_hash { SSH_SIG_SHA512, SSH_SIG_SHA256 };

enum ssh_sig_verdict {
	SSH_SIG_GOOD,
	SSH_SIG_MALFORMED, /* no such signature, or more than one */
	SSH_SIG_OTHER_VERSION,
	SSH_SIG_OTHER_NAMESPACE, /* given for another purpose */
	SSH_SIG_UNSUPPORTED, /* hash, key or algorithm: see ssh_key.h */
	SSH_SIG_TOO_WEAK, /* RSA below SSH_KEY_RSA_MIN_BITS */
	SSH_SIG_BAD, /* not of this message by this key */
	SSH_SIG_NO_MEMORY
};

/* "the signature is ...", for a person. */
const char *ssh_sig_verdict_text(enum ssh_sig_verdict verdict);

/* Points into the blob that it was read from. */
struct ssh_sig {
	struct span key; /* the public key's blob: who signed */
	struct span namespace;
	enum ssh_sig_hash hash;
	struct span signature; /* algorithm and raw signature */
};

/* Take a blob to pieces.  GOOD, MALFORMED, OTHER_VERSION or UNSUPPORTED. */
enum ssh_sig_verdict ssh_sig_parse(struct span blob, struct ssh_sig *sig);

/* The same of a file's text; the blob is appended to `blob`, an empty buf. */
enum ssh_sig_verdict ssh_sig_parse_file(
    struct span text, struct buf *blob, struct ssh_sig *sig);

/*
 * Whether it is a signature of `message` for `namespace` by the key in it.
 * `presence` (ssh_key.h) is filled on GOOD.
 */
enum ssh_sig_verdict ssh_sig_verify(const struct ssh_sig *sig,
    const char *namespace, struct span message,
    struct ssh_key_presence *presence);

/*
 * Append the bytes that a key has to sign: for keys that are elsewhere, in an
 * agent or a token.  False where libcrypto or memory fails.
 */
bool ssh_sig_data(const char *namespace, enum ssh_sig_hash hash,
    struct span message, struct buf *data);

/* Append the blob for a signature that was made of ssh_sig_data's bytes. */
void ssh_sig_encode(const struct ssh_sig *sig, struct buf *blob);

/* Sign by a key that is here (SHA-512), and append the blob. */
int ssh_sig_sign(const struct ssh_host_key *key, const char *namespace,
    struct span message, struct buf *blob, struct err *err);

#endif
