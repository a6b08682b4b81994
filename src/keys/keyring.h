#ifndef KAYA_KEYRING_H
#define KAYA_KEYRING_H

/*
 * keyring: all that any number of authorized_keys files say, built once and
 * never changed, so that threads can share it: who may enter with a key, or
 * with a certificate of an authority, under which name, and what he may open.
 *
 * It keeps no text.  A line costs about 70 bytes where lines share their
 * options (keys are known by their SHA-256, equal sets of options are kept
 * once), and is found in constant time.
 *
 * Where it differs from sshd, on purpose:
 * - the three spellings of loopback are one host in permitopen;
 * - RSA below 2,048 bits and DSA are void;
 * - environment="KAYA_ID=..." names the identity, "KAYA_ROLE=..." the role,
 *   and a line with a bad one is void, as is a cert-authority line with the
 *   first: a certificate's name is one of its principals;
 * - `from` knows addresses only, and an IPv6 zone (%eth0) does not count;
 * - options about shells, terminals, agents and X11 have no effect: there is
 *   nothing of it to permit.
 */

#include "err.h"
#include "netaddr.h"
#include "pubkey.h"
#include "revoked_keys.h"
#include "span.h"
#include "str.h"

struct keyring;

struct keyring_file {
	const char *name; /* for reports */
	struct span text;
};

/* A line that lets nobody in.  All of it lives until the callback returns. */
struct keyring_fault {
	const char *file;
	size_t line; /* from 1 */
	size_t column; /* from 1, in bytes */
	const char *code;
	const char *cause;
	const char *remedy;
};

typedef void keyring_report_fn(void *arg, const struct keyring_fault *fault);

enum {
	KEYRING_RSA_MIN_BITS = 2048,
	KEYRING_MAX_FILES = 65535,
	KEYRING_MAX_LINES = 1 << 30
};

struct keyring_source {
	const struct keyring_file *files; /* in their order */
	size_t count;
	const struct revoked_keys *revoked; /* NULL: nothing is */
	keyring_report_fn *report; /* told of void lines; may be NULL */
	void *arg;
};

/*
 * Build one, held once.  Void lines are no failure: each is reported and left
 * out.  Lines whose key is revoked are reported too; they admit nobody.  NULL
 * and `err` where memory or a limit fails.  Nothing of `source` is needed
 * afterwards.  expiry-time: see authorized_keys_parse.
 */
struct keyring *keyring_new(
    const struct keyring_source *source, struct err *err);

/* Hold it once more (from any thread).  Returns `ring`. */
struct keyring *keyring_ref(struct keyring *ring);

/* Let go; the last one frees it.  NULL is fine. */
void keyring_unref(struct keyring *ring);

struct keyring_stats {
	size_t lines; /* that name a key, a revoked one perhaps */
	size_t keys; /* different ones among them */
	size_t authorities; /* cert-authority lines: no key enters by them */
	size_t void_lines;
	size_t bytes; /* of memory, the allocator's own apart */
};

struct keyring_stats keyring_stats(const struct keyring *ring);

enum keyring_result {
	KEYRING_ADMITTED,
	KEYRING_UNKNOWN, /* no line has this key */
	KEYRING_REFUSED /* lines have it, none admits: see `why` */
};

struct keyring_verdict {
	/* On ADMITTED the line that admits, on REFUSED the last one that did
	 * not.  Good as long as the ring. */
	uint32_t entry;
	const char *file;
	uint32_t line;
	char identity[STR_NAME_MAX + 1];
	const char *role; /* "" where none is given */
	bool may_forward; /* else no channel at all */
	bool touch_required; /* of a FIDO token: check each signature */
	bool verify_required; /* PIN or fingerprint at the token */
	int64_t expires_s; /* expiry-time, the last second; 0: never */
	char why[160]; /* REFUSED: one sentence for the log */
};

/*
 * May the key in `blob` enter from `client` at `now_s` (seconds since 1970)?
 * As in sshd the first line that admits decides; one that refuses by `from` or
 * expiry-time does not stop a later one.  Costs one SHA-256.
 */
enum keyring_result keyring_admit(const struct keyring *ring, struct span blob,
    const struct netaddr *client, int64_t now_s,
    struct keyring_verdict *verdict);

/* The same for a key by its pubkey_digest: after a reload, for who is in. */
enum keyring_result keyring_admit_digest(const struct keyring *ring,
    const uint8_t digest[PUBKEY_DIGEST_BYTES], const struct netaddr *client,
    int64_t now_s, struct keyring_verdict *verdict);

/* What a certificate says, and who comes with it. */
struct keyring_certificate {
	uint8_t authority[PUBKEY_DIGEST_BYTES]; /* its pubkey_digest */
	struct span principals; /* SSH strings, for wire_take_string32 */
	struct span user; /* the SSH user name */
};

/*
 * May who has this certificate enter?  By cert-authority lines of its authority
 * alone, as by a key's lines; the identity is one of its principals:
 *
 * - of those that the line's principals="..." names, where it has that;
 * - the user name, where that is one of them; else the only one there is.
 *
 * That the certificate is sound, signed and valid the caller has to know.
 */
enum keyring_result keyring_admit_certificate(const struct keyring *ring,
    const struct keyring_certificate *certificate, const struct netaddr *client,
    int64_t now_s, struct keyring_verdict *verdict);

/*
 * Entries are numbered from 0 to `lines + authorities` of keyring_stats.
 * Whether it is a cert-authority line.
 */
bool keyring_is_authority(const struct keyring *ring, uint32_t entry);

/* An entry's digest, of an authority's key where it is one; borrowed. */
const uint8_t *keyring_digest(const struct keyring *ring, uint32_t entry);

/*
 * An entry's identity, as the verdict had it; "" for an authority.  Returns
 * `text`.
 */
const char *keyring_identity(
    const struct keyring *ring, uint32_t entry, char text[STR_NAME_MAX + 1]);

/*
 * Whether any line of a key names this identity, or has it by its digest.  One
 * look, however many there are.  Whom authorities name nobody can know.
 */
bool keyring_has_identity(const struct keyring *ring, struct span identity);

/* An entry's role, "" where it has none; borrowed from the ring. */
const char *keyring_role(const struct keyring *ring, uint32_t entry);

enum keyring_open {
	KEYRING_MAY_OPEN,
	KEYRING_NO_FORWARDING, /* restrict, or no-port-forwarding */
	KEYRING_NOT_PERMITTED /* permitopen names others */
};

/*
 * May who came in by `entry` ask for `host` and `port`?  Without permitopen
 * anything; else one must name the port (or `*`) and the host (or `*`), letter
 * by letter; localhost, 127.0.0.1 and ::1 are one host.
 */
enum keyring_open keyring_may_open(const struct keyring *ring, uint32_t entry,
    struct span host, uint16_t port);

#endif
