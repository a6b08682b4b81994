#include "enroll_trial.h"

#include "buf.h"
#include "clock.h"
#include "str.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { LISTEN_MS = 5000, OUTPUT_BYTES = 4096 };

/* ---- session channels ---- */

static ssh_channel
open_session(struct enroll_trial_words *words)
{
	ssh_channel channel = ssh_channel_new(words->link->session);

	if (channel != NULL && ssh_channel_open_session(channel) != SSH_OK) {
		ssh_channel_free(channel);
		channel = NULL;
	}
	if (channel == NULL)
		snprintf(words->seen, sizeof words->seen,
		    "no session is opened at all");
	return channel;
}

/* A word that only a shell can make of what was sent. */
struct riddle {
	char question[64]; /* with its newline */
	char answer[32];
};

static void
make_riddle(struct riddle *riddle)
{
	unsigned random = 0;

	(void)!getrandom(&random, sizeof random, 0);
	snprintf(riddle->question, sizeof riddle->question,
	    "echo kaya\"\"-%08x\n", random);
	snprintf(riddle->answer, sizeof riddle->answer, "kaya-%08x", random);
}

static bool
holds(struct span text, struct span wanted)
{
	return text.data != NULL &&
	       memmem(text.data, text.len, wanted.data, wanted.len) != NULL;
}

/*
 * Read until `wanted` stands in it (true), or the end.  Of a long greeting
 * before it only the last part is kept.
 */
static bool
hears(ssh_channel channel, struct span wanted, struct buf *heard)
{
	uint64_t give_up = clock_monotonic_ms() + LISTEN_MS, now;
	uint8_t bytes[1024];

	while ((now = clock_monotonic_ms()) < give_up) {
		int n = ssh_channel_read_timeout(
		    channel, bytes, sizeof bytes, 0, (int)(give_up - now));

		if (n <= 0 && n != SSH_AGAIN)
			break;
		if (n <= 0)
			continue;
		if (buf_len(heard) + (size_t)n > OUTPUT_BYTES)
			buf_consume(heard, buf_len(heard) - wanted.len);
		if (buf_append(heard, bytes, (size_t)n) &&
		    holds(buf_span(heard), wanted))
			return true;
	}
	return false;
}

static enum enroll_trial
answer_riddle(struct enroll_trial_words *words, ssh_channel channel,
    const struct riddle *riddle)
{
	enum enroll_trial outcome = ENROLL_TRIAL_REFUSED;
	struct buf heard;
	char text[120];

	buf_init(&heard, OUTPUT_BYTES);
	if (hears(channel, span_of_str(riddle->answer), &heard)) {
		outcome = ENROLL_TRIAL_ALLOWED;
	} else if (buf_len(&heard) > 0) {
		struct span said = buf_span(&heard);

		while (said.len > 0 && said.data[said.len - 1] <= ' ')
			said.len--;
		snprintf(words->seen, sizeof words->seen,
		    "in its place the server says: %s",
		    str_escape(said, text, sizeof text));
	}
	buf_fini(&heard);
	return outcome;
}

enum enroll_trial
enroll_trial_shell(struct enroll_trial_words *words)
{
	ssh_channel channel = open_session(words);
	enum enroll_trial outcome = ENROLL_TRIAL_REFUSED;
	struct riddle riddle = {"", ""};

	if (channel == NULL)
		return outcome;
	make_riddle(&riddle);
	if (ssh_channel_request_shell(channel) == SSH_OK) {
		ssh_channel_write(channel, riddle.question,
		    (uint32_t)strlen(riddle.question));
		ssh_channel_send_eof(channel);
		outcome = answer_riddle(words, channel, &riddle);
	}
	ssh_channel_free(channel);
	return outcome;
}

enum enroll_trial
enroll_trial_command(struct enroll_trial_words *words)
{
	ssh_channel channel = open_session(words);
	enum enroll_trial outcome = ENROLL_TRIAL_REFUSED;
	struct riddle riddle = {"", ""};

	if (channel == NULL)
		return outcome;
	make_riddle(&riddle);
	riddle.question[strlen(riddle.question) - 1] = '\0';
	if (ssh_channel_request_exec(channel, riddle.question) == SSH_OK)
		outcome = answer_riddle(words, channel, &riddle);
	ssh_channel_free(channel);
	return outcome;
}

enum enroll_trial
enroll_trial_pty(struct enroll_trial_words *words)
{
	ssh_channel channel = open_session(words);
	enum enroll_trial outcome = ENROLL_TRIAL_REFUSED;

	if (channel == NULL)
		return outcome;
	if (ssh_channel_request_pty(channel) == SSH_OK)
		outcome = ENROLL_TRIAL_ALLOWED;
	ssh_channel_free(channel);
	return outcome;
}

/* A forced command is run in place of the subsystem: only a VERSION counts. */
enum enroll_trial
enroll_trial_sftp(struct enroll_trial_words *words)
{
	static const uint8_t init[] = {0, 0, 0, 5, 1, 0, 0, 0, 3};
	static const uint8_t version[] = {2, 0, 0, 0, 3};
	ssh_channel channel = open_session(words);
	enum enroll_trial outcome = ENROLL_TRIAL_REFUSED;
	struct buf heard;

	if (channel == NULL)
		return outcome;
	buf_init(&heard, OUTPUT_BYTES);
	/* No end of file yet: an sftp server would leave without an answer. */
	if (ssh_channel_request_subsystem(channel, "sftp") == SSH_OK &&
	    ssh_channel_write(channel, init, sizeof init) == sizeof init &&
	    hears(channel, span_of(version, sizeof version), &heard))
		outcome = ENROLL_TRIAL_ALLOWED;
	buf_fini(&heard);
	ssh_channel_free(channel);
	return outcome;
}

/* ---- forwarding ---- */

/* The server's own SSH port: something listens there for sure. */
enum enroll_trial
enroll_trial_target(struct enroll_trial_words *words)
{
	static const char host[] = "127.0.0.1";
	ssh_session session = words->link->session;
	ssh_channel channel = ssh_channel_new(session);
	unsigned port = 22;
	enum enroll_trial outcome;

	if (channel == NULL)
		return ENROLL_TRIAL_UNTRIED;
	ssh_options_get_port(session, &port);
	if (port == words->target_port)
		port = port == 1 ? 2 : 1;
	snprintf(words->seen, sizeof words->seen, "%s:%u", host, port);
	/* Reason 1 is a prohibition; any other came after it was allowed. */
	if (ssh_channel_open_forward(
		channel, host, (int)port, "127.0.0.1", 0) == SSH_OK ||
	    strstr(ssh_get_error(session), "error (1)") == NULL)
		outcome = ENROLL_TRIAL_ALLOWED;
	else
		outcome = ENROLL_TRIAL_REFUSED;
	ssh_channel_free(channel);
	return outcome;
}

static enum enroll_trial
listen_on(struct enroll_trial_words *words, const char *address, int port)
{
	ssh_session session = words->link->session;
	int bound = 0;

	if (ssh_channel_listen_forward(session, address, port, &bound) !=
	    SSH_OK)
		return ENROLL_TRIAL_REFUSED;
	ssh_channel_cancel_forward(session, address, port != 0 ? port : bound);
	snprintf(words->seen, sizeof words->seen, "%s:%d",
	    address[0] != '\0' ? address : "*", port != 0 ? port : bound);
	return ENROLL_TRIAL_ALLOWED;
}

enum enroll_trial
enroll_trial_listen(struct enroll_trial_words *words)
{
	static const char *const addresses[] = {
	    "", "localhost", "127.0.0.1", "::1"};

	for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++)
		if (listen_on(words, addresses[i], 0) == ENROLL_TRIAL_ALLOWED)
			return ENROLL_TRIAL_ALLOWED;
	return ENROLL_TRIAL_REFUSED;
}

enum enroll_trial
enroll_trial_listen_permitted(struct enroll_trial_words *words)
{
	return listen_on(words, "localhost", 1);
}
