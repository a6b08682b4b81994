#ifndef KAYA_CMD_KEYS_H
#define KAYA_CMD_KEYS_H

/* cmd_keys: what the words behind `kaya keys` share; cmd_keys_WORD.c each. */

#include "cmd.h"

#include "keys_file.h"
#include "keys_judge.h"
#include "span.h"

#include <stdio.h>

struct json_t;

extern const struct cmd cmd_keys_list;
extern const struct cmd cmd_keys_add;
extern const struct cmd cmd_keys_revoke;
extern const struct cmd cmd_keys_lint;

/* Options of one word each; the manual tells them apart by these. */
enum cmd_keys_option {
	KEYS_NAME = CMD_OWN,
	KEYS_ROLE,
	KEYS_FROM,
	KEYS_EXPIRES,
	KEYS_ALSO,
	KEYS_FIX
};

/* ---- judging all files that are read together ---- */

/*
 * The findings of each file, in their order, for cmd_keys_judge_free; NULL
 * and `err` where memory fails.
 */
struct keys_findings *cmd_keys_judge(
    const struct keys_files *files, int64_t now_s, struct err *err);
void cmd_keys_judge_free(
    const struct keys_files *files, struct keys_findings *findings);

/* ---- colours, on a terminal only and not with NO_COLOR ---- */

enum cmd_keys_paint { PAINT_PLAIN, PAINT_BAD, PAINT_DOUBTFUL, PAINT_GOOD };

/* The sequence that switches to it, "" where there are no colours on `to`. */
const char *cmd_keys_paint(FILE *to, enum cmd_keys_paint paint);

/* ---- text ---- */

/*
 * As text that a terminal shows and does not obey, malloc'd: \xNN for control
 * characters and what is no UTF-8.  NULL where memory fails.
 */
char *cmd_keys_text(struct span bytes);

/* To a terminal as such text, else as it is. */
void cmd_keys_put(FILE *to, struct span bytes);

/*
 * Whom a line lets in, as people read it: an identity, or for an authority
 * that it is certificates.  `name` holds KEYS_IDENTITY_SIZE.
 */
const char *cmd_keys_name(const struct authorized_keys_line *line, char *name);

/* A JSON string; bytes that are no UTF-8 are escaped. */
struct json_t *cmd_keys_json(struct span bytes);

#endif
