#ifndef KAYA_ENROLL_PRIVATE_H
#define KAYA_ENROLL_PRIVATE_H

/* enroll_private: the steps of an enrolment; nobody else includes it. */

#include "authorized_keys.h"
#include "buf.h"
#include "enroll.h"
#include "enroll_place.h"
#include "str.h"

/* All zero but options, findings and the buffers, at the start. */
struct enroll {
	const struct enroll_options *options;
	struct findings *findings;
	struct enroll_place place;
	struct link *link; /* the user's own login */
	struct dest_enrolled way; /* host, port and user of that */
	char identity[STR_NAME_MAX + 1];
	bool is_shut; /* the account gives no shell to put the line in by */
	struct buf public_line, line;
	struct authorized_keys_line key; /* of public_line */
	char base64[128];
	char dest[2 * PATH_MAX]; /* as a command has it from now on */
};

/* A row that all is well. */
void enroll_tell(struct enroll *enroll, const char *layer, const char *format,
    ...) __attribute__((format(printf, 3, 4)));

/*
 * Connect to DEST and see who it is: link and way.  One name stands for one
 * account at one server, else ERR_FAILED.  Nobody has logged in yet.
 */
int enroll_reach(struct enroll *enroll, struct err *err);

/* Whether what was reached is a kayad. */
bool enroll_is_gateway(const struct enroll *enroll);

/* Log in, by what the user has, where there is a shell to be expected. */
int enroll_log_in(struct enroll *enroll, struct err *err);

/* Host, port and user of the link. */
void enroll_read_way(struct enroll *enroll);

/* Write the link's host key down. */
int enroll_pin(struct enroll *enroll, struct err *err);

/* Make the key, or keep the one that is there: public_line, key, base64. */
int enroll_make_key(struct enroll *enroll, struct err *err);

/* The same of the key that must be there already. */
int enroll_read_key(struct enroll *enroll, struct err *err);

/*
 * Write the record and try the key; where the key is not let in the record
 * goes again.  `remedy` is what to put in place of a key that can do more.
 */
int enroll_prove(struct enroll *enroll, const char *remedy, struct err *err);

/* What is run: enrolment's two ways, and the way back. */
int enroll_by_login(struct enroll *enroll, struct err *err);
int enroll_by_code(struct enroll *enroll, struct err *err);
int enroll_undo(struct enroll *enroll, struct err *err);

#endif
