#include "guard.h"

#include "mqtt_topic.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct guard {
	const struct guard_rules *rules;
	struct guard_command commands[GUARD_OUTSTANDING_MAX];
};

static const struct {
	const char *name, *text;
} causes[] = {
#define X(cause, name, text) {name, text},
    GUARD_CAUSES(X)
#undef X
};

/* Bits of the states that may follow. */
static const unsigned successors[] = {
    [GUARD_FREE] = 1u << GUARD_ISSUED,
    [GUARD_ISSUED] = 1u << GUARD_SIGNED | 1u << GUARD_FREE,
    [GUARD_SIGNED] = 1u << GUARD_CONSUMED | 1u << GUARD_FREE,
    [GUARD_CONSUMED] = 1u << GUARD_FREE,
};

const char *
guard_cause_name(enum guard_cause cause)
{
	return causes[cause].name;
}

const char *
guard_cause_text(enum guard_cause cause)
{
	return causes[cause].text;
}

static void
set_state(struct guard_command *command, enum guard_state state)
{
	assert((successors[command->state] & 1u << state) != 0);
	command->state = state;
}

/* ---- life ---- */

struct guard *
guard_new(const struct guard_rules *rules)
{
	struct guard *guard = calloc(1, sizeof *guard);

	if (guard != NULL)
		guard->rules = rules;
	return guard;
}

void
guard_finish(struct guard *guard, struct guard_command *command)
{
	(void)guard;
	set_state(command, GUARD_FREE);
	buf_fini(&command->topic);
	buf_fini(&command->payload);
	buf_fini(&command->statement);
	/* A challenge is not found again in memory either. */
	explicit_bzero(command, sizeof *command);
}

void
guard_free(struct guard *guard)
{
	struct guard_command *command;
	size_t at = 0;

	if (guard == NULL)
		return;
	while ((command = guard_next(guard, &at)) != NULL)
		guard_finish(guard, command);
	free(guard);
}

struct guard_command *
guard_next(struct guard *guard, size_t *at)
{
	while (*at < GUARD_OUTSTANDING_MAX) {
		struct guard_command *command = &guard->commands[(*at)++];

		if (command->state != GUARD_FREE)
			return command;
	}
	return NULL;
}

void
guard_change(struct guard *guard, const struct guard_rules *rules)
{
	size_t at = 0;

	assert(guard_next(guard, &at) == NULL);
	guard->rules = rules;
}

enum guard_cause
guard_over(const struct guard_command *command, uint64_t now_ms)
{
	if (now_ms < command->expires_ms)
		return GUARD_CAUSE_NONE;
	/* Only a device could have agreed, and its condition did not hold. */
	if (command->state == GUARD_SIGNED &&
	    command->rule->role_counts[GUARD_APPROVE] == 0)
		return GUARD_INTERLOCKING;
	return GUARD_TIME_LIMIT_OVER;
}

/* ---- asking ---- */

static void
note(struct guard_outcome *outcome, enum guard_cause cause, const char *detail)
{
	outcome->cause = cause;
	snprintf(outcome->detail, sizeof outcome->detail, "%s", detail);
}

static bool
check(const struct guard *guard, const struct guard_question *question,
    const struct guard_rule **rule, struct guard_outcome *outcome)
{
	if (!str_is_name(question->request))
		note(outcome, GUARD_INCONSISTENT, "the request has no name");
	else if (question->topic.len > GUARD_TOPIC_MAX ||
		 mqtt_topic_check_name(question->topic, MQTT_RULE_TOPIC_TEXT) !=
		     MQTT_RULE_NONE)
		note(outcome, GUARD_INCONSISTENT,
		    "the topic is none, or longer than 512 bytes");
	else if (question->payload.len > GUARD_PAYLOAD_MAX)
		note(outcome, GUARD_INCONSISTENT,
		    "the payload is longer than 4096 bytes");
	else
		switch (guard_rules_judge(
		    guard->rules, question->topic, &question->payload, rule)) {
		case GUARD_PROTECTED:
			return true;
		case GUARD_OPEN:
			note(outcome, GUARD_NOT_SUPPORTED, "");
			break;
		case GUARD_SAFE:
			note(outcome, GUARD_NOT_SUPPORTED,
			    "the safe state needs nobody: publish it");
		}
	return false;
}

static struct guard_command *
asked_before(
    struct guard *guard, const struct guard_question *question, uint64_t now_ms)
{
	struct guard_command *command;
	size_t at = 0;

	while ((command = guard_next(guard, &at)) != NULL)
		if (command->state == GUARD_ISSUED &&
		    guard_over(command, now_ms) == GUARD_CAUSE_NONE &&
		    span_is(question->request, command->request) &&
		    span_equal(buf_span(&command->topic), question->topic) &&
		    span_equal(buf_span(&command->payload), question->payload))
			return command;
	return NULL;
}

static struct guard_command *
free_slot(struct guard *guard)
{
	for (size_t i = 0; i < GUARD_OUTSTANDING_MAX; i++)
		if (guard->commands[i].state == GUARD_FREE)
			return &guard->commands[i];
	return NULL;
}

static bool
fill(struct guard_command *command, const struct guard *guard,
    const struct guard_question *question)
{
	const struct guard_statement statement = {
	    .actuator = span_of_str(guard->rules->actuator),
	    .topic = question->topic,
	    .payload = question->payload,
	    .challenge = span_of(command->challenge, sizeof command->challenge),
	};

	buf_init(&command->topic, GUARD_TOPIC_MAX);
	buf_init(&command->payload, GUARD_PAYLOAD_MAX);
	buf_init(&command->statement, GUARD_STATEMENT_MAX);
	span_to_str(
	    question->request, command->request, sizeof command->request);
	return buf_append(&command->topic, question->topic.data,
		   question->topic.len) &&
	       (question->payload.len == 0 ||
		   buf_append(&command->payload, question->payload.data,
		       question->payload.len)) &&
	       guard_statement_put(
		   &statement, &command->statement, command->id);
}

const struct guard_command *
guard_ask(struct guard *guard, const struct guard_question *question,
    const uint8_t random[GUARD_CHALLENGE_BYTES], uint64_t now_ms,
    struct guard_outcome *outcome)
{
	const struct guard_rule *rule;
	struct guard_command *command;

	*outcome = (struct guard_outcome){.cause = GUARD_CAUSE_NONE};
	if (!check(guard, question, &rule, outcome))
		return NULL;
	command = asked_before(guard, question, now_ms);
	if (command != NULL)
		return command;
	command = free_slot(guard);
	if (command == NULL) {
		note(outcome, GUARD_TABLE_FULL, "");
		return NULL;
	}
	set_state(command, GUARD_ISSUED);
	command->rule = rule;
	command->expires_ms = now_ms + rule->within_ms;
	memcpy(command->challenge, random, sizeof command->challenge);
	if (fill(command, guard, question))
		return command;
	guard_finish(guard, command);
	note(outcome, GUARD_NO_MEMORY, "");
	return NULL;
}

/* ---- signatures ---- */

static struct guard_command *
find(struct guard *guard, struct span id, uint64_t now_ms)
{
	struct guard_command *command;
	size_t at = 0;

	while ((command = guard_next(guard, &at)) != NULL)
		if (command->state != GUARD_CONSUMED &&
		    span_is(id, command->id))
			return guard_over(command, now_ms) == GUARD_CAUSE_NONE
				   ? command
				   : NULL;
	return NULL;
}

/* Is it good, and whose is it? */
static bool
verify(const struct guard *guard, const struct guard_command *command,
    const char *namespace, struct span text, int64_t now_s,
    struct guard_signer *signer, struct guard_outcome *outcome)
{
	const struct guard_signed it = {.signers = &guard->rules->signers,
	    .revoked = guard->rules->revoked,
	    .namespace = namespace,
	    .message = buf_span(&command->statement),
	    .signature = text,
	    .now_s = now_s};
	const char *why = "";

	switch (guard_signer_judge(&it, signer, &why)) {
	case GUARD_SIGNER_GOOD:
		memcpy(outcome->principal, signer->principal,
		    sizeof outcome->principal);
		return true;
	case GUARD_SIGNER_BAD:
		note(outcome, GUARD_BAD_SIGNATURE, why);
		return false;
	case GUARD_SIGNER_UNKNOWN:
		break;
	}
	note(outcome, GUARD_NO_ACCESS, why);
	return false;
}

static bool
may(const struct guard *guard, const struct guard_command *command,
    enum guard_part part, const struct guard_outcome *outcome)
{
	return guard_rules_may(
	    guard->rules, command->rule, part, span_of_str(outcome->principal));
}

static bool
may_second(const struct guard *guard, const struct guard_command *command,
    const struct guard_outcome *outcome)
{
	return may(guard, command, GUARD_APPROVE, outcome) ||
	       may(guard, command, GUARD_PERMIT, outcome);
}

/* One name, or one key that is certified under two of them. */
static bool
is_the_first(
    const struct guard_command *command, const struct guard_signer *signer)
{
	return strcmp(command->by[0], signer->principal) == 0 ||
	       memcmp(command->first_key, signer->key,
		   sizeof command->first_key) == 0;
}

static enum guard_step
agree(struct guard *guard, struct guard_command *command,
    const struct guard_signer *signer, struct guard_outcome *outcome)
{
	bool is_first = command->state == GUARD_ISSUED;

	if (is_first && !may(guard, command, GUARD_REQUEST, outcome)) {
		note(outcome, GUARD_NO_ACCESS,
		    "the first signature is of one who may request");
		return GUARD_STEP_REFUSED;
	}
	if (!is_first && is_the_first(command, signer)) {
		note(outcome, GUARD_SAME_IDENTITY, "");
		return GUARD_STEP_REFUSED;
	}
	if (!is_first && !may_second(guard, command, outcome)) {
		note(outcome, GUARD_NO_ACCESS,
		    "the second signature is of one who may approve or permit");
		return GUARD_STEP_REFUSED;
	}
	memcpy(command->by[is_first ? 0 : 1], signer->principal,
	    sizeof command->by[0]);
	if (is_first)
		memcpy(
		    command->first_key, signer->key, sizeof command->first_key);
	set_state(command, is_first ? GUARD_SIGNED : GUARD_CONSUMED);
	return is_first ? GUARD_STEP_FIRST : GUARD_STEP_BOTH;
}

/* Who may give the second, and who gave the first, may end it. */
static enum guard_step
disagree(const struct guard *guard, const struct guard_command *command,
    struct guard_outcome *outcome)
{
	if (strcmp(command->by[0], outcome->principal) == 0 ||
	    may(guard, command, GUARD_APPROVE, outcome)) {
		note(outcome, GUARD_CANCELLED, "");
		return GUARD_STEP_DENIED;
	}
	note(outcome, GUARD_NO_ACCESS, "who may approve may deny");
	return GUARD_STEP_REFUSED;
}

enum guard_step
guard_sign(struct guard *guard, struct span id, enum guard_will will,
    struct span signature, uint64_t now_ms, int64_t now_s,
    struct guard_command **command, struct guard_outcome *outcome)
{
	struct guard_signer signer;

	*outcome = (struct guard_outcome){.cause = GUARD_CAUSE_NONE};
	*command = find(guard, id, now_ms);
	if (*command == NULL) {
		note(outcome, GUARD_NOT_SELECTED, "");
		return GUARD_STEP_REFUSED;
	}
	if (!verify(guard, *command,
		will == GUARD_AGREES ? GUARD_SIGNS : GUARD_DENIES, signature,
		now_s, &signer, outcome))
		return GUARD_STEP_REFUSED;
	return will == GUARD_AGREES ? agree(guard, *command, &signer, outcome)
				    : disagree(guard, *command, outcome);
}
