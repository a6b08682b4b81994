#ifndef KAYA_CMD_POLICY_H
#define KAYA_CMD_POLICY_H

/* cmd_policy: what the words behind `kaya policy` share. */

#include "cmd.h"

#include "policy.h"

extern const struct cmd cmd_policy_test;
extern const struct cmd cmd_policy_lint;

enum cmd_policy_option {
	POLICY_CLIENT_ID = CMD_OWN,
	POLICY_QOS_ASKED,
	POLICY_RETAINED,
	POLICY_ROLE,
	POLICY_MESSAGE,
	POLICY_KEYS
};

/*
 * Read a policy, of the format that its first word shows; "-" is standard
 * input.  NULL where it cannot be read or has faults: all are told, and
 * *status is the exit status.
 */
struct policy *cmd_policy_open(const char *path, int *status);

#endif
