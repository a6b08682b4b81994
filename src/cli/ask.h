#ifndef KAYA_ASK_H
#define KAYA_ASK_H

/*
 * ask: questions to a gateway, through SSH at DEST, or with --state DIR in
 * place of DEST at the gateway itself.
 */

#include "cmd.h"
#include "errand.h"

#include <jansson.h>

struct ask {
	struct link_options link; /* dest NULL: the gateway is here */
	bool as_json;

	struct errand *errand; /* once it is begun, through SSH */
};

/* Rows for the options of such a command. */
#define ASK_OPTIONS                                                            \
	CMD_LINK_LETTERS,                                                      \
	    {CMD_KEY, "key", "FILE", "log in by this key and no other"},       \
	    {CMD_SSH_CONFIG, "ssh-config", "FILE",                             \
		"read this file in place of ssh_config"},                      \
	    {CMD_HOST_KEY, "host-key", "SHA256:...",                           \
		"accept this host key and remember it"},                       \
	    {CMD_STATE, "state", "DIR",                                        \
		"the gateway's state folder, in place of DEST"},               \
	{                                                                      \
		CMD_JSON, "json", NULL, "a JSON object in place of text"       \
	}

void ask_init(struct ask *ask);

/*
 * Take an option of ASK_OPTIONS.  False where it is none of them; *status is
 * 2, told, where its value is wrong.
 */
bool ask_take(
    const struct cmd_reader *reader, int id, struct ask *ask, int *status);

/*
 * DEST, or NULL where it is --state's gateway.  2, told, where there is
 * neither.
 */
int ask_set_dest(const struct cmd *cmd, struct ask *ask, const char *dest);

/*
 * Connect, where that is needed.  -1 and `err`: not reachable, not let in, not
 * the host that it was.
 */
int ask_begin(struct ask *ask, struct err *err);
void ask_end(struct ask *ask);

/*
 * One question ("pending").  NULL and `err` where there is no answer, or it
 * says that it was refused or failed.  The caller's to json_decref.
 */
json_t *ask_gateway(struct ask *ask, const char *request, struct err *err);

/* A text of an answer as a terminal can take it; "-" where there is none. */
const char *ask_text(
    const json_t *object, const char *key, char *text, size_t size);

#endif
