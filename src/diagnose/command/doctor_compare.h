#ifndef KAYA_DOCTOR_COMPARE_H
#define KAYA_DOCTOR_COMPARE_H

/*
 * doctor_compare: two ways to one server, each an ssh command, an alias or a
 * DEST: what ssh -G says differently of them, which key lets each of them in,
 * and hence which line.
 */

#include "finding.h"
#include "link.h"

struct doctor_compare_options {
	const char *first; /* as the user wrote it */
	const char *second;
	const char *state_dir;
	const char *ssh_config; /* for an alias or DEST alone */
	const char *server_file; /* the server's authorized_keys; NULL: no */
	const char *broker; /* "host:port", where neither side says one */
	enum findings_form form;
};

/*
 * Compare, log in both ways, and print.  *status becomes the exit status: 0
 * where both reach the broker, else what the one that does not came to.
 * -1 and `err` where one of them is no command.
 */
int doctor_compare_run(const struct doctor_compare_options *options, FILE *out,
    int *status, struct err *err);

#endif
