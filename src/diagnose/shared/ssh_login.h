#ifndef KAYA_SSH_LOGIN_H
#define KAYA_SSH_LOGIN_H

/*
 * ssh_login: one login by the real ssh, and what became of it, by what
 * `ssh -vv` tells: which keys were offered, which was let in, by which line
 * (sshd tells its client the line's place), and whether a target is reached.
 */

#include "pubkey.h"
#include "span.h"

enum { SSH_LOGIN_KEYS_MAX = 32 };

struct ssh_login_key {
	char name[512]; /* the file, or the agent's comment */
	char type[32]; /* "ED25519" */
	char fingerprint[PUBKEY_FINGERPRINT_SIZE];
	bool in_agent;
};

enum ssh_login_outcome {
	SSH_LOGIN_CARRIES, /* let in, and the target is reached */
	SSH_LOGIN_PROHIBITED, /* let in, and may not go to the target */
	SSH_LOGIN_NO_TARGET, /* let in, and nothing is there */
	SSH_LOGIN_REFUSED, /* none of its keys is let in */
	SSH_LOGIN_HOST_KEY,
	SSH_LOGIN_UNREACHABLE,
	SSH_LOGIN_FAILED /* otherwise */
};

struct ssh_login {
	enum ssh_login_outcome outcome;
	struct ssh_login_key offered[SSH_LOGIN_KEYS_MAX];
	size_t offered_count;
	struct ssh_login_key key; /* let in; fingerprint "": by another means */
	char method[64]; /* "publickey"; "": not let in */
	char address[64]; /* the server's, in digits; "": not known */
	/* the line, as sshd told it; line 0: it did not */
	char file[512];
	size_t line;
	char permits[256]; /* "permitopen port-forwarding" */
	char said[400]; /* ssh's last words that are no debugging */
};

/* Read all that ssh -vv said; pure. */
void ssh_login_read(struct ssh_login *login, struct span text);

/*
 * Log in by `words` (NULL-ended; the options and the destination, without the
 * program and -f) and ask for `target` ("host:port"), for at most 20 s.
 * Nothing is asked of the user, no forward is made, no master is used.
 */
void ssh_login_try(
    struct ssh_login *login, const char *const *words, const char *target);

#endif
