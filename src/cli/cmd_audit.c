#include "cmd_audit.h"

#include "commands.h"

#include <stddef.h>

static const struct cmd *const subs[] = {
    &cmd_audit_verify,
    NULL,
};

static const struct cmd_option options[] = {{0}};

static const char *const synopses[] = {NULL};

const struct cmd cmd_audit = {
    .name = "audit",
    .synopses = synopses,
    .summary = "Read the log of what was decided",
    .about =
	"kayad writes what it decides, a JSON object a line, into an audit "
	"log, by\n"
	"default STATE/audit.log: who was let in or refused, what was held, "
	"approved,\n"
	"denied or let out, which policy was in force. Each line has the hash "
	"of the\n"
	"one before it. See AUDIT in kayad(8).\n",
    .options = options,
    .subs = subs,
    .run = cmd_run_sub,
};
