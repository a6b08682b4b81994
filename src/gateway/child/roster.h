#ifndef KAYA_ROSTER_H
#define KAYA_ROSTER_H

/*
 * roster: who is in, by key, over all threads; so that a key's next connection
 * finds the one before, which may be half dead.
 */

#include "pubkey.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct roster;

/* NULL where memory fails. */
struct roster *roster_new(void);

/* Everybody must have left.  NULL is fine. */
void roster_free(struct roster *roster);

/* Lives in what it is for; all zeroes: not in. */
struct roster_node {
	struct roster_node *next;
	/* The owner's; they stay as they are while it is in. */
	const uint8_t *key; /* PUBKEY_DIGEST_BYTES */
	const char *identity;
	uint64_t ticket; /* of the session, in its thread */
	uint32_t worker;
};

/* Where to find a session. */
struct roster_place {
	uint64_t ticket;
	uint32_t worker;
};

/*
 * Enter `node` (filled in but for `next`), and tell of up to `max` others that
 * are in by the same key and identity; how many.  From any thread.  Where
 * memory fails the node is not in, and the next one does not find it.
 */
size_t roster_enter(struct roster *roster, struct roster_node *node,
    struct roster_place *others, size_t max);

/* Whether anybody is in by that key.  From any thread. */
bool roster_has(struct roster *roster, const uint8_t *key);

/* From any thread; nothing where it is not in. */
void roster_leave(struct roster *roster, struct roster_node *node);

#endif
