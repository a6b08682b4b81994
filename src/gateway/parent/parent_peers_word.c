#include "parent_peers_private.h"

#include "clock.h"
#include "json.h"
#include "monitor_peers.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>

/* A command of another gateway, as our own table would have it. */
static struct approval_command
as_command(const struct parent *parent, const struct peers_command *theirs)
{
	const struct peer_message *held = &theirs->held;
	struct approval_command command = {.state = APPROVAL_HELD,
	    .topic = held->topic,
	    .bytes = held->bytes,
	    .qos = held->qos,
	    .since_ms = theirs->since_ms,
	    .until_ms = theirs->until_ms};

	(void)span_to_str(held->id, command.id, sizeof command.id);
	(void)span_to_str(
	    held->rule, command.rule_name, sizeof command.rule_name);
	(void)span_to_str(
	    held->publisher, command.publisher, sizeof command.publisher);
	memcpy(command.digest, held->digest.data, sizeof command.digest);
	if (held->is_text != 0)
		command.text = held->text;
	/* By our own policy; NULL where it has no such rule. */
	if (parent->policy.policy != NULL)
		command.rule =
		    policy_approval_named(parent->policy.policy, held->rule);
	return command;
}

/* ---- events ---- */

static void
on_send(void *arg, const char *to, struct span bytes)
{
	struct parent_peers *own = arg;
	char topic[PEER_TOPIC_SIZE];
	struct buf payload;

	if (!own->is_connected)
		return; /* it is told again, or asked in vain */
	snprintf(topic, sizeof topic, PEER_TOPIC "%s", to);
	buf_init(&payload, MONITOR_PAYLOAD_MAX);
	wire_put_string16(&payload, span_of_str(topic));
	wire_put_bytes(&payload, bytes);
	if (!payload.failed)
		monitor_send(&own->parent->desks[0].monitor, MONITOR_PEERS_SAY,
		    0, 0, buf_span(&payload), -1);
	buf_fini(&payload);
}

static void
log_word(const struct peers_word *word, enum approval_cause cause)
{
	struct log_line line;

	if (!log_begin(&line, LOG_LEVEL_INFO, "peers", "word"))
		return;
	log_str(&line, "gateway", word->gateway);
	log_span(&line, "identity", word->identity);
	log_str(&line, "says", word->agrees ? "approve" : "deny");
	log_span(&line, "id", word->id);
	log_str(&line, "cause", approval_cause_name(cause));
	log_end(&line);
}

static enum approval_cause
on_word(void *arg, const struct peers_word *word)
{
	struct parent_peers *own = arg;
	struct parent *parent = own->parent;
	enum approval_cause cause = APPROVAL_NO_ACCESS;
	struct audit_entry entry;
	struct policy_who who;

	/* Where he was when he said it; that it counts is recorded as always.
	 */
	audit_begin(&entry, "peer-word");
	audit_put_str(&entry, "gateway", word->gateway);
	audit_put_span(&entry, "identity", word->identity);
	audit_put_span(&entry, "id", word->id);
	audit_put_str(&entry, "says", word->agrees ? "approve" : "deny");
	if (audit_commit(parent->audit, &entry, AUDIT_SOON, NULL) != 0 &&
	    word->agrees)
		return APPROVAL_AUDIT_FAILED;
	if (parent->is_stopping)
		cause = APPROVAL_STOPPING;
	else if (parent->policy.policy != NULL) {
		policy_who_init(
		    &who, parent->policy.policy, word->identity, word->role);
		cause = parent_approval_judge(
		    parent, &(struct approval_judgement){.who = &who,
				.id = word->id,
				.reason = word->reason,
				.agrees = word->agrees});
	}
	log_word(word, cause);
	return cause;
}

static void
on_stop(void *arg, const char *gateway, struct span topic)
{
	struct parent_peers *own = arg;
	struct log_line line;

	if (log_begin(&line, LOG_LEVEL_INFO, "peers", "stop")) {
		log_str(&line, "gateway", gateway);
		log_span(&line, "topic", topic);
		log_end(&line);
	}
	approval_stop(own->parent->approvals->table, topic);
	parent_approval_arm(own->parent->approvals);
}

static void
on_held(void *arg, const struct peers_command *theirs)
{
	struct parent_peers *own = arg;
	const struct approval_command command = as_command(own->parent, theirs);

	parent_approval_tell_held(
	    own->parent->approvals, &command, theirs->holder);
}

static void
on_ended(void *arg, const struct peers_command *theirs,
    const struct peer_message *message)
{
	struct parent_peers *own = arg;
	struct approval_command command = as_command(own->parent, theirs);

	/* Where nobody said how: it is not heard of any more. */
	command.state = message == NULL ? APPROVAL_LOST
					: (enum approval_state)message->state;
	command.cause = message == NULL ? APPROVAL_LINK_LOST
					: (enum approval_cause)message->cause;
	if (message != NULL)
		(void)span_to_str(message->by, command.by, sizeof command.by);
	parent_approval_tell_pending_ended(
	    own->parent->approvals, &command, theirs->holder);
}

static void
on_answered(void *arg, const struct peers_outcome *outcome)
{
	struct parent_peers *own = arg;
	struct approval_command command = {.state = APPROVAL_HELD};
	struct waiting **link = &own->waiting, *found;

	while (*link != NULL && (*link)->number != outcome->ticket)
		link = &(*link)->next;
	found = *link;
	if (found == NULL)
		return;
	*link = found->next;
	if (outcome->command != NULL)
		command = as_command(own->parent, outcome->command);
	(void)span_to_str(
	    span_of_str(outcome->id), command.id, sizeof command.id);
	(void)span_to_str(
	    span_of_str(outcome->by), command.by, sizeof command.by);
	command.state = outcome->state;
	command.cause = outcome->cause;
	parent_approval_tell_waiter(own->parent->approvals, &found->waiter,
	    &command, outcome->is_answered ? NULL : outcome->holder);
	free(found);
}

static void
on_refused(void *arg, struct span from, const char *why, uint64_t more)
{
	struct log_line line;

	if (!log_begin(&line, LOG_LEVEL_WARN, "peers", "refuse"))
		return;
	log_span(&line, "from", from);
	log_str(&line, "why", why);
	if (more > 0)
		log_u64(&line, "more_before", more);
	log_end(&line);
}

const struct peers_events parent_peers_events = {.send = on_send,
    .word = on_word,
    .stop = on_stop,
    .held = on_held,
    .ended = on_ended,
    .answered = on_answered,
    .refused = on_refused};

/* ---- what is asked here ---- */

/* The holder has the last word; this spares who may not the way there. */
static enum approval_cause
look_before(const struct approval_judgement *judgement,
    const struct approval_command *command)
{
	bool is_own =
	    span_is(judgement->who->names.identity, command->publisher);

	if (is_own)
		return judgement->agrees ? APPROVAL_SAME_IDENTITY
					 : APPROVAL_NONE;
	return command->rule != NULL && policy_approval_has(judgement->who,
					    command->rule, POLICY_PART_BY)
		   ? APPROVAL_NONE
		   : APPROVAL_NO_ACCESS;
}

static enum approval_cause
say(struct parent_peers *own, const struct approval_judgement *judgement,
    const struct approval_waiter *waiter)
{
	struct waiting *waiting = malloc(sizeof *waiting);
	const struct peers_word word = {.id = judgement->id,
	    .identity = judgement->who->names.identity,
	    .role = judgement->role,
	    .reason = judgement->reason,
	    .agrees = judgement->agrees};

	if (waiting == NULL)
		return APPROVAL_TABLE_FULL;
	*waiting = (struct waiting){.next = own->waiting,
	    .number = ++own->last_number,
	    .waiter = *waiter};
	own->waiting = waiting;
	if (peers_say(own->peers, &word, waiting->number,
		clock_monotonic_ms()) == PEERS_SAID) {
		parent_peers_arm(own);
		return APPROVAL_NONE;
	}
	own->waiting = waiting->next;
	free(waiting);
	return APPROVAL_TABLE_FULL;
}

bool
parent_peers_judge(struct parent *parent,
    const struct approval_judgement *judgement,
    const struct approval_waiter *waiter)
{
	struct parent_peers *own = parent->peers;
	const struct peers_command *theirs =
	    own == NULL ? NULL : peers_find(own->peers, judgement->id);
	struct approval_command command;
	enum approval_cause cause;

	if (theirs == NULL)
		return false;
	command = as_command(parent, theirs);
	cause = look_before(judgement, &command);
	if (cause == APPROVAL_NONE)
		cause = say(own, judgement, waiter);
	if (cause == APPROVAL_NONE)
		return true;
	command.cause = cause;
	parent_approval_tell_waiter(parent->approvals, waiter, &command, NULL);
	return true;
}

/* ---- what is shown here ---- */

void
parent_peers_put_pending(const struct parent *parent,
    const struct policy_who *who, bool sees_all, bool is_first,
    struct buf *json)
{
	const struct peers_command *theirs = NULL;

	while (parent->peers != NULL &&
	       (theirs = peers_next(parent->peers->peers, theirs)) != NULL) {
		const struct approval_command command =
		    as_command(parent, theirs);
		bool is_own = span_is(who->names.identity, command.publisher);
		bool may =
		    command.rule != NULL &&
		    policy_approval_has(who, command.rule, POLICY_PART_BY);

		if (!is_own && !may && !sees_all)
			continue;
		buf_append_str(json, is_first ? "{" : ",{");
		is_first = false;
		parent_approval_put_command(&command, json);
		json_put_member(json, ",", "gateway", theirs->holder);
		buf_append_str(json,
		    may && !is_own ? ",\"may_i\":true}" : ",\"may_i\":false}");
	}
}
