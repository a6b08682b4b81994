#ifndef KAYA_KEYS_SERVICE_H
#define KAYA_KEYS_SERVICE_H

/*
 * keys_service: ports that are written as names.  sshd looks them up in
 * /etc/services, so that whether such a line lets in differs from machine to
 * machine; kayad passes over it.
 */

#include "authorized_keys.h"
#include "buf.h"

/*
 * `line` is VOID.  True where it is void for such names alone, and all of them
 * are known on this machine: the line with their numbers in their places is
 * appended to `meant` (its line end left off), and `parsed` is what that line
 * is read as.  False, and nothing appended, in every other case.
 */
bool keys_service_number(const struct authorized_keys_line *line,
    struct buf *meant, struct authorized_keys_line *parsed);

#endif
