#ifndef KAYA_SSH_ARMOR_H
#define KAYA_SSH_ARMOR_H

/*
 * ssh_armor: bytes as base64 between two lines, as OpenSSH writes private keys
 * (PROTOCOL.key) and signatures (PROTOCOL.sshsig):
 *
 *	-----BEGIN SSH SIGNATURE-----
 *	U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg...
 *	-----END SSH SIGNATURE-----
 */

#include "buf.h"
#include "span.h"

enum ssh_armor_result {
	SSH_ARMOR_GOOD,
	SSH_ARMOR_NO_BEGIN, /* something else stands first */
	SSH_ARMOR_NO_END, /* no END line, or more than white space behind it */
	SSH_ARMOR_BAD_BASE64,
	SSH_ARMOR_NO_MEMORY /* or more than `bytes` may hold */
};

/* Whether the BEGIN line of `what` ("SSH SIGNATURE") stands first. */
bool ssh_armor_begins(struct span text, const char *what);

/*
 * Append what stands between the lines.  White space around them and within
 * the base64 is passed over.  No copies are left but in `bytes`, which does not
 * grow where it is empty before.
 */
enum ssh_armor_result ssh_armor_open(
    struct span text, const char *what, struct buf *bytes);

/* Append `bytes` between its lines; look at text->failed.  The same holds. */
void ssh_armor_close(struct span bytes, const char *what, struct buf *text);

#endif
