#ifndef KAYA_KEYS_CHECK_H
#define KAYA_KEYS_CHECK_H

/*
 * keys_check: what may be wrong with a line that has a key.  A part of
 * keys_judge; nobody else includes it.
 */

#include "keys_judge.h"

/* One line before a check. */
struct keys_case {
	const struct authorized_keys_line *line;
	int64_t now_s;
	struct keys_finding *finding; /* severity, code, sshd are set */
	struct buf *meant;
};

/* True where the fault is there: cause, remedy, column and `meant` filled. */
typedef bool keys_check_fn(struct keys_case *c);

struct keys_check {
	const char *code;
	enum keys_severity severity;
	const char *sshd;
	keys_check_fn *fn;
};

/* What a line with a key is checked for; the last one's fn is NULL. */
extern const struct keys_check keys_checks[];
extern const struct keys_check keys_checks_forward[];
extern const struct keys_check keys_checks_from[];

/* Always true. */
bool keys_case_say(struct keys_case *c, struct span at, const char *remedy,
    const char *cause, ...) __attribute__((format(printf, 4, 5)));

/* The first option of this name; false where there is none. */
bool keys_case_option(const struct keys_case *c,
    enum authorized_keys_option_id id, struct authorized_keys_option *option);

/* Append to `meant` the line with `part` of it made `by`. */
void keys_case_replace(struct keys_case *c, struct span part, struct span by);

/* Append to `meant` the line with `text` behind its last option. */
void keys_case_add(struct keys_case *c, const char *text);

#endif
