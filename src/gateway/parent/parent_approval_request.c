#include "parent_peers.h"

#include "json.h"

/* Requests of people: pending, approve, deny. */

/* A thousand here, a thousand elsewhere, in the longest words of JSON. */
enum { ANSWER_MAX_BYTES = 32 << 20 };

/* What is asked of whom, in an error. */
static int
refuse(struct control_client *client, struct span id, enum approval_cause cause)
{
	char shown[64];
	struct err err = ERR_INIT;

	str_escape(id, shown, sizeof shown);
	err_set(&err,
	    cause == APPROVAL_NO_ACCESS || cause == APPROVAL_SAME_IDENTITY
		? ERR_REFUSED
		: ERR_FAILED,
	    "%s: %s (%s)", shown, approval_cause_text(cause),
	    approval_cause_name(cause));
	switch (cause) {
	case APPROVAL_NOT_SELECTED:
		err_hint(&err, "see those that wait: kaya pending");
		break;
	case APPROVAL_SAME_IDENTITY:
		err_hint(&err, "ask a different person to approve it");
		break;
	case APPROVAL_NO_ACCESS:
		err_hint(&err, "ask somebody of a role that the rule names, or "
			       "have the policy name yours under `by`");
		break;
	case APPROVAL_INCONSISTENT:
		err_hint(&err, "publish the same topic and payload yourself: "
			       "the rule's mode is twice");
		break;
	case APPROVAL_AUDIT_FAILED:
		err_hint(&err, "make room on the gateway's disk");
		break;
	default:
		err_hint(&err, "have the command sent again");
		break;
	}
	parent_answer_err(client, &err);
	return -1;
}

void
parent_approval_refuse(struct parent *parent, uint64_t ticket,
    const struct approval_command *command, const char *silent)
{
	struct control_client *client = control_find(parent->control, ticket);
	struct err err = ERR_INIT;

	if (client == NULL)
		return;
	if (silent == NULL) {
		refuse(client, span_of_str(command->id), command->cause);
		return;
	}
	err_set(&err, ERR_UNREACHABLE,
	    "%s: gateway %s, which holds it, does not answer", command->id,
	    silent);
	err_hint(&err, "look whether it is still pending, and approve it at "
		       "that gateway itself");
	parent_answer_err(client, &err);
}

static bool
who_asks(struct parent *parent, struct control_client *client,
    struct requester *requester, struct policy_who *who)
{
	struct err err = ERR_INIT;

	*requester = parent_requester(client);
	if (parent_requester_who(parent, requester, who))
		return true;
	err_set(&err, ERR_FAILED, "no policy is in force here");
	err_hint(&err, "commands that need two people are rules of a policy: "
		       "see APPROVAL in kaya-policy(5)");
	parent_answer_err(client, &err);
	return false;
}

/* Those that the asker has something to do with. */
void
parent_pending(
    struct parent *parent, struct span rest, struct control_client *client)
{
	const struct approval_command *command;
	struct requester requester;
	struct policy_who who;
	size_t place = 0;
	struct buf json;
	bool is_first = true;

	(void)rest;
	if (!who_asks(parent, client, &requester, &who))
		return;
	buf_init(&json, ANSWER_MAX_BYTES);
	buf_append_str(&json, "{\"pending\":[");
	while ((command = approval_next(parent->approvals->table, &place)) !=
	       NULL) {
		bool is_own = span_is(who.names.identity, command->publisher);
		bool may =
		    command->rule != NULL &&
		    policy_approval_has(&who, command->rule, POLICY_PART_BY);

		if (command->state != APPROVAL_HELD ||
		    (!is_own && !may && control_who(client) != NULL))
			continue;
		buf_append_str(&json, is_first ? "{" : ",{");
		is_first = false;
		parent_approval_put_command(command, &json);
		buf_append_str(&json, ",\"gateway\":null,\"may_i\":");
		buf_append_str(
		    &json, may && !is_own && command->rule->mode == POLICY_HOLD
			       ? "true}"
			       : "false}");
	}
	parent_peers_put_pending(
	    parent, &who, control_who(client) == NULL, is_first, &json);
	buf_append_str(&json, "]}");
	control_answer(client, buf_span(&json));
	buf_fini(&json);
}

/* ---- approve and deny ---- */

static void
put_answer(const struct approval_command *command, struct buf *json)
{
	json_put_member(json, "{", "id", command->id);
	json_put_member(
	    json, ",", "outcome", approval_state_name(command->state));
	json_put_member(
	    json, ",", "cause", approval_cause_name(command->cause));
	buf_append_str(json, ",\"topic\":");
	json_put_string(json, command->topic);
	json_put_member(json, ",", "publisher", command->publisher);
	json_put_member(json, ",", "by", command->by);
	buf_append_str(json, "}");
}

void
parent_approval_answer(struct parent *parent, uint64_t ticket,
    const struct approval_command *command)
{
	struct control_client *client = control_find(parent->control, ticket);
	struct buf json;

	if (client == NULL)
		return;
	buf_init(&json, ANSWER_MAX_BYTES);
	put_answer(command, &json);
	control_answer(client, buf_span(&json));
	buf_fini(&json);
}

static void
judge(struct parent *parent, struct approval_judgement judgement,
    struct control_client *client)
{
	struct approval_waiter waiter = {.ticket = control_ticket(client)};
	struct requester requester;
	struct policy_who who;
	enum approval_cause cause;

	if (!who_asks(parent, client, &requester, &who))
		return;
	judgement.who = &who;
	judgement.role = span_of_str(requester.role);
	if (parent_peers_judge(parent, &judgement, &waiter))
		return;
	/* A denial ends it at once: he has to wait for it before. */
	if (!span_to_str(judgement.id, waiter.id, sizeof waiter.id) ||
	    waiter.id[0] == '\0') {
		refuse(client, judgement.id, APPROVAL_NOT_SELECTED);
		return;
	}
	if (!parent_approval_wait(parent->approvals, &waiter)) {
		refuse(client, judgement.id, APPROVAL_TABLE_FULL);
		return;
	}
	cause = parent_approval_judge(parent, &judgement);
	/* Else it has just ended, and he was told of that. */
	if (cause != APPROVAL_NONE &&
	    parent_approval_unwait(parent->approvals, &waiter))
		refuse(client, judgement.id, cause);
}

void
parent_approve(
    struct parent *parent, struct span rest, struct control_client *client)
{
	struct approval_judgement judgement = {.agrees = true};

	judgement.id = parent_take_word(&rest);
	judge(parent, judgement, client);
}

void
parent_deny(
    struct parent *parent, struct span rest, struct control_client *client)
{
	struct approval_judgement judgement = {.agrees = false};

	judgement.id = parent_take_word(&rest);
	judgement.reason = rest;
	judge(parent, judgement, client);
}
