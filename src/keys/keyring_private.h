#ifndef KAYA_KEYRING_PRIVATE_H
#define KAYA_KEYRING_PRIVATE_H

/*
 * What the modules behind keyring.h share.  Nobody else includes it.
 *
 *	keyring_build    from files to the tables
 *	keyring          questions
 *	keyring_policy   what lines' options come to
 *	keyring_name     which of a certificate's principals is the identity
 */

#include "buf.h"
#include "keyring.h"

#include <stdatomic.h>

struct policies;

#define KEYRING_NONE UINT32_MAX

/* One line: 52 bytes, and about 8 of index. */
struct keyring_entry {
	uint8_t digest[PUBKEY_DIGEST_BYTES];
	uint32_t line;
	uint32_t next; /* line of the same key and kind, or KEYRING_NONE */
	uint32_t policy; /* what its options come to */
	uint32_t name; /* of its identity among names; 0: the key's own */
	uint16_t file;
	bool is_authority; /* whose certificates enter, not the key itself */
	bool is_revoked;
};

struct keyring {
	atomic_size_t refs;
	char **files;
	size_t file_count;
	struct keyring_entry *entries;
	size_t count;
	size_t cap;
	uint32_t *index; /* of the first line of each key, open addressing */
	uint32_t *name_index; /* of a line of each identity, likewise */
	size_t mask;
	struct policies *policies;
	struct buf names; /* zero-terminated, one behind the other */
	struct keyring_stats stats;
};

/* What is looked up: a key, or a key as an authority; never both at once. */
struct keyring_wanted {
	const uint8_t *digest;
	bool is_authority;
};

/* Where it stands in the index, or would. */
size_t keyring_slot(const struct keyring *ring, struct keyring_wanted wanted);

/* Where the identity stands in the index of names, or would. */
size_t keyring_name_slot(const struct keyring *ring, struct span name);

#endif
