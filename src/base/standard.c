#include "standard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
standard_hold(void)
{
	/* The wrong way round: a read of it, or a write to it, fails. */
	static const int ways[] = {O_WRONLY, O_RDONLY, O_RDONLY};

	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			open("/dev/null", ways[fd]);
}

bool
standard_is_unread(void)
{
	struct pollfd out = {.fd = STDOUT_FILENO};

	const int error = errno;
	const bool is = poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;

	errno = error;
	return is;
}

int
standard_flush(struct err *err)
{
	const bool had_failed = ferror(stdout) != 0;

	errno = 0;
	if (fflush(stdout) == 0 && !had_failed)
		return 0;
	clearerr(stdout);
	if (standard_is_unread())
		return 0;
	if (errno == 0)
		err_set(err, ERR_FAILED, "not all could be printed");
	else
		err_set_errno(err, ERR_FAILED, "not all could be printed");
	return err_hint(err,
	    "see where standard output leads to: is it closed, or is a disk "
	    "full?");
}

bool
standard_is_screen(FILE *to)
{
	const char *kind = getenv("TERM");

	return isatty(fileno(to)) && kind != NULL && kind[0] != '\0' &&
	       strcmp(kind, "dumb") != 0;
}

bool
standard_has_colours(FILE *to)
{
	const char *unwanted = getenv("NO_COLOR");

	return (unwanted == NULL || unwanted[0] == '\0') &&
	       standard_is_screen(to);
}
