#ifndef KAYA_PORTS_H
#define KAYA_PORTS_H

/*
 * ports: the listening sockets of a gateway, one of each address for each
 * thread, or those that systemd hands in (sd_listen_fds(3)).
 */

#include "listener.h"
#include "settings.h"

/* A port alone is two addresses. */
enum { PORTS_MAX = 2 * SETTINGS_LISTEN_MAX };

struct ports {
	struct listener_address addresses[PORTS_MAX];
	size_t count; /* of addresses */
	size_t threads;
	int *fds; /* threads * count, thread by thread */
};

/*
 * Open them all, or none: -1 and `err`.  A default address whose family the
 * machine lacks is left out.
 */
int ports_open(
    struct ports *ports, const struct settings *settings, struct err *err);

/* Close the descriptors; the addresses stay. */
void ports_close(struct ports *ports);

#endif
