#include "commands.h"

#include "clock.h"
#include "condition.h"
#include "guard_desk.h"
#include "guard_offer.h"
#include "log.h"
#include "mqtt_topic.h"
#include "ssh_sig.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>

enum {
	OPTION_ACTUATOR = CMD_OWN,
	OPTION_COMMAND,
	OPTION_FILE,
	OPTION_BETWEEN,
	FILTERS_MAX = 32,
	WAITING_MAX = 64, /* a guard has 16 at most */
	LOOK_MS = 1000 /* a condition that does not hold is tried again */
};

static const struct cmd_option options[] = {
    {OPTION_ACTUATOR, "actuator", "NAME", "for commands of this actuator"},
    {'t', "topic", "FILTER", "and of topics that match (repeatable)"},
    {OPTION_COMMAND, "while-command", "COMMAND",
	"while this ends with status 0 (in 5 s)"},
    {OPTION_FILE, "while-file", "FILE[=VALUE]",
	"while this file holds VALUE (1), as a GPIO's does"},
    {OPTION_BETWEEN, "between", "HH:MM-HH:MM",
	"between these times of day, by this machine's clock"},
    GUARD_HAND_OPTIONS,
    CLIENT_LETTERS,
    CLIENT_LONG,
    {0},
};

struct permit {
	struct client_options options;
	struct guard_hand hand;
	struct guard_talk talk;
	struct conditions conditions;
	const char *actuator;
	const char *filters[FILTERS_MAX];
	size_t filter_count;
	json_t *waiting; /* commands that are not signed yet, by their ids */
};

static volatile sig_atomic_t is_interrupted;

static void
on_interrupt(int number)
{
	(void)number;
	is_interrupted = 1;
}

/* ---- one command ---- */

static bool
is_ours(const struct permit *permit, const struct guard_offer *offer)
{
	if (strcmp(offer->actuator, permit->actuator) != 0)
		return false;
	for (size_t i = 0; i < permit->filter_count; i++)
		if (mqtt_topic_matches(
			span_of_str(permit->filters[i]), offer->topic))
			return true;
	return false;
}

/* Remember it until it is signed, or over. */
static void
take(struct permit *permit, json_t *command)
{
	struct guard_offer offer;

	if (guard_offer_take(command, NULL, NULL, &offer) &&
	    is_ours(permit, &offer) &&
	    json_object_size(permit->waiting) < WAITING_MAX &&
	    json_object_get(permit->waiting, offer.id) == NULL) {
		json_object_set_new(command, "until",
		    json_integer((json_int_t)clock_monotonic_ms() +
				 (json_int_t)offer.left_ms));
		json_object_set(permit->waiting, offer.id, command);
	}
	guard_offer_fini(&offer);
}

static int
sign(struct permit *permit, const struct guard_offer *offer, struct err *err)
{
	struct guard_ask ask = {
	    .what = GUARD_DO_SIGN, .id = span_of_str(offer->id)};
	struct err refusal = ERR_INIT;
	json_t *answer = NULL;
	struct buf text;
	int result;

	buf_init(&text, SSH_SIG_FILE_MAX);
	result = guard_hand_sign(&permit->hand, &permit->options, GUARD_SIGNS,
	    buf_span(&offer->statement), 0, &text, err);
	if (result == 0) {
		ask.signature = buf_span(&text);
		answer = guard_talk_do(&permit->talk, &ask, &refusal);
		if (answer != NULL)
			log_event(LOG_LEVEL_INFO, "permit", "signed", "%s",
			    offer->id);
		else
			log_err(LOG_LEVEL_WARN, "permit", "refused", &refusal);
	}
	json_decref(answer);
	buf_fini(&text);
	return result;
}

/* True where nothing is to be done about it any more. */
static bool
consider(struct permit *permit, json_t *command, struct err *err)
{
	uint64_t until =
	    (uint64_t)json_integer_value(json_object_get(command, "until"));
	struct condition_about about;
	struct guard_offer offer;
	char why[256];
	bool is_over = true;

	if (clock_monotonic_ms() >= until)
		return true;
	if (guard_offer_take(command, NULL, NULL, &offer)) {
		about = (struct condition_about){
		    offer.id, offer.topic, offer.payload};
		is_over = condition_holds(
		    &permit->conditions, &about, why, sizeof why);
		if (is_over)
			sign(permit, &offer, err);
		else if (json_object_get(command, "told") == NULL)
			log_event(LOG_LEVEL_INFO, "permit", "not-now", "%s: %s",
			    offer.id, why);
		json_object_set_new(command, "told", json_true());
	}
	guard_offer_fini(&offer);
	return is_over;
}

static int
consider_all(struct permit *permit, struct err *err)
{
	const char *id;
	json_t *command;
	void *next;

	json_object_foreach_safe(permit->waiting, next, id, command)
	{
		if (consider(permit, command, err))
			json_object_del(permit->waiting, id);
		if (err->code != ERR_NONE)
			return -1;
	}
	return 0;
}

/* ---- one connection after the other ---- */

static int
talk(struct permit *permit, struct err *err)
{
	struct guard_ask ask = {.what = GUARD_DO_LIST};
	json_t *command, *list;

	/* What waited before we came. */
	list = guard_talk_do(&permit->talk, &ask, err);
	if (list == NULL && err->code != ERR_TIMEOUT)
		return -1;
	/* A guard that is not there yet will tell. */
	err_clear(err);
	for (size_t i = 0;
	     i < json_array_size(json_object_get(list, "pending")); i++)
		take(permit,
		    json_array_get(json_object_get(list, "pending"), i));
	json_decref(list);
	while (!is_interrupted) {
		if (consider_all(permit, err) != 0)
			return -1;
		command = guard_talk_next(&permit->talk, GUARD_HEARD_PENDING,
		    clock_monotonic_ms() + LOOK_MS, err);
		if (command == NULL && err->code != ERR_NONE)
			return -1;
		if (command != NULL)
			take(permit, command);
		json_decref(command);
	}
	return 0;
}

static int
serve(struct permit *permit)
{
	struct retry retry = {0};
	bool was_there = false;

	for (;;) {
		uint64_t began = clock_monotonic_ms();
		struct err err = ERR_INIT;
		int result = guard_talk_start(
		    &permit->talk, &permit->options, permit->actuator, &err);

		if (result == 0) {
			was_there = true;
			log_event(LOG_LEVEL_INFO, "permit", "ready",
			    "permits for %s", permit->actuator);
			result = talk(permit, &err);
		}
		guard_talk_stop(&permit->talk);
		if (result == 0 || is_interrupted)
			return 0;
		if (!was_there ||
		    (err.code != ERR_UNREACHABLE && err.code != ERR_TIMEOUT))
			return cmd_complain(&err);
		cmd_complain(&err);
		client_rest(&retry, began);
	}
}

/* ---- options ---- */

static int
take_option(struct permit *permit, const struct cmd_reader *reader, int id)
{
	static const enum condition_kind kinds[] = {
	    [OPTION_COMMAND - CMD_OWN] = CONDITION_COMMAND,
	    [OPTION_FILE - CMD_OWN] = CONDITION_FILE,
	    [OPTION_BETWEEN - CMD_OWN] = CONDITION_TIME,
	};
	struct err err = ERR_INIT;

	switch (id) {
	case OPTION_ACTUATOR:
		permit->actuator = reader->argument;
		if (!str_is_name(span_of_str(reader->argument)))
			return cmd_misuse(reader->cmd,
			    "\"%s\" is no actuator's name", reader->argument);
		break;
	case 't':
		if (permit->filter_count == FILTERS_MAX)
			return cmd_misuse(reader->cmd, "too many filters");
		permit->filters[permit->filter_count++] = reader->argument;
		return client_check_filter(reader->cmd, reader->argument);
	case OPTION_COMMAND:
	case OPTION_FILE:
	case OPTION_BETWEEN:
		if (condition_add(&permit->conditions, kinds[id - CMD_OWN],
			reader->argument, &err) != 0)
			return cmd_complain(&err);
		break;
	}
	return 0;
}

static int
run(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_reader reader = {.cmd = cmd, .argc = argc, .argv = argv};
	const struct sigaction action = {.sa_handler = on_interrupt};
	struct permit permit = {.waiting = NULL};
	int id, status = 0;

	client_options_init(&permit.options);
	while ((id = cmd_next(&reader, &status)) != CMD_END) {
		if (id == CMD_STOP)
			return status;
		if (!client_take(&reader, id, &permit.options, &status) &&
		    !guard_hand_take(&reader, id, &permit.hand))
			status = take_option(&permit, &reader, id);
		if (status != 0)
			return status;
	}
	if (optind + 1 != argc)
		return cmd_misuse(cmd, "one destination, please");
	if (permit.actuator == NULL || permit.filter_count == 0)
		return cmd_misuse(
		    cmd, "an actuator (--actuator) and topics (-t) are needed");
	if (permit.conditions.count == 0)
		return cmd_misuse(cmd,
		    "a condition is needed: --while-command, --while-file or "
		    "--between");
	if (permit.hand.signature != NULL)
		return cmd_misuse(
		    cmd, "nobody is there to sign: --sign-key, please");
	permit.options.link.dest = argv[optind];
	cmd_keep_typed(&reader, &permit.options.link);
	permit.waiting = json_object();
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	mosquitto_lib_init();
	status = serve(&permit);
	mosquitto_lib_cleanup();
	json_decref(permit.waiting);
	return status;
}

static const char *const synopses[] = {
    "DEST --actuator NAME -t FILTER... [--while-command COMMAND] "
    "[--while-file FILE[=VALUE]] [--between HH:MM-HH:MM] [--sign-key FILE]",
    NULL};

const struct cmd cmd_permit = {
    .name = "permit",
    .synopses = synopses,
    .summary = "Sign in place of the second person, while a condition holds",
    .about =
	"A device's own permission: when a person has asked for a command "
	"(kaya\n"
	"request), and every condition named holds on this device, it gives "
	"the second\n"
	"signature. While one does not hold it looks again each second, until "
	"the time\n"
	"for the command is over. A command of --while-command finds KAYA_ID, "
	"KAYA_TOPIC\n"
	"and KAYA_PAYLOAD in its environment. The device's key stands in the "
	"guard's\n"
	"allowed_signers, and its name in a role under permit "
	"(kaya-guard(5)).\n"
	"\n"
	"It runs until it is ended, and connects again when the connection is "
	"lost.\n",
    .options = options,
    .run = run,
};
