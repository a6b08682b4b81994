#include "command_forward.h"

#include "str.h"

#include <stdio.h>
#include <string.h>

enum { PARTS_MAX = 16, BROKER_PORT = 1883, NEAR_PORT = 22883 };

struct parts {
	struct span items[PARTS_MAX];
	size_t count;
};

/* Cut at colons that are outside of brackets; false where there are too many.
 */
static bool
cut(struct span text, struct parts *parts)
{
	size_t from = 0;
	bool inside = false;

	parts->count = 0;
	for (size_t i = 0; i <= text.len; i++) {
		if (i < text.len && text.data[i] == '[')
			inside = true;
		else if (i < text.len && text.data[i] == ']')
			inside = false;
		if (i < text.len && (text.data[i] != ':' || inside))
			continue;
		if (parts->count == PARTS_MAX)
			return false;
		parts->items[parts->count++] =
		    span_of(text.data + from, i - from);
		from = i + 1;
	}
	return !inside;
}

static bool
take_host(struct span text, char *host, size_t size)
{
	if (text.len >= 2 && text.data[0] == '[' &&
	    text.data[text.len - 1] == ']')
		text = span_of(text.data + 1, text.len - 2);
	return text.len > 0 && memchr(text.data, '[', text.len) == NULL &&
	       memchr(text.data, ']', text.len) == NULL &&
	       span_to_str(text, host, size);
}

/* A service's name is taken too; its number is not looked up. */
static bool
take_port(struct span text, uint16_t *port)
{
	uint64_t value;

	*port = 0;
	if (str_to_u64(text, 0, 65535, &value)) {
		*port = (uint16_t)value;
		return true;
	}
	for (size_t i = 0; i < text.len; i++)
		if ((text.data[i] < 'a' || text.data[i] > 'z') &&
		    text.data[i] != '-' &&
		    (i == 0 || text.data[i] < '0' || text.data[i] > '9'))
			return false;
	return text.len > 0 && text.data[0] != '-';
}

static bool
is_path(struct span text)
{
	return text.len > 0 && text.data[0] == '/';
}

/* [BIND:]PORT or /PATH out of the first `count` parts. */
static bool
take_near(
    struct command_forward *forward, const struct parts *parts, size_t count)
{
	if (count == 1 && is_path(parts->items[0]))
		return span_to_str(parts->items[0], forward->near_path,
		    sizeof forward->near_path);
	if (count == 2) {
		forward->has_bind = true;
		if (parts->items[0].len > 0 &&
		    !take_host(
			parts->items[0], forward->bind, sizeof forward->bind))
			return false;
	}
	return (count == 1 || count == 2) &&
	       take_port(parts->items[count - 1], &forward->port);
}

static bool
take_far(struct command_forward *forward, struct span host, struct span port)
{
	return take_host(host, forward->host, sizeof forward->host) &&
	       take_port(port, &forward->host_port);
}

bool
command_forward_parse(
    struct command_forward *forward, const char *text, char letter)
{
	struct parts parts;
	struct span last;

	memset(forward, 0, sizeof *forward);
	if (*text == '\0' || !cut(span_of_str(text), &parts))
		return false;
	last = parts.items[parts.count - 1];
	if (letter == 'D' ||
	    (letter == 'R' && parts.count <= 2 && !is_path(last)))
		return take_near(forward, &parts, parts.count);
	if (is_path(last) && parts.count >= 2)
		return span_to_str(
			   last, forward->far_path, sizeof forward->far_path) &&
		       take_near(forward, &parts, parts.count - 1);
	if (parts.count < 3)
		return false;
	return take_far(forward, parts.items[parts.count - 2], last) &&
	       take_near(forward, &parts, parts.count - 2);
}

bool
command_forward_read(
    struct command_forward *forward, const char *value, char letter)
{
	const char *blank = strchr(value, ' ');
	char text[700];

	if (blank == NULL || strcmp(blank + 1, "[socks]:0") == 0)
		snprintf(
		    text, sizeof text, "%.*s", (int)strcspn(value, " "), value);
	else
		snprintf(text, sizeof text, "%.*s:%s", (int)(blank - value),
		    value, blank + 1);
	return command_forward_parse(forward, text, letter);
}

static bool
is_number(struct span text)
{
	uint64_t value;

	return str_to_u64(text, 1, 65535, &value);
}

#define SPAN_ARGS(span) (int)(span).len, (const char *)(span).data

bool
command_forward_guess(const char *text, char *meant, size_t size)
{
	struct command_forward forward;
	struct parts parts;
	const struct span *p = parts.items;
	size_t count;

	if (*text == '-' || !cut(span_of_str(text), &parts))
		return false;
	count = parts.count;
	if (count == 1 && is_number(p[0]))
		snprintf(meant, size, "%.*s:127.0.0.1:%d", SPAN_ARGS(p[0]),
		    BROKER_PORT);
	else if (count == 2 && is_number(p[0]) && is_number(p[1]))
		snprintf(meant, size, "%.*s:127.0.0.1:%.*s", SPAN_ARGS(p[0]),
		    SPAN_ARGS(p[1]));
	else if (count == 2 && is_number(p[0]))
		snprintf(meant, size, "%.*s:%.*s:%d", SPAN_ARGS(p[0]),
		    SPAN_ARGS(p[1]), BROKER_PORT);
	else if (count == 2 && is_number(p[1]))
		snprintf(meant, size, "%d:%.*s:%.*s", NEAR_PORT,
		    SPAN_ARGS(p[0]), SPAN_ARGS(p[1]));
	else if (count > 4 && is_number(p[0]) && is_number(p[count - 1]))
		snprintf(meant, size, "%.*s:[%.*s]:%.*s", SPAN_ARGS(p[0]),
		    (int)(p[count - 1].data - p[1].data - 1),
		    (const char *)p[1].data, SPAN_ARGS(p[count - 1]));
	else
		return false;
	return command_forward_parse(&forward, meant, 'L');
}

/* An empty address and * are the same: all of them. */
static const char *
bind_of(const struct command_forward *forward)
{
	return forward->has_bind && forward->bind[0] == '\0' ? "*"
							     : forward->bind;
}

bool
command_forward_equal(
    const struct command_forward *a, const struct command_forward *b)
{
	return a->has_bind == b->has_bind && a->port == b->port &&
	       a->host_port == b->host_port &&
	       strcmp(bind_of(a), bind_of(b)) == 0 &&
	       strcmp(a->near_path, b->near_path) == 0 &&
	       strcmp(a->far_path, b->far_path) == 0 &&
	       strcmp(a->host, b->host) == 0;
}

const char *
command_forward_text(
    const struct command_forward *forward, char *text, size_t size)
{
	bool near_v6 = strchr(forward->bind, ':') != NULL;
	bool far_v6 = strchr(forward->host, ':') != NULL;
	char near[300], far[300] = "";

	if (forward->near_path[0] != '\0')
		snprintf(near, sizeof near, "%s", forward->near_path);
	else
		snprintf(near, sizeof near, "%s%s%s%s%u", near_v6 ? "[" : "",
		    forward->bind, near_v6 ? "]" : "",
		    forward->has_bind ? ":" : "", forward->port);
	if (forward->far_path[0] != '\0')
		snprintf(far, sizeof far, ":%s", forward->far_path);
	else if (forward->host[0] != '\0')
		snprintf(far, sizeof far, ":%s%s%s:%u", far_v6 ? "[" : "",
		    forward->host, far_v6 ? "]" : "", forward->host_port);
	snprintf(text, size, "%s%s", near, far);
	return text;
}
