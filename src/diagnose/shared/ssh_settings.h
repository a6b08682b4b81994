#ifndef KAYA_SSH_SETTINGS_H
#define KAYA_SSH_SETTINGS_H

/*
 * ssh_settings: what a command comes to, as `ssh -G` (or `sshd -T`) tells it:
 * lines of a word in lower case and its value.
 */

#include "arena.h"

enum { SSH_SETTINGS_MAX = 512 };

struct ssh_setting {
	const char *word;
	const char *value;
};

struct ssh_settings {
	struct arena arena;
	struct ssh_setting items[SSH_SETTINGS_MAX];
	size_t count;
	bool has_no_ssh; /* nobody was there to be asked */
};

/* Read the lines; pure.  -1 where memory fails; to be given to _fini. */
int ssh_settings_parse(struct ssh_settings *settings, struct span text);
void ssh_settings_fini(struct ssh_settings *settings);

/* The first value of a word; "" where there is none. */
const char *ssh_settings_get(
    const struct ssh_settings *settings, const char *word);

/* The next value of a word, NULL at the end; start with *at = 0. */
const char *ssh_settings_next(
    const struct ssh_settings *settings, const char *word, size_t *at);

/*
 * Run `ssh -G` with `words` (NULL-ended, without the program).  0; or -1 and
 * in `why` the first thing that ssh has to say.
 */
int ssh_settings_ask(struct ssh_settings *settings, const char *const *words,
    char *why, size_t size);

#endif
