#include "commands.h"

#include "decide.h"

static int
run(const struct cmd *cmd, int argc, char **argv)
{
	struct decide decide = {
	    .verb = "deny", .what = GUARD_DO_DENY, .outcome = "denied"};
	bool is_over;
	int status = decide_read(&decide, cmd, argc, argv, &is_over);

	return is_over ? status : decide_run(&decide);
}

static const struct cmd_option options[] = {DECIDE_OPTIONS, {0}};

static const char *const synopses[] = {
    "[-p PORT] [-i KEY] [--json] DEST ID [REASON ...]",
    "--state DIR [--json] ID [REASON ...]", NULL};

const struct cmd cmd_deny = {
    .name = "deny",
    .synopses = synopses,
    .summary = "Refuse a command that waits for a second person",
    .about =
	"As kaya approve, the other way. The reason goes to who asked for it, "
	"and into\n"
	"the audit log. A command of an actuator's guard "
	"(valve-1.0123456789abcdef) is\n"
	"denied by a signature too (namespace kaya-deny), of who may approve "
	"it or of\n"
	"who asked for it.\n"
	"\n"
	"Exit status: 0 it is denied; 1 it is not (gone already); 2 wrong "
	"usage; "
	"3 not\n"
	"reachable; 4 you may not.\n",
    .options = options,
    .run = run,
};
