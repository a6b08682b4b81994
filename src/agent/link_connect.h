#ifndef KAYA_LINK_CONNECT_H
#define KAYA_LINK_CONNECT_H

/* link_connect: a TCP connection to a name, whichever address answers. */

#include "err.h"

#include <stdint.h>

/*
 * Resolve `host` anew and try its addresses, IPv6 and IPv4 in turn, a new one
 * each 300 ms until one answers (RFC 8305); TCP_NODELAY is set.  The
 * descriptor, not blocking; or -1 and `err`, which names what each address
 * said.
 */
int link_connect(
    const char *host, uint16_t port, unsigned timeout_ms, struct err *err);

#endif
