#ifndef KAYA_CLIENT_H
#define KAYA_CLIENT_H

/*
 * client: an MQTT client of libmosquitto's whose connection goes through an
 * SSH connection of this process: what kaya pub and kaya sub have in common.
 */

#include "cmd.h"
#include "errand.h"
#include "retry.h"

#include <mosquitto.h>

struct client_options {
	struct link_options link;
	struct cmd_broker broker;
	const char *client_id; /* NULL: made up */
	const char *user, *password;
	int version; /* MQTT_PROTOCOL_V31, _V311 or _V5 */
	int keepalive_s;
	int qos;
	bool keeps_session; /* -c */
	int session_expiry_s; /* -x; -1: not said */
	const char *will_topic; /* NULL: no will */
	const char *will_payload; /* NULL: an empty one */
	int will_qos;
	bool will_retain;
};

struct client {
	const struct client_options *options;
	struct errand *errand;
	struct mosquitto *mosquitto;
	bool is_connected; /* CONNACK said yes */
	bool is_over; /* we are done, or it cannot go on */
	struct err err; /* why it cannot */
};

void client_options_init(struct client_options *options);

/*
 * Take an option that concerns both (-q -u -P -i -V -k -c -x --broker --key
 * ...).  False where it is none of them; *status is 2, told, where its value
 * is wrong.
 */
bool client_take(const struct cmd_reader *reader, int id,
    struct client_options *options, int *status);

/*
 * What does not go together, looked for before anything is connected: 0; or 2,
 * told.
 */
int client_check(const struct cmd *cmd, const struct client_options *options);

/* A topic name to publish to, and a filter to subscribe to: 0; or 2, told. */
int client_check_topic(const struct cmd *cmd, const char *topic);
int client_check_filter(const struct cmd *cmd, const char *filter);

/* A number of an option, from `min` to `max`; -1, told, where it is none. */
int client_number(const struct cmd_reader *reader, int min, int max);

/*
 * Make the SSH connection, then connect to the broker through it.  libmosquitto
 * is driven by the caller; its callbacks get `client` by `arg`.
 */
int client_start(struct client *client, const struct client_options *options,
    void *arg, struct err *err);

/* What CONNACK said, for the on_connect callback. */
void client_on_connect(struct client *client, int code);

/* The reason why nothing goes on: of the SSH side, where it knows one. */
void client_explain(struct client *client, int mosquitto_error);

void client_stop(struct client *client);

/* Sleep before the next attempt; the one that failed began then. */
void client_rest(struct retry *retry, uint64_t began_ms);

#define CLIENT_LETTERS                                                         \
	{'q', "qos", "QOS", "quality of service, 0, 1 or 2"},                  \
	    {'u', "username", "USER", "MQTT user name"},                       \
	    {'P', "pw", "PASSWORD", "MQTT password"},                          \
	    {'i', "id", "ID", "MQTT client id"},                               \
	    {'V', "protocol-version", "VERSION",                               \
		"mqttv31, mqttv311 or mqttv5"},                                \
	    {'k', "keepalive", "SECONDS", "MQTT keepalive"},                   \
	{                                                                      \
		'x', "session-expiry-interval", "SECONDS",                     \
		    "how long the broker keeps the session (MQTT 5)"           \
	}
enum client_will_id { /* above all of a command's own */
	CLIENT_WILL_TOPIC = CMD_OWN + 64,
	CLIENT_WILL_PAYLOAD,
	CLIENT_WILL_QOS,
	CLIENT_WILL_RETAIN
};
#define CLIENT_WILL                                                            \
	{CLIENT_WILL_TOPIC, "will-topic", "TOPIC",                             \
	    "what the broker publishes to when this client is lost"},          \
	    {CLIENT_WILL_PAYLOAD, "will-payload", "TEXT", "the message then"}, \
	    {CLIENT_WILL_QOS, "will-qos", "QOS", "its quality of service"},    \
	{                                                                      \
		CLIENT_WILL_RETAIN, "will-retain", NULL,                       \
		    "the broker is to retain it"                               \
	}
#define CLIENT_LONG                                                            \
	{CMD_BROKER, "broker", "HOST:PORT",                                    \
	    "the broker as the server is to reach it (127.0.0.1:1883)"},       \
	    CMD_LINK_LONG

#endif
