#ifndef KAYA_GUARD_SIGNER_H
#define KAYA_GUARD_SIGNER_H

/*
 * guard_signer: whose signature it is, by allowed_signers, with the meaning
 * that ssh-keygen -Y verify gives it: of a key that stands in a line, or of a
 * certificate whose authority does; and what is revoked signs nothing.
 *
 * Stricter than ssh-keygen where two have to be told apart, or a certificate
 * demands what ssh-keygen does not look at:
 * - a token has to have been touched, and with verify-required have asked for
 *   its PIN;
 * - of a certificate's principals exactly one may fit its authority's line;
 * - a critical option that is not known here, or SHA-1 in the authority's
 *   signature, makes a certificate worth nothing, as it does for sshd;
 * - a certificate is worth nothing, too, where its authority is revoked.
 */

#include "allowed_signers.h"
#include "revoked_keys.h"
#include "sha256.h"

enum { GUARD_PRINCIPAL_MAX = 128 };

enum guard_signer_result {
	GUARD_SIGNER_GOOD,
	GUARD_SIGNER_BAD, /* no signature of these bytes */
	GUARD_SIGNER_UNKNOWN /* one that does not count: of whom, or when */
};

struct guard_signer {
	char principal[GUARD_PRINCIPAL_MAX + 1]; /* a name, no pattern */
	uint8_t key[SHA256_BYTES]; /* SHA-256 of the key, certified or not */
};

struct guard_signed {
	const struct allowed_signers *signers;
	const struct revoked_keys *revoked; /* NULL: nothing is */
	const char *namespace;
	struct span message;
	struct span signature; /* the armoured text */
	int64_t now_s; /* since 1970 */
};

/*
 * Judge a signature.  `*signer` is filled on GOOD, else `*why` says what is the
 * matter (a constant).
 */
enum guard_signer_result guard_signer_judge(const struct guard_signed *it,
    struct guard_signer *signer, const char **why);

/* One name: a text that no list and no pattern could be. */
bool guard_signer_is_name(struct span principal);

#endif
