#ifndef KAYA_FORWARD_H
#define KAYA_FORWARD_H

/*
 * forward: what -L says: where the tunnel listens, and what for.
 *
 *	[BIND:]PORT   /PATH   [BIND:]PORT:HOST:HOSTPORT   /PATH:HOST:HOSTPORT
 */

#include "err.h"
#include "span.h"

enum { FORWARD_PORT = 22883, FORWARD_BROKER_PORT = 1883 };

struct forward {
	char bind[256]; /* "": loopback, both families */
	char path[108]; /* of a UNIX socket; "": a port */
	uint16_t port;
	char host[256]; /* to be asked for at the server */
	uint16_t host_port;
};

/* 127.0.0.1:22883 and [::1]:22883 to the broker `host`:`port`. */
void forward_default(
    struct forward *forward, const char *host, uint16_t host_port);

/* Where no target is given it is `host`:`host_port`.  ERR_USAGE. */
int forward_parse(struct forward *forward, const char *text, const char *host,
    uint16_t host_port, struct err *err);

#endif
