#ifndef KAYA_TERMINAL_H
#define KAYA_TERMINAL_H

/*
 * terminal: a question to the person at the terminal that standard input is.
 * It is asked there, and not where standard output or error may lead to.
 */

#include <stddef.h>

enum terminal_echo {
	TERMINAL_SHOWN, /* what is typed */
	TERMINAL_HIDDEN /* for a secret: the line ends on the screen alone */
};

/* Show `text` at the terminal; on standard error where it cannot be written. */
void terminal_tell(const char *text);

/*
 * Show `question` and read a line into `answer` (`size` bytes, terminated,
 * without its end; the caller wipes it).  What does not fit is lost.  -1: the
 * input ended, or a signal interrupted it; the terminal is as it was before.
 * SIGINT, SIGHUP, SIGQUIT and SIGTERM do what they do elsewhere, once it is;
 * who comes back after SIGTSTP is asked again.
 */
int terminal_ask(
    const char *question, char *answer, size_t size, enum terminal_echo echo);

/*
 * The program ends while another thread may be asking: the terminal is as it
 * was, the question is broken off, and nobody asks any more.
 */
void terminal_end(void);

#endif
