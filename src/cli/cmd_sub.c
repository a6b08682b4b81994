#include "commands.h"

#include "client.h"
#include "clock.h"
#include "standard.h"
#include "sub_format.h"

#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOOP_MS = 200, TOPICS_MAX = 64 };

struct sub {
	struct client client;
	struct client_options options;
	char *topics[TOPICS_MAX];
	int topic_count;
	const char *format; /* NULL: the payload, perhaps with its topic */
	bool with_topic;
	bool without_newline;
	bool without_retained;
	int count; /* messages still wanted; -1: for ever */
	int timeout_s; /* 0: none */
	uint64_t give_up_ms;
	bool was_subscribed;
};

static volatile sig_atomic_t is_interrupted;

static const struct cmd_option options[] = {
    {'t', "topic", "FILTER", "subscribe to this filter (repeatable)"},
    {'C', NULL, "COUNT", "end after so many messages"},
    {'W', NULL, "SECONDS", "end after that time (status 1)"},
    {'v', "verbose", NULL, "the topic before each message"},
    {'F', NULL, "FORMAT", "print by this format (%t %p %q %r %l %m %x %j ...)"},
    {'N', NULL, NULL, "no newline behind a message"},
    {'R', NULL, NULL, "leave out what the broker had retained"},
    {'c', "disable-clean-session", NULL, "keep the session at the broker"},
    CLIENT_LETTERS,
    CLIENT_WILL,
    CLIENT_LONG,
    {0},
};

static void
on_interrupt(int number)
{
	(void)number;
	is_interrupted = 1;
}

/* mosquitto_sub says so, too. */
static const char timed_out[] = "kaya: timed out (-W)\n";

static void
on_alarm(int number)
{
	(void)number;
	if (write(STDERR_FILENO, timed_out, sizeof timed_out - 1) < 0)
		_exit(1);
	_exit(1);
}

/* On its way to the broker it waits for others, and a signal is its end. */
static void
let_signals(void (*interrupt)(int), void (*alarm)(int))
{
	const struct {
		int number;
		void (*handler)(int);
	} rows[] = {
	    {SIGINT, interrupt}, {SIGTERM, interrupt}, {SIGALRM, alarm}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct sigaction action = {.sa_handler = rows[i].handler};

		sigaction(rows[i].number, &action, NULL);
	}
}

/* ---- what libmosquitto tells ---- */

static void
on_connect(struct mosquitto *mosquitto, void *arg, int code)
{
	struct sub *sub = arg;
	int result;

	client_on_connect(&sub->client, code);
	if (code != 0)
		return;
	result = mosquitto_subscribe_multiple(mosquitto, NULL, sub->topic_count,
	    sub->topics, sub->options.qos, 0, NULL);
	if (result != MOSQ_ERR_SUCCESS)
		client_explain(&sub->client, result);
}

static void
on_subscribe(struct mosquitto *mosquitto, void *arg, int id, int count,
    const int *granted)
{
	struct sub *sub = arg;

	(void)mosquitto;
	(void)id;
	sub->was_subscribed = true;
	for (int i = 0; i < count; i++) {
		if (granted[i] < 128)
			continue;
		sub->client.is_over = true;
		err_set(&sub->client.err, ERR_REFUSED,
		    "the broker refuses the subscription to %s",
		    i < sub->topic_count ? sub->topics[i] : "a filter");
		err_hint(&sub->client.err,
		    "may this user read all that the filter matches?");
	}
}

static void
on_message(struct mosquitto *mosquitto, void *arg,
    const struct mosquitto_message *message)
{
	struct sub *sub = arg;

	(void)mosquitto;
	if (sub->client.is_over || (message->retain && sub->without_retained))
		return;
	if (sub->format != NULL) {
		sub_format_print(sub->format, message, stdout);
	} else {
		if (sub->with_topic)
			printf("%s ", message->topic);
		fwrite(
		    message->payload, 1, (size_t)message->payloadlen, stdout);
	}
	if (!sub->without_newline)
		putchar('\n');
	/* Whoever reads a pipe wants it now. */
	if (standard_flush(&sub->client.err) != 0 || standard_is_unread())
		sub->client.is_over = true;
	if (sub->count > 0 && --sub->count == 0)
		sub->client.is_over = true;
}

/* ---- one connection after the other ---- */

/* Until done (0), interrupted (0), out of time (1), or in trouble: -1. */
static int
talk(struct sub *sub)
{
	struct client *client = &sub->client;
	int result;

	mosquitto_connect_callback_set(client->mosquitto, on_connect);
	mosquitto_subscribe_callback_set(client->mosquitto, on_subscribe);
	mosquitto_message_callback_set(client->mosquitto, on_message);
	while (!client->is_over && !is_interrupted) {
		if (clock_monotonic_ms() >= sub->give_up_ms)
			return 1;
		if (standard_is_unread())
			break;
		result = mosquitto_loop(client->mosquitto, LOOP_MS, 1);
		if (result != MOSQ_ERR_SUCCESS && !is_interrupted)
			client_explain(client, result);
	}
	if (client->err.code != ERR_NONE && !is_interrupted)
		return -1;
	mosquitto_disconnect(client->mosquitto);
	mosquitto_loop_write(client->mosquitto, 1);
	return 0;
}

static bool
is_worth_another(const struct sub *sub, const struct err *err)
{
	return sub->was_subscribed && !is_interrupted &&
	       clock_monotonic_ms() < sub->give_up_ms &&
	       (err->code == ERR_UNREACHABLE || err->code == ERR_TIMEOUT);
}

static int
subscribe(struct sub *sub)
{
	struct retry retry = {0};

	for (;;) {
		uint64_t began = clock_monotonic_ms();
		struct err err = ERR_INIT;
		int status;

		if (client_start(&sub->client, &sub->options, sub, &err) == 0) {
			let_signals(on_interrupt, SIG_IGN);
			status = talk(sub);
			err = sub->client.err;
			client_stop(&sub->client);
			if (status > 0)
				fputs(timed_out, stderr);
			if (status >= 0)
				return status;
			let_signals(SIG_DFL, on_alarm);
		}
		if (!is_worth_another(sub, &err))
			return is_interrupted ? 0 : cmd_complain(&err);
		/* As mosquitto_sub: once it worked, it goes on for ever. */
		cmd_complain(&err);
		client_rest(&retry, began);
	}
}

static int
take(struct sub *sub, const struct cmd_reader *reader, int id)
{
	switch (id) {
	case 't':
		if (sub->topic_count == TOPICS_MAX)
			return cmd_misuse(reader->cmd, "too many filters");
		sub->topics[sub->topic_count++] = (char *)reader->argument;
		return client_check_filter(reader->cmd, reader->argument);
	case 'C':
		sub->count = client_number(reader, 1, INT_MAX);
		return sub->count < 0 ? 2 : 0;
	case 'W':
		sub->timeout_s = client_number(reader, 1, INT_MAX);
		return sub->timeout_s < 0 ? 2 : 0;
	case 'v':
		sub->with_topic = true;
		break;
	case 'F':
		sub->format = reader->argument;
		if (!sub_format_check(sub->format))
			return cmd_misuse(reader->cmd,
			    "-F \"%s\": %% is followed by one of %s",
			    sub->format, SUB_FORMAT_LETTERS);
		break;
	case 'N':
		sub->without_newline = true;
		break;
	case 'R':
		sub->without_retained = true;
		break;
	}
	return 0;
}

static int
run(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_reader reader = {.cmd = cmd, .argc = argc, .argv = argv};
	struct sub sub = {.count = -1};
	int id, status = 0;

	client_options_init(&sub.options);
	while ((id = cmd_next(&reader, &status)) != CMD_END) {
		if (id == CMD_STOP)
			return status;
		if (!client_take(&reader, id, &sub.options, &status))
			status = take(&sub, &reader, id);
		if (status != 0)
			return status;
	}
	if (optind + 1 != argc)
		return cmd_misuse(cmd, "one destination, please");
	if (sub.topic_count == 0)
		return cmd_misuse(cmd, "a topic filter (-t) is needed");
	status = client_check(cmd, &sub.options);
	if (status != 0)
		return status;
	sub.options.link.dest = argv[optind];
	cmd_keep_typed(&reader, &sub.options.link);
	sub.give_up_ms = sub.timeout_s > 0 ? clock_monotonic_ms() +
						 (uint64_t)sub.timeout_s * 1000
					   : UINT64_MAX;
	let_signals(SIG_DFL, on_alarm);
	alarm((unsigned)sub.timeout_s);
	mosquitto_lib_init();
	status = subscribe(&sub);
	mosquitto_lib_cleanup();
	return status;
}

static const char *const synopses[] = {
    "DEST -t FILTER... [-C COUNT] [-W SECONDS] [-v | -F FORMAT] [-q QOS]",
    NULL};

const struct cmd cmd_sub = {
    .name = "sub",
    .synopses = synopses,
    .summary = "Subscribe through SSH, without a local port",
    .about = "The letters mean what they mean to mosquitto_sub. Once it has "
	     "subscribed, a\nlost connection is made again.\n"
	     "\n"
	     "FORMAT: %t topic, %p payload, %x payload in hex, %l its length, "
	     "%q QoS,\n%r retained, %m packet id, %I time, %U seconds since "
	     "1970, %j all of it as JSON,\n%% a percent sign, \\n \\t \\\\.\n",
    .options = options,
    .run = run,
};
