#include "check.h"

#include "shell.h"
#include "str.h"

#include <string.h>

static const char too_long[] =
    "the command is too long to be told: shorter paths, or fewer options";

static const char *
value_of(const struct check_word *words, const char *name, size_t len)
{
	for (; words != NULL && words->name != NULL; words++)
		if (strlen(words->name) == len &&
		    memcmp(words->name, name, len) == 0)
			return words->value != NULL ? words->value : "";
	return "";
}

bool
check_fill(const char *template, const struct check_word *words, char *text,
    size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	while (template != NULL && *template != '\0' && used + 1 < size) {
		const char *end =
		    *template == '{' ? strchr(template, '}') : NULL;
		const char *piece = template;
		size_t len = 1;

		if (end != NULL) {
			piece = value_of(
			    words, template + 1, (size_t)(end - template) - 1);
			len = strlen(piece);
			template = end;
		}
		template ++;
		if (len > size - 1 - used) {
			memcpy(text + used, piece, size - 1 - used);
			text[size - 1] = '\0';
			return false;
		}
		memcpy(text + used, piece, len);
		used += len;
		text[used] = '\0';
	}
	return template == NULL || *template == '\0';
}

const char *
check_typed(const char *word, char *text, size_t size)
{
	text[0] = '\0';
	if (str_is_shown(span_of_str(word)))
		shell_quoted(word, text, size);
	if (text[0] == '\0')
		snprintf(text, size, "FILE");
	return text;
}

bool
check_judge(const struct check_row *rows, size_t count, int fact,
    const struct check_word *words, struct finding *finding)
{
	for (size_t i = 0; i < count; i++) {
		if (rows[i].fact != fact)
			continue;
		finding->state = rows[i].state;
		finding->status = rows[i].status;
		finding->code = rows[i].code != NULL ? rows[i].code : "";
		check_fill(
		    rows[i].seen, words, finding->seen, sizeof finding->seen);
		check_fill(rows[i].cause, words, finding->cause,
		    sizeof finding->cause);
		if (!check_fill(rows[i].remedy, words, finding->remedy,
			sizeof finding->remedy))
			snprintf(finding->remedy, sizeof finding->remedy, "%s",
			    too_long);
		return true;
	}
	return false;
}

void
checks_run(const struct check *checks, size_t count, void *arg,
    struct findings *findings)
{
	enum check_next next = CHECK_GO_ON;

	for (size_t i = 0; i < count; i++) {
		if (next == CHECK_STOP && checks[i].when != CHECK_ALWAYS)
			continue;
		if (checks[i].run(arg, findings) == CHECK_STOP)
			next = CHECK_STOP;
	}
}
