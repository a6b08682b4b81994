#include "compare_private.h"

#include "check.h"
#include "command_forward.h"
#include "shell_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* compare_conclude: why one works and the other does not, in one sentence. */

enum conclusion {
	BOTH_SAME_KEY,
	BOTH_OTHER_KEY,
	NEVER_STARTS,
	KEY_NOT_OFFERED,
	KEY_REFUSED,
	OTHER_LINE,
	OTHER_SPELLING,
	OTHER_TARGET,
	HOST_KEY,
	UNREACHABLE,
	OTHERWISE,
	NEITHER
};

/* {good} works, {bad} does not. */
static const struct {
	const char *cause;
	const char *remedy;
} sentences[] = {
    [BOTH_SAME_KEY] = {"{good} and {bad} are let in by the same key, {key}"
		       "{line}, and both reach the broker: what differs "
		       "between them does not matter for that",
	""},
    [BOTH_OTHER_KEY] = {"both reach the broker, by two keys: {good} is let in "
			"by {key}{line}, {bad} by {other_key}{other_line}",
	""},
    [NEVER_STARTS] = {"{bad} fails where {good} works because it never "
		      "starts: ssh says \"{refused}\"",
	"what is wrong with it: kaya doctor -- {bad_said}"},
    [KEY_NOT_OFFERED] = {"{bad} fails where {good} works because it does not "
			 "offer the key {key} ({print}) that lets {good} in"
			 "{line}; it offers {offered}",
	"{mend}"},
    [KEY_REFUSED] = {"{bad} fails where {good} works although it offers the "
		     "same key, {key}: it goes to {bad_dest}, {good} goes to "
		     "{good_dest}",
	"go to {good_dest}, or have the key let in at {bad_dest}: "
	"ssh-copy-id -i {file} {bad_dest}"},
    [OTHER_LINE] = {"{bad} fails where {good} works because another key lets "
		    "it in: {other_key}{other_line}, which may not go to "
		    "{bad_target}; {good} is let in by {key}{line}",
	"{mend}"},
    [OTHER_SPELLING] = {"{bad} fails where {good} works because it asks for "
			"{bad_target}, which {key}{line} may not reach; "
			"{good} asks for {good_target}",
	"ask for {good_target}: -L {near}:{good_target} (LocalForward {near} "
	"{good_target})"},
    [OTHER_TARGET] = {"{bad} fails where {good} works because nothing listens "
		      "on {bad_target} at the server; {good} asks for "
		      "{good_target}",
	"ask for {good_target}: -L {near}:{good_target} (LocalForward {near} "
	"{good_target})"},
    [HOST_KEY] = {"{bad} fails where {good} works because the host key that "
		  "it meets is not one that it knows (it reads {bad_known}, "
		  "{good} reads {good_known})",
	"-o UserKnownHostsFile={good_known}"},
    [UNREACHABLE] = {"{bad} fails where {good} works because it does not "
		     "reach a server: it goes to {bad_dest}, {good} goes to "
		     "{good_dest}; ssh says \"{said}\"",
	"go to {good_dest}"},
    [OTHERWISE] = {"{bad} fails where {good} works: ssh says \"{said}\"",
	"kaya doctor -- {bad_said}"},
    [NEITHER] = {"neither works: of {good} ssh says \"{good_word}\", of "
		 "{bad} \"{bad_word}\"",
	"kaya doctor -- {bad_said}"},
};

static const int statuses[] = {
    [SSH_LOGIN_CARRIES] = ERR_NONE,
    [SSH_LOGIN_PROHIBITED] = ERR_REFUSED,
    [SSH_LOGIN_NO_TARGET] = ERR_UNREACHABLE,
    [SSH_LOGIN_REFUSED] = ERR_REFUSED,
    [SSH_LOGIN_HOST_KEY] = ERR_HOST_KEY,
    [SSH_LOGIN_UNREACHABLE] = ERR_UNREACHABLE,
    [SSH_LOGIN_FAILED] = ERR_FAILED,
};

bool
compare_works(const struct compare_side *side)
{
	return side->refused[0] == '\0' &&
	       side->login.outcome == SSH_LOGIN_CARRIES;
}

static int
status_of(const struct compare_side *side)
{
	if (side->refused[0] != '\0')
		return err_exit_status(ERR_FAILED);
	return err_exit_status((enum err_code)statuses[side->login.outcome]);
}

static bool
is_same_key(const struct ssh_login *a, const struct ssh_login *b)
{
	return strcmp(a->key.fingerprint, b->key.fingerprint) == 0;
}

static bool
offers(const struct ssh_login *login, const char *fingerprint)
{
	for (size_t i = 0; i < login->offered_count; i++)
		if (strcmp(login->offered[i].fingerprint, fingerprint) == 0)
			return true;
	return false;
}

static enum conclusion
conclude_one(const struct compare_side *good, const struct compare_side *bad)
{
	if (bad->refused[0] != '\0')
		return NEVER_STARTS;
	switch (bad->login.outcome) {
	case SSH_LOGIN_REFUSED:
		return good->login.key.fingerprint[0] != '\0' &&
			       !offers(&bad->login, good->login.key.fingerprint)
			   ? KEY_NOT_OFFERED
			   : KEY_REFUSED;
	case SSH_LOGIN_PROHIBITED:
		return is_same_key(&good->login, &bad->login) ? OTHER_SPELLING
							      : OTHER_LINE;
	case SSH_LOGIN_NO_TARGET:
		return OTHER_TARGET;
	case SSH_LOGIN_HOST_KEY:
		return HOST_KEY;
	case SSH_LOGIN_UNREACHABLE:
		return UNREACHABLE;
	case SSH_LOGIN_CARRIES:
	case SSH_LOGIN_FAILED:
		break;
	}
	return OTHERWISE;
}

static enum conclusion
conclude(const struct compare_side *good, const struct compare_side *bad)
{
	if (compare_works(good) && compare_works(bad))
		return is_same_key(&good->login, &bad->login) ? BOTH_SAME_KEY
							      : BOTH_OTHER_KEY;
	if (!compare_works(good))
		return NEITHER;
	return conclude_one(good, bad);
}

/* ---- the words ---- */

static void
put_line(const struct compare_side *side, char *text, size_t size)
{
	const struct ssh_login *login = &side->login;
	const char *permits =
	    side->permits[0] != '\0' ? side->permits : login->permits;

	text[0] = '\0';
	if (login->line > 0)
		snprintf(text, size, " by line %zu of %s%s%s%s", login->line,
		    login->file, permits[0] != '\0' ? " (" : "", permits,
		    permits[0] != '\0' ? ")" : "");
}

static void
put_offered(const struct ssh_login *login, char *text, size_t size)
{
	size_t used = 0;

	snprintf(text, size, "no key");
	for (size_t i = 0; i < login->offered_count && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s",
		    used > 0 ? ", " : "", login->offered[i].name);
}

static void
put_dest(const struct compare_side *side, char *text, size_t size)
{
	snprintf(text, size, "%s@%s:%s",
	    ssh_settings_get(&side->settings, "user"),
	    ssh_settings_get(&side->settings, "hostname"),
	    ssh_settings_get(&side->settings, "port"));
}

static bool
is_loopback(const char *host)
{
	return strcmp(host, "localhost") == 0 ||
	       strcmp(host, "127.0.0.1") == 0 || strcmp(host, "::1") == 0;
}

/*
 * The good one's key may go where that one goes: another spelling of loopback
 * would be the next fault.  `text` holds the option's argument.
 */
static void
spell_as(const struct compare_side *good, struct command_line *line, char *text,
    size_t size)
{
	struct command_forward ours, theirs;
	struct command_option *i = command_line_option(line, 'L', NULL);
	char there[340];

	snprintf(there, sizeof there, "1:%s", good->target);
	if (i == NULL || !command_forward_parse(&theirs, there, 'L') ||
	    !command_forward_parse(&ours, i->argument, 'L') ||
	    !is_loopback(theirs.host) || !is_loopback(ours.host) ||
	    ours.host_port != theirs.host_port ||
	    strcmp(ours.host, theirs.host) == 0)
		return;
	memcpy(ours.host, theirs.host, sizeof ours.host);
	i->argument = command_forward_text(&ours, text, size);
}

/* The bad side with the good one's key, and no other. */
static void
put_mend(const struct compare_side *good, const struct compare_side *bad,
    char *text, size_t size)
{
	const char *key = good->login.key.name;
	struct command_line line = bad->given.line;
	struct command_option *i;
	char forward[700];
	struct buf out;

	if (bad->given.kind == COMMAND_GIVEN_DEST) {
		snprintf(text, size,
		    "under Host %s of ssh_config: IdentityFile %s and "
		    "IdentitiesOnly yes",
		    bad->said, key);
		return;
	}
	while ((i = command_line_option(&line, 'i', NULL)) != NULL)
		i->dropped = true;
	command_line_add(&line, 'i', key);
	command_line_add(&line, 'o', "IdentitiesOnly=yes");
	spell_as(good, &line, forward, sizeof forward);
	buf_init(&out, size - 1);
	command_line_text(&line, &out);
	if (!span_to_str(buf_span(&out), text, size))
		snprintf(text, size, "-i %s -o IdentitiesOnly=yes", key);
	buf_fini(&out);
}

/* Where the bad side listens, to be listened on again. */
static void
put_near(const struct compare_side *side, char *text, size_t size)
{
	const char *value = ssh_settings_get(&side->settings, "localforward");

	snprintf(text, size, "%.*s", (int)strcspn(value, " "), value);
	if (text[0] == '\0')
		snprintf(text, size, "22883");
}

static const char *
last_word(const struct compare_side *side)
{
	return side->refused[0] != '\0' ? side->refused : side->login.said;
}

static void
fill(struct compare *c, enum conclusion conclusion,
    const struct compare_side *good, const struct compare_side *bad)
{
	char line[1100], other_line[1100], offered[600], near[300], mend[1500];
	char good_dest[700], bad_dest[700];

	put_line(good, line, sizeof line);
	put_line(bad, other_line, sizeof other_line);
	put_offered(&bad->login, offered, sizeof offered);
	put_dest(good, good_dest, sizeof good_dest);
	put_dest(bad, bad_dest, sizeof bad_dest);
	put_near(bad, near, sizeof near);
	put_mend(good, bad, mend, sizeof mend);
	const struct check_word words[] = {
	    {"good", good->name},
	    {"bad", bad->name},
	    {"bad_said", bad->said},
	    {"key", good->login.key.name},
	    {"print", good->login.key.fingerprint},
	    {"other_key", bad->login.key.name},
	    {"line", line},
	    {"other_line", other_line},
	    {"offered", offered},
	    {"file", good->login.key.name},
	    {"refused", bad->refused},
	    {"said", bad->login.said},
	    {"good_word", last_word(good)},
	    {"bad_word", last_word(bad)},
	    {"good_dest", good_dest},
	    {"bad_dest", bad_dest},
	    {"good_target", good->target},
	    {"bad_target", bad->target},
	    {"good_known",
		ssh_settings_get(&good->settings, "userknownhostsfile")},
	    {"bad_known",
		ssh_settings_get(&bad->settings, "userknownhostsfile")},
	    {"near", near},
	    {"mend", mend},
	    {0},
	};
	check_fill(
	    sentences[conclusion].cause, words, c->cause, sizeof c->cause);
	check_fill(
	    sentences[conclusion].remedy, words, c->remedy, sizeof c->remedy);
}

void
compare_conclude(struct compare *compare)
{
	const struct compare_side *good = &compare->sides[0];
	const struct compare_side *bad = &compare->sides[1];

	if (!compare_works(good) && compare_works(bad)) {
		good = &compare->sides[1];
		bad = &compare->sides[0];
	}
	fill(compare, conclude(good, bad), good, bad);
	compare->status = status_of(bad);
}
