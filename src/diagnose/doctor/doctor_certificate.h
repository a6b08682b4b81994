#ifndef KAYA_DOCTOR_CERTIFICATE_H
#define KAYA_DOCTOR_CERTIFICATE_H

/*
 * doctor_certificate: why a certificate is refused: what it says itself, and
 * what the server's file, where that is here, says of its authority.
 */

#include "doctor_private.h"
#include "server_line.h"
#include "ssh_certificate.h"

struct doctor_certificate {
	struct ssh_certificate parsed; /* all zero where it is malformed */
	enum ssh_certificate_verdict verdict;
	char names[256]; /* "ann, pump-7", escaped */
	char names_alone[256]; /* "ann,pump-7"; "": not to be typed so */
	char authority[PUBKEY_FINGERPRINT_SIZE];
	char authority_line[1400]; /* what lets its certificates in, quoted */
	char sign[700]; /* the command that makes the one that was meant */
	bool has_user; /* the user is among its principals */
};

/* All of it "" and zero where `identity` is no certificate; to be finished. */
void doctor_certificate_read(const struct doctor *doctor,
    const struct identity *identity, struct doctor_certificate *certificate);
void doctor_certificate_fini(struct doctor_certificate *certificate);

/*
 * Fill in what server_line_find is to be asked of the identity, by its key or
 * by its certificate's authority; `asker` borrows all the others.
 */
void doctor_certificate_ask(const struct doctor *doctor,
    const struct identity *identity,
    const struct doctor_certificate *certificate,
    struct server_line_certificate *names, struct server_line_asker *asker);

/* Say what is wrong with a refused one by itself; false where nothing is. */
bool doctor_judge_certificate(struct doctor *doctor,
    const struct identity *identity, struct findings *findings);

/* Say what may be wrong with it where the server's file is not at hand. */
void doctor_tell_certificate(struct doctor *doctor,
    const struct identity *identity, struct findings *findings);

/*
 * Of the one that was let in: say that it lets nobody go anywhere; false where
 * that is not so.
 */
bool doctor_judge_certificate_forwards(
    struct doctor *doctor, struct findings *findings);

/* Whether it certifies this very key; libssh 0.10 does not ask. */
bool doctor_certificate_is_of(
    const struct identity *identity, ssh_key private_key);

/* Two places know that the principals are others. */
#define CERTIFICATE_USER_CAUSE                                                 \
	"the certificate {key} is for {names}, and none of these is the user " \
	"{user}"
#define CERTIFICATE_USER_REMEDY                                                \
	"where the authority's key is, for {user}: {sign}; or log in as one "  \
	"of them: kaya doctor -l NAME {by_name}"

#endif
