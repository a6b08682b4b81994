#ifndef KAYA_SHELL_WORDS_H
#define KAYA_SHELL_WORDS_H

/* shell_words: a command as one text, cut as a shell cuts it. */

#include "arena.h"
#include "buf.h"

enum shell_words_result {
	SHELL_WORDS_GOOD,
	SHELL_WORDS_OPEN_QUOTE, /* a quote is never closed */
	SHELL_WORDS_TOO_MANY,
	SHELL_WORDS_NO_MEMORY
};

/*
 * Cut `text` at blanks that are not quoted (POSIX shell: '', "", \) into at
 * most `max` - 1 words and a NULL behind them; they live in `arena`.  A "~/" at
 * a word's unquoted front becomes `home`/ (NULL: it stays).  The text ends at
 * the first unquoted of ; & | and line end: what follows is another command.
 * Nothing else is expanded.
 */
enum shell_words_result shell_words_split(struct span text, const char *home,
    struct arena *arena, const char **words, size_t max, size_t *count);

#endif
