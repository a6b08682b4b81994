#ifndef KAYA_COMMAND_LINE_H
#define KAYA_COMMAND_LINE_H

/*
 * command_line: the words of an ssh command, as OpenSSH's ssh reads them
 * (ssh(1); its main and the BSD getopt that it brings along).
 *
 *	ssh [options] [--] DEST [options] [--] [command ...]
 *
 * Options behind the destination are still options, unless a "--" stood before
 * it; the first other word begins the command, and from there on nothing is an
 * option.  Pure; everything that comes out is borrowed from the words.
 */

#include "buf.h"

#include <stdbool.h>

enum {
	COMMAND_LINE_OPTIONS_MAX = 128,
	COMMAND_LINE_WORDS_MAX = 512,
};

struct command_option {
	char letter;
	const char *argument; /* NULL: it takes none */
	bool behind; /* stands behind the destination */
	bool dropped; /* by who mends the line */
	bool added; /* by who mends the line */
};

struct command_line {
	const char *const *before; /* what starts it, NULL-ended; NULL: none */
	const char *program; /* "ssh"; NULL: `before` stands for it */
	struct command_option options[COMMAND_LINE_OPTIONS_MAX];
	size_t option_count;
	const char *dest; /* as written; NULL: none */
	const char *const *command; /* NULL-ended; NULL: none */
	/* where it cannot be read: the word, and the option's letter */
	const char *fault_word;
	char fault_letter;
};

enum command_line_result {
	COMMAND_LINE_GOOD,
	COMMAND_LINE_NOT_SSH, /* the first word is another program's */
	COMMAND_LINE_UNKNOWN_OPTION,
	COMMAND_LINE_NO_ARGUMENT, /* the last option needs one */
	COMMAND_LINE_NO_DEST,
	COMMAND_LINE_TOO_MANY
};

/* What -P is: nothing of use before OpenSSH 9.4, then -P TAG. */
enum command_line_dialect { COMMAND_LINE_P_ALONE, COMMAND_LINE_P_TAG };

/*
 * Read `words` (NULL-ended), the program first.  A -P before a word of digits
 * alone takes it as its argument in either dialect: a port was meant.
 */
enum command_line_result command_line_parse(struct command_line *line,
    const char *const *words, enum command_line_dialect dialect);

/* The first option of that letter at or behind `from`; NULL: none. */
struct command_option *command_line_option(
    struct command_line *line, char letter, const struct command_option *from);

/* One more option, before the destination; false where there is no room. */
bool command_line_add(
    struct command_line *line, char letter, const char *argument);

/* What command_line_words leaves out. */
enum command_line_part {
	COMMAND_LINE_WHOLE,
	COMMAND_LINE_NO_PROGRAM /* and nothing that acts: -E -f -G -O -Q -V */
};

/*
 * The line as words again, NULL-ended, each option before the destination and
 * with a word of its own but for letters that need none; `scratch` holds the
 * option words.  False where there is no room.
 */
struct command_words {
	const char *words[COMMAND_LINE_WORDS_MAX];
	size_t count;
	char letters[COMMAND_LINE_OPTIONS_MAX][3];
};
bool command_line_words(const struct command_line *line,
    enum command_line_part part, struct command_words *words);

/* The line as a shell takes it. */
void command_line_text(const struct command_line *line, struct buf *out);

/*
 * DEST: [user@]host, or ssh://[user@]host[:port].  `host` is without brackets;
 * `port` 0 where none is said.  `glued` is the port of a host:port, which ssh
 * takes for a name (0: there is none).  False where it is nothing at all.
 */
struct command_dest {
	char user[256]; /* "": not said */
	char host[256];
	uint16_t port;
	uint16_t glued;
};
bool command_dest_parse(struct command_dest *dest, const char *text);

#endif
