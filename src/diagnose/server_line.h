#ifndef KAYA_SERVER_LINE_H
#define KAYA_SERVER_LINE_H

/*
 * server_line: why the server's authorized_keys does not let a key in.
 */

#include "keys_explain.h"
#include "netaddr.h"
#include "span.h"

enum server_line_fact {
	SERVER_LINE_ABSENT, /* no line has this key */
	SERVER_LINE_VOID, /* it stands on a line that sshd passes over */
	SERVER_LINE_AUTHORITY, /* only as cert-authority */
	SERVER_LINE_EXPIRED,
	SERVER_LINE_FROM, /* not from this address */
	SERVER_LINE_ADMITS /* nothing in this file is in its way */
};

struct server_line {
	enum server_line_fact fact;
	size_t line; /* from 1; 0 where absent */
	size_t column; /* from 1; VOID: where the fault is */
	char cause[KEYS_SENTENCE_SIZE]; /* VOID: what is wrong there */
	bool can_be_mended; /* VOID: keys_repair knows the line meant */
};

/*
 * What `file` says about the key `blob` from `client` (family 0: not known,
 * from lists do not count) at `now_s`.  The first line that admits decides, as
 * in sshd; else the first that is in the way.
 */
void server_line_find(struct span file, struct span blob,
    const struct netaddr *client, int64_t now_s, struct server_line *found);

#endif
