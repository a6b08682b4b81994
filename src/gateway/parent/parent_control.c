#include "parent_private.h"

#include "json.h"
#include "str.h"
#include "wire.h"

#include <pwd.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Who may ask what.  At the control socket that is kayad's user and root, who
 * may ask everything; through SSH it is an identity, and the policy's roles
 * say what it may.
 */

enum { ANSWER_MAX_BYTES = 4096, ASKING_AT_ONCE = 4 };

enum right { RIGHT_STATUS, RIGHT_INVITE, RIGHT_REVOKE, RIGHT_AGREE };

static const struct {
	const char *word;
	parent_request_fn *fn;
	enum right right;
} requests[] = {
    {"status", parent_start_status, RIGHT_STATUS},
    {"invite", parent_invite, RIGHT_INVITE},
    {"invitations", parent_list_invitations, RIGHT_INVITE},
    {"cancel-invitation", parent_cancel_invitation, RIGHT_INVITE},
    {"revoke", parent_revoke, RIGHT_REVOKE},
    {"pending", parent_pending, RIGHT_AGREE},
    {"approve", parent_approve, RIGHT_AGREE},
    {"deny", parent_deny, RIGHT_AGREE},
};

/* ---- who ---- */

struct requester
parent_requester(const struct control_client *client)
{
	struct requester requester = {.identity = ""};
	const struct passwd *entry;
	struct span name;

	if (control_who(client) != NULL)
		return *(const struct requester *)control_who(client);
	entry = getpwuid(control_user(client));
	name = span_of_str(entry == NULL ? "" : entry->pw_name);
	/* Who has no name of that form has no identity. */
	if (str_is_name(name))
		(void)span_to_str(
		    name, requester.identity, sizeof requester.identity);
	return requester;
}

bool
parent_requester_who(const struct parent *parent,
    const struct requester *requester, struct policy_who *who)
{
	if (parent->policy.policy == NULL)
		return false;
	policy_who_init(who, parent->policy.policy,
	    span_of_str(requester->identity), span_of_str(requester->role));
	return true;
}

void
parent_audit_requester(
    struct audit_entry *entry, const struct control_client *client)
{
	const struct requester requester = parent_requester(client);

	audit_put_str(entry, "by", requester.identity);
	audit_put_str(entry, "from",
	    requester.from[0] == '\0' ? "control.sock" : requester.from);
}

static bool
has_right(const struct policy_who *who, enum right right)
{
	static const enum policy_control words[] = {
	    [RIGHT_STATUS] = POLICY_CONTROL_STATUS,
	    [RIGHT_INVITE] = POLICY_CONTROL_INVITE,
	    [RIGHT_REVOKE] = POLICY_CONTROL_REVOKE,
	};

	return right == RIGHT_AGREE ? policy_may_agree(who)
				    : policy_may_control(who, words[right]);
}

static bool
may_ask(const struct parent *parent, const struct requester *requester,
    enum right right)
{
	struct policy_who who;

	return parent_requester_who(parent, requester, &who) &&
	       has_right(&who, right);
}

static bool
may_ask_anything(const struct parent *parent, const struct requester *requester)
{
	for (enum right right = RIGHT_STATUS; right <= RIGHT_AGREE; right++)
		if (may_ask(parent, requester, right))
			return true;
	return false;
}

/* ---- requests ---- */

struct span
parent_take_word(struct span *rest)
{
	const uint8_t *blank =
	    rest->len == 0 ? NULL : memchr(rest->data, ' ', rest->len);
	size_t len = blank == NULL ? rest->len : (size_t)(blank - rest->data);
	struct span word = span_of(rest->data, len);

	len += blank != NULL;
	*rest = span_of(rest->data + len, rest->len - len);
	return word;
}

void
parent_answer_err(struct control_client *client, const struct err *err)
{
	struct buf json;

	buf_init(&json, ANSWER_MAX_BYTES);
	buf_append_str(&json, "{\"error\":");
	json_put_str(&json, err->what);
	buf_append_str(&json, ",\"where\":");
	json_put_str(&json, err->where);
	buf_append_str(&json, ",\"hint\":");
	json_put_str(&json, err->hint);
	buf_append_str(&json, ",\"code\":");
	json_put_str(&json, err_name(err->code));
	buf_append_str(&json, "}");
	control_answer(client, buf_span(&json));
	buf_fini(&json);
}

/* What was asked through SSH; at the socket those that change tell of it. */
static void
tell_asked(struct parent *parent, const struct control_client *client,
    const char *request, const char *event)
{
	const struct requester requester = parent_requester(client);
	struct audit_entry entry;
	struct log_line line;

	if (log_begin(&line, LOG_LEVEL_INFO, "parent", event)) {
		log_str(&line, "identity", requester.identity);
		log_str(&line, "from", requester.from);
		log_str(&line, "request", request);
		log_end(&line);
	}
	audit_begin(&entry, event);
	parent_audit_requester(&entry, client);
	audit_put_str(&entry, "request", request);
	parent_audit_bounded(parent, WITNESS_CONTROL, &entry);
}

static void
refuse(
    struct parent *parent, const char *request, struct control_client *client)
{
	struct err err = ERR_INIT;

	tell_asked(parent, client, request, "control-refused");
	err_set(&err, ERR_REFUSED, "%s may not ask the gateway for that",
	    parent_requester(client).identity);
	err_hint(&err,
	    "give a role of its own the right, in the policy: see `control` "
	    "in kaya-policy(5), or ask at the gateway itself");
	parent_answer_err(client, &err);
}

void
parent_on_request(void *arg, const char *request, struct control_client *client)
{
	struct parent *parent = arg;
	struct span rest = span_of_str(request);
	struct span word = parent_take_word(&rest);
	bool is_remote = control_who(client) != NULL;
	struct requester requester;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		if (!span_is(word, requests[i].word))
			continue;
		requester = parent_requester(client);
		if (is_remote &&
		    !may_ask(parent, &requester, requests[i].right)) {
			refuse(parent, request, client);
			return;
		}
		if (is_remote)
			tell_asked(parent, client, request, "control");
		requests[i].fn(parent, rest, client);
		return;
	}
	err_set(&err, ERR_USAGE, "unknown request");
	err_hint(&err, "this kayad may be older than the kaya that asks");
	parent_answer_err(client, &err);
}

/* ---- through SSH ---- */

static bool
read_requester(
    const struct monitor_message *message, struct requester *requester)
{
	struct span payload = span_of(message->payload, message->len);
	struct span identity, role, from;

	*requester = (struct requester){.identity = ""};
	return wire_take_string32(&payload, &identity) &&
	       wire_take_string32(&payload, &role) &&
	       wire_take_string32(&payload, &from) && payload.len == 0 &&
	       str_is_name(identity) && (role.len == 0 || str_is_name(role)) &&
	       from.len > 0 &&
	       span_to_str(
		   identity, requester->identity, sizeof requester->identity) &&
	       span_to_str(role, requester->role, sizeof requester->role) &&
	       span_to_str(from, requester->from, sizeof requester->from);
}

/* One who asks much leaves room for others. */
static bool
asks_enough(const struct parent *parent, const struct requester *requester)
{
	const struct control_client *client = NULL;
	const struct requester *other;
	size_t count = 0;

	while (control_next_adopted(parent->control, &client)) {
		other = control_who(client);
		count += strcmp(other->identity, requester->identity) == 0;
	}
	return count >= ASKING_AT_ONCE;
}

/* The other end for the child; or NULL, and why there is none. */
static const char *
adopt(struct parent *parent, const struct requester *requester, int *fd)
{
	struct requester *who;
	int ends[2];

	if (asks_enough(parent, requester))
		return "this identity is asking already: wait for the answer";
	who = malloc(sizeof *who);
	if (who == NULL)
		return "the gateway has no memory left";
	*who = *requester;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		ends) != 0) {
		free(who);
		return "the gateway has no descriptors left";
	}
	if (control_adopt(parent->control, ends[0], who) == NULL) {
		close(ends[1]);
		return "too many are asking the gateway: try again";
	}
	*fd = ends[1];
	return NULL;
}

void
parent_on_ask(struct desk *desk, const struct monitor_message *message)
{
	struct requester requester;
	const char *why;
	int fd = -1;

	if (!read_requester(message, &requester))
		why = "that is no question";
	else if (!may_ask_anything(desk->parent, &requester))
		why = "the policy lets this identity ask the gateway nothing: "
		      "see `control` in kaya-policy(5)";
	else
		why = adopt(desk->parent, &requester, &fd);
	monitor_send(&desk->monitor, MONITOR_CONNECTED, MONITOR_CONTROL,
	    message->ticket, span_of_str(why == NULL ? "" : why), fd);
}
