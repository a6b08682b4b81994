#ifndef KAYA_CHILD_H
#define KAYA_CHILD_H

/*
 * child: the process that the network talks to.
 *
 * It is handed everything it needs (listening sockets, one end of a pair for
 * each thread and one for its control), gives up all it can, and never opens a
 * file, starts a program or makes an internet socket.
 */

#include "privileges.h"
#include "settings.h"

#include <stddef.h>

enum { CHILD_THREADS_MAX = 64 };

struct child_options {
	const struct settings_overrides *overrides;
	const struct privileges_user *user; /* NULL: stay who we are */
	size_t threads;
	size_t listeners; /* of each thread */
	const int *listener_fds; /* threads * listeners, thread by thread */
	const int *monitor_fds; /* one a thread */
	int control_fd;
};

/*
 * Serve until drained (status 0) or until the parent is gone, and end the
 * process.
 */
_Noreturn void child_run(const struct child_options *options);

#endif
