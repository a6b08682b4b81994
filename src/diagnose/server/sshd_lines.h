#ifndef KAYA_SSHD_LINES_H
#define KAYA_SSHD_LINES_H

/*
 * sshd_lines: on which lines of sshd_config(5), and of what it includes, a word
 * stands.  sshd -T tells what is in force, and not where from.
 */

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	SSHD_LINES_MAX = 512, /* of one word */
	SSHD_CRITERIA_SIZE = 512
};

struct sshd_place {
	char file[PATH_MAX];
	size_t line; /* from 1; 0: there is none */
};

struct sshd_line {
	struct sshd_place at;
	struct sshd_place match; /* the Match above it; line 0: none */
	/*
	 * For whom it holds, as one Match would say it: that one's criteria,
	 * and of those that an Include on the way to it stands below.  "": for
	 * everybody.
	 */
	char criteria[SSHD_CRITERIA_SIZE];
};

struct sshd_lines {
	struct sshd_line *items;
	size_t count;
	size_t cap;
	bool failed; /* there are more, or longer ones: it is not known which */
};

/*
 * Those of `word` (the case of letters does not count) in the order in which
 * sshd meets them: a file stands where it is included, those of one pattern in
 * glob's order.  What cannot be read is passed over.  To be given to _fini.
 *
 * The first one whose criteria match is in force; else the first without any.
 */
void sshd_lines_find(
    struct sshd_lines *lines, const char *file, const char *word);
void sshd_lines_fini(struct sshd_lines *lines);

#endif
