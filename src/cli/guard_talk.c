#include "guard_talk.h"

#include "clock.h"

#include <stdio.h>
#include <sys/random.h>

enum { LOOP_MS = 100, READY_MS = 10000, ANSWER_MS = 10000, HEARD_MAX = 64 };

static const char *const tails[GUARD_HEARD_COUNT] = {
    [GUARD_HEARD_ANSWER] = "answer",
    [GUARD_HEARD_RESULT] = "result",
    [GUARD_HEARD_PENDING] = "pending",
};

/* ---- what libmosquitto tells ---- */

static void
on_connect(struct mosquitto *mosquitto, void *arg, int code)
{
	char topics[GUARD_HEARD_COUNT][GUARD_NAME_TOPIC_MAX], tail[64];
	char *filters[GUARD_HEARD_COUNT];
	struct guard_talk *talk = arg;
	int result;

	client_on_connect(&talk->client, code);
	if (code != 0)
		return;
	for (size_t i = 0; i < GUARD_HEARD_COUNT; i++) {
		snprintf(tail, sizeof tail, "%s%s%s", tails[i],
		    i == GUARD_HEARD_ANSWER ? "/" : "",
		    i == GUARD_HEARD_ANSWER ? talk->request : "");
		guard_topic(topics[i], talk->actuator, tail);
		filters[i] = topics[i];
	}
	result = mosquitto_subscribe_multiple(
	    mosquitto, NULL, GUARD_HEARD_COUNT, filters, 1, 0, NULL);
	if (result != MOSQ_ERR_SUCCESS)
		client_explain(&talk->client, result);
}

static void
on_subscribe(struct mosquitto *mosquitto, void *arg, int id, int count,
    const int *granted)
{
	struct guard_talk *talk = arg;

	(void)mosquitto;
	(void)id;
	talk->is_ready = true;
	for (int i = 0; i < count; i++) {
		if (granted[i] < 128)
			continue;
		talk->client.is_over = true;
		err_set(&talk->client.err, ERR_REFUSED,
		    "the broker refuses the subscription to " GUARD_ROOM
		    "%s/%s",
		    talk->actuator, tails[i % GUARD_HEARD_COUNT]);
		err_hint(&talk->client.err,
		    "let this user read " GUARD_ROOM
		    "# and publish to " GUARD_ROOM "+/ask (kaya-guard(5))");
	}
}

/* "kaya/guard/NAME/KIND..." of a guard. */
static bool
kind_of(struct span topic, enum guard_heard *kind)
{
	struct span rest, tail;

	if (topic.len < sizeof GUARD_ROOM)
		return false;
	rest = span_of(topic.data + sizeof GUARD_ROOM - 1,
	    topic.len - (sizeof GUARD_ROOM - 1));
	while (rest.len > 0 && rest.data[0] != '/')
		rest = span_of(rest.data + 1, rest.len - 1);
	for (size_t i = 0; i < GUARD_HEARD_COUNT; i++) {
		tail = span_of_str(tails[i]);
		if (rest.len > tail.len &&
		    memcmp(rest.data + 1, tail.data, tail.len) == 0) {
			*kind = (enum guard_heard)i;
			return true;
		}
	}
	return false;
}

static void
on_message(struct mosquitto *mosquitto, void *arg,
    const struct mosquitto_message *message)
{
	struct guard_talk *talk = arg;
	enum guard_heard kind;
	json_t *said;

	(void)mosquitto;
	if (message->retain || !kind_of(span_of_str(message->topic), &kind) ||
	    json_array_size(talk->heard[kind]) >= HEARD_MAX)
		return;
	said = json_loadb(message->payload, (size_t)message->payloadlen,
	    JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(said))
		json_array_append(talk->heard[kind], said);
	json_decref(said);
}

/* ---- the conversation ---- */

/* False where nothing goes on any more. */
static bool
turn(struct guard_talk *talk)
{
	int result;

	if (talk->client.is_over)
		return false;
	result = mosquitto_loop(talk->client.mosquitto, LOOP_MS, 1);
	if (result != MOSQ_ERR_SUCCESS)
		client_explain(&talk->client, result);
	return !talk->client.is_over;
}

int
guard_talk_start(struct guard_talk *talk, const struct client_options *options,
    const char *actuator, struct err *err)
{
	uint64_t until = clock_monotonic_ms() + READY_MS;
	uint8_t random[8] = {0};

	*talk = (struct guard_talk){.options = options};
	snprintf(talk->actuator, sizeof talk->actuator, "%s",
	    actuator != NULL ? actuator : "+");
	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return err_set_errno(err, ERR_SYSTEM, "no random bytes");
	str_hex(span_of(random, sizeof random), talk->request);
	for (size_t i = 0; i < GUARD_HEARD_COUNT; i++)
		talk->heard[i] = json_array();
	if (client_start(&talk->client, options, talk, err) != 0)
		return -1;
	mosquitto_connect_callback_set(talk->client.mosquitto, on_connect);
	mosquitto_subscribe_callback_set(talk->client.mosquitto, on_subscribe);
	mosquitto_message_callback_set(talk->client.mosquitto, on_message);
	while (!talk->is_ready && clock_monotonic_ms() < until && turn(talk))
		;
	if (talk->client.err.code != ERR_NONE) {
		*err = talk->client.err;
		return -1;
	}
	return talk->is_ready
		   ? 0
		   : err_set(err, ERR_TIMEOUT, "the broker does not answer");
}

void
guard_talk_stop(struct guard_talk *talk)
{
	if (talk->client.mosquitto != NULL && !talk->client.is_over) {
		mosquitto_disconnect(talk->client.mosquitto);
		mosquitto_loop_write(talk->client.mosquitto, 1);
	}
	client_stop(&talk->client);
	for (size_t i = 0; i < GUARD_HEARD_COUNT; i++)
		json_decref(talk->heard[i]);
}

int
guard_talk_ask(struct guard_talk *talk, struct guard_ask *ask, struct err *err)
{
	char topic[GUARD_NAME_TOPIC_MAX];
	struct buf message;
	int result;

	ask->request = span_of_str(talk->request);
	buf_init(&message, GUARD_MESSAGE_MAX);
	guard_ask_put(ask, &message);
	if (message.failed) {
		buf_fini(&message);
		err_set(err, ERR_USAGE, "the message is too large");
		return err_hint(
		    err, "a payload has at most %d bytes", GUARD_PAYLOAD_MAX);
	}
	guard_topic(topic,
	    strcmp(talk->actuator, "+") == 0 ? "all" : talk->actuator, "ask");
	result = mosquitto_publish(talk->client.mosquitto, NULL, topic,
	    (int)buf_len(&message), buf_span(&message).data, 1, false);
	buf_fini(&message);
	if (result == MOSQ_ERR_SUCCESS)
		return 0;
	client_explain(&talk->client, result);
	*err = talk->client.err;
	return err_wrap(err, "the guard cannot be asked");
}

json_t *
guard_talk_next(struct guard_talk *talk, enum guard_heard kind,
    uint64_t until_ms, struct err *err)
{
	json_t *heard = talk->heard[kind], *said;

	while (json_array_size(heard) == 0) {
		if (clock_monotonic_ms() >= until_ms)
			return NULL;
		if (!turn(talk)) {
			*err = talk->client.err;
			return NULL;
		}
	}
	said = json_incref(json_array_get(heard, 0));
	json_array_remove(heard, 0);
	return said;
}

const char *
guard_talk_text(const json_t *message, const char *name)
{
	const char *text = json_string_value(json_object_get(message, name));

	return text == NULL ? "" : text;
}

static enum err_code
code_of(const char *cause)
{
	static const enum guard_cause refusals[] = {GUARD_NO_ACCESS,
	    GUARD_CANCELLED, GUARD_BAD_SIGNATURE, GUARD_SAME_IDENTITY};

	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
		if (strcmp(guard_cause_name(refusals[i]), cause) == 0)
			return ERR_REFUSED;
	return ERR_FAILED;
}

static const char *
hint_of(const char *cause)
{
	static const struct {
		enum guard_cause cause;
		const char *hint;
	} rows[] = {
	    {GUARD_TIME_LIMIT_OVER, "ask again, and have it approved in time"},
	    {GUARD_CANCELLED, "ask who denied it"},
	    {GUARD_COMMUNICATION_LOSS,
		"see that the actuator's client is connected and subscribed"},
	    {GUARD_INTERLOCKING,
		"see what the permitting device waits for (kaya permit)"},
	    {GUARD_NOT_SELECTED, "kaya pending lists what waits"},
	    {GUARD_NO_ACCESS, "see `roles` and `allowed_signers` at the guard"},
	    {GUARD_NOT_SUPPORTED, "kaya pub publishes what is not protected"},
	    {GUARD_SAME_IDENTITY, "another person has to sign"},
	    {GUARD_TABLE_FULL, "wait until others are done"},
	    {GUARD_AUDIT_FAILED, "make room on the actuator's disk"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (strcmp(guard_cause_name(rows[i].cause), cause) == 0)
			return rows[i].hint;
	return "see the guard's log";
}

int
guard_talk_refusal(const json_t *report, struct err *err)
{
	const char *cause = guard_talk_text(report, "cause");
	const char *reason = guard_talk_text(report, "reason");
	char text[256], outcome[64], word[64];

	err_set(err, code_of(cause), "%s: %s (%s)",
	    str_escape(span_of_str(guard_talk_text(report, "outcome")), outcome,
		sizeof outcome),
	    str_escape(span_of_str(reason), text, sizeof text),
	    str_escape(span_of_str(cause), word, sizeof word));
	return err_hint(err, "%s", hint_of(cause));
}

static bool
is_done(const json_t *answer)
{
	const char *outcome = guard_talk_text(answer, "outcome");

	return outcome[0] == '\0' || strcmp(outcome, "signed") == 0 ||
	       strcmp(outcome, "denied") == 0;
}

json_t *
guard_talk_do(struct guard_talk *talk, struct guard_ask *ask, struct err *err)
{
	json_t *answer;

	if (guard_talk_ask(talk, ask, err) != 0)
		return NULL;
	answer = guard_talk_next(
	    talk, GUARD_HEARD_ANSWER, clock_monotonic_ms() + ANSWER_MS, err);
	if (answer == NULL) {
		if (err->code == ERR_NONE) {
			err_set(err, ERR_TIMEOUT,
			    "no guard answers for the actuator %s",
			    talk->actuator);
			err_hint(err,
			    "see that kaya tunnel --guard runs at the "
			    "actuator, and that its name is right");
		}
		return NULL;
	}
	if (is_done(answer))
		return answer;
	guard_talk_refusal(answer, err);
	json_decref(answer);
	return NULL;
}
