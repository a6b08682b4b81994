#include "mosquitto_conf.h"

#include "regular.h"
#include "str.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MAX = 1 << 20, WORD_SIZE = 64, VALUE_SIZE = 1024 };

void
mosquitto_conf_init(struct mosquitto_conf *conf)
{
	memset(conf, 0, sizeof *conf);
}

const struct mosquitto_access *
mosquitto_conf_access(const struct mosquitto_conf *conf,
    const struct mosquitto_listener *listener)
{
	return conf->per_listener && listener != NULL ? &listener->own
						      : &conf->access;
}

/* ---- one line ---- */

struct line {
	struct mosquitto_conf *conf;
	const char *file;
	size_t number;
	const char *value;
};

static struct mosquitto_listener *
last_listener(struct mosquitto_conf *conf)
{
	return conf->listener_count > 0
		   ? &conf->listeners[conf->listener_count - 1]
		   : NULL;
}

/* Of the listener above it, or of all. */
static struct mosquitto_access *
access_at(struct line *line)
{
	struct mosquitto_listener *listener = last_listener(line->conf);

	return line->conf->per_listener && listener != NULL
		   ? &listener->own
		   : &line->conf->access;
}

static bool
is_true(const struct line *line)
{
	return strcmp(line->value, "true") == 0 ||
	       strcmp(line->value, "1") == 0;
}

static struct mosquitto_listener *
new_listener(struct line *line)
{
	struct mosquitto_conf *conf = line->conf;
	struct mosquitto_listener *listener;

	if (conf->listener_count == MOSQUITTO_LISTENERS_MAX)
		return NULL;
	listener = &conf->listeners[conf->listener_count++];
	memset(listener, 0, sizeof *listener);
	snprintf(listener->file, sizeof listener->file, "%s", line->file);
	listener->line = line->number;
	return listener;
}

/* "1883", "1883 127.0.0.1", "0 /run/mosquitto.sock" */
static void
on_listener(struct line *line)
{
	struct mosquitto_listener *listener = new_listener(line);
	size_t len = strcspn(line->value, " \t");
	const char *rest = line->value + len;
	uint64_t port = 0;

	if (listener == NULL)
		return;
	rest += strspn(rest, " \t");
	if (str_to_u64(span_of(line->value, len), 0, 65535, &port))
		listener->port = (uint16_t)port;
	if (port == 0)
		snprintf(listener->path, sizeof listener->path, "%.107s", rest);
	else
		snprintf(listener->address, sizeof listener->address, "%.255s",
		    rest);
}

static struct mosquitto_listener *
default_listener(struct line *line)
{
	for (size_t i = 0; i < line->conf->listener_count; i++)
		if (line->conf->listeners[i].is_default)
			return &line->conf->listeners[i];
	return NULL;
}

static void
on_port(struct line *line)
{
	struct mosquitto_listener *listener = default_listener(line);
	uint64_t port;

	line->conf->mentions_port = true;
	if (!str_to_u64(span_of_str(line->value), 1, 65535, &port))
		return;
	if (listener == NULL)
		listener = new_listener(line);
	if (listener == NULL)
		return;
	listener->is_default = true;
	listener->port = (uint16_t)port;
	listener->line = line->number;
}

static void
on_bind_address(struct line *line)
{
	struct mosquitto_listener *listener = default_listener(line);

	line->conf->mentions_port = true;
	if (listener == NULL) {
		listener = new_listener(line);
		if (listener == NULL)
			return;
		listener->is_default = true;
		listener->port = 1883;
	}
	snprintf(
	    listener->address, sizeof listener->address, "%.255s", line->value);
}

static void
on_anonymous(struct line *line)
{
	access_at(line)->anonymous =
	    is_true(line) ? ANONYMOUS_YES : ANONYMOUS_NO;
}

static void
on_password_file(struct line *line)
{
	access_at(line)->password_file = true;
}

static void
on_acl_file(struct line *line)
{
	access_at(line)->acl_file = true;
}

static void
on_plugin(struct line *line)
{
	access_at(line)->plugin = true;
}

static void
on_per_listener(struct line *line)
{
	line->conf->per_listener = is_true(line);
}

static void
on_certfile(struct line *line)
{
	if (last_listener(line->conf) != NULL)
		last_listener(line->conf)->tls = true;
}

static void
on_certificate(struct line *line)
{
	if (last_listener(line->conf) != NULL)
		last_listener(line->conf)->wants_certificate = is_true(line);
}

static void
on_protocol(struct line *line)
{
	if (last_listener(line->conf) != NULL)
		last_listener(line->conf)->websockets =
		    strcmp(line->value, "websockets") == 0;
}

static void
on_include_dir(struct line *line)
{
	snprintf(line->conf->include_dir, sizeof line->conf->include_dir, "%s",
	    line->value);
}

static void
on_max_connections(struct line *line)
{
	struct mosquitto_conf *conf = line->conf;
	uint64_t number;

	if (!str_to_u64(span_of_str(line->value), 1, UINT32_MAX, &number) ||
	    (conf->max_connections != 0 && conf->max_connections <= number))
		return;
	conf->max_connections = number;
	snprintf(conf->max_file, sizeof conf->max_file, "%s", line->file);
	conf->max_line = line->number;
}

static const struct {
	const char *word;
	void (*take)(struct line *line);
} words[] = {
    {"listener", on_listener},
    {"port", on_port},
    {"bind_address", on_bind_address},
    {"allow_anonymous", on_anonymous},
    {"password_file", on_password_file},
    {"acl_file", on_acl_file},
    {"auth_plugin", on_plugin},
    {"plugin", on_plugin},
    {"psk_file", on_plugin},
    {"per_listener_settings", on_per_listener},
    {"certfile", on_certfile},
    {"psk_hint", on_certfile},
    {"require_certificate", on_certificate},
    {"protocol", on_protocol},
    {"include_dir", on_include_dir},
    {"max_connections", on_max_connections},
};

static void
take_line(struct line *line, struct span text)
{
	char word[WORD_SIZE], value[VALUE_SIZE];
	size_t len = 0, end;

	/* Blanks may stand before a word, tabs may not. */
	while (text.len > 0 && text.data[0] == ' ')
		text = span_of(text.data + 1, text.len - 1);
	end = text.len;
	while (end > 0 && strchr(" \t\r", text.data[end - 1]) != NULL)
		end--;
	while (len < end && text.data[len] != ' ' && text.data[len] != '\t')
		len++;
	if (len == 0 || text.data[0] == '#' ||
	    !span_to_str(span_of(text.data, len), word, sizeof word))
		return;
	while (len < end && (text.data[len] == ' ' || text.data[len] == '\t'))
		len++;
	if (!span_to_str(
		span_of(text.data + len, end - len), value, sizeof value))
		return;
	line->value = value;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(words[i].word, word) == 0)
			words[i].take(line);
	line->value = NULL;
}

void
mosquitto_conf_parse(
    struct mosquitto_conf *conf, struct span text, const char *file)
{
	struct line line = {.conf = conf, .file = file};

	while (text.len > 0) {
		const uint8_t *end = memchr(text.data, '\n', text.len);
		size_t len = end != NULL ? (size_t)(end - text.data) : text.len;

		line.number++;
		take_line(&line, span_of(text.data, len));
		if (end == NULL)
			break;
		text = span_of(end + 1, text.len - len - 1);
	}
}

/* ---- files ---- */

static bool
read_one(struct mosquitto_conf *conf, const char *path)
{
	int fd = regular_open(path);
	FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
	char *text = file != NULL ? malloc(TEXT_MAX) : NULL;
	size_t len;

	if (text == NULL) {
		if (file != NULL)
			fclose(file);
		else if (fd >= 0)
			close(fd);
		snprintf(conf->unread, sizeof conf->unread, "%s", path);
		return false;
	}
	len = fread(text, 1, TEXT_MAX, file);
	mosquitto_conf_parse(conf, span_of(text, len), path);
	free(text);
	fclose(file);
	return true;
}

static int
is_conf(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 5 &&
	       strcmp(entry->d_name + len - 5, ".conf") == 0;
}

bool
mosquitto_conf_read(struct mosquitto_conf *conf, const char *file)
{
	struct dirent **entries;
	char path[PATH_MAX];
	int count;

	mosquitto_conf_init(conf);
	if (!read_one(conf, file))
		return false;
	if (conf->include_dir[0] == '\0')
		return true;
	/* In the order of their names, as mosquitto reads them. */
	count = scandir(conf->include_dir, &entries, is_conf, alphasort);
	for (int i = 0; i < count; i++) {
		if ((size_t)snprintf(path, sizeof path, "%s/%s",
			conf->include_dir, entries[i]->d_name) < sizeof path)
			read_one(conf, path);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return true;
}
