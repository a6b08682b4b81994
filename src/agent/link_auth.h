#ifndef KAYA_LINK_AUTH_H
#define KAYA_LINK_AUTH_H

/* link_auth: who the server is, and who we are. */

#include "link.h"

/*
 * Compare the server's host key with what is known of it; fills the link's
 * fingerprint.  An unknown one is accepted where `host_key` names it, or where
 * a person at the terminal says so, and remembered (a named one if that is
 * possible, as on a disk for reading only); else ERR_HOST_KEY with the
 * one command that pins it.  A changed one is never accepted.
 */
int link_check_host_key(
    struct link *link, const struct link_options *options, struct err *err);

/*
 * Log in by the keys that were named, or by the agent and the usual files, else
 * by what a person at the terminal knows; ERR_REFUSED names the keys that were
 * refused.
 */
int link_authenticate(
    struct link *link, const struct link_options *options, struct err *err);

#endif
