#ifndef KAYA_PEER_CLIENT_H
#define KAYA_PEER_CLIENT_H

/*
 * peer_client: the gateway's own MQTT connection to its broker, by which it
 * hears of other gateways (peers.h): in one thread of the child, since a
 * broker's bytes are nothing for the parent.
 *
 *	parent                     worker 0                     broker
 *	MONITOR_PEERS_START  ---> (asks for a connection)
 *	                           CONNECT, SUBSCRIBE  ------->
 *	MONITOR_PEERS_STATE  <---  SUBACK  <-------------------
 *	MONITOR_PEERS_SAY    --->  PUBLISH kaya/gateway/OTHER ->
 *	MONITOR_PEERS_HEARD  <---  <------ PUBLISH kaya/gateway/US
 *
 * It knows nothing of what it carries.  What comes faster than
 * PEER_CLIENT_RATE is dropped here: each message costs the parent a signature
 * to verify, and whoever may publish at the broker can send any number.
 */

#include "monitor_peers.h"
#include "peer_message.h"
#include "worker.h"

enum {
	PEER_CLIENT_RATE = 200, /* messages a second, and at once */
	PEER_CLIENT_OUT_MAX = 8 << 20 /* bytes that wait for the broker */
};

struct peer_client;

/* One that does nothing yet.  NULL where memory fails. */
struct peer_client *peer_client_new(struct worker *worker);
void peer_client_free(struct peer_client *client); /* NULL is fine */

/*
 * The parent says something to it: true where it did (MONITOR_PEERS_START,
 * MONITOR_PEERS_SAY, and MONITOR_CONNECTED with its ticket, whose `fd` it then
 * takes).
 */
bool peer_client_on_monitor(
    struct peer_client *client, const struct monitor_message *message, int fd);

#endif
