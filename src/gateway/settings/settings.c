#include "settings_private.h"
#include "str.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <strings.h>

static int
no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the settings");
}

int
settings_defaults(struct settings *settings, struct err *err)
{
	*settings = (struct settings){.listen = NULL};
	if (conf_defaults(&settings->conf, settings_keys, settings) == 0)
		return 0;
	settings_fini(settings);
	return no_memory(err);
}

void
settings_fini(struct settings *settings)
{
	conf_fini(&settings->conf);
	*settings = (struct settings){.listen = NULL};
}

/* ---- the file ---- */

struct listener {
	conf_fault_fn on_fault;
	void *arg;
	struct err *err;
	size_t count;
};

static void
on_fault(const struct conf_fault *fault, void *arg)
{
	struct listener *listener = arg;

	if (listener->count++ == 0 && listener->err != NULL)
		*listener->err = fault->err;
	if (listener->on_fault != NULL)
		listener->on_fault(fault, listener->arg);
}

bool
settings_is_listen(const struct conf_address *word, struct err *err)
{
	struct in6_addr address;

	if (word->host == NULL ||
	    inet_pton(AF_INET, word->host, &address) == 1 ||
	    inet_pton(AF_INET6, word->host, &address) == 1)
		return true;
	err_set(err, ERR_CONFIG, "`%s` is a name, not an address", word->host);
	err_hint(err, "write an address of this machine, as 127.0.0.1 or "
		      "[::1], or the port alone");
	return false;
}

static void
check_count(struct conf_teller *teller, const char *path, size_t count,
    size_t min, size_t max)
{
	char hint[64];

	if (count >= min && count <= max)
		return;
	snprintf(hint, sizeof hint, "name %zu to %zu", min, max);
	conf_tell(teller, path, hint, "%zu are named", count);
}

static void
check_listen(struct conf_teller *teller, const struct settings *s)
{
	char path[CONF_PATH_MAX];

	check_count(
	    teller, "listen", s->listen_word_count, 1, SETTINGS_LISTEN_MAX);
	for (size_t i = 0; i < s->listen_word_count; i++) {
		struct err err = ERR_INIT;

		snprintf(path, sizeof path, "listen[%zu]", i);
		if (!settings_is_listen(&s->listen_words[i], &err))
			conf_tell(teller, path, err.hint, "%s", err.what);
	}
}

static void
check_broker(struct conf_teller *teller, const struct settings *s, size_t i)
{
	const struct settings_broker *broker = &s->brokers[i];
	char path[CONF_PATH_MAX];
	bool is_wanted = broker->identity == SETTINGS_USERNAME_WITH_SECRET;

	snprintf(path, sizeof path, "brokers[%zu].identity", i);
	if (is_wanted && broker->secret_file == NULL)
		conf_tell(teller, path,
		    "add `secret_file:` and the path of a file",
		    "username-with-secret wants a secret_file");
	snprintf(path, sizeof path, "brokers[%zu].secret_file", i);
	if (!is_wanted && broker->secret_file != NULL)
		conf_tell(teller, path,
		    "set `identity: username-with-secret`, or take it out",
		    "nobody would send this secret");
	snprintf(path, sizeof path, "brokers[%zu].open_as", i);
	if (conf_mark_of(teller->conf, path).line > 0)
		check_count(
		    teller, path, broker->open_as_count, 1, SETTINGS_NAMES_MAX);
	snprintf(path, sizeof path, "brokers[%zu].name", i);
	for (size_t k = 0; k < i && broker->name != NULL; k++)
		if (s->brokers[k].name != NULL &&
		    strcmp(s->brokers[k].name, broker->name) == 0)
			conf_tell(teller, path, "give each its own name",
			    "brokers[%zu] is called %s too", k, broker->name);
}

static void
check_limits(struct conf_teller *teller, const struct settings *s)
{
	const struct settings_limits *limits = &s->limits;

	if (limits->unauthenticated_per_source > limits->unauthenticated &&
	    conf_mark_of(teller->conf, "limits.unauthenticated_per_source")
		    .line > 0)
		conf_tell(teller, "limits.unauthenticated_per_source",
		    "make it smaller, or limits.unauthenticated larger",
		    "%u is more than limits.unauthenticated, %u",
		    limits->unauthenticated_per_source,
		    limits->unauthenticated);
}

/* What no single value shows. */
static void
check(struct conf_teller *teller, const struct settings *s)
{
	check_listen(teller, s);
	if (conf_mark_of(teller->conf, "host_keys").line > 0)
		check_count(teller, "host_keys", s->host_key_count, 1,
		    SETTINGS_HOST_KEYS_MAX);
	if (s->user != NULL && s->net_user != NULL &&
	    strcmp(s->user, s->net_user) == 0)
		conf_tell(teller, "net_user",
		    "name two users: who reads the network may not read the "
		    "keys",
		    "this is `user` again");
	if (conf_mark_of(teller->conf, "brokers").line > 0) {
		check_count(teller, "brokers", s->broker_count, 1,
		    SETTINGS_BROKERS_MAX);
		if (conf_mark_of(teller->conf, "private_broker").line > 0)
			conf_tell(teller, "private_broker",
			    "take one of the two out",
			    "there is none where `brokers` names one");
	}
	for (size_t i = 0; i < s->broker_count; i++)
		check_broker(teller, s, i);
	check_count(teller, "private_broker.open_as",
	    s->private_broker.open_as_count, 1, SETTINGS_NAMES_MAX);
	check_count(teller, "private_broker.extra_lines",
	    s->private_broker.extra_line_count, 0, SETTINGS_EXTRA_MAX);
	check_limits(teller, s);
	settings_check_gateway(teller, s);
}

int
settings_load(struct settings *settings, const char *name, struct span bytes,
    conf_fault_fn fn, void *arg, struct err *err)
{
	struct listener listener = {fn, arg, err, 0};
	struct conf_teller teller = {
	    .conf = &settings->conf, .on_fault = on_fault, .arg = &listener};
	struct conf_input input = {.file = name,
	    .bytes = bytes,
	    .keys = settings_keys,
	    .target = settings,
	    .on_fault = on_fault,
	    .arg = &listener};

	if (conf_load(&settings->conf, &input) == 0)
		check(&teller, settings);
	return listener.count == 0 ? 0 : -1;
}

/* ---- the brokers ---- */

static bool
is_loopback(struct span host)
{
	static const char *const spellings[] = {
	    "localhost", "127.0.0.1", "::1"};

	for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++)
		if (host.len == strlen(spellings[i]) &&
		    strncasecmp(
			(const char *)host.data, spellings[i], host.len) == 0)
			return true;
	return false;
}

static bool
has_name(const struct conf_address *names, size_t count, struct span host,
    uint16_t port)
{
	for (size_t i = 0; i < count; i++) {
		struct span name = span_of_str(names[i].host);

		if (names[i].port != port)
			continue;
		if (is_loopback(name) && is_loopback(host))
			return true;
		if (name.len == host.len && name.len > 0 &&
		    strncasecmp((const char *)name.data,
			(const char *)host.data, host.len) == 0)
			return true;
	}
	return false;
}

uint32_t
settings_brokers_for(
    const struct settings *settings, struct span host, uint16_t port)
{
	const struct settings_private_broker *own = &settings->private_broker;
	uint32_t found = 0;

	if (settings->broker_count == 0)
		return has_name(own->open_as, own->open_as_count, host, port);
	for (size_t i = 0; i < settings->broker_count; i++)
		if (has_name(settings->brokers[i].open_as,
			settings->brokers[i].open_as_count, host, port))
			found |= 1u << i;
	return found;
}

enum settings_identity
settings_identity_of(const struct settings *settings, size_t broker)
{
	return broker < settings->broker_count
		   ? settings->brokers[broker].identity
		   : SETTINGS_USERNAME;
}

const char *
settings_broker_name(const struct settings *settings, size_t broker)
{
	return broker < settings->broker_count ? settings->brokers[broker].name
					       : "private";
}

bool
settings_same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool
settings_same_brokers(const struct settings *a, const struct settings *b)
{
	if (a->broker_count != b->broker_count)
		return false;
	for (size_t i = 0; i < a->broker_count; i++) {
		const struct settings_broker *x = &a->brokers[i];
		const struct settings_broker *y = &b->brokers[i];

		if (!settings_same_text(x->name, y->name) ||
		    !settings_same_text(x->address, y->address) ||
		    x->identity != y->identity ||
		    !settings_same_text(x->secret_file, y->secret_file) ||
		    x->health_interval_ms != y->health_interval_ms ||
		    x->connect_timeout_ms != y->connect_timeout_ms)
			return false;
	}
	return true;
}

void
settings_print(
    const struct settings *settings, enum conf_form form, struct buf *out)
{
	conf_dump(settings_keys, settings, form, out);
}
