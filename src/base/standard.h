#ifndef KAYA_STANDARD_H
#define KAYA_STANDARD_H

/*
 * standard: standard input, output and error, as a program finds them and as
 * it leaves them.
 */

#include "err.h"

#include <stdbool.h>
#include <stdio.h>

/*
 * Take the numbers 0, 1 and 2 where they were closed: the next file or socket
 * would get one of them, and what is printed would go to a peer.  What is read
 * from or written to such a one fails with EBADF.  The first thing in main.
 */
void standard_hold(void);

/* Whoever read standard output, a pipe, reads no more (`| head -1`). */
bool standard_is_unread(void);

/*
 * What was printed to standard output is out: 0.  -1 and `err` (ERR_FAILED)
 * where some of it was lost since the last time, but for an output that nobody
 * reads any more.
 */
int standard_flush(struct err *err);

/* A terminal that knows more than the next line: no TERM=dumb, and a TERM. */
bool standard_is_screen(FILE *to);

/* And colours are wanted there: NO_COLOR is not set, https://no-color.org. */
bool standard_has_colours(FILE *to);

#endif
