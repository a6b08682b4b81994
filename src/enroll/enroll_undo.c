#include "enroll_private.h"

#include "enroll_server.h"
#include "shell.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static void
tell_sessions(struct enroll *enroll, const struct enroll_server_answer *answer)
{
	struct finding finding = {.layer = "sessions",
	    .state = FINDING_WARNING,
	    .code = "sessions-live-on"};
	size_t len = 0, pids = 0;
	char pid[16], all[FINDING_TEXT / 2] = "";

	if (answer->is_blind) {
		finding.state = FINDING_NOT_KNOWN;
		finding.code = "sessions-not-seen";
		snprintf(finding.seen, sizeof finding.seen,
		    "the account sees no processes (there is no ps)");
		snprintf(finding.cause, sizeof finding.cause,
		    "sshd closes nothing when a line goes: sessions by this "
		    "key may live on");
		snprintf(finding.remedy, sizeof finding.remedy,
		    "at the server, as root: ps -ef | grep sshd:");
		findings_add(enroll->findings, &finding);
		return;
	}
	if (answer->session_count == 0) {
		enroll_tell(enroll, "sessions",
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

/* An account for tunnels alone: its half is for whoever may at the server. */
static void
tell_shut(struct enroll *enroll)
{
	struct finding finding = {.layer = "line",
	    .state = FINDING_FAULT,
	    .status = ERR_FAILED,
	    .code = "still-let-in"};

	snprintf(finding.seen, sizeof finding.seen,
	    "%s gives no shell: it lets the key in until its line is taken out",
	    enroll->link->name);
	snprintf(finding.cause, sizeof finding.cause,
	    "the account has no shell to take the line out by");
	snprintf(finding.remedy, sizeof finding.remedy,
	    "at the server, as root: sed -i '\\,%s,d' ~%s/.ssh/authorized_keys",
	    enroll->base64, enroll->way.user);
	findings_add(enroll->findings, &finding);
}

static int
take_line_out(struct enroll *enroll, struct err *err)
{
	const struct enroll_server_order order = {
	    .act = ENROLL_SERVER_REMOVE, .base64 = enroll->base64};
	struct enroll_server_answer answer;

	if (enroll_server_run(enroll->link, &order, &answer, err) != 0) {
		if (!answer.is_shut)
			return -1;
		tell_shut(enroll);
		return 0;
	}
	if (answer.removed == 0)
		enroll_tell(
		    enroll, "line", "no line of %s has the key", answer.file);
	else
		enroll_tell(enroll, "line", "taken out of %s of %s",
		    answer.file, enroll->link->name);
	tell_sessions(enroll, &answer);
	return 0;
}

static int
not_enrolled(const struct enroll *enroll, struct err *err)
{
	char state[PATH_MAX];

	err_set(err, ERR_FAILED, "%s is not enrolled here",
	    enroll->place.dest.host);
	return err_hint(err, "see what is: ls %s/hosts",
	    shell_quoted(enroll->place.state, state, sizeof state));
}

/* Half of it is done: the other half is the gateway's. */
static void
tell_gateway(struct enroll *enroll)
{
	struct finding finding = {.layer = "line",
	    .state = FINDING_FAULT,
	    .status = ERR_FAILED,
	    .code = "still-let-in"};

	snprintf(finding.seen, sizeof finding.seen,
	    "%s is a kayad: it lets the key in until it is told there",
	    enroll->link->name);
	snprintf(finding.cause, sizeof finding.cause,
	    "nobody can take a key out of a kayad from outside");
	snprintf(finding.remedy, sizeof finding.remedy,
	    "at the gateway: kaya keys revoke DIR/authorized_keys %s (that "
	    "closes its sessions, too)",
	    enroll->place.enrolled.user);
	findings_add(enroll->findings, &finding);
}

static int
undo_there(struct enroll *enroll, struct err *err)
{
	if (enroll_reach(enroll, err) != 0)
		return -1;
	if (enroll_is_gateway(enroll)) {
		tell_gateway(enroll);
		return 0;
	}
	return enroll_log_in(enroll, err) == 0 ? take_line_out(enroll, err)
					       : -1;
}

int
enroll_undo(struct enroll *enroll, struct err *err)
{
	char aside[PATH_MAX], name[PATH_MAX];

	if (access(enroll->place.key, F_OK) != 0)
		return not_enrolled(enroll, err);
	if (enroll_read_key(enroll, err) != 0 || undo_there(enroll, err) != 0 ||
	    enroll_place_clear(&enroll->place, aside, err) != 0)
		return -1;
	enroll_tell(
	    enroll, "record", "%s is forgotten here", enroll->place.dest.host);
	enroll_tell(enroll, "key", "moved aside, of no use any more: rm %s*",
	    shell_quoted(aside, name, sizeof name));
	return 0;
}
