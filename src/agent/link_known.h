#ifndef KAYA_LINK_KNOWN_H
#define KAYA_LINK_KNOWN_H

/*
 * link_known: known hosts as ssh reads them, where libssh does not: all files
 * of UserKnownHostsFile (libssh takes the first), with the words %d and ${HOME}
 * in them, and HostKeyAlias.
 */

#include "link.h"

/*
 * The server's host key, which is not in the file that libssh looked into, as
 * the others say: SSH_KNOWN_HOSTS_OK or _CHANGED where one of them tells, else
 * SSH_KNOWN_HOSTS_UNKNOWN.  Without OpenSSH here nothing is found.
 */
enum ssh_known_hosts_e link_known_elsewhere(
    struct link *link, const struct link_options *options);

#endif
