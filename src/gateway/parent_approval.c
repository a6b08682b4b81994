#include "parent_peers.h"

#include "clock.h"
#include "mqtt_reason.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

/* The table, and what the child asks. */

/* ---- time ---- */

void
parent_approval_arm(struct approvals *approvals)
{
	uint64_t due = approval_due_ms(approvals->table);
	uint64_t now = clock_monotonic_ms();

	if (due == UINT64_MAX)
		loop_timer_stop(approvals->timer);
	else
		loop_timer_start(approvals->timer, due > now ? due - now : 0);
}

static void
on_time(void *arg)
{
	struct approvals *approvals = arg;

	approval_on_time(approvals->table, clock_monotonic_ms());
	parent_approval_arm(approvals);
}

/* ---- answers to the child ---- */

static struct desk *
desk_of(struct approvals *approvals, const struct approval_owner *owner)
{
	return &approvals->parent->desks[owner->desk];
}

static struct approval_owner
owner_of(const struct desk *desk, uint64_t ticket, uint32_t number)
{
	return (struct approval_owner){
	    .desk = (uint32_t)(desk - desk->parent->desks),
	    .ticket = ticket,
	    .number = number};
}

static void
send_decided(struct desk *desk, uint64_t ticket, enum monitor_decision decision,
    const struct monitor_decided *decided)
{
	struct buf payload;

	buf_init(&payload, MONITOR_PAYLOAD_MAX);
	monitor_decided_put(decided, &payload);
	monitor_send(&desk->monitor, MONITOR_DECIDED, decision, ticket,
	    buf_span(&payload), -1);
	buf_fini(&payload);
}

static uint8_t
code_of(enum approval_cause cause)
{
	switch (cause) {
	case APPROVAL_NONE:
		return MQTT_SUCCESS;
	case APPROVAL_ONE_OF_N:
	case APPROVAL_TABLE_FULL:
	case APPROVAL_TOO_LARGE:
		return MQTT_QUOTA_EXCEEDED;
	case APPROVAL_AUDIT_FAILED:
	case APPROVAL_STOPPING:
		return MQTT_UNSPECIFIED_ERROR;
	default:
		return MQTT_NOT_AUTHORIZED;
	}
}

static void
answer(struct desk *desk, uint64_t ticket, uint32_t number,
    enum approval_cause cause, const char *text)
{
	send_decided(desk, ticket, MONITOR_ANSWER,
	    &(struct monitor_decided){.number = number,
		.code = code_of(cause),
		.text = span_of_str(text)});
}

const char *
parent_approval_sentence(
    const struct approval_command *command, char text[APPROVAL_SENTENCE_SIZE])
{
	if (command->state == APPROVAL_RELEASED)
		snprintf(text, APPROVAL_SENTENCE_SIZE, "let go");
	else if (command->state != APPROVAL_DENIED)
		snprintf(text, APPROVAL_SENTENCE_SIZE, "%s: %s",
		    approval_cause_name(command->cause),
		    approval_cause_text(command->cause));
	else
		snprintf(text, APPROVAL_SENTENCE_SIZE, "denied by %s%s%s",
		    command->by, command->reason[0] == '\0' ? "" : ": ",
		    command->reason);
	return text;
}

/* ---- who waits for an end ---- */

bool
parent_approval_wait(
    struct approvals *approvals, const struct approval_waiter *waiter)
{
	struct approval_waiter *copy = malloc(sizeof *copy);

	if (copy == NULL)
		return false;
	*copy = *waiter;
	copy->next = approvals->waiters;
	approvals->waiters = copy;
	return true;
}

bool
parent_approval_unwait(
    struct approvals *approvals, const struct approval_waiter *waiter)
{
	for (struct approval_waiter **link = &approvals->waiters; *link != NULL;
	     link = &(*link)->next) {
		struct approval_waiter *found = *link;

		if (found->desk != waiter->desk ||
		    found->ticket != waiter->ticket ||
		    found->number != waiter->number)
			continue;
		*link = found->next;
		free(found);
		return true;
	}
	return false;
}

static void
answer_refused(const struct approval_waiter *waiter,
    const struct approval_command *command, const char *silent)
{
	char text[APPROVAL_SENTENCE_SIZE];

	if (silent == NULL)
		answer(waiter->desk, waiter->ticket, waiter->number,
		    command->cause, approval_cause_text(command->cause));
	else {
		snprintf(
		    text, sizeof text, "gateway %s does not answer", silent);
		answer(waiter->desk, waiter->ticket, waiter->number,
		    APPROVAL_LINK_LOST, text);
	}
}

void
parent_approval_tell_waiter(struct approvals *approvals,
    const struct approval_waiter *waiter,
    const struct approval_command *command, const char *silent)
{
	char text[APPROVAL_SENTENCE_SIZE];
	bool is_refused = command->state == APPROVAL_HELD || silent != NULL;

	if (waiter->desk == NULL && is_refused)
		parent_approval_refuse(
		    approvals->parent, waiter->ticket, command, silent);
	else if (waiter->desk == NULL)
		parent_approval_answer(
		    approvals->parent, waiter->ticket, command);
	else if (is_refused)
		answer_refused(waiter, command, silent);
	else
		answer(waiter->desk, waiter->ticket, waiter->number,
		    command->state == APPROVAL_RELEASED ? APPROVAL_NONE
							: command->cause,
		    parent_approval_sentence(command, text));
}

static void
tell_waiters(
    struct approvals *approvals, const struct approval_command *command)
{
	struct approval_waiter **link = &approvals->waiters;

	while (*link != NULL) {
		struct approval_waiter *waiter = *link;

		if (strcmp(waiter->id, command->id) != 0) {
			link = &waiter->next;
			continue;
		}
		*link = waiter->next;
		parent_approval_tell_waiter(approvals, waiter, command, NULL);
		free(waiter);
	}
}

/* ---- what the table says ---- */

static void
on_held(void *arg, const struct approval_command *command)
{
	struct approvals *approvals = arg;

	parent_approval_tell_held(approvals, command, NULL);
	parent_peers_on_held(approvals->parent, command);
}

static void
on_released(void *arg, const struct approval_command *command)
{
	struct approvals *approvals = arg;

	send_decided(desk_of(approvals, &command->owner), command->owner.ticket,
	    MONITOR_LET_GO,
	    &(struct monitor_decided){.number = command->owner.number,
		.until_ms = command->until_ms});
}

static void
on_ended(void *arg, const struct approval_command *command)
{
	struct approvals *approvals = arg;
	char text[APPROVAL_SENTENCE_SIZE];

	/* Where the owner has reported it, it has been answered. */
	if (command->state != APPROVAL_RELEASED)
		answer(desk_of(approvals, &command->owner),
		    command->owner.ticket, command->owner.number,
		    command->cause, parent_approval_sentence(command, text));
	parent_approval_tell_ended(approvals, command);
	tell_waiters(approvals, command);
	parent_peers_on_ended(approvals->parent, command);
}

/* ---- what the child asks ---- */

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
	answer(desk, message->ticket, question->number, cause,
	    approval_cause_text(cause));
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
	answer(desk, message->ticket, question->number, cause,
	    approval_cause_text(cause));
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

/* ---- who agrees, wherever he does ---- */

enum approval_cause
parent_approval_judge(
    struct parent *parent, const struct approval_judgement *judgement)
{
	struct approvals *approvals = parent->approvals;
	uint64_t now = clock_monotonic_ms();
	enum approval_cause cause;

	if (judgement->agrees)
		cause = approval_agree(
		    approvals->table, judgement->id, judgement->who, now, NULL);
	else
		cause = approval_deny(approvals->table, judgement->id,
		    judgement->who, judgement->reason, now);
	if (cause != APPROVAL_NONE)
		parent_approval_record_refused(approvals,
		    &(struct approval_refused){.what = judgement->agrees
							   ? "refuse-approve"
							   : "refuse-deny",
			.identity = judgement->who->names.identity,
			.id = judgement->id,
			.cause = cause});
	parent_approval_arm(approvals);
	return cause;
}

/* ---- beginning and end ---- */

int
parent_start_approvals(struct parent *parent, struct err *err)
{
	struct approvals *approvals = calloc(1, sizeof *approvals);
	const struct approval_events events = {parent_approval_record, on_held,
	    on_released, on_ended, parent_approval_record_permit, approvals};

	if (approvals == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	parent->approvals = approvals;
	approvals->parent = parent;
	approvals->table = approval_new(&events);
	approvals->timer = loop_timer_new(parent->loop, on_time, approvals);
	if (approvals->table == NULL || approvals->timer == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	return 0;
}

void
parent_revoke_approvals(struct parent *parent, enum approval_cause cause)
{
	if (parent->approvals == NULL)
		return;
	approval_revoke(parent->approvals->table, cause);
	parent_approval_arm(parent->approvals);
}

void
parent_end_approvals(struct parent *parent)
{
	struct approvals *approvals = parent->approvals;

	if (approvals == NULL)
		return;
	while (approvals->waiters != NULL) {
		struct approval_waiter *waiter = approvals->waiters;

		approvals->waiters = waiter->next;
		free(waiter);
	}
	approval_free(approvals->table);
	loop_timer_free(approvals->timer);
	free(approvals);
	parent->approvals = NULL;
}
