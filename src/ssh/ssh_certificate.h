#ifndef KAYA_SSH_CERTIFICATE_H
#define KAYA_SSH_CERTIFICATE_H

/*
 * ssh_certificate: a user's key with what an authority signed about it.
 *
 * Source: OpenSSH's PROTOCOL.certkeys.  All kinds of keys that ssh_key takes,
 * of users and of authorities; no SHA-1, no certificate that is signed by
 * another one, no certificate of a host.
 *
 *	ssh_certificate_parse -> whom it is about, and whether it is sound
 *	    -> ssh_certificate_check_time -> ssh_certificate_verify
 *
 * Whether its authority is one that may let anybody in is the caller's to say.
 */

#include "buf.h"
#include "span.h"

enum { SSH_CERTIFICATE_PRINCIPALS_MAX = 256 }; /* as OpenSSH has it */

/* verdict, a sentence's end for the log */
#define SSH_CERTIFICATE_VERDICTS(X)                                            \
	X(SSH_CERTIFICATE_GOOD, "the certificate is good")                     \
	X(SSH_CERTIFICATE_UNSUPPORTED,                                         \
	    "a kind of certificate that is not served, or another than the "   \
	    "algorithm's")                                                     \
	X(SSH_CERTIFICATE_MALFORMED, "the certificate is malformed")           \
	X(SSH_CERTIFICATE_NO_MEMORY, "no memory")                              \
	X(SSH_CERTIFICATE_KEY,                                                 \
	    "the certified key is of a kind or size that is not taken")        \
	X(SSH_CERTIFICATE_OF_HOST, "the certificate is not a user's")          \
	X(SSH_CERTIFICATE_NO_PRINCIPALS,                                       \
	    "the certificate names no principal, so it would be anybody's")    \
	X(SSH_CERTIFICATE_CRITICAL,                                            \
	    "the certificate has a critical option that is not known here")    \
	X(SSH_CERTIFICATE_NESTED,                                              \
	    "the certificate is signed by another certificate")                \
	X(SSH_CERTIFICATE_AUTHORITY,                                           \
	    "the authority's key is of a kind or size that is not taken, or "  \
	    "its signature by an algorithm that is not (SHA-1)")               \
	X(SSH_CERTIFICATE_NOT_YET, "the certificate is not valid yet")         \
	X(SSH_CERTIFICATE_EXPIRED, "the certificate has expired")              \
	X(SSH_CERTIFICATE_FORGED,                                              \
	    "the authority's signature of the certificate does not match")

enum ssh_certificate_verdict {
#define X(verdict, text) verdict,
	SSH_CERTIFICATE_VERDICTS(X)
#undef X
};

/* The sentence's end; a constant. */
const char *ssh_certificate_text(enum ssh_certificate_verdict verdict);

/* Never valid after; what ssh-keygen calls "forever". */
#define SSH_CERTIFICATE_FOREVER UINT64_MAX

/* Its spans point into the blob that was parsed, and live as long. */
struct ssh_certificate {
	/* The certified key as if it were plain: its algorithm (a constant) as
	 * its signatures say it, and its blob, which is ours. */
	const char *algorithm;
	struct buf key;
	uint64_t serial; /* 0: the authority does not number */
	struct span key_id; /* a name for logs; any bytes but zeroes */
	struct span principals; /* SSH strings, for wire_take_string32 */
	uint64_t valid_after_s, valid_before_s; /* seconds since 1970 */
	struct span source_address; /* CIDRs and commas; data NULL: any */
	bool verify_required; /* of a FIDO token */
	bool no_touch_required; /* likewise: the authority does not ask for it
				 */
	bool may_forward; /* permit-port-forwarding */
	struct span authority; /* the blob of the key that signed */
	struct span to_be_signed, signature;
};

/*
 * The algorithms of certificates, best first, comma separated: what
 * server-sig-algs (RFC 8308 section 3.1) says beside ssh_key's own.
 */
const char *ssh_certificate_algorithms(void);

/* Whether USERAUTH_REQUEST's `algorithm` is one of them. */
bool ssh_certificate_is(struct span algorithm);

/*
 * Take `blob` to pieces.  GOOD, or the first thing that is wrong with it; time
 * and signature are not looked at.  After UNSUPPORTED, MALFORMED and NO_MEMORY
 * all of `certificate` is zero, else it is filled in and to be given to
 * ssh_certificate_fini.  force-command is passed over, for nothing is ever
 * run; of extensions, those that do not matter here.
 */
enum ssh_certificate_verdict ssh_certificate_parse(struct span algorithm,
    struct span blob, struct ssh_certificate *certificate);

/*
 * The same where no algorithm was named: whether a key's blob is one of these
 * certificates, and by its own type.
 */
bool ssh_certificate_is_blob(struct span blob);
enum ssh_certificate_verdict ssh_certificate_parse_blob(
    struct span blob, struct ssh_certificate *certificate);

void ssh_certificate_fini(struct ssh_certificate *certificate);

/* GOOD, NOT_YET or EXPIRED at `now_s`, seconds since 1970. */
enum ssh_certificate_verdict ssh_certificate_check_time(
    const struct ssh_certificate *certificate, int64_t now_s);

/*
 * Whether its authority has signed it: GOOD or FORGED.  Costs one verification;
 * where memory fails it is not good.
 */
enum ssh_certificate_verdict ssh_certificate_verify(
    const struct ssh_certificate *certificate);

#endif
