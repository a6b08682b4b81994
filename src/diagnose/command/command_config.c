#include "command_private.h"

#include "program.h"

#include <stdio.h>
#include <stdlib.h>

/* command_config: settings that a tunnel wants otherwise. */

enum config_fact {
	CONFIG_EXIT,
	CONFIG_ALIVE,
	CONFIG_STRICT,
	CONFIG_KNOWN_HOSTS,
	CONFIG_MASTER,
	CONFIG_CLEARED
};

static const struct check_row rows[] = {
    {CONFIG_CLEARED, FINDING_FAULT, ERR_FAILED, "forwards-cleared",
	"ClearAllForwardings yes",
	"ClearAllForwardings takes every -L and -R away, those of the command "
	"too",
	"-o ClearAllForwardings=no"},
    {CONFIG_MASTER, FINDING_WARNING, ERR_NONE, "master",
	"a master connection holds {path}: ssh would use that one",
	"ControlPath leads to a connection that lives already: ssh hands the "
	"forward to it and ends; key, port and settings of this command do "
	"not count, and the forward dies with that master",
	"-o ControlPath=none"},
    {CONFIG_STRICT, FINDING_WARNING, ERR_NONE, "host-key-unchecked",
	"StrictHostKeyChecking no",
	"ssh goes on with any host key, known or changed: whoever is on the "
	"way can be the server",
	"-o StrictHostKeyChecking=accept-new (takes the first one and refuses "
	"a changed one)"},
    {CONFIG_KNOWN_HOSTS, FINDING_WARNING, ERR_NONE, "host-key-forgotten",
	"UserKnownHostsFile {path}",
	"no host key is remembered: each connection is the first one, and "
	"nobody sees that the server was exchanged",
	"leave UserKnownHostsFile={path} out"},
    {CONFIG_EXIT, FINDING_WARNING, ERR_NONE, "lives-without-listener",
	"ExitOnForwardFailure is not set",
	"when ssh cannot listen on the port it warns, goes on and stays up: "
	"a tunnel that is none, and that no service manager starts again",
	"-o ExitOnForwardFailure=yes"},
    {CONFIG_ALIVE, FINDING_WARNING, ERR_NONE, "no-keepalive",
	"ServerAliveInterval is 0",
	"a connection that a router or a crash has cut is not noticed: the "
	"tunnel seems to stand, and clients hang",
	"-o ServerAliveInterval=30"},
};

static void
tell(struct command_case *c, enum config_fact fact, const char *path)
{
	const struct check_word words[] = {{"path", path}, {0}};

	command_tell(c, COMMAND_ROWS(rows), (int)fact, words);
}

static void
check_cleared(struct command_case *c)
{
	if (!command_is(c, "clearallforwardings", "yes"))
		return;
	tell(c, CONFIG_CLEARED, NULL);
	command_set_word(c, "ClearAllForwardings", "no");
}

/* As ssh itself: `ssh -O check` with the very words. */
static void
check_master(struct command_case *c)
{
	const char *path = ssh_settings_get(&c->settings, "controlpath");
	const char *all[COMMAND_LINE_WORDS_MAX + 4] = {"ssh", "-O", "check"};
	struct command_words words;
	struct program program;
	size_t count = 3;

	if (*path == '\0' || strcmp(path, "none") == 0 ||
	    !command_line_words(&c->mended, COMMAND_LINE_NO_PROGRAM, &words))
		return;
	for (size_t i = 0; i < words.count; i++)
		all[count++] = words.words[i];
	all[count] = NULL;
	if (program_run(&program, all, 10000) && program.status == 0) {
		tell(c, CONFIG_MASTER, path);
		command_set_word(c, "ControlPath", "none");
	}
	program_fini(&program);
}

static void
check_host_key(struct command_case *c)
{
	const char *files =
	    ssh_settings_get(&c->settings, "userknownhostsfile");

	/* -G prints "no" and "off" as "false". */
	if (command_is(c, "stricthostkeychecking", "false") ||
	    command_is(c, "stricthostkeychecking", "no") ||
	    command_is(c, "stricthostkeychecking", "off")) {
		tell(c, CONFIG_STRICT, NULL);
		command_set_word(c, "StrictHostKeyChecking", "accept-new");
	}
	if (strcmp(files, "/dev/null") == 0 || strcmp(files, "none") == 0) {
		tell(c, CONFIG_KNOWN_HOSTS, files);
		command_set_word(c, "UserKnownHostsFile", NULL);
	}
}

static void
check_exit(struct command_case *c)
{
	if (c->forward_count == 0 ||
	    command_is(c, "exitonforwardfailure", "yes"))
		return;
	tell(c, CONFIG_EXIT, NULL);
	command_set_word(c, "ExitOnForwardFailure", "yes");
}

static void
check_alive(struct command_case *c)
{
	if (!command_is(c, "serveraliveinterval", "0"))
		return;
	tell(c, CONFIG_ALIVE, NULL);
	command_set_word(c, "ServerAliveInterval", "30");
}

command_check_fn *const command_setting_checks[] = {
    check_cleared,
    check_master,
    check_host_key,
    check_exit,
    check_alive,
    NULL,
};
