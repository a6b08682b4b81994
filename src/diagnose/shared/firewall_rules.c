#include "firewall_rules.h"

#include "firewall_walk.h"

#include <stdio.h>
#include <string.h>

/* firewall_rules: nft's JSON (libnftables-json(5)). */

typedef enum firewall_match match_fn(
    const json_t *value, const struct firewall_connection *connection);

/* Whether a value is it, or one of a set of values. */
static enum firewall_match
match_any(const json_t *value, match_fn *match,
    const struct firewall_connection *connection)
{
	const json_t *set = json_object_get(value, "set"), *one;
	const json_t *own =
	    json_object_get(json_object_get(value, "elem"), "val");
	enum firewall_match best = FIREWALL_NO, found;
	size_t i;

	if (json_is_array(value))
		set = value;
	if (own != NULL)
		return match(own, connection);
	if (!json_is_array(set))
		return match(value, connection);
	json_array_foreach(set, i, one)
	{
		found = match_any(one, match, connection);
		if (found > best)
			best = found;
	}
	return best;
}

static enum firewall_match
yes_if(bool is)
{
	return is ? FIREWALL_YES : FIREWALL_NO;
}

static enum firewall_match
match_port(const json_t *value, const struct firewall_connection *connection)
{
	const json_t *range = json_object_get(value, "range");

	if (json_is_integer(value))
		return yes_if(json_integer_value(value) == connection->port);
	if (range == NULL)
		return FIREWALL_MAYBE; /* a named set */
	return yes_if(
	    json_integer_value(json_array_get(range, 0)) <= connection->port &&
	    connection->port <= json_integer_value(json_array_get(range, 1)));
}

static const char *
text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

/* Whether `to` lies from one address on up to another. */
static enum firewall_match
match_range(const json_t *range, const struct netaddr *to)
{
	struct netaddr ends[2] = {0};

	for (size_t i = 0; i < 2; i++) {
		const char *text = json_string_value(json_array_get(range, i));

		if (text == NULL ||
		    !netaddr_parse(span_of_str(text), &ends[i]) ||
		    ends[i].family != to->family)
			return FIREWALL_MAYBE;
	}
	return yes_if(memcmp(ends[0].bytes, to->bytes, sizeof to->bytes) <= 0 &&
		      memcmp(to->bytes, ends[1].bytes, sizeof to->bytes) <= 0);
}

static enum firewall_match
match_address(const json_t *value, const struct firewall_connection *connection)
{
	const json_t *prefix = json_object_get(value, "prefix");
	const json_t *range = json_object_get(value, "range");
	const char *text = json_string_value(value);
	char cidr[NETADDR_TEXT_SIZE + 24];
	struct netaddr address;

	if (range != NULL)
		return match_range(range, &connection->to);
	if (prefix != NULL) {
		snprintf(cidr, sizeof cidr, "%.*s/%lld", NETADDR_TEXT_SIZE,
		    text_of(prefix, "addr"),
		    (long long)json_integer_value(
			json_object_get(prefix, "len")));
		return yes_if(netaddr_match_cidrs(&connection->to,
				  span_of_str(cidr)) == NETADDR_MATCH);
	}
	if (text == NULL || !netaddr_parse(span_of_str(text), &address))
		return FIREWALL_MAYBE; /* a named set */
	return yes_if(netaddr_equal(&address, &connection->to));
}

static enum firewall_match
match_interface(
    const json_t *value, const struct firewall_connection *connection)
{
	const char *text = json_string_value(value);
	size_t len = text != NULL ? strlen(text) : 0;

	if (len == 0 || text[0] == '@' || connection->interface == NULL)
		return FIREWALL_MAYBE;
	if (text[len - 1] == '*')
		return yes_if(
		    strncmp(text, connection->interface, len - 1) == 0);
	return yes_if(strcmp(text, connection->interface) == 0);
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

/* The other side's address, and the way there, where they are known. */
static enum firewall_match
match_way(const char *field, const char *key, const json_t *right,
    const struct firewall_connection *connection)
{
	if (connection->direction == FIREWALL_OUT) {
		if (strcmp(field, "daddr") == 0)
			return match_any(right, match_address, connection);
		if (strcmp(key, "oifname") == 0 || strcmp(key, "oif") == 0)
			return match_any(right, match_interface, connection);
		return FIREWALL_MAYBE;
	}
	/* Another machine does not come in by our own loopback. */
	if ((strcmp(key, "iifname") == 0 || strcmp(key, "iif") == 0) &&
	    match_word(right, "lo") == FIREWALL_YES)
		return FIREWALL_NO;
	return FIREWALL_MAYBE;
}

/* Of another protocol than the connection's: no value of it matches. */
static bool
is_foreign(const json_t *left, const struct firewall_connection *connection)
{
	const char *protocol =
	    text_of(json_object_get(left, "payload"), "protocol");

	return strcmp(protocol, "udp") == 0 || strcmp(protocol, "icmp") == 0 ||
	       strcmp(protocol, "icmpv6") == 0 ||
	       strcmp(protocol,
		   connection->family == FIREWALL_IPV4 ? "ip6" : "ip") == 0;
}

/* Whether it is for this machine: another's packets are not judged here. */
static enum firewall_match
match_fib(const json_t *fib, const json_t *right,
    const struct firewall_connection *connection)
{
	const json_t *flags = json_object_get(fib, "flags");

	if (connection->direction != FIREWALL_IN ||
	    strcmp(text_of(fib, "result"), "type") != 0 ||
	    match_word(flags, "daddr") != FIREWALL_YES)
		return FIREWALL_MAYBE;
	return match_word(right, "local");
}

/* What stands left of a comparison, with the value on its right. */
static enum firewall_match
match_left(const json_t *left, const json_t *right,
    const struct firewall_connection *connection)
{
	const json_t *payload = json_object_get(left, "payload");
	const json_t *meta = json_object_get(left, "meta");
	const json_t *ct = json_object_get(left, "ct");
	const json_t *fib = json_object_get(left, "fib");
	const char *protocol = text_of(payload, "protocol");
	const char *field = text_of(payload, "field");
	const char *key = text_of(meta != NULL ? meta : ct, "key");
	const bool is_v4 = connection->family == FIREWALL_IPV4;

	if (strcmp(protocol, "tcp") == 0 || strcmp(protocol, "th") == 0)
		return strcmp(field, "dport") == 0
			   ? match_any(right, match_port, connection)
			   : FIREWALL_MAYBE;
	if (is_foreign(left, connection))
		return FIREWALL_NO;
	if (fib != NULL)
		return match_fib(fib, right, connection);
	if (strcmp(field, "protocol") == 0 || strcmp(field, "nexthdr") == 0 ||
	    strcmp(key, "l4proto") == 0)
		return match_word(right, "tcp");
	if (ct != NULL && strcmp(key, "state") == 0)
		return match_word(right, "new");
	if (strcmp(key, "nfproto") == 0)
		return match_word(right, is_v4 ? "ipv4" : "ipv6");
	return match_way(field, meta != NULL ? key : "", right, connection);
}

static enum firewall_match
match_expression(
    const json_t *match, const struct firewall_connection *connection)
{
	const json_t *left = json_object_get(match, "left");
	enum firewall_match found =
	    match_left(left, json_object_get(match, "right"), connection);

	if (strcmp(text_of(match, "op"), "!=") != 0 ||
	    is_foreign(left, connection))
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

/* What neither decides nor depends on anything. */
static bool
is_idle(const json_t *expression)
{
	static const char *const words[] = {"counter", "log", "mangle",
	    "notrack", "ct helper", "ct timeout", "ct expectation", "secmark",
	    "continue"};
	const json_t *set = json_object_get(expression, "set");

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (json_object_get(expression, words[i]) != NULL)
			return true;
	/* An entry more in a set; but with a limit it may be one too many. */
	return set != NULL && json_object_get(set, "stmt") == NULL;
}

/* All but a verdict map, which comes out. */
static const json_t *
read_rule(const json_t *json, const struct firewall_connection *connection,
    struct firewall_rule *rule)
{
	const json_t *expression, *found_map = NULL;
	size_t i;

	*rule = (struct firewall_rule){.match = FIREWALL_YES,
	    .action = FIREWALL_GO_ON,
	    .number = (unsigned long)json_integer_value(
		json_object_get(json, "handle"))};
	json_array_foreach(json_object_get(json, "expr"), i, expression)
	{
		const json_t *match = json_object_get(expression, "match");
		const json_t *map = json_object_get(expression, "vmap");
		enum firewall_match found = FIREWALL_YES;

		if (match != NULL)
			found = match_expression(match, connection);
		else if (map != NULL)
			found_map = map;
		else if (!take_verdict(expression, rule) &&
			 !is_idle(expression))
			found = FIREWALL_MAYBE;
		if (found < rule->match)
			rule->match = found;
	}
	return found_map;
}

/* Nobody knows what it does: it may let through, and it may not. */
static void
add_doubt(struct firewall_chains *chains, const char *chain,
    const struct firewall_rule *rule)
{
	struct firewall_rule one = *rule;

	if (one.match > FIREWALL_MAYBE)
		one.match = FIREWALL_MAYBE;
	one.action = FIREWALL_ACCEPT;
	firewall_chains_add(chains, chain, &one);
	one.action = FIREWALL_DROP;
	firewall_chains_add(chains, chain, &one);
}

/* A verdict map: a rule for each value that may be the connection's. */
static void
add_map(struct firewall_chains *chains, const char *chain,
    const struct firewall_rule *rule, const json_t *map,
    const struct firewall_connection *connection)
{
	const json_t *data =
	    json_object_get(json_object_get(map, "data"), "set");
	const json_t *pair;
	size_t i;

	if (!json_is_array(data)) {
		add_doubt(chains, chain, rule);
		return;
	}
	json_array_foreach(data, i, pair)
	{
		struct firewall_rule one = *rule;
		enum firewall_match match =
		    match_left(json_object_get(map, "key"),
			json_array_get(pair, 0), connection);

		if (match == FIREWALL_NO)
			continue;
		take_verdict(json_array_get(pair, 1), &one);
		if (match < one.match)
			one.match = match;
		firewall_chains_add(chains, chain, &one);
		if (match == FIREWALL_YES)
			return;
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

static bool
is_of_table(const json_t *rule, const json_t *base)
{
	return strcmp(text_of(rule, "table"), text_of(base, "table")) == 0 &&
	       strcmp(text_of(rule, "family"), text_of(base, "family")) == 0;
}

/* The chains of one table with their rules, as far as there is room. */
static void
read_table(const json_t *all, const json_t *base,
    const struct firewall_connection *connection,
    struct firewall_chains *chains)
{
	const json_t *item;
	size_t i;

	json_array_foreach(all, i, item)
	{
		const json_t *rule = json_object_get(item, "rule"), *map;
		struct firewall_rule read;

		if (rule == NULL || !is_of_table(rule, base))
			continue;
		map = read_rule(rule, connection, &read);
		if (map != NULL)
			add_map(chains, text_of(rule, "chain"), &read, map,
			    connection);
		else
			firewall_chains_add(
			    chains, text_of(rule, "chain"), &read);
	}
}

static enum firewall_verdict
judge_base(const json_t *all, const json_t *base,
    const struct firewall_connection *connection, struct firewall_place *place)
{
	struct firewall_chains chains;
	enum firewall_verdict verdict;

	firewall_chains_init(&chains);
	read_table(all, base, connection, &chains);
	verdict = firewall_walk(&chains, text_of(base, "name"),
	    strcmp(text_of(base, "policy"), "drop") == 0 ? FIREWALL_DROP
							 : FIREWALL_ACCEPT,
	    place);
	if (verdict == FIREWALL_CLOSED && place != NULL) {
		snprintf(place->family, sizeof place->family, "%s",
		    text_of(base, "family"));
		snprintf(place->table, sizeof place->table, "%s",
		    text_of(base, "table"));
	}
	firewall_chains_fini(&chains);
	return verdict;
}

static bool
is_passed(const json_t *chain, const struct firewall_connection *connection)
{
	const char *hook = text_of(chain, "hook");

	if (!is_of_family(chain, connection->family))
		return false;
	if (connection->direction == FIREWALL_IN)
		return strcmp(hook, "input") == 0;
	return strcmp(hook, "output") == 0 || strcmp(hook, "postrouting") == 0;
}

/* Whether iptables has made the table: it has a rule of its extensions. */
static bool
is_of_iptables(const json_t *all, const json_t *base)
{
	const json_t *item, *expression;
	size_t i, k;

	json_array_foreach(all, i, item)
	{
		const json_t *rule = json_object_get(item, "rule");

		if (rule == NULL || !is_of_table(rule, base))
			continue;
		json_array_foreach(json_object_get(rule, "expr"), k, expression)
		{
			if (json_object_get(expression, "xt") != NULL)
				return true;
		}
	}
	return false;
}

enum firewall_verdict
firewall_judge_nft(const json_t *ruleset, enum firewall_tables tables,
    const struct firewall_connection *connection, struct firewall_place *place)
{
	const json_t *all = json_object_get(ruleset, "nftables"), *item;
	enum firewall_verdict worst = FIREWALL_NO_RULES;
	size_t i;

	/* What one base chain accepts the next one may still drop. */
	json_array_foreach(all, i, item)
	{
		const json_t *chain = json_object_get(item, "chain");
		enum firewall_verdict one;

		if (chain == NULL || !is_passed(chain, connection) ||
		    (tables == FIREWALL_OWN_TABLES &&
			is_of_iptables(all, chain)))
			continue;
		one = judge_base(all, chain, connection, place);
		if (one == FIREWALL_CLOSED || worst == FIREWALL_CLOSED)
			worst = FIREWALL_CLOSED;
		else if (one > worst)
			worst = one;
	}
	return worst;
}
