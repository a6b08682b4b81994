#include "cmd_keys.h"

#include "commands.h"
#include "str.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *
cmd_keys_paint(FILE *to, enum cmd_keys_paint paint)
{
	static const char *const sequences[] = {
	    [PAINT_PLAIN] = "\x1b[0m",
	    [PAINT_BAD] = "\x1b[31m",
	    [PAINT_DOUBTFUL] = "\x1b[33m",
	    [PAINT_GOOD] = "\x1b[32m",
	};
	const char *no_color = getenv("NO_COLOR");

	if ((no_color != NULL && no_color[0] != '\0') || !isatty(fileno(to)))
		return "";
	return sequences[paint];
}

char *
cmd_keys_text(struct span bytes)
{
	size_t size = bytes.len * 4 + 1;
	char *text = malloc(size);

	if (text != NULL)
		str_escape(bytes, text, size);
	return text;
}

json_t *
cmd_keys_json(struct span bytes)
{
	json_t *string = json_stringn(
	    bytes.data == NULL ? "" : (const char *)bytes.data, bytes.len);
	char *text;

	if (string != NULL)
		return string;
	text = cmd_keys_text(bytes);
	string = text == NULL ? NULL : json_string(text);
	free(text);
	return string;
}

/* ---- the command ---- */

static const struct cmd *const subs[] = {
    &cmd_keys_list,
    &cmd_keys_add,
    NULL,
};

static const struct cmd_option options[] = {{0}};

static const char *const synopses[] = {NULL};

const struct cmd cmd_keys = {
    .name = "keys",
    .synopses = synopses,
    .summary = "Read, judge and edit authorized_keys, sshd's or kayad's",
    .about =
	"FILE is a file of keys as sshd(8) and kayad(8) read them, or a folder "
	"of\n"
	"such files, as kayad takes it too.\n",
    .options = options,
    .subs = subs,
    .run = cmd_run_sub,
};
