#ifndef KAYA_SERVER_SETTING_H
#define KAYA_SERVER_SETTING_H

/*
 * server_setting: which setting of this machine's own sshd keeps somebody from
 * going to a target, where a key's line does not.
 */

#include "span.h"

#include <limits.h>

struct server_setting_asker {
	const char *user;
	const char *client; /* his address */
	uint16_t port; /* at which he came in */
	const char *target; /* "127.0.0.1:1883", as PermitOpen has it */
};

struct server_setting {
	/* "AllowTcpForwarding no (/etc/ssh/sshd_config:7)": what is in force */
	char says[800 + PATH_MAX];
	char remedy[PATH_MAX + 1200]; /* the command that changes it */
};

enum server_setting_answer {
	SERVER_SETTING_FORBIDS,
	SERVER_SETTING_LETS, /* nothing in its settings keeps him from it */
	/* It cannot be asked (root alone may), or none of its files says so. */
	SERVER_SETTING_NOT_KNOWN
};

/*
 * Ask the sshd that listens on that port, by sshd -T for that very user and
 * address.  `found` is filled in where it FORBIDS.
 */
enum server_setting_answer server_setting_find(
    const struct server_setting_asker *asker, struct server_setting *found);

#endif
