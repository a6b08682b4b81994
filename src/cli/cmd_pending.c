#include "commands.h"

#include "decide.h"

#include <getopt.h>
#include <stdio.h>

static const struct cmd_option options[] = {ASK_OPTIONS, {0}};

static void
print_list(const json_t *pending)
{
	const json_t *command;
	size_t i;

	json_array_foreach(pending, i, command)
	{
		if (i > 0)
			putchar('\n');
		decide_show(command);
		if (json_is_false(json_object_get(command, "may_i")))
			printf("  not yours to agree to\n");
	}
	if (json_array_size(pending) == 0)
		fputs("nothing waits\n", stderr);
}

static int
show(struct ask *ask)
{
	struct err err = ERR_INIT;
	json_t *answer = NULL;
	const json_t *pending;

	if (ask_begin(ask, &err) == 0)
		answer = ask_gateway(ask, "pending", &err);
	ask_end(ask);
	if (answer == NULL)
		return cmd_complain(&err);
	pending = json_object_get(answer, "pending");
	if (ask->as_json) {
		json_dumpf(pending, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_list(pending);
	}
	json_decref(answer);
	return 0;
}

static int
run(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_reader reader = {.cmd = cmd, .argc = argc, .argv = argv};
	int id, status = 0;
	struct ask ask;

	ask_init(&ask);
	while ((id = cmd_next(&reader, &status)) != CMD_END) {
		if (id == CMD_STOP)
			return status;
		(void)ask_take(&reader, id, &ask, &status);
		if (status != 0)
			return status;
	}
	if (argc - optind > 1)
		return cmd_misuse(
		    cmd, "unexpected word \"%s\"", argv[optind + 1]);
	status = ask_set_dest(cmd, &ask, optind < argc ? argv[optind] : NULL);
	return status != 0 ? status : show(&ask);
}

static const char *const synopses[] = {
    "[-p PORT] [-i KEY] [--json] DEST", "--state DIR [--json]", NULL};

const struct cmd cmd_pending = {
    .name = "pending",
    .synopses = synopses,
    .summary = "The commands that wait for a second person",
    .about =
	"Each with its topic and payload, who asked for it, the rule that "
	"holds "
	"it, its\n"
	"id, and how long it waits yet. --json is an array with the same: "
	"\"id\", "
	"\"rule\",\n"
	"\"topic\", \"payload\" (null where it is no text), "
	"\"payload_sha256\", "
	"\"bytes\", \"qos\",\n"
	"\"publisher\", \"since_ms\", \"left_ms\", \"gateway\" (null: the one "
	"that was asked),\n"
	"\"may_i\".\n"
	"\n"
	"Exit status: 0; 1 it failed; 2 wrong usage; 3 not reachable; 4 you "
	"may "
	"not.\n",
    .options = options,
    .run = run,
};
