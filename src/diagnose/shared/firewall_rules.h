#ifndef KAYA_FIREWALL_RULES_H
#define KAYA_FIREWALL_RULES_H

/*
 * firewall_rules: would a new TCP connection get through, into this machine or
 * out of it?  By the rules as nft and iptables-save print them.
 *
 * What depends on who connects (addresses, interfaces, rates), and what is not
 * understood, is neither yes nor no.
 */

#include "netaddr.h"

#include <jansson.h>

enum firewall_verdict {
	FIREWALL_NO_RULES, /* nothing filters what goes that way */
	FIREWALL_OPEN,
	FIREWALL_CLOSED,
	FIREWALL_DEPENDS /* on who connects, or on what we cannot read */
};

enum firewall_family { FIREWALL_IPV4, FIREWALL_IPV6 };
enum firewall_direction { FIREWALL_IN, FIREWALL_OUT };

struct firewall_connection {
	enum firewall_direction direction;
	enum firewall_family family;
	uint16_t port;
	/* Of what goes out: */
	struct netaddr to;
	const char *interface; /* by which it leaves; NULL: not known */
};

/* What closes the way. */
struct firewall_place {
	char family[8]; /* "inet"; iptables: "" */
	char table[64];
	char base[64]; /* the chain that the kernel begins at */
	char chain[64]; /* that has the rule */
	unsigned long number; /* nft: its handle; iptables: its line, from 1;
				 0: no rule, it is the base chain's policy */
};

/*
 * Whose tables.  What iptables' extensions say stands in nft's rules under a
 * name alone: where iptables-save can be asked, those tables are left to it.
 */
enum firewall_tables { FIREWALL_ALL_TABLES, FIREWALL_OWN_TABLES };

/*
 * By `nft -j list ruleset`: all of its base chains of that family's tables,
 * at the hook input, or output and postrouting.  `place`, if not NULL, is
 * filled in where the verdict is CLOSED.  Pure.
 */
enum firewall_verdict firewall_judge_nft(const json_t *ruleset,
    enum firewall_tables tables, const struct firewall_connection *connection,
    struct firewall_place *place);

/*
 * By `iptables-save` or `ip6tables-save`, of the connection's family: its
 * filter table's INPUT or OUTPUT.  Pure.
 */
enum firewall_verdict firewall_judge_iptables(struct span text,
    const struct firewall_connection *connection, struct firewall_place *place);

#endif
