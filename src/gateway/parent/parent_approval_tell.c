#include "parent_approval.h"

#include "clock.h"
#include "json.h"
#include "str.h"

#include <stdio.h>

/* What people and devices are told, as JSON: one object a message. */

enum {
	/* With identity and rule it has to fit a message to the child. */
	JSON_MAX_BYTES = MONITOR_PAYLOAD_MAX - 3 * 4 - 2 * STR_NAME_MAX,
};

static void
put_u64(struct buf *json, const char *before, uint64_t value)
{
	char text[64];

	snprintf(text, sizeof text, "%s%ju", before, (uintmax_t)value);
	buf_append_str(json, text);
}

static void
put_text(struct buf *json, const char *before, struct span text)
{
	buf_append_str(json, before);
	if (text.data == NULL)
		buf_append_str(json, "null");
	else
		json_put_string(json, text);
}

static void
put_digest(struct buf *json, const struct approval_command *command)
{
	char hex[2 * APPROVAL_DIGEST_BYTES + 1];

	str_hex(span_of(command->digest, sizeof command->digest), hex);
	json_put_member(json, ",", "payload_sha256", hex);
}

void
parent_approval_put_command(
    const struct approval_command *command, struct buf *json)
{
	uint64_t now = clock_monotonic_ms();

	json_put_member(json, "", "id", command->id);
	json_put_member(json, ",", "rule", command->rule_name);
	put_text(json, ",\"topic\":", command->topic);
	put_text(json, ",\"payload\":", command->text);
	put_digest(json, command);
	put_u64(json, ",\"bytes\":", command->bytes);
	put_u64(json, ",\"qos\":", command->qos);
	json_put_member(json, ",", "publisher", command->publisher);
	put_u64(json, ",\"since_ms\":", now - command->since_ms);
	put_u64(json, ",\"left_ms\":",
	    command->until_ms > now ? command->until_ms - now : 0);
}

static void
tell(struct approvals *approvals, enum access_own what,
    const struct monitor_told *told)
{
	struct parent *parent = approvals->parent;
	struct buf payload;

	buf_init(&payload, MONITOR_PAYLOAD_MAX);
	monitor_told_put(told, &payload);
	for (size_t i = 0; !payload.failed && i < parent->threads; i++)
		monitor_send(&parent->desks[i].monitor, MONITOR_TELL,
		    (int32_t)what, 0, buf_span(&payload), -1);
	buf_fini(&payload);
}

/*
 * What is too long for a message, as a topic of control characters may be in
 * JSON, is asked for by its id.  False: there is nothing more to leave out.
 */
static bool
shorten(struct approval_command *shown)
{
	if (shown->text.data != NULL)
		shown->text = (struct span){0};
	else if (shown->topic.data != NULL)
		shown->topic = (struct span){0};
	else
		return false;
	return true;
}

void
parent_approval_tell_held(struct approvals *approvals,
    const struct approval_command *command, const char *gateway)
{
	struct approval_command shown = *command;
	struct buf json;

	buf_init(&json, JSON_MAX_BYTES);
	do {
		buf_fini(&json);
		buf_append_str(&json, "{\"outcome\":\"held\",");
		parent_approval_put_command(&shown, &json);
		json_put_member(&json, ",", "gateway", gateway);
		buf_append_str(&json, "}");
	} while (json.failed && shorten(&shown));
	if (!json.failed)
		tell(approvals, ACCESS_OWN_PENDING,
		    &(struct monitor_told){
			.rule = span_of_str(command->rule_name),
			.json = buf_span(&json)});
	buf_fini(&json);
}

/* {"id","topic","outcome","cause","by","reason"} and more, for both topics. */
static void
put_outcome(struct buf *json, const struct approval_command *command,
    const char *gateway)
{
	struct approval_command shown = *command;

	do {
		buf_fini(json);
		json_put_member(json, "{", "id", shown.id);
		put_text(json, ",\"topic\":", shown.topic);
		put_digest(json, &shown);
		json_put_member(
		    json, ",", "outcome", approval_state_name(shown.state));
		json_put_member(
		    json, ",", "cause", approval_cause_name(shown.cause));
		json_put_member(json, ",", "by", shown.by);
		json_put_member(json, ",", "reason", shown.reason);
		json_put_member(json, ",", "rule", shown.rule_name);
		json_put_member(json, ",", "publisher", shown.publisher);
		json_put_member(json, ",", "gateway", gateway);
		buf_append_str(json, "}");
	} while (json->failed && shorten(&shown));
}

void
parent_approval_tell_pending_ended(struct approvals *approvals,
    const struct approval_command *command, const char *gateway)
{
	struct monitor_told told = {.rule = span_of_str(command->rule_name)};
	struct buf json;

	buf_init(&json, JSON_MAX_BYTES);
	put_outcome(&json, command, gateway);
	told.json = buf_span(&json);
	tell(approvals, ACCESS_OWN_PENDING, &told);
	buf_fini(&json);
}

void
parent_approval_tell_ended(
    struct approvals *approvals, const struct approval_command *command)
{
	struct monitor_told told = {.rule = span_of_str(command->rule_name)};
	struct buf json;

	buf_init(&json, JSON_MAX_BYTES);
	put_outcome(&json, command, NULL);
	told.json = buf_span(&json);
	tell(approvals, ACCESS_OWN_PENDING, &told);
	told.identity = span_of_str(command->publisher);
	tell(approvals, ACCESS_OWN_RESULT, &told);
	buf_fini(&json);
}

void
parent_approval_tell_refused(
    struct approvals *approvals, const struct approval_refused *refused)
{
	struct approval_command shown = {.topic = refused->topic};
	struct buf json;

	buf_init(&json, JSON_MAX_BYTES);
	do {
		buf_fini(&json);
		put_text(&json, "{\"id\":null,\"topic\":", shown.topic);
		json_put_member(&json, ",", "outcome", "refused");
		json_put_member(
		    &json, ",", "cause", approval_cause_name(refused->cause));
		put_text(&json, ",\"by\":null,\"reason\":",
		    span_of_str(approval_cause_text(refused->cause)));
		put_text(&json, ",\"rule\":", refused->rule);
		put_text(&json, ",\"publisher\":", refused->identity);
		buf_append_str(&json, "}");
	} while (json.failed && shorten(&shown));
	tell(approvals, ACCESS_OWN_RESULT,
	    &(struct monitor_told){.identity = refused->identity,
		.rule = refused->rule,
		.json = buf_span(&json)});
	buf_fini(&json);
}
