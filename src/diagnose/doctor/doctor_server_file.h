#ifndef KAYA_DOCTOR_SERVER_FILE_H
#define KAYA_DOCTOR_SERVER_FILE_H

/*
 * doctor_server_file: why a key is refused, or goes nowhere, where the server's
 * file is here.
 */

#include "doctor_private.h"

/*
 * Read the server's authorized_keys (--server-file, or the user's own where the
 * server is this machine) and say what in it keeps the refused keys out. False,
 * and nothing said, where there is no file to read.
 */
bool doctor_judge_server_file(struct doctor *doctor,
    const struct identities *identities, struct findings *findings);

/*
 * Of the key that was let in and may not go to the broker: say what its line
 * in that file lacks, or that the line is not at fault.  False where the file
 * does not tell (why not is said, if there is a file).
 */
bool doctor_judge_line(struct doctor *doctor, struct findings *findings);

/* Whether the server is this very machine. */
bool doctor_is_at_server(const struct doctor *doctor);

/* Which file that is; false where there is none. */
bool doctor_find_server_file(
    const struct doctor *doctor, char *path, size_t size);

/* The file in ~/.ssh whose public half is `identity`; "" where none is. */
void doctor_find_key_file(
    const struct identity *identity, char *file, size_t size);

#endif
