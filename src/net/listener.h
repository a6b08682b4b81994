#ifndef KAYA_LISTENER_H
#define KAYA_LISTENER_H

/* listener: sockets that wait for connections. */

#include "err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

/* An address of any family, as text and as the system wants it. */
struct listener_address {
	struct sockaddr_storage address;
	socklen_t len;
};

/*
 * `host` must be an address, not a name ("*" and "" mean all addresses of
 * IPv4; "::" those of IPv6).  -1 and `err` where it is none.
 */
int listener_address_parse(struct listener_address *address, const char *host,
    uint16_t port, struct err *err);

/* "192.0.2.1:2222", "[2001:db8::1]:2222", "/path". */
void listener_address_text(
    const struct sockaddr *address, char *text, size_t size);

/*
 * Open `count` listening sockets on the one address, to share its connections
 * (SO_REUSEPORT), into `fds`.  Another process may share a port in silence, so
 * the address is first taken alone; ERR_TAKEN where that fails.  Port 0 takes
 * a free one and puts it into `address`.  On failure none stays open.
 */
int listener_open(
    struct listener_address *address, int *fds, size_t count, struct err *err);

/*
 * A descriptor in hand, for when there are no more: whoever comes then can be
 * sent away.  Left in the queue he would have the loop call again at once, for
 * ever.
 */
struct listener_spare {
	int fd;
	bool is_short; /* it was told */
};

void listener_spare_init(struct listener_spare *spare);
void listener_spare_fini(struct listener_spare *spare);

/*
 * The next connection, non-blocking and close-on-exec.  -1 where there is none,
 * or no descriptor for it: then it is reset, and the log says so, once until
 * there are descriptors again.
 */
int listener_accept(int fd, struct listener_spare *spare);

#endif
