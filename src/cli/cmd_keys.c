#include "cmd_keys.h"

#include "commands.h"
#include "keys_edit.h"
#include "standard.h"
#include "str.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct keys_findings *
cmd_keys_judge(const struct keys_files *files, int64_t now_s, struct err *err)
{
	/* A folder may be empty. */
	size_t count = files->count, room = count > 0 ? count : 1;
	struct keys_judge_file *views = calloc(room, sizeof *views);
	struct keys_findings *findings = calloc(room, sizeof *findings);
	int result = -1;

	for (size_t i = 0; views != NULL && i < count; i++)
		views[i] =
		    (struct keys_judge_file){.name = files->items[i].name,
			.bytes = files->items[i].bytes};
	if (views == NULL || findings == NULL)
		err_set(err, ERR_NOMEM, "no memory for the findings");
	else
		result =
		    keys_judge_together(views, count, now_s, findings, err);
	free(views);
	if (result == 0)
		return findings;
	free(findings);
	return NULL;
}

void
cmd_keys_judge_free(
    const struct keys_files *files, struct keys_findings *findings)
{
	for (size_t i = 0; findings != NULL && i < files->count; i++)
		keys_findings_fini(&findings[i]);
	free(findings);
}

const char *
cmd_keys_paint(FILE *to, enum cmd_keys_paint paint)
{
	static const char *const sequences[] = {
	    [PAINT_PLAIN] = "\x1b[0m",
	    [PAINT_BAD] = "\x1b[31m",
	    [PAINT_DOUBTFUL] = "\x1b[33m",
	    [PAINT_GOOD] = "\x1b[32m",
	};

	return standard_has_colours(to) ? sequences[paint] : "";
}

char *
cmd_keys_text(struct span s)
{
	char *text = malloc(s.len * 4 + 1), *end = text;

	while (text != NULL && s.len > 0) {
		size_t len = str_utf8_len(s);

		if (len == 0 || s.data[0] == 0x7f ||
		    (s.data[0] < ' ' && s.data[0] != '\t')) {
			end += sprintf(end, "\\x%02x", s.data[0]);
			len = 1;
		} else {
			memcpy(end, s.data, len);
			end += len;
		}
		s = span_of(s.data + len, s.len - len);
	}
	if (text != NULL)
		*end = '\0';
	return text;
}

void
cmd_keys_put(FILE *to, struct span bytes)
{
	char *text;

	if (!isatty(fileno(to))) {
		fwrite(bytes.data, 1, bytes.len, to);
		return;
	}
	text = cmd_keys_text(bytes);
	fputs(text != NULL ? text : "", to);
	free(text);
}

const char *
cmd_keys_name(const struct authorized_keys_line *line, char *name)
{
	return line->is_authority ? "(certificates)"
				  : keys_identity(line, name);
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
    &cmd_keys_revoke,
    &cmd_keys_lint,
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
