#ifndef KAYA_DEST_H
#define KAYA_DEST_H

/*
 * dest: where a command goes, as a user writes it.
 *
 *	[user@]host[:port]  ssh://[user@]host[:port]  [user@][v6]:port
 *	an alias of ssh_config        the name of a host that was enrolled
 */

#include "err.h"
#include "span.h"

#include <limits.h>

struct dest {
	char user[64]; /* "": not said */
	char host[256]; /* without brackets; may be an alias */
	uint16_t port; /* 0: not said */
};

/* ERR_USAGE where `text` is none of the forms. */
int dest_parse(struct dest *dest, const char *text, struct err *err);

/* What enrolment wrote down of a host; empty where it did not. */
struct dest_enrolled {
	char host[256];
	uint16_t port;
	char user[64];
	char key_file[PATH_MAX];
	char known_hosts[PATH_MAX];
};

/*
 * Look `name` up in STATE/hosts/NAME: lines `word value` (host, port, user,
 * key, known_hosts; `#` begins a comment).  1: found; 0: there is none; -1 and
 * `err`: the file is there and wrong.
 */
int dest_enrolled(struct dest_enrolled *enrolled, const char *state_dir,
    const char *name, struct err *err);

/*
 * The file's name for `host`: itself, with `_` for what a file's name should
 * not have (the colons of IPv6).  "" where it can be none: more than 64
 * letters, others than A-Z a-z 0-9 . _ -, a dot at the front.
 */
void dest_record_name(const char *host, char *name, size_t size);

/* HOME, or this user's home where nobody said it, as a bare environment. */
const char *dest_home(void);

/* The folder that kaya keeps its state in, where nobody named one. */
void dest_default_state(char *path, size_t size);

#endif
