#ifndef KAYA_SSH_SAYS_H
#define KAYA_SSH_SAYS_H

/*
 * ssh_says: what ssh_config means for a destination, as `ssh -G` tells it where
 * OpenSSH is installed: what libssh does not give away.
 */

#include "link.h"

#include <stddef.h>

typedef void ssh_says_fn(void *arg, const char *value);

/* Tell `fn` each value of the word (lower case: "identityfile"). */
void ssh_says(const struct link_options *options, const char *word,
    ssh_says_fn *fn, void *arg);

/* How often kaya tunnel asks the server for a sign of life, in seconds. */
unsigned ssh_says_keepalive_s(const struct link_options *options);

/*
 * What ssh has against ssh_config and -o, which libssh passes over: its first
 * line, as "FILE: line 3: Bad configuration option: prot".  "" where it has
 * nothing, or is not here.  Returns `text`.
 */
const char *ssh_says_fault(
    const struct link_options *options, char *text, size_t size);

/* This user's home, as ssh and libssh find it: not by HOME. */
const char *ssh_says_home(void);

/* A path whose "~/" is that home.  Returns `path`. */
const char *ssh_says_path(const char *text, char *path, size_t size);

#endif
