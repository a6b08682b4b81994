#include "parent_peers.h"

#include "clock.h"
#include "mqtt_reason.h"

#include <stdio.h>
#include <stdlib.h>

/* The table, what it tells, and who waits for an end. */

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
	case APPROVAL_UNTOLD:
		return MQTT_UNSPECIFIED_ERROR;
	default:
		return MQTT_NOT_AUTHORIZED;
	}
}

void
parent_approval_answer_desk(struct desk *desk, uint64_t ticket, uint32_t number,
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
		parent_approval_answer_desk(waiter->desk, waiter->ticket,
		    waiter->number, command->cause,
		    approval_cause_text(command->cause));
	else {
		snprintf(
		    text, sizeof text, "gateway %s does not answer", silent);
		parent_approval_answer_desk(waiter->desk, waiter->ticket,
		    waiter->number, APPROVAL_LINK_LOST, text);
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
		parent_approval_answer_desk(waiter->desk, waiter->ticket,
		    waiter->number,
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
		parent_approval_answer_desk(desk_of(approvals, &command->owner),
		    command->owner.ticket, command->owner.number,
		    command->cause, parent_approval_sentence(command, text));
	parent_approval_tell_ended(approvals, command);
	tell_waiters(approvals, command);
	parent_peers_on_ended(approvals->parent, command);
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
	if (approvals->table != NULL)
		approval_end(approvals->table);
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
