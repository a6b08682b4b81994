/*
 * Any bytes as an ssh command.  What is promised must hold: a command that can
 * be read comes back from its own text as the same command.
 */

#include "command_forward.h"
#include "command_line.h"
#include "shell_words.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition))                                              \
			abort();                                               \
	} while (0)

static bool
is_same(const char *a, const char *b)
{
	return (a == NULL) == (b == NULL) && (a == NULL || !strcmp(a, b));
}

/* The options may have changed their order: letters alone come first. */
static void
must_be_same(const struct command_line *a, const struct command_line *b)
{
	MUST(a->option_count == b->option_count);
	MUST(is_same(a->dest, b->dest));
	MUST((a->command == NULL) == (b->command == NULL));
	for (size_t i = 0; a->command != NULL; i++) {
		MUST(is_same(a->command[i], b->command[i]));
		if (a->command[i] == NULL)
			break;
	}
}

static void
come_back(const struct command_line *line)
{
	static const char *words[COMMAND_LINE_WORDS_MAX];
	static struct command_line again;
	struct arena arena = {0};
	struct buf text;
	size_t count;

	buf_init(&text, 1 << 20);
	command_line_text(line, &text);
	if (!text.failed) {
		MUST(shell_words_split(buf_span(&text), NULL, &arena, words,
			 COMMAND_LINE_WORDS_MAX, &count) == SHELL_WORDS_GOOD);
		MUST(command_line_parse(&again, words, COMMAND_LINE_P_ALONE) ==
		     COMMAND_LINE_GOOD);
		must_be_same(line, &again);
	}
	buf_fini(&text);
	arena_fini(&arena);
}

static void
look_at_forwards(const struct command_line *line)
{
	struct command_forward forward, again;
	char text[1024];

	for (size_t i = 0; i < line->option_count; i++) {
		const struct command_option *option = &line->options[i];

		if (option->argument == NULL)
			continue;
		command_forward_guess(option->argument, text, sizeof text);
		command_forward_read(&forward, option->argument, 'L');
		if (!command_forward_parse(&forward, option->argument, 'L'))
			continue;
		command_forward_text(&forward, text, sizeof text);
		MUST(command_forward_parse(&again, text, 'L'));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *words[COMMAND_LINE_WORDS_MAX];
	static struct command_line line;
	struct command_dest dest;
	struct arena arena = {0};
	size_t count;

	if (shell_words_split(span_of(data, size), "/home", &arena, words,
		COMMAND_LINE_WORDS_MAX, &count) == SHELL_WORDS_GOOD &&
	    command_line_parse(&line, words, COMMAND_LINE_P_ALONE) ==
		COMMAND_LINE_GOOD) {
		command_dest_parse(&dest, line.dest);
		look_at_forwards(&line);
		come_back(&line);
	}
	arena_fini(&arena);
	return 0;
}
