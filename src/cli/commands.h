#ifndef KAYA_COMMANDS_H
#define KAYA_COMMANDS_H

/* commands: one file each, cmd_NAME.c. */

#include "cmd.h"

extern const struct cmd cmd_tunnel;
extern const struct cmd cmd_pub;
extern const struct cmd cmd_sub;
extern const struct cmd cmd_request;
extern const struct cmd cmd_permit;
extern const struct cmd cmd_status;
extern const struct cmd cmd_keys;
extern const struct cmd cmd_policy;
extern const struct cmd cmd_doctor;
extern const struct cmd cmd_survey;
extern const struct cmd cmd_enroll;
extern const struct cmd cmd_invite;
extern const struct cmd cmd_pending;
extern const struct cmd cmd_approve;
extern const struct cmd cmd_deny;
extern const struct cmd cmd_audit;

#endif
