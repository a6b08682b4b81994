#ifndef KAYA_KEYRING_NAME_H
#define KAYA_KEYRING_NAME_H

/*
 * keyring_name: which of a certificate's principals its holder comes in as.
 * A part of keyring; nobody else includes it.
 */

#include "keyring.h"

/*
 * Of the certificate's principals those count that `list` names (commas
 * between them, as in principals="..."; data NULL: all).  Of these it is the
 * user name that the client gives, or else the only one.  True, and
 * `v->identity` filled; false, and `v->why`, where there is none, there are
 * several to choose from, or it cannot be an identity.
 */
bool keyring_name(const struct keyring_certificate *certificate,
    struct span list, struct keyring_verdict *v);

#endif
