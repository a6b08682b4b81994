#include "commands.h"

#include "clock.h"
#include "guard_offer.h"
#include "guard_talk.h"
#include "request_gateway.h"
#include "ssh_sig.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_ACTUATOR = CMD_OWN, GRACE_MS = 5000, TEXT_SIZE = 600 };

static const struct cmd_option options[] = {
    {'t', "topic", "TOPIC", "the command's topic"},
    {'m', "message", "TEXT", "the command"},
    {OPTION_ACTUATOR, "actuator", "NAME",
	"ask the guard of this actuator; without it the gateway holds the "
	"command"},
    GUARD_HAND_OPTIONS,
    {CMD_JSON, "json", NULL, "print the outcome as JSON"},
    CLIENT_LETTERS,
    CLIENT_LONG,
    {0},
};

struct request {
	struct client_options options;
	struct guard_hand hand;
	struct guard_talk talk;
	const char *actuator;
	struct span topic, payload;
	bool json;
};

/* A peer's word, for a terminal. */
static const char *
signer_of(const json_t *result, size_t i, char text[TEXT_SIZE])
{
	const json_t *by = json_array_get(json_object_get(result, "by"), i);

	if (!json_is_string(by))
		return "-";
	return str_escape(
	    span_of(json_string_value(by), json_string_length(by)), text,
	    TEXT_SIZE);
}

static void
print_outcome(const struct request *request, const struct guard_offer *offer,
    const json_t *result)
{
	char first[TEXT_SIZE], second[TEXT_SIZE], *text;
	char topic[4 * GUARD_TOPIC_MAX + 8];

	if (!request->json) {
		printf("done: %s on %s, signed by %s and %s\n", offer->id,
		    str_escape(offer->topic, topic, sizeof topic),
		    signer_of(result, 0, first), signer_of(result, 1, second));
		return;
	}
	text = json_dumps(result, JSON_COMPACT | JSON_PRESERVE_ORDER);
	puts(text != NULL ? text : "{}");
	free(text);
}

/* What became of the command of that id. */
static int
await_result(struct request *request, const struct guard_offer *offer,
    uint64_t until_ms, struct err *err)
{
	json_t *result;
	int status = -1;

	for (;;) {
		result = guard_talk_next(
		    &request->talk, GUARD_HEARD_RESULT, until_ms, err);
		if (result == NULL)
			break;
		if (strcmp(guard_talk_text(result, "id"), offer->id) == 0)
			break;
		json_decref(result);
	}
	if (result == NULL) {
		if (err->code == ERR_NONE) {
			err_set(err, ERR_TIMEOUT,
			    "the guard does not say what became of %s",
			    offer->id);
			err_hint(err, "see its log and its audit");
		}
		return -1;
	}
	if (request->json ||
	    strcmp(guard_talk_text(result, "outcome"), "done") == 0)
		print_outcome(request, offer, result);
	if (strcmp(guard_talk_text(result, "outcome"), "done") == 0)
		status = 0;
	else
		guard_talk_refusal(result, err);
	json_decref(result);
	return status;
}

static int
sign_and_wait(
    struct request *request, const struct guard_offer *offer, struct err *err)
{
	uint64_t until = clock_monotonic_ms() + offer->left_ms;
	struct guard_ask ask = {
	    .what = GUARD_DO_SIGN, .id = span_of_str(offer->id)};
	struct buf text;
	json_t *answer = NULL;
	int result = -1;

	buf_init(&text, SSH_SIG_FILE_MAX);
	if (guard_hand_sign(&request->hand, &request->options, GUARD_SIGNS,
		buf_span(&offer->statement), until, &text, err) == 0) {
		ask.signature = buf_span(&text);
		answer = guard_talk_do(&request->talk, &ask, err);
	}
	if (answer != NULL) {
		fprintf(stderr,
		    "kaya: %s waits for the second signature, %ju s at most: "
		    "kaya approve %s %s\n",
		    offer->id, (uintmax_t)(offer->left_ms / 1000),
		    request->options.link.dest, offer->id);
		result = await_result(request, offer, until + GRACE_MS, err);
	}
	json_decref(answer);
	buf_fini(&text);
	return result;
}

/* A challenge for what was asked for, and for no other actuator. */
static bool
is_ours(const struct request *request, const json_t *answer,
    struct guard_offer *offer, struct err *err)
{
	bool is_offer =
	    guard_offer_take(answer, &request->topic, &request->payload, offer);

	if (is_offer && strcmp(offer->actuator, request->actuator) == 0)
		return true;
	if (is_offer) {
		err_set(err, ERR_PROTOCOL,
		    "what answers for %s would have a command for %s signed",
		    request->actuator, offer->actuator);
		err_hint(err, "somebody may stand between: nothing is signed");
	} else {
		err_set(err, ERR_PROTOCOL,
		    "what answers for %s is no guard of this version",
		    request->actuator);
	}
	return false;
}

static int
ask_guard(struct request *request, struct err *err)
{
	struct guard_ask ask = {.what = GUARD_DO_ASK,
	    .topic = request->topic,
	    .payload = request->payload};
	struct guard_offer offer = {0};
	json_t *answer = NULL;
	int result = -1;

	if (guard_talk_start(
		&request->talk, &request->options, request->actuator, err) == 0)
		answer = guard_talk_do(&request->talk, &ask, err);
	if (answer != NULL) {
		if (is_ours(request, answer, &offer, err))
			result = sign_and_wait(request, &offer, err);
		guard_offer_fini(&offer);
	}
	json_decref(answer);
	guard_talk_stop(&request->talk);
	return result;
}

static int
take(struct request *request, const struct cmd_reader *reader, int id)
{
	if (id == 't')
		request->topic = span_of_str(reader->argument);
	if (id == 'm')
		request->payload = span_of_str(reader->argument);
	if (id == CMD_JSON)
		request->json = true;
	if (id != OPTION_ACTUATOR)
		return 0;
	request->actuator = reader->argument;
	if (str_is_name(span_of_str(reader->argument)))
		return 0;
	return cmd_misuse(
	    reader->cmd, "\"%s\" is no actuator's name", reader->argument);
}

static int
run(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_reader reader = {.cmd = cmd, .argc = argc, .argv = argv};
	struct request request = {0};
	struct err err = ERR_INIT;
	int id, status = 0;

	client_options_init(&request.options);
	while ((id = cmd_next(&reader, &status)) != CMD_END) {
		if (id == CMD_STOP)
			return status;
		if (!client_take(&reader, id, &request.options, &status) &&
		    !guard_hand_take(&reader, id, &request.hand))
			status = take(&request, &reader, id);
		if (status != 0)
			return status;
	}
	if (optind + 1 != argc)
		return cmd_misuse(cmd, "one destination, please");
	if (request.topic.data == NULL || request.payload.data == NULL)
		return cmd_misuse(
		    cmd, "a topic (-t) and a command (-m) are needed");
	status = client_check_topic(cmd, (const char *)request.topic.data);
	if (status != 0)
		return status;
	request.options.link.dest = argv[optind];
	cmd_keep_typed(&reader, &request.options.link);
	mosquitto_lib_init();
	if ((request.actuator != NULL
		    ? ask_guard(&request, &err)
		    : request_gateway(
			  &(struct request_gateway){&request.options,
			      request.topic, request.payload, request.json},
			  &err)) != 0)
		status = cmd_complain(&err);
	mosquitto_lib_cleanup();
	return status;
}

static const char *const synopses[] = {
    "DEST -t TOPIC -m TEXT [--actuator NAME] [--sign-key FILE]", NULL};

const struct cmd cmd_request = {
    .name = "request",
    .synopses = synopses,
    .summary = "Ask for a command that needs two, and wait for the outcome",
    .about =
	"With --actuator the actuator's own guard is the judge "
	"(kaya-guard(5)): it\n"
	"gives a challenge, the command is signed with it, and a second "
	"person signs\n"
	"the same (kaya approve) before it reaches the actuator. Without, the "
	"gateway\n"
	"holds the command until somebody else agrees (kaya-policy(5)); what "
	"became of it\n"
	"is read on $kaya/result/NAME, where the policy lets NAME subscribe, "
	"and from the\n"
	"acknowledgement in MQTT 5.0.\n"
	"\n"
	"What is signed is a file that a person can read, in OpenSSH's form "
	"(namespace\n"
	"kaya-command). To sign it elsewhere: --statement FILE --signature "
	"FILE.sig,\n"
	"and then ssh-keygen -Y sign -n kaya-command -f KEY FILE.\n"
	"\n"
	"That it is done is the guard's word as the broker brings it, and no "
	"proof: who\n"
	"owns the broker can say so where nothing has moved. The guard's audit "
	"is the proof\n"
	"(kaya audit verify).\n"
	"\n"
	"Exit status: 0 done, 1 not done (time, no client, ...), 2 wrong "
	"usage, 3 not\n"
	"reachable, 4 refused or denied, 5 not the host that it was.\n",
    .options = options,
    .run = run,
};
