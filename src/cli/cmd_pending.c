#include "commands.h"

#include "decide.h"

#include <getopt.h>
#include <stdio.h>

static const struct cmd_option options[] = {ASK_OPTIONS, GUARD_DESK_LISTS, {0}};

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

/* What a gateway says; NULL and `err`. */
static json_t *
at_gateway(struct ask *ask, struct err *err)
{
	json_t *answer = NULL, *pending;

	if (ask_begin(ask, err) == 0)
		answer = ask_gateway(ask, "pending", err);
	ask_end(ask);
	pending = json_incref(json_object_get(answer, "pending"));
	json_decref(answer);
	return pending;
}

/* Whether guards may be asked though the gateway gave no answer. */
static bool
is_there(const struct err *err)
{
	return err->code == ERR_REFUSED || err->code == ERR_UNREACHABLE;
}

/*
 * All that waits: at the gateway, and at guards through it.  A stock server is
 * no gateway; not everybody may ask a gateway, or speak with guards: what one
 * of them says is an answer, and if neither does, it is the gateway's refusal
 * that is told.
 */
static json_t *
gather(struct ask *ask, struct guard_desk *desk, struct err *err)
{
	struct err other = ERR_INIT;
	json_t *pending, *guards;

	if (desk->is_wanted)
		return guard_desk_pending(desk, err);
	pending = at_gateway(ask, err);
	if (ask->link.dest == NULL || (pending == NULL && !is_there(err)))
		return pending;
	guards = guard_desk_pending(desk, &other);
	if (pending == NULL)
		return guards;
	json_array_extend(pending, guards);
	json_decref(guards);
	return pending;
}

static int
show(struct ask *ask, struct guard_desk *desk)
{
	struct err err = ERR_INIT;
	json_t *pending;

	desk->client.link = ask->link;
	pending = gather(ask, desk, &err);
	if (pending == NULL)
		return cmd_complain(&err);
	if (ask->as_json) {
		json_dumpf(pending, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_list(pending);
	}
	json_decref(pending);
	return 0;
}

static int
run(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_reader reader = {.cmd = cmd, .argc = argc, .argv = argv};
	int id, status = 0;
	struct guard_desk desk;
	struct ask ask;

	ask_init(&ask);
	guard_desk_init(&desk);
	while ((id = cmd_next(&reader, &status)) != CMD_END) {
		if (id == CMD_STOP)
			return status;
		if (!ask_take(&reader, id, &ask, &status))
			guard_desk_take(&reader, id, &desk, &status);
		if (status != 0)
			return status;
	}
	if (argc - optind > 1)
		return cmd_misuse(
		    cmd, "unexpected word \"%s\"", argv[optind + 1]);
	cmd_keep_typed(&reader, &ask.link);
	status = ask_set_dest(cmd, &ask, optind < argc ? argv[optind] : NULL);
	if (status == 0 && ask.link.dest == NULL && desk.is_wanted)
		return cmd_misuse(
		    cmd, "guards are asked through DEST, not --state");
	return status != 0 ? status : show(&ask, &desk);
}

static const char *const synopses[] = {"[-p PORT] [-i KEY] [--json] DEST",
    "--state DIR [--json]", "--guards | --actuator NAME [--json] DEST", NULL};

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
	"With DEST, what waits for its second signature at actuators' guards "
	"(kaya-guard(5))\n"
	"is listed too: of all that answer within a second, \"actuator\" and "
	"\"publisher\"\n"
	"being whose it is and who signed first. --guards and --actuator list "
	"it alone.\n"
	"\n"
	"Exit status: 0; 1 it failed; 2 wrong usage; 3 not reachable; 4 you "
	"may "
	"not.\n",
    .options = options,
    .run = run,
};
