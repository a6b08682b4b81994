#ifndef KAYA_MONITOR_PEERS_H
#define KAYA_MONITOR_PEERS_H

/*
 * monitor_peers: the payload of MONITOR_PEERS_START (monitor.h), by which the
 * parent has the child open the gateways' own connection to their broker. Pure.
 */

#include "buf.h"
#include "span.h"
#include "str.h"

/* A gateway hears what is published on PEER_TOPIC and its name. */
#define PEER_TOPIC "kaya/gateway/"

enum { PEER_TOPIC_SIZE = sizeof PEER_TOPIC + STR_NAME_MAX };

struct monitor_peers_start {
	struct span before; /* bytes before CONNECT: a PROXY header, or none */
	struct span client_id, topic; /* ours */
	struct span user, password; /* empty: none */
};
void monitor_peers_start_put(
    const struct monitor_peers_start *start, struct buf *payload);
/* Spans point into `payload`.  False where it is none. */
bool monitor_peers_start_take(
    struct span payload, struct monitor_peers_start *start);

#endif
