#include "guard_mqtt.h"

#include "guard_message.h"
#include "keys_file.h"
#include "log.h"
#include "mqtt_door.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	AGAIN_MS = 2000,
	TICK_MS = 1000,
	KEEPALIVE_S = 15,
	UNTAKEN_MAX = 64, /* messages that the broker has not acknowledged */
	UNTAKEN_BYTES_MAX = 1 << 20
};

/* What libmosquitto keeps until the broker has it. */
struct untaken {
	int id; /* libmosquitto's; 0: none */
	size_t len;
};

struct guard_mqtt {
	struct loop *loop;
	struct guard_mqtt_events events;
	struct mosquitto *mosquitto;
	struct loop_watch watch;
	struct loop_timer *tick; /* and the next attempt */
	char asks[2][GUARD_NAME_TOPIC_MAX];
	struct untaken untaken[UNTAKEN_MAX];
	size_t untaken_bytes;
	bool is_up; /* the tunnel */
	bool is_watched; /* there is a connection */
	bool is_open; /* and it has subscribed */
	bool has_failed; /* in this turn of libmosquitto's */
	bool is_full; /* what is not acknowledged is too much; it was told */
};

static void start(struct guard_mqtt *mqtt);

/* ---- the connection's end ---- */

static void
stop(struct guard_mqtt *mqtt)
{
	if (mqtt->is_watched)
		loop_watch_stop(&mqtt->watch);
	mqtt->is_watched = false;
	mqtt->is_open = false;
	mqtt->has_failed = false;
}

static void
lose(struct guard_mqtt *mqtt, const char *why)
{
	stop(mqtt);
	/* Closes its socket. */
	mosquitto_disconnect(mqtt->mosquitto);
	log_event(LOG_LEVEL_WARN, "guard", "mqtt-lost",
	    "the guard's own connection: %s", why);
	if (mqtt->is_up)
		loop_timer_start(mqtt->tick, AGAIN_MS);
}

/* ---- what libmosquitto tells ---- */

static void
on_connect(struct mosquitto *mosquitto, void *arg, int code)
{
	char *const filters[] = {
	    ((struct guard_mqtt *)arg)->asks[0],
	    ((struct guard_mqtt *)arg)->asks[1],
	};
	struct guard_mqtt *mqtt = arg;

	if (code != 0) {
		log_event(LOG_LEVEL_ERROR, "guard", "mqtt-refused",
		    "the broker refuses the guard: %s (user, password_file and "
		    "client_id in the guard's file)",
		    mosquitto_connack_string(code));
		mqtt->has_failed = true;
		return;
	}
	if (mosquitto_subscribe_multiple(
		mosquitto, NULL, 2, filters, 1, 0, NULL) != MOSQ_ERR_SUCCESS)
		mqtt->has_failed = true;
}

static void
on_subscribe(struct mosquitto *mosquitto, void *arg, int id, int count,
    const int *granted)
{
	struct guard_mqtt *mqtt = arg;

	(void)mosquitto;
	(void)id;
	if (count < 1 || granted[0] >= 128) {
		log_event(LOG_LEVEL_ERROR, "guard", "mqtt-refused",
		    "the broker does not let the guard subscribe to %s",
		    mqtt->asks[0]);
		mqtt->has_failed = true;
		return;
	}
	mqtt->is_open = true;
	mqtt->events.open(mqtt->events.arg);
}

static void
on_message(struct mosquitto *mosquitto, void *arg,
    const struct mosquitto_message *message)
{
	struct guard_mqtt *mqtt = arg;

	(void)mosquitto;
	mqtt->events.message(mqtt->events.arg, message->topic,
	    span_of(message->payload, (size_t)message->payloadlen),
	    message->retain);
}

static struct untaken *
find_untaken(struct guard_mqtt *mqtt, int id)
{
	for (size_t i = 0; i < UNTAKEN_MAX; i++)
		if (mqtt->untaken[i].id == id)
			return &mqtt->untaken[i];
	return NULL;
}

static void
on_publish(struct mosquitto *mosquitto, void *arg, int id)
{
	struct guard_mqtt *mqtt = arg;
	struct untaken *taken = find_untaken(mqtt, id);

	(void)mosquitto;
	if (taken == NULL)
		return;
	mqtt->untaken_bytes -= taken->len;
	*taken = (struct untaken){.id = 0};
	mqtt->is_full = false;
}

/* ---- driving it ---- */

/* Who does not take what we say is not listened to: it would be kept. */
static void
watch(struct guard_mqtt *mqtt)
{
	if (mqtt->is_watched)
		loop_watch_want(&mqtt->watch,
		    mosquitto_want_write(mqtt->mosquitto) ? LOOP_WRITABLE
							  : LOOP_READABLE);
}

static void
on_socket(void *arg, unsigned ready)
{
	struct guard_mqtt *mqtt = arg;
	int result = MOSQ_ERR_SUCCESS;

	if ((ready & LOOP_READABLE) != 0)
		result = mosquitto_loop_read(mqtt->mosquitto, 1);
	if (result == MOSQ_ERR_SUCCESS)
		result = mosquitto_loop_write(mqtt->mosquitto, 1);
	if (result != MOSQ_ERR_SUCCESS || mqtt->has_failed)
		lose(mqtt,
		    mqtt->has_failed ? "refused" : mosquitto_strerror(result));
	else
		watch(mqtt);
}

static void
on_tick(void *arg)
{
	struct guard_mqtt *mqtt = arg;
	int result;

	if (!mqtt->is_up)
		return;
	if (!mqtt->is_watched) {
		start(mqtt);
		return;
	}
	result = mosquitto_loop_misc(mqtt->mosquitto);
	if (result != MOSQ_ERR_SUCCESS) {
		lose(mqtt, mosquitto_strerror(result));
		return;
	}
	watch(mqtt);
	loop_timer_start(mqtt->tick, TICK_MS);
}

static void
start(struct guard_mqtt *mqtt)
{
	struct err err = ERR_INIT;
	int fd = mqtt_door_connect(mqtt->mosquitto, KEEPALIVE_S, NULL, &err);

	if (fd < 0) {
		lose(mqtt, err.what);
		return;
	}
	mqtt->events.carry(mqtt->events.arg, fd);
	loop_watch_start(mqtt->loop, &mqtt->watch,
	    mosquitto_socket(mqtt->mosquitto), LOOP_READABLE, on_socket, mqtt);
	mqtt->is_watched = true;
	watch(mqtt);
	loop_timer_start(mqtt->tick, TICK_MS);
}

bool
guard_mqtt_is_open(const struct guard_mqtt *mqtt)
{
	return mqtt->is_open;
}

void
guard_mqtt_up(struct guard_mqtt *mqtt)
{
	mqtt->is_up = true;
	start(mqtt);
}

void
guard_mqtt_down(struct guard_mqtt *mqtt)
{
	mqtt->is_up = false;
	loop_timer_stop(mqtt->tick);
	stop(mqtt);
	mosquitto_disconnect(mqtt->mosquitto);
}

bool
guard_mqtt_publish(
    struct guard_mqtt *mqtt, const char *topic, struct span payload)
{
	struct untaken *place = find_untaken(mqtt, 0);
	int id;

	if (!mqtt->is_open)
		return false;
	if (place == NULL ||
	    mqtt->untaken_bytes + payload.len > UNTAKEN_BYTES_MAX) {
		if (!mqtt->is_full)
			log_event(LOG_LEVEL_WARN, "guard", "mqtt-full",
			    "the broker does not acknowledge what the guard "
			    "says: it says no more until then");
		mqtt->is_full = true;
		return false;
	}
	if (mosquitto_publish(mqtt->mosquitto, &id, topic, (int)payload.len,
		payload.data, 1, false) != MOSQ_ERR_SUCCESS)
		return false;
	*place = (struct untaken){.id = id, .len = payload.len};
	mqtt->untaken_bytes += payload.len;
	watch(mqtt);
	return true;
}

/* ---- life ---- */

static int
set_user(
    struct guard_mqtt *mqtt, const struct guard_rules *rules, struct err *err)
{
	char password[1024] = "";
	struct keys_files file;
	struct span bytes;

	if (rules->user == NULL)
		return 0;
	if (rules->password_file != NULL) {
		if (keys_files_open(
			&file, rules->password_file, KEYS_FILES_READ, err) != 0)
			return -1;
		bytes = file.is_folder || file.count != 1 ? span_of(NULL, 0)
							  : file.items[0].bytes;
		while (bytes.len > 0 && bytes.data[bytes.len - 1] == '\n')
			bytes.len--;
		if (bytes.len == 0 ||
		    !span_to_str(bytes, password, sizeof password))
			err_set(err, ERR_CONFIG, "%s holds no password",
			    rules->password_file);
		keys_files_close(&file);
		if (err->code != ERR_NONE)
			return -1;
	}
	mosquitto_username_pw_set(mqtt->mosquitto, rules->user,
	    rules->password_file != NULL ? password : NULL);
	explicit_bzero(password, sizeof password);
	return 0;
}

struct guard_mqtt *
guard_mqtt_new(struct loop *loop, const struct guard_rules *rules,
    const struct guard_mqtt_events *events, struct err *err)
{
	struct guard_mqtt *mqtt = calloc(1, sizeof *mqtt);

	if (mqtt == NULL) {
		err_set(err, ERR_NOMEM, "no memory");
		return NULL;
	}
	mosquitto_lib_init();
	mqtt->loop = loop;
	mqtt->events = *events;
	guard_topic(mqtt->asks[0], rules->actuator, "ask");
	guard_topic(mqtt->asks[1], "all", "ask");
	mqtt->tick = loop_timer_new(loop, on_tick, mqtt);
	mqtt->mosquitto = mosquitto_new(rules->client_id, true, mqtt);
	if (mqtt->tick == NULL || mqtt->mosquitto == NULL) {
		err_set(err, ERR_NOMEM, "no memory");
		goto fail;
	}
	if (set_user(mqtt, rules, err) != 0)
		goto fail;
	mosquitto_connect_callback_set(mqtt->mosquitto, on_connect);
	mosquitto_subscribe_callback_set(mqtt->mosquitto, on_subscribe);
	mosquitto_message_callback_set(mqtt->mosquitto, on_message);
	mosquitto_publish_callback_set(mqtt->mosquitto, on_publish);
	return mqtt;
fail:
	guard_mqtt_free(mqtt);
	return NULL;
}

void
guard_mqtt_free(struct guard_mqtt *mqtt)
{
	if (mqtt == NULL)
		return;
	stop(mqtt);
	loop_timer_free(mqtt->tick);
	if (mqtt->mosquitto != NULL)
		mosquitto_destroy(mqtt->mosquitto);
	mosquitto_lib_cleanup();
	free(mqtt);
}
