#include "keys_check.h"

#include "keys_guess.h"
#include "keys_line.h"
#include "keys_rights.h"
#include "keys_text.h"

#include <stdio.h>

/* ---- forwarding ---- */

/* What takes forwarding away: the last that does. */
static bool
find_taker(const struct authorized_keys_line *line,
    struct authorized_keys_option *taker, bool *given_before)
{
	struct authorized_keys_option option;
	bool found = false;
	size_t at = 0;

	*given_before = false;
	while (authorized_keys_next(line, &at, &option)) {
		if (option.id == OPTION_PORT_FORWARDING && !option.negated)
			*given_before = true;
		if (option.id == OPTION_RESTRICT ||
		    (option.id == OPTION_PORT_FORWARDING && option.negated)) {
			*taker = option;
			found = true;
		}
	}
	return found;
}

/* A right that has nothing to do with forwarding to a port. */
static bool
is_other_right(const struct authorized_keys_option *option)
{
	return !option->negated &&
	       (option->id == OPTION_AGENT_FORWARDING ||
		   option->id == OPTION_X11_FORWARDING ||
		   option->id == OPTION_PTY || option->id == OPTION_USER_RC);
}

/*
 * The options in their order, but for every `restrict`, which comes first; what
 * the last of them takes away but forwarding stays away.
 */
static void
put_restrict_first(struct keys_case *c, const uint8_t *last)
{
	struct authorized_keys_option option;
	struct span options = c->line->options;
	size_t at = 0, start;

	buf_append(c->meant, "restrict", 8);
	for (start = at; authorized_keys_next(c->line, &at, &option);
	     start = at) {
		while (options.data[start] == ',')
			start++;
		if (option.id == OPTION_RESTRICT ||
		    (is_other_right(&option) && option.name.data < last))
			continue;
		buf_append(c->meant, ",", 1);
		buf_append(c->meant, options.data + start, at - start);
	}
	options = keys_guess_piece(options.data + options.len,
	    c->line->text.data + keys_text_line(c->line->text).len);
	buf_append(c->meant, options.data, options.len);
}

static bool
check_restrict_order(struct keys_case *c)
{
	struct authorized_keys_option taker;
	bool given_before;

	if (c->line->rights.port_forwarding ||
	    !find_taker(c->line, &taker, &given_before) || !given_before ||
	    taker.id != OPTION_RESTRICT)
		return false;
	/* To go anywhere is more than anybody is known to have meant. */
	if (c->line->permitopens > 0)
		put_restrict_first(c, taker.name.data);
	return keys_case_say(c, taker.name, "write restrict first",
	    "restrict stands behind port-forwarding and takes it away again");
}

static bool
check_no_forwarding(struct keys_case *c)
{
	struct authorized_keys_option taker;
	bool given_before;

	if (c->line->rights.port_forwarding || c->line->permitopens == 0 ||
	    !find_taker(c->line, &taker, &given_before))
		return false;
	if (taker.id == OPTION_RESTRICT && given_before)
		return false; /* restrict-order says it better */
	if (taker.id == OPTION_RESTRICT)
		keys_case_add(c, ",port-forwarding");
	return keys_case_say(c, taker.name,
	    taker.id == OPTION_RESTRICT
		? "write port-forwarding behind restrict"
		: "take no-port-forwarding out",
	    "permitopen permits nothing while %s takes forwarding away",
	    taker.id == OPTION_RESTRICT ? "restrict" : "no-port-forwarding");
}

/* A line for a tunnel: it says where to, and forwarding is on. */
static bool
is_tunnel(const struct authorized_keys_line *line)
{
	return line->permitopens > 0 && line->rights.port_forwarding &&
	       !line->is_authority;
}

static bool
check_remote(struct keys_case *c)
{
	struct authorized_keys_option option;

	if (!is_tunnel(c->line) || c->line->permitlistens > 0 ||
	    !keys_case_option(c, OPTION_PERMITOPEN, &option))
		return false;
	keys_case_add(c, ",permitlisten=\"localhost:1\"");
	return keys_case_say(c, option.name,
	    "add permitlisten=\"localhost:1\"; -R of UNIX sockets only "
	    "sshd_config can forbid (AllowStreamLocalForwarding no)",
	    "permitopen leaves remote forwarding (ssh -R) open");
}

static bool
check_shell(struct keys_case *c)
{
	struct authorized_keys_option option;

	if (!is_tunnel(c->line) || c->line->command.data != NULL ||
	    !keys_case_option(c, OPTION_PERMITOPEN, &option))
		return false;
	keys_case_add(c, "," KEYS_LINE_COMMAND);
	return keys_case_say(c, option.name, "add a command that does nothing",
	    "the key is made for a tunnel, and may run any command");
}

static bool
check_unrestricted(struct keys_case *c)
{
	const struct authorized_keys_rights *r = &c->line->rights;
	struct authorized_keys_option option;

	if (!is_tunnel(c->line) ||
	    !(r->pty || r->agent_forwarding || r->x11_forwarding ||
		r->user_rc) ||
	    c->line->is_restricted ||
	    !keys_case_option(c, OPTION_PERMITOPEN, &option))
		return false;
	keys_case_replace(c, keys_guess_before(c->line->options),
	    span_of_str("restrict,port-forwarding,"));
	return keys_case_say(c, option.name,
	    "begin the line with restrict,port-forwarding",
	    "the key is made for a tunnel, and may also have%s%s%s%s",
	    r->pty ? " a terminal" : "",
	    r->agent_forwarding ? (r->pty ? ", an agent" : " an agent") : "",
	    r->x11_forwarding
		? (r->pty || r->agent_forwarding ? ", X11" : " X11")
		: "",
	    r->user_rc && !r->pty && !r->agent_forwarding && !r->x11_forwarding
		? " ~/.ssh/rc run"
		: "");
}

/* ---- the spellings of loopback ---- */

static const struct {
	const char *host;
	const char *written;
} loopbacks[] = {
    {"127.0.0.1", "127.0.0.1"}, {"localhost", "localhost"}, {"::1", "[::1]"}};

enum { LOOPBACKS = 3 };

static bool
check_loopback(struct keys_case *c)
{
	char more[256] = "", missing[64] = "", port_text[8] = "*";
	struct authorized_keys_option option;
	size_t at = 0, used = 0, told = 0;
	struct span host = {0};
	uint16_t port = 0;
	bool named = false;

	if (!is_tunnel(c->line))
		return false;
	while (!named && authorized_keys_next(c->line, &at, &option)) {
		if (option.id != OPTION_PERMITOPEN)
			continue;
		authorized_keys_split_permit(
		    option.id, option.value, &host, &port);
		for (size_t i = 0; i < LOOPBACKS; i++)
			named = named || span_is(host, loopbacks[i].host);
	}
	if (!named)
		return false;
	if (port != 0)
		snprintf(port_text, sizeof port_text, "%u", port);
	for (size_t i = 0; i < LOOPBACKS; i++) {
		if (keys_rights_permit(c->line, loopbacks[i].host, port))
			continue;
		used += (size_t)snprintf(more + used, sizeof more - used,
		    ",permitopen=\"%s:%s\"", loopbacks[i].written, port_text);
		told += (size_t)snprintf(missing + told, sizeof missing - told,
		    "%s%s", told > 0 ? " and " : "", loopbacks[i].host);
	}
	if (used == 0)
		return false;
	keys_case_add(c, more);
	return keys_case_say(c, option.value,
	    "permit all three spellings, or have every client ask for this one",
	    "sshd takes %s for other hosts than this one", missing);
}

const struct keys_check keys_checks_forward[] = {
    {"restrict-order", KEYS_ERROR,
	"lets the key in and opens no channel: \"administratively prohibited\"",
	check_restrict_order},
    {"no-forwarding", KEYS_ERROR,
	"lets the key in and opens no channel: \"administratively prohibited\"",
	check_no_forwarding},
    {"loopback-spelling", KEYS_WARNING,
	"compares text: a tunnel that asks for another spelling stands, and "
	"every connection through it dies",
	check_loopback},
    {"remote-forwarding", KEYS_WARNING,
	"lets the key listen on the server's ports", check_remote},
    {"shell", KEYS_WARNING, "runs what the key's holder asks for", check_shell},
    {"unrestricted", KEYS_WARNING, "", check_unrestricted},
    {NULL, KEYS_NOTE, NULL, NULL},
};
