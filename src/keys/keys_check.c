#include "keys_check.h"

#include "keys_guess.h"
#include "keys_line.h"
#include "keys_text.h"
#include "str.h"

#include <stdio.h>
#include <time.h>

/* sshd's own minimum (RequiredRSASize), and kayad's. */
enum { SSHD_RSA_MIN_BITS = 1024, KAYAD_RSA_MIN_BITS = 2048 };

enum { SOON_S = 30 * 24 * 3600 };

bool
keys_case_say(struct keys_case *c, struct span at, const char *remedy,
    const char *cause, ...)
{
	va_list args;

	va_start(args, cause);
	vsnprintf(c->finding->cause, sizeof c->finding->cause, cause, args);
	va_end(args);
	snprintf(c->finding->remedy, sizeof c->finding->remedy, "%s", remedy);
	c->finding->column = authorized_keys_column(c->line, at);
	return true;
}

void
keys_case_replace(struct keys_case *c, struct span part, struct span by)
{
	struct span text = keys_text_line(c->line->text);
	const uint8_t *end = part.data + part.len;

	buf_append(c->meant, text.data, (size_t)(part.data - text.data));
	buf_append(c->meant, by.data, by.len);
	buf_append(c->meant, end, text.len - (size_t)(end - text.data));
}

void
keys_case_add(struct keys_case *c, const char *text)
{
	struct span options = c->line->options;

	/* A comma that stands there already is not doubled. */
	while (options.len > 0 && options.data[options.len - 1] == ',')
		options.len--;
	keys_case_replace(c,
	    keys_guess_piece(options.data + options.len,
		c->line->options.data + c->line->options.len),
	    span_of_str(text));
}

/* The first option of this name; false where there is none. */
static bool
find_option(const struct authorized_keys_line *line,
    enum authorized_keys_option_id id, struct authorized_keys_option *option)
{
	size_t at = 0;

	while (authorized_keys_next(line, &at, option))
		if (option->id == id)
			return true;
	return false;
}

/* ---- the key ---- */

static bool
say_expiry(struct keys_case *c, const char *remedy, const char *verb)
{
	struct authorized_keys_option option;
	time_t t = (time_t)c->line->expires_s;
	char stamp[32];
	struct tm tm;

	if (!find_option(c->line, OPTION_EXPIRY_TIME, &option))
		return false;
	gmtime_r(&t, &tm);
	strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S UTC", &tm);
	return keys_case_say(
	    c, option.name, remedy, "the line %s at %s", verb, stamp);
}

static bool
check_expired(struct keys_case *c)
{
	int64_t t = c->line->expires_s;

	return t != 0 && t < c->now_s &&
	       say_expiry(c, "take the line out, or write a later expiry-time",
		   "expired");
}

static bool
check_expires_soon(struct keys_case *c)
{
	int64_t t = c->line->expires_s;

	return t >= c->now_s && t - c->now_s < SOON_S &&
	       say_expiry(c, "write a later expiry-time if the key is to stay",
		   "expires");
}

static bool
check_dsa(struct keys_case *c)
{
	if (c->line->key.type != PUBKEY_DSA)
		return false;
	return keys_case_say(c, c->line->type_word,
	    "make a new key: ssh-keygen -t ed25519",
	    "DSA keys are broken, and no server of today takes them");
}

static bool
check_rsa(struct keys_case *c)
{
	if (c->line->key.type != PUBKEY_RSA ||
	    c->line->key.bits >= KAYAD_RSA_MIN_BITS)
		return false;
	if (c->line->key.bits < SSHD_RSA_MIN_BITS) {
		c->finding->severity = KEYS_VOID;
		c->finding->sshd = "";
	}
	return keys_case_say(c, c->line->type_word,
	    "make a new key: ssh-keygen -t ed25519",
	    "an RSA key of %u bits is too short", c->line->key.bits);
}

static bool
check_name(struct keys_case *c)
{
	const struct authorized_keys_line *line = c->line;
	bool bad_role = line->role.data != NULL && !str_is_name(line->role);
	bool bad_identity =
	    line->identity.data != NULL && !str_is_name(line->identity);

	if (!bad_identity && !bad_role)
		return false;
	return keys_case_say(c, bad_identity ? line->identity : line->role,
	    "use 1 to 64 of A-Z a-z 0-9 . _ -", "%s is no name",
	    bad_identity ? "KAYA_ID" : "KAYA_ROLE");
}

/* ---- authorities ---- */

static bool
check_authority_name(struct keys_case *c)
{
	const struct authorized_keys_line *line = c->line;

	if (!line->is_authority || line->identity.data == NULL)
		return false;
	return keys_case_say(c, line->identity,
	    "take KAYA_ID out: a certificate's name is its principal",
	    "KAYA_ID would give all certificates of this authority one name");
}

static bool
check_principals(struct keys_case *c)
{
	struct span list = c->line->principals, name;
	const uint8_t *comma;

	if (list.data == NULL)
		return false;
	if (list.len == 0)
		return keys_case_say(c, list,
		    "name those who may come in, or take principals out",
		    "principals names nobody: no certificate is let in");
	while (list.len > 0) {
		comma = memchr(list.data, ',', list.len);
		name = span_of(list.data,
		    comma == NULL ? list.len : (size_t)(comma - list.data));
		if (!str_is_name(name))
			return keys_case_say(c, list,
			    "use names of A-Z a-z 0-9 . _ - with commas, and "
			    "no blanks, between them",
			    "a principal here can be nobody's identity");
		keys_text_advance(&list, name.len + (comma != NULL));
	}
	return false;
}

/* ---- what stands behind the key ---- */

/* An option as nobody writes it into a comment by chance. */
static bool
is_option_text(struct span word)
{
	struct span name = keys_text_front(word);

	if (!keys_guess_is_option(word))
		return false;
	return name.len == word.len
		   ? memchr(name.data, '-', name.len) != NULL ||
			 span_is(name, "restrict")
		   : word.data[name.len] == ',' ||
			 (word.data[name.len] == '=' &&
			     name.len + 1 < word.len &&
			     word.data[name.len + 1] == '"');
}

static bool
check_options_behind(struct keys_case *c)
{
	const struct authorized_keys_line *line = c->line;
	struct span options = line->comment, key;
	size_t len;

	if (!is_option_text(options))
		return false;
	keys_case_say(c, line->comment, "put the options before the key's type",
	    "options stand behind the key, where they are only a comment");
	len = keys_text_options_len(options);
	if (len == SIZE_MAX)
		return true;
	options.len = len;
	key = keys_guess_piece(
	    line->type_word.data, line->base64.data + line->base64.len);
	buf_append(c->meant, line->options.data, line->options.len);
	if (line->options.len > 0)
		buf_append(c->meant, ",", 1);
	buf_append(c->meant, options.data, options.len);
	buf_append(c->meant, " ", 1);
	buf_append(c->meant, key.data, key.len);
	buf_append(c->meant, line->comment.data + len, line->comment.len - len);
	return true;
}

static bool
check_two_keys(struct keys_case *c)
{
	const struct authorized_keys_line *line = c->line;
	struct keys_guess_key second = keys_guess_find(line->comment);
	struct span first;

	if (second.type.data == NULL)
		return false;
	first = keys_guess_piece(line->text.data, second.type.data);
	while (keys_text_is_blank(first.data[first.len - 1]))
		first.len--;
	buf_append(c->meant, first.data, first.len);
	buf_append(c->meant, "\n", 1);
	/* The second must not get out looser than the first. */
	buf_append(c->meant, line->options.data, line->options.len);
	if (line->options.len > 0)
		buf_append(c->meant, " ", 1);
	buf_append(c->meant, second.type.data,
	    line->comment.len -
		(size_t)(second.type.data - line->comment.data));
	return keys_case_say(c, second.type,
	    "put each key on a line of its own",
	    "a second key stands in the comment of the first");
}

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

/* The options in their order, but for every `restrict`, which comes first. */
static void
put_restrict_first(struct keys_case *c)
{
	struct authorized_keys_option option;
	struct span options = c->line->options;
	size_t at = 0, start;

	buf_append(c->meant, "restrict", 8);
	for (start = at; authorized_keys_next(c->line, &at, &option);
	     start = at) {
		while (options.data[start] == ',')
			start++;
		if (option.id == OPTION_RESTRICT)
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
	put_restrict_first(c);
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
	    !find_option(c->line, OPTION_PERMITOPEN, &option))
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
	    !find_option(c->line, OPTION_PERMITOPEN, &option))
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
	    !find_option(c->line, OPTION_PERMITOPEN, &option))
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

/* Whether some permitopen lets `host` and `port` through at sshd. */
static bool
is_permitted(
    const struct authorized_keys_line *line, const char *host, uint16_t port)
{
	struct authorized_keys_option option;
	struct span named;
	uint16_t named_port;
	size_t at = 0;

	while (authorized_keys_next(line, &at, &option)) {
		if (option.id != OPTION_PERMITOPEN ||
		    authorized_keys_split_permit(option.id, option.value,
			&named, &named_port) != FAULT_NONE)
			continue;
		if ((named_port == 0 || named_port == port) &&
		    (span_is(named, "*") || span_is(named, host)))
			return true;
	}
	return false;
}

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
		if (is_permitted(c->line, loopbacks[i].host, port))
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

const struct keys_check keys_checks[] = {
    {"expired", KEYS_VOID, "logs \"entry expired\" and asks for a password",
	check_expired},
    {"expires-soon", KEYS_NOTE, "", check_expires_soon},
    {"dsa", KEYS_VOID, "refuses ssh-dss since 7.0", check_dsa},
    {"rsa-short", KEYS_WARNING, "takes it; kayad does not", check_rsa},
    {"name", KEYS_ERROR, "does not mind; kayad passes over the line",
	check_name},
    {"authority-name", KEYS_ERROR, "does not mind; kayad passes over the line",
	check_authority_name},
    {"principals-list", KEYS_WARNING,
	"compares them, letter by letter, with the certificate's",
	check_principals},
    {"options-behind-key", KEYS_ERROR, "takes them for a comment: none holds",
	check_options_behind},
    {"two-keys", KEYS_ERROR, "takes the second key for a comment",
	check_two_keys},
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
