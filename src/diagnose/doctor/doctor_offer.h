#ifndef KAYA_DOCTOR_OFFER_H
#define KAYA_DOCTOR_OFFER_H

/*
 * doctor_offer: keys offered to a server one by one, none of them used: which
 * one it would let in, and when it had enough.
 */

#include "doctor_private.h"

struct offers {
	struct identities identities; /* the caller's, gathered before */
	const struct identity *accepted; /* NULL: none */
	size_t place; /* of the accepted one among the offered, from 1 */
	bool closed; /* the server closed the first connection meanwhile */
	size_t tries; /* offered on it until then */
	char why[200]; /* it closed */
};

/* A public key for libssh, to be freed; NULL where it knows no such type. */
ssh_key doctor_public_key(const struct identity *identity);

/*
 * Offer them on the doctor's own link until one is accepted.  Where the server
 * closes meanwhile (MaxAuthTries), the rest is offered on connections of their
 * own.
 */
void doctor_offer_all(struct doctor *doctor, struct offers *offers);

/*
 * Whether an RSA key that was refused, or not offered, is let in with a SHA-1
 * signature and no better one: one or two connections of its own.
 */
bool doctor_is_let_in_by_sha1(
    struct doctor *doctor, const struct identity *identity);

/* Note, once, that the server has closed the connection, and its words. */
void doctor_note_close(
    struct offers *offers, ssh_session session, size_t tries);

#endif
