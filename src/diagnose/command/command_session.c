#include "command_private.h"

#include <stdio.h>

/* command_session: what runs, and where, once the command is logged in. */

enum session_fact {
	SESSION_FORK,
	SESSION_NO_N,
	SESSION_N_AND_COMMAND,
	SESSION_ASKS,
	SESSION_QUIET
};

static const struct check_row rows[] = {
    {SESSION_FORK, FINDING_FAULT, ERR_FAILED, "background-without-command",
	"-f without -N and without a command{said}",
	"-f sends ssh to the background to run a command, and there is none: "
	"ssh ends before it connects, with 255; -N says that none is wanted",
	"-f -N"},
    {SESSION_NO_N, FINDING_WARNING, ERR_NONE, "no-n",
	"no -N: a shell is started beside the tunnel",
	"without -N ssh asks for a shell: the tunnel ends with it, and a key "
	"whose line says command= or restrict ends it at once",
	"-N"},
    {SESSION_N_AND_COMMAND, FINDING_WARNING, ERR_NONE, "n-and-command",
	"-N, and yet a command: {command}",
	"with -N ssh runs nothing: {command} is never started",
	"leave {command} out, or -N"},
    {SESSION_ASKS, FINDING_WARNING, ERR_NONE, "may-ask",
	"-f without BatchMode: ssh may ask for a password",
	"when no key is let in ssh asks for a password or a passphrase; where "
	"nobody is there to type (a service, a cron job, a device) it waits "
	"or fails without a word of why",
	"-o BatchMode=yes"},
    {SESSION_QUIET, FINDING_WARNING, ERR_NONE, "quiet",
	"{option}: refused forwards are not told either",
	"{option} hides \"administratively prohibited\" and its like, the one "
	"sign of a tunnel that stands and carries nothing",
	"leave {option} out"},
};

static void
tell(struct command_case *c, enum session_fact fact, const char *name,
    const char *value)
{
	const struct check_word words[] = {{name, value}, {0}};

	command_tell(c, COMMAND_ROWS(rows), (int)fact, words);
}

static bool
has_command(struct command_case *c)
{
	return c->mended.command != NULL ||
	       (c->has_settings &&
		   strcmp(ssh_settings_get(&c->settings, "remotecommand"),
		       "") != 0 &&
		   !command_is(c, "remotecommand", "none"));
}

static bool
runs_nothing(struct command_case *c)
{
	return command_line_option(&c->mended, 'N', NULL) != NULL ||
	       command_line_option(&c->mended, 'W', NULL) != NULL ||
	       command_is(c, "sessiontype", "none");
}

static void
check_fork(struct command_case *c)
{
	char said[460] = "";

	if (!command_forks(c) || has_command(c) || runs_nothing(c))
		return;
	if (strstr(c->refused, "background") != NULL)
		snprintf(said, sizeof said, ": ssh says \"%s\"", c->refused);
	tell(c, SESSION_FORK, "said", said);
	command_add(c, 'N', NULL);
}

static void
check_no_n(struct command_case *c)
{
	if (runs_nothing(c) || has_command(c))
		return;
	/* An alias alone says nothing of how it is used. */
	if (c->given->kind == COMMAND_GIVEN_LINE && c->forward_count > 0)
		tell(c, SESSION_NO_N, NULL, NULL);
	command_add(c, 'N', NULL);
}

static void
check_n_and_command(struct command_case *c)
{
	if (c->mended.command == NULL ||
	    command_line_option(&c->mended, 'N', NULL) == NULL)
		return;
	tell(c, SESSION_N_AND_COMMAND, "command", c->mended.command[0]);
	c->mended.command = NULL;
}

static void
check_asks(struct command_case *c)
{
	if (!command_forks(c) || command_is(c, "batchmode", "yes") ||
	    !c->has_settings)
		return;
	tell(c, SESSION_ASKS, NULL, NULL);
	command_set_word(c, "BatchMode", "yes");
}

static void
check_quiet(struct command_case *c)
{
	struct command_option *q = command_line_option(&c->mended, 'q', NULL);

	if (c->forward_count == 0)
		return;
	if (q != NULL) {
		tell(c, SESSION_QUIET, "option", "-q");
		command_drop(q);
	} else if (command_is(c, "loglevel", "QUIET")) {
		tell(c, SESSION_QUIET, "option", "LogLevel QUIET");
		command_set_word(c, "LogLevel", "ERROR");
	}
}

command_check_fn *const command_session_checks[] = {
    check_fork,
    check_no_n,
    check_n_and_command,
    check_asks,
    check_quiet,
    NULL,
};
