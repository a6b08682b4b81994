#include "commands.h"

#include "files_limit.h"
#include "log.h"
#include "tunnel.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OPTION_ONCE = CMD_OWN, OPTION_WAIT, OPTION_GUARD };

static const struct cmd_option options[] = {
    {'L', NULL, "FORWARD",
	"listen there: [BIND:]PORT, /PATH, "
	"[BIND:]PORT:HOST:HOSTPORT (repeatable)"},
    {'b', "broker", "HOST:PORT",
	"the broker as the server is to reach it "
	"(127.0.0.1:1883)"},
    CMD_LINK_LETTERS,
    {'f', NULL, NULL, "go to the background once the tunnel is up"},
    {OPTION_ONCE, "once", NULL, "end with the first failure"},
    {OPTION_WAIT, "wait", NULL,
	"let clients wait while the link is down, in place of refusing them"},
    {OPTION_GUARD, "guard", "FILE",
	"keep back what is protected, until two have signed it: "
	"kaya-guard(5)"},
    {'N', NULL, NULL, "as in ssh; a tunnel never runs a command"},
    {'v', NULL, NULL, "say more"},
    {'q', NULL, NULL, "say errors only"},
    CMD_LINK_LONG,
    {0},
};

/* -f: the process at the terminal waits for one byte of the other's. */
struct background {
	bool wanted;
	int report_fd;
};

static void
on_first_up(void *arg, const char *addresses)
{
	struct background *background = arg;
	const uint8_t status = 0;
	int null;

	(void)addresses;
	if (background->report_fd < 0)
		return;
	if (write(background->report_fd, &status, 1) != 1)
		return;
	close(background->report_fd);
	background->report_fd = -1;
	setsid();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		close(null);
	}
}

static bool
ends_on_first_failure(void *arg)
{
	const struct background *background = arg;

	return background->wanted;
}

/* In the first process: the status of the second's beginning; -1 in that. */
static int
go_to_background(struct background *background)
{
	uint8_t status = 1;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) != 0 || (pid = fork()) < 0) {
		perror("kaya: cannot go to the background");
		return 1;
	}
	if (pid == 0) {
		close(fds[0]);
		background->report_fd = fds[1];
		return -1;
	}
	close(fds[1]);
	if (read(fds[0], &status, 1) != 1) {
		int ended;

		/* It told its reason on our stderr already. */
		if (waitpid(pid, &ended, 0) == pid && WIFEXITED(ended))
			status = (uint8_t)WEXITSTATUS(ended);
	}
	return status;
}

static int
read_forwards(const struct cmd *cmd, struct tunnel_options *tunnel,
    const char *const *texts, size_t count, const struct cmd_broker *broker)
{
	struct err err = ERR_INIT;

	(void)cmd;
	for (size_t i = 0; i < count; i++) {
		if (forward_parse(&tunnel->forwards[i], texts[i], broker->host,
			broker->port, &err) != 0)
			return cmd_complain(&err);
		tunnel->forward_count++;
	}
	tunnel_read_config(tunnel, broker->host, broker->port);
	if (tunnel->forward_count == 0) {
		forward_default(
		    &tunnel->forwards[0], broker->host, broker->port);
		tunnel->forward_count = 1;
	}
	return 0;
}

static int
run(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_reader reader = {.cmd = cmd, .argc = argc, .argv = argv};
	struct cmd_broker broker = {"127.0.0.1", FORWARD_BROKER_PORT};
	struct background background = {.report_fd = -1};
	struct tunnel_options tunnel = {.on_first_up = on_first_up,
	    .ends_on_first_failure = ends_on_first_failure,
	    .arg = &background};
	const char *texts[TUNNEL_FORWARDS_MAX];
	struct err err = ERR_INIT;
	size_t count = 0;
	int id, status = 0;

	while ((id = cmd_next(&reader, &status)) != CMD_END) {
		if (id == CMD_STOP)
			return status;
		if (cmd_take_link(&reader, id, &tunnel.link, &status)) {
			if (status != 0)
				return status;
			continue;
		}
		switch (id) {
		case 'L':
			if (count == TUNNEL_FORWARDS_MAX)
				return cmd_misuse(cmd, "too many -L");
			texts[count++] = reader.argument;
			break;
		case 'b':
			if (cmd_take_broker(&reader, &broker) != 0)
				return 2;
			break;
		case 'f':
			background.wanted = true;
			break;
		case 'v':
			log_set_level(LOG_LEVEL_DEBUG);
			break;
		case 'q':
			log_set_level(LOG_LEVEL_ERROR);
			break;
		case OPTION_ONCE:
			tunnel.once = true;
			break;
		case OPTION_WAIT:
			tunnel.while_down = TUNNEL_HOLD_LOCALS;
			break;
		case OPTION_GUARD:
			tunnel.guard_file = reader.argument;
			break;
		}
	}
	if (optind + 1 != argc)
		return cmd_misuse(
		    cmd, optind == argc ? "where to? A destination is missing"
					: "one destination, please");
	tunnel.link.dest = argv[optind];
	cmd_keep_typed(&reader, &tunnel.link);
	tunnel.link.asking =
	    isatty(STDIN_FILENO) ? LINK_MAY_ASK : LINK_NEVER_ASK;
	if (read_forwards(cmd, &tunnel, texts, count, &broker) != 0)
		return 2;
	if (background.wanted) {
		status = go_to_background(&background);
		if (status >= 0)
			return status;
	}
	files_limit_raise();
	if (tunnel_run(&tunnel, &err) != 0)
		return cmd_complain(&err);
	return 0;
}

static const char *const synopses[] = {
    "[-L FORWARD]... [-b HOST:PORT] [-i KEY] [-f] [--once] [--guard FILE] "
    "DEST",
    NULL};

const struct cmd cmd_tunnel = {
    .name = "tunnel",
    .synopses = synopses,
    .summary = "Hold a tunnel to the broker at DEST, for ever",
    .about =
	"DEST is [user@]host[:port], ssh://..., an alias of ssh_config or the\n"
	"name of a host that was enrolled. Local MQTT clients use\n"
	"127.0.0.1:22883, and [::1] where the machine has IPv6. Whatever\n"
	"happens to the connection, it is made again; a refusal is tried "
	"again\n"
	"each minute; another host key than the known one ends it.\n"
	"\n"
	"A server that says nothing is asked for a sign of life each 15 s,\n"
	"and given up after 45 s; ServerAliveInterval and "
	"ServerAliveCountMax\n"
	"of ssh_config are honoured. So is LocalForward, without -L.\n"
	"\n"
	"With --guard, commands on the topics that FILE protects reach a local "
	"client\n"
	"only when two have signed them, and what FILE calls safe at once: "
	"kaya-guard(5).\n"
	"\n"
	"A certificate beside a key of -i, KEY-cert.pub, is shown before the "
	"key.\n"
	"(CertificateFile of ssh_config is not: libssh does not read it; nor "
	"does\n"
	"it show one of an ed25519-sk key.) So pub and sub do, and all that "
	"log in.\n"
	"\n"
	"Exit status: 0 stopped, 1 failed, 2 wrong usage, 3 not reachable,\n"
	"4 refused, 5 not the host that it was.\n",
    .options = options,
    .run = run,
};
