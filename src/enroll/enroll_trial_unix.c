#include "enroll_trial.h"

#include "clock.h"
#include "enroll_server.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Listening on a UNIX socket of the server's (streamlocal-forward@openssh.com)
 * is nothing that libssh can ask for: OpenSSH's own client does, where it is
 * installed.
 */

enum { PATIENCE_MS = 20000, SAID_BYTES = 16 << 10, WORDS = 40 };

struct command {
	const char *words[WORDS];
	size_t count;
	char known_hosts[PATH_MAX + 32], proxy[700], port[8], forward[128];
	char *host, *user;
};

static void
put(struct command *command, const char *word)
{
	command->words[command->count++] = word;
	command->words[command->count] = NULL;
}

static void
put_option(struct command *command, const char *option)
{
	put(command, "-o");
	put(command, option);
}

static void
make_command(struct command *command, const struct enroll_trial_words *words,
    const char *folder)
{
	static const char *const options[] = {"BatchMode=yes",
	    "IdentitiesOnly=yes", "IdentityAgent=none",
	    "StrictHostKeyChecking=yes", "GlobalKnownHostsFile=/dev/null",
	    "ConnectTimeout=10", "PreferredAuthentications=publickey",
	    "ExitOnForwardFailure=yes"};
	ssh_session session = words->link->session;
	char *proxy = NULL;
	unsigned port = 22;

	put(command, "ssh");
	put(command, "-F");
	put(command, "none");
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		put_option(command, options[i]);
	snprintf(command->known_hosts, sizeof command->known_hosts,
	    "UserKnownHostsFile=\"%s\"", words->known_hosts);
	put_option(command, command->known_hosts);
	if (ssh_options_get(session, SSH_OPTIONS_PROXYCOMMAND, &proxy) ==
		SSH_OK &&
	    proxy != NULL) {
		snprintf(command->proxy, sizeof command->proxy,
		    "ProxyCommand=%s", proxy);
		put_option(command, command->proxy);
	}
	ssh_string_free_char(proxy);
	ssh_options_get(session, SSH_OPTIONS_HOST, &command->host);
	ssh_options_get(session, SSH_OPTIONS_USER, &command->user);
	ssh_options_get_port(session, &port);
	snprintf(command->port, sizeof command->port, "%u", port);
	snprintf(command->forward, sizeof command->forward,
	    "%s/in/socket:127.0.0.1:1", folder);
	put(command, "-i");
	put(command, words->key_file);
	put(command, "-p");
	put(command, command->port);
	put(command, "-l");
	put(command, command->user != NULL ? command->user : "");
	put(command, "-N");
	put(command, "-v");
	put(command, "-R");
	put(command, command->forward);
	put(command, "--");
	put(command, command->host != NULL ? command->host : "");
}

/* The child's pid; its stderr comes out of *fd.  -1: none. */
static pid_t
start(const struct command *command, int *fd)
{
	int ends[2], null;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		/* Where the enrolment is killed, nobody else ends it. */
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		null = open("/dev/null", O_RDWR);
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		execvp("ssh", (char *const *)command->words);
		_exit(127);
	}
	close(ends[1]);
	*fd = ends[0];
	if (pid < 0)
		close(ends[0]);
	return pid;
}

/* What ssh -v says of its request. */
static bool
is_decided(const char *said, enum enroll_trial *outcome)
{
	if (strstr(said, "remote forward success") != NULL)
		*outcome = ENROLL_TRIAL_ALLOWED;
	else if (strstr(said, "remote forward failure") != NULL ||
		 strstr(said, "remote port forwarding failed") != NULL)
		*outcome = ENROLL_TRIAL_REFUSED;
	else
		return false;
	return true;
}

static enum enroll_trial
watch(int fd)
{
	uint64_t give_up = clock_monotonic_ms() + PATIENCE_MS, now;
	enum enroll_trial outcome = ENROLL_TRIAL_UNTRIED;
	char said[SAID_BYTES] = "";
	size_t len = 0;

	while (!is_decided(said, &outcome) && len + 1 < sizeof said &&
	       (now = clock_monotonic_ms()) < give_up) {
		struct pollfd slot = {.fd = fd, .events = POLLIN};
		ssize_t n;

		if (poll(&slot, 1, (int)(give_up - now)) <= 0)
			break;
		n = read(fd, said + len, sizeof said - len - 1);
		if (n <= 0)
			break;
		len += (size_t)n;
		said[len] = '\0';
	}
	return outcome;
}

static enum enroll_trial
ask(struct enroll_trial_words *words, const char *folder)
{
	struct command command = {.count = 0};
	enum enroll_trial outcome = ENROLL_TRIAL_UNTRIED;
	int fd, status = 0;
	pid_t pid;

	make_command(&command, words, folder);
	pid = start(&command, &fd);
	if (pid > 0) {
		outcome = watch(fd);
		kill(pid, SIGTERM);
		close(fd);
		waitpid(pid, &status, 0);
	}
	if (pid <= 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 127))
		snprintf(words->seen, sizeof words->seen,
		    "there is no ssh program here to try it with");
	else if (outcome == ENROLL_TRIAL_UNTRIED)
		snprintf(words->seen, sizeof words->seen,
		    "the ssh program did not get so far");
	ssh_string_free_char(command.host);
	ssh_string_free_char(command.user);
	return outcome;
}

/*
 * sshd never takes such a socket away, and may make it when ssh is long gone:
 * it is to lie in a folder that goes, whatever ends first.
 */
enum enroll_trial
enroll_trial_listen_unix(struct enroll_trial_words *words)
{
	struct err why = ERR_INIT;
	ssh_channel borrowed = NULL;
	enum enroll_trial outcome;
	unsigned random = 0;
	char folder[32];

	(void)!getrandom(&random, sizeof random, 0);
	snprintf(folder, sizeof folder, "/tmp/kaya-proof-%08x", random);
	if (words->login != NULL) {
		borrowed = enroll_server_borrow(words->login, folder, &why);
		if (borrowed == NULL) {
			snprintf(words->seen, sizeof words->seen,
			    "there is nowhere to try it: %.200s", why.what);
			return ENROLL_TRIAL_UNTRIED;
		}
	}
	outcome = ask(words, folder);
	if (borrowed != NULL && !enroll_server_give_back(borrowed) &&
	    outcome == ENROLL_TRIAL_REFUSED) {
		snprintf(words->seen, sizeof words->seen,
		    "the folder to try it in went too early");
		return ENROLL_TRIAL_UNTRIED;
	}
	return outcome;
}
