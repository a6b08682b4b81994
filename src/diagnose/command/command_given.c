#include "command_given.h"

#include "dest.h"
#include "program.h"
#include "shell_words.h"
#include "ssh_says.h"
#include "ssh_settings.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- letters that only look like those of a command ---- */

static const struct {
	const char *odd;
	const char *plain;
} letters[] = {
    {"\xe2\x80\x90", "-"}, /* U+2010 to U+2015: dashes */
    {"\xe2\x80\x91", "-"}, {"\xe2\x80\x92", "-"}, {"\xe2\x80\x93", "-"},
    {"\xe2\x80\x94", "-"}, {"\xe2\x80\x95", "-"},
    {"\xe2\x88\x92", "-"}, /* U+2212: minus */
    {"\xe2\x80\x98", "'"}, /* U+2018, U+2019: ' ' */
    {"\xe2\x80\x99", "'"}, {"\xe2\x80\x9c", "\""}, /* U+201C to U+201E: " " */
    {"\xe2\x80\x9d", "\""}, {"\xe2\x80\x9e", "\""},
    {"\xc2\xa0", " "}, /* U+00A0: a blank that does not break */
};

const char *
command_given_plain(struct arena *arena, const char *word)
{
	char *plain = arena_str(arena, span_of_str(word)), *to = plain;
	bool found = false;

	if (plain == NULL)
		return NULL;
	while (*word != '\0') {
		size_t i = 0, count = sizeof letters / sizeof letters[0];

		while (i < count && strncmp(word, letters[i].odd,
					strlen(letters[i].odd)) != 0)
			i++;
		if (i < count) {
			found = true;
			*to++ = letters[i].plain[0];
			word += strlen(letters[i].odd);
		} else {
			*to++ = *word++;
		}
	}
	*to = '\0';
	return found ? plain : NULL;
}

enum command_line_dialect
command_given_dialect(void)
{
	static const char *const words[] = {"ssh", "-V", NULL};
	enum command_line_dialect dialect = COMMAND_LINE_P_ALONE;
	struct program program;
	const char *said;
	char *end;
	long major, minor;

	if (program_run(&program, words, 10000) &&
	    strncmp(said = program_said(&program), "OpenSSH_", 8) == 0) {
		major = strtol(said + 8, &end, 10);
		minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
		if (major > 9 || (major == 9 && minor >= 4))
			dialect = COMMAND_LINE_P_TAG;
	}
	program_fini(&program);
	return dialect;
}

/* ---- reading ---- */

/* The first word of a text that is not plain; the whole where memory fails. */
static const char *
find_odd(struct command_given *given, const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, " \t");
		const char *word = arena_str(&given->arena, span_of(text, len));

		if (word == NULL ||
		    command_given_plain(&given->arena, word) != NULL)
			return word != NULL ? word : text;
		text += len;
		text += strspn(text, " \t");
	}
	return text;
}

static int
split_text(struct command_given *given, const char *text, struct err *err)
{
	const char *plain = command_given_plain(&given->arena, text);
	size_t count;

	if (plain != NULL)
		given->odd_word = find_odd(given, text);
	switch (shell_words_split(span_of_str(plain != NULL ? plain : text),
	    ssh_says_home(), &given->arena, given->words,
	    COMMAND_LINE_WORDS_MAX, &count)) {
	case SHELL_WORDS_GOOD:
		return 0;
	case SHELL_WORDS_OPEN_QUOTE:
		err_set(err, ERR_USAGE, "a quote in the command stays open");
		return err_hint(err, "close it, or take it out: %s", text);
	case SHELL_WORDS_TOO_MANY:
		return err_set(err, ERR_USAGE, "the command is too long");
	case SHELL_WORDS_NO_MEMORY:
		break;
	}
	return err_set(err, ERR_NOMEM, "no memory");
}

static int
copy_words(
    struct command_given *given, const char *const *words, struct err *err)
{
	size_t count = 0;

	for (; *words != NULL; words++) {
		const char *plain = command_given_plain(&given->arena, *words);

		if (count + 1 == COMMAND_LINE_WORDS_MAX)
			return err_set(
			    err, ERR_USAGE, "the command is too long");
		if (plain != NULL && given->odd_word == NULL)
			given->odd_word = *words;
		given->words[count++] = plain != NULL ? plain : *words;
	}
	return 0;
}

static int
add_option(struct command_given *given, char letter, const char *argument,
    struct err *err)
{
	if (argument == NULL ||
	    !command_line_add(&given->line, letter, argument))
		return err_set(err, ERR_NOMEM, "no memory");
	return 0;
}

/* What enrolment wrote down, as ssh would be told it. */
static int
add_enrolled(struct command_given *given, const struct dest *dest,
    const struct dest_enrolled *enrolled, struct err *err)
{
	struct arena *arena = &given->arena;
	const char *user = dest->user[0] != '\0' ? dest->user : enrolled->user;

	given->line.dest = arena_format(
	    arena, "%s%s%s", user, user[0] != '\0' ? "@" : "", enrolled->host);
	if (enrolled->key_file[0] != '\0' &&
	    (add_option(given, 'i',
		 arena_str(arena, span_of_str(enrolled->key_file)), err) != 0 ||
		add_option(given, 'o', "IdentitiesOnly=yes", err) != 0))
		return -1;
	if (enrolled->known_hosts[0] != '\0')
		return add_option(given, 'o',
		    arena_format(
			arena, "UserKnownHostsFile=%s", enrolled->known_hosts),
		    err);
	return 0;
}

static int
read_dest(struct command_given *given, const char *text,
    const struct command_given_options *options, struct err *err)
{
	char state[PATH_MAX];
	struct dest dest;
	struct dest_enrolled enrolled;
	uint16_t port;
	int found;

	given->kind = COMMAND_GIVEN_DEST;
	given->line.program = "ssh";
	if (dest_parse(&dest, text, err) != 0)
		return -1;
	if (options->state_dir != NULL)
		snprintf(state, sizeof state, "%s", options->state_dir);
	else
		dest_default_state(state, sizeof state);
	found = dest_enrolled(&enrolled, state, dest.host, err);
	if (found < 0)
		return -1;
	if (found == 0)
		memset(&enrolled, 0, sizeof enrolled);
	given->line.dest = arena_format(&given->arena, "%s%s%s", dest.user,
	    dest.user[0] != '\0' ? "@" : "", dest.host);
	if (found == 1 && add_enrolled(given, &dest, &enrolled, err) != 0)
		return -1;
	port = dest.port != 0 ? dest.port : enrolled.port;
	if (port != 0 && add_option(given, 'p',
			     arena_format(&given->arena, "%u", port), err) != 0)
		return -1;
	if (options->ssh_config != NULL)
		return add_option(given, 'F', options->ssh_config, err);
	return 0;
}

static bool
is_program(const char *word, const char *name)
{
	return strcmp(basename(word), name) == 0;
}

static bool
starts_ssh(const char *word)
{
	return is_program(word, "autossh") || is_program(word, "nohup") ||
	       is_program(word, "env") || strcmp(word, "exec") == 0 ||
	       (strchr(word, '=') != NULL &&
		   (word[0] == '_' || isalpha((unsigned char)word[0])));
}

/* autossh's own port, -M 20000 or -M20000, wherever it stands: no -M of ssh. */
static void
take_port(struct command_given *given, size_t count)
{
	const char **to = given->words + 1;

	for (const char **from = to; *from != NULL; from++) {
		if (strncmp(*from, "-M", 2) != 0 ||
		    count + 2 > COMMAND_GIVEN_BEFORE_MAX) {
			*to++ = *from;
			continue;
		}
		given->before[count++] = *from;
		if ((*from)[2] == '\0' && from[1] != NULL)
			given->before[count++] = *++from;
	}
	*to = NULL;
}

/*
 * What starts ssh is no word of ssh's; it is kept for the command that is
 * told.  True where it stands for ssh, as autossh does.
 */
static bool
take_before(struct command_given *given)
{
	const char **words = given->words;
	size_t count = 0;
	bool stands = false;

	while (!stands && words[count] != NULL &&
	       count < COMMAND_GIVEN_BEFORE_MAX && starts_ssh(words[count])) {
		stands = is_program(words[count], "autossh");
		given->before[count] = words[count];
		count++;
	}
	if (count == 0)
		return false;
	if (stands)
		words[--count] = "ssh";
	memmove(words, words + count,
	    (COMMAND_LINE_WORDS_MAX - count) * sizeof words[0]);
	if (stands)
		take_port(given, count + 1);
	return stands;
}

int
command_given_read(struct command_given *given, const char *const *words,
    const struct command_given_options *options, struct err *err)
{
	bool one = words[0] != NULL && words[1] == NULL, has_program;

	memset(given, 0, sizeof *given);
	if (words[0] == NULL)
		return err_set(err, ERR_USAGE, "there is no command");
	if (one && strpbrk(words[0], " \t") != NULL) {
		if (split_text(given, words[0], err) != 0)
			return -1;
	} else if (one && strcmp(words[0], "ssh") != 0) {
		return read_dest(given, words[0], options, err);
	} else if (copy_words(given, words, err) != 0) {
		return -1;
	}
	has_program = !take_before(given);
	given->result = command_line_parse(
	    &given->line, given->words, command_given_dialect());
	given->line.before = given->before;
	if (!has_program)
		given->line.program = NULL;
	if (given->result != COMMAND_LINE_NOT_SSH)
		return 0;
	err_set(err, ERR_USAGE, "\"%s\" is no ssh command",
	    given->words[0] != NULL ? given->words[0] : "");
	return err_hint(err, "write the command as it is typed: kaya doctor "
			     "-- ssh -N -L ... user@host; or an alias alone");
}

void
command_given_fini(struct command_given *given)
{
	arena_fini(&given->arena);
}

/* What acts is left out, but -f, which does nothing where -G stands. */
void
command_given_refused(const struct command_given *given, char *why, size_t size)
{
	struct command_line line = given->line;
	struct command_words words;
	struct ssh_settings settings;

	why[0] = '\0';
	if (given->result != COMMAND_LINE_GOOD ||
	    !command_line_words(&line, COMMAND_LINE_NO_PROGRAM, &words))
		return;
	if (command_line_option(&line, 'f', NULL) != NULL &&
	    words.count + 2 < COMMAND_LINE_WORDS_MAX) {
		memmove(words.words + 1, words.words,
		    (words.count + 1) * sizeof words.words[0]);
		words.words[0] = "-f";
	}
	ssh_settings_ask(&settings, words.words, why, size);
	ssh_settings_fini(&settings);
}
