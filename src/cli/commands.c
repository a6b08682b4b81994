#include "commands.h"

const struct cmd *const cmds[] = {
    &cmd_tunnel,
    &cmd_pub,
    &cmd_sub,
    &cmd_request,
    &cmd_permit,
    &cmd_status,
    &cmd_keys,
    &cmd_policy,
    &cmd_doctor,
    &cmd_survey,
    &cmd_enroll,
    &cmd_invite,
    &cmd_pending,
    &cmd_approve,
    &cmd_deny,
    &cmd_audit,
    NULL,
};
