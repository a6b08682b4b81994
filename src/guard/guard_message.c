#include "guard_message.h"

#include "json.h"

#include <stdio.h>
#include <stdlib.h>

enum { ITEMS_MAX = 8 };

static const char *const words[GUARD_DO_COUNT] = {
    [GUARD_DO_ASK] = "ask",
    [GUARD_DO_SIGN] = "sign",
    [GUARD_DO_DENY] = "deny",
    [GUARD_DO_LIST] = "list",
};

/* Which members each has besides `do` and `request`. */
enum { HAS_TOPIC = 1, HAS_ID = 2, HAS_SIGNATURE = 4, MAY_HAVE_ID = 8 };
static const unsigned members[GUARD_DO_COUNT] = {
    [GUARD_DO_ASK] = HAS_TOPIC,
    [GUARD_DO_SIGN] = HAS_ID | HAS_SIGNATURE,
    [GUARD_DO_DENY] = HAS_ID | HAS_SIGNATURE,
    [GUARD_DO_LIST] = MAY_HAVE_ID,
};

void
guard_topic(char text[GUARD_NAME_TOPIC_MAX], const char *name, const char *what)
{
	snprintf(
	    text, GUARD_NAME_TOPIC_MAX, GUARD_ROOM "%.64s/%.160s", name, what);
}

static bool
take_text(const json_t *object, const char *name, struct span *text)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_string(value))
		return false;
	*text = span_of(json_string_value(value), json_string_length(value));
	return true;
}

bool
guard_payload_take(const json_t *message, struct span *payload, uint8_t **bytes)
{
	struct span base64;
	bool is_text = take_text(message, "payload", payload);
	bool is_base64 = take_text(message, "payload_base64", &base64);
	long len;

	*bytes = NULL;
	if (is_text == is_base64)
		return false;
	if (is_text)
		return true;
	*bytes = malloc(base64.len + 1);
	len = *bytes == NULL
		  ? -1
		  : str_base64_decode(base64, *bytes, base64.len + 1);
	if (len >= 0) {
		*payload = span_of(*bytes, (size_t)len);
		return true;
	}
	free(*bytes);
	*bytes = NULL;
	return false;
}

static bool
take_what(const json_t *json, enum guard_do *what)
{
	struct span word;

	if (!take_text(json, "do", &word))
		return false;
	for (enum guard_do i = 0; i < GUARD_DO_COUNT; i++)
		if (span_is(word, words[i])) {
			*what = i;
			return true;
		}
	return false;
}

static bool
take_members(struct guard_ask *ask)
{
	const json_t *json = ask->json;
	unsigned has = members[ask->what];

	if ((has & HAS_TOPIC) != 0 &&
	    (!take_text(json, "topic", &ask->topic) ||
		!guard_payload_take(json, &ask->payload, &ask->bytes)))
		return false;
	if (!take_text(json, "id", &ask->id) && (has & HAS_ID) != 0)
		return false;
	if ((has & HAS_SIGNATURE) != 0 &&
	    !take_text(json, "signature", &ask->signature))
		return false;
	return true;
}

bool
guard_ask_parse(struct span message, struct guard_ask *ask)
{
	*ask = (struct guard_ask){0};
	if (message.len == 0 || message.len > GUARD_MESSAGE_MAX)
		return false;
	ask->json = json_loadb((const char *)message.data, message.len,
	    JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(ask->json) ||
	    json_object_size(ask->json) > ITEMS_MAX)
		return false;
	if (!take_text(ask->json, "request", &ask->request) ||
	    !str_is_name(ask->request)) {
		ask->request = span_of(NULL, 0);
		return false;
	}
	return take_what(ask->json, &ask->what) && take_members(ask);
}

void
guard_ask_fini(struct guard_ask *ask)
{
	free(ask->bytes);
	json_decref(ask->json);
	*ask = (struct guard_ask){0};
}

/* ---- writing ---- */

static void
put_text(struct buf *out, const char *name, struct span text)
{
	buf_append_str(out, buf_len(out) > 0 ? ",\"" : "{\"");
	buf_append_str(out, name);
	buf_append_str(out, "\":");
	json_put_string(out, text);
}

static void
put_number(struct buf *out, const char *name, uint64_t number)
{
	char text[64];

	snprintf(text, sizeof text, "%s\"%s\":%ju",
	    buf_len(out) > 0 ? "," : "{", name, (uintmax_t)number);
	buf_append_str(out, text);
}

/* What JSON carries as it is. */
static bool
is_text(struct span bytes)
{
	while (bytes.len > 0) {
		size_t len = str_utf8_len(bytes);

		if (len == 0 || bytes.data[0] == 0)
			return false;
		bytes = span_of(bytes.data + len, bytes.len - len);
	}
	return true;
}

static void
put_payload(struct buf *out, struct span payload)
{
	char *base64;

	if (is_text(payload)) {
		put_text(out, "payload", payload);
		return;
	}
	base64 = malloc(4 * ((payload.len + 2) / 3) + 1);
	if (base64 == NULL) {
		out->failed = true;
		return;
	}
	str_base64_encode(payload, base64);
	put_text(out, "payload_base64", span_of_str(base64));
	free(base64);
}

void
guard_ask_put(const struct guard_ask *ask, struct buf *out)
{
	unsigned has = members[ask->what];

	put_text(out, "do", span_of_str(words[ask->what]));
	put_text(out, "request", ask->request);
	if ((has & HAS_TOPIC) != 0) {
		put_text(out, "topic", ask->topic);
		put_payload(out, ask->payload);
	}
	if ((has & HAS_ID) != 0 || ask->id.len > 0)
		put_text(out, "id", ask->id);
	if ((has & HAS_SIGNATURE) != 0)
		put_text(out, "signature", ask->signature);
	buf_append_str(out, "}");
}

static void
put_challenge_of(struct buf *out, const struct guard_command *command)
{
	char hex[2 * GUARD_CHALLENGE_BYTES + 1];

	str_hex(span_of(command->challenge, sizeof command->challenge), hex);
	put_text(out, "challenge", span_of_str(hex));
}

static uint64_t
left(const struct guard_command *command, uint64_t now_ms)
{
	return command->expires_ms > now_ms ? command->expires_ms - now_ms : 0;
}

void
guard_put_challenge(
    const struct guard_command *command, uint64_t now_ms, struct buf *out)
{
	put_text(out, "request", span_of_str(command->request));
	put_text(out, "id", span_of_str(command->id));
	put_challenge_of(out, command);
	put_number(out, "expires_in_ms", left(command, now_ms));
	buf_append_str(out, "}");
}

void
guard_put_report(const struct guard_report *report, struct buf *out)
{
	const struct guard_command *command = report->command;
	const struct guard_outcome *outcome = report->outcome;
	struct span topic = report->topic;
	const char *more = outcome->detail;

	if (report->request.len > 0)
		put_text(out, "request", report->request);
	if (command != NULL) {
		put_text(out, "id", span_of_str(command->id));
		topic = buf_span(&command->topic);
	}
	if (topic.len > 0)
		put_text(out, "topic", topic);
	put_text(out, "outcome", span_of_str(report->word));
	put_text(out, "cause", span_of_str(guard_cause_name(outcome->cause)));
	put_text(out, "reason",
	    span_of_str(
		more[0] != '\0' ? more : guard_cause_text(outcome->cause)));
	buf_append_str(out, ",\"by\":[");
	for (size_t i = 0; command != NULL && i < 2; i++) {
		if (command->by[i][0] == '\0')
			break;
		buf_append_str(out, i > 0 ? "," : "");
		json_put_str(out, command->by[i]);
	}
	buf_append_str(out, "]}");
}

void
guard_put_pending(
    const struct guard_command *command, uint64_t now_ms, struct buf *out)
{
	struct buf one;

	buf_init(&one, out->max);
	put_text(&one, "id", span_of_str(command->id));
	put_text(&one, "topic", buf_span(&command->topic));
	put_payload(&one, buf_span(&command->payload));
	put_challenge_of(&one, command);
	put_text(&one, "by", span_of_str(command->by[0]));
	put_text(&one, "rule", span_of_str(command->rule->name));
	put_number(&one, "left_ms", left(command, now_ms));
	buf_append_str(&one, "}");
	buf_append(out, buf_span(&one).data, buf_len(&one));
	out->failed = out->failed || one.failed;
	buf_fini(&one);
}
