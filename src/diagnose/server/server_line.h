#ifndef KAYA_SERVER_LINE_H
#define KAYA_SERVER_LINE_H

/*
 * server_line: why the server's authorized_keys does not let a key, or a
 * certificate of an authority, in.
 */

#include "keys_explain.h"
#include "keys_file.h"
#include "netaddr.h"
#include "span.h"

enum server_line_fact {
	SERVER_LINE_ABSENT, /* no line has this key */
	SERVER_LINE_VOID, /* it stands on a line that sshd passes over */
	SERVER_LINE_AUTHORITY, /* only as cert-authority */
	SERVER_LINE_PLAIN, /* an authority, and not as cert-authority */
	SERVER_LINE_PRINCIPALS, /* its principals="..." names none of them */
	SERVER_LINE_USER, /* of the principals none is the user */
	SERVER_LINE_EXPIRED,
	SERVER_LINE_FROM, /* not from this address */
	SERVER_LINE_ADMITS, /* nothing in this file is in its way */
	SERVER_LINE_VOID_HERE /* sshd would take it, kayad does not */
};

struct server_line {
	enum server_line_fact fact;
	size_t line; /* from 1; 0 where absent */
	size_t column; /* from 1; VOID: where the fault is */
	char cause[KEYS_SENTENCE_SIZE]; /* VOID: what is wrong there */
	char remedy[KEYS_SENTENCE_SIZE]; /* VOID_HERE: what to write there */
	bool has_options;
	bool can_be_mended; /* VOID: keys_repair knows the line meant */
};

/* Whose name a certificate has to have, where its line does not say so. */
enum server_line_names {
	SERVER_LINE_SSHD, /* the user's */
	SERVER_LINE_KAYAD /* the only one it has, or else the user's */
};

struct server_line_certificate {
	struct span principals; /* SSH strings, for wire_take_string32 */
	struct span user;
	enum server_line_names names;
};

struct server_line_asker {
	struct span blob; /* the key, or the certificate's authority */
	struct netaddr client; /* family 0: not known, from does not count */
	int64_t now_s;
	const struct server_line_certificate *certificate; /* NULL: the key */
};

/*
 * Read the server's file, or a copy, into files->items[0].  0, to be given to
 * keys_files_close; -1 and `err`, for a folder too, which has many.
 */
int server_line_open(
    struct keys_files *files, const char *path, struct err *err);

/*
 * What `file` says about who asks.  The first line that admits decides, as in
 * sshd; else the first that is in the way.
 */
void server_line_find(struct span file, const struct server_line_asker *asker,
    struct server_line *found);

/* Where it ADMITS: whether kayad takes that line, as the one it reads. */
void server_line_judge_here(struct span file, struct server_line *found);

#endif
