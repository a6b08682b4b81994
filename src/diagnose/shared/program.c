#include "program.h"

#include "clock.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

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

	if (count <= 0)
		return false;
	/* More than anybody wants to read is read, and dropped. */
	if (buf_len(into) + (size_t)count < PROGRAM_OUTPUT_MAX)
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

		if (now >= until_ms || poll(fds, 2, (int)(until_ms - now)) <= 0)
			return false;
		for (int i = 0; i < 2; i++)
			if (fds[i].revents != 0 && !take(fds[i].fd, into[i]))
				fds[i].fd = -1;
	}
	return true;
}

bool
program_run(struct program *program, const char *const *words, int ms)
{
	uint64_t until_ms = clock_monotonic_ms() + (uint64_t)ms;
	int out[2] = {-1, -1}, said[2] = {-1, -1}, status = 0;
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
		if (!whole)
			kill(pid, SIGKILL);
		if (waitpid(pid, &status, 0) == pid && WIFEXITED(status))
			program->status = WEXITSTATUS(status);
	}
	close(out[0]);
	close(said[0]);
	buf_append(&program->out, "", 1);
	buf_append(&program->said, "", 1);
	return whole && program->status >= 0 && program->status != 127;
}

void
program_fini(struct program *program)
{
	buf_fini(&program->out);
	buf_fini(&program->said);
}

const char *
program_out(const struct program *program)
{
	struct span out = buf_span(&program->out);

	return out.len > 0 ? (const char *)out.data : "";
}

const char *
program_said(const struct program *program)
{
	struct span said = buf_span(&program->said);

	return said.len > 0 ? (const char *)said.data : "";
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
