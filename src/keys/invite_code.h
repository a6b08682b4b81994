#ifndef KAYA_INVITE_CODE_H
#define KAYA_INVITE_CODE_H

/*
 * invite_code: the one-time code that lets one new key in at a gateway, as
 * people read it out and type it:
 *
 *	0f3k9q-...-...-...-...-...-...-...    (8 groups of 6)
 *
 * Crockford's base32 in lower case of 30 bytes: 16 secret ones, the first 12
 * of the SHA-256 of the gateway's host key blob, and 2 against slips: the
 * first of the SHA-256 of the 28 before them.  Whoever holds it knows the
 * gateway by it, and need trust nothing else.
 */

#include "span.h"

enum {
	INVITE_CODE_SECRET_BYTES = 16,
	INVITE_CODE_HOST_BYTES = 12,
	INVITE_CODE_BYTES = 30,
	INVITE_CODE_SIZE = 56 /* of the text, terminated */
};

struct invite_code {
	uint8_t secret[INVITE_CODE_SECRET_BYTES];
	uint8_t host[INVITE_CODE_HOST_BYTES];
};

enum invite_code_result {
	INVITE_CODE_GOOD,
	INVITE_CODE_NONE, /* wrong length, or a letter that none has */
	INVITE_CODE_SLIP /* the last bytes do not fit the others: mistyped */
};

/*
 * Read one.  Capitals, `o` for 0, `i` and `l` for 1, and hyphens or blanks
 * anywhere are forgiven.  To be wiped (explicit_bzero), as is the text.
 */
enum invite_code_result invite_code_parse(
    struct span text, struct invite_code *code);

/* Whether it was made at the gateway with this host key (RFC 4253 6.6). */
bool invite_code_is_of(
    const struct invite_code *code, struct span host_key_blob);

/* Put one together, of 16 bytes that nobody can guess. */
void invite_code_make(struct invite_code *code,
    const uint8_t secret[INVITE_CODE_SECRET_BYTES], struct span host_key_blob);

/* As people get it. */
void invite_code_text(
    const struct invite_code *code, char text[INVITE_CODE_SIZE]);

#endif
