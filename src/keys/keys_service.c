#include "keys_service.h"

#include "keys_text.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>

enum { NAME_SIZE = 64, TEXT_MAX = 1 << 20 };

/* What stands in the place of the port, where sshd looks for it. */
static struct span
port_of(const struct authorized_keys_line *line)
{
	struct span value = line->fault_text;
	size_t i = 0;

	if (line->fault_option == OPTION_PERMITLISTEN &&
	    (value.len == 0 || memchr(value.data, ':', value.len) == NULL))
		return value;
	if (value.len > 0 && value.data[0] == '[')
		while (i < value.len && value.data[i] != ']')
			i++;
	while (i < value.len && value.data[i] != ':' && value.data[i] != '/')
		i++;
	i = i < value.len ? i + 1 : i;
	return span_of(value.data + i, value.len - i);
}

/* 0: no service of that name is known here. */
static unsigned
number_of(struct span name)
{
	const struct servent *service;
	char text[NAME_SIZE];

	if (!span_to_str(name, text, sizeof text))
		return 0;
	service = getservbyname(text, "tcp");
	return service == NULL ? 0 : ntohs((uint16_t)service->s_port);
}

/* `line` with one name made a number; false where that is not its fault. */
static bool
replace_one(const struct authorized_keys_line *line, struct buf *out)
{
	struct span text = keys_text_line(line->text), name;
	const uint8_t *end;
	char number[8];
	unsigned port;

	if (line->fault != FAULT_PORT)
		return false;
	name = port_of(line);
	port = number_of(name);
	if (port == 0)
		return false;
	snprintf(number, sizeof number, "%u", port);
	end = name.data + name.len;
	buf_append(out, text.data, (size_t)(name.data - text.data));
	buf_append_str(out, number);
	return buf_append(out, end, text.len - (size_t)(end - text.data));
}

bool
keys_service_number(const struct authorized_keys_line *line, struct buf *meant,
    struct authorized_keys_line *parsed)
{
	enum authorized_keys_result result = AUTHORIZED_KEYS_VOID;
	struct buf step[2];
	size_t i = 0;

	buf_init(&step[0], TEXT_MAX);
	buf_init(&step[1], TEXT_MAX);
	/* Each turn takes one name out: they come to an end. */
	while (result == AUTHORIZED_KEYS_VOID) {
		struct buf *next = &step[i++ % 2];

		buf_truncate(next, 0);
		if (!replace_one(line, next))
			break;
		result = authorized_keys_parse(buf_span(next), parsed);
		line = parsed;
	}
	if (result == AUTHORIZED_KEYS_KEY) {
		struct span whole = parsed->text;
		size_t start = buf_len(meant);

		if (!buf_append(meant, whole.data, whole.len))
			result = AUTHORIZED_KEYS_VOID;
		else
			authorized_keys_parse(
			    span_of(buf_span(meant).data + start, whole.len),
			    parsed);
	}
	buf_fini(&step[0]);
	buf_fini(&step[1]);
	return result == AUTHORIZED_KEYS_KEY;
}
