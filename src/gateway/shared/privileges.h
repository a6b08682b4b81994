#ifndef KAYA_PRIVILEGES_H
#define KAYA_PRIVILEGES_H

/*
 * privileges: giving up what is not needed, for good.
 *
 * Started as root, the parent becomes one unprivileged user and the child
 * another; started as anybody else, both stay who they are.
 */

#include "err.h"

#include <sys/types.h>

struct privileges_user {
	char name[64];
	uid_t uid;
	gid_t gid;
};

/*
 * Look up `name`; where `name` is NULL, the first of `candidates`
 * (NULL-terminated) that exists.  -1 and `err` where there is none.
 */
int privileges_find(struct privileges_user *user, const char *name,
    const char *const *candidates, struct err *err);

/*
 * Become `user`, with no supplementary groups and no way back, and no new
 * privileges by any program started; HOME and XDG_STATE_HOME, which are root's,
 * are forgotten.  Checks that root cannot be had again.
 */
int privileges_drop(const struct privileges_user *user, struct err *err);

/*
 * The child's cage, for the calling process and all of its threads: no file
 * is opened, no program started, no internet socket made.  Calls outside the
 * list fail with EPERM.
 */
int privileges_sandbox(struct err *err);

#endif
