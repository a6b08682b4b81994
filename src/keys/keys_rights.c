#include "keys_rights.h"

#include <stdio.h>
#include <time.h>

static void
put(struct buf *text, const char *words)
{
	buf_append(text, words, strlen(words));
}

static void
put_right(struct buf *text, size_t start, const char *words)
{
	if (buf_len(text) > start)
		put(text, ", ");
	put(text, words);
}

/* ---- where to ---- */

bool
keys_rights_permit(
    const struct authorized_keys_line *line, const char *host, uint16_t port)
{
	struct authorized_keys_option option;
	struct span named;
	uint16_t named_port;
	size_t at = 0;

	if (line->permitopens == 0)
		return true;
	while (authorized_keys_next(line, &at, &option))
		if (option.id == OPTION_PERMITOPEN &&
		    authorized_keys_split_permit(option.id, option.value,
			&named, &named_port) == FAULT_NONE &&
		    (named_port == port || named_port == 0) &&
		    (span_is(named, host) || span_is(named, "*")))
			return true;
	return false;
}

/* Another spelling of what 127.0.0.1 told already. */
static bool
is_told(const struct authorized_keys_line *line, struct span value)
{
	struct span host;
	uint16_t port;

	if (authorized_keys_split_permit(
		OPTION_PERMITOPEN, value, &host, &port) != FAULT_NONE ||
	    !(span_is(host, "localhost") || span_is(host, "::1")))
		return false;
	return keys_rights_permit(line, "127.0.0.1", port) &&
	       keys_rights_permit(line, "localhost", port) &&
	       keys_rights_permit(line, "::1", port);
}

static void
put_targets(const struct authorized_keys_line *line, struct buf *text)
{
	struct authorized_keys_option option;
	size_t at = 0;

	if (line->permitopens == 0) {
		put(text, "tunnel anywhere");
		return;
	}
	put(text, "tunnel to");
	while (authorized_keys_next(line, &at, &option)) {
		if (option.id != OPTION_PERMITOPEN ||
		    is_told(line, option.value))
			continue;
		put(text, " ");
		buf_append(text, option.value.data, option.value.len);
	}
}

/* ---- the rest ---- */

bool
keys_rights_has_remote(const struct authorized_keys_line *line)
{
	struct authorized_keys_option option;
	struct span host;
	uint16_t port;
	size_t at = 0;

	if (!line->rights.port_forwarding || line->permitlistens == 0)
		return line->rights.port_forwarding;
	/* Port 1 alone is how a line says "none". */
	while (authorized_keys_next(line, &at, &option))
		if (option.id == OPTION_PERMITLISTEN &&
		    authorized_keys_split_permit(
			option.id, option.value, &host, &port) == FAULT_NONE &&
		    port != 1)
			return true;
	return false;
}

void
keys_rights_text(const struct authorized_keys_line *line, struct buf *text)
{
	const struct authorized_keys_rights *r = &line->rights;
	size_t start = buf_len(text);
	time_t until = (time_t)line->expires_s;
	char stamp[32];
	struct tm tm;

	if (line->is_authority)
		put_right(text, start, "signs certificates");
	if (line->principals.data != NULL) {
		put(text, " of ");
		buf_append(text, line->principals.data, line->principals.len);
	}
	if (r->port_forwarding) {
		if (buf_len(text) > start)
			put(text, ", ");
		put_targets(line, text);
	}
	if (keys_rights_has_remote(line))
		put_right(text, start, "listen (-R)");
	if (line->command.data == NULL)
		put_right(text, start, "any command");
	if (r->pty)
		put_right(text, start, "terminal");
	if (r->agent_forwarding)
		put_right(text, start, "agent");
	if (r->x11_forwarding)
		put_right(text, start, "X11");
	if (buf_len(text) == start)
		put(text, "nothing but its command");
	if (line->from.data != NULL) {
		put(text, "; from ");
		buf_append(text, line->from.data, line->from.len);
	}
	if (line->expires_s != 0) {
		localtime_r(&until, &tm);
		strftime(stamp, sizeof stamp, "; until %Y-%m-%d %H:%M", &tm);
		put(text, stamp);
	}
}
