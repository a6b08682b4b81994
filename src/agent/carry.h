#ifndef KAYA_CARRY_H
#define KAYA_CARRY_H

/*
 * carry: local connections through one SSH connection.
 *
 * Each local connection is a channel of its own (direct-tcpip), opened and
 * confirmed before a byte of the client's is read.  Both directions are
 * bounded: a local client that does not read fills its channel's window, a
 * server that does not read stops the local client.
 *
 * While the server says nothing it is asked for a sign of life each
 * keepalive_s; keepalive_count times that without a byte is the end.
 */

#include "link.h"
#include "loop.h"

struct carry;

struct carry_events {
	/* The SSH connection is over; carry_free must follow, later on. */
	void (*gone)(void *arg, const char *why);
	/* The server refused a channel; the local connection was closed.
	 * `err` is ERR_REFUSED or ERR_UNREACHABLE with cause and remedy. */
	void (*refused)(void *arg, const struct err *err);
	void *arg;
};

/* Takes `link` over, also where it fails: NULL and `err`. */
struct carry *carry_new(struct loop *loop, struct link *link,
    const struct carry_events *events, struct err *err);

/* Ends the SSH connection and all local ones.  Not from within a callback of
 * its own.  NULL is fine. */
void carry_free(struct carry *carry);

/* Carry the connected socket `fd` (owned from now on) to `host`:`port`. */
void carry_take(struct carry *carry, int fd, const char *host, uint16_t port);

/* How many local connections there are, and bytes carried for them. */
size_t carry_count(const struct carry *carry);
uint64_t carry_bytes_out(const struct carry *carry); /* to the server */
uint64_t carry_bytes_in(const struct carry *carry);

#endif
