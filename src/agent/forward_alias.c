#include "forward.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ssh's words: "localforward [127.0.0.1]:8080 [localhost]:80". */
static bool
take_line(
    char *line, struct forward *forward, const char *host, uint16_t host_port)
{
	char near[300], far[300], text[640];
	struct err err;

	line[strcspn(line, "\r\n")] = '\0';
	if (sscanf(line, "localforward %299s %299s", near, far) != 2)
		return false;
	snprintf(text, sizeof text, "%s:%s", near, far);
	return forward_parse(forward, text, host, host_port, &err) == 0;
}

size_t
forward_of_alias(struct forward *forwards, size_t max, const char *dest,
    const char *ssh_config, const char *host, uint16_t host_port)
{
	const char *const arguments[] = {"ssh", "-G", "-F",
	    ssh_config != NULL ? ssh_config : "", "--", dest, NULL};
	const char *const plain[] = {"ssh", "-G", "--", dest, NULL};
	size_t count = 0;
	char line[1024];
	int fds[2];
	FILE *out;
	pid_t pid;

	if (pipe(fds) != 0)
		return 0;
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(127);
		execvp("ssh",
		    (char *const *)(ssh_config != NULL ? arguments : plain));
		_exit(127);
	}
	close(fds[1]);
	out = pid > 0 ? fdopen(fds[0], "r") : NULL;
	while (out != NULL && fgets(line, sizeof line, out) != NULL)
		if (count < max &&
		    take_line(line, &forwards[count], host, host_port))
			count++;
	if (out != NULL)
		fclose(out);
	else
		close(fds[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return count;
}
