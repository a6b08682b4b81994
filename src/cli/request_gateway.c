#include "request_gateway.h"

#include "str.h"

#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOOP_MS = 200, REASON_MAX = 256 };

struct publishing {
	struct client client;
	bool is_sent, is_acknowledged;
	int code;
	char reason[REASON_MAX];
};

static void
on_connect(struct mosquitto *mosquitto, void *arg, int code)
{
	(void)mosquitto;
	client_on_connect(&((struct publishing *)arg)->client, code);
}

static void
on_publish(struct mosquitto *mosquitto, void *arg, int id, int code,
    const mosquitto_property *properties)
{
	struct publishing *publishing = arg;
	char *reason = NULL;

	(void)mosquitto;
	(void)id;
	publishing->is_acknowledged = true;
	publishing->code = code;
	mosquitto_property_read_string(
	    properties, MQTT_PROP_REASON_STRING, &reason, false);
	if (reason != NULL)
		str_escape(span_of_str(reason), publishing->reason,
		    sizeof publishing->reason);
	free(reason);
}

static int
publish(struct publishing *publishing, struct span topic, struct span payload)
{
	int result = mosquitto_publish_v5(publishing->client.mosquitto, NULL,
	    (const char *)topic.data, (int)payload.len, payload.data, 1, false,
	    NULL);

	publishing->is_sent = true;
	if (result == MOSQ_ERR_SUCCESS)
		return 0;
	return err_set(&publishing->client.err, ERR_UNREACHABLE,
	    "the command cannot be sent: %s", mosquitto_strerror(result));
}

static void
talk(struct publishing *publishing, struct span topic, struct span payload)
{
	struct client *client = &publishing->client;
	int result;

	mosquitto_connect_callback_set(client->mosquitto, on_connect);
	mosquitto_publish_v5_callback_set(client->mosquitto, on_publish);
	while (!client->is_over && !publishing->is_acknowledged) {
		if (client->is_connected && !publishing->is_sent &&
		    publish(publishing, topic, payload) != 0)
			return;
		result = mosquitto_loop(client->mosquitto, LOOP_MS, 1);
		if (result != MOSQ_ERR_SUCCESS)
			client_explain(client, result);
	}
	if (client->err.code != ERR_NONE)
		return;
	mosquitto_disconnect(client->mosquitto);
	mosquitto_loop_write(client->mosquitto, 1);
	if (publishing->code < 128)
		return;
	err_set(&client->err, ERR_REFUSED,
	    "the command was not let through: %s",
	    publishing->reason[0] != '\0'
		? publishing->reason
		: mosquitto_reason_string(publishing->code));
	err_hint(&client->err,
	    "somebody else has to agree in time: kaya pending, kaya approve");
}

int
request_gateway(const struct client_options *given, struct span topic,
    struct span payload, struct err *err)
{
	struct client_options options = *given;
	struct publishing publishing = {0};

	options.version = MQTT_PROTOCOL_V5;
	if (client_start(&publishing.client, &options, &publishing, err) != 0)
		return -1;
	talk(&publishing, topic, payload);
	*err = publishing.client.err;
	client_stop(&publishing.client);
	if (err->code != ERR_NONE)
		return -1;
	fprintf(stderr, "kaya: the broker has it\n");
	return 0;
}
