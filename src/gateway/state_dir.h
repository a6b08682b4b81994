#ifndef KAYA_STATE_DIR_H
#define KAYA_STATE_DIR_H

/* state_dir: the folder that kayad keeps its keys and sockets in. */

#include "privileges.h"
#include "settings.h"

/*
 * Make the folder where it is missing (0700, as mkdir -p), and in it an empty
 * authorized_keys where the settings keep it there, for the first key to be
 * added to.  Both are given to `owner` (NULL: they stay ours).  What is there
 * stays as it is.  0, or -1 and `err`.
 */
int state_dir_make(const struct settings *settings,
    const struct privileges_user *owner, struct err *err);

#endif
