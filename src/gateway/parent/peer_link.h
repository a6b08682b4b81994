#ifndef KAYA_PEER_LINK_H
#define KAYA_PEER_LINK_H

/*
 * peer_link: which of a gateway's messages are new.
 *
 * A signature says who made a message, not when: what a gateway once said,
 * the broker, or anybody who heard it, can say again.  So that this changes
 * nothing, without a clock:
 *
 *	boot       16 random bytes of the sender's, new at each start of it
 *	seq        counts its messages; one number is taken once, and those that
 *	           are late by more than PEER_LINK_WINDOW never
 *	challenge  16 random bytes that the receiver has sent; whoever comes
 *with a boot that is not known must show (echo) that it has seen them, which no
 *old message can
 *
 *	A: boot a1                                        B has just started: b1
 *	   --- HELLO boot a1, challenge p, echo -------------->  a1? who is that
 *	   <-- HELLO boot b1, challenge q, echo p -------------  (see
 *PEER_LINK_ASK) b1 has seen p: it is new; from now on the challenge is p'
 *	   --- HELLO boot a1, challenge p', echo q ----------->  so is a1
 *
 * Pure: random bytes and time are arguments.  For messages whose signature,
 * sender and receiver have been looked at, and for no others.
 */

#include "peer_message.h"

enum {
	PEER_LINK_WINDOW = 64, /* messages that may overtake another */
	PEER_LINK_ASK_MS = 1000 /* between two answers to what is not known */
};

struct peer_link {
	uint8_t challenge[PEER_TOKEN_BYTES]; /* ours, for it to echo */
	uint8_t boot[PEER_TOKEN_BYTES]; /* its own */
	uint8_t echo[PEER_TOKEN_BYTES]; /* its challenge; zeros: not known */
	bool is_known; /* `boot` is in force */
	uint64_t top; /* the highest seq that came */
	uint64_t seen; /* bit n: top - n came */
	uint64_t sent; /* the seq of our last message */
	uint64_t asked_ms; /* 0: never */
};

/* `random`: PEER_TOKEN_BYTES. */
void peer_link_init(struct peer_link *link, const uint8_t *random);

enum peer_link_result {
	PEER_LINK_OLD, /* it came before, or is too old: nothing is done */
	PEER_LINK_NEW, /* act upon it */
	/* the same, and its sender has just started, or we have: tell it where
	 * we stand, by a HELLO and all that is held */
	PEER_LINK_NEW_BOOT,
	/* it may be old: nothing is done, but it is asked by a HELLO whose echo
	 * is the message's own challenge (peer_link_fill, `to_unknown`) */
	PEER_LINK_ASK
};

/* `random`: PEER_TOKEN_BYTES, used where the boot is a new one. */
enum peer_link_result peer_link_take(struct peer_link *link,
    const struct peer_message *message, const uint8_t *random, uint64_t now_ms);

/*
 * The part of our next message to it that is the link's: boot, challenge, echo
 * and seq.  `to_unknown`: the message that is answered by PEER_LINK_ASK, else
 * NULL.  The spans point into link, `boot` and `to_unknown`.
 */
void peer_link_fill(struct peer_link *link, const uint8_t *boot,
    const struct peer_message *to_unknown, struct peer_message *message);

#endif
