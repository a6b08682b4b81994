#include "compare_settings.h"

#include <stdio.h>

/*
 * What decides whether one gets in, and where to, before what only shapes the
 * connection.  Words that are not here come last.
 */
static const char *const by_weight[] = {
    "hostname",
    "port",
    "user",
    "identityfile",
    "identitiesonly",
    "identityagent",
    "certificatefile",
    "pkcs11provider",
    "localforward",
    "remoteforward",
    "dynamicforward",
    "clearallforwardings",
    "proxyjump",
    "proxycommand",
    "pubkeyauthentication",
    "preferredauthentications",
    "pubkeyacceptedalgorithms",
    "userknownhostsfile",
    "globalknownhostsfile",
    "hostkeyalias",
    "stricthostkeychecking",
    "hostkeyalgorithms",
    "controlpath",
    "controlmaster",
    "controlpersist",
    "sessiontype",
    "remotecommand",
    "requesttty",
    "forkafterauthentication",
    "batchmode",
    "exitonforwardfailure",
    "gatewayports",
    "addressfamily",
    "bindaddress",
    "bindinterface",
    "serveraliveinterval",
    "serveralivecountmax",
    "tcpkeepalive",
    "connecttimeout",
    "connectionattempts",
    "kexalgorithms",
    "ciphers",
    "macs",
    "compression",
    "loglevel",
};
enum { WEIGHTS = sizeof by_weight / sizeof by_weight[0] };

/* The name as typed differs always, and decides nothing by itself. */
static bool
is_left_out(const char *word)
{
	return strcmp(word, "host") == 0;
}

static void
join(const struct ssh_settings *settings, const char *word, char *text,
    size_t size)
{
	size_t used = 0, at = 0;
	const char *value;

	text[0] = '\0';
	while ((value = ssh_settings_next(settings, word, &at)) != NULL &&
	       used < size)
		used += (size_t)snprintf(text + used, size - used, "%s%s",
		    used > 0 ? ", " : "", value);
}

static size_t
weigh(const char *word)
{
	for (size_t i = 0; i < WEIGHTS; i++)
		if (strcmp(by_weight[i], word) == 0)
			return i;
	return WEIGHTS;
}

struct comparison {
	const struct ssh_settings *first, *second;
	struct compare_difference *differences;
	size_t count, max;
};

static void
look_at(struct comparison *c, const char *word)
{
	struct compare_difference d = {.word = word};

	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->differences[i].word, word) == 0)
			return;
	join(c->first, word, d.first, sizeof d.first);
	join(c->second, word, d.second, sizeof d.second);
	if (c->count < c->max && strcmp(d.first, d.second) != 0)
		c->differences[c->count++] = d;
}

size_t
compare_settings(const struct ssh_settings *first,
    const struct ssh_settings *second, struct compare_difference *differences,
    size_t max)
{
	struct comparison c = {first, second, differences, 0, max};
	const struct ssh_settings *both[] = {first, second};

	for (size_t i = 0; i < WEIGHTS; i++)
		look_at(&c, by_weight[i]);
	for (size_t side = 0; side < 2; side++)
		for (size_t i = 0; i < both[side]->count; i++) {
			const char *word = both[side]->items[i].word;

			if (!is_left_out(word) && weigh(word) == WEIGHTS)
				look_at(&c, word);
		}
	return c.count;
}
