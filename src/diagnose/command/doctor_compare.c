#include "compare_private.h"

#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { JSON_MAX = 1 << 20, COLUMN_MAX = 46 };

/* ---- looking ---- */

static const char *const ordinals[] = {"the first", "the second"};

static int
read_side(struct compare *compare, size_t which, struct err *err)
{
	struct compare_side *side = &compare->sides[which];
	const struct command_given_options how = {
	    .state_dir = compare->options->state_dir,
	    .ssh_config = compare->options->ssh_config};
	const char *const words[] = {side->said, NULL};

	if (command_given_read(&side->given, words, &how, err) != 0)
		return -1;
	if (side->given.result != COMMAND_LINE_GOOD) {
		err_set(err, ERR_USAGE, "ssh cannot read \"%s\"", side->said);
		return err_hint(err,
		    "what is wrong with it: kaya doctor -- "
		    "'%s'",
		    side->said);
	}
	side->name = side->name_text;
	if (side->given.kind == COMMAND_GIVEN_DEST)
		snprintf(
		    side->name_text, sizeof side->name_text, "%s", side->said);
	else
		snprintf(side->name_text, sizeof side->name_text, "%s",
		    "the command");
	return 0;
}

/* Two commands are told apart by their order. */
static void
name_sides(struct compare *compare)
{
	struct compare_side *sides = compare->sides;

	for (size_t i = 0; i < 2; i++)
		if (sides[0].given.kind == COMMAND_GIVEN_LINE &&
		    sides[1].given.kind == COMMAND_GIVEN_LINE)
			sides[i].name = ordinals[i];
}

/* The words without the command, which would go to -W's place. */
static bool
words_of(struct command_line line, struct command_words *words)
{
	line.command = NULL;
	return command_line_words(&line, COMMAND_LINE_NO_PROGRAM, words);
}

static int
ask_side(struct compare_side *side, struct err *err)
{
	struct command_words words;
	char why[400];

	command_given_refused(
	    &side->given, side->refused, sizeof side->refused);
	if (words_of(side->given.line, &words) &&
	    ssh_settings_ask(&side->settings, words.words, why, sizeof why) ==
		0)
		return 0;
	if (side->settings.has_no_ssh) {
		err_set(err, ERR_FAILED, "%s", why);
		return err_hint(err, "apt-get install openssh-client");
	}
	err_set(
	    err, ERR_USAGE, "ssh does not take \"%s\": %s", side->said, why);
	return err_hint(
	    err, "what is wrong with it: kaya doctor -- '%s'", side->said);
}

static void
find_target(struct compare_side *side)
{
	struct command_forward forward;
	const char *value;
	size_t at = 0;

	while ((value = ssh_settings_next(
		    &side->settings, "localforward", &at)) != NULL) {
		bool v6;

		if (!command_forward_read(&forward, value, 'L') ||
		    forward.host[0] == '\0')
			continue;
		v6 = strchr(forward.host, ':') != NULL;
		snprintf(side->target, sizeof side->target, "%s%s%s:%u",
		    v6 ? "[" : "", forward.host, v6 ? "]" : "",
		    forward.host_port);
		return;
	}
}

static void
log_in(struct compare *compare, size_t which)
{
	struct compare_side *side = &compare->sides[which];
	struct command_words words;

	if (!words_of(side->given.line, &words))
		return;
	ssh_login_try(&side->login, words.words, side->target);
	compare_find_line(compare, side);
}

/* ---- as text ---- */

static void
print_cut(FILE *out, const char *text, int width)
{
	int len = (int)strlen(text);

	if (*text == '\0')
		fprintf(out, "%-*s", width, "-");
	else if (len <= width)
		fprintf(out, "%-*s", width, text);
	else
		fprintf(out, "%.*s...", width - 3, text);
}

static void
print_differences(const struct compare *compare, FILE *out)
{
	fprintf(out, "%-24s ", "setting");
	print_cut(out, compare->sides[0].said, COLUMN_MAX);
	fputc(' ', out);
	print_cut(out, compare->sides[1].said, COLUMN_MAX);
	fputc('\n', out);
	for (size_t i = 0; i < compare->difference_count; i++) {
		const struct compare_difference *d = &compare->differences[i];

		fprintf(out, "%-24s ", d->word);
		if (strlen(d->first) <= COLUMN_MAX) {
			print_cut(out, d->first, COLUMN_MAX);
			fprintf(out, " %s\n", *d->second ? d->second : "-");
		} else {
			fprintf(out, "%s\n%-24s %-*s %s\n", d->first, "",
			    COLUMN_MAX, "", *d->second ? d->second : "-");
		}
	}
	if (compare->difference_count == 0)
		fprintf(out, "no setting differs\n");
	fflush(out);
}

static void
print_login(const struct compare_side *side, FILE *out)
{
	const struct ssh_login *login = &side->login;
	const char *permits =
	    side->permits[0] != '\0' ? side->permits : login->permits;

	fprintf(out, "\n%s\n", side->said);
	if (side->refused[0] != '\0')
		fprintf(out, "  does not start: %s\n", side->refused);
	for (size_t i = 0; i < login->offered_count; i++)
		fprintf(out, "  offers   %s (%s %s%s)\n",
		    login->offered[i].name, login->offered[i].type,
		    login->offered[i].fingerprint,
		    login->offered[i].in_agent ? ", agent" : "");
	if (login->key.fingerprint[0] != '\0')
		fprintf(out, "  let in   by %s (%s)\n", login->key.name,
		    login->key.fingerprint);
	else if (login->method[0] != '\0')
		fprintf(out, "  let in   by %s, no key\n", login->method);
	if (login->line > 0)
		fprintf(out, "  line     %s:%zu: %s\n", login->file,
		    login->line, permits);
	else if (login->key.fingerprint[0] != '\0')
		fprintf(out, "  line     not known: the server does not tell "
			     "it; --server-file FILE\n");
	if (login->outcome == SSH_LOGIN_CARRIES)
		fprintf(out, "  reaches  %s\n", side->target);
	else
		fprintf(out, "  fails    %s%s%s\n",
		    login->method[0] != '\0' ? side->target : "",
		    login->method[0] != '\0' ? ": " : "", login->said);
	fflush(out);
}

static void
print_conclusion(const struct compare *compare, FILE *out)
{
	fprintf(out, "\ncause:  %s\n", compare->cause);
	if (compare->remedy[0] != '\0')
		fprintf(out, "remedy: %s\n", compare->remedy);
}

/* ---- as JSON ---- */

static void
put(struct buf *out, const char *before, const char *name, const char *value)
{
	buf_append_str(out, before);
	json_put_str(out, name);
	buf_append_str(out, ": ");
	json_put_str(out, value != NULL && *value != '\0' ? value : NULL);
}

static void
put_side(struct buf *out, const char *name, const struct compare_side *side)
{
	const struct ssh_login *login = &side->login;
	char line[24] = "null";

	if (login->line > 0)
		snprintf(line, sizeof line, "%zu", login->line);
	buf_append_str(out, ",\n ");
	json_put_str(out, name);
	put(out, ": {", "said", side->said);
	put(out, ", ", "refused", side->refused);
	put(out, ",\n  ", "method", login->method);
	put(out, ", ", "key", login->key.name);
	put(out, ", ", "fingerprint", login->key.fingerprint);
	put(out, ",\n  ", "file", login->file);
	buf_append_str(out, ", \"line\":");
	buf_append_str(out, line);
	put(out, ", ", "permits",
	    side->permits[0] != '\0' ? side->permits : login->permits);
	put(out, ",\n  ", "target", side->target);
	buf_append_str(out, ", \"reaches\":");
	buf_append_str(
	    out, login->outcome == SSH_LOGIN_CARRIES ? "true" : "false");
	put(out, ", ", "ssh_says", login->said);
	buf_append_str(out, ",\n  \"offered\":[");
	for (size_t i = 0; i < login->offered_count; i++) {
		put(out, i > 0 ? ", {" : "{", "key", login->offered[i].name);
		put(out, ", ", "fingerprint", login->offered[i].fingerprint);
		buf_append_str(out, "}");
	}
	buf_append_str(out, "]}");
}

static void
print_json(const struct compare *compare, FILE *stream)
{
	struct buf out;
	char head[64];

	buf_init(&out, JSON_MAX);
	snprintf(head, sizeof head, "{\"ok\":%s, \"status\":%d",
	    compare->status == 0 ? "true" : "false", compare->status);
	buf_append_str(&out, head);
	put(&out, ",\n ", "cause", compare->cause);
	put(&out, ",\n ", "remedy", compare->remedy);
	buf_append_str(&out, ",\n \"differences\":[");
	for (size_t i = 0; i < compare->difference_count; i++) {
		put(&out, i > 0 ? ",\n  {" : "\n  {", "setting",
		    compare->differences[i].word);
		put(&out, ", ", "first", compare->differences[i].first);
		put(&out, ", ", "second", compare->differences[i].second);
		buf_append_str(&out, "}");
	}
	buf_append_str(&out, "]");
	put_side(&out, "first", &compare->sides[0]);
	put_side(&out, "second", &compare->sides[1]);
	buf_append_str(&out, "}\n");
	if (!out.failed)
		fwrite(buf_span(&out).data, 1, buf_len(&out), stream);
	buf_fini(&out);
}

/* ---- all of it ---- */

static void
find_differences(struct compare *compare)
{
	struct compare_side *sides = compare->sides;

	compare->difference_count = compare_settings(&sides[0].settings,
	    &sides[1].settings, compare->differences, COMPARE_DIFFERENCES_MAX);
	find_target(&sides[0]);
	find_target(&sides[1]);
	for (size_t i = 0; i < 2; i++)
		if (sides[i].target[0] == '\0')
			snprintf(sides[i].target, sizeof sides[i].target, "%s",
			    sides[1 - i].target[0] != '\0'
				? sides[1 - i].target
				: compare->options->broker);
}

static void
compare_all(struct compare *compare, FILE *out)
{
	bool as_text = compare->options->form == FINDINGS_AS_TEXT;

	find_differences(compare);
	if (as_text)
		print_differences(compare, out);
	for (size_t i = 0; i < 2; i++) {
		log_in(compare, i);
		if (as_text)
			print_login(&compare->sides[i], out);
	}
	compare_conclude(compare);
	if (as_text)
		print_conclusion(compare, out);
	else
		print_json(compare, out);
}

int
doctor_compare_run(const struct doctor_compare_options *options, FILE *out,
    int *status, struct err *err)
{
	struct compare *compare = calloc(1, sizeof *compare);
	int result = -1;

	if (compare == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	compare->options = options;
	compare->sides[0].said = options->first;
	compare->sides[1].said = options->second;
	compare->differences =
	    calloc(COMPARE_DIFFERENCES_MAX, sizeof *compare->differences);
	if (compare->differences == NULL) {
		err_set(err, ERR_NOMEM, "no memory");
	} else if (read_side(compare, 0, err) == 0 &&
		   read_side(compare, 1, err) == 0 &&
		   ask_side(&compare->sides[0], err) == 0 &&
		   ask_side(&compare->sides[1], err) == 0) {
		name_sides(compare);
		compare_all(compare, out);
		*status = compare->status;
		result = 0;
	}
	for (size_t i = 0; i < 2; i++) {
		ssh_settings_fini(&compare->sides[i].settings);
		command_given_fini(&compare->sides[i].given);
	}
	free(compare->differences);
	free(compare);
	return result;
}
