#ifndef KAYA_FILES_LIMIT_H
#define KAYA_FILES_LIMIT_H

/* files_limit: how many files a process may open, sockets included. */

enum { FILES_LIMIT_MAX = 1 << 20 };

/*
 * Take as many as the system grants (the soft limit becomes the hard one, at
 * most FILES_LIMIT_MAX): 1,024, which a login starts with, is some 500 devices.
 * For programs that use no select(2).  It cannot fail, but for less.
 */
void files_limit_raise(void);

#endif
