#include "enroll_private.h"

#include "clock.h"
#include "enroll_server.h"
#include "keys_line.h"
#include "link_auth.h"
#include "shell.h"

#include <stdio.h>
#include <unistd.h>

/* ---- the user's own login ---- */

void
enroll_read_way(struct enroll *enroll)
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
check_way(const struct enroll *enroll, struct err *err)
{
	const struct dest_enrolled *old = &enroll->place.enrolled;
	const struct dest_enrolled *now = &enroll->way;

	if (!enroll->place.is_enrolled ||
	    (strcmp(old->host, now->host) == 0 && old->port == now->port &&
		strcmp(old->user, now->user) == 0))
		return 0;
	err_set(err, ERR_FAILED, "%s is enrolled already, as %s@%s:%u",
	    enroll->place.dest.host, old->user, old->host, old->port);
	return err_hint(err,
	    "revoke that (kaya enroll --revoke %s), or give the other one a "
	    "name of its own in ~/.ssh/config (Host NAME, HostName %s)",
	    enroll->dest, now->host);
}

static const char *
banner_of(const struct enroll *enroll)
{
	const char *banner = ssh_get_serverbanner(enroll->link->session);

	return banner != NULL ? banner : "";
}

bool
enroll_is_gateway(const struct enroll *enroll)
{
	return strncmp(banner_of(enroll), "SSH-2.0-kaya_", 13) == 0;
}

/* Servers whose authorized_keys a login cannot put the line into. */
static int
refuse_others(const struct enroll *enroll, struct err *err)
{
	if (enroll_is_gateway(enroll)) {
		err_set(err, ERR_FAILED,
		    "%s is a kayad: nobody logs in there, keys come in by code",
		    enroll->link->name);
		return err_hint(err,
		    "have one made there (kaya invite NAME), then: kaya enroll "
		    "--code CODE %s",
		    enroll->options->link.dest);
	}
	if (strstr(banner_of(enroll), "dropbear") == NULL)
		return 0;
	err_set(err, ERR_FAILED,
	    "%s runs dropbear, which passes over any line with options that "
	    "it does not know (permitlisten, environment, from)",
	    enroll->link->name);
	return err_hint(err,
	    "write the line by hand, with the options that its dropbear(8) "
	    "names; or run sshd or kayad there");
}

static void
make_options(const struct enroll *enroll, struct link_options *options)
{
	const struct dest_enrolled *old = &enroll->place.enrolled;

	*options = enroll->options->link;
	options->memory = LINK_ENROLLS;
	if (access(enroll->place.known_hosts, R_OK) == 0)
		options->known_hosts = enroll->place.known_hosts;
	/* Not said now: as it was said then. */
	if (options->user == NULL && enroll->place.dest.user[0] == '\0' &&
	    old->user[0] != '\0')
		options->user = old->user;
	if (options->port == 0 && enroll->place.dest.port == 0)
		options->port = old->port;
}

int
enroll_reach(struct enroll *enroll, struct err *err)
{
	struct link_options options;

	make_options(enroll, &options);
	enroll->link = link_prepare(&options, err);
	if (enroll->link == NULL)
		return -1;
	enroll_read_way(enroll);
	if (check_way(enroll, err) != 0)
		return -1;
	if (link_reach(enroll->link, err) == 0 &&
	    link_check_host_key(enroll->link, &options, err) == 0)
		return 0;
	return link_place(enroll->link, err);
}

int
enroll_log_in(struct enroll *enroll, struct err *err)
{
	struct link_options options;

	if (refuse_others(enroll, err) != 0)
		return -1;
	make_options(enroll, &options);
	return link_authenticate(enroll->link, &options, err);
}

int
enroll_pin(struct enroll *enroll, struct err *err)
{
	char *entry = NULL;
	int result;

	if (ssh_session_export_known_hosts_entry(
		enroll->link->session, &entry) != SSH_OK)
		return err_set(err, ERR_NOMEM, "the host key has no text");
	result = enroll_place_pin(&enroll->place, entry, err);
	ssh_string_free_char(entry);
	if (result == 0)
		enroll_tell(enroll, "host-key", "%s, pinned in %s",
		    enroll->link->fingerprint, enroll->place.known_hosts);
	return result;
}

/* ---- at a stock sshd ---- */

static struct keys_line_wish
wish_of(const struct enroll *enroll)
{
	const struct enroll_options *options = enroll->options;

	return (struct keys_line_wish){
	    .identity = options->identity != NULL ? options->identity
						  : enroll->identity,
	    .from = options->from,
	    .broker_host = options->target_host,
	    .broker_port = options->target_port,
	};
}

/* What was asked for wrongly is told before anybody is asked to log in. */
static int
check_wish(const struct enroll *enroll, struct err *err)
{
	struct keys_line_wish wish = wish_of(enroll);

	if (wish.identity[0] == '\0')
		wish.identity = "this-machine"; /* named with its key */
	if (keys_line_check(&wish, clock_wall_s(), err) == 0)
		return 0;
	return err_wrap(err, "the line for the key cannot be written");
}

static int
write_line(struct enroll *enroll, struct err *err)
{
	const struct keys_line_wish wish = wish_of(enroll);

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

	if (enroll_server_run(enroll->link, &order, &answer, err) != 0) {
		enroll->is_shut = answer.is_shut;
		return -1;
	}
	if (answer.was_there)
		did = "was there";
	else if (answer.removed > 0)
		did = "put in place of the old one";
	enroll_tell(enroll, "line", "%s in %s of %s", did, answer.file,
	    enroll->link->name);
	return 0;
}

/*
 * The command that puts the line in, for whoever may at the server.  A long
 * --from leaves it no room: half a command is none.
 */
static int
hint_by_hand(const struct enroll *enroll, struct err *err)
{
	char line[sizeof err->hint / 2], quoted[sizeof err->hint];
	const char *user = enroll->way.user;

	if (!span_to_str(buf_span(&enroll->line), line, sizeof line) ||
	    strlen(user) > sizeof err->hint / 16)
		return err_hint(err,
		    "copy %s.pub to the server and put it in there, as root: "
		    "kaya keys add --help has the same options",
		    enroll->place.key);
	return err_hint(err,
	    "put the line in at the server, as root: install -d -m 700 -o %s "
	    "~%s/.ssh && echo %s >>~%s/.ssh/authorized_keys && chown %s: "
	    "~%s/.ssh/authorized_keys; then enroll again",
	    user, user, shell_quoted(line, quoted, sizeof quoted), user, user,
	    user);
}

static int
refused_anyway(const struct enroll *enroll, struct err *err)
{
	err_set(err, ERR_REFUSED,
	    "%s does not let the new key in, though its line stands there",
	    enroll->link->name);
	return err_hint(err,
	    "at the server: does AuthorizedKeysFile name another file (sshd -T "
	    "| grep -i authorizedkeysfile), or from= leave this address out? "
	    "Its log tells: journalctl -u ssh -n 20");
}

/*
 * No shell, as for an account that is for tunnels alone: somebody else has put
 * the line in, then the key is proved; or is told how.
 */
static int
prove_by_hand(struct enroll *enroll, const char *remedy, struct err *err)
{
	struct err shut = *err;

	if (enroll_prove(enroll, remedy, err) == 0)
		return 0;
	if (err->code != ERR_REFUSED)
		return -1;
	*err = shut;
	return hint_by_hand(enroll, err);
}

int
enroll_by_login(struct enroll *enroll, struct err *err)
{
	char remedy[FINDING_TEXT];

	if (check_wish(enroll, err) != 0 || enroll_reach(enroll, err) != 0 ||
	    enroll_log_in(enroll, err) != 0 || enroll_pin(enroll, err) != 0 ||
	    enroll_make_key(enroll, err) != 0 || write_line(enroll, err) != 0 ||
	    (put_line(enroll, err) != 0 && !enroll->is_shut))
		return -1;
	snprintf(remedy, sizeof remedy,
	    "see that this is the key's one line in authorized_keys, and that "
	    "sshd_config does not allow more:\n%.*s",
	    (int)buf_len(&enroll->line),
	    (const char *)buf_span(&enroll->line).data);
	if (enroll->is_shut)
		return prove_by_hand(enroll, remedy, err);
	if (enroll_prove(enroll, remedy, err) == 0)
		return 0;
	return err->code == ERR_REFUSED ? refused_anyway(enroll, err) : -1;
}
