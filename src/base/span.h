#ifndef KAYA_SPAN_H
#define KAYA_SPAN_H

/*
 * span: borrowed bytes.  Whoever hands one out says how long it lives; a span
 * never owns and never frees.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t *data;
	size_t len;
};

static inline struct span
span_of(const void *data, size_t len)
{
	return (struct span){.data = data, .len = len};
}

/* The bytes of a C string, without its terminator. */
static inline struct span
span_of_str(const char *text)
{
	return span_of(text, strlen(text));
}

static inline bool
span_equal(struct span a, struct span b)
{
	return a.len == b.len &&
	       (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool
span_is(struct span a, const char *text)
{
	return span_equal(a, span_of_str(text));
}

/*
 * Copy into `text` as a C string.  False (and an empty string) where it does
 * not fit or holds a zero byte.
 */
static inline bool
span_to_str(struct span a, char *text, size_t size)
{
	text[0] = '\0';
	if (a.len >= size || (a.len > 0 && memchr(a.data, 0, a.len) != NULL))
		return false;
	if (a.len > 0)
		memcpy(text, a.data, a.len);
	text[a.len] = '\0';
	return true;
}

#endif
