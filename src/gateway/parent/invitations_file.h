#ifndef KAYA_INVITATIONS_FILE_H
#define KAYA_INVITATIONS_FILE_H

/*
 * invitations_file: the list on the disk, STATE/invitations (mode 0600).  Only
 * the parent of the one kayad that has this state folder touches it.
 */

#include "invitations.h"
#include "keys_file.h"

struct invitations_file {
	struct invitations list;
	struct keys_files files;
};

/*
 * Read it; one that is missing is empty.  One that others may read or write,
 * or that is damaged, is an error.  0, or -1 and `err` with nothing to close.
 */
int invitations_file_open(
    struct invitations_file *file, const char *state_dir, struct err *err);

/*
 * Put the list in its place: when this returns 0 it is on the disk.  Once
 * after each opening.
 */
int invitations_file_save(const struct invitations_file *file, struct err *err);

void invitations_file_close(struct invitations_file *file);

#endif
