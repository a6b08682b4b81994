#include "cmd.h"

#include "link.h"
#include "shell.h"
#include "str.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTIONS_MAX = 64, HELP_COLUMN = 28 };

_Static_assert((int)CMD_TYPED_MAX == (int)LINK_TYPED_MAX, "one size");

enum typed_word { TYPED_AS_IT_IS, TYPED_QUOTED };

/* ---- a command's subs ---- */

/* Whether one of the subs before `until` has this option. */
static bool
has_been(const struct cmd *cmd, const struct cmd *until, int id)
{
	for (const struct cmd *const *sub = cmd->subs; *sub != until; sub++)
		for (const struct cmd_option *p = (*sub)->options; p->id != 0;
		     p++)
			if (p->id == id)
				return true;
	return false;
}

const struct cmd_option *
cmd_option_at(const struct cmd *cmd, size_t i)
{
	const struct cmd_option *p = cmd->options;

	if (cmd->subs == NULL) {
		while (i > 0 && p->id != 0) {
			p++;
			i--;
		}
		return p->id != 0 ? p : NULL;
	}
	for (const struct cmd *const *sub = cmd->subs; *sub != NULL; sub++)
		for (p = (*sub)->options; p->id != 0; p++)
			if (!has_been(cmd, *sub, p->id) && i-- == 0)
				return p;
	return NULL;
}

const char *
cmd_last_word(const struct cmd *cmd)
{
	const char *blank = strrchr(cmd->name, ' ');

	return blank != NULL ? blank + 1 : cmd->name;
}

static void print_help(const struct cmd *cmd);

int
cmd_run_sub(const struct cmd *cmd, int argc, char **argv)
{
	const char *names[OPTIONS_MAX], *near;
	size_t count = 0;

	for (const struct cmd *const *p = cmd->subs; *p != NULL; p++) {
		names[count++] = cmd_last_word(*p);
		if (argc > 1 && strcmp(argv[1], names[count - 1]) == 0)
			return (*p)->run(*p, argc - 1, argv + 1);
	}
	names[count] = NULL;
	if (argc < 2)
		return cmd_misuse(cmd, "%s what? A word is missing", cmd->name);
	if (strcmp(argv[1], "--help") == 0) {
		print_help(cmd);
		return 0;
	}
	near = str_nearest(argv[1], names);
	if (near != NULL)
		return cmd_misuse(
		    cmd, "unknown word \"%s\": is %s meant?", argv[1], near);
	return cmd_misuse(cmd, "unknown word \"%s\"", argv[1]);
}

/* ---- --help ---- */

static void
print_option(const struct cmd_option *option)
{
	char text[64] = "  ";
	size_t used = 2;

	if (option->id < CMD_LONG)
		used += (size_t)snprintf(text + used, sizeof text - used,
		    "-%c%s", option->id, option->name != NULL ? ", " : "");
	else
		used +=
		    (size_t)snprintf(text + used, sizeof text - used, "    ");
	if (option->name != NULL)
		used += (size_t)snprintf(
		    text + used, sizeof text - used, "--%s", option->name);
	if (option->argument != NULL)
		snprintf(
		    text + used, sizeof text - used, " %s", option->argument);
	if (strlen(text) >= HELP_COLUMN)
		printf("%s\n%*s%s\n", text, HELP_COLUMN, "", option->help);
	else
		printf("%-*s%s\n", HELP_COLUMN, text, option->help);
}

static void
print_synopses(const struct cmd *cmd, const char **before)
{
	for (const char *const *p = cmd->synopses; *p != NULL; p++) {
		printf("%s kaya %s %s\n", *before, cmd->name, *p);
		*before = "      ";
	}
}

static void
print_help(const struct cmd *cmd)
{
	const struct cmd_option *option;
	const char *before = "usage:";

	print_synopses(cmd, &before);
	for (const struct cmd *const *p = cmd->subs; p != NULL && *p != NULL;
	     p++)
		print_synopses(*p, &before);
	printf("\n%s.\n", cmd->summary);
	if (cmd->about != NULL)
		printf("\n%s", cmd->about);
	if (cmd->subs != NULL)
		printf("\n");
	for (const struct cmd *const *p = cmd->subs; p != NULL && *p != NULL;
	     p++)
		printf("  %-10s %s\n", cmd_last_word(*p), (*p)->summary);
	if (cmd->subs != NULL)
		printf("\nkaya %s COMMAND --help tells more.\n", cmd->name);
	printf("\n");
	for (size_t i = 0; (option = cmd_option_at(cmd, i)) != NULL; i++)
		print_option(option);
	printf("%-*s%s\n", HELP_COLUMN, "      --help", "this text");
}

/* getopt's two tables out of ours. */
static void
make_tables(const struct cmd *cmd, char *letters, struct option *longs)
{
	*letters++ = ':';
	for (const struct cmd_option *p = cmd->options; p->id != 0; p++) {
		if (p->id < CMD_LONG) {
			*letters++ = (char)p->id;
			if (p->argument != NULL)
				*letters++ = ':';
		}
		if (p->name != NULL)
			*longs++ = (struct option){.name = p->name,
			    .has_arg = p->argument != NULL,
			    .val = p->id};
	}
	*letters = '\0';
	*longs++ = (struct option){.name = "help", .val = CMD_LONG - 1};
	*longs = (struct option){0};
}

static void
tell_unknown(const struct cmd_reader *reader, const struct option *longs)
{
	const char *names[OPTIONS_MAX + 2], *word, *near = NULL;
	size_t count = 0;

	word = reader->argv[optind - 1];
	for (; longs->name != NULL && count < OPTIONS_MAX; longs++)
		names[count++] = longs->name;
	names[count] = NULL;
	if (strncmp(word, "--", 2) == 0)
		near = str_nearest(word + 2, names);
	if (optopt != 0 && optopt < CMD_LONG && strncmp(word, "--", 2) != 0)
		cmd_misuse(reader->cmd, "unknown option -%c", optopt);
	else if (near != NULL)
		cmd_misuse(reader->cmd, "unknown option %s: is --%s meant?",
		    word, near);
	else
		cmd_misuse(reader->cmd, "unknown option %s", word);
}

/* ---- what was typed ---- */

static bool
put_typed(char typed[CMD_TYPED_MAX], const char *word, enum typed_word kind)
{
	size_t len = strlen(typed);
	struct buf text;
	bool fits;

	buf_init(&text, CMD_TYPED_MAX);
	if (len > 0)
		buf_append_str(&text, " ");
	if (kind == TYPED_AS_IT_IS)
		buf_append_str(&text, word);
	else
		shell_quote(&text, word);
	fits = !text.failed &&
	       span_to_str(buf_span(&text), typed + len, CMD_TYPED_MAX - len);
	if (!fits)
		typed[len] = '\0';
	buf_fini(&text);
	return fits;
}

/* A secret is for nobody's eyes: its name stands there. */
static bool
is_secret(const struct cmd_option *option, const char *value)
{
	return strcmp(option->argument, "PASSWORD") == 0 ||
	       strcmp(option->argument, "CODE") == 0 ||
	       (strcmp(option->argument, "URL") == 0 &&
		   strchr(value, '@') != NULL);
}

static void
note_typed(struct cmd_reader *reader, int id)
{
	const struct cmd_option *option = reader->cmd->options;
	char letter[3] = {'-', (char)id, '\0'}, name[64];
	bool fits;

	while (option->id != 0 && option->id != id)
		option++;
	if (option->id == 0 || id == CMD_HOST_KEY)
		return;
	snprintf(name, sizeof name, "--%s",
	    option->name != NULL ? option->name : "");
	fits = put_typed(
	    reader->typed, id < CMD_LONG ? letter : name, TYPED_AS_IT_IS);
	if (fits && option->argument != NULL)
		fits = put_typed(reader->typed,
		    is_secret(option, reader->argument) ? option->argument
							: reader->argument,
		    TYPED_QUOTED);
	reader->typed_too_much = reader->typed_too_much || !fits;
}

void
cmd_keep_typed(const struct cmd_reader *reader, struct link_options *options)
{
	char *words = options->typed_words;
	bool fits =
	    !reader->typed_too_much &&
	    put_typed(options->typed, "kaya", TYPED_AS_IT_IS) &&
	    put_typed(options->typed, reader->cmd->name, TYPED_AS_IT_IS) &&
	    (reader->typed[0] == '\0' ||
		put_typed(options->typed, reader->typed, TYPED_AS_IT_IS));

	for (int i = optind; fits && i < reader->argc; i++)
		fits = put_typed(words, reader->argv[i], TYPED_QUOTED);
	if (!fits)
		options->typed[0] = words[0] = '\0';
}

int
cmd_next(struct cmd_reader *reader, int *status)
{
	char letters[2 * OPTIONS_MAX];
	struct option longs[OPTIONS_MAX + 2];
	int id;

	make_tables(reader->cmd, letters, longs);
	opterr = 0;
	id = getopt_long(reader->argc, reader->argv, letters, longs, NULL);
	reader->argument = optarg;
	switch (id) {
	case -1:
		return CMD_END;
	case CMD_LONG - 1:
		print_help(reader->cmd);
		*status = 0;
		return CMD_STOP;
	case ':':
		*status = cmd_misuse(
		    reader->cmd, "%s needs a value", reader->argv[optind - 1]);
		return CMD_STOP;
	case '?':
		tell_unknown(reader, longs);
		*status = 2;
		return CMD_STOP;
	default:
		note_typed(reader, id);
		return id;
	}
}

int
cmd_complain(const struct err *err)
{
	char text[ERR_TEXT_MAX];

	fprintf(stderr, "kaya: %s\n", err_text(err, text, sizeof text));
	return err_exit_status(err->code);
}

int
cmd_misuse(const struct cmd *cmd, const char *format, ...)
{
	struct err err = ERR_INIT;
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	err_set(&err, ERR_USAGE, "%s", text);
	err_hint(&err, "see kaya %s --help", cmd->name);
	return cmd_complain(&err);
}

bool
cmd_take_link(const struct cmd_reader *reader, int id,
    struct link_options *options, int *status)
{
	uint64_t port;

	switch (id) {
	case 'p':
		if (!str_to_u64(span_of_str(reader->argument), 1, 65535, &port))
			*status = cmd_misuse(reader->cmd,
			    "-p \"%s\" is no port", reader->argument);
		else
			options->port = (uint16_t)port;
		return true;
	case 'i':
	case CMD_KEY:
		if (options->key_count == LINK_KEYS_MAX)
			*status = cmd_misuse(reader->cmd, "too many keys");
		else
			options->keys[options->key_count++] = reader->argument;
		return true;
	case 'l':
		options->user = reader->argument;
		return true;
	case 'F':
	case CMD_SSH_CONFIG:
		options->ssh_config = reader->argument;
		return true;
	case 'J':
		options->jump = reader->argument;
		return true;
	case 'o':
		if (options->word_count == LINK_WORDS_MAX)
			*status = cmd_misuse(reader->cmd, "too many -o");
		else
			options->words[options->word_count++] =
			    reader->argument;
		return true;
	case CMD_HOST_KEY:
		/* 32 bytes in base64, without its padding. */
		if (strncmp(reader->argument, "SHA256:", 7) != 0 ||
		    strlen(reader->argument) != 7 + 43)
			*status = cmd_misuse(reader->cmd,
			    "--host-key \"%s\" is no fingerprint: SHA256: and "
			    "43 letters, as ssh-keygen -l prints it",
			    reader->argument);
		options->host_key = reader->argument;
		return true;
	case CMD_STATE:
		options->state_dir = reader->argument;
		return true;
	default:
		return false;
	}
}

int
cmd_take_broker(const struct cmd_reader *reader, struct cmd_broker *broker)
{
	if (!str_split_host_port(span_of_str(reader->argument), broker->host,
		sizeof broker->host, &broker->port))
		return cmd_misuse(reader->cmd,
		    "\"%s\" is no broker: write "
		    "HOST:PORT",
		    reader->argument);
	if (broker->port == 0)
		broker->port = 1883;
	return 0;
}

int
cmd_take_duration(const struct cmd_reader *reader, uint64_t max_s, uint64_t *ms)
{
	static const struct {
		char letter;
		uint64_t s;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}};
	const char *text = reader->argument;
	size_t len = strlen(text);
	uint64_t unit = 1, number;

	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (len > 1 && text[len - 1] == units[i].letter) {
			unit = units[i].s;
			len--;
			break;
		}
	if (!str_to_u64(span_of(text, len), 1, max_s / unit, &number))
		return cmd_misuse(reader->cmd,
		    "\"%s\" is no duration: write 90s, 10m, 1h", text);
	*ms = number * unit * 1000;
	return 0;
}
