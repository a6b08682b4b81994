#ifndef KAYA_SESSION_CERTIFICATE_H
#define KAYA_SESSION_CERTIFICATE_H

/*
 * session_certificate: what a session keeps of the certificate that it came
 * with, so that it can be judged again when keys change or time passes.
 */

#include "netaddr.h"
#include "roster.h"
#include "snapshot.h"
#include "witness.h"

struct session_certificate {
	struct revoked_certificate facts; /* its key id is behind the struct */
	uint64_t valid_before_s;
	bool may_forward;
	struct span principals; /* behind it, too */
	struct roster_node named; /* in the roster of names, while it is OPEN */
	uint8_t name[PUBKEY_DIGEST_BYTES]; /* the identity's digest */
};

/* To be freed by free(3); NULL where memory fails. */
struct session_certificate *session_certificate_new(
    const struct ssh_certificate *certificate);

/* Who shows it, and when. */
struct session_certificate_asker {
	const struct netaddr *address;
	struct span user; /* the SSH user name, or the identity he came in as */
	int64_t now_s;
};

/*
 * May he come in, or stay?  NULL and the verdict filled, or why not (good as
 * long as the verdict).  Of the certificate's time only the end is looked at.
 */
const char *session_certificate_judge(
    const struct session_certificate *certificate,
    const struct snapshot *snapshot,
    const struct session_certificate_asker *asker,
    struct keyring_verdict *verdict);

/*
 * What is in a certificate that is shown, and nowhere else afterwards: its
 * beginning and the addresses that it may come from.  NULL, or why not.
 */
const char *session_certificate_check(const struct ssh_certificate *certificate,
    const struct session_certificate_asker *asker);

/*
 * Whoever comes in by certificate is known by name for as long as he is in, so
 * that nobody else takes what belongs to the name; a line of his own, which
 * would name him for ever, there is not.  `identity` stays the session's.
 */
void session_certificate_enter(struct session_certificate *certificate,
    struct roster *names, const char *identity);
void session_certificate_leave(
    struct session_certificate *certificate, struct roster *names);

/* Whether somebody of that name is in by certificate. */
bool session_certificate_has(struct roster *names, struct span name);

/* key_id, serial and authority. */
void session_certificate_tell(
    const struct session_certificate *certificate, struct witness *witness);

/* The same as a member of a JSON object, with a comma before it. */
void session_certificate_report(
    const struct session_certificate *certificate, struct buf *json);

#endif
