#include "command_private.h"

#include "shell.h"
#include "str.h"

#include <stdio.h>
#include <unistd.h>

/* command_words: what is wrong before ssh has even looked at its settings. */

enum word_fact {
	WORD_ODD,
	WORD_UNKNOWN,
	WORD_LONG,
	WORD_NO_ARGUMENT,
	WORD_NO_DEST,
	WORD_TAKEN_FOR_VALUE,
	WORD_SWALLOWED,
	WORD_KEY_FOR_DEST,
	WORD_PORT_GLUED,
	WORD_BAD_PORT,
	WORD_PORT_SCP,
	WORD_IN_COMMAND,
	WORD_BEHIND,
	WORD_FORWARD
};

static const struct check_row rows[] = {
    {WORD_ODD, FINDING_FAULT, ERR_FAILED, "typographic-letter",
	"{word}: a typographic quote, dash or blank",
	"the command was copied from a text that has other quotes, dashes or "
	"blanks than a shell knows; ssh takes {word} for a name",
	"type them anew: {meant}"},
    {WORD_UNKNOWN, FINDING_FAULT, ERR_FAILED, "unknown-option",
	"{word}: ssh knows no -{letter}",
	"ssh has no option -{letter} and ends with its usage",
	"leave -{letter} out; ssh's options: man ssh"},
    {WORD_LONG, FINDING_FAULT, ERR_FAILED, "unknown-option",
	"{word}: ssh knows no long options",
	"ssh has letters alone and ends with its usage at {word}",
	"write a setting as -o Word=value: man ssh_config"},
    {WORD_NO_ARGUMENT, FINDING_FAULT, ERR_FAILED, "argument-missing",
	"-{letter} is the last word, and needs one behind it",
	"ssh says \"option requires an argument -- {letter}\" and ends",
	"write what belongs to -{letter} behind it, or leave it out"},
    {WORD_NO_DEST, FINDING_FAULT, ERR_FAILED, "no-destination",
	"no destination", "no word of the command is a destination",
	"write user@host behind the options"},
    {WORD_TAKEN_FOR_VALUE, FINDING_FAULT, ERR_FAILED, "no-destination",
	"no destination: -{letter} takes {word} for its own",
	"what belongs to -{letter} is missing, so ssh takes {word}, which was "
	"meant as the destination, for it",
	"leave -{letter} out, or write what belongs to it: -{letter} VALUE "
	"{word}"},
    {WORD_SWALLOWED, FINDING_FAULT, ERR_FAILED, "option-as-argument",
	"-{letter} takes {word} for its own",
	"what belongs to -{letter} is missing, so ssh takes {word} for it",
	"{meant}"},
    {WORD_KEY_FOR_DEST, FINDING_FAULT, ERR_FAILED, "i-forgotten",
	"{word} is taken for the destination, {other} for a command",
	"{word} is a key file with no -i before it, so ssh takes it for the "
	"host and runs {other} there",
	"-i {word} {other}"},
    {WORD_PORT_GLUED, FINDING_FAULT, ERR_UNREACHABLE, "port-in-destination",
	"{word}: ssh takes {host}:{port} for a host's name",
	"ssh reads no port behind a colon (that is scp's and URLs' form); it "
	"looks up a host named {host}:{port}, which nobody has",
	"-p {port} {meant}"},
    {WORD_BAD_PORT, FINDING_FAULT, ERR_FAILED, "bad-port",
	"-p {word} is no port", "ssh says \"Bad port '{word}'\" and ends",
	"write the number behind -p, or leave -p out for port 22"},
    {WORD_PORT_SCP, FINDING_FAULT, ERR_FAILED, "capital-p",
	"-P {word}: ssh's port is -p",
	"-P is scp's and sftp's word for the port; ssh does not take {word} "
	"for one",
	"-p {word}"},
    {WORD_IN_COMMAND, FINDING_FAULT, ERR_FAILED, "option-in-command",
	"{word} stands behind {other}, and goes to the server",
	"{other} is taken for a command to run at the server, and all that "
	"follows it belongs to that command: options behind the destination "
	"still count, options behind the command do not",
	"{meant}"},
    {WORD_BEHIND, FINDING_OK, ERR_NONE, NULL,
	"{word} behind the destination still counts", NULL, NULL},
    {WORD_FORWARD, FINDING_FAULT, ERR_FAILED, "bad-forward",
	"-{letter} {word} is no forward",
	"ssh says \"Bad forwarding specification\" and ends; it wants "
	"[BIND:]PORT:HOST:HOSTPORT, IPv6 in brackets",
	"{meant}"},
};

static void
tell(struct command_case *c, enum word_fact fact, const char *word, char letter,
    const char *other, const char *meant)
{
	char escaped[300], host[300], port[24], text[2] = {letter, '\0'};

	str_escape(
	    span_of_str(word != NULL ? word : ""), escaped, sizeof escaped);
	snprintf(host, sizeof host, "%s", c->dest.host);
	snprintf(port, sizeof port, "%u", c->dest.glued);
	const struct check_word words[] = {
	    {"word", escaped},
	    {"letter", text},
	    {"other", other},
	    {"meant", meant},
	    {"host", host},
	    {"port", port},
	    {0},
	};
	command_tell(c, COMMAND_ROWS(rows), (int)fact, words);
}

static void
check_odd(struct command_case *c)
{
	struct buf meant;

	if (c->given->odd_word == NULL)
		return;
	buf_init(&meant, 4096);
	for (const char *const *p = c->given->words; *p != NULL; p++) {
		if (p != c->given->words)
			buf_append_str(&meant, " ");
		shell_quote(&meant, *p);
	}
	buf_append(&meant, "", 1);
	tell(c, WORD_ODD, c->given->odd_word, '\0', NULL,
	    meant.failed ? "" : (const char *)buf_span(&meant).data);
	buf_fini(&meant);
}

/* The option whose argument was meant as the destination. */
static const struct command_option *
find_taker(const struct command_line *line)
{
	for (size_t i = 0; i < line->option_count; i++)
		if (line->options[i].argument != NULL &&
		    strchr("BbcEFIimpQSWwe", line->options[i].letter) != NULL &&
		    strchr(line->options[i].argument, '@') != NULL)
			return &line->options[i];
	return NULL;
}

static void
check_readable(struct command_case *c)
{
	const struct command_line *line = &c->given->line;
	const struct command_option *taker;

	c->unreadable = c->given->result != COMMAND_LINE_GOOD;
	switch (c->given->result) {
	case COMMAND_LINE_UNKNOWN_OPTION:
		tell(c, line->fault_letter == '-' ? WORD_LONG : WORD_UNKNOWN,
		    line->fault_word, line->fault_letter, NULL, NULL);
		break;
	case COMMAND_LINE_NO_ARGUMENT:
		tell(c, WORD_NO_ARGUMENT, line->fault_word, line->fault_letter,
		    NULL, NULL);
		break;
	case COMMAND_LINE_NO_DEST:
		taker = find_taker(line);
		if (taker != NULL)
			tell(c, WORD_TAKEN_FOR_VALUE, taker->argument,
			    taker->letter, NULL, NULL);
		else
			tell(c, WORD_NO_DEST, NULL, '\0', NULL, NULL);
		break;
	case COMMAND_LINE_GOOD:
	case COMMAND_LINE_NOT_SSH:
	case COMMAND_LINE_TOO_MANY:
		break;
	}
}

/* "-L -N ...": the letters of the swallowed word are options again. */
static void
check_swallowed(struct command_case *c)
{
	for (size_t i = 0; i < c->mended.option_count; i++) {
		struct command_option *option = &c->mended.options[i];
		const char *word = option->argument;
		const char *meant = "", *usual = "22883:127.0.0.1:1883";
		char text[100];

		if (option->dropped || word == NULL || word[0] != '-' ||
		    strchr("DFiLlpR", option->letter) == NULL)
			continue;
		if (option->letter == 'L')
			snprintf(text, sizeof text, "-L %s %s", usual, word);
		else
			snprintf(text, sizeof text, "%s alone, or -%c VALUE %s",
			    word, option->letter, word);
		meant = text;
		tell(c, WORD_SWALLOWED, word, option->letter, NULL, meant);
		for (const char *p = word + 1; *p != '\0'; p++)
			if (strchr("46AaCfgKkMNnqsTtvXxYy", *p) != NULL)
				command_add(c, *p, NULL);
		if (option->letter == 'L')
			command_set(c, option, usual);
		else
			command_drop(option);
	}
}

static void
check_key_for_dest(struct command_case *c)
{
	const struct command_line *line = &c->mended;

	if (line->command == NULL || strchr(line->dest, '@') != NULL ||
	    strchr(line->command[0], '@') == NULL ||
	    access(line->dest, F_OK) != 0)
		return;
	tell(c, WORD_KEY_FOR_DEST, line->dest, 'i', line->command[0], NULL);
	command_add(c, 'i', line->dest);
	c->mended.dest = line->command[0];
	c->mended.command = line->command[1] != NULL ? line->command + 1 : NULL;
	command_dest_parse(&c->dest, c->mended.dest);
}

/* user@host without the port that ssh does not take there. */
static const char *
dest_alone(struct command_case *c, const struct command_dest *dest)
{
	return arena_format(&c->given->arena, "%s%s%s", dest->user,
	    dest->user[0] != '\0' ? "@" : "", dest->host);
}

static void
set_port(struct command_case *c, uint16_t port)
{
	struct command_option *said =
	    command_line_option(&c->mended, 'p', NULL);
	const char *digits = arena_format(&c->given->arena, "%u", port);

	if (said != NULL)
		command_set(c, said, digits);
	else
		command_add(c, 'p', digits);
}

static void
check_port(struct command_case *c)
{
	struct command_option *p = command_line_option(&c->mended, 'p', NULL);
	struct command_option *scp = command_line_option(&c->mended, 'P', NULL);
	const char *alone = dest_alone(c, &c->dest);
	uint64_t port;

	if (c->dest.glued != 0 && alone != NULL) {
		tell(c, WORD_PORT_GLUED, c->mended.dest, 'p', NULL, alone);
		set_port(c, c->dest.glued);
		c->mended.dest = alone;
	}
	if (scp != NULL && scp->argument != NULL &&
	    str_to_u64(span_of_str(scp->argument), 1, 65535, &port)) {
		tell(c, WORD_PORT_SCP, scp->argument, 'P', NULL, NULL);
		command_drop(scp);
		set_port(c, (uint16_t)port);
	}
	if (p == NULL || p->dropped ||
	    str_to_u64(span_of_str(p->argument), 1, 65535, &port))
		return;
	tell(c, WORD_BAD_PORT, p->argument, 'p', NULL, NULL);
	command_drop(p);
}

/* ---- options in the command ---- */

/* What surely was meant as an option of ssh's, and no program's. */
static bool
is_meant_for_ssh(const char *const *word)
{
	struct command_forward forward;
	const char *next = word[1];

	if (strcmp(word[0], "-N") == 0 || strcmp(word[0], "-fN") == 0 ||
	    strcmp(word[0], "-Nf") == 0)
		return true;
	if (strlen(word[0]) != 2 || next == NULL)
		return false;
	if (strcmp(word[0], "-i") == 0)
		return access(next, F_OK) == 0;
	return (strcmp(word[0], "-L") == 0 || strcmp(word[0], "-R") == 0) &&
	       command_forward_parse(&forward, next, word[0][1]) &&
	       forward.host[0] != '\0';
}

static const char *const *
copy_command(struct command_case *c, const char *const *words, size_t count)
{
	const char **copy =
	    arena_alloc(&c->given->arena, (count + 1) * sizeof *copy);

	if (copy != NULL)
		memcpy(copy, words, count * sizeof *copy);
	return copy;
}

/*
 * Its options are read as those of a command of their own, with what was taken
 * for a command as the destination: what is no option stays the command.
 */
static void
check_in_command(struct command_case *c)
{
	const char *const *command = c->mended.command, *const * found;
	static struct command_line rest;
	const char *words[COMMAND_LINE_WORDS_MAX] = {"ssh"};
	size_t count = 1;
	struct buf meant;

	for (found = command; found != NULL && *found != NULL; found++)
		if (found != command && is_meant_for_ssh(found))
			break;
	if (found == NULL || *found == NULL)
		return;
	for (const char *const *p = found;
	     *p != NULL && count + 1 < COMMAND_LINE_WORDS_MAX; p++)
		words[count++] = *p;
	if (command_line_parse(&rest, words, COMMAND_LINE_P_ALONE) !=
	    COMMAND_LINE_NO_DEST)
		return;
	for (size_t i = 0; i < rest.option_count; i++)
		command_add(
		    c, rest.options[i].letter, rest.options[i].argument);
	c->mended.command =
	    command_line_option(&rest, 'N', NULL) != NULL
		? NULL
		: copy_command(c, command, (size_t)(found - command));
	buf_init(&meant, 4096);
	command_line_text(&c->mended, &meant);
	buf_append(&meant, "", 1);
	tell(c, WORD_IN_COMMAND, *found, '\0', *command,
	    meant.failed ? "" : (const char *)buf_span(&meant).data);
	buf_fini(&meant);
}

static void
check_behind(struct command_case *c)
{
	char word[300];

	for (size_t i = 0; i < c->mended.option_count; i++) {
		const struct command_option *option = &c->mended.options[i];

		if (!option->behind || option->dropped)
			continue;
		snprintf(word, sizeof word, "-%c%s%s", option->letter,
		    option->argument != NULL ? " " : "",
		    option->argument != NULL ? option->argument : "");
		tell(c, WORD_BEHIND, word, '\0', NULL, NULL);
	}
}

static void
check_forward_words(struct command_case *c)
{
	struct command_forward forward;
	char meant[400], said[420];

	for (size_t i = 0; i < c->mended.option_count; i++) {
		struct command_option *option = &c->mended.options[i];

		if (option->dropped || option->argument == NULL ||
		    strchr("LRD", option->letter) == NULL ||
		    command_forward_parse(
			&forward, option->argument, option->letter))
			continue;
		if (option->letter == 'L' &&
		    command_forward_guess(
			option->argument, meant, sizeof meant)) {
			snprintf(said, sizeof said, "-L %s", meant);
			tell(
			    c, WORD_FORWARD, option->argument, 'L', NULL, said);
			command_set(c, option,
			    arena_str(&c->given->arena, span_of_str(meant)));
		} else {
			tell(c, WORD_FORWARD, option->argument, option->letter,
			    NULL, "-L 22883:127.0.0.1:1883");
			c->unreadable = true;
		}
	}
}

command_check_fn *const command_word_checks[] = {
    check_odd,
    check_readable,
    check_key_for_dest,
    check_port,
    check_swallowed,
    check_in_command,
    check_behind,
    check_forward_words,
    NULL,
};
