#ifndef KAYA_CMD_H
#define KAYA_CMD_H

/*
 * cmd: kaya's commands as one table.  Help, shell completions and man pages
 * come from it, or are held against it by a test.
 */

#include "err.h"

#include <stdbool.h>
#include <stdint.h>

struct cmd_option {
	int id; /* what cmd_next returns: a letter, or CMD_LONG up */
	const char *name; /* without dashes; NULL: a letter alone */
	const char *argument; /* "FILE"; NULL: none */
	const char *help; /* one sentence, no full stop */
};
enum { CMD_LONG = 256 }; /* ids of options without a letter begin here */

struct cmd {
	const char *name; /* of a sub-command: "keys list" */
	const char *const *synopses; /* behind "kaya NAME ", NULL-terminated */
	const char *summary; /* one line */
	const char *about; /* paragraphs for --help */
	const struct cmd_option *options; /* ends with id 0 */
	/* Commands behind this one's name, NULL-terminated; NULL: none.  Then
	 * run is cmd_run_sub, and synopses and options are theirs. */
	const struct cmd *const *subs;
	int (*run)(const struct cmd *cmd, int argc, char **argv);
};

/* All of them, NULL-terminated. */
extern const struct cmd *const cmds[];

/*
 * The i-th of a command's options and of its subs', each name once; NULL at
 * the end.
 */
const struct cmd_option *cmd_option_at(const struct cmd *cmd, size_t i);

/* A sub-command's name without its command's. */
const char *cmd_last_word(const struct cmd *cmd);

/* Run the sub-command that the first word names. */
int cmd_run_sub(const struct cmd *cmd, int argc, char **argv);

/* ---- reading a command's options ---- */

enum { CMD_TYPED_MAX = 512 };

struct cmd_reader {
	const struct cmd *cmd;
	int argc;
	char **argv;
	const char *argument; /* of the option that cmd_next returned */
	char typed[CMD_TYPED_MAX]; /* so far, as a shell takes it back */
	bool typed_too_much; /* for that: it is not known then */
};

enum { CMD_END = -1, CMD_STOP = -2 };

/*
 * The next option's id; CMD_END at the end (the words begin at optind);
 * CMD_STOP after --help (printed; *status is 0) or a mistake (told; 2).
 */
int cmd_next(struct cmd_reader *reader, int *status);

/* Print "kaya: cause, remedy" to stderr; the exit status that belongs to it. */
int cmd_complain(const struct err *err);

/* A wrong use: the same with ERR_USAGE and a hint at --help. */
int cmd_misuse(const struct cmd *cmd, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- words that mean the same in many commands ---- */

struct link_options;
struct cmd_broker {
	char host[256];
	uint16_t port;
};
/*
 * Take an option that concerns the connection (-p -i --key -l -F --ssh-config
 * -J -o --host-key --state).  False where it is none of them; *status is 2,
 * told, where its value is wrong.
 */
bool cmd_take_link(const struct cmd_reader *reader, int id,
    struct link_options *options, int *status);

/*
 * After CMD_END: put down what was typed (secrets as "PASSWORD", --host-key
 * left out), for a remedy that says the command again.
 */
void cmd_keep_typed(
    const struct cmd_reader *reader, struct link_options *options);

/* "HOST:PORT" or "HOST"; 2, told, where it is neither. */
int cmd_take_broker(const struct cmd_reader *reader, struct cmd_broker *broker);

/* "90", "90s", "10m", "1h", up to `max_s` seconds; 2, told, where it is none.
 */
int cmd_take_duration(
    const struct cmd_reader *reader, uint64_t max_s, uint64_t *ms);

enum cmd_link_id {
	CMD_KEY = CMD_LONG,
	CMD_SSH_CONFIG,
	CMD_HOST_KEY,
	CMD_STATE,
	CMD_BROKER,
	CMD_JSON,
	CMD_OWN /* a command's own begin here */
};

/* Rows for those, to stand in each such command's table. */
#define CMD_LINK_LETTERS                                                       \
	{'p', NULL, "PORT", "the server's port"},                              \
	    {'i', NULL, "FILE",                                                \
		"log in by this key and no other (repeatable)"},               \
	    {'l', NULL, "USER", "the user to log in as"},                      \
	    {'F', NULL, "FILE", "read this file in place of ssh_config"},      \
	    {'J', NULL, "HOST",                                                \
		"go through this host (repeatable by commas)"},                \
	{                                                                      \
		'o', NULL, "WORD=VALUE", "an option as in ssh_config"          \
	}
#define CMD_LINK_LONG                                                          \
	{CMD_KEY, "key", "FILE", "log in by this key and no other"},           \
	    {CMD_SSH_CONFIG, "ssh-config", "FILE",                             \
		"read this file in place of ssh_config"},                      \
	    {CMD_HOST_KEY, "host-key", "SHA256:...",                           \
		"accept this host key and remember it"},                       \
	{                                                                      \
		CMD_STATE, "state", "DIR", "where kaya keeps what it enrolled" \
	}

#endif
