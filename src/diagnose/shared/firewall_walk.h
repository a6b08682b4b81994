#ifndef KAYA_FIREWALL_WALK_H
#define KAYA_FIREWALL_WALK_H

/*
 * firewall_walk: chains of rules, each already held against one connection,
 * and what the connection comes to in them.
 */

#include "firewall_rules.h"

/* In this order: the least of a rule's conditions decides. */
enum firewall_match { FIREWALL_NO, FIREWALL_MAYBE, FIREWALL_YES };

enum firewall_action {
	FIREWALL_GO_ON, /* counts, logs, marks */
	FIREWALL_ACCEPT,
	FIREWALL_DROP,
	FIREWALL_RETURN,
	FIREWALL_JUMP,
	FIREWALL_GOTO
};

struct firewall_rule {
	enum firewall_match match;
	enum firewall_action action;
	char target[64]; /* of JUMP and GOTO */
	unsigned long number; /* as firewall_place has it */
};

struct firewall_placed {
	char chain[64];
	struct firewall_rule rule;
};

struct firewall_chains {
	struct firewall_placed *rules; /* in their order */
	size_t count;
	size_t cap;
	bool failed; /* no memory: they are not whole */
};

void firewall_chains_init(struct firewall_chains *chains);
void firewall_chains_fini(struct firewall_chains *chains);
void firewall_chains_add(struct firewall_chains *chains, const char *chain,
    const struct firewall_rule *rule);

/*
 * From the first rule of `chain` on; `policy` where none decides.  Where it is
 * CLOSED `place`, if not NULL, gets the base, chain and number.
 */
enum firewall_verdict firewall_walk(const struct firewall_chains *chains,
    const char *chain, enum firewall_action policy,
    struct firewall_place *place);

#endif
