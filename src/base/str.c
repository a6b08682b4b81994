#include "str.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

size_t
str_utf8_len(struct span s)
{
	static const struct {
		uint8_t first, last, min2, max2;
		size_t len;
	} rows[] = {
	    {0xc2, 0xdf, 0x80, 0xbf, 2},
	    {0xe0, 0xe0, 0xa0, 0xbf, 3},
	    {0xe1, 0xec, 0x80, 0xbf, 3},
	    {0xed, 0xed, 0x80, 0x9f, 3},
	    {0xee, 0xef, 0x80, 0xbf, 3},
	    {0xf0, 0xf0, 0x90, 0xbf, 4},
	    {0xf1, 0xf3, 0x80, 0xbf, 4},
	    {0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	if (s.len > 0 && s.data[0] < 0x80)
		return 1;
	for (size_t i = 0; s.len > 0 && i < sizeof rows / sizeof rows[0]; i++) {
		if (s.data[0] < rows[i].first || s.data[0] > rows[i].last)
			continue;
		if (s.len < rows[i].len || s.data[1] < rows[i].min2 ||
		    s.data[1] > rows[i].max2)
			return 0;
		for (size_t k = 2; k < rows[i].len; k++)
			if ((s.data[k] & 0xc0) != 0x80)
				return 0;
		/* C1 controls are as bad on a terminal as C0's. */
		if (s.data[0] == 0xc2 && s.data[1] < 0xa0)
			return 0;
		return rows[i].len;
	}
	return 0;
}

/*
 * Characters without a shape, or that turn the direction of what follows: text
 * with them does not read as it is.
 */
static bool
is_deceptive(const uint8_t *c, size_t len)
{
	uint32_t code;

	if (len == 2)
		return c[0] == 0xd8 && c[1] == 0x9c; /* U+061C */
	if (len != 3)
		return false;
	code = (uint32_t)(c[0] & 0x0f) << 12 | (uint32_t)(c[1] & 0x3f) << 6 |
	       (c[2] & 0x3f);
	return (code >= 0x200b && code <= 0x200f) ||
	       (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2060 && code <= 0x206f) || code == 0xfeff;
}

/* One unit of the input as text into `out` (at least 5 bytes); its width. */
static size_t
escape_one(struct span *s, char *out)
{
	uint8_t c = s->data[0];
	size_t used = 1, width;

	if (c == '"' || c == '\\') {
		out[0] = '\\';
		out[1] = (char)c;
		width = 2;
	} else if (c == '\n') {
		out[0] = '\\';
		out[1] = 'n';
		width = 2;
	} else if (c >= 0x20 && c < 0x7f) {
		out[0] = (char)c;
		width = 1;
	} else if (c >= 0x80 && (used = str_utf8_len(*s)) > 0 &&
		   !is_deceptive(s->data, used)) {
		memcpy(out, s->data, used);
		width = used;
	} else {
		used = 1;
		width = (size_t)snprintf(out, 5, "\\x%02x", c);
	}
	s->data += used;
	s->len -= used;
	return width;
}

bool
str_is_shown(struct span bytes)
{
	char unit[8];

	while (bytes.len > 0) {
		const uint8_t first = bytes.data[0];

		escape_one(&bytes, unit);
		if (unit[0] == '\\' && first != '"' && first != '\\')
			return false;
	}
	return true;
}

const char *
str_escape(struct span bytes, char *text, size_t size)
{
	static const char dots[] = "...";
	size_t len = 0, safe = 0;
	char unit[8];

	if (size == 0)
		return text;
	while (bytes.len > 0) {
		size_t width = escape_one(&bytes, unit);

		if (len + width >= size) {
			if (size >= sizeof dots) {
				memcpy(text + safe, dots, sizeof dots);
				return text;
			}
			break;
		}
		memcpy(text + len, unit, width);
		len += width;
		if (len + sizeof dots <= size)
			safe = len;
	}
	text[len] = '\0';
	return text;
}

/* Levenshtein's distance, letters' case aside; words longer than 63 are far. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[64], la = strlen(a), lb = strlen(b);

	if (la >= 64 || lb >= 64)
		return SIZE_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			bool same = tolower((unsigned char)a[i - 1]) ==
				    tolower((unsigned char)b[j - 1]);
			size_t best = diagonal + (same ? 0 : 1);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[lb];
}

const char *
str_nearest(const char *word, const char *const *words)
{
	const char *best = NULL;
	size_t limit = (strlen(word) + 2) / 3 + 1;

	for (; *words != NULL; words++) {
		size_t d = distance(word, *words);

		if (d < limit) {
			limit = d;
			best = *words;
		}
	}
	return best;
}

bool
str_is_name(struct span name)
{
	if (name.len == 0 || name.len > STR_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.data[i];

		if (!(c < 0x80 && isalnum(c)) && c != '.' && c != '_' &&
		    c != '-')
			return false;
	}
	return true;
}

bool
str_to_u64(struct span text, uint64_t min, uint64_t max, uint64_t *value)
{
	uint64_t n = 0;

	if (text.len == 0)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t digit = (uint8_t)(text.data[i] - '0');

		if (digit > 9 || n > (UINT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	if (n < min || n > max)
		return false;
	*value = n;
	return true;
}

void
str_hex(struct span bytes, char *text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < bytes.len; i++) {
		*text++ = digits[bytes.data[i] >> 4];
		*text++ = digits[bytes.data[i] & 15];
	}
	*text = '\0';
}

static const char base64[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int
base64_value(uint8_t c)
{
	const char *p = c == '\0' ? NULL : strchr(base64, c);

	return p == NULL ? -1 : (int)(p - base64);
}

long
str_base64_decode(struct span text, uint8_t *bytes, size_t size)
{
	size_t len = 0, padding = 0;

	if (text.len % 4 != 0)
		return -1;
	while (padding < 2 && padding < text.len &&
	       text.data[text.len - 1 - padding] == '=')
		padding++;
	for (size_t i = 0; i < text.len; i += 4) {
		size_t digits = i + 4 == text.len ? 4 - padding : 4;
		uint32_t group = 0;

		for (size_t k = 0; k < 4; k++) {
			int v = k < digits ? base64_value(text.data[i + k]) : 0;

			if (v < 0)
				return -1;
			group = group << 6 | (uint32_t)v;
		}
		for (size_t k = 0; k < digits - 1; k++) {
			if (len == size)
				return -1;
			bytes[len++] = (uint8_t)(group >> (16 - 8 * k));
		}
		/* Bits that no byte takes must be zero: one text per value. */
		if (digits < 4 && (group & (digits == 2 ? 0xffff : 0xff)) != 0)
			return -1;
	}
	return (long)len;
}

void
str_base64_encode(struct span bytes, char *text)
{
	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
		uint32_t group = (uint32_t)bytes.data[i] << 16;

		if (n > 1)
			group |= (uint32_t)bytes.data[i + 1] << 8;
		if (n > 2)
			group |= bytes.data[i + 2];
		*text++ = base64[group >> 18];
		*text++ = base64[group >> 12 & 63];
		*text++ = n > 1 ? base64[group >> 6 & 63] : '=';
		*text++ = n > 2 ? base64[group & 63] : '=';
	}
	*text = '\0';
}

bool
str_split_host_port(struct span text, char *host, size_t size, uint16_t *port)
{
	struct span name = text, number = span_of(NULL, 0);
	const uint8_t *end, *colon;
	uint64_t value = 0;

	if (text.len > 0 && text.data[0] == '[') {
		end = memchr(text.data, ']', text.len);
		if (end == NULL)
			return false;
		name = span_of(text.data + 1, (size_t)(end - text.data) - 1);
		number =
		    span_of(end + 1, text.len - (size_t)(end + 1 - text.data));
		if (number.len > 0 && number.data[0] != ':')
			return false;
	} else {
		colon = text.len == 0 ? NULL : memchr(text.data, ':', text.len);
		/* Two colons without brackets: an IPv6 address alone. */
		if (colon != NULL &&
		    memrchr(text.data, ':', text.len) == colon) {
			name.len = (size_t)(colon - text.data);
			number = span_of(colon, text.len - name.len);
		}
	}
	if (number.len > 0) {
		number.data++;
		number.len--;
		if (!str_to_u64(number, 1, 65535, &value))
			return false;
	}
	*port = (uint16_t)value;
	return name.len > 0 && span_to_str(name, host, size);
}
