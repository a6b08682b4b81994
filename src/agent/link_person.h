#ifndef KAYA_LINK_PERSON_H
#define KAYA_LINK_PERSON_H

/* link_person: what is asked of the person at the terminal. */

#include "link.h"

#include <stddef.h>

/*
 * Show `prompt` and read one line into `answer`, which the caller wipes.  An
 * ssh_auth_callback: nothing of the answer is shown unless `echo`.  0 or -1.
 */
int link_person_asked(const char *prompt, char *answer, size_t size, int echo,
    int verify, void *arg);

/*
 * Log in by what a person knows: the password, or, where the server does not
 * take one as such (PAM), what it asks by keyboard-interactive (RFC 4256). Its
 * words are shown escaped, what is typed is not, whatever the server says of
 * it. Three tries. 1: let in; 0: not, or nobody may be asked.
 */
int link_person_logs_in(struct link *link, const struct link_options *options);

#endif
