#ifndef KAYA_NETADDR_H
#define KAYA_NETADDR_H

/*
 * netaddr: an IP address without its socket, and the lists of them that
 * `from="..."` holds.
 */

#include "span.h"

struct netaddr {
	uint8_t family; /* 4 or 6; 0: none */
	uint8_t bytes[16]; /* IPv4: the first four */
};

enum { NETADDR_TEXT_SIZE = 46 };

/*
 * An address in digits: 192.0.2.1, 2001:db8::1, with or without brackets, an
 * IPv6 zone (`%eth0`) left out of account.  IPv4 that comes in IPv6's clothes
 * (::ffff:192.0.2.1), as a socket for both families gives it, becomes IPv4.
 * False for anything else.
 */
bool netaddr_parse(struct span text, struct netaddr *addr);

/* From the raw bytes of a sockaddr: 4 of them or 16 (mapped ones as above). */
struct netaddr netaddr_of_bytes(const void *bytes, size_t len);

/* As inet_ntop(3) writes it; "unknown" for family 0.  Returns `text`. */
const char *netaddr_text(
    const struct netaddr *addr, char text[NETADDR_TEXT_SIZE]);

bool netaddr_equal(const struct netaddr *a, const struct netaddr *b);

enum netaddr_cidr {
	NETADDR_CIDR_GOOD, /* an address, or an address and a prefix length */
	NETADDR_CIDR_NONE, /* neither: a wildcard or a host name */
	NETADDR_CIDR_HOST_BITS, /* bits set behind the prefix: 127.0.0.1/8 */
	NETADDR_CIDR_TOO_LONG /* a prefix longer than the address */
};

/*
 * One element of a list without its `!`.  Short forms of IPv4 (`10.1` is
 * 10.0.0.1) are read as sshd reads them.  `prefix_bits` is the address's whole
 * width where none is given, and what is written there where that is too long.
 */
enum netaddr_cidr netaddr_parse_cidr(
    struct span text, struct netaddr *net, unsigned *prefix_bits);

enum netaddr_match {
	NETADDR_MATCH, /* one element matches and none forbids */
	NETADDR_NO_MATCH, /* no element matches */
	NETADDR_FORBIDDEN, /* an element with `!` matches */
	NETADDR_INVALID /* an element voids the whole list */
};

/*
 * Match the client against a list as sshd(8) does where names are not looked
 * up (UseDNS no): elements between commas, each CIDR or text with `*` and `?`,
 * `!` before it forbids wherever it stands.  An empty element, host bits or a
 * prefix too long make the list INVALID: it lets nobody in.
 */
enum netaddr_match netaddr_match_list(
    const struct netaddr *client, struct span list);

/*
 * Match the client against a list of CIDRs and nothing else, as a certificate's
 * source-address has it: MATCH, NO_MATCH, or INVALID where any element is none.
 */
enum netaddr_match netaddr_match_cidrs(
    const struct netaddr *client, struct span list);

/* Whether `text` matches a pattern of `*` and `?`, letters' case apart. */
bool netaddr_match_pattern(struct span text, struct span pattern);

#endif
