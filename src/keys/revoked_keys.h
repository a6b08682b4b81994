#ifndef KAYA_REVOKED_KEYS_H
#define KAYA_REVOKED_KEYS_H

/*
 * revoked_keys: keys, authorities and certificates that let nobody in any more,
 * from a file as sshd's RevokedKeys has it (sshd_config(5)): one of
 *
 * - text, a public key a line (a certificate stands for its key), blank lines
 *   and # comments;
 * - a KRL as `ssh-keygen -k` makes it (OpenSSH's PROTOCOL.krl): keys, their
 *   SHA-1 or SHA-256 digests, certificates by serial, range, bitmap or key id,
 *   of one authority or of all.
 *
 * What is not understood is never passed over: then there is no list at all,
 * and the caller lets nobody in by it.  It is built once and never changed, so
 * that threads can share it; it keeps digests, no text, and each question
 * costs the logarithm of its size.
 */

#include "conf.h"
#include "pubkey.h"
#include "span.h"

enum { REVOKED_SHA1_BYTES = 20 };

struct revoked_keys;

/*
 * NULL and `fault` (`name` its file, borrowed; what, where and remedy, and the
 * place in a text) where the bytes are no such file, or memory fails.
 */
struct revoked_keys *revoked_keys_new(
    const char *name, struct span bytes, struct conf_fault *fault);
void revoked_keys_free(struct revoked_keys *revoked); /* NULL is fine */

/* A key as such lists know it. */
struct revoked_key {
	uint8_t sha256[PUBKEY_DIGEST_BYTES];
	uint8_t sha1[REVOKED_SHA1_BYTES];
};
void revoked_key_init(struct revoked_key *key, struct span blob);

/* `revoked` may be NULL, here and below: nothing is. */
bool revoked_keys_has(
    const struct revoked_keys *revoked, const struct revoked_key *key);

/*
 * Whether the certificate is revoked, or its key; of its authority's key
 * revoked_keys_has is to be asked.  A serial of 0 is none, and none revokes it:
 * a list that does is malformed, as for sshd.
 */
struct revoked_certificate {
	struct revoked_key key;
	uint8_t authority[PUBKEY_DIGEST_BYTES];
	uint64_t serial;
	struct span key_id;
};
bool revoked_keys_has_certificate(const struct revoked_keys *revoked,
    const struct revoked_certificate *certificate);

/* How many keys (digests count as such), and certificates' serials and ids. */
struct revoked_keys_stats {
	size_t keys;
	size_t ranges; /* of serials, those that touch being one */
	size_t key_ids;
};
struct revoked_keys_stats revoked_keys_stats(
    const struct revoked_keys *revoked);

#endif
