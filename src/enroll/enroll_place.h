#ifndef KAYA_ENROLL_PLACE_H
#define KAYA_ENROLL_PLACE_H

/*
 * enroll_place: what this machine keeps of one destination.
 *
 *	STATE/hosts/NAME          host, port, user, key, known_hosts (dest.h)
 *	STATE/keys/NAME, .pub     the key that is for this destination alone
 *	STATE/known_hosts/NAME    the server's host key
 *
 * Files are written beside and renamed: they are old or new, never half.
 */

#include "buf.h"
#include "dest.h"

struct enroll_place {
	struct dest dest; /* as the user wrote it */
	struct dest_enrolled enrolled; /* what was written down before */
	bool is_enrolled;
	char state[PATH_MAX];
	char record[PATH_MAX];
	char key[PATH_MAX];
	char public_key[PATH_MAX];
	char known_hosts[PATH_MAX];
};

/*
 * Where things of `dest` are, and whether it was enrolled.  `state_dir` NULL:
 * the default one.  -1 and `err`: no destination, or a record that is wrong.
 */
int enroll_place_find(struct enroll_place *place, const char *dest,
    const char *state_dir, struct err *err);

enum enroll_place_key {
	ENROLL_KEY_FAILED = -1,
	ENROLL_KEY_MADE,
	ENROLL_KEY_KEPT
};

/*
 * Make an ed25519 key without passphrase (0600), unless there is one: that is
 * never overwritten.  `public_line` gets the .pub file's line.
 */
enum enroll_place_key enroll_place_make_key(const struct enroll_place *place,
    const char *comment, struct buf *public_line, struct err *err);

/* The .pub file's line of the key that is there. */
int enroll_place_read_key(
    const struct enroll_place *place, struct buf *public_line, struct err *err);

/* Write down the host key: a line of known_hosts. */
int enroll_place_pin(
    const struct enroll_place *place, const char *line, struct err *err);

/* Write the record down; key and known_hosts are the place's own. */
int enroll_place_remember(struct enroll_place *place, const char *host,
    uint16_t port, const char *user, struct err *err);

/* Remove the record (a key or host key stays). */
void enroll_place_forget(struct enroll_place *place);

/*
 * Remove record and host key, and move the key pair aside, to `aside`
 * (PATH_MAX bytes; "" where there was none).
 */
int enroll_place_clear(
    struct enroll_place *place, char *aside, struct err *err);

#endif
