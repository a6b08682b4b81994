#include "approval_private.h"

#include <assert.h>
#include <stdlib.h>

static const char *const names[] = {
#define X(state, name) [state] = (name),
    APPROVAL_STATES(X)
#undef X
};

static const struct {
	const char *name, *text;
} causes[] = {
#define X(cause, name, text) [cause] = {name, text},
    APPROVAL_CAUSES(X)
#undef X
};

const char *
approval_state_name(enum approval_state state)
{
	return names[state];
}

const char *
approval_cause_name(enum approval_cause cause)
{
	return causes[cause].name;
}

const char *
approval_cause_text(enum approval_cause cause)
{
	return causes[cause].text;
}

bool
approval_may_follow(enum approval_state state, enum approval_state next)
{
	static const struct {
		enum approval_state from, to;
	} ways[] = {
#define X(from, to) {from, to},
	    APPROVAL_TRANSITIONS(X)
#undef X
	};

	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
		if (ways[i].from == state && ways[i].to == next)
			return true;
	return false;
}

enum approval_cause
approval_cause_of(enum approval_state state)
{
	static const enum approval_cause reported[APPROVAL_STATE_COUNT] = {
	    [APPROVAL_EXPIRED] = APPROVAL_TIME_LIMIT,
	    [APPROVAL_LOST] = APPROVAL_LINK_LOST,
	    [APPROVAL_SUPERSEDED] = APPROVAL_OVERTAKEN,
	    [APPROVAL_REVOKED] = APPROVAL_POLICY_CHANGED,
	};

	return reported[state];
}

/* ---- the table ---- */

struct approval_table *
approval_new(const struct approval_events *events)
{
	struct approval_table *table = calloc(1, sizeof *table);

	if (table != NULL)
		table->events = *events;
	return table;
}

void
approval_free(struct approval_table *table)
{
	for (size_t i = 0; table != NULL && i < APPROVAL_COMMANDS_MAX; i++)
		free(table->commands[i].memory);
	free(table);
}

const struct approval_command *
approval_next(const struct approval_table *table, size_t *place)
{
	while (*place < APPROVAL_COMMANDS_MAX) {
		const struct approval_command *command =
		    &table->commands[(*place)++];

		if (command->state != APPROVAL_FREE)
			return command;
	}
	return NULL;
}

const struct approval_command *
approval_look(const struct approval_table *table, struct span id)
{
	for (size_t i = 0; table->count > 0 && i < APPROVAL_COMMANDS_MAX; i++)
		if (table->commands[i].state != APPROVAL_FREE &&
		    span_is(id, table->commands[i].id))
			return &table->commands[i];
	return NULL;
}

struct approval_command *
approval_find(struct approval_table *table, struct span id)
{
	return (struct approval_command *)approval_look(table, id);
}

/* ---- states ---- */

void
approval_set_state(struct approval_command *command, enum approval_state next)
{
	assert(approval_may_follow(command->state, next));
	command->state = next;
}

bool
approval_record(struct approval_table *table,
    const struct approval_command *command,
    const struct approval_change *change)
{
	return table->events.record(table->events.arg, command, change);
}

void
approval_put_free(
    struct approval_table *table, struct approval_command *command)
{
	approval_set_state(command, APPROVAL_FREE);
	free(command->memory);
	*command = (struct approval_command){.state = APPROVAL_FREE};
	table->count--;
}

static void
keep_outcome(
    struct approval_command *command, const struct approval_change *change)
{
	command->cause = change->cause;
	(void)span_to_str(
	    span_of_str(change->by), command->by, sizeof command->by);
	(void)span_to_str(span_of_str(change->reason), command->reason,
	    sizeof command->reason);
}

/* It ends, and nothing of it goes to the broker from now on. */
static void
end(struct approval_table *table, struct approval_command *command,
    enum approval_state state, enum approval_cause cause)
{
	char by[sizeof command->by];
	const struct approval_change change = {
	    .next = state, .cause = cause, .by = by, .reason = ""};

	/* Who had agreed stays named, though it came to nothing. */
	memcpy(by, command->by, sizeof by);
	(void)approval_record(table, command, &change);
	approval_set_state(command, state);
	keep_outcome(command, &change);
	table->events.ended(table->events.arg, command);
	approval_put_free(table, command);
}

enum approval_cause
approval_release(struct approval_table *table, struct approval_command *command,
    const char *by, uint64_t now_ms)
{
	const struct approval_change change = {.next = APPROVAL_RELEASED,
	    .cause = APPROVAL_NONE,
	    .by = by,
	    .reason = ""};

	if (now_ms >= command->until_ms)
		return APPROVAL_TIME_LIMIT;
	if (strcmp(by, command->publisher) == 0)
		return APPROVAL_SAME_IDENTITY;
	if (by[0] == '\0' && !command->is_break_glass)
		return APPROVAL_NO_ACCESS;
	if (!approval_record(table, command, &change))
		return APPROVAL_AUDIT_FAILED;
	approval_set_state(command, APPROVAL_RELEASED);
	keep_outcome(command, &change);
	command->report_ms = now_ms + APPROVAL_REPORT_MS;
	if (now_ms + APPROVAL_GO_MS < command->until_ms)
		command->until_ms = now_ms + APPROVAL_GO_MS;
	table->events.released(table->events.arg, command);
	return APPROVAL_NONE;
}

/* ---- answering ---- */

/* The command that is meant, if anything can still be said of it. */
static enum approval_cause
find_held(struct approval_table *table, struct span id, uint64_t now_ms,
    struct approval_command **command)
{
	*command = approval_find(table, id);
	if (*command == NULL)
		return APPROVAL_NOT_SELECTED;
	if ((*command)->state == APPROVAL_RELEASED)
		return APPROVAL_IN_EXECUTION;
	if (now_ms < (*command)->until_ms)
		return APPROVAL_NONE;
	end(table, *command, APPROVAL_EXPIRED, APPROVAL_TIME_LIMIT);
	*command = NULL;
	return APPROVAL_TIME_LIMIT;
}

enum approval_cause
approval_agree(struct approval_table *table, struct span id,
    const struct policy_who *who, uint64_t now_ms,
    const struct approval_command **command)
{
	struct approval_command *found;
	enum approval_cause cause = find_held(table, id, now_ms, &found);
	char by[STR_NAME_MAX + 1];

	if (command != NULL)
		*command = found;
	if (cause != APPROVAL_NONE)
		return cause;
	if (!str_is_name(who->names.identity) ||
	    !span_to_str(who->names.identity, by, sizeof by))
		return APPROVAL_NO_ACCESS;
	if (strcmp(by, found->publisher) == 0)
		return APPROVAL_SAME_IDENTITY;
	if (!policy_approval_has(who, found->rule, POLICY_PART_BY))
		return APPROVAL_NO_ACCESS;
	if (found->rule->mode != POLICY_HOLD)
		return APPROVAL_INCONSISTENT;
	return approval_release(table, found, by, now_ms);
}

enum approval_cause
approval_deny(struct approval_table *table, struct span id,
    const struct policy_who *who, struct span reason, uint64_t now_ms)
{
	char by[STR_NAME_MAX + 1], text[APPROVAL_REASON_MAX + 1];
	const struct approval_change change = {.next = APPROVAL_DENIED,
	    .cause = APPROVAL_CANCELLED,
	    .by = by,
	    .reason = text};
	struct approval_command *found;
	enum approval_cause cause = find_held(table, id, now_ms, &found);

	if (cause != APPROVAL_NONE)
		return cause;
	if (!str_is_name(who->names.identity) ||
	    !span_to_str(who->names.identity, by, sizeof by) ||
	    (strcmp(by, found->publisher) != 0 &&
		!policy_approval_has(who, found->rule, POLICY_PART_BY)))
		return APPROVAL_NO_ACCESS;
	str_escape(reason, text, sizeof text);
	(void)approval_record(table, found, &change);
	approval_set_state(found, APPROVAL_DENIED);
	keep_outcome(found, &change);
	table->events.ended(table->events.arg, found);
	approval_put_free(table, found);
	return APPROVAL_NONE;
}

/* ---- what happens meanwhile ---- */

bool
approval_report(struct approval_table *table,
    const struct approval_owner *owner, enum approval_state state)
{
	struct approval_command *command = NULL;

	for (size_t i = 0; table->count > 0 && i < APPROVAL_COMMANDS_MAX; i++)
		if (table->commands[i].state != APPROVAL_FREE &&
		    approval_is_of(&table->commands[i].owner, owner) &&
		    table->commands[i].owner.number == owner->number)
			command = &table->commands[i];
	if (command == NULL)
		return false;
	if (state == APPROVAL_RELEASED) {
		if (command->state != APPROVAL_RELEASED)
			return false;
		table->events.ended(table->events.arg, command);
		approval_put_free(table, command);
		return true;
	}
	if (approval_cause_of(state) == APPROVAL_NONE)
		return false;
	end(table, command, state, approval_cause_of(state));
	return true;
}

void
approval_lose(struct approval_table *table, const struct approval_owner *owner)
{
	for (size_t i = 0; table->count > 0 && i < APPROVAL_COMMANDS_MAX; i++)
		if (table->commands[i].state != APPROVAL_FREE &&
		    approval_is_of(&table->commands[i].owner, owner))
			end(table, &table->commands[i], APPROVAL_LOST,
			    APPROVAL_LINK_LOST);
	approval_permits_lose(table, owner);
}

/* What was let go is the owner's, who knows what has got out. */
void
approval_stop(struct approval_table *table, struct span topic)
{
	for (size_t i = 0; table->count > 0 && i < APPROVAL_COMMANDS_MAX; i++)
		if (table->commands[i].state == APPROVAL_HELD &&
		    span_equal(table->commands[i].topic, topic))
			end(table, &table->commands[i], APPROVAL_SUPERSEDED,
			    APPROVAL_OVERTAKEN);
}

void
approval_revoke(struct approval_table *table, enum approval_cause cause)
{
	for (size_t i = 0; table->count > 0 && i < APPROVAL_COMMANDS_MAX; i++)
		if (table->commands[i].state == APPROVAL_HELD)
			end(table, &table->commands[i], APPROVAL_REVOKED,
			    cause);
		else
			table->commands[i].rule = NULL;
	approval_permits_revoke(table, cause);
}

/* It was let go, and who should say whether it got out has not said so. */
static void
end_untold(struct approval_table *table, struct approval_command *command)
{
	end(table, command, APPROVAL_UNKNOWN, APPROVAL_UNTOLD);
}

void
approval_end(struct approval_table *table)
{
	for (size_t i = 0; table->count > 0 && i < APPROVAL_COMMANDS_MAX; i++)
		if (table->commands[i].state == APPROVAL_RELEASED)
			end_untold(table, &table->commands[i]);
		else if (table->commands[i].state == APPROVAL_HELD)
			end(table, &table->commands[i], APPROVAL_LOST,
			    APPROVAL_LINK_LOST);
	approval_permits_revoke(table, APPROVAL_LINK_LOST);
}

/* ---- time ---- */

/* HELD: it expires; RELEASED: the owner should have reported. */
static uint64_t
due_of(const struct approval_command *command)
{
	return command->state == APPROVAL_HELD ? command->until_ms
					       : command->report_ms;
}

uint64_t
approval_due_ms(const struct approval_table *table)
{
	uint64_t due = approval_permits_due_ms(table);
	const struct approval_command *command;
	size_t place = 0;

	while (table->count > 0 &&
	       (command = approval_next(table, &place)) != NULL)
		if (due_of(command) < due)
			due = due_of(command);
	return due;
}

void
approval_on_time(struct approval_table *table, uint64_t now_ms)
{
	for (size_t i = 0; table->count > 0 && i < APPROVAL_COMMANDS_MAX; i++) {
		struct approval_command *command = &table->commands[i];

		if (command->state == APPROVAL_FREE || now_ms < due_of(command))
			continue;
		if (command->state == APPROVAL_HELD)
			end(table, command, APPROVAL_EXPIRED,
			    APPROVAL_TIME_LIMIT);
		else
			end_untold(table, command);
	}
	approval_permits_on_time(table, now_ms);
}
