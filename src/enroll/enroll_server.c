#include "enroll_server.h"

#include "buf.h"
#include "clock.h"
#include "enroll_script.h"
#include "shell.h"
#include "str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a line of the script's begins with. */
#define MARK "kaya-enroll: "

enum { ANSWER_MS = 90000, ANSWER_BYTES = 64 << 10 };

/* ---- what it says ---- */

/*
 * What a "failed WORD REST" means.  In the texts `%` stands for the rest, and
 * `@` for the account; a hint has both as a shell takes them.
 */
static const struct failure {
	const char *word;
	const char *cause;
	const char *hint;
} failures[] = {
    {"others-write",
	"% may be written by others than the account: they could let "
	"themselves in",
	"at the server: chmod go-w %; then enroll again"},
    {"other-owner", "% belongs neither to the account nor to root",
	"at the server, as root: chown @: %; then enroll again"},
    {"not-ours",
	"owner, group or access list of % cannot be kept by the account",
	"at the server, as root: chown @: %; then enroll again; or put the "
	"line in there, as root, with kaya keys add"},
    {"disk", "the new file cannot be written in % (disk full, or read-only?)",
	"make room there (df -h %); the old file stands as it was"},
    {"no-write", "the account may not write in %",
	"at the server, as root: chown @: % && chmod u+rwx %; then enroll "
	"again"},
    {"no-home", "the account may not make a folder in its home, %",
	"at the server, as root: install -d -m 700 -o @ %/.ssh; then enroll "
	"again"},
    {"no-entry", "the account may not enter %",
	"at the server, as root: chown @: % && chmod u+rwx %; then enroll "
	"again"},
    {"no-room", "no folder can be made in %",
	"at the server: ls -ld %; df -h %"},
    {"busy", "another program holds the lock %",
	"wait for it; if none runs there, and it is a file, remove it"},
    {"changed", "% was changed by another program at the same time",
	"enroll again; the change of the other program stands"},
    {"no-folder", "there is no folder %",
	"at the server: does the account have a home folder? A symbolic link "
	"may lead nowhere: ls -l %"},
    {"not-folder", "% is no folder",
	"at the server, move it away: mv % %.old; then enroll again"},
    {"no-file", "% is not a file",
	"at the server, move it away: mv % %.old; then enroll again"},
    {"cannot-read", "% cannot be read by the account",
	"at the server, as root: chown @: % && chmod u+rw %; then enroll "
	"again"},
    {"loop", "% is a symbolic link that leads in a circle",
	"at the server: ls -l %, and make it a file"},
    {"cut-off", "the connection was cut while the line went over (%)",
	"enroll again; the old file stands as it was"},
};

static void
fill(
    struct buf *out, const char *pattern, const char *rest, const char *account)
{
	for (; *pattern != '\0'; pattern++)
		if (*pattern == '%')
			buf_append_str(out, rest);
		else if (*pattern == '@')
			buf_append_str(out, account);
		else
			buf_append(out, pattern, 1);
	buf_append(out, "", 1);
}

static int
fail_so(const struct failure *failure, const char *rest, const char *account,
    struct err *err)
{
	char file[PATH_MAX + 64], user[200];
	struct buf text;

	buf_init(&text, ANSWER_BYTES);
	fill(&text, failure->cause, rest, account);
	err_set(err, ERR_FAILED, "%s", (const char *)buf_span(&text).data);
	buf_truncate(&text, 0);
	fill(&text, failure->hint, shell_quoted(rest, file, sizeof file),
	    shell_quoted(account, user, sizeof user));
	err_hint(err, "%s", (const char *)buf_span(&text).data);
	buf_fini(&text);
	return -1;
}

static int
failed(const struct link *link, const char *said, struct err *err)
{
	size_t len = strcspn(said, " ");
	const char *rest = said[len] == ' ' ? said + len + 1 : "";
	char text[200], account[sizeof link->name];

	str_escape(span_of_str(rest), text, sizeof text);
	snprintf(account, sizeof account, "%.*s",
	    (int)(strrchr(link->name, '@') != NULL
		      ? strrchr(link->name, '@') - link->name
		      : 0),
	    link->name);
	for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++)
		if (strlen(failures[i].word) == len &&
		    strncmp(failures[i].word, said, len) == 0)
			return fail_so(&failures[i], text, account, err);
	return err_set(err, ERR_FAILED, "the server's shell says: %s", text);
}

struct told {
	bool hello, done;
};

/* A line of the script's.  -1 and `err` where it says that it failed. */
static int
take(const struct link *link, const char *said, struct told *told,
    struct enroll_server_answer *answer, struct err *err)
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
		return failed(link, said + 7, err);
	return 0;
}

static int
no_shell(const struct link *link, struct span output,
    struct enroll_server_answer *answer, struct err *err)
{
	char text[120];

	while (output.len > 0 && output.data[output.len - 1] <= ' ')
		output.len--;
	answer->is_shut = true;
	str_escape(output, text, sizeof text);
	if (output.len > 0)
		err_set(err, ERR_FAILED,
		    "the account at %s gives no shell; it answers \"%s\"",
		    link->name, text);
	else
		err_set(err, ERR_FAILED,
		    "the account at %s gives no shell and says nothing",
		    link->name);
	return err_hint(err, "log in as one that may run commands there");
}

static int
read_answer(struct link *link, struct buf *output,
    struct enroll_server_answer *answer, struct err *err)
{
	static const char mark[] = MARK;
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
			if (take(link, line, &told, answer, err) != 0)
				return -1;
		}
		at += len + (at[len] == '\n');
	}
	if (!told.hello)
		return no_shell(
		    link, span_of(all.data, all.len - 1), answer, err);
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

static bool
has(const struct buf *output, const char *text)
{
	struct span all = buf_span(output);

	return text != NULL && all.len > 0 &&
	       memmem(all.data, all.len, text, strlen(text)) != NULL;
}

enum stream { STREAM_OUT, STREAM_ERR };

/* All that comes until `last`, or the end. */
static void
listen_to(ssh_channel channel, enum stream stream, const char *last,
    struct buf *output)
{
	uint64_t give_up = clock_monotonic_ms() + ANSWER_MS, now;
	uint8_t bytes[4096];

	while ((now = clock_monotonic_ms()) < give_up && !output->failed &&
	       !has(output, last)) {
		int n = ssh_channel_read_timeout(channel, bytes, sizeof bytes,
		    stream == STREAM_ERR, (int)(give_up - now));

		if (n > 0)
			buf_append(output, bytes, (size_t)n);
		else if (n != SSH_AGAIN)
			break;
	}
}

/* What the script reads: a line each. */
struct request {
	const char *act, *base64;
	struct span line;
	const char *folder;
};

static void
put_request(struct buf *input, const struct request *request)
{
	buf_append_str(input, enroll_script);
	buf_append_str(input, request->act);
	buf_append_str(input, "\n");
	buf_append_str(input, request->base64);
	buf_append_str(input, "\n");
	buf_append(input, request->line.data, request->line.len);
	buf_append_str(input, "\n");
	buf_append_str(input, request->folder);
	buf_append_str(input, "\n");
}

/* Start the script; it has its request, and stdin stays open. */
static int
begin(struct link *link, ssh_channel channel, const struct request *request,
    struct enroll_server_answer *answer, struct err *err)
{
	char start[80], command[180];
	struct buf input;
	int result = -1;

	/*
	 * The login shell, whichever it is, starts sh, which takes the script
	 * from stdin; dd takes so many bytes and not one more.  A restricted
	 * shell refuses exec, and goes on.
	 */
	snprintf(start, sizeof start,
	    "sh -c 'eval \"$(dd bs=1 count=%zu 2>/dev/null)\"'",
	    strlen(enroll_script));
	snprintf(command, sizeof command, "exec %s; %s", start, start);
	buf_init(&input, ANSWER_BYTES);
	put_request(&input, request);
	if (input.failed)
		err_set(err, ERR_FAILED, "the line is too long");
	else if (ssh_channel_open_session(channel) != SSH_OK ||
		 ssh_channel_request_exec(channel, command) != SSH_OK)
		no_shell(link, span_of_str(ssh_get_error(link->session)),
		    answer, err);
	else
		result = 0;
	/* Where not all of it goes over, the script says so. */
	if (result == 0)
		send_all(channel, buf_span(&input));
	buf_fini(&input);
	return result;
}

static ssh_channel
new_channel(struct link *link, struct err *err)
{
	ssh_channel channel;

	ssh_set_blocking(link->session, 1);
	channel = ssh_channel_new(link->session);
	if (channel == NULL)
		err_set(err, ERR_NOMEM, "no memory");
	return channel;
}

int
enroll_server_run(struct link *link, const struct enroll_server_order *order,
    struct enroll_server_answer *answer, struct err *err)
{
	static const char *const acts[] = {"add", "remove"};
	const struct request request = {
	    acts[order->act], order->base64, order->line, ""};
	ssh_channel channel = new_channel(link, err);
	struct buf output;
	int result;

	memset(answer, 0, sizeof *answer);
	if (channel == NULL)
		return -1;
	buf_init(&output, ANSWER_BYTES);
	result = begin(link, channel, &request, answer, err);
	if (result == 0) {
		ssh_channel_send_eof(channel);
		listen_to(channel, STREAM_OUT, NULL, &output);
		/* Why there is nothing. */
		if (buf_len(&output) == 0)
			listen_to(channel, STREAM_ERR, NULL, &output);
		result = read_answer(link, &output, answer, err);
	}
	buf_fini(&output);
	ssh_channel_free(channel);
	return result;
}

/* ---- a folder, borrowed ---- */

ssh_channel
enroll_server_borrow(struct link *link, const char *path, struct err *err)
{
	const struct request request = {.act = "lend",
	    .base64 = "",
	    .line = span_of_str(""),
	    .folder = path};
	struct enroll_server_answer answer = {.removed = 0};
	ssh_channel channel = new_channel(link, err);
	struct buf output;

	if (channel == NULL)
		return NULL;
	buf_init(&output, ANSWER_BYTES);
	if (begin(link, channel, &request, &answer, err) == 0) {
		listen_to(channel, STREAM_OUT, MARK "ready\n", &output);
		if (read_answer(link, &output, &answer, err) == 0) {
			buf_fini(&output);
			return channel;
		}
	}
	buf_fini(&output);
	ssh_channel_free(channel);
	return NULL;
}

bool
enroll_server_give_back(ssh_channel channel)
{
	struct buf output;
	bool stood;

	buf_init(&output, ANSWER_BYTES);
	send_all(channel, span_of_str("returned\n"));
	ssh_channel_send_eof(channel);
	listen_to(channel, STREAM_OUT, NULL, &output);
	stood = has(&output, MARK "returned\n");
	buf_fini(&output);
	ssh_channel_free(channel);
	return stood;
}
