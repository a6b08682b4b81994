#ifndef KAYA_COMMAND_PRIVATE_H
#define KAYA_COMMAND_PRIVATE_H

/* command_private: what the checks of a command share; for command_*.c. */

#include "check.h"
#include "command_forward.h"
#include "command_given.h"
#include "doctor_command.h"
#include "ssh_settings.h"

enum { COMMAND_FORWARDS_MAX = 32 };

/* One forward, by ssh -G, and the option that brought it. */
struct command_case_forward {
	struct command_forward forward;
	char letter; /* L, R, D */
	struct command_option *option; /* of `mended`; NULL: of ssh_config */
};

struct command_case {
	const struct doctor_options *options;
	struct findings *findings;
	struct command_given *given;
	struct command_line mended; /* given->line with each fault mended */
	struct command_dest dest; /* of `mended` */
	struct ssh_settings settings; /* of `mended`, by ssh -G */
	bool has_settings;
	struct command_case_forward forwards[COMMAND_FORWARDS_MAX];
	size_t forward_count;
	char refused[400]; /* what ssh said to the command as it is */
	bool unreadable; /* nothing can be said about what follows */
};

/* A check looks, tells and mends. */
typedef void command_check_fn(struct command_case *c);

/* A finding of layer "command". */
void command_tell(struct command_case *c, const struct check_row *some,
    size_t count, int fact, const struct check_word *words);

#define COMMAND_ROWS(rows) (rows), sizeof(rows) / sizeof((rows)[0])

/* Mend: an option more; another argument; an option's end. */
void command_add(struct command_case *c, char letter, const char *argument);
void command_set(struct command_case *c, struct command_option *option,
    const char *argument);
void command_drop(struct command_option *option);

/*
 * Mend a setting: "-o Word=value" in the place of all others for that word.
 */
void command_set_word(
    struct command_case *c, const char *word, const char *value);

/* Whether a setting has this value. */
bool command_is(
    const struct command_case *c, const char *word, const char *value);

/* Whether the command goes to the background. */
bool command_forks(struct command_case *c);

/* What is wrong with the words, before ssh is asked. */
extern command_check_fn *const command_word_checks[];
/* What is wrong with the settings, by what ssh -G says. */
extern command_check_fn *const command_session_checks[];
extern command_check_fn *const command_forward_checks[];
extern command_check_fn *const command_key_checks[];
extern command_check_fn *const command_setting_checks[];

#endif
