#ifndef KAYA_PROXY_HEADER_H
#define KAYA_PROXY_HEADER_H

/*
 * proxy_header: who a client is and where it comes from, told to a broker
 * before the first byte: the PROXY protocol, version 2 (haproxy.org,
 * proxy-protocol.txt, section 2.2).
 *
 * The identity stands in it as the common name of a client certificate that
 * was verified (PP2_TYPE_SSL), because that is what brokers take a user name
 * from; the version of what protects the connection is "SSH-2.0".
 */

#include "buf.h"

#include <sys/socket.h>

struct proxy_header {
	/* Both of one family; others than IPv4 and IPv6 are left out. */
	const struct sockaddr *from; /* the client */
	const struct sockaddr *to; /* where it came to us */
	const char *common_name; /* the identity */
};

enum { PROXY_HEADER_MAX = 256 }; /* bytes, with the longest identity */

/* Append it to `out`: look at out->failed. */
void proxy_header_put(const struct proxy_header *header, struct buf *out);

#endif
