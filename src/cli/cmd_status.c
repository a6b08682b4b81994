#include "commands.h"

#include "ask.h"
#include "control_ask.h"
#include "dest.h"
#include "runtime.h"
#include "str.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cmd_option options[] = {ASK_OPTIONS, {0}};

static void
ask_tunnels_in(const char *dir, json_t *answers)
{
	char path[512];
	const struct dirent *entry;
	json_t *answer;
	DIR *folder = opendir(dir);

	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		if (strncmp(entry->d_name, "tunnel-", 7) != 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
		answer = control_ask(path, "status");
		if (answer != NULL)
			json_array_append_new(answers, answer);
		else if (errno == ECONNREFUSED)
			unlink(path); /* its tunnel was killed */
	}
	if (folder != NULL)
		closedir(folder);
}

static void
ask_tunnels(json_t *answers)
{
	char dir[200];

	runtime_dir(dir, sizeof dir);
	ask_tunnels_in(dir, answers);
	if (getenv("RUNTIME_DIRECTORY") == NULL)
		ask_tunnels_in(RUNTIME_OF_SERVICES, answers);
}

static void
ask_gateways(json_t *answers, const char *state_dir)
{
	char path[CONTROL_PATH_MAX];

	for (size_t i = 0; control_place(i, state_dir, path); i++) {
		json_t *answer = control_ask(path, "status");

		if (answer != NULL)
			json_array_append_new(answers, answer);
	}
}

static const char *
text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static long long
number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* A peer's text, for a terminal. */
static void
print_text(const char *before, const json_t *text)
{
	char escaped[512];

	printf("%s%s", before,
	    str_escape(
		span_of(json_string_value(text), json_string_length(text)),
		escaped, sizeof escaped));
}

static void
print_list(const char *before, const json_t *list, long long more)
{
	const json_t *text;
	size_t i;

	if (json_array_size(list) == 0 && more == 0)
		return;
	printf("\n      %s", before);
	json_array_foreach(list, i, text) print_text(i == 0 ? " " : ", ", text);
	if (more > 0)
		printf("%s%lld more", json_array_size(list) == 0 ? " " : ", ",
		    more);
}

/* One MQTT client of a device: one channel. */
static void
print_client(const json_t *channel)
{
	if (json_object_get(channel, "client_id") == NULL)
		return; /* its CONNECT has not come yet */
	print_text("    client \"", json_object_get(channel, "client_id"));
	print_text("\", user \"", json_object_get(channel, "user"));
	printf("\", MQTT %s, messages %lld in %lld out",
	    text_of(channel, "mqtt"), number_of(channel, "messages_in"),
	    number_of(channel, "messages_out"));
	if (number_of(channel, "refused") > 0)
		printf(", %lld refused", number_of(channel, "refused"));
	printf(", %lld s", number_of(channel, "since_ms") / 1000);
	print_list("subscribed to", json_object_get(channel, "subscribed"),
	    number_of(channel, "subscribed_more"));
	print_list("published to", json_object_get(channel, "published"), 0);
	putchar('\n');
}

static void
print_device(const json_t *device)
{
	const json_t *channel;
	size_t i;

	printf("  %-24s %-24s %10lld in %10lld out %8lld s\n",
	    text_of(device, "identity"), text_of(device, "address"),
	    number_of(device, "in"), number_of(device, "out"),
	    number_of(device, "since_ms") / 1000);
	json_array_foreach(json_object_get(device, "channels"), i, channel)
	    print_client(channel);
}

/* Other gateways before the same broker. */
static void
print_peers(const json_t *peers)
{
	const json_t *other;
	size_t i;

	if (!json_is_object(peers))
		return;
	printf("  this is gateway %s, %s\n", text_of(peers, "name"),
	    json_is_true(json_object_get(peers, "connected"))
		? "connected with the others' broker"
		: "without a connection to the others' broker");
	json_array_foreach(json_object_get(peers, "others"), i, other) printf(
	    "  gateway %s: %s\n", text_of(other, "name"),
	    json_is_true(json_object_get(other, "heard")) ? "heard" : "silent");
}

static void
print_gateway(const json_t *answer)
{
	const json_t *gateway = json_object_get(answer, "gateway"), *broker,
		     *device;
	size_t i;

	printf("kayad %s, pid %lld: sessions %lld, refused %lld\n",
	    text_of(answer, "version"), number_of(answer, "pid"),
	    number_of(gateway, "sessions"), number_of(gateway, "refused"));
	json_array_foreach(json_object_get(answer, "brokers"), i, broker)
	    printf("  broker %s: %s, connections %lld\n",
		text_of(broker, "address"),
		json_is_true(json_object_get(broker, "up")) ? "up" : "down",
		number_of(broker, "connected"));
	print_peers(json_object_get(answer, "peers"));
	json_array_foreach(json_object_get(gateway, "devices"), i, device)
	    print_device(device);
}

/* The judge beside an actuator, kaya-guard(5). */
static void
print_guard(const json_t *guard)
{
	const json_t *rule, *last = json_object_get(guard, "last");
	size_t i;

	if (!json_is_object(guard))
		return;
	printf("  guard of %s, %s%s: %lld wait for their second signature, "
	       "%lld for their first\n",
	    text_of(guard, "actuator"),
	    json_is_true(json_object_get(guard, "connected"))
		? "connected"
		: "without a connection of its own",
	    json_is_true(json_object_get(guard, "files_are_sound"))
		? ""
		: ", its files cannot be used (see its log)",
	    number_of(guard, "waiting"), number_of(guard, "unsigned"));
	json_array_foreach(json_object_get(guard, "protect"), i, rule)
	{
		printf("    %s", text_of(rule, "name"));
		print_list("protects", json_object_get(rule, "topics"), 0);
		putchar('\n');
	}
	if (!json_is_object(last))
		return;
	printf("    %lld s ago %s was %s", number_of(last, "ago_ms") / 1000,
	    text_of(last, "id"), text_of(last, "outcome"));
	if (strcmp(text_of(last, "cause"), "none") != 0) {
		print_text(" (", json_object_get(last, "cause"));
		putchar(')');
	}
	print_text(", on ", json_object_get(last, "topic"));
	print_text(", first signed by ", json_object_get(last, "first"));
	if (text_of(last, "second")[0] != '\0')
		print_text(", then by ", json_object_get(last, "second"));
	putchar('\n');
}

static void
print_tunnel(const json_t *answer)
{
	printf("tunnel, pid %lld: %s (%s)\n", number_of(answer, "pid"),
	    text_of(answer, "state"), text_of(answer, "why"));
	printf("  %s -> %s: clients %lld, bytes out %lld, in %lld, "
	       "connection number %lld\n",
	    text_of(answer, "listen"), text_of(answer, "server"),
	    number_of(answer, "clients"), number_of(answer, "out"),
	    number_of(answer, "in"), number_of(answer, "links"));
	print_guard(json_object_get(answer, "guard"));
}

static void
print_all(const json_t *answers, bool as_json)
{
	const json_t *answer;
	size_t i;

	if (as_json) {
		json_dumpf(answers, stdout, JSON_INDENT(2));
		putchar('\n');
		return;
	}
	json_array_foreach(answers, i, answer)(
	    json_object_get(answer, "gateway") != NULL ? print_gateway
						       : print_tunnel)(answer);
}

/* A gateway elsewhere, through SSH. */
static int
show_far(struct ask *ask)
{
	struct err err = ERR_INIT;
	json_t *answer = NULL, *answers;

	if (ask_begin(ask, &err) == 0)
		answer = ask_gateway(ask, "status", &err);
	ask_end(ask);
	if (answer == NULL)
		return cmd_complain(&err);
	answers = json_pack("[o]", answer);
	print_all(answers, ask->as_json);
	json_decref(answers);
	return 0;
}

static int
show_here(const struct ask *ask)
{
	json_t *answers = json_array();
	int status;

	ask_tunnels(answers);
	ask_gateways(answers, ask->link.state_dir);
	print_all(answers, ask->as_json);
	status = json_array_size(answers) > 0 ? 0 : 1;
	if (status != 0 && !ask->as_json)
		fputs("no tunnel and no gateway of this user is running here\n",
		    stderr);
	json_decref(answers);
	return status;
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
	if (optind == argc)
		return show_here(&ask);
	ask.link.dest = argv[optind];
	cmd_keep_typed(&reader, &ask.link);
	return show_far(&ask);
}

static const char *const synopses[] = {
    "[--state DIR] [--json]", "[-p PORT] [-i KEY] [--json] DEST", NULL};

const struct cmd cmd_status = {
    .name = "status",
    .synopses = synopses,
    .summary = "What tunnels and a gateway on this machine are doing now",
    .about =
	"Of a gateway: each device with its identity, address, bytes, and how\n"
	"long it has been there; below it each MQTT client that it carries:\n"
	"client id, user name at the broker, messages from it and to it, the\n"
	"filters that it has subscribed to (the first 16, of 1 KiB in all) "
	"and\n"
	"the topics that it published to last (four at most). Subscriptions\n"
	"that a broker kept from an earlier connection are not known here.\n"
	"\n"
	"Of a tunnel with a guard (kaya-guard(5)): the actuator, how many "
	"commands wait\n"
	"for which signature, what it protects, and what became of the last "
	"command.\n"
	"\n"
	"With DEST, what that gateway is doing, asked through SSH: for keys "
	"whose role\n"
	"in its policy has control: status. --json is an array, one object a "
	"program.\n"
	"\n"
	"Exit status: 0, or 1 where none of this user's is running; with DEST "
	"3 "
	"not\n"
	"reachable, 4 you may not.\n",
    .options = options,
    .run = run,
};
