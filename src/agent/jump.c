#include "jump.h"

#include "dest.h"
#include "ssh_says.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A command line for the shell, in which libssh replaces %h and %p. */
struct line {
	char *text;
	size_t len, size;
};

static void
put(struct line *line, const char *text)
{
	size_t len = strlen(text);

	/* One byte stays for the end; what is too long is found by its len. */
	if (line->len + len < line->size)
		memcpy(line->text + line->len, text, len + 1);
	line->len += len;
}

/* One word, as it is: neither the shell nor libssh makes anything of it. */
static void
put_word(struct line *line, const char *word)
{
	char one[2] = "";

	put(line, " '");
	for (; *word != '\0'; word++) {
		one[0] = *word;
		put(line, *word == '\'' ? "'\\''" : *word == '%' ? "%%" : one);
	}
	put(line, "'");
}

static int
no_list(const char *hops, struct err *err)
{
	err_set(err, ERR_USAGE, "-J \"%s\" is no list of hosts", hops);
	return err_hint(err, "write [user@]host[:port], with commas between "
			     "several, the nearest first");
}

/* Each hop is a destination; `last` gets the one before the server. */
static int
check(const char *hops, struct dest *last, struct err *err)
{
	char hop[sizeof last->user + sizeof last->host + 32];
	struct err ignored = ERR_INIT;
	const char *p = hops;
	size_t len;

	for (;;) {
		len = strcspn(p, ",");
		if (len >= sizeof hop)
			return no_list(hops, err);
		memcpy(hop, p, len);
		hop[len] = '\0';
		/* A user that begins with a dash would be an option, too. */
		if (hop[0] == '-' || dest_parse(last, hop, &ignored) != 0 ||
		    last->user[0] == '-')
			return no_list(hops, err);
		if (p[len] == '\0')
			return 0;
		p += len + 1;
	}
}

void
jump_init(void)
{
	setenv("OPENSSH_PROXYJUMP", "1", 1);
}

int
jump_command(const struct link_options *options, const char *hops,
    char command[JUMP_COMMAND_SIZE], struct err *err)
{
	struct line line = {.size = JUMP_COMMAND_SIZE};
	const char *comma = strrchr(hops, ',');
	char before[JUMP_COMMAND_SIZE], port[8];
	struct dest last = {.port = 0};

	line.text = command;
	if (check(hops, &last, err) != 0)
		return -1;
	put(&line, "ssh");
	if (options->ssh_config != NULL) {
		put(&line, " -F");
		put_word(&line, options->ssh_config);
	}
	if (options->asking == LINK_NEVER_ASK)
		put(&line, " -o BatchMode=yes");
	if (last.user[0] != '\0') {
		put(&line, " -l");
		put_word(&line, last.user);
	}
	if (last.port != 0) {
		snprintf(port, sizeof port, "%u", last.port);
		put(&line, " -p ");
		put(&line, port);
	}
	if (comma != NULL) {
		snprintf(
		    before, sizeof before, "%.*s", (int)(comma - hops), hops);
		put(&line, " -J");
		put_word(&line, before);
	}
	put(&line, " -W '[%h]:%p' --");
	put_word(&line, last.host);
	if (line.len >= line.size)
		return no_list(hops, err);
	return 0;
}

struct answer {
	char *text;
	size_t size;
};

static void
take(void *arg, const char *value)
{
	struct answer *answer = arg;

	snprintf(answer->text, answer->size, "%s", value);
}

void
jump_of_config(const struct link_options *options, char *hops, size_t size)
{
	struct answer answer = {hops, size};

	hops[0] = '\0';
	ssh_says(options, "proxyjump", take, &answer);
}
