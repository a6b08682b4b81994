#include "firewall_rules.h"

#include "firewall_walk.h"

#include <stdio.h>

/* firewall_rules: nft's JSON (libnftables-json(5)). */

/* Whether a value has the port: a number, a set, a range. */
static enum firewall_match
match_port(const json_t *value, uint16_t port)
{
	const json_t *range = json_object_get(value, "range");
	const json_t *set = json_object_get(value, "set"), *one;
	enum firewall_match best = FIREWALL_NO;
	size_t i;

	if (json_is_integer(value))
		return json_integer_value(value) == port ? FIREWALL_YES
							 : FIREWALL_NO;
	if (range != NULL)
		return json_integer_value(json_array_get(range, 0)) <= port &&
			       port <=
				   json_integer_value(json_array_get(range, 1))
			   ? FIREWALL_YES
			   : FIREWALL_NO;
	if (json_is_array(value))
		set = value;
	if (!json_is_array(set))
		return FIREWALL_MAYBE; /* a named set */
	json_array_foreach(set, i, one) if (match_port(one, port) > best) best =
	    match_port(one, port);
	return best;
}

/* Whether a word, or one of a set of words, is the wanted one. */
static enum firewall_match
match_word(const json_t *value, const char *wanted)
{
	const json_t *set = json_object_get(value, "set"), *one;
	size_t i;

	if (json_is_string(value))
		return json_string_value(value)[0] == '@' ? FIREWALL_MAYBE
		       : strcmp(json_string_value(value), wanted) == 0
			   ? FIREWALL_YES
			   : FIREWALL_NO;
	if (json_is_array(value))
		set = value;
	if (!json_is_array(set))
		return FIREWALL_MAYBE;
	json_array_foreach(set, i, one) if (match_word(one, wanted) ==
					    FIREWALL_YES) return FIREWALL_YES;
	return FIREWALL_NO;
}

static const char *
text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

/* What stands left of a comparison, with the value on its right. */
static enum firewall_match
match_left(const json_t *left, const json_t *right, enum firewall_family family,
    uint16_t port)
{
	const json_t *payload = json_object_get(left, "payload");
	const json_t *meta = json_object_get(left, "meta");
	const json_t *ct = json_object_get(left, "ct");
	const char *protocol = text_of(payload, "protocol");
	const char *field = text_of(payload, "field");
	const char *key = text_of(meta != NULL ? meta : ct, "key");

	if (strcmp(protocol, "tcp") == 0 || strcmp(protocol, "th") == 0)
		return strcmp(field, "dport") == 0 ? match_port(right, port)
						   : FIREWALL_MAYBE;
	if (strcmp(protocol, "udp") == 0 || strcmp(protocol, "icmp") == 0 ||
	    strcmp(protocol, "icmpv6") == 0)
		return FIREWALL_NO;
	if (strcmp(protocol, "ip") == 0 && family == FIREWALL_IPV6)
		return FIREWALL_NO;
	if (strcmp(protocol, "ip6") == 0 && family == FIREWALL_IPV4)
		return FIREWALL_NO;
	if (strcmp(field, "protocol") == 0 || strcmp(field, "nexthdr") == 0 ||
	    strcmp(key, "l4proto") == 0)
		return match_word(right, "tcp");
	if (ct != NULL && strcmp(key, "state") == 0)
		return match_word(right, "new");
	if (strcmp(key, "nfproto") == 0)
		return match_word(
		    right, family == FIREWALL_IPV4 ? "ipv4" : "ipv6");
	/* Another machine does not come in by our own loopback. */
	if (strcmp(key, "iifname") == 0 || strcmp(key, "iif") == 0)
		return match_word(right, "lo") == FIREWALL_YES ? FIREWALL_NO
							       : FIREWALL_MAYBE;
	return FIREWALL_MAYBE;
}

static enum firewall_match
match_expression(
    const json_t *match, enum firewall_family family, uint16_t port)
{
	enum firewall_match found = match_left(json_object_get(match, "left"),
	    json_object_get(match, "right"), family, port);

	if (strcmp(text_of(match, "op"), "!=") != 0)
		return found;
	if (found == FIREWALL_MAYBE)
		return FIREWALL_MAYBE;
	return found == FIREWALL_YES ? FIREWALL_NO : FIREWALL_YES;
}

/* ---- what a rule says ---- */

static bool
take_verdict(const json_t *expression, struct firewall_rule *rule)
{
	const json_t *to = json_object_get(expression, "jump");

	if (to == NULL)
		to = json_object_get(expression, "goto");
	if (to != NULL) {
		rule->action = json_object_get(expression, "goto") != NULL
				   ? FIREWALL_GOTO
				   : FIREWALL_JUMP;
		snprintf(rule->target, sizeof rule->target, "%s",
		    text_of(to, "target"));
		return true;
	}
	if (json_object_get(expression, "accept") != NULL)
		rule->action = FIREWALL_ACCEPT;
	else if (json_object_get(expression, "drop") != NULL ||
		 json_object_get(expression, "reject") != NULL)
		rule->action = FIREWALL_DROP;
	else if (json_object_get(expression, "return") != NULL)
		rule->action = FIREWALL_RETURN;
	else
		return false;
	return true;
}

/* A verdict map: the verdict beside the value that we have. */
static void
take_map(const json_t *map, enum firewall_family family, uint16_t port,
    struct firewall_rule *rule)
{
	const json_t *data =
	    json_object_get(json_object_get(map, "data"), "set");
	const json_t *pair;
	size_t i;

	if (!json_is_array(data)) {
		rule->match = FIREWALL_MAYBE;
		rule->action = FIREWALL_DROP;
		return;
	}
	json_array_foreach(data, i, pair)
	{
		enum firewall_match match =
		    match_left(json_object_get(map, "key"),
			json_array_get(pair, 0), family, port);

		if (match == FIREWALL_NO)
			continue;
		take_verdict(json_array_get(pair, 1), rule);
		if (match < rule->match)
			rule->match = match;
		return;
	}
	rule->match = FIREWALL_NO;
}

static void
read_rule(const json_t *json, enum firewall_family family, uint16_t port,
    struct firewall_rule *rule)
{
	const json_t *expression;
	size_t i;

	*rule = (struct firewall_rule){
	    .match = FIREWALL_YES, .action = FIREWALL_GO_ON};
	json_array_foreach(json_object_get(json, "expr"), i, expression)
	{
		const json_t *match = json_object_get(expression, "match");
		const json_t *map = json_object_get(expression, "vmap");
		enum firewall_match found = FIREWALL_YES;

		if (match != NULL)
			found = match_expression(match, family, port);
		else if (map != NULL)
			take_map(map, family, port, rule);
		else if (json_object_get(expression, "limit") != NULL ||
			 json_object_get(expression, "xt") != NULL)
			found = FIREWALL_MAYBE;
		else
			take_verdict(expression, rule);
		if (found < rule->match)
			rule->match = found;
	}
}

/* ---- chains ---- */

static bool
is_of_family(const json_t *chain, enum firewall_family family)
{
	const char *own = text_of(chain, "family");

	return strcmp(own, "inet") == 0 ||
	       strcmp(own, family == FIREWALL_IPV4 ? "ip" : "ip6") == 0;
}

/* The chains of one table with their rules, as far as there is room. */
static void
read_table(const json_t *all, const json_t *base, enum firewall_family family,
    uint16_t port, struct firewall_chains *chains)
{
	const json_t *item;
	size_t i;

	json_array_foreach(all, i, item)
	{
		const json_t *rule = json_object_get(item, "rule");
		struct firewall_rule read;

		if (rule == NULL ||
		    strcmp(text_of(rule, "table"), text_of(base, "table")) !=
			0 ||
		    strcmp(text_of(rule, "family"), text_of(base, "family")) !=
			0)
			continue;
		read_rule(rule, family, port, &read);
		firewall_chains_add(chains, text_of(rule, "chain"), &read);
	}
}

static enum firewall_verdict
judge_base(const json_t *all, const json_t *base, enum firewall_family family,
    uint16_t port)
{
	struct firewall_chains chains;
	enum firewall_verdict verdict;

	firewall_chains_init(&chains);
	read_table(all, base, family, port, &chains);
	verdict = firewall_walk(&chains, text_of(base, "name"),
	    strcmp(text_of(base, "policy"), "drop") == 0 ? FIREWALL_DROP
							 : FIREWALL_ACCEPT);
	firewall_chains_fini(&chains);
	return verdict;
}

enum firewall_verdict
firewall_judge_nft(const json_t *ruleset, enum firewall_family family,
    uint16_t port, char *place, size_t size)
{
	const json_t *all = json_object_get(ruleset, "nftables"), *item;
	enum firewall_verdict worst = FIREWALL_NO_RULES;
	size_t i;

	/* What one base chain accepts the next one may still drop. */
	json_array_foreach(all, i, item)
	{
		const json_t *chain = json_object_get(item, "chain");
		enum firewall_verdict one;

		if (chain == NULL ||
		    strcmp(text_of(chain, "hook"), "input") != 0 ||
		    !is_of_family(chain, family))
			continue;
		one = judge_base(all, chain, family, port);
		if (one == FIREWALL_CLOSED && place != NULL)
			snprintf(place, size, "%s %s %s",
			    text_of(chain, "family"), text_of(chain, "table"),
			    text_of(chain, "name"));
		if (one == FIREWALL_CLOSED || worst == FIREWALL_CLOSED)
			worst = FIREWALL_CLOSED;
		else if (one > worst)
			worst = one;
	}
	return worst;
}
