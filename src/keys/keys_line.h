#ifndef KAYA_KEYS_LINE_H
#define KAYA_KEYS_LINE_H

/* keys_line: write the line that lets a key in and leaves it no room. */

#include "authorized_keys.h"
#include "buf.h"
#include "err.h"

/* What an ssh session gets in place of a shell. */
#define KEYS_LINE_COMMAND "command=\"echo This key carries MQTT only\""

/* A whole line is shorter than this. */
enum { KEYS_LINE_MAX_BYTES = 64 << 10 };

struct keys_line_wish {
	const char *identity;
	const char *role; /* NULL: none */
	const char *from; /* addresses, as sshd(8) has them; NULL: any */
	const char *expires; /* YYYYMMDD[HHMM[SS]][Z]; NULL: never */
	/* Of loopback's names one stands for all three. */
	const char *broker_host;
	uint16_t broker_port;
};

/*
 * Find the one public key in a .pub file.  `key` is filled, its spans live as
 * long as `file`.  -1 and `err` where it is none, a private one, more than
 * one, or has options before it; nothing of the file is repeated in `err`.
 */
int keys_line_take_key(
    struct span file, struct authorized_keys_line *key, struct err *err);

/*
 * Append to `line` the tightest line that lets `key` reach the broker, without
 * a newline.  -1 and `err` (ERR_USAGE: the wish, ERR_FAILED: the key) where
 * something in it would not do what it is there for as of `now_s`.
 */
int keys_line_write(const struct keys_line_wish *wish,
    const struct authorized_keys_line *key, int64_t now_s, struct buf *line,
    struct err *err);

/* Whether the wish can be written for a good key: all that is known so early.
 */
int keys_line_check(
    const struct keys_line_wish *wish, int64_t now_s, struct err *err);

#endif
