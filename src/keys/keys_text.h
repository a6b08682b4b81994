#ifndef KAYA_KEYS_TEXT_H
#define KAYA_KEYS_TEXT_H

/* keys_text: words and blanks of a line, as sshd counts them. */

#include "span.h"

#include <strings.h>

/* Blank and tab: nothing else parts words. */
static inline bool
keys_text_is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static inline struct span
keys_text_skip_blanks(struct span s)
{
	while (s.len > 0 && keys_text_is_blank(s.data[0]))
		s = span_of(s.data + 1, s.len - 1);
	return s;
}

/* Cut off everything up to the first blank. */
static inline struct span
keys_text_take_word(struct span *s)
{
	struct span word = {.data = s->data, .len = 0};

	while (word.len < s->len && !keys_text_is_blank(s->data[word.len]))
		word.len++;
	*s = span_of(s->data + word.len, s->len - word.len);
	return word;
}

/* Letters' case does not count. */
static inline bool
keys_text_starts_with(struct span s, const char *word)
{
	size_t len = strlen(word);

	return s.len >= len &&
	       strncasecmp((const char *)s.data, word, len) == 0;
}

/* Drop `len` bytes from the front; they must be there. */
static inline void
keys_text_advance(struct span *s, size_t len)
{
	*s = span_of(s->data + len, s->len - len);
}

/* The name at the front: up to a comma, `=`, quote or blank. */
static inline struct span
keys_text_front(struct span s)
{
	struct span word = {.data = s.data, .len = 0};

	while (word.len < s.len && s.data[word.len] != ',' &&
	       s.data[word.len] != '=' && s.data[word.len] != '"' &&
	       !keys_text_is_blank(s.data[word.len]))
		word.len++;
	return word;
}

/* A line as sshd sees it: up to a zero byte, the CR of a line end left off. */
static inline struct span
keys_text_line(struct span text)
{
	const uint8_t *nul =
	    text.len == 0 ? NULL : memchr(text.data, 0, text.len);

	if (nul != NULL)
		text.len = (size_t)(nul - text.data);
	if (text.len > 0 && text.data[text.len - 1] == '\r')
		text.len--;
	return text;
}

/*
 * sshd's measure of how long the options at the front are: up to the first
 * blank outside quotes.  SIZE_MAX where a quote is never closed.
 */
static inline size_t
keys_text_options_len(struct span s)
{
	bool quoted = false;
	size_t i = 0;

	for (; i < s.len && (quoted || !keys_text_is_blank(s.data[i])); i++) {
		if (s.data[i] == '\\' && i + 1 < s.len && s.data[i + 1] == '"')
			i++;
		else if (s.data[i] == '"')
			quoted = !quoted;
	}
	return quoted ? SIZE_MAX : i < s.len ? i : s.len;
}

#endif
