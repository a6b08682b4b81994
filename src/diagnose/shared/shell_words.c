#include "shell_words.h"

#include <string.h>

enum { WORD_MAX = 64 * 1024 };

struct cutter {
	struct span text;
	size_t at;
	struct buf word;
	bool is_word; /* "" in quotes is one, too */
	bool ended; /* at what separates commands */
};

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* What stands between two quotes; the first is taken already. */
static bool
take_quoted(struct cutter *cutter, uint8_t quote)
{
	while (cutter->at < cutter->text.len) {
		uint8_t c = cutter->text.data[cutter->at++];

		if (c == quote)
			return true;
		if (c == '\\' && quote == '"' &&
		    cutter->at < cutter->text.len &&
		    memchr("\\\"$`", cutter->text.data[cutter->at], 4) != NULL)
			c = cutter->text.data[cutter->at++];
		buf_append(&cutter->word, &c, 1);
	}
	return false;
}

/* One word; false where a quote stays open. */
static bool
take_word(struct cutter *cutter, const char *home)
{
	const struct span text = cutter->text;

	if (home != NULL && cutter->at + 1 < text.len &&
	    memcmp(text.data + cutter->at, "~/", 2) == 0) {
		buf_append_str(&cutter->word, home);
		cutter->at++;
		cutter->is_word = true;
	}
	while (cutter->at < text.len) {
		uint8_t c = text.data[cutter->at];

		if (is_blank(c))
			return true;
		if (memchr(";&|\n", c, 4) != NULL) {
			cutter->ended = true;
			return true;
		}
		cutter->at++;
		/* A line end that is escaped joins two lines. */
		if (c == '\\' && cutter->at < text.len &&
		    text.data[cutter->at] == '\n') {
			cutter->at++;
			continue;
		}
		cutter->is_word = true;
		if (c == '\'' || c == '"') {
			if (!take_quoted(cutter, c))
				return false;
			continue;
		}
		if (c == '\\' && cutter->at < text.len)
			c = text.data[cutter->at++];
		buf_append(&cutter->word, &c, 1);
	}
	return true;
}

enum shell_words_result
shell_words_split(struct span text, const char *home, struct arena *arena,
    const char **words, size_t max, size_t *count)
{
	struct cutter cutter = {.text = text};
	enum shell_words_result result = SHELL_WORDS_GOOD;

	*count = 0;
	buf_init(&cutter.word, WORD_MAX);
	while (cutter.at < text.len && !cutter.ended &&
	       result == SHELL_WORDS_GOOD) {
		if (is_blank(text.data[cutter.at])) {
			cutter.at++;
			continue;
		}
		cutter.is_word = false;
		buf_truncate(&cutter.word, 0);
		if (!take_word(&cutter, home))
			result = SHELL_WORDS_OPEN_QUOTE;
		else if (cutter.is_word && *count + 1 >= max)
			result = SHELL_WORDS_TOO_MANY;
		else if (cutter.is_word &&
			 (cutter.word.failed ||
			     (words[(*count)++] = arena_str(
				  arena, buf_span(&cutter.word))) == NULL))
			result = SHELL_WORDS_NO_MEMORY;
	}
	buf_fini(&cutter.word);
	words[*count] = NULL;
	return result;
}
