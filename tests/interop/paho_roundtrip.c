/*
 * paho_roundtrip PORT VERSION QOS BYTES [USER PASSWORD]: publish so many bytes
 * to itself by Eclipse Paho's C client; status 0 where they came back the same.
 */

#include <MQTTClient.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 30000 };
#define TOPIC "test/paho-c"

static int
fail(const char *what, int code)
{
	fprintf(stderr, "%s: %d\n", what, code);
	return 1;
}

static int
log_in(MQTTClient client, int version, char **user)
{
	MQTTClient_connectOptions options =
	    MQTTClient_connectOptions_initializer;
	MQTTClient_connectOptions options5 =
	    MQTTClient_connectOptions_initializer5;
	MQTTResponse response;

	if (version == MQTTVERSION_5) {
		options5.username = user[0];
		options5.password = user[0] == NULL ? NULL : user[1];
		response = MQTTClient_connect5(client, &options5, NULL, NULL);
		return response.reasonCode;
	}
	options.MQTTVersion = version;
	options.username = user[0];
	options.password = user[0] == NULL ? NULL : user[1];
	return MQTTClient_connect(client, &options);
}

int
main(int argc, char **argv)
{
	MQTTClient_createOptions create = MQTTClient_createOptions_initializer;
	MQTTClient_message *message = NULL;
	MQTTClient client;
	char address[64], *payload, *topic;
	int version, qos, size, topic_len, code;

	if (argc != 5 && argc != 7)
		return fail("usage", argc);
	version = strcmp(argv[2], "5") == 0 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
	qos = atoi(argv[3]);
	size = atoi(argv[4]);
	payload = malloc((size_t)size);
	for (int i = 0; i < size; i++)
		payload[i] = (char)(i * 31 + i / 251);
	snprintf(address, sizeof address, "tcp://127.0.0.1:%s", argv[1]);
	create.MQTTVersion = version;
	code = MQTTClient_createWithOptions(&client, address, "paho-c",
	    MQTTCLIENT_PERSISTENCE_NONE, NULL, &create);
	if (code != 0)
		return fail("create", code);
	code = log_in(client, version, argv + 5);
	if (code != 0)
		return fail("connect", code);
	if (version == MQTTVERSION_5) {
		code = MQTTClient_subscribe5(client, TOPIC, qos, NULL, NULL)
			   .reasonCode;
		if (code != qos)
			return fail("subscribe", code);
		code = MQTTClient_publish5(
		    client, TOPIC, size, payload, qos, 0, NULL, NULL)
			   .reasonCode;
	} else {
		code = MQTTClient_subscribe(client, TOPIC, qos);
		if (code != 0)
			return fail("subscribe", code);
		code = MQTTClient_publish(
		    client, TOPIC, size, payload, qos, 0, NULL);
	}
	if (code != 0)
		return fail("publish", code);
	code = MQTTClient_receive(
	    client, &topic, &topic_len, &message, PATIENCE_MS);
	if (code != 0 || message == NULL)
		return fail("receive", code);
	if (message->payloadlen != size || message->qos != qos ||
	    memcmp(message->payload, payload, (size_t)size) != 0)
		return fail("what came back", message->payloadlen);
	MQTTClient_disconnect(client, PATIENCE_MS);
	return 0;
}
