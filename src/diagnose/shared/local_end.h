#ifndef KAYA_LOCAL_END_H
#define KAYA_LOCAL_END_H

/* local_end: an address of this machine, and whether one could listen there. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct local_end {
	struct sockaddr_storage name;
	socklen_t len; /* 0: no address */
	char text[80]; /* "127.0.0.1:1883", "[::1]:1883" */
	int error; /* of listening there; 0: free */
	char holder[80]; /* who has it: "mosquitto (pid 1234)" */
};

/* False, and len 0, where `digits` is no address. */
bool local_end_set(struct local_end *end, const char *digits, uint16_t port);

/*
 * Try to listen there, without SO_REUSEPORT: who has it by that is found too.
 * Connections of a listener that has just ended are no holder.
 */
void local_end_probe(struct local_end *end);

/* Whether an address in digits is this machine's own: one could bind it. */
bool local_end_is_here(const char *digits);

#endif
