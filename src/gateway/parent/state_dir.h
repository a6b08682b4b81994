#ifndef KAYA_STATE_DIR_H
#define KAYA_STATE_DIR_H

/* state_dir: the folder that kayad keeps its keys and sockets in. */

#include "privileges.h"
#include "settings.h"

/*
 * Make the folder where it is missing (0700, as mkdir -p), and in it, where
 * the settings keep them there, an empty authorized_keys for the first key to
 * be added to, and the starter (policy_starter.h) as policy.yaml.  All of it is
 * given to `owner` (NULL: it stays ours).  What is there stays as it is.  0, or
 * -1 and `err`.
 */
int state_dir_make(const struct settings *settings,
    const struct privileges_user *owner, struct err *err);

#endif
