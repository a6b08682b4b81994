#include "approval_private.h"

#include <stdlib.h>

/* Somebody publishes to a protected topic. */

static size_t
count_of(const struct approval_table *table, const char *publisher)
{
	const struct approval_command *command;
	size_t place = 0, count = 0;

	while ((command = approval_next(table, &place)) != NULL)
		count += command->state == APPROVAL_HELD &&
			 strcmp(command->publisher, publisher) == 0;
	return count;
}

static bool
has_role(const struct approval_request *request, enum policy_approval_part part)
{
	return policy_approval_has(request->who, request->rule, part);
}

static enum approval_cause
check_request(
    const struct approval_request *request, bool *may_ask, bool *may_agree)
{
	if (!str_is_name(request->who->names.identity))
		return APPROVAL_NO_ACCESS;
	if (request->topic.len > APPROVAL_TOPIC_MAX ||
	    request->text.len > APPROVAL_TEXT_MAX)
		return APPROVAL_TOO_LARGE;
	*may_ask = request->rule->from_count == 0 ||
		   has_role(request, POLICY_PART_FROM);
	*may_agree = has_role(request, POLICY_PART_BY);
	if (request->is_break_glass)
		return has_role(request, POLICY_PART_BREAK_GLASS)
			   ? APPROVAL_NONE
			   : APPROVAL_NO_ACCESS;
	if (*may_ask || (request->rule->mode == POLICY_TWICE && *may_agree))
		return APPROVAL_NONE;
	return APPROVAL_NO_ACCESS;
}

/* Topic and text, kept. */
static bool
copy_bytes(
    struct approval_command *command, const struct approval_request *request)
{
	uint8_t *memory = malloc(request->topic.len + request->text.len + 1);

	if (memory == NULL)
		return false;
	memcpy(memory, request->topic.data, request->topic.len);
	command->topic = span_of(memory, request->topic.len);
	if (request->text.data != NULL) {
		command->text =
		    span_of(memory + request->topic.len, request->text.len);
		memcpy(memory + request->topic.len, request->text.data,
		    request->text.len);
	}
	command->memory = memory;
	return true;
}

static uint64_t
time_of(const struct approval_request *request)
{
	uint64_t within_ms = request->rule->within_ms;

	if (request->within_ms != 0 && request->within_ms < within_ms)
		within_ms = request->within_ms;
	return within_ms;
}

/* A place for it, in state FREE still; NULL where there is none. */
static struct approval_command *
make(struct approval_table *table, const struct approval_request *request,
    uint64_t now_ms)
{
	struct approval_command *command = NULL;

	for (size_t i = 0; i < APPROVAL_COMMANDS_MAX && command == NULL; i++)
		if (table->commands[i].state == APPROVAL_FREE)
			command = &table->commands[i];
	if (command == NULL)
		return NULL;
	*command = (struct approval_command){
	    .state = APPROVAL_FREE,
	    .rule = request->rule,
	    .bytes = request->bytes,
	    .qos = request->qos,
	    .is_break_glass = request->is_break_glass,
	    .since_ms = now_ms,
	    .until_ms = now_ms + time_of(request),
	    .owner = request->owner,
	};
	(void)span_to_str(request->who->names.identity, command->publisher,
	    sizeof command->publisher);
	(void)span_to_str(span_of_str(request->rule->name), command->rule_name,
	    sizeof command->rule_name);
	str_hex(span_of(request->random, APPROVAL_ID_BYTES), command->id);
	memcpy(command->nonce, request->random + APPROVAL_ID_BYTES,
	    APPROVAL_NONCE_BYTES);
	memcpy(command->digest, request->digest, APPROVAL_DIGEST_BYTES);
	if (approval_find(table, span_of_str(command->id)) != NULL ||
	    !copy_bytes(command, request))
		return NULL;
	return command;
}

static void
unmake(struct approval_command *command)
{
	free(command->memory);
	*command = (struct approval_command){.state = APPROVAL_FREE};
}

static enum approval_answer
hold(struct approval_table *table, struct approval_command *command,
    enum approval_cause *cause)
{
	const struct approval_change change = {.next = APPROVAL_HELD,
	    .cause = APPROVAL_NONE,
	    .by = "",
	    .reason = ""};

	if (!approval_record(table, command, &change)) {
		*cause = APPROVAL_AUDIT_FAILED;
		unmake(command);
		return APPROVAL_REFUSED;
	}
	approval_set_state(command, APPROVAL_HELD);
	table->count++;
	table->events.held(table->events.arg, command);
	return APPROVAL_IS_HELD;
}

/* Nobody is to be waited for: it goes now, or never. */
static enum approval_answer
decide_now(struct approval_table *table, struct approval_command *command,
    uint64_t now_ms, enum approval_cause *cause)
{
	const struct approval_permit *permit = NULL;
	char giver[STR_NAME_MAX + 1] = "";

	if (!command->is_break_glass) {
		permit = approval_find_permit(
		    table, command->rule, command->publisher, now_ms);
		*cause = APPROVAL_INTERLOCKED;
		if (permit == NULL) {
			unmake(command);
			return APPROVAL_REFUSED;
		}
		memcpy(giver, permit->giver, sizeof giver);
		if (permit->until_ms < command->until_ms)
			command->until_ms = permit->until_ms;
	}
	approval_set_state(command, APPROVAL_HELD);
	table->count++;
	*cause = approval_release(table, command, giver, now_ms);
	if (*cause == APPROVAL_NONE)
		return APPROVAL_IS_RELEASED;
	/* Nobody was told that it was there. */
	approval_set_state(command, APPROVAL_REVOKED);
	approval_put_free(table, command);
	return APPROVAL_REFUSED;
}

/* twice: one of the two may ask, the other may agree. */
static bool
is_pair(const struct approval_command *first,
    const struct approval_request *request, bool may_ask, bool may_agree)
{
	return first->state == APPROVAL_HELD && first->rule == request->rule &&
	       span_equal(first->topic, request->topic) &&
	       first->bytes == request->bytes &&
	       memcmp(first->digest, request->digest, APPROVAL_DIGEST_BYTES) ==
		   0 &&
	       !span_is(request->who->names.identity, first->publisher) &&
	       ((first->may_ask && may_agree) || (first->may_agree && may_ask));
}

/* The oldest that this one is the second to; NULL: it is a first one. */
static struct approval_command *
find_first(struct approval_table *table, const struct approval_request *request,
    uint64_t now_ms, bool may_ask, bool may_agree)
{
	struct approval_command *first = NULL;

	for (size_t i = 0; i < APPROVAL_COMMANDS_MAX; i++) {
		struct approval_command *command = &table->commands[i];

		if (is_pair(command, request, may_ask, may_agree) &&
		    now_ms < command->until_ms &&
		    (first == NULL || command->since_ms < first->since_ms))
			first = command;
	}
	return first;
}

/* The same by the same identity is still one person's. */
static bool
is_repeated(
    const struct approval_table *table, const struct approval_request *request)
{
	const struct approval_command *command;
	size_t place = 0;

	while ((command = approval_next(table, &place)) != NULL)
		if (command->state == APPROVAL_HELD &&
		    command->rule == request->rule &&
		    span_is(request->who->names.identity, command->publisher) &&
		    span_equal(command->topic, request->topic) &&
		    memcmp(command->digest, request->digest,
			APPROVAL_DIGEST_BYTES) == 0)
			return true;
	return false;
}

enum approval_answer
approval_ask(struct approval_table *table,
    const struct approval_request *request, uint64_t now_ms,
    const struct approval_command **command, enum approval_cause *cause)
{
	const bool is_twice =
	    request->rule->mode == POLICY_TWICE && !request->is_break_glass;
	bool may_ask = false, may_agree = false;
	struct approval_command *made, *first = NULL;

	*command = NULL;
	*cause = check_request(request, &may_ask, &may_agree);
	if (*cause != APPROVAL_NONE)
		return APPROVAL_REFUSED;
	if (is_twice)
		first = find_first(table, request, now_ms, may_ask, may_agree);
	if (first != NULL) {
		char by[STR_NAME_MAX + 1];

		(void)span_to_str(request->who->names.identity, by, sizeof by);
		*command = first;
		*cause = approval_release(table, first, by, now_ms);
		return *cause == APPROVAL_NONE ? APPROVAL_HAS_AGREED
					       : APPROVAL_REFUSED;
	}
	if (is_twice && is_repeated(table, request)) {
		*cause = APPROVAL_SAME_IDENTITY;
		return APPROVAL_REFUSED;
	}
	made = make(table, request, now_ms);
	*cause = APPROVAL_TABLE_FULL;
	if (made == NULL)
		return APPROVAL_REFUSED;
	if (count_of(table, made->publisher) >= APPROVAL_COMMANDS_EACH) {
		unmake(made);
		*cause = APPROVAL_ONE_OF_N;
		return APPROVAL_REFUSED;
	}
	*cause = APPROVAL_NONE;
	made->may_ask = may_ask;
	made->may_agree = may_agree;
	*command = made;
	if (request->is_break_glass || request->rule->mode == POLICY_PERMISSIVE)
		return decide_now(table, made, now_ms, cause);
	return hold(table, made, cause);
}
