#ifndef KAYA_INVITATIONS_H
#define KAYA_INVITATIONS_H

/*
 * invitations: who may let a new key in by a code, under which name, and until
 * when: a list that is read from bytes and written to bytes.
 *
 * A line each:  open pump-7 - 1767225600 one 9f86d081...  (state, name, role
 * or -, end in seconds since 1970, keys, SHA-256 of the code's secret in hex).
 * Nothing of it lets anybody in.  A line that is not just so voids the whole
 * file: a list that somebody has damaged invites nobody.
 *
 * Those that are spent stay for a while, for the log to say why a code is
 * refused.
 */

#include "buf.h"
#include "err.h"
#include "invite_code.h"
#include "pubkey.h"
#include "str.h"

enum {
	INVITATIONS_OPEN_MAX = 1000,
	INVITATIONS_SPENT_MAX = 200,
	INVITATIONS_FILE_MAX = 1 << 20 /* bytes; all of those fit in */
};

enum invitation_state {
	INVITATION_OPEN,
	INVITATION_USED,
	INVITATION_CANCELLED,
	INVITATION_STATES
};
/* "open", "used", "cancelled" */
const char *invitation_state_name(enum invitation_state state);

/* How many keys may go by the name. */
enum invitation_keys { INVITATION_ONE_KEY, INVITATION_MORE_KEYS };

struct invitation {
	enum invitation_state state;
	enum invitation_keys keys;
	char name[STR_NAME_MAX + 1];
	char role[STR_NAME_MAX + 1]; /* "": none */
	int64_t until_s; /* wall clock; from then on it is expired */
	uint8_t hash[PUBKEY_DIGEST_BYTES];
};

/* All zeroes: none.  In the order in which they were made. */
struct invitations {
	struct invitation *items;
	size_t count;
};

/* -1 and `err`, and none in the list, where a line is not as it should be. */
int invitations_parse(
    struct invitations *list, struct span file, struct err *err);
/* Look at out->failed. */
void invitations_encode(const struct invitations *list, struct buf *out);
void invitations_fini(struct invitations *list);

/* What an invitation keeps of its code. */
void invitation_hash(const uint8_t secret[INVITE_CODE_SECRET_BYTES],
    uint8_t hash[PUBKEY_DIGEST_BYTES]);

/*
 * Add one that is open, in the place of an open one of the same name.  The
 * number of those that it replaced, or -1 and `err`: no memory, or too many.
 */
int invitations_add(struct invitations *list, const struct invitation *wish,
    int64_t now_s, struct err *err);

/* Cancel what is open under this name; how many that were. */
size_t invitations_cancel(
    struct invitations *list, const char *name, int64_t now_s);

enum invitation_verdict {
	INVITATION_GOOD,
	INVITATION_UNKNOWN,
	INVITATION_EXPIRED,
	INVITATION_SPENT, /* it was used */
	INVITATION_WITHDRAWN
};
/* The verdict in words, for the log. */
const char *invitation_verdict_name(enum invitation_verdict verdict);

/*
 * Whose code that is; `*found` (not NULL but for UNKNOWN) lives as long as the
 * list does not change.  How long it takes tells nothing.
 */
enum invitation_verdict invitations_find(struct invitations *list,
    const uint8_t secret[INVITE_CODE_SECRET_BYTES], int64_t now_s,
    struct invitation **found);

#endif
