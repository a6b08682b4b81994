#ifndef KAYA_COMMAND_GIVEN_H
#define KAYA_COMMAND_GIVEN_H

/*
 * command_given: an ssh command as a user gives it to another program: its
 * words, all of them as one text, an alias, or a DEST of kaya's.
 */

#include "command_line.h"
#include "arena.h"
#include "err.h"

enum { COMMAND_GIVEN_BEFORE_MAX = 16 };

enum command_given_kind {
	COMMAND_GIVEN_LINE, /* an ssh command */
	COMMAND_GIVEN_DEST /* a DEST alone, perhaps an alias */
};

struct command_given {
	enum command_given_kind kind;
	struct arena arena; /* of what is not borrowed */
	/* its words with ASCII in the place of typographic letters */
	const char *words[COMMAND_LINE_WORDS_MAX];
	/* what stood before ssh: autossh -M 0, nohup, NAME=VALUE */
	const char *before[COMMAND_GIVEN_BEFORE_MAX + 1];
	const char *odd_word; /* the first that had one; NULL: none */
	enum command_line_result result;
	struct command_line line;
};

struct command_given_options {
	const char *state_dir; /* where hosts were enrolled; NULL: usual */
	const char *ssh_config; /* -F for a DEST alone; NULL: none */
};

/*
 * Read `words` (NULL-ended; borrowed).  0, with line.result to look at; or -1
 * and `err` where it is no command at all.  To be given to _fini in any case.
 */
int command_given_read(struct command_given *given, const char *const *words,
    const struct command_given_options *options, struct err *err);
void command_given_fini(struct command_given *given);

/*
 * What `ssh -G` says against the line as it is, -f included; "" where it says
 * nothing, or the line could not be read.
 */
void command_given_refused(
    const struct command_given *given, char *why, size_t size);

/* What -P means to the ssh that is installed here. */
enum command_line_dialect command_given_dialect(void);

/*
 * `word` with plain quotes, dashes and blanks in the place of those that word
 * processors and blogs put there; NULL where it has none of them, or where
 * memory fails.
 */
const char *command_given_plain(struct arena *arena, const char *word);

#endif
