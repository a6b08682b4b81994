#ifndef KAYA_REVOKED_PRIVATE_H
#define KAYA_REVOKED_PRIVATE_H

/*
 * What the modules behind revoked_keys.h share.  Nobody else includes it.
 *
 *	revoked_keys   the table, its questions, and files of text
 *	revoked_krl    files in OpenSSH's KRL format
 */

#include "buf.h"
#include "revoked_keys.h"

/* In the place of an authority's number: of all of them. */
enum { REVOKED_ANY_AUTHORITY = 0 };

/* Rows in the order of their bytes or members, once all of them are there. */
struct revoked_range {
	uint64_t first, last;
	uint32_t authority;
};
struct revoked_id {
	uint8_t sha256[PUBKEY_DIGEST_BYTES];
	uint32_t authority;
};

struct revoked_keys {
	struct buf sha256s; /* of PUBKEY_DIGEST_BYTES each */
	struct buf sha1s; /* of REVOKED_SHA1_BYTES each */
	struct buf authorities; /* digests; the first is number 1 */
	struct buf ranges; /* struct revoked_range */
	struct buf ids; /* struct revoked_id */
};

/* Each appends a row; the buf's `failed` tells at the end. */
void revoked_add_key(struct revoked_keys *revoked, struct span blob);
void revoked_add_range(
    struct revoked_keys *revoked, const struct revoked_range *range);
void revoked_add_id(
    struct revoked_keys *revoked, uint32_t authority, struct span key_id);
/* The number of the authority with this key; found, or added. */
uint32_t revoked_add_authority(struct revoked_keys *revoked, struct span blob);

/* Whether the bytes begin as a KRL does. */
bool revoked_krl_is(struct span bytes);

/* -1 and `err` where it is malformed, or holds what nobody knows here. */
int revoked_krl_read(
    struct revoked_keys *revoked, struct span bytes, struct err *err);

#endif
