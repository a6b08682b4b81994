#include "decide.h"

#include "control_ask.h"
#include "str.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { ID_DIGITS = 16, TEXT_SIZE = 4096 };

/* ---- words ---- */

/* 16 hex digits, behind a guard's name and a dot where it is a guard's. */
static bool
is_id(const char *word)
{
	const char *dot = strrchr(word, '.');
	const char *hex = dot == NULL ? word : dot + 1;

	if (dot != NULL && !str_is_name(span_of(word, (size_t)(dot - word))))
		return false;
	return strlen(hex) == ID_DIGITS &&
	       strspn(hex, "0123456789abcdef") == ID_DIGITS;
}

static int
take_words(
    struct decide *decide, const struct cmd *cmd, int count, char **words)
{
	const char *dest = NULL;
	size_t len = 0;

	/* DEST is left out only where --state stands in its place. */
	if (decide->ask.link.state_dir == NULL || count == 0 ||
	    !is_id(words[0])) {
		dest = count > 0 ? words[0] : NULL;
		words += count > 0;
		count -= count > 0;
	}
	if (dest == NULL && decide->ask.link.state_dir == NULL)
		return cmd_misuse(
		    cmd, "name a gateway, or its state folder: --state DIR");
	if (count == 0)
		return cmd_misuse(cmd, "name the command by its id: see kaya "
				       "pending");
	if (!is_id(words[0]))
		return cmd_misuse(cmd,
		    "\"%.64s\" is no id: 16 digits of 0-9 and a-f, as kaya "
		    "pending shows them",
		    words[0]);
	decide->id = words[0];
	for (int i = 1; i < count; i++) {
		len += (size_t)snprintf(decide->reason + len,
		    sizeof decide->reason - len, "%s%s", i > 1 ? " " : "",
		    words[i]);
		if (len >= sizeof decide->reason)
			return cmd_misuse(cmd, "the reason is too long: at "
					       "most 255 bytes");
	}
	if (strpbrk(decide->reason, "\r\n") != NULL)
		return cmd_misuse(cmd, "the reason has to be one line");
	return ask_set_dest(cmd, &decide->ask, dest);
}

int
decide_read(struct decide *decide, const struct cmd *cmd, int argc, char **argv,
    bool *is_over)
{
	struct cmd_reader reader = {.cmd = cmd, .argc = argc, .argv = argv};
	int id, status = 0;

	*is_over = true;
	ask_init(&decide->ask);
	guard_desk_init(&decide->desk);
	while ((id = cmd_next(&reader, &status)) != CMD_END) {
		if (id == CMD_STOP)
			return status;
		if (!ask_take(&reader, id, &decide->ask, &status))
			guard_desk_take(&reader, id, &decide->desk, &status);
		if (status != 0)
			return status;
	}
	cmd_keep_typed(&reader, &decide->ask.link);
	status = take_words(decide, cmd, argc - optind, argv + optind);
	*is_over = status != 0;
	return status;
}

/* ---- showing ---- */

const json_t *
decide_find(const json_t *pending, const char *id)
{
	const json_t *command;
	size_t i;

	json_array_foreach(json_object_get(pending, "pending"), i, command)
	{
		const char *its =
		    json_string_value(json_object_get(command, "id"));

		if (its != NULL && strcmp(its, id) == 0)
			return command;
	}
	return NULL;
}

void
decide_show(const json_t *command)
{
	char topic[TEXT_SIZE], text[TEXT_SIZE];
	json_int_t left_ms =
	    json_integer_value(json_object_get(command, "left_ms"));

	printf("%s: ", ask_text(command, "topic", topic, sizeof topic));
	if (json_is_string(json_object_get(command, "payload")))
		printf("%s\n", ask_text(command, "payload", text, sizeof text));
	else
		printf("%lld bytes that are no text\n",
		    (long long)json_integer_value(
			json_object_get(command, "bytes")));
	printf("  by %s, ", ask_text(command, "publisher", text, sizeof text));
	printf("rule %s, ", ask_text(command, "rule", text, sizeof text));
	printf("payload's SHA-256 %s\n",
	    ask_text(command, "payload_sha256", text, sizeof text));
	printf("  id %s, ", ask_text(command, "id", text, sizeof text));
	if (json_is_string(json_object_get(command, "gateway")))
		printf("held at %s, ",
		    ask_text(command, "gateway", text, sizeof text));
	printf("%lld s left\n", (long long)(left_ms / 1000));
}

/* ---- deciding ---- */

static int
tell(const struct decide *decide, const json_t *command, json_t *answer)
{
	char outcome[TEXT_SIZE], cause[TEXT_SIZE];
	bool is_done;

	ask_text(answer, "outcome", outcome, sizeof outcome);
	is_done =
	    strcmp(json_string_value(json_object_get(answer, "outcome")) ?: "",
		decide->outcome) == 0;
	if (decide->ask.as_json) {
		if (command != NULL)
			json_object_set(answer, "command", (json_t *)command);
		json_dumpf(answer, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		printf("%s", outcome);
		if (!is_done)
			printf(": %s",
			    ask_text(answer, "cause", cause, sizeof cause));
		putchar('\n');
	}
	return is_done ? 0 : 1;
}

static int
decide_with(struct decide *decide, const json_t *pending)
{
	const json_t *command = decide_find(pending, decide->id);
	struct err err = ERR_INIT;
	char request[512];
	json_t *answer;
	int status;

	/* What is decided on is shown first, whatever comes of it. */
	if (command != NULL && !decide->ask.as_json) {
		decide_show(command);
		fflush(stdout);
	}
	snprintf(request, sizeof request, "%s %s%s%s", decide->verb, decide->id,
	    decide->reason[0] != '\0' ? " " : "", decide->reason);
	answer = ask_gateway(&decide->ask, request, &err);
	if (answer == NULL)
		return cmd_complain(&err);
	status = tell(decide, command, answer);
	json_decref(answer);
	return status;
}

/* ---- at an actuator's guard ---- */

static int
decide_at_guard(struct decide *decide)
{
	struct err err = ERR_INIT;
	json_t *outcome;
	int status;

	if (decide->ask.link.dest == NULL) {
		err_set(&err, ERR_USAGE,
		    "%s is a command of an actuator's guard, not of the "
		    "gateway's",
		    decide->id);
		err_hint(&err, "name DEST in place of --state: kaya %s DEST %s",
		    decide->verb, decide->id);
		return cmd_complain(&err);
	}
	decide->desk.client.link = decide->ask.link;
	outcome =
	    guard_desk_decide(&decide->desk, decide->id, decide->what, &err);
	if (outcome == NULL)
		return cmd_complain(&err);
	decide->outcome =
	    decide->what == GUARD_DO_SIGN ? "done" : decide->outcome;
	status = tell(decide, NULL, outcome);
	if (status != 0) {
		guard_talk_refusal(outcome, &err);
		status = cmd_complain(&err);
	}
	json_decref(outcome);
	return status;
}

int
decide_run(struct decide *decide)
{
	struct err err = ERR_INIT;
	json_t *pending = NULL;
	int status;

	if (guard_desk_is_id(decide->id))
		return decide_at_guard(decide);
	if (ask_begin(&decide->ask, &err) != 0)
		return cmd_complain(&err);
	pending = ask_gateway(&decide->ask, "pending", &err);
	status =
	    pending == NULL ? cmd_complain(&err) : decide_with(decide, pending);
	json_decref(pending);
	ask_end(&decide->ask);
	return status;
}
