#include "commands.h"

#include "enroll.h"
#include "str.h"

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

enum {
	OPTION_NAME = CMD_OWN,
	OPTION_CODE,
	OPTION_FROM,
	OPTION_TARGET,
	OPTION_STRICT,
	OPTION_REVOKE
};

static const struct cmd_option options[] = {
    {OPTION_CODE, "code", "CODE",
	"at a kayad: the code that kaya invite printed there (-: from stdin)"},
    {OPTION_NAME, "name", "ID",
	"the identity that the key stands for (this machine's name)"},
    {OPTION_FROM, "from", "LIST",
	"let the key in from these addresses only (192.0.2.0/24,10.0.0.*)"},
    {OPTION_TARGET, "target", "HOST:PORT",
	"the one thing that the key may reach (127.0.0.1:1883)"},
    {'b', "broker", "HOST:PORT", "the same"},
    {'u', NULL, "USER", "a user name for the broker, to prove it with"},
    {'P', NULL, "PASSWORD", "its password"},
    {OPTION_STRICT, "strict", NULL,
	"fail, too, where the key may do what only sshd_config can refuse"},
    {OPTION_REVOKE, "revoke", NULL,
	"undo it: take the line out at the server, forget the host here"},
    CMD_LINK_LETTERS,
    {CMD_JSON, "json", NULL, "a JSON object in place of text"},
    {'v', NULL, NULL, "as in ssh; it says all that it does"},
    {'q', NULL, NULL, "as in ssh; it says all that it does"},
    CMD_LINK_LONG,
    {0},
};

struct wanted {
	struct enroll_options enroll;
	struct cmd_broker target;
	bool revokes, as_json;
	char code[128]; /* from stdin, or moved away from the command line */
};

/*
 * The code is a secret: other users of this machine see command lines, so it
 * goes from there at once.
 */
static int
take_code(struct cmd_reader *reader, struct wanted *wanted)
{
	char *argument = optarg;

	if (strcmp(argument, "-") == 0) {
		if (fgets(wanted->code, sizeof wanted->code, stdin) == NULL)
			wanted->code[0] = '\0';
		wanted->code[strcspn(wanted->code, "\r\n")] = '\0';
	} else {
		if (!span_to_str(span_of_str(argument), wanted->code,
			sizeof wanted->code))
			return cmd_misuse(
			    reader->cmd, "--code is too long for a code");
		explicit_bzero(argument, strlen(argument));
	}
	wanted->enroll.code = wanted->code;
	return 0;
}

/* 0, or an exit status where it was told. */
static int
take_option(struct cmd_reader *reader, int id, struct wanted *wanted)
{
	int status = 0;

	if (cmd_take_link(reader, id, &wanted->enroll.link, &status))
		return status;
	switch (id) {
	case OPTION_CODE:
		return take_code(reader, wanted);
	case OPTION_NAME:
		if (!str_is_name(span_of_str(reader->argument)))
			return cmd_misuse(reader->cmd,
			    "--name \"%s\" is no name: use 1 to 64 of A-Z a-z "
			    "0-9 . _ -",
			    reader->argument);
		wanted->enroll.identity = reader->argument;
		break;
	case OPTION_FROM:
		wanted->enroll.from = reader->argument;
		break;
	case OPTION_TARGET:
	case 'b':
		return cmd_take_broker(reader, &wanted->target);
	case 'u':
		wanted->enroll.broker_user = reader->argument;
		break;
	case 'P':
		wanted->enroll.broker_password = reader->argument;
		break;
	case OPTION_STRICT:
		wanted->enroll.strictness = ENROLL_STRICT;
		break;
	case OPTION_REVOKE:
		wanted->revokes = true;
		break;
	case CMD_JSON:
		wanted->as_json = true;
		break;
	}
	return 0;
}

/* A step that failed: as JSON it is the last row. */
static void
add_failure(struct findings *findings, const struct err *err)
{
	struct finding finding = {.layer = "enroll",
	    .state = FINDING_FAULT,
	    .code = err_name(err->code),
	    .status = err->code};

	snprintf(finding.seen, sizeof finding.seen, "%s", err->what);
	snprintf(finding.cause, sizeof finding.cause, "%s", err->what);
	snprintf(finding.remedy, sizeof finding.remedy, "%s", err->hint);
	findings_add(findings, &finding);
}

static int
enroll(struct wanted *wanted)
{
	struct findings findings;
	struct err err = ERR_INIT;
	int result, status;

	wanted->enroll.target_host = wanted->target.host;
	wanted->enroll.target_port = wanted->target.port;
	wanted->enroll.link.asking =
	    isatty(STDIN_FILENO) ? LINK_MAY_ASK : LINK_NEVER_ASK;
	findings_init(&findings, stdout,
	    wanted->as_json ? FINDINGS_AS_JSON : FINDINGS_AS_TEXT,
	    FINDINGS_EVERY_CAUSE);
	result = wanted->revokes
		     ? enroll_revoke(&wanted->enroll, &findings, &err)
		     : enroll_run(&wanted->enroll, &findings, &err);
	if (result != 0 && wanted->as_json)
		add_failure(&findings, &err);
	status = 0;
	if (result == 0 || wanted->as_json)
		status = findings_end(&findings);
	findings_fini(&findings);
	return result != 0 ? cmd_complain(&err) : status;
}

/* What the gateway decides is not asked for here. */
static int
check_code(const struct cmd *cmd, const struct wanted *wanted)
{
	if (wanted->revokes)
		return cmd_misuse(cmd, "--revoke takes no code");
	if (wanted->enroll.link.key_count > 0)
		return cmd_misuse(
		    cmd, "with --code no login is needed: -i is of no use");
	if (wanted->enroll.identity != NULL || wanted->enroll.from != NULL)
		return cmd_misuse(cmd,
		    "with --code the gateway says who the key stands for: "
		    "--name and --from belong to kaya invite");
	return 0;
}

static int
run(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_reader reader = {.cmd = cmd, .argc = argc, .argv = argv};
	struct wanted wanted = {.target = {"127.0.0.1", 1883}};
	int id, status = 0;

	while ((id = cmd_next(&reader, &status)) != CMD_END) {
		if (id == CMD_STOP)
			return status;
		status = take_option(&reader, id, &wanted);
		if (status != 0)
			return status;
	}
	if (optind + 1 != argc)
		return cmd_misuse(cmd,
		    optind == argc ? "where to? A destination is missing"
		    : wanted.enroll.code != NULL
			? "one destination, please; a code that was pasted "
			  "with blanks wants quotes: --code '...'"
			: "one destination, please");
	if (wanted.enroll.code != NULL)
		status = check_code(cmd, &wanted);
	if (status != 0)
		return status;
	wanted.enroll.link.dest = argv[optind];
	cmd_keep_typed(&reader, &wanted.enroll.link);
	status = enroll(&wanted);
	explicit_bzero(wanted.code, sizeof wanted.code);
	return status;
}

static const char *const synopses[] = {
    "[--name ID] [--from LIST] [--target HOST:PORT] [--host-key SHA256:...] "
    "[-i KEY] [--strict] [--json] DEST",
    "--code CODE [--target HOST:PORT] [--strict] [--json] DEST",
    "--revoke [-i KEY] [--json] DEST", NULL};

const struct cmd cmd_enroll = {
    .name = "enroll",
    .synopses = synopses,
    .summary = "Have a key of this machine's let in, restricted, and prove it",
    .about =
	"It makes a key for DEST alone, pins the server's host key (at a\n"
	"terminal it asks; else --host-key names it), logs in once by what\n"
	"you have (agent, key, or a password, also by PAM's questions, that\n"
	"is typed at the terminal and not shown) and puts one line into the\n"
	"account's authorized_keys: a tunnel to the broker and nothing else.\n"
	"Then it tries with the new key what should work and what should not.\n"
	"From then on kaya tunnel DEST needs nothing more. Where the account\n"
	"has no shell (nologin) the command is told by which root puts the\n"
	"line in; enrolling again then proves it.\n"
	"\n"
	"With --code DEST is a kayad (port 2222 where none is said). The code\n"
	"tells which host key it must have: nothing is sent to another one.\n"
	"No login is needed; the gateway says what name the key stands for.\n"
	"\n"
	"What no line can refuse (ssh -R with a UNIX socket, and for an\n"
	"account that may use ports below 1024 ssh -R localhost:1) is told\n"
	"with the lines of sshd_config that refuse it; with --strict it "
	"fails.\n"
	"\n"
	"STATE/hosts, STATE/keys and STATE/known_hosts hold what it made. "
	"Done\n"
	"again it keeps the key and replaces its line. --revoke needs a login\n"
	"of yours, too; it moves the key aside.\n"
	"\n"
	"Exit status: 0 enrolled and proved, 1 failed, or the key can do more\n"
	"than it should, 2 wrong usage, 3 not reachable, 4 refused, 5 the "
	"host\n"
	"key is not known or not the one named.\n",
    .options = options,
    .run = run,
};
