#ifndef KAYA_ALLOWED_SIGNERS_H
#define KAYA_ALLOWED_SIGNERS_H

/*
 * allowed_signers: whose signatures count, in the file that ssh-keygen -Y
 * verify reads (ssh-keygen(1), ALLOWED SIGNERS).
 *
 *	PRINCIPAL[,PRINCIPAL...] [OPTION[,OPTION...]] TYPE BASE64 [COMMENT]
 *
 * Options are cert-authority, namespaces="...", valid-after="..." and
 * valid-before="...".  As ssh-keygen does, a line that cannot be read is a
 * fault and is not passed over in silence.
 */

#include "arena.h"
#include "err.h"
#include "span.h"

struct allowed_signer {
	struct span principals; /* as it stands there: patterns, commas */
	struct span namespaces; /* patterns; data NULL: any */
	int64_t valid_after_s, valid_before_s; /* since 1970; 0: any time */
	bool is_authority; /* its certificates would count, not the key */
	struct span key; /* the public key's blob */
	size_t line;
};

enum { ALLOWED_SIGNERS_MAX = 4096 };

/* All zero is empty. */
struct allowed_signers {
	struct allowed_signer *list;
	size_t count;
	struct arena arena;
};

/* Told of each fault: cause, FILE:LINE, remedy.  Borrowed for the call. */
typedef void allowed_signers_fault_fn(const struct err *fault, void *arg);

/*
 * Read a whole file, `file` being its name.  Times without `Z` are in the
 * process's time zone.  0; or -1 where there were faults, which have been
 * told: then it is empty.  To be given to allowed_signers_fini.
 */
int allowed_signers_parse(struct allowed_signers *signers, struct span text,
    const char *file, allowed_signers_fault_fn *on_fault, void *arg);
void allowed_signers_fini(struct allowed_signers *signers);

enum allowed_signers_result {
	ALLOWED_SIGNERS_FOUND,
	ALLOWED_SIGNERS_UNKNOWN, /* no line has this key */
	ALLOWED_SIGNERS_NAMESPACE, /* one has, for other purposes */
	ALLOWED_SIGNERS_NOT_YET, /* one has, from a later time on */
	ALLOWED_SIGNERS_OVER /* one has, up to an earlier time */
};

/*
 * The first line by which the key may sign for `namespace` now, as ssh-keygen
 * -Y find-principals has it; `*signer` is NULL where there is none.  Lines
 * with cert-authority are not looked at.
 */
enum allowed_signers_result allowed_signers_find(
    const struct allowed_signers *signers, struct span key,
    const char *namespace, int64_t now_s, const struct allowed_signer **signer);

/*
 * The same of a certificate that this authority has signed, for one of its
 * principals, as ssh-keygen -Y verify -I PRINCIPAL has it: lines with
 * cert-authority alone, whose patterns it fits.  Whether the certificate is
 * good is the caller's to see.
 */
enum allowed_signers_result allowed_signers_find_authority(
    const struct allowed_signers *signers, struct span authority,
    struct span principal, const char *namespace, int64_t now_s,
    const struct allowed_signer **signer);

/* "nobody's that is listed" and the like, for a person. */
const char *allowed_signers_result_text(enum allowed_signers_result result);

#endif
