#include "command_line.h"

#include "shell.h"
#include "str.h"

#include <stdio.h>
#include <string.h>

static const char alone[] = "1246AaCfGgKkMNnqsTtVvXxYy";
static const char with_argument[] = "BbcDEeFIiJLlmOopQRSWw";
/* What asks another thing of ssh than a connection, or leaves traces. */
static const char acting[] = "EfGOQV";

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static bool
are_digits(const char *text)
{
	return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

struct reader {
	struct command_line *line;
	const char *const *words; /* the next one */
	enum command_line_dialect dialect;
	bool terminated; /* by "--" */
	bool behind;
};

static bool
takes_argument(const struct reader *reader, char letter, const char *rest)
{
	const char *next = *rest != '\0' ? rest : *reader->words;

	if (letter == 'P')
		return reader->dialect == COMMAND_LINE_P_TAG ||
		       (next != NULL && are_digits(next));
	return strchr(with_argument, letter) != NULL;
}

/* The letters of one word behind its dash. */
static enum command_line_result
take_letters(struct reader *reader, const char *word)
{
	struct command_line *line = reader->line;

	for (const char *p = word + 1; *p != '\0'; p++) {
		struct command_option *option =
		    &line->options[line->option_count];

		line->fault_word = word;
		line->fault_letter = *p;
		if (line->option_count == COMMAND_LINE_OPTIONS_MAX)
			return COMMAND_LINE_TOO_MANY;
		*option = (struct command_option){
		    .letter = *p, .behind = reader->behind};
		if (takes_argument(reader, *p, p + 1)) {
			option->argument = p[1] != '\0' ? p + 1
					   : *reader->words != NULL
					       ? *reader->words++
					       : NULL;
			if (option->argument == NULL)
				return COMMAND_LINE_NO_ARGUMENT;
			line->option_count++;
			return COMMAND_LINE_GOOD;
		}
		if (*p != 'P' && strchr(alone, *p) == NULL)
			return COMMAND_LINE_UNKNOWN_OPTION;
		line->option_count++;
	}
	return COMMAND_LINE_GOOD;
}

/* Options up to a word that is none. */
static enum command_line_result
take_options(struct reader *reader)
{
	enum command_line_result result = COMMAND_LINE_GOOD;

	while (*reader->words != NULL && result == COMMAND_LINE_GOOD) {
		const char *word = *reader->words;

		if (word[0] != '-' || word[1] == '\0')
			break;
		reader->words++;
		if (strcmp(word, "--") == 0) {
			reader->terminated = true;
			break;
		}
		result = take_letters(reader, word);
	}
	return result;
}

enum command_line_result
command_line_parse(struct command_line *line, const char *const *words,
    enum command_line_dialect dialect)
{
	struct reader reader = {.line = line, .dialect = dialect};
	enum command_line_result result;

	memset(line, 0, sizeof *line);
	if (words[0] == NULL || strcmp(base_name(words[0]), "ssh") != 0) {
		line->fault_word = words[0];
		return COMMAND_LINE_NOT_SSH;
	}
	line->program = words[0];
	reader.words = words + 1;
	result = take_options(&reader);
	if (result != COMMAND_LINE_GOOD)
		return result;
	line->fault_word = NULL;
	if (*reader.words == NULL)
		return COMMAND_LINE_NO_DEST;
	line->dest = *reader.words++;
	reader.behind = true;
	if (!reader.terminated)
		result = take_options(&reader);
	if (result != COMMAND_LINE_GOOD)
		return result;
	line->fault_word = NULL;
	line->fault_letter = '\0';
	if (*reader.words != NULL)
		line->command = reader.words;
	return COMMAND_LINE_GOOD;
}

struct command_option *
command_line_option(
    struct command_line *line, char letter, const struct command_option *from)
{
	size_t i = from != NULL ? (size_t)(from - line->options) : 0;

	for (; i < line->option_count; i++)
		if (line->options[i].letter == letter &&
		    !line->options[i].dropped)
			return &line->options[i];
	return NULL;
}

bool
command_line_add(struct command_line *line, char letter, const char *argument)
{
	if (line->option_count == COMMAND_LINE_OPTIONS_MAX)
		return false;
	line->options[line->option_count++] = (struct command_option){
	    .letter = letter, .argument = argument, .added = true};
	return true;
}

static bool
put(struct command_words *words, const char *word)
{
	if (words->count + 1 >= COMMAND_LINE_WORDS_MAX)
		return false;
	words->words[words->count++] = word;
	words->words[words->count] = NULL;
	return true;
}

/* Letters first, so that -N of "-L ... -N" stands beside its -f. */
static bool
put_options(const struct command_line *line, enum command_line_part part,
    struct command_words *words)
{
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < line->option_count; i++) {
			const struct command_option *option = &line->options[i];
			char *letter = words->letters[i];

			if (option->dropped ||
			    (pass == 0) != (option->argument == NULL) ||
			    (part == COMMAND_LINE_NO_PROGRAM &&
				strchr(acting, option->letter) != NULL))
				continue;
			letter[0] = '-';
			letter[1] = option->letter;
			letter[2] = '\0';
			if (!put(words, letter) ||
			    (option->argument != NULL &&
				!put(words, option->argument)))
				return false;
		}
	}
	return true;
}

static bool
put_program(const struct command_line *line, struct command_words *words)
{
	for (const char *const *p = line->before; p != NULL && *p != NULL; p++)
		if (!put(words, *p))
			return false;
	return line->program == NULL || put(words, line->program);
}

bool
command_line_words(const struct command_line *line, enum command_line_part part,
    struct command_words *words)
{
	words->count = 0;
	words->words[0] = NULL;
	if ((part == COMMAND_LINE_WHOLE && !put_program(line, words)) ||
	    !put_options(line, part, words))
		return false;
	/* A destination that looks like an option needs ssh's "--". */
	if (line->dest != NULL && line->dest[0] == '-' && !put(words, "--"))
		return false;
	if (line->dest != NULL && !put(words, line->dest))
		return false;
	if (line->command != NULL && line->command[0][0] == '-' &&
	    line->dest != NULL && line->dest[0] != '-' && !put(words, "--"))
		return false;
	for (const char *const *p = line->command; p != NULL && *p != NULL; p++)
		if (!put(words, *p))
			return false;
	return true;
}

void
command_line_text(const struct command_line *line, struct buf *out)
{
	struct command_words words;

	if (!command_line_words(line, COMMAND_LINE_WHOLE, &words)) {
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < words.count; i++) {
		if (i > 0)
			buf_append_str(out, " ");
		shell_quote(out, words.words[i]);
	}
}

/* ---- the destination ---- */

static bool
take_uri(struct command_dest *dest, struct span rest)
{
	const uint8_t *slash = memchr(rest.data, '/', rest.len);

	if (slash != NULL)
		rest.len = (size_t)(slash - rest.data);
	return str_split_host_port(
	    rest, dest->host, sizeof dest->host, &dest->port);
}

/* A name or an IPv4 address has no colon: what follows it was a port. */
static void
find_glued(struct command_dest *dest)
{
	char *colon = strchr(dest->host, ':');
	uint64_t port;

	if (dest->host[0] == '[') {
		char *end = strchr(dest->host, ']');

		if (end == NULL)
			return;
		colon = end[1] == ':' ? end + 1 : NULL;
		*end = '\0';
		if (colon != NULL &&
		    str_to_u64(span_of_str(colon + 1), 1, 65535, &port))
			dest->glued = (uint16_t)port;
		memmove(dest->host, dest->host + 1, strlen(dest->host));
		return;
	}
	if (colon == NULL || strchr(colon + 1, ':') != NULL ||
	    !str_to_u64(span_of_str(colon + 1), 1, 65535, &port))
		return;
	dest->glued = (uint16_t)port;
	*colon = '\0';
}

bool
command_dest_parse(struct command_dest *dest, const char *text)
{
	const char *at, *from = text;
	bool is_uri = strncmp(text, "ssh://", 6) == 0;

	memset(dest, 0, sizeof *dest);
	if (is_uri)
		from += 6;
	at = strrchr(from, '@');
	if (at != NULL) {
		if (at == from ||
		    !span_to_str(span_of(from, (size_t)(at - from)), dest->user,
			sizeof dest->user))
			return false;
		from = at + 1;
	}
	if (is_uri)
		return take_uri(dest, span_of_str(from));
	if (!span_to_str(span_of_str(from), dest->host, sizeof dest->host) ||
	    dest->host[0] == '\0')
		return false;
	find_glued(dest);
	return true;
}
