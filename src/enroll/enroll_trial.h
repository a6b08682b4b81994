#ifndef KAYA_ENROLL_TRIAL_H
#define KAYA_ENROLL_TRIAL_H

/* enroll_trial: a forbidden thing, tried once, on a link that blocks. */

#include "link.h"

enum enroll_trial {
	ENROLL_TRIAL_REFUSED, /* as it should be */
	ENROLL_TRIAL_ALLOWED,
	ENROLL_TRIAL_UNTRIED /* nothing here can try it */
};

enum { ENROLL_TRIAL_TEXT = 256 };

/* What there is to try, and what came of it in words ("" : nothing to add). */
struct enroll_trial_words {
	const struct link *link;
	const char *target_host; /* the one target that is allowed */
	uint16_t target_port;
	const char *key_file, *known_hosts;
	struct link *login; /* a shell at the server; NULL: there is none */
	char seen[ENROLL_TRIAL_TEXT];
};

typedef enum enroll_trial enroll_trial_fn(struct enroll_trial_words *words);

enroll_trial_fn enroll_trial_shell, enroll_trial_pty, enroll_trial_command,
    enroll_trial_sftp, enroll_trial_target, enroll_trial_listen,
    enroll_trial_listen_permitted, enroll_trial_listen_unix;

#endif
