#ifndef KAYA_ADMISSION_H
#define KAYA_ADMISSION_H

/*
 * admission: a key comes in by the code of an invitation: the decision and the
 * two files that it changes.
 *
 *	the code is good -> the key can come in under that name
 *	    -> the new file of keys is written beside the old one
 *	    -> the invitation is spent, on the disk
 *	    -> the new file of keys takes the old one's place
 *
 * Spent before the key is in: to die between the two costs a code; the other
 * way round it would be good for another key.  One call does it all, and the
 *parent has one thread: of two who race with one code the second finds it
 *spent.
 */

#include "invitations.h"
#include "monitor.h"
#include "settings.h"

struct admission_request {
	const struct settings *settings; /* in force: files, brokers */
	const struct span *host_keys; /* blobs */
	size_t host_key_count;
	int64_t now_s; /* wall clock */
	struct span blob; /* a key that was proven */
	struct invite_code code;
};

enum { ADMISSION_SENTENCE_SIZE = 256 };

struct admission {
	enum monitor_enrolled outcome;
	char sentence[ADMISSION_SENTENCE_SIZE]; /* but for IN: for the user */
	/* For the log, which may know more: a constant. */
	const char *why;
	struct err err; /* what failed here, for the log; or ERR_NONE */
	char name[STR_NAME_MAX + 1]; /* whose code it is; "": nobody's */
};

/*
 * IN: the key's line stands in the file under `name`, and is on the disk.
 * WRONG_CODE: the code lets nobody in.  REFUSED: the code may be good, but
 * this key does not come in; `sentence` says whether the code still is.
 */
void admission_decide(
    const struct admission_request *request, struct admission *admission);

/* Start over with another outcome; `sentence` is copied. */
void admission_refuse(struct admission *admission,
    enum monitor_enrolled outcome, const char *sentence, const char *why);

#endif
