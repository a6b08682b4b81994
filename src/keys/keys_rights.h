#ifndef KAYA_KEYS_RIGHTS_H
#define KAYA_KEYS_RIGHTS_H

/* keys_rights: what a line lets its key do, in a few words. */

#include "authorized_keys.h"
#include "buf.h"

/*
 * Append "tunnel to 127.0.0.1:1883, shell, pty; from 192.0.2.0/24": what a
 * stock sshd would let the key do.  The three names of loopback are told as
 * one where all three are there.
 */
void keys_rights_text(
    const struct authorized_keys_line *line, struct buf *text);

/*
 * Whether its permitopen, if there are any, have `host` and `port`: compared as
 * sshd does, letter by letter; `*` stands for any.
 */
bool keys_rights_permit(
    const struct authorized_keys_line *line, const char *host, uint16_t port);

/* Whether the key may have a port listened on at the server (ssh -R). */
bool keys_rights_has_remote(const struct authorized_keys_line *line);

#endif
