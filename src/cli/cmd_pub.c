#include "commands.h"

#include "client.h"
#include "clock.h"
#include "pub_lines.h"

#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOOP_MS = 200, PAYLOAD_MAX = 268435455 };

enum source { NOTHING_YET, MESSAGE, LINES, WHOLE_STDIN, FILE_CONTENT, EMPTY };

struct pub {
	struct client client;
	struct client_options options;
	const char *topic;
	const char *message;
	const char *file;
	enum source source;
	bool retain;
	bool is_sent; /* all of it is with libmosquitto */
	size_t outstanding; /* not acknowledged yet */
	struct pub_lines lines; /* of stdin */
	bool was_connected;
};

static const struct cmd_option options[] = {
    {'t', "topic", "TOPIC", "publish to this topic"},
    {'m', "message", "TEXT", "this message"},
    {'l', "stdin-line", NULL, "each line of standard input a message"},
    {'s', "stdin-file", NULL, "standard input as one message"},
    {'f', "file", "FILE", "the file's content as one message"},
    {'n', "null-message", NULL, "an empty message"},
    {'r', "retain", NULL, "the broker is to retain it"},
    CLIENT_LETTERS,
    CLIENT_WILL,
    CLIENT_LONG,
    {0},
};

/* ---- what libmosquitto tells ---- */

static void
on_connect(struct mosquitto *mosquitto, void *arg, int code)
{
	struct pub *pub = arg;

	(void)mosquitto;
	client_on_connect(&pub->client, code);
	pub->was_connected = pub->was_connected || code == 0;
}

static void
on_publish(struct mosquitto *mosquitto, void *arg, int id, int code,
    const mosquitto_property *properties)
{
	struct pub *pub = arg;

	(void)mosquitto;
	(void)properties;
	pub->outstanding--;
	pub_lines_acknowledge(&pub->lines, id);
	if (code < 128 || pub->client.err.code != ERR_NONE)
		return;
	err_set(&pub->client.err, ERR_REFUSED,
	    "the broker refuses the message: "
	    "%s",
	    mosquitto_reason_string(code));
	err_hint(&pub->client.err, "may this user publish to this topic?");
}

/* ---- what is sent ---- */

static int
publish(struct pub *pub, const void *payload, size_t len, int *id)
{
	int result;

	pub->outstanding++;
	result = mosquitto_publish_v5(pub->client.mosquitto, id, pub->topic,
	    (int)len, payload, pub->options.qos, pub->retain, NULL);
	if (result == MOSQ_ERR_SUCCESS)
		return 0;
	pub->outstanding--;
	if (result == MOSQ_ERR_NO_CONN || result == MOSQ_ERR_CONN_LOST ||
	    result == MOSQ_ERR_ERRNO)
		client_explain(&pub->client, result);
	else
		err_set(&pub->client.err, ERR_USAGE,
		    "the message cannot be published: %s",
		    mosquitto_strerror(result));
	return -1;
}

static int
publish_file(struct pub *pub, FILE *file)
{
	size_t len = 0, cap = 65536;
	char *data = malloc(cap), *grown;
	int result = -1;

	while (data != NULL) {
		len += fread(data + len, 1, cap - len, file);
		if (len < cap)
			break;
		if (cap > PAYLOAD_MAX) {
			err_set(&pub->client.err, ERR_USAGE,
			    "more than MQTT's 256 MiB");
			goto done;
		}
		grown = realloc(data, cap * 2);
		if (grown == NULL)
			break;
		data = grown;
		cap *= 2;
	}
	if (data == NULL || len == cap)
		err_set(&pub->client.err, ERR_NOMEM, "no memory");
	else if (ferror(file))
		err_set_errno(&pub->client.err, ERR_FAILED, "cannot read %s",
		    pub->file != NULL ? pub->file : "standard input");
	else
		result = publish(pub, data, len, NULL);
done:
	free(data);
	return result;
}

/* The lines that are there, as long as there is room under way. */
static void
publish_lines(struct pub *pub)
{
	struct span line;
	int *id;

	while (pub_lines_next(&pub->lines, &line, &id))
		if (publish(pub, line.data, line.len, id) != 0)
			return;
	pub->is_sent = pub_lines_are_done(&pub->lines);
}

static void
send_what_there_is(struct pub *pub)
{
	FILE *file;

	switch (pub->source) {
	case LINES:
		publish_lines(pub);
		return;
	case MESSAGE:
		publish(pub, pub->message, strlen(pub->message), NULL);
		break;
	case WHOLE_STDIN:
		publish_file(pub, stdin);
		break;
	case FILE_CONTENT:
		file = fopen(pub->file, "re");
		if (file == NULL) {
			err_set_errno(&pub->client.err, ERR_USAGE,
			    "cannot read %s", pub->file);
			err_hint(&pub->client.err,
			    "-f takes a file that is there and that this user "
			    "may read");
		} else {
			publish_file(pub, file);
			fclose(file);
		}
		break;
	case EMPTY:
	case NOTHING_YET:
		publish(pub, NULL, 0, NULL);
		break;
	}
	pub->is_sent = true;
}

/*
 * Where lines may come, wait for them and for the broker, whose sign of life
 * is due while stdin is silent.  True: that was the wait.
 */
static bool
wait_for_more(struct pub *pub)
{
	struct mosquitto *mosquitto = pub->client.mosquitto;
	struct pollfd fds[2] = {
	    {.fd = mosquitto_socket(mosquitto), .events = POLLIN},
	    {.fd = STDIN_FILENO, .events = POLLIN},
	};

	if (pub->source != LINES || !pub->client.is_connected ||
	    !pub_lines_has_room(&pub->lines))
		return false;
	if (mosquitto_want_write(mosquitto))
		fds[0].events |= POLLOUT;
	if (poll(fds, 2, LOOP_MS) > 0 && fds[1].revents != 0)
		pub_lines_read(&pub->lines, STDIN_FILENO, &pub->client.err);
	return true;
}

/* Until all is acknowledged (0), or there is trouble: -1. */
static int
talk(struct pub *pub)
{
	struct client *client = &pub->client;
	int result;

	mosquitto_connect_callback_set(client->mosquitto, on_connect);
	mosquitto_publish_v5_callback_set(client->mosquitto, on_publish);
	while (!client->is_over) {
		if (client->is_connected && !pub->is_sent &&
		    client->err.code == ERR_NONE)
			send_what_there_is(pub);
		if (client->err.code != ERR_NONE ||
		    (pub->is_sent && pub->outstanding == 0))
			break;
		result = mosquitto_loop(
		    client->mosquitto, wait_for_more(pub) ? 0 : LOOP_MS, 1);
		if (result != MOSQ_ERR_SUCCESS)
			client_explain(client, result);
	}
	if (client->err.code != ERR_NONE)
		return -1;
	mosquitto_disconnect(client->mosquitto);
	mosquitto_loop_write(client->mosquitto, 1);
	return 0;
}

/* Lines go on for as long as their writer does, and the others end with it. */
static bool
is_worth_another(const struct pub *pub, const struct err *err)
{
	return pub->source == LINES && pub->was_connected &&
	       (err->code == ERR_UNREACHABLE || err->code == ERR_TIMEOUT);
}

static int
publish_all(struct pub *pub)
{
	struct retry retry = {0};

	for (;;) {
		uint64_t began = clock_monotonic_ms();
		struct err err = ERR_INIT;

		pub->outstanding = 0;
		pub_lines_begin_again(&pub->lines);
		if (client_start(&pub->client, &pub->options, pub, &err) == 0) {
			int result = talk(pub);

			err = pub->client.err;
			client_stop(&pub->client);
			if (result == 0)
				return 0;
		}
		if (!is_worth_another(pub, &err))
			return cmd_complain(&err);
		cmd_complain(&err);
		client_rest(&retry, began);
	}
}

static int
take(struct pub *pub, const struct cmd_reader *reader, int id)
{
	static const struct {
		int id;
		enum source source;
	} sources[] = {{'m', MESSAGE}, {'l', LINES}, {'s', WHOLE_STDIN},
	    {'f', FILE_CONTENT}, {'n', EMPTY}};

	if (id == 't')
		pub->topic = reader->argument;
	if (id == 'm')
		pub->message = reader->argument;
	if (id == 'f')
		pub->file = reader->argument;
	if (id == 'r')
		pub->retain = true;
	for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
		if (sources[i].id != id)
			continue;
		if (pub->source != NOTHING_YET)
			return cmd_misuse(
			    reader->cmd, "only one of -m, -l, -s, -f and -n");
		pub->source = sources[i].source;
	}
	return 0;
}

static int
run(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_reader reader = {.cmd = cmd, .argc = argc, .argv = argv};
	struct pub pub = {0};
	int id, status = 0;

	pub_lines_init(&pub.lines);
	client_options_init(&pub.options);
	while ((id = cmd_next(&reader, &status)) != CMD_END) {
		if (id == CMD_STOP)
			return status;
		if (!client_take(&reader, id, &pub.options, &status))
			status = take(&pub, &reader, id);
		if (status != 0)
			return status;
	}
	if (optind + 1 != argc)
		return cmd_misuse(cmd, "one destination, please");
	if (pub.topic == NULL || pub.source == NOTHING_YET)
		return cmd_misuse(cmd, "a topic (-t) and a message (-m, -l, "
				       "-s, -f or -n) are needed");
	status = client_check_topic(cmd, pub.topic);
	if (status == 0)
		status = client_check(cmd, &pub.options);
	if (status != 0)
		return status;
	pub.options.link.dest = argv[optind];
	cmd_keep_typed(&reader, &pub.options.link);
	/* Lines come from stdin: nobody can answer there. */
	if (pub.source == LINES || pub.source == WHOLE_STDIN)
		pub.options.link.asking = LINK_NEVER_ASK;
	mosquitto_lib_init();
	status = publish_all(&pub);
	pub_lines_fini(&pub.lines);
	mosquitto_lib_cleanup();
	return status;
}

static const char *const synopses[] = {
    "DEST -t TOPIC (-m TEXT | -l | -s | -f FILE | -n) [-q QOS] [-r]", NULL};

const struct cmd cmd_pub = {
    .name = "pub",
    .synopses = synopses,
    .summary = "Publish through SSH, without a local port",
    .about = "The letters mean what they mean to mosquitto_pub. It ends when "
	     "the broker\nhas acknowledged everything (as far as the QoS asks "
	     "for that).\n"
	     "\n"
	     "With -l a lost connection is made again. Lines that were not "
	     "acknowledged are\npublished again, so at QoS 1 and 2 none is "
	     "lost, and one may come twice.\n",
    .options = options,
    .run = run,
};
