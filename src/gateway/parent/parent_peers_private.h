#ifndef KAYA_PARENT_PEERS_PRIVATE_H
#define KAYA_PARENT_PEERS_PRIVATE_H

/*
 * What the modules behind parent_peers.h share.  Nobody else includes it.
 *
 *	parent_peers       beginning, end, the way by the child
 *	parent_peers_word  what others say and hold, and what is said to them
 */

#include "parent_peers.h"

/* Somebody here who is to be told what came of his word there. */
struct waiting {
	struct waiting *next;
	uint64_t number;
	struct approval_waiter waiter;
};

struct parent_peers {
	struct parent *parent;
	struct peers *peers;
	struct loop_timer *timer;
	bool is_connected;
	uint64_t last_number;
	struct waiting *waiting;
};

/* What peers.h tells of; `arg` is the struct parent_peers. */
extern const struct peers_events parent_peers_events;

/* Call after anything was asked of `peers`: the next deadline. */
void parent_peers_arm(struct parent_peers *own);

#endif
