#include "request_gateway.h"

#include "ask.h"
#include "clock.h"
#include "sha256.h"
#include "str.h"

#include <jansson.h>
#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	LOOP_MS = 100,
	TEXT_SIZE = 512,
	KEPT_MAX = 16, /* more is not of one person */
	GRACE_MS = 1000, /* from the acknowledgement to what is told of it */
	IS_REFUSED = 128 /* codes from here on */
};

#define RESULTS "$kaya/result/+"

struct publishing {
	struct client client;
	const struct request_gateway *request;
	bool is_subscribed, is_told; /* asked for results; they will come */
	bool is_sent;
	uint64_t acknowledged_ms; /* 0: not yet */
	int code;
	char reason[TEXT_SIZE];
	char digest[2 * SHA256_BYTES + 1]; /* of the payload */
	json_t *results; /* that may be of it, an array */
	bool is_refused; /* by CONNACK, for another reason than the version */
};

/* ---- what libmosquitto tells ---- */

static void
on_connect(struct mosquitto *mosquitto, void *arg, int code)
{
	struct publishing *publishing = arg;

	publishing->is_refused =
	    code != MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION && code != 1;
	client_on_connect(&publishing->client, code);
	if (code == 0)
		mosquitto_subscribe(mosquitto, NULL, RESULTS, 0);
}

static void
on_subscribe(struct mosquitto *mosquitto, void *arg, int id, int count,
    const int *granted)
{
	struct publishing *publishing = arg;

	(void)mosquitto;
	(void)id;
	publishing->is_subscribed = true;
	publishing->is_told = count > 0 && granted[0] < IS_REFUSED;
}

static void
on_publish(struct mosquitto *mosquitto, void *arg, int id, int code,
    const mosquitto_property *properties)
{
	struct publishing *publishing = arg;
	char *reason = NULL;

	(void)mosquitto;
	(void)id;
	publishing->acknowledged_ms = clock_monotonic_ms();
	publishing->code = code;
	mosquitto_property_read_string(
	    properties, MQTT_PROP_REASON_STRING, &reason, false);
	if (reason != NULL)
		str_escape(span_of_str(reason), publishing->reason,
		    sizeof publishing->reason);
	free(reason);
}

static void
on_message(struct mosquitto *mosquitto, void *arg,
    const struct mosquitto_message *message)
{
	struct publishing *publishing = arg;
	const char *topic, *digest;
	json_t *result;

	(void)mosquitto;
	/* What was told before we have asked is of another. */
	if (!publishing->is_sent || message->retain ||
	    json_array_size(publishing->results) == KEPT_MAX)
		return;
	result = json_loadb(message->payload, (size_t)message->payloadlen,
	    JSON_REJECT_DUPLICATES, NULL);
	topic = json_string_value(json_object_get(result, "topic"));
	digest = json_string_value(json_object_get(result, "payload_sha256"));
	/* What was never held has no digest. */
	if (topic != NULL && span_is(publishing->request->topic, topic) &&
	    (digest == NULL || strcmp(digest, publishing->digest) == 0))
		json_array_append(publishing->results, result);
	json_decref(result);
}

/*
 * The result that is of ours, NULL: none yet.  The same identity may ask for
 * the same at another place: in 5.0 our own acknowledgement tells which.
 */
static const json_t *
find_result(const struct publishing *publishing)
{
	bool is_5 = publishing->client.options->version == MQTT_PROTOCOL_V5;
	const json_t *result;
	const char *outcome;
	size_t i;

	if (is_5 && publishing->acknowledged_ms == 0)
		return NULL;
	json_array_foreach(publishing->results, i, result)
	{
		outcome = json_string_value(json_object_get(result, "outcome"));
		if (outcome != NULL &&
		    (!is_5 || (strcmp(outcome, "released") == 0) ==
				  (publishing->code < IS_REFUSED)))
			return result;
	}
	return NULL;
}

/* ---- the conversation ---- */

static void
publish(struct publishing *publishing)
{
	const struct request_gateway *request = publishing->request;
	int result = mosquitto_publish_v5(publishing->client.mosquitto, NULL,
	    (const char *)request->topic.data, (int)request->payload.len,
	    request->payload.data, 1, false, NULL);

	publishing->is_sent = true;
	if (result != MOSQ_ERR_SUCCESS)
		client_explain(&publishing->client, result);
}

static bool
is_decided(const struct publishing *publishing)
{
	if (find_result(publishing) != NULL)
		return true;
	if (publishing->acknowledged_ms == 0)
		return false;
	return !publishing->is_told ||
	       clock_monotonic_ms() >= publishing->acknowledged_ms + GRACE_MS;
}

static void
talk(struct publishing *publishing)
{
	struct client *client = &publishing->client;
	int result;

	mosquitto_connect_callback_set(client->mosquitto, on_connect);
	mosquitto_subscribe_callback_set(client->mosquitto, on_subscribe);
	mosquitto_message_callback_set(client->mosquitto, on_message);
	mosquitto_publish_v5_callback_set(client->mosquitto, on_publish);
	while (!client->is_over && !is_decided(publishing)) {
		if (publishing->is_subscribed && !publishing->is_sent)
			publish(publishing);
		result = mosquitto_loop(client->mosquitto, LOOP_MS, 1);
		if (result != MOSQ_ERR_SUCCESS)
			client_explain(client, result);
	}
	if (client->is_over)
		return;
	mosquitto_disconnect(client->mosquitto);
	mosquitto_loop_write(client->mosquitto, 1);
}

/* ---- what became of it ---- */

static bool
has_text(const json_t *result, const char *key)
{
	return json_is_string(json_object_get(result, key));
}

/* As the gateway told it; 0 where it went out. */
static int
judge_result(const struct request_gateway *request, const json_t *result,
    struct err *err)
{
	char outcome[TEXT_SIZE], cause[TEXT_SIZE], by[TEXT_SIZE],
	    reason[TEXT_SIZE], id[TEXT_SIZE];
	bool is_refused;

	ask_text(result, "outcome", outcome, sizeof outcome);
	ask_text(result, "cause", cause, sizeof cause);
	ask_text(result, "by", by, sizeof by);
	ask_text(result, "reason", reason, sizeof reason);
	if (strcmp(outcome, "released") == 0) {
		if (!request->as_json)
			printf("done: %s, %s agreed\n",
			    ask_text(result, "id", id, sizeof id), by);
		return 0;
	}
	is_refused =
	    strcmp(outcome, "denied") == 0 || strcmp(outcome, "refused") == 0;
	err_set(err, is_refused ? ERR_REFUSED : ERR_FAILED, "%s%s%s%s%s (%s)",
	    outcome, has_text(result, "by") ? " by " : "",
	    has_text(result, "by") ? by : "",
	    has_text(result, "reason") ? ": " : "",
	    has_text(result, "reason") ? reason : "", cause);
	return err_hint(err, "%s",
	    is_refused
		? "ask who denied it, or see what the gateway's policy allows"
		: "somebody else has to agree in time: kaya pending, kaya "
		  "approve");
}

/* Where no result was told: by the acknowledgement. */
static int
judge_acknowledgement(
    const struct publishing *publishing, json_t **result, struct err *err)
{
	if (publishing->code >= IS_REFUSED) {
		err_set(err, ERR_REFUSED, "the command was not let through: %s",
		    publishing->reason[0] != '\0'
			? publishing->reason
			: mosquitto_reason_string(publishing->code));
		return err_hint(err, "somebody else has to agree in time: "
				     "kaya pending, kaya approve");
	}
	/* Before 5.0 a denied publish is acknowledged as others are. */
	if (publishing->client.options->version != MQTT_PROTOCOL_V5 &&
	    !publishing->is_told) {
		err_set(err, ERR_FAILED,
		    "what became of it cannot be known: the broker speaks MQTT "
		    "3.1.1, and results may not be read");
		return err_hint(err, "let this identity subscribe to " RESULTS
				     " (kaya-policy(5))");
	}
	*result =
	    json_pack("{s:s#, s:s}", "topic", publishing->request->topic.data,
		(int)publishing->request->topic.len, "outcome", "passed");
	if (!publishing->request->as_json)
		fprintf(stderr, "kaya: the broker has it\n");
	return 0;
}

/* A broker of 3.1.1 alone says so, or closes (RabbitMQ 3). */
static bool
is_older(const struct publishing *publishing)
{
	const struct client *client = &publishing->client;

	return client->options->version == MQTT_PROTOCOL_V5 &&
	       !client->is_connected && !publishing->is_refused &&
	       (client->err.code == ERR_UNREACHABLE ||
		   client->err.code == ERR_REFUSED);
}

static int
judge(struct publishing *publishing, struct err *err)
{
	json_t *result = json_incref((json_t *)find_result(publishing));
	char *text;
	int status;

	if (publishing->client.err.code != ERR_NONE) {
		*err = publishing->client.err;
		return -1;
	}
	status = result != NULL
		     ? judge_result(publishing->request, result, err)
		     : judge_acknowledgement(publishing, &result, err);
	if (publishing->request->as_json && result != NULL) {
		text = json_dumps(result, JSON_COMPACT | JSON_PRESERVE_ORDER);
		puts(text != NULL ? text : "{}");
		free(text);
	}
	json_decref(result);
	return status;
}

int
request_gateway(const struct request_gateway *request, struct err *err)
{
	struct client_options options = *request->options;
	uint8_t digest[SHA256_BYTES];
	int result = -1;
	bool goes_on;

	options.version = MQTT_PROTOCOL_V5;
	do {
		struct publishing publishing = {
		    .request = request, .results = json_array()};

		sha256_or_abort(request->payload, digest);
		str_hex(span_of(digest, sizeof digest), publishing.digest);

		if (client_start(
			&publishing.client, &options, &publishing, err) != 0) {
			json_decref(publishing.results);
			return -1;
		}
		talk(&publishing);
		goes_on = is_older(&publishing);
		if (goes_on)
			options.version = MQTT_PROTOCOL_V311;
		else
			result = judge(&publishing, err);
		json_decref(publishing.results);
		client_stop(&publishing.client);
	} while (goes_on);
	return result;
}
