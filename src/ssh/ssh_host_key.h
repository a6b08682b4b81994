#ifndef KAYA_SSH_HOST_KEY_H
#define KAYA_SSH_HOST_KEY_H

/*
 * ssh_host_key: our own keys, with their private side: for the process that
 * holds them, and for nobody who reads a peer's bytes.
 *
 * Sources: RFC 4253 6.6, RFC 8332 (rsa-sha2), RFC 8709 (ed25519), OpenSSH's
 * PROTOCOL.key (private key files).
 */

#include "buf.h"
#include "err.h"
#include "span.h"

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

/*
 * The "OPENSSH PRIVATE KEY" file's content, as ssh-keygen reads it, is
 * appended to `file`: to be wiped (buf_fini_wipe).
 */
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
