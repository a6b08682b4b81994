#ifndef KAYA_REQUEST_GATEWAY_H
#define KAYA_REQUEST_GATEWAY_H

/* request_gateway: a command that the gateway holds until another agrees. */

#include "client.h"

/*
 * Publish it (MQTT 5.0, QoS 1, so that a refusal says why) and wait until it
 * is acknowledged: 0, it went to the broker; -1 and `err`.
 */
int request_gateway(const struct client_options *options, struct span topic,
    struct span payload, struct err *err);

#endif
