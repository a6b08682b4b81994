#include "parent_peers.h"

#include "clock.h"
#include "wire.h"

#include <sys/random.h>

/* What the child asks and tells, and what it is answered at once. */

static struct approval_owner
owner_of(const struct desk *desk, uint64_t ticket, uint32_t number)
{
	return (struct approval_owner){
	    .desk = (uint32_t)(desk - desk->parent->desks),
	    .ticket = ticket,
	    .number = number};
}

/* Who it says that it is, under the policy that it says it was judged by. */
static enum approval_cause
who_of(const struct parent *parent, const struct monitor_question *question,
    struct policy_who *who)
{
	if (parent->is_stopping)
		return APPROVAL_STOPPING;
	if (parent->policy.policy == NULL ||
	    memcmp(question->policy, parent->policy.digest,
		sizeof question->policy) != 0)
		return APPROVAL_POLICY_CHANGED;
	policy_who_init(
	    who, parent->policy.policy, question->identity, question->role);
	return APPROVAL_NONE;
}

static void
refuse(struct desk *desk, const struct monitor_message *message,
    const struct monitor_question *question, enum approval_cause cause)
{
	struct approvals *approvals = desk->parent->approvals;
	const struct approval_refused refused = {.what = "refuse",
	    .identity = question->identity,
	    .rule = question->rule,
	    .topic = question->topic,
	    .cause = cause};

	parent_approval_record_refused(approvals, &refused);
	parent_approval_tell_refused(approvals, &refused);
	parent_approval_answer_desk(desk, message->ticket, question->number,
	    cause, approval_cause_text(cause));
}

/* A publish to a protected topic. */
static void
ask(struct desk *desk, const struct monitor_message *message,
    const struct monitor_question *question)
{
	struct approvals *approvals = desk->parent->approvals;
	uint8_t random[APPROVAL_RANDOM_BYTES];
	const struct approval_command *command;
	struct policy_who who;
	enum approval_cause cause = who_of(desk->parent, question, &who);
	struct approval_request request = {.who = &who,
	    .topic = question->topic,
	    .digest = question->digest,
	    .bytes = question->bytes,
	    .qos = question->qos,
	    .is_break_glass = message->value == ACCESS_BREAKS_GLASS,
	    .within_ms = question->within_ms,
	    .owner = owner_of(desk, message->ticket, question->number),
	    .random = random};
	enum approval_answer answered = APPROVAL_REFUSED;

	if (question->is_text)
		request.text =
		    span_of(question->text.len > 0 ? question->text.data
						   : (const uint8_t *)"",
			question->text.len);
	if (cause == APPROVAL_NONE) {
		request.rule = policy_approval_of(
		    desk->parent->policy.policy, question->topic);
		if (request.rule == NULL ||
		    !span_is(question->rule, request.rule->name))
			cause = APPROVAL_INCONSISTENT;
		else if (getrandom(random, sizeof random, 0) !=
			 (ssize_t)sizeof random)
			cause = APPROVAL_TABLE_FULL;
		else
			answered = approval_ask(approvals->table, &request,
			    clock_monotonic_ms(), &command, &cause);
	}
	if (answered == APPROVAL_REFUSED) {
		refuse(desk, message, question, cause);
	} else if (answered == APPROVAL_HAS_AGREED) {
		struct approval_waiter waiter = {.desk = desk,
		    .ticket = message->ticket,
		    .number = question->number};

		memcpy(waiter.id, command->id, sizeof waiter.id);
		(void)parent_approval_wait(approvals, &waiter);
	}
}

/* "ID" or "ID REASON" on $kaya/approve and $kaya/deny. */
static void
judge(struct desk *desk, const struct monitor_message *message,
    const struct monitor_question *question)
{
	struct approvals *approvals = desk->parent->approvals;
	struct span reason = question->text, id = parent_take_word(&reason);
	struct approval_waiter waiter = {.desk = desk,
	    .ticket = message->ticket,
	    .number = question->number};
	struct policy_who who;
	enum approval_cause cause = who_of(desk->parent, question, &who);

	const struct approval_judgement judgement = {.who = &who,
	    .role = question->role,
	    .id = id,
	    .reason = reason,
	    .agrees = message->value == ACCESS_AGREES};

	if (cause == APPROVAL_NONE &&
	    parent_peers_judge(desk->parent, &judgement, &waiter))
		return;
	if (cause == APPROVAL_NONE)
		cause = parent_approval_judge(desk->parent, &judgement);
	/* The end is what he is told, not that it may come. */
	if (cause == APPROVAL_NONE && message->value == ACCESS_AGREES &&
	    span_to_str(id, waiter.id, sizeof waiter.id) &&
	    parent_approval_wait(approvals, &waiter))
		return;
	parent_approval_answer_desk(desk, message->ticket, question->number,
	    cause, approval_cause_text(cause));
}

static void
on_question(struct desk *desk, const struct monitor_message *message)
{
	struct monitor_question question;

	if (!monitor_question_take(
		span_of(message->payload, message->len), &question))
		return;
	switch (message->value) {
	case ACCESS_ASKS:
	case ACCESS_BREAKS_GLASS:
		ask(desk, message, &question);
		break;
	case ACCESS_AGREES:
	case ACCESS_DENIES:
		judge(desk, message, &question);
		break;
	}
}

static void
on_report(struct desk *desk, const struct monitor_message *message)
{
	struct span payload = span_of(message->payload, message->len);
	struct approval_owner owner;
	uint32_t number;

	if (!wire_take_u32(&payload, &number) || message->value < 0 ||
	    message->value >= APPROVAL_STATE_COUNT)
		return;
	owner = owner_of(desk, message->ticket, number);
	(void)approval_report(desk->parent->approvals->table, &owner,
	    (enum approval_state)message->value);
}

static void
on_permit(struct desk *desk, const struct monitor_message *message)
{
	struct approval_owner owner = owner_of(desk, message->ticket, 0);
	struct approvals *approvals = desk->parent->approvals;
	const struct policy_approval *rule;
	struct monitor_question question;
	struct policy_who who;

	if (!monitor_question_take(
		span_of(message->payload, message->len), &question) ||
	    who_of(desk->parent, &question, &who) != APPROVAL_NONE)
		return;
	rule = policy_approval_named(who.policy, question.rule);
	if (rule == NULL)
		return;
	if (message->value == ACCESS_PERMIT_GIVEN)
		(void)approval_permit(
		    approvals->table, rule, &who, &owner, clock_monotonic_ms());
	else
		approval_take_back(approvals->table, rule);
}

static void
on_not_held(struct desk *desk, const struct monitor_message *message)
{
	struct approvals *approvals = desk->parent->approvals;
	struct monitor_question question;
	struct approval_refused refused = {.what = "refuse"};

	if (!monitor_question_take(
		span_of(message->payload, message->len), &question) ||
	    message->value <= APPROVAL_NONE ||
	    message->value >= APPROVAL_CAUSE_COUNT)
		return;
	refused.identity = question.identity;
	refused.rule = question.rule;
	refused.topic = question.topic;
	refused.cause = (enum approval_cause)message->value;
	parent_approval_record_refused(approvals, &refused);
	parent_approval_tell_refused(approvals, &refused);
}

bool
parent_approval_on_desk(
    struct desk *desk, const struct monitor_message *message)
{
	struct approvals *approvals = desk->parent->approvals;
	struct approval_owner owner = owner_of(desk, message->ticket, 0);

	switch (message->op) {
	case MONITOR_QUESTION:
		on_question(desk, message);
		break;
	case MONITOR_REPORT:
		on_report(desk, message);
		break;
	case MONITOR_GONE:
		approval_lose(approvals->table, &owner);
		break;
	case MONITOR_STOPPED:
		approval_stop(
		    approvals->table, span_of(message->payload, message->len));
		parent_peers_on_stop(
		    desk->parent, span_of(message->payload, message->len));
		break;
	case MONITOR_PERMIT:
		on_permit(desk, message);
		break;
	case MONITOR_NOT_HELD:
		on_not_held(desk, message);
		break;
	default:
		return false;
	}
	parent_approval_arm(approvals);
	return true;
}
