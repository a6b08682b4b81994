#include "ssh_login.h"

#include "program.h"
#include "str.h"

#include <stdio.h>
#include <stdlib.h>

enum { TRY_MS = 20000, WORDS_MAX = 600, LINE_MAX_BYTES = 2048 };

/*
 * A server's banner stands among ssh's own words, and may be like them: what is
 * read here is as good as the server's word, and escaped.
 */

/* "NAME TYPE SHA256:... [explicit] [agent]"; the name may hold blanks. */
static bool
read_key(struct ssh_login_key *key, const char *text)
{
	const char *print = strstr(text, " SHA256:"), *type = print;

	memset(key, 0, sizeof *key);
	if (print == NULL)
		return false;
	while (type > text && type[-1] != ' ')
		type--;
	if (type == text)
		return false;
	str_escape(span_of(text, (size_t)(type - text) - 1), key->name,
	    sizeof key->name);
	str_escape(
	    span_of(type, (size_t)(print - type)), key->type, sizeof key->type);
	print++;
	str_escape(span_of(print, strcspn(print, " ")), key->fingerprint,
	    sizeof key->fingerprint);
	key->in_agent = strstr(print, " agent") != NULL;
	return true;
}

static void
on_offer(struct ssh_login *login, const char *rest)
{
	if (login->offered_count < SSH_LOGIN_KEYS_MAX &&
	    read_key(&login->offered[login->offered_count], rest))
		login->offered_count++;
}

static void
on_accept(struct ssh_login *login, const char *rest)
{
	read_key(&login->key, rest);
}

/* `HOST ([ADDRESS]:PORT) using "METHOD".` */
static void
on_authenticated(struct ssh_login *login, const char *rest)
{
	const char *address = strstr(rest, "([");
	const char *method = strstr(rest, "using \"");

	if (method != NULL)
		str_escape(span_of(method + 7, strcspn(method + 7, "\"")),
		    login->method, sizeof login->method);
	if (address != NULL)
		str_escape(span_of(address + 2, strcspn(address + 2, "]")),
		    login->address, sizeof login->address);
	login->outcome = SSH_LOGIN_FAILED;
}

/* "FILE:LINE: key options: permitopen port-forwarding" */
static void
on_remote(struct ssh_login *login, const char *rest)
{
	const char *options = strstr(rest, ": key options:");
	const char *colon = options;

	if (options == NULL)
		return;
	while (colon > rest && colon[-1] != ':')
		colon--;
	if (colon == rest)
		return;
	login->line = strtoul(colon, NULL, 10);
	str_escape(span_of(rest, (size_t)(colon - rest) - 1), login->file,
	    sizeof login->file);
	options += strlen(": key options:");
	options += strspn(options, " ");
	str_escape(span_of_str(options), login->permits, sizeof login->permits);
}

static void
on_open(struct ssh_login *login, const char *rest)
{
	login->outcome = SSH_LOGIN_CARRIES;
}

static void
on_open_failed(struct ssh_login *login, const char *rest)
{
	login->outcome = strncmp(rest, "administratively", 16) == 0
			     ? SSH_LOGIN_PROHIBITED
			     : SSH_LOGIN_NO_TARGET;
}

static void
on_denied(struct ssh_login *login, const char *rest)
{
	login->outcome = SSH_LOGIN_REFUSED;
}

static void
on_host_key(struct ssh_login *login, const char *rest)
{
	login->outcome = SSH_LOGIN_HOST_KEY;
}

static void
on_unreachable(struct ssh_login *login, const char *rest)
{
	login->outcome = SSH_LOGIN_UNREACHABLE;
}

/* What stands at a line's front, or (in_line) anywhere in it. */
static const struct {
	const char *text;
	enum { AT_FRONT, IN_LINE } where;
	void (*take)(struct ssh_login *login, const char *rest);
} marks[] = {
    {"debug1: Offering public key: ", AT_FRONT, on_offer},
    {"debug1: Server accepts key: ", AT_FRONT, on_accept},
    {"debug1: Remote: ", AT_FRONT, on_remote},
    {"debug2: channel 0: open confirm", AT_FRONT, on_open},
    {"Authenticated to ", AT_FRONT, on_authenticated},
    {"channel 0: open failed: ", AT_FRONT, on_open_failed},
    {": Permission denied", IN_LINE, on_denied},
    {"Too many authentication failures", IN_LINE, on_denied},
    {"Host key verification failed", AT_FRONT, on_host_key},
    {"ssh: connect to host", AT_FRONT, on_unreachable},
    {"ssh: Could not resolve", AT_FRONT, on_unreachable},
    {"kex_exchange_identification", AT_FRONT, on_unreachable},
    {"Connection timed out", AT_FRONT, on_unreachable},
};

static void
read_line(struct ssh_login *login, const char *line)
{
	for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
		const char *at = strstr(line, marks[i].text);

		if (at == NULL || (marks[i].where == AT_FRONT && at != line))
			continue;
		/* A key's comment may hold anything. */
		if (marks[i].where == IN_LINE && strncmp(line, "debug", 5) == 0)
			continue;
		marks[i].take(login, at + strlen(marks[i].text));
		break;
	}
	if (strncmp(line, "debug", 5) != 0 && line[0] != '\0' &&
	    strncmp(line, "Authenticated ", 14) != 0 &&
	    strncmp(line, "Warning: ", 9) != 0 && line[0] != '@')
		str_escape(span_of_str(line), login->said, sizeof login->said);
}

void
ssh_login_read(struct ssh_login *login, struct span text)
{
	char line[LINE_MAX_BYTES];

	memset(login, 0, sizeof *login);
	login->outcome = SSH_LOGIN_FAILED;
	while (text.len > 0) {
		const uint8_t *end = memchr(text.data, '\n', text.len);
		size_t len = end != NULL ? (size_t)(end - text.data) : text.len;
		size_t own = len;

		if (own > 0 && text.data[own - 1] == '\r')
			own--;
		if (span_to_str(span_of(text.data, own), line, sizeof line))
			read_line(login, line);
		text = span_of(text.data + len, text.len - len);
		if (end != NULL)
			text = span_of(text.data + 1, text.len - 1);
	}
	if (login->method[0] == '\0' || strcmp(login->method, "publickey") != 0)
		memset(&login->key, 0, sizeof login->key);
}

void
ssh_login_try(
    struct ssh_login *login, const char *const *words, const char *target)
{
	static const char *const before[] = {"ssh", "-vv", "-o",
	    "BatchMode=yes", "-o", "ControlPath=none", "-o", "ControlMaster=no",
	    "-o", "PermitLocalCommand=no", "-o", "ConnectTimeout=10", "-o",
	    "LogLevel=DEBUG2", "-o",
	    "IgnoreUnknown=ForkAfterAuthentication,SessionType", "-o",
	    "ForkAfterAuthentication=no", "-o", "SessionType=none", "-W"};
	const char *all[WORDS_MAX];
	struct program program;
	size_t count = sizeof before / sizeof before[0];

	memcpy(all, before, sizeof before);
	all[count++] = target;
	while (*words != NULL && count + 1 < WORDS_MAX)
		all[count++] = *words++;
	all[count] = NULL;
	program_run(&program, all, TRY_MS);
	ssh_login_read(login, span_of_str(program_said(&program)));
	program_fini(&program);
}
