#include "ssh_says.h"

#include "dest.h"

#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const char *
ssh_says_home(void)
{
	const struct passwd *user = getpwuid(getuid());

	if (user != NULL)
		return user->pw_dir;
	return getenv("HOME") != NULL ? getenv("HOME") : "/";
}

const char *
ssh_says_path(const char *text, char *path, size_t size)
{
	if (strncmp(text, "~/", 2) == 0)
		snprintf(path, size, "%s/%s", ssh_says_home(), text + 2);
	else
		snprintf(path, size, "%s", text);
	return path;
}

/* ssh -G; of what it says `stream` goes to `out`, the rest to nobody. */
static void
become_ssh(const struct link_options *options, int stream, int out)
{
	const char *words[12 + 2 * LINK_WORDS_MAX] = {"ssh", "-G"};
	struct err ignored = ERR_INIT;
	struct dest dest;
	size_t count = 2;
	char port[8];
	int nowhere;

	if (options->ssh_config != NULL) {
		words[count++] = "-F";
		words[count++] = options->ssh_config;
	}
	for (size_t i = 0; i < options->word_count; i++) {
		words[count++] = "-o";
		words[count++] = options->words[i];
	}
	/* Our own forms of a destination are more than ssh's. */
	if (dest_parse(&dest, options->dest, &ignored) != 0)
		_exit(127);
	if (options->user != NULL || dest.user[0] != '\0') {
		words[count++] = "-l";
		words[count++] =
		    options->user != NULL ? options->user : dest.user;
	}
	if (options->port != 0 || dest.port != 0) {
		snprintf(port, sizeof port, "%u",
		    (unsigned)(options->port != 0 ? options->port : dest.port));
		words[count++] = "-p";
		words[count++] = port;
	}
	words[count++] = "--";
	words[count++] = dest.host;
	nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (nowhere < 0)
		_exit(127);
	dup2(nowhere, STDOUT_FILENO);
	dup2(nowhere, STDERR_FILENO);
	dup2(out, stream);
	execvp("ssh", (char *const *)words);
	_exit(127);
}

/* Start it; what it says, to be given to finish. */
static FILE *
start(const struct link_options *options, int stream, pid_t *pid)
{
	int ends[2];
	FILE *answer;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return NULL;
	*pid = fork();
	if (*pid == 0)
		become_ssh(options, stream, ends[1]);
	close(ends[1]);
	answer = *pid > 0 ? fdopen(ends[0], "r") : NULL;
	if (answer == NULL) {
		close(ends[0]);
		if (*pid > 0)
			waitpid(*pid, NULL, 0);
	}
	return answer;
}

/* Its status, as waitpid has it. */
static int
finish(FILE *answer, pid_t pid)
{
	int status = 0;

	fclose(answer);
	waitpid(pid, &status, 0);
	return status;
}

void
ssh_says(const struct link_options *options, const char *word, ssh_says_fn *fn,
    void *arg)
{
	size_t len = strlen(word);
	char line[PATH_MAX + 64];
	pid_t pid;
	FILE *answer = start(options, STDOUT_FILENO, &pid);

	if (answer == NULL)
		return;
	while (fgets(line, sizeof line, answer) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, word, len) == 0 && line[len] == ' ')
			fn(arg, line + len + 1);
	}
	finish(answer, pid);
}

const char *
ssh_says_fault(const struct link_options *options, char *text, size_t size)
{
	char line[PATH_MAX + 64];
	pid_t pid;
	FILE *answer = start(options, STDERR_FILENO, &pid);
	int status;

	text[0] = '\0';
	if (answer == NULL)
		return text;
	while (fgets(line, sizeof line, answer) != NULL)
		if (text[0] == '\0')
			snprintf(text, size, "%.*s", (int)strcspn(line, "\r\n"),
			    line);
	status = finish(answer, pid);
	/* 127: there is none here. */
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 255)
		text[0] = '\0';
	return text;
}

static void
read_seconds(void *arg, const char *value)
{
	unsigned *seconds = arg;

	*seconds = (unsigned)strtoul(value, NULL, 10);
}

unsigned
ssh_says_keepalive_s(const struct link_options *options)
{
	unsigned seconds = 0;

	/* ssh says 0, never, where nobody said anything. */
	ssh_says(options, "serveraliveinterval", read_seconds, &seconds);
	return seconds > 0 ? seconds : LINK_KEEPALIVE_S;
}
