#ifndef KAYA_CMD_AUDIT_H
#define KAYA_CMD_AUDIT_H

/* cmd_audit: the sub-commands of `kaya audit`. */

#include "cmd.h"

extern const struct cmd cmd_audit_verify;

#endif
