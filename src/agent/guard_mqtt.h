#ifndef KAYA_GUARD_MQTT_H
#define KAYA_GUARD_MQTT_H

/*
 * guard_mqtt: the guard's own MQTT connection, by libmosquitto, through the
 * tunnel's SSH connection: made again whenever it is lost while the tunnel is
 * up.
 */

#include "guard_rules.h"
#include "loop.h"

struct guard_mqtt;

struct guard_mqtt_events {
	/* Carry this socket to the broker. */
	void (*carry)(void *arg, int fd);
	/* It has subscribed; from now on it hears. */
	void (*open)(void *arg);
	void (*message)(void *arg, const char *topic, struct span payload,
	    bool is_retained);
	void *arg;
};

/* `rules` are read during the call only.  NULL and `err` on failure. */
struct guard_mqtt *guard_mqtt_new(struct loop *loop,
    const struct guard_rules *rules, const struct guard_mqtt_events *events,
    struct err *err);
void guard_mqtt_free(struct guard_mqtt *mqtt); /* NULL is fine */

/* Whether it is connected, and hears. */
bool guard_mqtt_is_open(const struct guard_mqtt *mqtt);

/* The tunnel is up, or down. */
void guard_mqtt_up(struct guard_mqtt *mqtt);
void guard_mqtt_down(struct guard_mqtt *mqtt);

/*
 * At QoS 1, not retained.  False where it is not connected, or the broker
 * acknowledges too little of what it was told before.
 */
bool guard_mqtt_publish(
    struct guard_mqtt *mqtt, const char *topic, struct span payload);

#endif
