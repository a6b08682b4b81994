#ifndef KAYA_ENROLL_SERVER_H
#define KAYA_ENROLL_SERVER_H

/*
 * enroll_server: change the authorized_keys of the account that a link is
 * logged in to, by a POSIX shell there (enroll_server.sh).  What is written is
 * fed on stdin: no shell reads it as words.
 */

#include "link.h"
#include "span.h"

enum { ENROLL_SESSIONS_MAX = 32 };

enum enroll_server_act {
	ENROLL_SERVER_ADD, /* `line`; lines that have the key before are lost */
	ENROLL_SERVER_REMOVE /* the key's lines, and see who is still in */
};

struct enroll_server_order {
	enum enroll_server_act act;
	const char *base64; /* of the key */
	struct span line; /* ADD: the line, without its newline */
};

struct enroll_server_answer {
	char file[PATH_MAX]; /* that was changed */
	unsigned removed; /* lines that had the key */
	bool was_there; /* ADD: just this line stood there already */
	/* REMOVE: other sessions of the account, "PID sshd: user" */
	char sessions[ENROLL_SESSIONS_MAX][80];
	size_t session_count;
	bool is_blind; /* nothing there tells of sessions */
	bool is_shut; /* on -1: the account gives no shell */
};

/*
 * -1 and `err`: the account gives no shell, the file may be written by others,
 * the disk is full ...: then the old file stands as it was.
 */
int enroll_server_run(struct link *link,
    const struct enroll_server_order *order,
    struct enroll_server_answer *answer, struct err *err);

/*
 * Make the folder `path`/in, the account's alone, and have the account's shell
 * keep it until it is given back, or this side or the connection has ended;
 * then it goes, with all that is in it.  NULL and `err`: there is none.
 */
ssh_channel enroll_server_borrow(
    struct link *link, const char *path, struct err *err);

/* false: it is not known that the folder stood until now. */
bool enroll_server_give_back(ssh_channel channel);

#endif
