#include "client.h"

#include "clock.h"
#include "forward.h"
#include "mqtt_door.h"
#include "mqtt_topic.h"
#include "str.h"

#include <limits.h>
#include <mqtt_protocol.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

void
client_options_init(struct client_options *options)
{
	*options = (struct client_options){
	    .broker = {"127.0.0.1", FORWARD_BROKER_PORT},
	    .version = MQTT_PROTOCOL_V311,
	    .keepalive_s = 60,
	    .session_expiry_s = -1,
	};
	options->link.asking =
	    isatty(STDIN_FILENO) ? LINK_MAY_ASK : LINK_NEVER_ASK;
}

int
client_number(const struct cmd_reader *reader, int min, int max)
{
	uint64_t value;

	if (str_to_u64(span_of_str(reader->argument), (uint64_t)min,
		(uint64_t)max, &value))
		return (int)value;
	cmd_misuse(reader->cmd, "\"%s\" is no number from %d to %d",
	    reader->argument, min, max);
	return -1;
}

static int
take_version(const struct cmd_reader *reader)
{
	static const struct {
		const char *words[3];
		int version;
	} rows[] = {
	    {{"mqttv31", "31", "3.1"}, MQTT_PROTOCOL_V31},
	    {{"mqttv311", "311", "3.1.1"}, MQTT_PROTOCOL_V311},
	    {{"mqttv5", "5", "5.0"}, MQTT_PROTOCOL_V5},
	};

	for (size_t i = 0; i < 3; i++)
		for (size_t k = 0; k < 3; k++)
			if (strcmp(rows[i].words[k], reader->argument) == 0)
				return rows[i].version;
	cmd_misuse(reader->cmd,
	    "\"%s\" is no version: mqttv31, mqttv311 or "
	    "mqttv5",
	    reader->argument);
	return -1;
}

bool
client_take(const struct cmd_reader *reader, int id,
    struct client_options *options, int *status)
{
	int *number = NULL;

	switch (id) {
	case 'q':
		*(number = &options->qos) = client_number(reader, 0, 2);
		break;
	case 'k':
		*(number = &options->keepalive_s) =
		    client_number(reader, 5, 65535);
		break;
	case 'x':
		*(number = &options->session_expiry_s) =
		    client_number(reader, 0, INT_MAX);
		break;
	case 'V':
		*(number = &options->version) = take_version(reader);
		break;
	case 'u':
		options->user = reader->argument;
		break;
	case 'P':
		options->password = reader->argument;
		break;
	case 'i':
		if (reader->argument[0] == '\0')
			*status = cmd_misuse(
			    reader->cmd, "a client id has one letter at least");
		options->client_id = reader->argument;
		break;
	case 'c':
		options->keeps_session = true;
		break;
	case CMD_BROKER:
		*status = cmd_take_broker(reader, &options->broker);
		break;
	case CLIENT_WILL_TOPIC:
		options->will_topic = reader->argument;
		break;
	case CLIENT_WILL_PAYLOAD:
		options->will_payload = reader->argument;
		break;
	case CLIENT_WILL_QOS:
		*(number = &options->will_qos) = client_number(reader, 0, 2);
		break;
	case CLIENT_WILL_RETAIN:
		options->will_retain = true;
		break;
	default:
		/* The letters mean what they mean to mosquitto here. */
		return id >= CMD_LONG &&
		       cmd_take_link(reader, id, &options->link, status);
	}
	if (number != NULL && *number < 0)
		*status = 2;
	return true;
}

static int
judge_topic(const struct cmd *cmd, const char *kind, const char *topic,
    enum mqtt_rule rule)
{
	const char *why = mqtt_rule_text(rule);
	char text[80];

	if (strlen(topic) > UINT16_MAX)
		why = "a topic has 65,535 bytes at most";
	else if (rule == MQTT_RULE_NONE)
		return 0;
	return cmd_misuse(cmd, "\"%s\" is no topic %s: %s",
	    str_escape(span_of_str(topic), text, sizeof text), kind, why);
}

int
client_check_topic(const struct cmd *cmd, const char *topic)
{
	return judge_topic(cmd, "to publish to", topic,
	    mqtt_topic_check_name(span_of_str(topic), MQTT_RULE_TOPIC_TEXT));
}

int
client_check_filter(const struct cmd *cmd, const char *filter)
{
	return judge_topic(cmd, "filter", filter,
	    mqtt_topic_check_filter(span_of_str(filter), MQTT_PROTOCOL_V5,
		MQTT_RULE_SUBSCRIBE_TEXT));
}

int
client_check(const struct cmd *cmd, const struct client_options *options)
{
	if (options->keeps_session && options->client_id == NULL)
		return cmd_misuse(cmd, "-c needs a client id: -i");
	if (options->will_topic != NULL)
		return client_check_topic(cmd, options->will_topic);
	if (options->will_payload != NULL || options->will_qos != 0 ||
	    options->will_retain)
		return cmd_misuse(cmd, "a will needs a topic: --will-topic");
	return 0;
}

static int
connect_mqtt(struct client *client, struct err *err)
{
	const struct client_options *options = client->options;
	mosquitto_property *properties = NULL;
	int fd;

	if (options->version == MQTT_PROTOCOL_V5 &&
	    options->session_expiry_s >= 0)
		mosquitto_property_add_int32(&properties,
		    MQTT_PROP_SESSION_EXPIRY_INTERVAL,
		    (uint32_t)options->session_expiry_s);
	fd = mqtt_door_connect(
	    client->mosquitto, options->keepalive_s, properties, err);
	mosquitto_property_free_all(&properties);
	return fd < 0 ? -1 : errand_carry(client->errand, fd, err);
}

int
client_start(struct client *client, const struct client_options *options,
    void *arg, struct err *err)
{
	*client = (struct client){.options = options};
	client->errand = errand_start(
	    &options->link, options->broker.host, options->broker.port, err);
	if (client->errand == NULL)
		return -1;
	client->mosquitto =
	    mosquitto_new(options->client_id, !options->keeps_session, arg);
	if (client->mosquitto == NULL) {
		err_set(err, ERR_NOMEM, "no memory");
		goto fail;
	}
	mosquitto_int_option(
	    client->mosquitto, MOSQ_OPT_PROTOCOL_VERSION, options->version);
	if (options->user != NULL || options->password != NULL)
		mosquitto_username_pw_set(client->mosquitto,
		    options->user != NULL ? options->user : "",
		    options->password);
	if (options->will_topic != NULL &&
	    mosquitto_will_set(client->mosquitto, options->will_topic,
		options->will_payload == NULL
		    ? 0
		    : (int)strlen(options->will_payload),
		options->will_payload, options->will_qos,
		options->will_retain) != MOSQ_ERR_SUCCESS)
		err_set(err, ERR_USAGE, "the broker cannot be given that will");
	else if (connect_mqtt(client, err) == 0)
		return 0;
fail:
	client_stop(client);
	return -1;
}

void
client_on_connect(struct client *client, int code)
{
	const char *why = client->options->version == MQTT_PROTOCOL_V5
			      ? mosquitto_reason_string(code)
			      : mosquitto_connack_string(code);

	if (code == 0) {
		client->is_connected = true;
		return;
	}
	client->is_over = true;
	err_set(&client->err, ERR_REFUSED, "the broker refuses us: %s", why);
	err_hint(&client->err, "check user name and password (-u, -P), and "
			       "what the broker lets this user do");
}

void
client_explain(struct client *client, int mosquitto_error)
{
	struct err err = ERR_INIT;

	client->is_over = true;
	if (client->err.code != ERR_NONE)
		return;
	if (errand_check(client->errand, &err) != 0) {
		client->err = err;
		return;
	}
	err_set(&client->err, ERR_UNREACHABLE,
	    "the connection to the broker was lost: %s",
	    mosquitto_strerror(mosquitto_error));
}

void
client_stop(struct client *client)
{
	if (client->mosquitto != NULL)
		mosquitto_destroy(client->mosquitto);
	client->mosquitto = NULL;
	errand_stop(client->errand);
	client->errand = NULL;
}

void
client_rest(struct retry *retry, uint64_t began_ms)
{
	uint64_t random = 0, ms;
	struct timespec pause;

	if (getrandom(&random, sizeof random, 0) < 0)
		random = began_ms;
	ms =
	    retry_after_failure(retry, clock_monotonic_ms() - began_ms, random);
	pause = (struct timespec){.tv_sec = (time_t)(ms / 1000),
	    .tv_nsec = (long)(ms % 1000) * 1000000};
	nanosleep(&pause, NULL);
}
