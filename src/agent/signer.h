#ifndef KAYA_SIGNER_H
#define KAYA_SIGNER_H

/*
 * signer: a person's or device's signature over a message (SSHSIG), by
 * whatever has the key: a file, the ssh-agent (FIDO tokens too), or
 * ssh-keygen, which can ask for a passphrase or a touch.
 */

#include "buf.h"
#include "err.h"
#include "span.h"

/*
 * Append the armoured signature of `message` for `namespace` by the key of
 * `file`: a private key, or a public one whose private half the agent has.
 */
int signer_sign(const char *file, const char *namespace, struct span message,
    struct buf *text, struct err *err);

#endif
