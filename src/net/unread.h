#ifndef KAYA_UNREAD_H
#define KAYA_UNREAD_H

/*
 * unread: whether the program at a socket's other end has read all that was
 * written to it.  Acknowledged is not read: a kernel takes megabytes for a
 * program that is slow.
 */

#include <stdbool.h>

/*
 * Whether something that was written to `fd` waits to be read: for TCP within
 * this machine, and UNIX sockets.  Where the other end is on another machine,
 * or the kernel has no inet_diag(7), what was acknowledged counts as read.
 */
bool unread_is_any(int fd);

#endif
