#ifndef KAYA_CHECK_H
#define KAYA_CHECK_H

/*
 * check: facts become findings by tables.
 *
 * A probe looks and leaves facts; what they mean stands in a table of rows,
 * one a fact: state, code, exit status, and the sentences, with {words} in
 * braces for what differs from case to case.  Nothing here does input or
 * output but the runner's findings_add.
 */

#include "finding.h"

/* What a {name} in a row stands for.  Ends with name NULL. */
struct check_word {
	const char *name;
	const char *value;
};

struct check_row {
	int fact; /* an enum of the table's owner */
	enum finding_state state;
	enum err_code status;
	const char *code;
	const char *seen;
	const char *cause;
	const char *remedy;
};

/*
 * Fill `finding` from the row of `rows` (`count` of them) for `fact`.  A word
 * that is not in `words`, or whose value is NULL, is left out.  A remedy that
 * does not fit is told to be so: cut off it would be another command.  False
 * where there is no such row.
 */
bool check_judge(const struct check_row *rows, size_t count, int fact,
    const struct check_word *words, struct finding *finding);

/* `template` with its {words} filled in; false where it is cut. */
bool check_fill(const char *template, const struct check_word *words,
    char *text, size_t size);

enum { CHECK_TYPED_SIZE = 600 }; /* of a path as check_typed writes it */

/*
 * A path, or another word, as it is typed in a command: quoted.  "FILE" where
 * it holds what cannot be shown, or does not fit: cut off it would be another
 * one.  Returns `text`.
 */
const char *check_typed(const char *word, char *text, size_t size);

/* A command that several tables print: RESOLVER is the user's to know. */
#define CHECK_OTHER_RESOLVER                                                   \
	"echo 'nameserver RESOLVER' > /etc/resolv.conf (where "                \
	"systemd-resolved writes that file: resolvectl dns INTERFACE "         \
	"RESOLVER)"

/* ---- a walk through layers ---- */

enum check_next {
	CHECK_GO_ON,
	CHECK_STOP /* what comes behind cannot be looked at */
};

typedef enum check_next check_fn(void *arg, struct findings *findings);

/* When a check is made though an earlier one stopped the walk. */
enum check_when { CHECK_IN_ORDER, CHECK_ALWAYS };

struct check {
	const char *layer;
	check_fn *run;
	enum check_when when;
};

/* Make them in order; the first that says CHECK_STOP ends the walk. */
void checks_run(const struct check *checks, size_t count, void *arg,
    struct findings *findings);

#endif
