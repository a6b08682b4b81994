#ifndef KAYA_KEXINIT_H
#define KAYA_KEXINIT_H

/*
 * kexinit: what a side offers in SSH_MSG_KEXINIT (RFC 4253 section 7.1), and
 * where two offers do not meet.
 */

#include "span.h"

#include <stdbool.h>

enum kexinit_list {
	KEXINIT_KEX,
	KEXINIT_HOST_KEY,
	KEXINIT_CIPHER_OUT, /* client to server */
	KEXINIT_CIPHER_IN,
	KEXINIT_MAC_OUT,
	KEXINIT_MAC_IN,
	KEXINIT_COMPRESSION_OUT,
	KEXINIT_COMPRESSION_IN,
	KEXINIT_LISTS
};

struct kexinit {
	struct span lists[KEXINIT_LISTS]; /* names with commas between */
};

enum kexinit_result {
	KEXINIT_READY,
	KEXINIT_NEED_MORE,
	KEXINIT_MALFORMED /* no packet of SSH's, or another one */
};

enum { KEXINIT_MAX = 35000 }; /* RFC 4253 section 6.1 */

/*
 * Read the unencrypted packet at the front of `bytes`, which stands behind the
 * identification line.  The lists point into it.
 */
enum kexinit_result kexinit_read(struct span bytes, struct kexinit *kexinit);

/*
 * The first list in which client and server have no name in common,
 * KEXINIT_LISTS where they meet in all.  Ciphers that authenticate by
 * themselves need no MAC.  Names of pseudo-algorithms (ext-info-c,
 * kex-strict-...) do not count.
 */
enum kexinit_list kexinit_gap(
    const struct kexinit *client, const struct kexinit *server);

/* Whether a list has a name. */
bool kexinit_has(struct span list, struct span name);

/* The next name of a list, which moves on; false at its end. */
bool kexinit_next(struct span *list, struct span *name);

/* Names that are flags: ext-info-c, kex-strict-c-v00@openssh.com ... */
bool kexinit_is_pseudo(struct span name);

/* "key exchange", "cipher to the server" ...; "KexAlgorithms", "Ciphers" ... */
const char *kexinit_list_name(enum kexinit_list list);
const char *kexinit_list_option(enum kexinit_list list);

#endif
