#ifndef KAYA_REQUEST_GATEWAY_H
#define KAYA_REQUEST_GATEWAY_H

/* request_gateway: a command that the gateway holds until another agrees. */

#include "client.h"

struct request_gateway {
	const struct client_options *options;
	struct span topic, payload; /* terminated */
	bool as_json; /* the outcome, on stdout */
};

/*
 * Publish it at QoS 1, and wait for what becomes of it: what the gateway says
 * on $kaya/result (kaya-policy(5)) and by its acknowledgement, with a reason in
 * MQTT 5.0, which is spoken where the broker does.  0: it went to the broker
 * (told); -1 and `err`: ERR_REFUSED where somebody or a rule said no,
 * ERR_FAILED where it was not moved for another reason.
 */
int request_gateway(const struct request_gateway *request, struct err *err);

#endif
