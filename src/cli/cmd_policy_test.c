#include "cmd_policy.h"

#include "policy_explain.h"
#include "str.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SENTENCE_MAX = 1024, RULE_TEXT_MAX = 256, PARTS_MAX = 8 };

static const struct cmd_option options[] = {
    {POLICY_CLIENT_ID, "client-id", "ID",
	"the client id, which %c stands for (default: IDENTITY)"},
    {POLICY_ROLE, "role", "ROLE", "the role in the line of its key"},
    {POLICY_QOS_ASKED, "qos", "N", "0, 1 or 2 (default: 0)"},
    {POLICY_RETAINED, "retain", NULL, "a publish that is to be retained"},
    {POLICY_MESSAGE, "message", "TEXT", "the payload of a publish"},
    {CMD_JSON, "json", NULL, "a JSON object in place of text"},
    {0},
};

/* In the order of enum policy_action. */
static const char *const actions[] = {"publish", "subscribe", "deliver", NULL};

static const char refused[] = "refused";

struct question {
	const char *file, *identity, *topic;
	const char *client_id, *role, *message;
	enum policy_action action;
	uint8_t qos;
	bool is_retained, as_json;
};

struct answer {
	const char *name; /* of the verdict */
	bool is_allowed;
	char sentence[SENTENCE_MAX];
	const char *file;
	const struct policy_rule *why; /* may be NULL */
	const struct policy_rule *parts[PARTS_MAX];
	size_t part_count;
	uint8_t qos;
};

/* ---- asking ---- */

static void
ask_client_id(
    const struct question *q, struct policy_who *who, struct answer *answer)
{
	const char *id = q->client_id != NULL ? q->client_id : q->identity;
	char shown[160];
	struct span owner;

	str_escape(span_of_str(id), shown, sizeof shown);
	switch (policy_client_id(who, span_of_str(id), NULL, &owner)) {
	case POLICY_CLIENT_ID_ALLOWED:
		return;
	case POLICY_CLIENT_ID_OF_ANOTHER:
		snprintf(answer->sentence, sizeof answer->sentence,
		    "client id \"%s\" belongs to identity %.*s", shown,
		    (int)owner.len, (const char *)owner.data);
		break;
	case POLICY_CLIENT_ID_PATTERN:
		snprintf(answer->sentence, sizeof answer->sentence,
		    "client id \"%s\" fits none of the patterns that the roles "
		    "ask for",
		    shown);
		break;
	}
	answer->name = "client-id";
}

static enum policy_verdict
ask_verdict(const struct question *q, const struct policy_who *who,
    struct answer *answer)
{
	struct policy_message message = {.topic = span_of_str(q->topic),
	    .qos = q->qos,
	    .is_retained = q->is_retained};

	answer->qos = q->qos;
	switch (q->action) {
	case POLICY_PUBLISH:
		if (q->message != NULL) {
			message.payload = span_of_str(q->message);
			message.size = message.payload.len;
		}
		return policy_publish(who, &message, &answer->why);
	case POLICY_SUBSCRIBE:
		return policy_subscribe(
		    who, message.topic, &answer->qos, &answer->why);
	case POLICY_DELIVER:
		break;
	}
	return policy_deliver(who, message.topic, &answer->why);
}

static void
ask(const struct question *q, const struct policy *policy,
    struct answer *answer)
{
	struct policy_question question = {
	    .action = q->action, .topic = span_of_str(q->topic)};
	struct policy_who who;

	answer->file = policy_file(policy);
	policy_who_init(&who, policy, span_of_str(q->identity),
	    span_of_str(q->role != NULL ? q->role : ""));
	ask_client_id(q, &who, answer);
	if (answer->name != NULL)
		return;
	question.who = &who;
	question.verdict = ask_verdict(q, &who, answer);
	question.why = answer->why;
	answer->name = policy_verdict_name(question.verdict);
	answer->is_allowed = question.verdict == POLICY_ALLOWED;
	policy_explain(&question, answer->sentence, sizeof answer->sentence);
	if (question.verdict == POLICY_REFUSED && q->action == POLICY_SUBSCRIBE)
		answer->part_count = policy_partial(
		    &who, span_of_str(q->topic), answer->parts, PARTS_MAX);
}

/* ---- telling ---- */

static void
print_rule(const struct answer *answer, const struct policy_rule *rule,
    const char *words)
{
	char text[RULE_TEXT_MAX];

	printf("%s:%zu:%zu: %s%s\n", answer->file, rule->line, rule->column,
	    policy_rule_text(rule, text, sizeof text), words);
}

/* "allowed: ...", "refused: ...", "refused (qos): ..." */
static void
print_text(const struct question *q, const struct answer *answer)
{
	bool is_plain =
	    answer->is_allowed || strcmp(answer->name, refused) == 0;

	printf("%s%s%s%s: %s\n", answer->is_allowed ? answer->name : refused,
	    is_plain ? "" : " (", is_plain ? "" : answer->name,
	    is_plain ? "" : ")", answer->sentence);
	if (answer->why != NULL)
		print_rule(answer, answer->why, "");
	for (size_t i = 0; i < answer->part_count; i++)
		print_rule(answer, answer->parts[i], " (reaches a part of it)");
	if (answer->is_allowed && answer->qos < q->qos)
		printf("granted with QoS %u\n", answer->qos);
}

static json_t *
json_rule(const struct answer *answer, const struct policy_rule *rule)
{
	char text[RULE_TEXT_MAX];

	if (rule == NULL)
		return json_null();
	return json_pack("{ss sI sI ss* ss* ss}", "file", answer->file, "line",
	    (json_int_t)rule->line, "column", (json_int_t)rule->column, "role",
	    rule->role, "approval",
	    rule->approval == NULL ? NULL : rule->approval->name, "text",
	    policy_rule_text(rule, text, sizeof text));
}

static void
print_json(const struct question *q, const struct answer *answer)
{
	json_t *parts = json_array(), *object;

	for (size_t i = 0; i < answer->part_count; i++)
		json_array_append_new(
		    parts, json_rule(answer, answer->parts[i]));
	object = json_pack("{sb ss ss so so}", "allowed", answer->is_allowed,
	    "verdict", answer->name, "sentence", answer->sentence, "rule",
	    json_rule(answer, answer->why), "parts", parts);
	if (answer->is_allowed && q->action == POLICY_SUBSCRIBE)
		json_object_set_new(object, "qos", json_integer(answer->qos));
	json_dumpf(object, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(object);
}

/* ---- the command ---- */

static int
take_option(const struct cmd_reader *reader, int id, struct question *question)
{
	uint64_t number;

	switch (id) {
	case POLICY_CLIENT_ID:
		question->client_id = reader->argument;
		break;
	case POLICY_ROLE:
		question->role = reader->argument;
		break;
	case POLICY_QOS_ASKED:
		if (!str_to_u64(span_of_str(reader->argument), 0, 2, &number))
			return cmd_misuse(reader->cmd, "--qos is 0, 1 or 2");
		question->qos = (uint8_t)number;
		break;
	case POLICY_RETAINED:
		question->is_retained = true;
		break;
	case POLICY_MESSAGE:
		question->message = reader->argument;
		break;
	case CMD_JSON:
		question->as_json = true;
		break;
	default:
		break;
	}
	return 0;
}

static int
take_words(const struct cmd *cmd, char **words, struct question *question)
{
	const char *near;
	int action = 0;

	question->file = words[0];
	question->identity = words[1];
	question->topic = words[3];
	while (
	    actions[action] != NULL && strcmp(words[2], actions[action]) != 0)
		action++;
	if (actions[action] == NULL) {
		near = str_nearest(words[2], actions);
		return cmd_misuse(cmd,
		    near != NULL ? "unknown word \"%s\": is %s meant?"
				 : "unknown word \"%s\"; write publish, "
				   "subscribe or deliver",
		    words[2], near);
	}
	question->action = (enum policy_action)action;
	return 0;
}

static int
run(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_reader reader = {.cmd = cmd, .argc = argc, .argv = argv};
	struct question question = {.file = NULL};
	struct answer answer = {.name = NULL};
	struct policy *policy;
	int id, status = 0;

	while ((id = cmd_next(&reader, &status)) != CMD_END) {
		if (id == CMD_STOP)
			return status;
		status = take_option(&reader, id, &question);
		if (status != 0)
			return status;
	}
	if (argc - optind != 4)
		return cmd_misuse(cmd,
		    "write FILE, IDENTITY, what it wants to do, and the TOPIC");
	status = take_words(cmd, argv + optind, &question);
	if (status != 0)
		return status;
	policy = cmd_policy_open(question.file, &status);
	if (policy == NULL)
		return status;
	ask(&question, policy, &answer);
	if (question.as_json)
		print_json(&question, &answer);
	else
		print_text(&question, &answer);
	policy_free(policy);
	return answer.is_allowed ? 0 : err_exit_status(ERR_REFUSED);
}

static const char *const synopses[] = {
    "[OPTION ...] FILE IDENTITY publish|subscribe|deliver TOPIC", NULL};

const struct cmd cmd_policy_test = {
    .name = "policy test",
    .synopses = synopses,
    .summary = "Say whether an identity may do this, and which line says so",
    .about =
	"publish is for the will, too. subscribe takes a topic filter, and is\n"
	"allowed where each topic that it reaches may be read; an acl_file "
	"grants\n"
	"them all, and leaves out what may not be read when it comes to\n"
	"deliver.\n"
	"\n"
	"The exit status is 0 where it is allowed, 4 where not, and 2 where "
	"FILE\n"
	"has a fault.\n",
    .options = options,
    .run = run,
};
