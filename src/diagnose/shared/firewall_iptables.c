#include "firewall_rules.h"
#include "firewall_walk.h"

#include "str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* firewall_iptables: the words of iptables-save(8). */

enum { LINE_SIZE = 2048, WORDS_MAX = 128 };

struct words {
	char line[LINE_SIZE];
	const char *items[WORDS_MAX + 1];
	size_t count;
};

/* What stands in quotes, as comments do, is one word. */
static void
cut(struct words *words)
{
	char *at = words->line;

	words->count = 0;
	while (words->count < WORDS_MAX) {
		bool quoted = false;

		at += strspn(at, " ");
		if (*at == '\0')
			break;
		words->items[words->count++] = at;
		for (; *at != '\0' && (quoted || *at != ' '); at++) {
			if (*at == '"')
				quoted = !quoted;
			else if (*at == '\\' && at[1] != '\0')
				at++;
		}
		if (*at != '\0')
			*at++ = '\0';
	}
	words->items[words->count] = NULL;
}

/* "22", "1024:65535", "22,80,1000:2000" */
static enum firewall_match
match_ports(const char *text, uint16_t port)
{
	while (*text != '\0') {
		size_t len = strcspn(text, ",");
		unsigned long first = strtoul(text, NULL, 10), last = first;
		const char *colon = memchr(text, ':', len);

		if (colon != NULL)
			last = strtoul(colon + 1, NULL, 10);
		if (first <= port && port <= last)
			return FIREWALL_YES;
		text += len;
		text += strspn(text, ",");
	}
	return FIREWALL_NO;
}

static enum firewall_match
match_state(const char *text)
{
	return strstr(text, "NEW") != NULL ? FIREWALL_YES : FIREWALL_NO;
}

static enum firewall_match
invert(enum firewall_match match)
{
	return match == FIREWALL_MAYBE ? FIREWALL_MAYBE
	       : match == FIREWALL_YES ? FIREWALL_NO
				       : FIREWALL_YES;
}

static enum firewall_action
action_of(const char *target)
{
	static const struct {
		const char *word;
		enum firewall_action action;
	} actions[] = {
	    {"ACCEPT", FIREWALL_ACCEPT},
	    {"DROP", FIREWALL_DROP},
	    {"REJECT", FIREWALL_DROP},
	    {"RETURN", FIREWALL_RETURN},
	    {"LOG", FIREWALL_GO_ON},
	    {"NFLOG", FIREWALL_GO_ON},
	    {"MARK", FIREWALL_GO_ON},
	    {"CONNMARK", FIREWALL_GO_ON},
	};

	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
		if (strcmp(actions[i].word, target) == 0)
			return actions[i].action;
	return FIREWALL_JUMP;
}

/* Where it goes to, and by which interface. */
static enum firewall_match
match_way(const char *option, const char *value,
    const struct firewall_connection *connection)
{
	const size_t len = strlen(value);
	const char *interface = connection->interface;

	if (connection->direction == FIREWALL_IN &&
	    strcmp(option, "--dst-type") == 0)
		return strcmp(value, "LOCAL") == 0 ? FIREWALL_YES : FIREWALL_NO;
	if (connection->direction == FIREWALL_IN)
		return strcmp(option, "-i") == 0 && strcmp(value, "lo") == 0
			   ? FIREWALL_NO
			   : FIREWALL_MAYBE;
	if (strcmp(option, "-d") == 0)
		return netaddr_match_cidrs(&connection->to,
			   span_of(value, len)) == NETADDR_MATCH
			   ? FIREWALL_YES
			   : FIREWALL_NO;
	if (strcmp(option, "-o") != 0 || interface == NULL || len == 0)
		return FIREWALL_MAYBE;
	if (value[len - 1] == '+')
		return strncmp(value, interface, len - 1) == 0 ? FIREWALL_YES
							       : FIREWALL_NO;
	return strcmp(value, interface) == 0 ? FIREWALL_YES : FIREWALL_NO;
}

/* What one option says; words that are none of these make it depend. */
static enum firewall_match
match_option(const char *option, const char *value,
    const struct firewall_connection *connection)
{
	if (strcmp(option, "-p") == 0)
		return strcmp(value, "tcp") == 0 || strcmp(value, "all") == 0
			   ? FIREWALL_YES
			   : FIREWALL_NO;
	if (strcmp(option, "--dport") == 0 || strcmp(option, "--dports") == 0)
		return match_ports(value, connection->port);
	if (strcmp(option, "--ctstate") == 0 || strcmp(option, "--state") == 0)
		return match_state(value);
	if (strcmp(option, "-m") == 0 || strcmp(option, "--comment") == 0 ||
	    strncmp(option, "--reject-", 9) == 0 ||
	    strncmp(option, "--log-", 6) == 0)
		return FIREWALL_YES;
	return match_way(option, value, connection);
}

static void
take_rule(const struct words *words, unsigned long number,
    const struct firewall_connection *connection,
    struct firewall_chains *chains)
{
	struct firewall_rule rule = {
	    .match = FIREWALL_YES, .action = FIREWALL_GO_ON, .number = number};
	bool inverted = false;

	for (size_t i = 2; i < words->count; i++) {
		const char *word = words->items[i];
		const char *value =
		    i + 1 < words->count ? words->items[i + 1] : "";
		enum firewall_match match;

		if (strcmp(word, "!") == 0) {
			inverted = true;
			continue;
		}
		/* A value was taken with its option. */
		if (word[0] != '-')
			continue;
		if (strcmp(word, "-j") == 0 || strcmp(word, "-g") == 0) {
			rule.action = action_of(value);
			if (word[1] == 'g')
				rule.action = FIREWALL_GOTO;
			snprintf(rule.target, sizeof rule.target, "%s", value);
			continue;
		}
		match = match_option(word, value, connection);
		if (inverted)
			match = invert(match);
		inverted = false;
		if (match < rule.match)
			rule.match = match;
	}
	firewall_chains_add(chains, words->items[1], &rule);
}

struct filter {
	const struct firewall_connection *connection;
	const char *base;
	struct firewall_chains chains;
	enum firewall_action policy;
	bool is_here; /* the lines are the filter table's */
	bool filters; /* the chain has a rule, or a policy that drops */
};

static void
take_line(struct filter *filter, const struct words *words, unsigned long line)
{
	const char *first, *chain;

	if (words->count == 0)
		return;
	first = words->items[0];
	if (first[0] == '*')
		filter->is_here = strcmp(first, "*filter") == 0;
	if (!filter->is_here || words->count < 2)
		return;
	chain = words->items[1];
	if (first[0] == ':' && strcmp(first + 1, filter->base) == 0) {
		filter->policy = action_of(chain);
		filter->filters =
		    filter->filters || filter->policy == FIREWALL_DROP;
	}
	if (strcmp(first, "-A") == 0) {
		filter->filters =
		    filter->filters || strcmp(chain, filter->base) == 0;
		take_rule(words, line, filter->connection, &filter->chains);
	}
}

enum firewall_verdict
firewall_judge_iptables(struct span text,
    const struct firewall_connection *connection, struct firewall_place *place)
{
	struct filter filter = {.connection = connection,
	    .base = connection->direction == FIREWALL_IN ? "INPUT" : "OUTPUT",
	    .policy = FIREWALL_ACCEPT};
	enum firewall_verdict verdict = FIREWALL_NO_RULES;
	unsigned long line = 0;
	struct words words;

	firewall_chains_init(&filter.chains);
	while (text.len > 0) {
		const uint8_t *end = memchr(text.data, '\n', text.len);
		size_t len = end != NULL ? (size_t)(end - text.data) : text.len;

		line++;
		if (span_to_str(span_of(text.data, len), words.line,
			sizeof words.line)) {
			cut(&words);
			take_line(&filter, &words, line);
		}
		if (end == NULL)
			break;
		text = span_of(end + 1, text.len - len - 1);
	}
	if (filter.filters)
		verdict = firewall_walk(
		    &filter.chains, filter.base, filter.policy, place);
	if (verdict == FIREWALL_CLOSED && place != NULL) {
		place->family[0] = '\0';
		strcpy(place->table, "filter");
	}
	firewall_chains_fini(&filter.chains);
	return verdict;
}
