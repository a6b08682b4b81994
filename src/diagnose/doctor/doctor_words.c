#include "doctor_private.h"

#include "dest.h"
#include "shell.h"

#include <stdarg.h>
#include <string.h>

struct text {
	char *bytes;
	size_t size, used;
};

static void __attribute__((format(printf, 2, 3)))
put(struct text *text, const char *format, ...)
{
	va_list words;
	int len;

	if (text->used >= text->size)
		return;
	va_start(words, format);
	len = vsnprintf(
	    text->bytes + text->used, text->size - text->used, format, words);
	va_end(words);
	if (len > 0)
		text->used += (size_t)len;
}

static void
put_quoted(struct text *text, const char *value)
{
	struct buf word;

	buf_init(&word, text->size);
	shell_quote(&word, value);
	put(text, "%.*s", (int)buf_len(&word),
	    (const char *)buf_span(&word).data);
	if (word.failed)
		text->used = text->size;
	buf_fini(&word);
}

static void
put_option(struct text *text, const char *letter, const char *value,
    const char *without)
{
	if (value == NULL || strcmp(letter, without) == 0)
		return;
	put(text, "%s ", letter);
	put_quoted(text, value);
	put(text, " ");
}

/* As typed; but a port may stand in it, and the interface is asked for. */
static void
put_dest(struct text *text, const char *typed, const char *without)
{
	const bool zone = strcmp(without, "%") == 0;
	struct err err = ERR_INIT;
	struct dest dest;

	if ((!zone && strcmp(without, "-p") != 0) ||
	    dest_parse(&dest, typed, &err) != 0 || (!zone && dest.port == 0)) {
		put_quoted(text, typed);
		return;
	}
	if (dest.user[0] != '\0')
		put(text, "%s@", dest.user);
	if (!zone)
		put(text, "%s", dest.host);
	else if (dest.port == 0)
		put(text, "%s%%INTERFACE", dest.host);
	else
		put(text, "[%s%%INTERFACE]:%u", dest.host, dest.port);
}

/* What only matters behind the login, and no password. */
static void
put_broker(
    struct text *text, const struct doctor_options *given, const char *without)
{
	put_option(text, "-b", given->broker_said, without);
	put_option(text, "-u", given->broker_user, without);
}

/* A -L may name the broker, too. */
static void
put_tunnel(struct text *text, const struct doctor *doctor, const char *without)
{
	const struct doctor_options *given = doctor->options;
	struct err ignored = ERR_INIT;
	struct forward local = {.host = ""};
	const bool names =
	    given->local_said != NULL &&
	    forward_parse(&local, given->local_said, "", 0, &ignored) == 0 &&
	    local.host[0] != '\0';

	put_option(text, "-b", names ? doctor->broker : given->broker_said,
	    names && strcmp(without, "-L") != 0 ? "-b" : without);
	put_option(text, "-L", given->local_said,
	    names && strcmp(without, "-b") == 0 ? "-L" : without);
}

static void
put_tried(
    struct text *text, const struct doctor_options *given, const char *without)
{
	put_option(text, "-L", given->local_said, without);
	put_option(text, "--client-id", given->client_id, without);
	put_option(text, "-t", given->topic, without);
	put_option(text, "--server-file", given->server_file, without);
}

bool
doctor_is_gateway(const struct doctor *doctor)
{
	return strstr(doctor->software, "kaya_") != NULL;
}

void
doctor_repeat(const struct doctor *doctor, enum doctor_repeat what,
    const char *without, char *bytes, size_t size)
{
	const struct link_options *given = &doctor->options->link;
	struct text text = {bytes, size, 0};
	char port[8];

	bytes[0] = '\0';
	snprintf(port, sizeof port, "%u", given->port);
	if (what == DOCTOR_REPEAT_TUNNEL)
		put_tunnel(&text, doctor, without);
	if (what >= DOCTOR_REPEAT_ENROLL)
		put_broker(&text, doctor->options, without);
	if (what == DOCTOR_REPEAT_ALL)
		put_tried(&text, doctor->options, without);
	put_option(&text, "-F", given->ssh_config, without);
	put_option(&text, "--state", given->state_dir, without);
	put_option(&text, "-l", given->user, without);
	put_option(&text, "-p", given->port != 0 ? port : NULL, without);
	put_option(&text, "-J", given->jump, without);
	for (size_t i = 0; i < given->key_count; i++)
		put_option(&text, "-i", given->keys[i], without);
	for (size_t i = 0; i < given->word_count; i++)
		put_option(&text, "-o", given->words[i], without);
	put_dest(&text, given->dest, without);
	/* Cut off it would lead elsewhere. */
	if (text.used >= size)
		snprintf(bytes, size, "...");
}
