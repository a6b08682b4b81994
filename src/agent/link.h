#ifndef KAYA_LINK_H
#define KAYA_LINK_H

/*
 * link: one SSH connection to a server, made and authenticated.
 *
 * Making one takes time and blocks: it is done in a thread of its own where
 * something else must go on.  What comes out is a session of libssh's, not
 * blocking any more, to be driven by carry.h.
 */

#include "dest.h"
#include "err.h"

#include <libssh/libssh.h>
#include <stdbool.h>
#include <sys/types.h>

enum {
	LINK_KEYS_MAX = 16,
	LINK_WORDS_MAX = 32,
	LINK_TYPED_MAX = 512,
	LINK_KEEPALIVE_S = 15,
	LINK_KEEPALIVE_COUNT = 3, /* dead after 45 s without a byte */
};

enum link_asking { LINK_NEVER_ASK, LINK_MAY_ASK };

enum link_memory {
	LINK_REMEMBERS, /* what enrolment wrote down counts */
	LINK_ENROLLS /* it does not, and accepted host keys are the caller's */
};

struct link_options {
	const char *dest; /* as the user wrote it */
	const char *state_dir; /* NULL: the default one */
	const char *ssh_config; /* -F; NULL: the user's and the system's */
	const char *user; /* -l; NULL: as said elsewhere */
	uint16_t port; /* -p; 0: as said elsewhere */
	const char *jump; /* -J */
	const char *keys[LINK_KEYS_MAX]; /* -i: these and no others */
	size_t key_count;
	const char *words[LINK_WORDS_MAX]; /* -o Word=value */
	size_t word_count;
	const char *host_key; /* "SHA256:...": accepted, and remembered */
	const char *known_hosts; /* in place of the user's; NULL: not */
	/* As typed, for a remedy that says it again; "" where that is not
	 * known: "kaya enroll --target h:1883", "dan@broker" and what stands
	 * behind. */
	char typed[LINK_TYPED_MAX], typed_words[LINK_TYPED_MAX];
	unsigned keepalive_s; /* 0: LINK_KEEPALIVE_S */
	unsigned keepalive_count; /* 0: LINK_KEEPALIVE_COUNT; else 2 or more */
	enum link_asking asking;
	enum link_memory memory;
};

struct link {
	ssh_session session;
	char name[400]; /* "user@host:port", for texts */
	char fingerprint[64];
	char key_file[PATH_MAX]; /* of enrolment; "" where there is none */
	unsigned keepalive_s, keepalive_count;
	int log_level; /* libssh's, by LogLevel; it keeps one a thread */
	int fd; /* that was given to it; -1: it made its own connection */
	ino_t socket; /* of that: libssh may have closed it meanwhile */
};

/*
 * All that configures a connection (options, ssh_config, what enrolment wrote
 * down) is read; nothing is connected yet.  Where no key was named the enrolled
 * one is added to `options`, borrowed from the link.  NULL and `err`: the
 * user's own fault.
 */
struct link *link_prepare(struct link_options *options, struct err *err);

/* Have it speak over a connection that is there; it is the link's then. */
void link_give(struct link *link, int fd);

/*
 * Resolve, connect (every address, both families) and exchange keys: nobody
 * has looked at the host key yet, and nobody has logged in.
 */
int link_reach(struct link *link, struct err *err);

/*
 * Resolve, connect (every address, both families), check the host key, log
 * in.  0 and a link to be freed; or -1 and `err`: ERR_UNREACHABLE, ERR_TIMEOUT,
 * ERR_REFUSED, ERR_HOST_KEY, ERR_PROTOCOL, or the user's own fault.
 */
struct link *link_open(const struct link_options *given, struct err *err);

/* Say in `err` whose fault it is, where the cause does not.  -1. */
int link_place(const struct link *link, struct err *err);

/* Says good-bye where that is possible.  NULL is fine. */
void link_free(struct link *link);

#endif
