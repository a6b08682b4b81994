#include "ssh_armor.h"

#include "str.h"

#include <ctype.h>
#include <stdio.h>

enum { LINE_CHARS = 70, LINE_MAX_BYTES = 64 };

static const char *
line_of(char text[LINE_MAX_BYTES], const char *word, const char *what)
{
	snprintf(text, LINE_MAX_BYTES, "-----%s %s-----", word, what);
	return text;
}

static struct span
skip_space(struct span text)
{
	while (text.len > 0 && isspace(text.data[0]))
		text = span_of(text.data + 1, text.len - 1);
	return text;
}

/* Cut `line` off the front; false where something else stands there. */
static bool
take_line(struct span *text, const char *line)
{
	size_t len = strlen(line);

	if (text->len < len || memcmp(text->data, line, len) != 0)
		return false;
	*text = span_of(text->data + len, text->len - len);
	return true;
}

bool
ssh_armor_begins(struct span text, const char *what)
{
	char line[LINE_MAX_BYTES];

	text = skip_space(text);
	return take_line(&text, line_of(line, "BEGIN", what));
}

/* What stands between the lines, without white space. */
static enum ssh_armor_result
strip(struct span text, const char *what, struct buf *digits)
{
	char line[LINE_MAX_BYTES];
	const uint8_t *end;
	struct span rest;

	text = skip_space(text);
	if (!take_line(&text, line_of(line, "BEGIN", what)))
		return SSH_ARMOR_NO_BEGIN;
	line_of(line, "END", what);
	end = text.len == 0 ? NULL
			    : memmem(text.data, text.len, line, strlen(line));
	if (end == NULL)
		return SSH_ARMOR_NO_END;
	rest = span_of(end, (size_t)(text.data + text.len - end));
	take_line(&rest, line);
	if (skip_space(rest).len > 0)
		return SSH_ARMOR_NO_END;
	for (const uint8_t *p = text.data; p < end; p++)
		if (!isspace(*p))
			buf_append(digits, p, 1);
	return SSH_ARMOR_GOOD;
}

enum ssh_armor_result
ssh_armor_open(struct span text, const char *what, struct buf *bytes)
{
	enum ssh_armor_result result = SSH_ARMOR_NO_MEMORY;
	struct buf digits;
	uint8_t *room;
	long len;

	/* Room for all of it at once: growing would leave copies behind. */
	buf_init(&digits, text.len + 1);
	room = buf_reserve(bytes, text.len / 4 * 3);
	if (room == NULL || buf_reserve(&digits, text.len) == NULL)
		goto out;
	result = strip(text, what, &digits);
	if (result != SSH_ARMOR_GOOD)
		goto out;
	len = str_base64_decode(buf_span(&digits), room, text.len / 4 * 3);
	if (len < 0)
		result = SSH_ARMOR_BAD_BASE64;
	else
		buf_commit(bytes, (size_t)len);
out:
	buf_fini_wipe(&digits);
	return result;
}

void
ssh_armor_close(struct span bytes, const char *what, struct buf *text)
{
	size_t count = 4 * ((bytes.len + 2) / 3);
	char line[LINE_MAX_BYTES], *base64;
	struct buf digits;

	buf_init(&digits, count + 1);
	base64 = (char *)buf_reserve(&digits, count + 1);
	if (base64 == NULL ||
	    buf_reserve(text, count + count / LINE_CHARS +
				  2 * (LINE_MAX_BYTES + 1)) == NULL) {
		text->failed = true;
		goto out;
	}
	str_base64_encode(bytes, base64);
	buf_append_str(text, line_of(line, "BEGIN", what));
	for (size_t i = 0; i < count; i++) {
		if (i % LINE_CHARS == 0)
			buf_append_str(text, "\n");
		buf_append(text, base64 + i, 1);
	}
	buf_append_str(text, "\n");
	buf_append_str(text, line_of(line, "END", what));
	buf_append_str(text, "\n");
	buf_commit(&digits, count);
out:
	buf_fini_wipe(&digits);
}
