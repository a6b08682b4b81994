#ifndef KAYA_REGULAR_H
#define KAYA_REGULAR_H

/* regular: files that others may have put there. */

/*
 * Open `path` to read it, if a plain file is there.  The descriptor, not
 * blocking; or -1 and errno: EINVAL where it is something else (a folder, a
 * pipe, a device), which is not opened at all: opening one may wait for
 * somebody, rewind a tape or arm a watchdog.
 */
int regular_open(const char *path);

#endif
