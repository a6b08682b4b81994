#ifndef KAYA_FIREWALL_READ_H
#define KAYA_FIREWALL_READ_H

/*
 * firewall_read: the rules of this machine, as nft and iptables-save print
 * them.  Both ask the kernel, which answers root alone.
 */

#include "firewall_rules.h"
#include "program.h"

/* `nft -j list ruleset`, to be released; NULL where it does not answer. */
json_t *firewall_read_nft(void);

/*
 * `iptables-save` or `ip6tables-save`; false where it does not answer.  To be
 * given to program_fini in any case.
 */
bool firewall_read_iptables(
    enum firewall_family family, struct program *program);

/* A rule as text for people: escaped, but for the quotes that rules have. */
void firewall_read_text(struct span rule, char *text, size_t size);

/* The text of one nft rule; false where it cannot be asked for. */
bool firewall_read_rule(
    const struct firewall_place *place, char *text, size_t size);

#endif
