#ifndef KAYA_DOCTOR_SERVER_H
#define KAYA_DOCTOR_SERVER_H

/*
 * doctor_server: is this machine, as a server for MQTT through SSH, set up as
 * it should be?
 *
 *	broker sshd keys reach kayad versions clock limits firewall
 *
 * It looks at what runs: the configuration files that running programs were
 * started with, their listening sockets, their limits.  It changes nothing; the
 * only thing that it connects to are brokers on this machine, to see whether
 * they let anybody in.  What only root may see is said not to be known.
 */

#include "finding.h"

#include <stdint.h>

struct doctor_server_options {
	const char *state_dir; /* kayad's; NULL: the usual ones */
	uint64_t devices; /* to be served; 0: as many as there are keys */
};

/* Look, and tell `findings`.  0, or -1 and `err` where memory fails. */
int doctor_server_run(const struct doctor_server_options *options,
    struct findings *findings, struct err *err);

#endif
