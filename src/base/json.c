#include "json.h"

#include "str.h"

#include <stdio.h>

/* The character at the front; how many bytes it took. */
static size_t
put_character(struct buf *out, struct span text)
{
	uint8_t c = text.data[0];
	size_t len = str_utf8_len(text);
	char escape[8];

	if (c == '"' || c == '\\') {
		snprintf(escape, sizeof escape, "\\%c", c);
		buf_append_str(out, escape);
		return 1;
	}
	if (c < 0x20 || c == 0x7f) {
		snprintf(escape, sizeof escape, "\\u%04x", c);
		buf_append_str(out, escape);
		return 1;
	}
	if (c == 0xc2 && text.len > 1 && text.data[1] >= 0x80 &&
	    text.data[1] < 0xa0) {
		/* A control of two bytes, which is text all the same. */
		snprintf(escape, sizeof escape, "\\u%04x", text.data[1]);
		buf_append_str(out, escape);
		return 2;
	}
	if (len == 0) {
		buf_append_str(out, "\\ufffd");
		return 1;
	}
	buf_append(out, text.data, len);
	return len;
}

void
json_put_string(struct buf *out, struct span text)
{
	buf_append_str(out, "\"");
	while (text.len > 0) {
		size_t len = put_character(out, text);

		text = span_of(text.data + len, text.len - len);
	}
	buf_append_str(out, "\"");
}

void
json_put_str(struct buf *out, const char *text)
{
	if (text == NULL)
		buf_append_str(out, "null");
	else
		json_put_string(out, span_of_str(text));
}

void
json_put_member(
    struct buf *out, const char *before, const char *name, const char *value)
{
	buf_append_str(out, before);
	json_put_str(out, name);
	buf_append_str(out, ":");
	json_put_str(out, value != NULL && value[0] != '\0' ? value : NULL);
}
