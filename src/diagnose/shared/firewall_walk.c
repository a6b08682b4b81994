#include "firewall_walk.h"

#include <stdio.h>
#include <stdlib.h>

enum { DEPTH_MAX = 16, RULES_MAX = 20000 };

void
firewall_chains_init(struct firewall_chains *chains)
{
	*chains = (struct firewall_chains){0};
}

void
firewall_chains_fini(struct firewall_chains *chains)
{
	free(chains->rules);
	firewall_chains_init(chains);
}

void
firewall_chains_add(struct firewall_chains *chains, const char *chain,
    const struct firewall_rule *rule)
{
	struct firewall_placed *placed;

	if (chains->count == chains->cap) {
		size_t cap = chains->cap == 0 ? 32 : 2 * chains->cap;

		placed = cap <= RULES_MAX
			     ? reallocarray(chains->rules, cap, sizeof *placed)
			     : NULL;
		if (placed == NULL) {
			chains->failed = true;
			return;
		}
		chains->rules = placed;
		chains->cap = cap;
	}
	placed = &chains->rules[chains->count++];
	snprintf(placed->chain, sizeof placed->chain, "%s", chain);
	placed->rule = *rule;
}

struct walk {
	const struct firewall_chains *chains;
	bool may_pass; /* some may have been accepted on the way */
	bool may_stop; /* some may have been dropped */
	const struct firewall_placed *dropped_by; /* the last that drops */
};

enum outcome { WENT_ON, ACCEPTED, DROPPED };

static enum outcome walk_chain(struct walk *walk, const char *chain, int depth);

static void
mark(struct walk *walk, enum outcome outcome)
{
	walk->may_pass = walk->may_pass || outcome == ACCEPTED;
	walk->may_stop = walk->may_stop || outcome == DROPPED;
}

/* What a whole rule makes of the connection; MAYBE leaves its mark. */
static enum outcome
take_rule(struct walk *walk, const struct firewall_placed *placed, int depth)
{
	const struct firewall_rule *rule = &placed->rule;
	enum outcome outcome = WENT_ON;

	if (rule->action == FIREWALL_ACCEPT)
		outcome = ACCEPTED;
	else if (rule->action == FIREWALL_DROP) {
		outcome = DROPPED;
		walk->dropped_by = placed;
	} else if (rule->action == FIREWALL_JUMP ||
		   rule->action == FIREWALL_GOTO)
		outcome = walk_chain(walk, rule->target, depth + 1);
	if (rule->match == FIREWALL_YES)
		return outcome;
	mark(walk, outcome);
	return WENT_ON;
}

/* Whether the chain is left by the rule, if it matches. */
static bool
leaves(const struct firewall_rule *rule)
{
	return rule->action == FIREWALL_RETURN || rule->action == FIREWALL_GOTO;
}

static enum outcome
walk_chain(struct walk *walk, const char *chain, int depth)
{
	bool may_have_left = false;

	if (depth > DEPTH_MAX) {
		walk->may_pass = walk->may_stop = true;
		return WENT_ON;
	}
	for (size_t i = 0; i < walk->chains->count; i++) {
		const struct firewall_placed *placed = &walk->chains->rules[i];
		const struct firewall_rule *rule = &placed->rule;
		enum outcome outcome;

		if (strcmp(placed->chain, chain) != 0 ||
		    rule->match == FIREWALL_NO)
			continue;
		outcome = take_rule(walk, placed, depth);
		/* Who has left before is not asked what this decides. */
		if (outcome != WENT_ON && may_have_left) {
			mark(walk, outcome);
			return WENT_ON;
		}
		if (outcome != WENT_ON)
			return outcome;
		if (rule->match == FIREWALL_YES && leaves(rule))
			return WENT_ON;
		may_have_left = may_have_left || leaves(rule);
	}
	return WENT_ON;
}

static void
put_place(const struct walk *walk, enum outcome outcome, const char *base,
    struct firewall_place *place)
{
	const struct firewall_placed *rule =
	    outcome == DROPPED ? walk->dropped_by : NULL;

	snprintf(place->base, sizeof place->base, "%s", base);
	snprintf(place->chain, sizeof place->chain, "%s",
	    rule != NULL ? rule->chain : base);
	place->number = rule != NULL ? rule->rule.number : 0;
}

enum firewall_verdict
firewall_walk(const struct firewall_chains *chains, const char *chain,
    enum firewall_action policy, struct firewall_place *place)
{
	struct walk walk = {.chains = chains};
	enum outcome outcome = walk_chain(&walk, chain, 0);
	bool open = outcome == ACCEPTED ||
		    (outcome == WENT_ON && policy != FIREWALL_DROP);

	if (chains->failed || (open && walk.may_stop) ||
	    (!open && walk.may_pass))
		return FIREWALL_DEPENDS;
	if (!open && place != NULL)
		put_place(&walk, outcome, chain, place);
	return open ? FIREWALL_OPEN : FIREWALL_CLOSED;
}
