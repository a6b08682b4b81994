#include "enroll.h"

#include "clock.h"
#include "enroll_place.h"
#include "enroll_server.h"
#include "keys_edit.h"
#include "keys_line.h"
#include "str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct enroll {
	const struct enroll_options *options;
	struct findings *findings;
	struct enroll_place place;
	struct link *link; /* the user's own login */
	struct dest_enrolled way; /* host, port and user of that */
	char identity[STR_NAME_MAX + 1];
	struct buf public_line, line;
	struct authorized_keys_line key; /* of public_line */
	char base64[128];
};

static void
init(struct enroll *enroll, const struct enroll_options *options,
    struct findings *findings)
{
	memset(enroll, 0, sizeof *enroll);
	enroll->options = options;
	enroll->findings = findings;
	buf_init(&enroll->public_line, KEYS_LINE_MAX_BYTES);
	buf_init(&enroll->line, KEYS_LINE_MAX_BYTES);
}

static void
fini(struct enroll *enroll)
{
	link_free(enroll->link);
	buf_fini(&enroll->public_line);
	buf_fini(&enroll->line);
}

static void __attribute__((format(printf, 3, 4)))
tell(struct enroll *enroll, const char *layer, const char *format, ...)
{
	struct finding finding = {
	    .layer = layer, .state = FINDING_OK, .code = ""};
	va_list args;

	va_start(args, format);
	vsnprintf(finding.seen, sizeof finding.seen, format, args);
	va_end(args);
	findings_add(enroll->findings, &finding);
}

/* ---- the user's own login ---- */

static void
read_way(struct enroll *enroll)
{
	ssh_session session = enroll->link->session;
	char *host = NULL, *user = NULL;
	unsigned port = 22;

	ssh_options_get(session, SSH_OPTIONS_HOST, &host);
	ssh_options_get(session, SSH_OPTIONS_USER, &user);
	ssh_options_get_port(session, &port);
	snprintf(enroll->way.host, sizeof enroll->way.host, "%s",
	    host != NULL ? host : "");
	snprintf(enroll->way.user, sizeof enroll->way.user, "%s",
	    user != NULL ? user : "");
	enroll->way.port = (uint16_t)port;
	ssh_string_free_char(host);
	ssh_string_free_char(user);
}

/* One name stands for one account at one server. */
static int
check_way(struct enroll *enroll, struct err *err)
{
	const struct dest_enrolled *old = &enroll->place.enrolled;
	const struct dest_enrolled *new = &enroll->way;

	if (!enroll->place.is_enrolled ||
	    (strcmp(old->host, new->host) == 0 &&
		old->port == new->port &&strcmp(old->user, new->user) == 0))
		return 0;
	err_set(err, ERR_FAILED, "%s is enrolled already, as %s@%s:%u",
	    enroll->place.dest.host, old->user, old->host, old->port);
	return err_hint(err,
	    "revoke that (kaya enroll --revoke %s), or give the other one a "
	    "name of its own in ~/.ssh/config (Host NAME, HostName %s)",
	    enroll->place.dest.host, new->host);
}

static int
refuse_dropbear(struct enroll *enroll, struct err *err)
{
	const char *banner = ssh_get_serverbanner(enroll->link->session);

	if (banner == NULL || strstr(banner, "dropbear") == NULL)
		return 0;
	err_set(err, ERR_FAILED,
	    "%s runs dropbear, which passes over any line with options that "
	    "it does not know (permitlisten, environment, from)",
	    enroll->link->name);
	return err_hint(err,
	    "write the line by hand with the options that dropbear(8) has: "
	    "restrict is not enough for a tunnel there; or run sshd or kayad");
}

static int
log_in(struct enroll *enroll, struct err *err)
{
	struct link_options options = enroll->options->link;
	const struct dest_enrolled *old = &enroll->place.enrolled;

	options.memory = LINK_ENROLLS;
	options.command = "enroll";
	if (access(enroll->place.known_hosts, R_OK) == 0)
		options.known_hosts = enroll->place.known_hosts;
	/* Not said now: as it was said then. */
	if (options.user == NULL && enroll->place.dest.user[0] == '\0' &&
	    old->user[0] != '\0')
		options.user = old->user;
	if (options.port == 0 && enroll->place.dest.port == 0)
		options.port = old->port;
	enroll->link = link_open(&options, err);
	if (enroll->link == NULL && err->code == ERR_REFUSED)
		return err_hint(err,
		    "enrolment needs one login of yours: a key (-i FILE), an "
		    "agent (ssh-add), or the password at a terminal");
	if (enroll->link == NULL)
		return -1;
	read_way(enroll);
	return refuse_dropbear(enroll, err);
}

static int
pin(struct enroll *enroll, struct err *err)
{
	char *entry = NULL;
	int result;

	if (ssh_session_export_known_hosts_entry(
		enroll->link->session, &entry) != SSH_OK)
		return err_set(err, ERR_NOMEM, "the host key has no text");
	result = enroll_place_pin(&enroll->place, entry, err);
	ssh_string_free_char(entry);
	if (result == 0)
		tell(enroll, "host-key", "%s, pinned in %s",
		    enroll->link->fingerprint, enroll->place.known_hosts);
	return result;
}

/* ---- the key and its line ---- */

/* This machine's name, as far as it is one. */
static void
host_name(char name[STR_NAME_MAX + 1])
{
	char text[256] = "";

	gethostname(text, sizeof text - 1);
	snprintf(name, STR_NAME_MAX + 1, "%.*s", STR_NAME_MAX,
	    text[0] != '\0' ? text : "device");
	for (char *p = name; *p != '\0'; p++)
		if (!str_is_name(span_of(p, 1)))
			*p = '-';
}

static int
read_public_line(struct enroll *enroll, struct err *err)
{
	if (keys_line_take_key(
		buf_span(&enroll->public_line), &enroll->key, err) != 0)
		return -1;
	if (!span_to_str(
		enroll->key.base64, enroll->base64, sizeof enroll->base64))
		return err_set(err, ERR_FAILED, "the key is too long");
	return 0;
}

static int
make_key(struct enroll *enroll, struct err *err)
{
	char host[STR_NAME_MAX + 1], comment[STR_NAME_MAX + 16], date[12];
	char print[PUBKEY_FINGERPRINT_SIZE];
	time_t now = (time_t)clock_wall_s();
	enum enroll_place_key outcome;
	struct tm tm;

	host_name(host);
	localtime_r(&now, &tm);
	strftime(date, sizeof date, "%Y-%m-%d", &tm);
	snprintf(comment, sizeof comment, "%s %s", host, date);
	snprintf(enroll->identity, sizeof enroll->identity, "%s",
	    enroll->options->identity != NULL ? enroll->options->identity
					      : host);
	outcome = enroll_place_make_key(
	    &enroll->place, comment, &enroll->public_line, err);
	if (outcome == ENROLL_KEY_FAILED || read_public_line(enroll, err) != 0)
		return -1;
	tell(enroll, "key", "%s %s, %s", keys_fingerprint(&enroll->key, print),
	    outcome == ENROLL_KEY_MADE ? "made" : "was there",
	    enroll->place.key);
	return 0;
}

static int
write_line(struct enroll *enroll, struct err *err)
{
	const struct enroll_options *options = enroll->options;
	const struct keys_line_wish wish = {
	    .identity = options->identity != NULL ? options->identity
						  : enroll->identity,
	    .from = options->from,
	    .broker_host = options->target_host,
	    .broker_port = options->target_port,
	};

	return keys_line_write(
	    &wish, &enroll->key, clock_wall_s(), &enroll->line, err);
}

static int
put_line(struct enroll *enroll, struct err *err)
{
	const struct enroll_server_order order = {
	    .act = ENROLL_SERVER_ADD,
	    .base64 = enroll->base64,
	    .line = buf_span(&enroll->line),
	};
	struct enroll_server_answer answer;
	const char *did = "added";

	if (enroll_server_run(enroll->link, &order, &answer, err) != 0)
		return -1;
	if (answer.was_there)
		did = "was there";
	else if (answer.removed > 0)
		did = "put in place of the old one";
	tell(enroll, "line", "%s in %s of %s", did, answer.file,
	    enroll->link->name);
	return 0;
}

/* ---- proof ---- */

static int
refused_anyway(struct enroll *enroll, struct err *err)
{
	if (err->code != ERR_REFUSED)
		return err_wrap(err, "the new key could not be tried");
	err_set(err, ERR_REFUSED,
	    "%s does not let the new key in, though its line stands there",
	    enroll->link->name);
	return err_hint(err,
	    "at the server: does AuthorizedKeysFile name another file (sshd -T "
	    "| grep -i authorizedkeysfile), or from= leave this address out? "
	    "Its log tells: journalctl -u ssh -n 20");
}

static int
prove(struct enroll *enroll, struct err *err)
{
	const struct enroll_options *options = enroll->options;
	char remedy[FINDING_TEXT];
	struct enroll_server_answer answer;
	struct enroll_proof proof = {
	    .link = {.dest = enroll->place.dest.host,
		.state_dir = enroll->place.state,
		.ssh_config = options->link.ssh_config,
		.jump = options->link.jump,
		.word_count = options->link.word_count},
	    .target_host = options->target_host,
	    .target_port = options->target_port,
	    .broker_user = options->broker_user,
	    .broker_password = options->broker_password,
	    .key_file = enroll->place.key,
	    .known_hosts = enroll->place.known_hosts,
	    .remedy = remedy,
	    .strictness = options->strictness,
	};
	int result;

	memcpy(proof.link.words, options->link.words, sizeof proof.link.words);
	snprintf(remedy, sizeof remedy,
	    "see that this is the key's one line in authorized_keys, and that "
	    "sshd_config does not allow more:\n%.*s",
	    (int)buf_len(&enroll->line),
	    (const char *)buf_span(&enroll->line).data);
	result = enroll_proof_run(&proof, enroll->findings, err);
	if (result == 0 && proof.left_behind[0] != '\0') {
		const struct enroll_server_order order = {
		    .act = ENROLL_SERVER_TIDY, .path = proof.left_behind};
		struct err ignored = ERR_INIT;

		(void)enroll_server_run(
		    enroll->link, &order, &answer, &ignored);
	}
	return result == 0 ? 0 : refused_anyway(enroll, err);
}

/* ---- all of it ---- */

static void
tell_record(struct enroll *enroll)
{
	const struct enroll_options *options = enroll->options;
	char broker[300] = "";

	if (strcmp(options->target_host, "127.0.0.1") != 0 ||
	    options->target_port != 1883)
		snprintf(broker, sizeof broker, "-b %s:%u ",
		    options->target_host, options->target_port);
	tell(enroll, "record", "from now on: kaya tunnel %s%s", broker,
	    enroll->place.dest.host);
}

static int
run(struct enroll *enroll, struct err *err)
{
	bool was_enrolled;

	if (enroll_place_find(&enroll->place, enroll->options->link.dest,
		enroll->options->link.state_dir, err) != 0 ||
	    log_in(enroll, err) != 0 || check_way(enroll, err) != 0 ||
	    pin(enroll, err) != 0 || make_key(enroll, err) != 0 ||
	    write_line(enroll, err) != 0 || put_line(enroll, err) != 0 ||
	    enroll_place_remember(&enroll->place, enroll->way.host,
		enroll->way.port, enroll->way.user, err) != 0)
		return -1;
	was_enrolled = enroll->place.is_enrolled;
	if (prove(enroll, err) != 0) {
		/* A record of a key that is not let in would be in the way. */
		if (!was_enrolled && err->code == ERR_REFUSED)
			enroll_place_forget(&enroll->place);
		return -1;
	}
	tell_record(enroll);
	return 0;
}

int
enroll_run(const struct enroll_options *options, struct findings *findings,
    struct err *err)
{
	struct enroll *enroll = calloc(1, sizeof *enroll);
	int result;

	if (enroll == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	init(enroll, options, findings);
	result = run(enroll, err);
	fini(enroll);
	free(enroll);
	return result;
}

/* ---- and its undoing ---- */

static void
tell_sessions(struct enroll *enroll, const struct enroll_server_answer *answer)
{
	struct finding finding = {.layer = "sessions",
	    .state = FINDING_WARNING,
	    .code = "sessions-live-on"};
	size_t len = 0, pids = 0;
	char pid[16], all[FINDING_TEXT / 2] = "";

	if (answer->session_count == 0) {
		tell(enroll, "sessions",
		    "no other session of the account is seen");
		return;
	}
	for (size_t i = 0; i < answer->session_count; i++) {
		snprintf(pid, sizeof pid, "%.*s",
		    (int)strcspn(answer->sessions[i], " "),
		    answer->sessions[i]);
		if (len < sizeof finding.seen)
			len += (size_t)snprintf(finding.seen + len,
			    sizeof finding.seen - len, "%s%s",
			    i > 0 ? ", " : "", answer->sessions[i]);
		if (pids < sizeof all)
			pids += (size_t)snprintf(
			    all + pids, sizeof all - pids, " %s", pid);
	}
	snprintf(finding.cause, sizeof finding.cause,
	    "sshd closes nothing when a line goes: these sessions of the "
	    "account live on, and which of them came by this key is not to be "
	    "seen from here");
	snprintf(finding.remedy, sizeof finding.remedy,
	    "at the server, those that are the device's: kill%s", all);
	findings_add(enroll->findings, &finding);
}

static int
take_line_out(struct enroll *enroll, struct err *err)
{
	const struct enroll_server_order order = {
	    .act = ENROLL_SERVER_REMOVE, .base64 = enroll->base64};
	struct enroll_server_answer answer;

	if (enroll_server_run(enroll->link, &order, &answer, err) != 0)
		return -1;
	if (answer.removed == 0)
		tell(enroll, "line", "no line of %s has the key", answer.file);
	else
		tell(enroll, "line", "taken out of %s of %s", answer.file,
		    enroll->link->name);
	tell_sessions(enroll, &answer);
	return 0;
}

static int
not_enrolled(const struct enroll *enroll, struct err *err)
{
	err_set(err, ERR_FAILED, "%s is not enrolled here",
	    enroll->place.dest.host);
	return err_hint(err, "see what is: ls %s/hosts", enroll->place.state);
}

static int
undo(struct enroll *enroll, struct err *err)
{
	char aside[PATH_MAX];

	if (enroll_place_find(&enroll->place, enroll->options->link.dest,
		enroll->options->link.state_dir, err) != 0)
		return -1;
	if (access(enroll->place.key, F_OK) != 0)
		return not_enrolled(enroll, err);
	if (enroll_place_read_key(&enroll->place, &enroll->public_line, err) !=
		0 ||
	    read_public_line(enroll, err) != 0 || log_in(enroll, err) != 0 ||
	    check_way(enroll, err) != 0 || take_line_out(enroll, err) != 0 ||
	    enroll_place_clear(&enroll->place, aside, err) != 0)
		return -1;
	tell(enroll, "record", "%s is forgotten here", enroll->place.dest.host);
	tell(enroll, "key", "moved aside, of no use any more: rm %s*", aside);
	return 0;
}

int
enroll_revoke(const struct enroll_options *options, struct findings *findings,
    struct err *err)
{
	struct enroll *enroll = calloc(1, sizeof *enroll);
	int result;

	if (enroll == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	init(enroll, options, findings);
	result = undo(enroll, err);
	fini(enroll);
	free(enroll);
	return result;
}
