/* settings_override: the command line, and what hangs on the rest. */

#include "settings.h"
#include "str.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int
no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the settings");
}

/* ---- the command line ---- */

/* A wrong word on the command line is wrong usage, not a wrong file. */
struct word {
	const char *option;
	const char *path;
	const struct conf_key *key;
	void *target;
	const char *const *texts;
};

static int
set(struct settings *settings, const struct word *word, struct err *err)
{
	struct err inner = ERR_INIT;

	if (conf_set(&settings->conf, word->key, word->target, word->texts,
		&inner) == 0) {
		conf_forget(&settings->conf, word->path);
		return 0;
	}
	if (inner.code == ERR_CONFIG)
		inner.code = ERR_USAGE;
	err_wrap(&inner, "%s", word->option);
	if (err != NULL)
		*err = inner;
	return -1;
}

static int
set_listen(struct settings *settings,
    const struct settings_overrides *overrides, struct err *err)
{
	const char *texts[SETTINGS_LISTEN_MAX + 1] = {NULL};
	const struct word word = {"--listen", "listen",
	    conf_find(settings_keys, "listen"), settings, texts};

	memcpy(texts, overrides->listen,
	    overrides->listen_count * sizeof texts[0]);
	if (set(settings, &word, err) != 0)
		return -1;
	for (size_t i = 0; i < settings->listen_word_count; i++)
		if (!settings_is_listen(&settings->listen_words[i], err)) {
			if (err != NULL)
				err->code = ERR_USAGE;
			return err_wrap(err, "--listen");
		}
	return 0;
}

static int
set_broker(struct settings *settings, const char *address, struct err *err)
{
	const struct conf_key *keys = conf_find(settings_keys, "brokers")->keys;
	struct settings_broker *broker =
	    arena_alloc(&settings->conf.arena, sizeof *broker);
	const struct word word = {"--broker", "brokers",
	    conf_find(keys, "address"), broker,
	    (const char *const[]){address, NULL}};

	if (broker == NULL || conf_defaults(&settings->conf, keys, broker) != 0)
		return no_memory(err);
	if (set(settings, &word, err) != 0)
		return -1;
	settings->brokers = broker;
	settings->broker_count = 1;
	return 0;
}

static int
apply(struct settings *settings, const struct settings_overrides *overrides,
    struct err *err)
{
	const struct conf_key *log = conf_find(settings_keys, "log")->keys;
	const struct word state = {"--state", "state",
	    conf_find(settings_keys, "state"), settings,
	    (const char *const[]){overrides->state, NULL}};
	const struct word level = {"--log-level", "log.level",
	    conf_find(log, "level"), settings,
	    (const char *const[]){overrides->log_level, NULL}};

	if (overrides->state != NULL && set(settings, &state, err) != 0)
		return -1;
	if (overrides->log_level != NULL && set(settings, &level, err) != 0)
		return -1;
	if (overrides->broker != NULL &&
	    set_broker(settings, overrides->broker, err) != 0)
		return -1;
	if (overrides->listen_count > 0)
		return set_listen(settings, overrides, err);
	return 0;
}

/* ---- what hangs on the rest ---- */

/*
 * A process that may open no file gets here too: nothing is looked up, and
 * where nothing is known there is still an answer.
 */
static const char *
default_state(struct arena *arena)
{
	const char *given = getenv("STATE_DIRECTORY");
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (given != NULL && given[0] == '/')
		return arena_str(arena, span_of(given, strcspn(given, ":")));
	if (geteuid() != 0 && xdg != NULL && xdg[0] == '/')
		return arena_format(arena, "%s/kayad", xdg);
	if (geteuid() != 0 && home != NULL && home[0] == '/')
		return arena_format(arena, "%s/.local/state/kayad", home);
	return arena_str(arena, span_of_str("/var/lib/kayad"));
}

static uint32_t
cores(void)
{
	cpu_set_t set;
	int count;

	if (sched_getaffinity(0, sizeof set, &set) != 0)
		return 1;
	count = CPU_COUNT(&set);
	return count > SETTINGS_THREADS_MAX ? SETTINGS_THREADS_MAX
					    : (uint32_t)count;
}

static int
fill_paths(struct settings *s, struct err *err)
{
	struct arena *arena = &s->conf.arena;

	if (s->state == NULL)
		s->state = default_state(arena);
	if (s->state == NULL)
		return no_memory(err);
	if (s->authorized_keys == NULL) {
		s->authorized_keys_is_default = true;
		s->authorized_keys =
		    arena_format(arena, "%s/authorized_keys", s->state);
	}
	/* Before a broker of the user's own, what it permits counts. */
	if (s->policy == NULL && s->broker_count == 0) {
		s->policy_is_default = true;
		s->policy = arena_format(arena, "%s/policy.yaml", s->state);
		if (s->policy == NULL)
			return no_memory(err);
	}
	if (s->audit.file == NULL)
		s->audit.file = arena_format(arena, "%s/audit.log", s->state);
	if (s->host_key_count == 0) {
		s->host_keys_is_default = true;
		s->host_keys = arena_alloc(arena, sizeof *s->host_keys);
		if (s->host_keys == NULL)
			return no_memory(err);
		s->host_keys[0] =
		    arena_format(arena, "%s/host_key_ed25519", s->state);
		s->host_key_count = 1;
		if (s->host_keys[0] == NULL)
			return no_memory(err);
	}
	return s->authorized_keys == NULL || s->audit.file == NULL
		   ? no_memory(err)
		   : 0;
}

/* A port alone means all addresses, of whichever family the machine has. */
static int
fill_listen(struct settings *s, struct err *err)
{
	struct settings_listen *out;

	out =
	    arena_alloc(&s->conf.arena, 2 * s->listen_word_count * sizeof *out);
	if (out == NULL)
		return no_memory(err);
	s->listen = out;
	for (size_t i = 0; i < s->listen_word_count; i++) {
		const struct conf_address *word = &s->listen_words[i];

		if (word->host != NULL) {
			*out++ = (struct settings_listen){
			    word->host, word->port, false};
			continue;
		}
		*out++ = (struct settings_listen){"::", word->port, true};
		*out++ = (struct settings_listen){"0.0.0.0", word->port, true};
	}
	s->listen_count = (size_t)(out - s->listen);
	return 0;
}

/* What clients ask for where nobody says: any loopback, or its own address. */
static int
fill_names(struct settings *s, struct settings_broker *broker, struct err *err)
{
	static const char *const loopback[] = {"localhost", "127.0.0.1", "::1"};
	enum { LOOPBACKS = sizeof loopback / sizeof loopback[0], MQTT = 1883 };
	struct arena *arena = &s->conf.arena;
	struct conf_address *names;
	char host[256];
	uint16_t port;

	if (broker->name == NULL)
		broker->name = broker->address;
	if (broker->open_as_count > 0)
		return 0;
	names = arena_alloc(arena, (LOOPBACKS + 1) * sizeof *names);
	if (names == NULL)
		return no_memory(err);
	broker->open_as = names;
	broker->open_as_count = LOOPBACKS;
	for (size_t i = 0; i < LOOPBACKS; i++)
		names[i] =
		    (struct conf_address){.host = loopback[i], .port = MQTT};
	if (broker->address[0] == '/' ||
	    !str_split_host_port(
		span_of_str(broker->address), host, sizeof host, &port))
		return 0;
	names[LOOPBACKS] = (struct conf_address){
	    .host = arena_str(arena, span_of_str(host)), .port = port};
	broker->open_as_count++;
	return names[LOOPBACKS].host == NULL ? no_memory(err) : 0;
}

static int
fill_extra(struct settings *s, struct err *err)
{
	struct settings_private_broker *own = &s->private_broker;
	const char *text = "";

	if (own->extra_line_count == 0)
		return 0;
	for (size_t i = 0; i < own->extra_line_count; i++) {
		text = arena_format(
		    &s->conf.arena, "%s%s\n", text, own->extra_lines[i]);
		if (text == NULL)
			return no_memory(err);
	}
	own->extra = text;
	return 0;
}

int
settings_override(struct settings *settings,
    const struct settings_overrides *overrides, struct err *err)
{
	struct settings_limits *limits = &settings->limits;

	settings->listen_is_default =
	    conf_mark_of(&settings->conf, "listen").line == 0 &&
	    (overrides == NULL || overrides->listen_count == 0);
	if (overrides != NULL && apply(settings, overrides, err) != 0)
		return -1;
	if (settings->threads == 0)
		settings->threads = cores();
	/* One source cannot have more than all; a file that says so is told. */
	if (limits->unauthenticated_per_source > limits->unauthenticated)
		limits->unauthenticated_per_source = limits->unauthenticated;
	if (fill_paths(settings, err) != 0 || fill_listen(settings, err) != 0 ||
	    fill_extra(settings, err) != 0)
		return -1;
	for (size_t i = 0; i < settings->broker_count; i++)
		if (fill_names(settings, &settings->brokers[i], err) != 0)
			return -1;
	return 0;
}
