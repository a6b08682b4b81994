#include "forward.h"

#include "str.h"

#include <stdio.h>

enum { PARTS_MAX = 4 };

/* Cut at colons that are outside brackets; the brackets are taken off. */
static int
split(struct span text, struct span parts[PARTS_MAX])
{
	int count = 0;

	for (;;) {
		const uint8_t *end, *from = text.data;
		size_t len = text.len;

		if (count == PARTS_MAX)
			return -1;
		if (len > 0 && from[0] == '[') {
			end = memchr(from, ']', len);
			if (end == NULL)
				return -1;
			parts[count] =
			    span_of(from + 1, (size_t)(end - from) - 1);
			end++;
			if (end < from + len && *end != ':')
				return -1;
		} else {
			end = len == 0 ? NULL : memchr(from, ':', len);
			if (end == NULL)
				end = from + len;
			parts[count] = span_of(from, (size_t)(end - from));
		}
		count++;
		if (end == from + len)
			return count;
		text = span_of(end + 1, len - (size_t)(end + 1 - from));
	}
}

static bool
take_port(struct span text, uint16_t *port)
{
	uint64_t value;

	if (!str_to_u64(text, 1, 65535, &value))
		return false;
	*port = (uint16_t)value;
	return true;
}

void
forward_default(struct forward *forward, const char *host, uint16_t host_port)
{
	memset(forward, 0, sizeof *forward);
	forward->port = FORWARD_PORT;
	snprintf(forward->host, sizeof forward->host, "%s", host);
	forward->host_port = host_port;
}

static bool
take(struct forward *forward, const struct span *parts, int count)
{
	bool has_target = count >= 3;
	int near = has_target ? count - 2 : count;

	if (has_target &&
	    (parts[count - 2].len == 0 ||
		!span_to_str(
		    parts[count - 2], forward->host, sizeof forward->host) ||
		!take_port(parts[count - 1], &forward->host_port)))
		return false;
	if (near == 1 && parts[0].len > 0 && parts[0].data[0] == '/')
		return span_to_str(
		    parts[0], forward->path, sizeof forward->path);
	if (near == 1)
		return take_port(parts[0], &forward->port);
	return near == 2 &&
	       span_to_str(parts[0], forward->bind, sizeof forward->bind) &&
	       take_port(parts[1], &forward->port);
}

int
forward_parse(struct forward *forward, const char *text, const char *host,
    uint16_t host_port, struct err *err)
{
	struct span parts[PARTS_MAX];
	int count = split(span_of_str(text), parts);

	forward_default(forward, host, host_port);
	if (count >= 1 && take(forward, parts, count))
		return 0;
	if (text[0] == '/' && strcspn(text, ":") >= sizeof forward->path) {
		err_set(err, ERR_USAGE,
		    "-L \"%s\": a socket's path has %zu bytes at most", text,
		    sizeof forward->path - 1);
		return err_hint(err, "choose a shorter path");
	}
	err_set(err, ERR_USAGE, "-L \"%s\" is not understood", text);
	return err_hint(err, "write -L [BIND:]PORT, -L /PATH or "
			     "-L [BIND:]PORT:HOST:HOSTPORT");
}
