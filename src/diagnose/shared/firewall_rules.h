#ifndef KAYA_FIREWALL_RULES_H
#define KAYA_FIREWALL_RULES_H

/*
 * firewall_rules: would a new TCP connection from another machine to a port
 * of this one get through?  By the rules as nft and iptables-save print them.
 *
 * What depends on who connects (addresses, interfaces, rates), and what is not
 * understood, is neither yes nor no.
 */

#include "span.h"

#include <jansson.h>

enum firewall_verdict {
	FIREWALL_NO_RULES, /* nothing filters what comes in */
	FIREWALL_OPEN,
	FIREWALL_CLOSED,
	FIREWALL_DEPENDS /* on who connects, or on what we cannot read */
};

enum firewall_family { FIREWALL_IPV4, FIREWALL_IPV6 };

/*
 * By `nft -j list ruleset`: all of its base chains at the hook input of that
 * family's tables.  `place`, if not NULL, gets "inet filter input", the chain
 * that closes the port.  Pure.
 */
enum firewall_verdict firewall_judge_nft(const json_t *ruleset,
    enum firewall_family family, uint16_t port, char *place, size_t size);

/* By `iptables-save` or `ip6tables-save`: its filter table's INPUT.  Pure. */
enum firewall_verdict firewall_judge_iptables(struct span text, uint16_t port);

#endif
