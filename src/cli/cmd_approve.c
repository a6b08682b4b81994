#include "commands.h"

#include "decide.h"

static int
run(const struct cmd *cmd, int argc, char **argv)
{
	struct decide decide = {
	    .verb = "approve", .what = GUARD_DO_SIGN, .outcome = "released"};
	bool is_over;
	int status = decide_read(&decide, cmd, argc, argv, &is_over);

	return is_over ? status : decide_run(&decide);
}

static const struct cmd_option options[] = {DECIDE_OPTIONS, {0}};

static const char *const synopses[] = {
    "[-p PORT] [-i KEY] [--json] DEST ID", "--state DIR [--json] ID", NULL};

const struct cmd cmd_approve = {
    .name = "approve",
    .synopses = synopses,
    .summary = "Agree to a command that waits for a second person",
    .about =
	"DEST is a gateway, as whom the key there knows you; --state DIR in "
	"its "
	"place\n"
	"is the gateway on this machine, where you are the user that runs "
	"this. "
	"What\n"
	"is agreed to is shown first: topic, payload, who asked for it, by "
	"which "
	"rule.\n"
	"The id stands for exactly that, and for no other.\n"
	"\n"
	"Nobody can agree to a command of his own, whichever key he uses.\n"
	"\n"
	"An id with an actuator's name before it (valve-1.0123456789abcdef) is "
	"of a\n"
	"command at that actuator's guard (kaya-guard(5)): it is fetched, "
	"shown, and\n"
	"signed by --sign-key, or else the key of --key. The id is the digest "
	"of what is\n"
	"signed, so that nothing else can be shown under it.\n"
	"\n"
	"Exit status: 0 it is let out; 1 it is not (too late, denied, gone); 2 "
	"wrong\n"
	"usage; 3 not reachable; 4 you may not.\n",
    .options = options,
    .run = run,
};
