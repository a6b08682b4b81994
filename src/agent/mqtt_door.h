#ifndef KAYA_MQTT_DOOR_H
#define KAYA_MQTT_DOOR_H

/*
 * mqtt_door: a connection of libmosquitto's whose other end is ours.
 *
 * libmosquitto takes an address and no descriptor, so it is given a UNIX
 * socket in a folder that only this user can enter; both are gone again before
 * this returns, so that nothing is left of them however the process ends.
 */

#include "err.h"

#include <mosquitto.h>

/*
 * Let `client` connect: CONNECT is under way then.  `properties` (MQTT 5; may
 * be NULL) stay the caller's.  The other end, not blocking, the caller's; or
 * -1 and `err`.
 */
int mqtt_door_connect(struct mosquitto *client, int keepalive_s,
    const mosquitto_property *properties, struct err *err);

#endif
