#ifndef KAYA_DOCTOR_SERVER_FILE_H
#define KAYA_DOCTOR_SERVER_FILE_H

/* doctor_server_file: why a key is refused, where the server's file is here. */

#include "doctor_private.h"

/*
 * Read the server's authorized_keys (--server-file, or the user's own where the
 * server is this machine) and say what in it keeps the refused keys out. False,
 * and nothing said, where there is no file to read.
 */
bool doctor_judge_server_file(struct doctor *doctor,
    const struct identities *identities, struct findings *findings);

/* The file in ~/.ssh whose public half is `identity`; "" where none is. */
void doctor_find_key_file(
    const struct identity *identity, char *file, size_t size);

#endif
