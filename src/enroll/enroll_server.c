#include "enroll_server.h"

#include "buf.h"
#include "clock.h"
#include "enroll_script.h"
#include "str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MS = 90000, ANSWER_BYTES = 64 << 10 };

/* ---- what it says ---- */

/* What a "failed WORD REST" means. */
static const struct failure {
	const char *word;
	const char *cause; /* %s: the rest */
	const char *hint;
} failures[] = {
    {"others-write",
	"%s may be written by others than the account: they could let "
	"themselves in",
	"at the server: chmod go-w FILE, for the file, its folder and the "
	"home folder; then enroll again"},
    {"other-owner", "%s belongs neither to the account nor to root",
	"at the server: chown it to the account, then enroll again"},
    {"not-ours",
	"owner, group or access list of %s cannot be kept by the account",
	"at the server, as root: put the line in with kaya keys add"},
    {"disk", "the new file cannot be written in %s (disk full, or read-only?)",
	"make room there (df -h); the old file stands as it was"},
    {"busy", "another program holds the lock %s",
	"wait for it; if none runs there, and it is a file, remove it"},
    {"changed", "%s was changed by another program at the same time",
	"enroll again; the change of the other program stands"},
    {"no-folder", "there is no folder %s",
	"at the server: does the account have a home folder? A symbolic link "
	"may lead nowhere"},
    {"no-file", "%s is not a file", "at the server: move it away"},
    {"cannot-read", "%s cannot be read by the account",
	"at the server: ls -la it, and chown it to the account"},
    {"loop", "%s is a symbolic link that leads in a circle",
	"at the server: ls -l it, and make it a file"},
    {"cut-off", "the connection was cut while the line went over (%s)",
	"enroll again; the old file stands as it was"},
};

static int
failed(const char *said, struct err *err)
{
	size_t len = strcspn(said, " ");
	const char *rest = said[len] == ' ' ? said + len + 1 : "";
	char text[200];

	str_escape(span_of_str(rest), text, sizeof text);
	for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
		const struct failure *failure = &failures[i];
		const char *hole = strstr(failure->cause, "%s");

		if (strlen(failure->word) != len ||
		    strncmp(failure->word, said, len) != 0)
			continue;
		err_set(err, ERR_FAILED, "%.*s%s%s",
		    (int)(hole - failure->cause), failure->cause, text,
		    hole + 2);
		return err_hint(err, "%s", failure->hint);
	}
	return err_set(err, ERR_FAILED, "the server's shell says: %s", text);
}

struct told {
	bool hello, done;
};

/* A line of the script's.  -1 and `err` where it says that it failed. */
static int
take(const char *said, struct told *told, struct enroll_server_answer *answer,
    struct err *err)
{
	if (strcmp(said, "hello") == 0)
		told->hello = true;
	else if (strcmp(said, "ready") == 0)
		told->done = true;
	else if (strcmp(said, "blind") == 0)
		answer->is_blind = true;
	else if (strcmp(said, "already") == 0)
		answer->was_there = true;
	else if (strncmp(said, "file ", 5) == 0)
		span_to_str(
		    span_of_str(said + 5), answer->file, sizeof answer->file);
	else if (strncmp(said, "removed ", 8) == 0)
		answer->removed = (unsigned)strtoul(said + 8, NULL, 10);
	else if (strncmp(said, "session ", 8) == 0 &&
		 answer->session_count < ENROLL_SESSIONS_MAX)
		str_escape(span_of_str(said + 8),
		    answer->sessions[answer->session_count++],
		    sizeof answer->sessions[0]);
	else if (strncmp(said, "failed ", 7) == 0)
		return failed(said + 7, err);
	return 0;
}

static int
no_shell(const struct link *link, struct span output, struct err *err)
{
	char text[120];

	str_escape(output, text, sizeof text);
	if (output.len > 0)
		err_set(err, ERR_FAILED,
		    "the account at %s gives no shell; it answers \"%s\"",
		    link->name, text);
	else
		err_set(err, ERR_FAILED,
		    "the account at %s gives no shell and says nothing",
		    link->name);
	return err_hint(err,
	    "log in as one that may run commands there, or have the "
	    "line put in at the server: kaya keys add; kayad has no shell at "
	    "all: have a code made there (kaya invite NAME), then kaya enroll "
	    "--code CODE");
}

static int
read_answer(struct link *link, struct buf *output,
    struct enroll_server_answer *answer, struct err *err)
{
	static const char mark[] = "kaya-enroll: ";
	struct told told = {false, false};
	char line[PATH_MAX + 64];
	struct span all;

	buf_append(output, "", 1);
	all = buf_span(output);
	if (output->failed || all.data == NULL)
		return err_set(
		    err, ERR_FAILED, "%s talks too much", link->name);
	for (const char *at = (const char *)all.data; *at != '\0';) {
		size_t len = strcspn(at, "\n");

		/* What the shell's own start-up files print is passed over. */
		if (len >= sizeof mark - 1 && len < sizeof line &&
		    memcmp(at, mark, sizeof mark - 1) == 0) {
			snprintf(line, sizeof line, "%.*s",
			    (int)(len - (sizeof mark - 1)),
			    at + sizeof mark - 1);
			if (take(line, &told, answer, err) != 0)
				return -1;
		}
		at += len + (at[len] == '\n');
	}
	if (!told.hello)
		return no_shell(link, span_of(all.data, all.len - 1), err);
	if (told.done)
		return 0;
	err_set(err, ERR_FAILED, "the shell at %s ended before it was done",
	    link->name);
	return err_hint(err,
	    "enroll again: the file there is the old one or the new one, never "
	    "half of it");
}

/* ---- the talk ---- */

static int
send_all(ssh_channel channel, struct span bytes)
{
	while (bytes.len > 0) {
		int n =
		    ssh_channel_write(channel, bytes.data, (uint32_t)bytes.len);

		if (n <= 0)
			return -1;
		bytes = span_of(bytes.data + n, bytes.len - (size_t)n);
	}
	return 0;
}

/* All that comes until the end; both streams, as one. */
static void
listen_to(ssh_channel channel, struct buf *output)
{
	uint64_t give_up = clock_monotonic_ms() + ANSWER_MS, now;
	uint8_t bytes[4096];

	while ((now = clock_monotonic_ms()) < give_up && !output->failed) {
		int n = ssh_channel_read_timeout(
		    channel, bytes, sizeof bytes, 0, (int)(give_up - now));

		if (n > 0)
			buf_append(output, bytes, (size_t)n);
		else if (n != SSH_AGAIN)
			break;
	}
}

static void
put_order(struct buf *input, const struct enroll_server_order *order)
{
	static const char *const acts[] = {"add", "remove", "tidy"};

	buf_append_str(input, enroll_script);
	buf_append_str(input, acts[order->act]);
	buf_append_str(input, "\n");
	buf_append_str(input, order->base64 != NULL ? order->base64 : "");
	buf_append_str(input, "\n");
	buf_append(input, order->line.data, order->line.len);
	buf_append_str(input, "\n");
	buf_append_str(input, order->path != NULL ? order->path : "");
	buf_append_str(input, "\n");
}

static int
talk(struct link *link, ssh_channel channel,
    const struct enroll_server_order *order, struct buf *output,
    struct err *err)
{
	char command[120];
	struct buf input;
	int result = -1;

	/*
	 * The login shell, whichever it is, starts sh, which takes the script
	 * from stdin; dd takes so many bytes and not one more.
	 */
	snprintf(command, sizeof command,
	    "exec sh -c 'eval \"$(dd bs=1 count=%zu 2>/dev/null)\"'",
	    strlen(enroll_script));
	buf_init(&input, ANSWER_BYTES);
	put_order(&input, order);
	if (input.failed)
		err_set(err, ERR_FAILED, "the line is too long");
	else if (ssh_channel_open_session(channel) != SSH_OK ||
		 ssh_channel_request_exec(channel, command) != SSH_OK)
		no_shell(link, span_of_str(ssh_get_error(link->session)), err);
	else
		result = 0;
	if (result == 0 && send_all(channel, buf_span(&input)) == 0)
		ssh_channel_send_eof(channel);
	buf_fini(&input);
	if (result == 0)
		listen_to(channel, output);
	return result;
}

int
enroll_server_run(struct link *link, const struct enroll_server_order *order,
    struct enroll_server_answer *answer, struct err *err)
{
	ssh_channel channel;
	struct buf output;
	int result;

	memset(answer, 0, sizeof *answer);
	ssh_set_blocking(link->session, 1);
	channel = ssh_channel_new(link->session);
	if (channel == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	buf_init(&output, ANSWER_BYTES);
	result = talk(link, channel, order, &output, err);
	if (result == 0)
		result = read_answer(link, &output, answer, err);
	buf_fini(&output);
	ssh_channel_free(channel);
	return result;
}
