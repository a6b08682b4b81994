#ifndef KAYA_FIREWALL_OWN_H
#define KAYA_FIREWALL_OWN_H

/*
 * firewall_own: the rule of this machine that drops its own connections.  What
 * drops in silence looks, from within, like a network that does.
 */

#include <stdbool.h>
#include <sys/socket.h>

struct firewall_own {
	char rule[512]; /* "inet filter output: tcp dport 22 drop", escaped */
	char mend[512]; /* the command that lets it out */
};

/*
 * Whether a new TCP connection to that address and port would be stopped here,
 * for sure; false, too, where the rules cannot be read (root alone may).
 */
bool firewall_own_find(const struct sockaddr *to, struct firewall_own *own);

#endif
