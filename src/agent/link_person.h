#ifndef KAYA_LINK_PERSON_H
#define KAYA_LINK_PERSON_H

/* link_person: what is asked of the person at the terminal. */

#include "link.h"

#include <stddef.h>

/* How often a person may mistype a secret. */
enum { LINK_PERSON_TRIES = 3 };

/* A key file whose passphrase is asked for. */
struct link_person_key {
	const char *file;
	unsigned asked, answered; /* times */
};

/*
 * Ask for the passphrase of `arg`, a struct link_person_key, into `answer`,
 * which the caller wipes.  An ssh_auth_callback.  0 or -1.
 */
int link_person_asked(const char *prompt, char *answer, size_t size, int echo,
    int verify, void *arg);

enum link_person {
	LINK_PERSON_LET_IN,
	LINK_PERSON_REFUSED, /* what was typed is not taken */
	LINK_PERSON_SILENT /* nobody may be asked, or answered */
};

/*
 * Log in by what a person knows: the password, or, where the server does not
 * take one as such (PAM), what it asks by keyboard-interactive (RFC 4256). Its
 * words are shown escaped, what is typed is not, whatever the server says of
 * it.
 */
enum link_person link_person_logs_in(
    struct link *link, const struct link_options *options);

#endif
