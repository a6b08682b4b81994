#ifndef KAYA_RUNTIME_H
#define KAYA_RUNTIME_H

/*
 * runtime: the folder where this user's running tunnels can be asked how they
 * are: systemd's RUNTIME_DIRECTORY, where a service has one; /run/kaya for
 * root; $XDG_RUNTIME_DIR/kaya; else /tmp/kaya-UID.
 */

#include "err.h"

/* RUNTIME_DIRECTORY of kaya-tunnel@.service. */
#define RUNTIME_OF_SERVICES "/run/kaya-tunnel"

/* Its path, whether or not it is there. */
void runtime_dir(char *path, size_t size);

/* Make it (0700); ERR_FAILED where it is not ours alone. */
int runtime_make(char *path, size_t size, struct err *err);

#endif
