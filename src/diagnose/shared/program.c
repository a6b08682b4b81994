#include "program.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAUSE_MS = 2 };

static void
extend_path(char *path, size_t size)
{
	const char *usual = getenv("PATH");

	snprintf(path, size, "%s:/usr/local/sbin:/usr/sbin:/sbin",
	    usual != NULL ? usual : "/usr/local/bin:/usr/bin:/bin");
}

static void
become(const char *const *words, int out, int said)
{
	char path[4096];
	int nothing = open("/dev/null", O_RDWR);

	extend_path(path, sizeof path);
	setenv("PATH", path, 1);
	setenv("LC_ALL", "C", 1);
	dup2(nothing, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(said, STDERR_FILENO);
	execvp(words[0], (char *const *)words);
	_exit(127);
}

/* What has come; false at its end. */
static bool
take(int fd, struct buf *into)
{
	char bytes[4096];
	ssize_t count = read(fd, bytes, sizeof bytes);

	if (count < 0 && errno == EINTR)
		return true;
	if (count <= 0)
		return false;
	/* What does not fit is read, and the whole of no use. */
	buf_append(into, bytes, (size_t)count);
	return true;
}

/* Until both ends are closed; false where time is up before. */
static bool
read_both(struct program *program, int out, int said, uint64_t until_ms)
{
	struct pollfd fds[2] = {
	    {.fd = out, .events = POLLIN}, {.fd = said, .events = POLLIN}};
	struct buf *into[2] = {&program->out, &program->said};

	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		uint64_t now = clock_monotonic_ms();

		if (now >= until_ms)
			return false;
		if (poll(fds, 2, (int)(until_ms - now)) <= 0)
			continue;
		for (int i = 0; i < 2; i++)
			if (fds[i].revents != 0 && !take(fds[i].fd, into[i]))
				fds[i].fd = -1;
	}
	return true;
}

/* Its status; -1 where it had to be ended. */
static int
wait_for(pid_t pid, uint64_t until_ms)
{
	const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
	int status = 0;
	pid_t ended;

	/* Its output is closed: mostly it ends in that moment. */
	while ((ended = waitpid(pid, &status, WNOHANG)) == 0 &&
	       clock_monotonic_ms() < until_ms)
		nanosleep(&pause, NULL);
	if (ended == 0) {
		kill(pid, SIGKILL);
		do
			ended = waitpid(pid, &status, 0);
		while (ended < 0 && errno == EINTR);
	}
	return ended == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool
program_run(struct program *program, const char *const *words, int ms)
{
	uint64_t until_ms = clock_monotonic_ms() + (uint64_t)ms;
	int out[2] = {-1, -1}, said[2] = {-1, -1};
	bool whole = false;
	pid_t pid = -1;

	buf_init(&program->out, PROGRAM_OUTPUT_MAX);
	buf_init(&program->said, PROGRAM_OUTPUT_MAX);
	program->status = -1;
	if (pipe2(out, O_CLOEXEC) == 0 && pipe2(said, O_CLOEXEC) == 0)
		pid = fork();
	if (pid == 0)
		become(words, out[1], said[1]);
	close(out[1]);
	close(said[1]);
	if (pid > 0) {
		whole = read_both(program, out[0], said[0], until_ms);
		program->status = wait_for(pid, whole ? until_ms : 0);
	}
	close(out[0]);
	close(said[0]);
	buf_append(&program->out, "", 1);
	buf_append(&program->said, "", 1);
	return whole && !program->out.failed && !program->said.failed &&
	       program->status >= 0 && program->status != 127;
}

void
program_fini(struct program *program)
{
	buf_fini(&program->out);
	buf_fini(&program->said);
}

/* Where memory failed no zero byte may stand at its end. */
static const char *
text_of(const struct buf *from)
{
	struct span text = buf_span(from);

	return text.len > 0 && !from->failed ? (const char *)text.data : "";
}

const char *
program_out(const struct program *program)
{
	return text_of(&program->out);
}

const char *
program_said(const struct program *program)
{
	return text_of(&program->said);
}

bool
program_is_there(const char *name)
{
	char path[4096], file[4096 + 256], *rest = path, *folder;

	extend_path(path, sizeof path);
	while ((folder = strsep(&rest, ":")) != NULL) {
		snprintf(file, sizeof file, "%s/%s", folder, name);
		if (access(file, X_OK) == 0)
			return true;
	}
	return false;
}
