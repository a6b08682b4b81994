#ifndef KAYA_PARENT_PRIVATE_H
#define KAYA_PARENT_PRIVATE_H

/*
 * What the modules behind parent.h share.  Nobody else includes it.
 *
 *	parent          beginning, signals, end
 *	parent_reload   configuration and keys, read and put in force
 *	parent_desk     what the child asks for: signatures, connections
 *	parent_enroll   a key that comes in by a code
 *	parent_invite   those codes: made, listed, cancelled
 *	parent_revoke   keys, taken out
 *	parent_control  the control socket, and control.kaya through SSH
 *	parent_approval commands that need two people (parent_approval.h)
 *	parent_peers    other gateways before the same broker (parent_peers.h)
 *	parent_status   how the gateway is
 *	parent_audit    the log of what was decided
 *	parent_policy   who may ask and decide what
 */

#include "approval.h"
#include "audit.h"
#include "child.h"
#include "connector.h"
#include "control.h"
#include "key_files.h"
#include "log.h"
#include "monitor.h"
#include "netaddr.h"
#include "parent.h"
#include "policy.h"
#include "ports.h"
#include "private_broker.h"
#include "privileges.h"
#include "witness.h"
#include "pubkey.h"

enum { PARENT_SIGNALS = 4 };

struct approvals;
struct parent;
struct parent_peers;
struct errand;
struct enrolment;

/* The parent's end of one thread's pair. */
struct desk {
	struct parent *parent;
	struct monitor monitor;
};

/* The way to the brokers, and the one that is ours (NULL: none is). */
struct parent_brokers {
	struct private_broker *own;
	struct connector *connector;
};

/* NULL: nothing to be watched, or no way to. */
struct parent_watches {
	struct key_files_watch *keys, *revoked, *policy;
};

struct parent_policy {
	bool is_set; /* else nothing was sent */
	struct policy *policy; /* NULL: there is none */
	uint8_t digest[PUBKEY_DIGEST_BYTES]; /* of its text; 0: none */
};

struct parent {
	const struct parent_options *options;
	struct settings settings; /* in force */
	struct loop *loop;
	pid_t child;
	struct loop_signal *signals[PARENT_SIGNALS];
	struct loop_timer *deadline; /* of the child's end */

	struct privileges_user user, net_user;
	bool is_root;

	struct ports ports;
	size_t threads;
	int desk_fds[CHILD_THREADS_MAX]; /* the child's ends, likewise */
	int control_fd;
	struct desk desks[CHILD_THREADS_MAX];
	struct monitor child_control;

	struct ssh_host_key *host_keys[SSH_HOST_KEYS_MAX];
	size_t host_key_count;
	struct parent_brokers brokers;
	struct parent_watches watches; /* over the files in force */
	struct parent_watches pending_watches; /* over those that were sent */
	struct control *control;
	struct audit *audit;
	struct approvals *approvals;
	struct witness_bounds witness_bounds;
	struct parent_peers *peers; /* NULL: no other gateways */
	struct parent_policy policy, policy_sent;

	uint64_t generation; /* of the last snapshot that was sent */
	uint64_t in_force;
	uint64_t brokers_since; /* the generation that they came with */
	struct errand *early; /* asked by a snapshot not in force here */
	struct enrolment *enrolments; /* keys that wait to be in force */
	struct settings pending; /* sent, not yet in force */
	bool has_pending;
	bool must_reload; /* once it is in force, or refused */
	struct parent_brokers pending_brokers; /* none: they stay the same */
	bool is_ready;
	bool is_stopping;
	bool is_child_gone;
	bool has_failed;
	struct err *err;
};

/* End with this error; the first one counts. */
void parent_fail(struct parent *parent, const struct err *err);

/* The other process has ended: in order, where we are stopping. */
void parent_child_is_gone(struct parent *parent);

/* ---- parent_reload ---- */

/* Read the keys, and hand all of it to the child. */
int parent_send_snapshot(struct parent *parent, const struct settings *settings,
    const struct snapshot_file *configuration, struct err *err);

/* Read everything anew; what is wrong leaves what is in force. */
void parent_reload(struct parent *parent);

/* Reload when keys or policy change; what cannot be watched is logged. */
struct parent_watches parent_watch(
    struct parent *parent, const struct settings *settings);
void parent_unwatch(struct parent_watches *watches);

/* -1 and `err`, and nothing in `brokers`, where they cannot be begun with. */
int parent_start_brokers(struct parent *parent, const struct settings *settings,
    struct parent_brokers *brokers, struct err *err);
void parent_stop_brokers(struct parent_brokers *brokers);

/* The child says what became of a snapshot (MONITOR_IN_FORCE). */
void parent_on_in_force(
    struct parent *parent, const struct monitor_message *message);

/* ---- parent_desk ---- */

/* A thread of the child asks (monitor_fn; `arg` is its desk). */
void parent_on_desk(void *arg, const struct monitor_message *message, int fd);

/* Do what waited for the snapshot that is in force now; or forget it. */
void parent_run_early(struct parent *parent);
void parent_drop_early(struct parent *parent);

/* ---- parent_enroll ---- */

/* Somebody gives a code for a key (MONITOR_ENROLL). */
void parent_enroll(struct desk *desk, const struct monitor_message *message);

/* Tell those whose keys are in force, or will not be. */
void parent_settle_enrolments(struct parent *parent);
void parent_drop_enrolments(struct parent *parent);

/* ---- parent_control ---- */

/* Who asks. */
struct requester {
	char identity[STR_NAME_MAX + 1]; /* at the control socket: the user */
	char role[STR_NAME_MAX + 1]; /* of the key's line; "": none */
	char from[NETADDR_TEXT_SIZE]; /* an address; "": the control socket */
};

struct requester parent_requester(const struct control_client *client);

/* As the policy in force sees it; false where there is none. */
bool parent_requester_who(const struct parent *parent,
    const struct requester *requester, struct policy_who *who);

/* {"error":...,"where":...,"hint":...,"code":...} */
void parent_answer_err(struct control_client *client, const struct err *err);

/* The next word of a request, and what follows it. */
struct span parent_take_word(struct span *rest);

/* Put identity and from into an entry. */
void parent_audit_requester(
    struct audit_entry *entry, const struct control_client *client);

/* Somebody asks at the control socket, or through SSH (control_fn). */
void parent_on_request(
    void *arg, const char *request, struct control_client *client);

/* The child has somebody who would ask (MONITOR_ASK). */
void parent_on_ask(struct desk *desk, const struct monitor_message *message);

/* `rest`: what stands behind the request's first word. */
typedef void parent_request_fn(
    struct parent *parent, struct span rest, struct control_client *client);

parent_request_fn parent_start_status;

/* ---- parent_invite ---- */

parent_request_fn parent_invite; /* NAME SECONDS ROLE|- one|more */
parent_request_fn parent_list_invitations;
parent_request_fn parent_cancel_invitation; /* NAME */

/* ---- parent_revoke ---- */

parent_request_fn parent_revoke; /* NAME|SHA256:... */

/* ---- parent_approval ---- */

int parent_start_approvals(struct parent *parent, struct err *err);
void parent_end_approvals(struct parent *parent);

/* Nothing that is held is let go any more: POLICY_CHANGED, STOPPING. */
void parent_revoke_approvals(struct parent *parent, enum approval_cause cause);

/* A message of the child's; false where it is about something else. */
bool parent_approval_on_desk(
    struct desk *desk, const struct monitor_message *message);

/* Somebody, by the policy in force, agrees or denies; with approval_agree's
 * and approval_deny's results.  How it ends is told later: see
 * parent_approval_wait. */
struct approval_judgement {
	const struct policy_who *who;
	struct span role; /* of his key's line, as `who` was made with */
	struct span id, reason;
	bool agrees;
};
enum approval_cause parent_approval_judge(
    struct parent *parent, const struct approval_judgement *judgement);

parent_request_fn parent_pending;
parent_request_fn parent_approve; /* ID */
parent_request_fn parent_deny; /* ID REASON */

/* What approve and deny led to, for who waits with this ticket. */
void parent_approval_answer(struct parent *parent, uint64_t ticket,
    const struct approval_command *command);

/* ---- parent_status ---- */

/* The child's part of the answer; `fd` stays the caller's. */
void parent_on_status(struct parent *parent, uint64_t ticket, int fd);

/* ---- parent_audit ---- */

int parent_open_audit(struct parent *parent, struct err *err);
void parent_close_audit(struct parent *parent);

/*
 * Write a line of which there may be only so many (witness.h); what is over is
 * counted.  The entry is spent.
 */
void parent_audit_bounded(
    struct parent *parent, enum witness_kind kind, struct audit_entry *entry);

/* What the child has decided (MONITOR_WITNESS). */
void parent_on_witness(
    struct parent *parent, const struct monitor_message *message);

/* Somebody may have moved the file away (SIGHUP). */
void parent_follow_audit(struct parent *parent);

/* ---- parent_policy ---- */

/*
 * The policy whose text is `text` is about to be sent.  -1 and `err`, and it
 * may not be, where it is another one and that cannot be written.
 */
int parent_policy_send(struct parent *parent, const struct settings *settings,
    struct span text, struct err *err);

/* What was sent last is in force; or was not taken. */
void parent_policy_in_force(struct parent *parent);
void parent_policy_refused(struct parent *parent, const char *why);

void parent_policy_drop(struct parent_policy *policy);

#endif
