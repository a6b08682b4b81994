#include "survey_http.h"

#include "str.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

unsigned
survey_http_status(struct span line)
{
	unsigned status = 0;

	/* "HTTP/1.1 407 ..." */
	if (line.len < 12 || memcmp(line.data, "HTTP/", 5) != 0 ||
	    line.data[8] != ' ')
		return 0;
	for (size_t i = 9; i < 12; i++) {
		if (line.data[i] < '0' || line.data[i] > '9')
			return 0;
		status = 10 * status + (line.data[i] - '0');
	}
	return status;
}

/* Where `text` (small letters) begins, whatever case it has; or NULL. */
static const uint8_t *
find(struct span in, const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i + len <= in.len; i++)
		if (strncasecmp((const char *)in.data + i, text, len) == 0)
			return in.data + i;
	return NULL;
}

static struct span
behind(struct span in, const uint8_t *at)
{
	return span_of(at, in.len - (size_t)(at - in.data));
}

/* Up to one of `stops`. */
static struct span
up_to(struct span in, const char *stops)
{
	size_t len = 0;

	while (len < in.len && in.data[len] != '\0' &&
	       strchr(stops, in.data[len]) == NULL)
		len++;
	return span_of(in.data, len);
}

/* A field's value; empty where there is none.  `name` is "\nlocation:". */
static struct span
field(struct span head, const char *name)
{
	const uint8_t *at = find(head, name);
	struct span value;

	if (at == NULL)
		return (struct span){0};
	value = up_to(behind(head, at + strlen(name)), "\r\n");
	while (value.len > 0 && value.data[0] == ' ')
		value = span_of(value.data + 1, value.len - 1);
	/* Words behind it are no part of it, and are not told as if they were.
	 */
	return up_to(value, " \t");
}

/* <meta http-equiv="refresh" content="0; url=http://..."> */
static struct span
refresh(struct span body)
{
	const uint8_t *at = find(body, "http-equiv=\"refresh\"");
	struct span tag;

	if (at == NULL)
		at = find(body, "http-equiv='refresh'");
	if (at == NULL)
		return (struct span){0};
	tag = up_to(behind(body, at), ">");
	at = find(tag, "url=");
	if (at == NULL)
		return (struct span){0};
	return up_to(behind(tag, at + strlen("url=")), "\"' >");
}

/* Is `location` a place of `host`'s own: a path, itself, a name below it? */
static bool
leads_home(struct span location, const char *host)
{
	const uint8_t *slashes = find(location, "//");
	size_t len = strlen(host);
	struct span there;
	char name[256];
	uint16_t port;

	if (slashes == NULL)
		return true;
	there = up_to(behind(location, slashes + 2), "/?#");
	if (!str_split_host_port(there, name, sizeof name, &port))
		return false;
	if (strncasecmp(host, "www.", 4) == 0 &&
	    strcasecmp(name, host + 4) == 0)
		return true;
	return strcasecmp(name, host) == 0 ||
	       (strlen(name) > len && name[strlen(name) - len - 1] == '.' &&
		   strcasecmp(name + strlen(name) - len, host) == 0);
}

static bool
is_whole(struct span head, struct span body)
{
	struct span length = field(head, "\ncontent-length:");
	uint64_t bytes;

	return length.len > 0 && str_to_u64(length, 0, UINT32_MAX, &bytes) &&
	       body.len >= bytes;
}

enum http_page
survey_http_read(struct span bytes, const char *host, enum http_end end,
    struct http_answer *answer)
{
	const uint8_t *gap;
	struct span head = bytes, body = {0};

	*answer = (struct http_answer){.line = up_to(bytes, "\r\n")};
	if (bytes.len >= 5 && memcmp(bytes.data, "HTTP/", 5) != 0 &&
	    bytes.data[0] != '<')
		return HTTP_IS_NONE;
	gap =
	    bytes.len > 0 ? memmem(bytes.data, bytes.len, "\r\n\r\n", 4) : NULL;
	if (gap == NULL && end == HTTP_MAY_GO_ON)
		return bytes.len < HTTP_PAGE_MAX ? HTTP_NEED_MORE
						 : HTTP_IS_NONE;
	if (gap != NULL) {
		head.len = (size_t)(gap - bytes.data);
		body = behind(bytes, gap + 4);
	} else if (bytes.len > 0 && bytes.data[0] == '<') {
		body = bytes; /* HTTP/0.9: a page and nothing else */
		head.len = 0;
	}
	answer->status = survey_http_status(answer->line);
	if (answer->status == 0 && (body.len == 0 || body.data[0] != '<'))
		return HTTP_IS_NONE;
	if (answer->status == 511)
		return HTTP_SIGN_IN;
	answer->location = field(head, "\nlocation:");
	if (answer->location.len == 0 && end == HTTP_MAY_GO_ON &&
	    !is_whole(head, body) && bytes.len < HTTP_PAGE_MAX)
		return HTTP_NEED_MORE;
	if (answer->location.len == 0)
		answer->location = refresh(body);
	if (answer->location.len > 0)
		return leads_home(answer->location, host) ? HTTP_LEADS_HOME
							  : HTTP_LEADS_AWAY;
	return find(body, "type=\"password\"") != NULL ||
		       find(body, "type='password'") != NULL ||
		       find(body, "type=password") != NULL
		   ? HTTP_LOGIN
		   : HTTP_PLAIN;
}
