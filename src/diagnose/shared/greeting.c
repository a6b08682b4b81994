#include "greeting.h"

#include <stddef.h>

static const struct {
	const char *begins;
	enum greeting greeting;
} marks[] = {
    {"SSH-2.0-", GREETING_SSH},
    {"SSH-1.99-", GREETING_SSH},
    {"SSH-1.", GREETING_SSH_1},
    {"Exceeded MaxStartups", GREETING_TOO_MANY},
    {"Not allowed at this time", GREETING_LOCKED_OUT},
    {"HTTP/", GREETING_HTTP},
    {"220 ", GREETING_MAIL},
    {"220-", GREETING_MAIL},
};

static bool
begins(struct span line, const char *text)
{
	size_t len = strlen(text);

	return line.len >= len && memcmp(line.data, text, len) == 0;
}

static enum greeting
judge_line(struct span line)
{
	for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
		if (begins(line, marks[i].begins))
			return marks[i].greeting;
	return GREETING_NEED_MORE;
}

/* Answers that are no text: a TLS record, a CONNACK. */
static enum greeting
judge_bytes(struct span bytes)
{
	if (bytes.len >= 2 &&
	    (bytes.data[0] == 0x15 || bytes.data[0] == 0x16) &&
	    bytes.data[1] == 0x03)
		return GREETING_TLS;
	if (bytes.len >= 4 && bytes.data[0] == 0x20 && bytes.data[1] >= 2 &&
	    bytes.data[1] < 128 && bytes.data[2] <= 1)
		return GREETING_MQTT;
	return GREETING_NEED_MORE;
}

enum greeting
greeting_read(struct span bytes, enum greeting_end end, struct span *line)
{
	enum greeting found = judge_bytes(bytes);
	size_t at = 0;

	*line = bytes;
	if (found != GREETING_NEED_MORE)
		return found;
	while (at < bytes.len) {
		const uint8_t *start = bytes.data + at;
		const uint8_t *lf = memchr(start, '\n', bytes.len - at);
		size_t len = lf != NULL ? (size_t)(lf - start) : bytes.len - at;

		if (lf == NULL && end == GREETING_MAY_GO_ON)
			break;
		at += len + 1;
		while (len > 0 && start[len - 1] == '\r')
			len--;
		found = judge_line(span_of(start, len));
		if (found != GREETING_NEED_MORE) {
			*line = span_of(start, len);
			return found;
		}
	}
	if (end == GREETING_IS_ALL || bytes.len >= GREETING_MAX)
		return GREETING_OTHER;
	return GREETING_NEED_MORE;
}

struct span
greeting_software(struct span line)
{
	size_t dashes = 0;

	for (size_t i = 0; i < line.len; i++)
		if (line.data[i] == '-' && ++dashes == 2)
			return span_of(line.data + i + 1, line.len - i - 1);
	return (struct span){0};
}

struct span
greeting_mqtt_connect(void)
{
	/* MQTT 3.1.1, clean session, no client id */
	static const char bytes[] =
	    "\x10\x0c\x00\x04MQTT\x04\x02\x00\x0a\x00\x00";

	return span_of(bytes, sizeof bytes - 1);
}

struct span
greeting_http_get(void)
{
	return span_of_str("GET / HTTP/1.0\r\n\r\n");
}

struct span
greeting_tls_hello(void)
{
	/* TLS 1.2, one cipher suite, no extension */
	static const char bytes[] =
	    "\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x03"
	    "kaya doctor asks who is there..."
	    "\x00\x00\x02\xc0\x2f\x01\x00";

	return span_of(bytes, sizeof bytes - 1);
}
