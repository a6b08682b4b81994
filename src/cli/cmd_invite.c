#include "commands.h"

#include "control_ask.h"
#include "str.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	OPTION_FOR = CMD_OWN,
	OPTION_ROLE,
	OPTION_ALSO,
	OPTION_LIST,
	OPTION_CANCEL,
	FOR_DEFAULT_S = 3600,
	FOR_MAX_S = 30 * 24 * 3600,
	GATEWAY_PORT = 2222 /* that kaya enroll tries by itself */
};

static const struct cmd_option options[] = {
    {OPTION_FOR, "for", "TIME",
	"how long the code is good: 90s, 30m, 12h, 7d (1h; 30d at most)"},
    {OPTION_ROLE, "role", "ROLE", "the role of the identity at the gateway"},
    {OPTION_ALSO, "also", NULL,
	"allow a second key of the same identity, while one replaces the "
	"other"},
    {OPTION_LIST, "list", NULL, "the invitations that there are"},
    {OPTION_CANCEL, "cancel", "NAME",
	"cancel the invitation: its code lets nobody in any more"},
    {CMD_STATE, "state", "DIR", "the gateway's state folder (kayad --state)"},
    {CMD_JSON, "json", NULL,
	"a JSON object (--list: an array) in place of text"},
    {0},
};

struct wanted {
	const char *name, *role, *state_dir, *cancel;
	uint64_t for_s;
	bool also, lists, as_json;
};

/* ---- the answers ---- */

static const char *
text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static void
print_json(const json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
}

static void
time_text(json_int_t until_s, char text[32])
{
	time_t at = (time_t)until_s;
	struct tm tm;

	if (localtime_r(&at, &tm) == NULL ||
	    strftime(text, 32, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		snprintf(text, 32, "%lld", (long long)until_s);
}

/*
 * The code alone is data; what is to be done with it is for the person who
 * asked for it.
 */
static void
print_code(const json_t *answer, const struct wanted *wanted)
{
	long long port = json_integer_value(json_object_get(answer, "port"));
	char until[32], host[256] = "GATEWAY", place[32] = "";

	if (gethostname(host, sizeof host - 1) != 0)
		strcpy(host, "GATEWAY");
	time_text(json_integer_value(json_object_get(answer, "until")), until);
	printf("%s\n", text_of(answer, "code"));
	fflush(stdout);
	if (port != GATEWAY_PORT)
		snprintf(place, sizeof place, ":%lld", port);
	if (json_is_true(json_object_get(answer, "replaced")))
		fprintf(stderr, "the code before it is cancelled\n");
	fprintf(stderr,
	    "\nIt lets one key in as %s, once, until %s. At the device,\n"
	    "where %s is what it reaches this machine by:\n\n"
	    "  kaya enroll %s%s --code %s\n\n"
	    "or with a stock ssh, which asks for the code (its exit status is "
	    "255 in any case):\n\n"
	    "  ssh -p %lld -o IdentitiesOnly=yes -i KEY enroll@%s\n\n"
	    "and this gateway's host key is %s\n",
	    wanted->name, until, host, host, place, text_of(answer, "code"),
	    port, host, text_of(answer, "host_key"));
}

static void
print_list(const json_t *list)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		char until[32];

		time_text(
		    json_integer_value(json_object_get(item, "until")), until);
		printf("%-24s %-10s until %s%s%s\n", text_of(item, "name"),
		    text_of(item, "state"), until,
		    text_of(item, "role")[0] != '\0' ? " role " : "",
		    text_of(item, "role"));
	}
	if (json_array_size(list) == 0)
		fputs("nobody is invited\n", stderr);
}

/* ---- the three things that can be asked for ---- */

static json_t *
ask(const struct wanted *wanted, struct err *err)
{
	char request[400];

	if (wanted->lists)
		strcpy(request, "invitations");
	else if (wanted->cancel != NULL)
		snprintf(request, sizeof request, "cancel-invitation %s",
		    wanted->cancel);
	else
		snprintf(request, sizeof request, "invite %s %llu %s %s",
		    wanted->name, (unsigned long long)wanted->for_s,
		    wanted->role != NULL ? wanted->role : "-",
		    wanted->also ? "more" : "one");
	return control_ask_gateway(wanted->state_dir, request, err);
}

static int
invite(const struct wanted *wanted)
{
	struct err err = ERR_INIT;
	json_t *answer = ask(wanted, &err);
	const json_t *list = json_object_get(answer, "invitations");

	if (answer == NULL)
		return cmd_complain(&err);
	if (wanted->as_json)
		print_json(list != NULL ? list : answer);
	else if (wanted->lists)
		print_list(list);
	else if (wanted->cancel != NULL)
		fprintf(stderr, "the code of %s lets nobody in any more\n",
		    wanted->cancel);
	else
		print_code(answer, wanted);
	json_decref(answer);
	return 0;
}

/* ---- the command ---- */

/* "90s", "30m", "12h", "7d". */
static bool
read_time(const char *text, uint64_t *seconds)
{
	static const struct {
		char letter;
		uint32_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	size_t len = strlen(text);

	for (size_t i = 0; len > 1 && i < 4; i++)
		if (text[len - 1] == units[i].letter &&
		    str_to_u64(span_of(text, len - 1), 1,
			FOR_MAX_S / units[i].seconds, seconds)) {
			*seconds *= units[i].seconds;
			return true;
		}
	return false;
}

/* 0, or 2 where it was told that it is none. */
static int
take_name(const struct cmd_reader *reader, const char *what, const char **name)
{
	char word[128];

	*name = reader->argument;
	if (str_is_name(span_of_str(*name)))
		return 0;
	str_escape(span_of_str(*name), word, sizeof word);
	return cmd_misuse(reader->cmd,
	    "%s \"%s\" is no name: use 1 to 64 of A-Z a-z 0-9 . _ -", what,
	    word);
}

static int
take_option(const struct cmd_reader *reader, int id, struct wanted *wanted)
{
	switch (id) {
	case OPTION_FOR:
		if (!read_time(reader->argument, &wanted->for_s))
			return cmd_misuse(reader->cmd,
			    "--for \"%s\" is no time from 1s to 30d: write "
			    "90s, 30m, 12h, 7d",
			    reader->argument);
		break;
	case OPTION_ROLE:
		return take_name(reader, "--role", &wanted->role);
	case OPTION_CANCEL:
		return take_name(reader, "--cancel", &wanted->cancel);
	case OPTION_ALSO:
		wanted->also = true;
		break;
	case OPTION_LIST:
		wanted->lists = true;
		break;
	case CMD_STATE:
		wanted->state_dir = reader->argument;
		break;
	case CMD_JSON:
		wanted->as_json = true;
		break;
	}
	return 0;
}

static int
run(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_reader reader = {.cmd = cmd, .argc = argc, .argv = argv};
	struct wanted wanted = {.for_s = FOR_DEFAULT_S};
	int id, status = 0, words;

	while ((id = cmd_next(&reader, &status)) != CMD_END) {
		if (id == CMD_STOP)
			return status;
		status = take_option(&reader, id, &wanted);
		if (status != 0)
			return status;
	}
	words = argc - optind;
	if (wanted.lists && wanted.cancel != NULL)
		return cmd_misuse(cmd, "--list and --cancel are two things");
	if (wanted.lists || wanted.cancel != NULL) {
		if (words > 0)
			return cmd_misuse(
			    cmd, "unexpected word \"%s\"", argv[optind]);
		return invite(&wanted);
	}
	if (words != 1)
		return cmd_misuse(cmd, "name the one who is invited");
	reader.argument = argv[optind];
	status = take_name(&reader, "NAME", &wanted.name);
	return status != 0 ? status : invite(&wanted);
}

static const char *const synopses[] = {
    "[--for TIME] [--role ROLE] [--also] [--state DIR] [--json] NAME",
    "--list [--state DIR] [--json]", "--cancel NAME [--state DIR] [--json]",
    NULL};

const struct cmd cmd_invite = {
    .name = "invite",
    .synopses = synopses,
    .summary = "Make a one-time code that lets one new key in at a gateway",
    .about =
	"To be run where kayad runs, as its user or as root. The code goes to\n"
	"standard output, what to do with it to standard error. It lets one\n"
	"key in under NAME, once, until its time is over; a new code for NAME\n"
	"cancels the one before. kayad keeps its hash alone: a code that is\n"
	"lost is made anew.\n"
	"\n"
	"At the device either of these takes it:\n"
	"\n"
	"kaya enroll HOST --code CODE\n"
	"\n"
	"ssh -p 2222 -o IdentitiesOnly=yes -i KEY enroll@HOST\n"
	"\n"
	"The first makes a key, knows the gateway by the code, and proves "
	"that\n"
	"the key can do what it should. The second asks for the code and "
	"shows\n"
	"the fingerprint of the key that is about to be let in; compare the\n"
	"host key that ssh shows with the one that this command prints. What\n"
	"came of it is said in a line, \"kaya: enrolled as NAME "
	"(SHA256:...)\"\n"
	"or why not; ssh then ends with 255 in any case, for nobody is logged\n"
	"in by it.\n"
	"\n"
	"Exit status: 0; 1 it failed; 2 wrong usage; 3 no kayad answers here;\n"
	"4 it is another user's.\n",
    .options = options,
    .run = run,
};
