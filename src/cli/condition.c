#include "condition.h"

#include "clock.h"
#include "guard_statement.h"
#include "str.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COMMAND_MS = 5000, VALUE_MAX = 256, DAY_MIN = 24 * 60, CANNOT = 127 };

/* ---- reading them ---- */

/* "HH:MM" at the front. */
static bool
take_time(struct span *text, unsigned *minutes)
{
	uint64_t hour, minute;

	if (text->len < 5 || text->data[2] != ':' ||
	    !str_to_u64(span_of(text->data, 2), 0, 23, &hour) ||
	    !str_to_u64(span_of(text->data + 3, 2), 0, 59, &minute))
		return false;
	*minutes = (unsigned)(hour * 60 + minute);
	*text = span_of(text->data + 5, text->len - 5);
	return true;
}

static bool
read_times(struct condition *condition)
{
	struct span text = span_of_str(condition->text);

	if (!take_time(&text, &condition->from_min) || text.len == 0 ||
	    text.data[0] != '-')
		return false;
	text = span_of(text.data + 1, text.len - 1);
	return take_time(&text, &condition->to_min) && text.len == 0 &&
	       condition->from_min != condition->to_min;
}

int
condition_add(struct conditions *conditions, enum condition_kind kind,
    const char *text, struct err *err)
{
	struct condition condition = {.kind = kind, .text = text};

	if (conditions->count == CONDITION_MAX)
		return err_set(
		    err, ERR_USAGE, "more than %d conditions", CONDITION_MAX);
	if (text[0] == '\0' ||
	    (kind == CONDITION_TIME && !read_times(&condition))) {
		err_set(err, ERR_USAGE, "\"%s\" is no condition", text);
		return err_hint(err, "--while-command COMMAND, --while-file "
				     "FILE=VALUE, --between 06:00-18:30");
	}
	conditions->list[conditions->count++] = condition;
	return 0;
}

/* ---- whether they hold ---- */

static void
become_command(const char *command, const struct condition_about *about)
{
	char payload[GUARD_PAYLOAD_MAX + 1], topic[GUARD_TOPIC_MAX + 1];

	setpgid(0, 0);
	/* Half of it, or none, might be what it agrees to. */
	if (!span_to_str(about->topic, topic, sizeof topic) ||
	    !span_to_str(about->payload, payload, sizeof payload) ||
	    setenv("KAYA_ID", about->id, 1) != 0 ||
	    setenv("KAYA_TOPIC", topic, 1) != 0 ||
	    setenv("KAYA_PAYLOAD", payload, 1) != 0)
		_exit(CANNOT);
	/* As a shell has it; we ignore it. */
	signal(SIGPIPE, SIG_DFL);
	/* Its words are no answer, and must not get into ours. */
	dup2(STDERR_FILENO, STDOUT_FILENO);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(CANNOT);
}

static bool
command_holds(const char *command, const struct condition_about *about)
{
	struct pollfd end = {.events = POLLIN};
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		become_command(command, about);
	if (pid < 0)
		return false;
	end.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	/* One that hangs says nothing: it and all that it started are over. */
	if (end.fd < 0 || poll(&end, 1, COMMAND_MS) != 1) {
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		status = -1;
	} else {
		waitpid(pid, &status, 0);
	}
	if (end.fd >= 0)
		close(end.fd);
	return status == 0;
}

static bool
file_holds(const char *text)
{
	const char *equals = strrchr(text, '=');
	const char *wanted = equals != NULL ? equals + 1 : "1";
	char path[PATH_MAX], value[VALUE_MAX];
	bool is_whole;
	size_t len;
	FILE *file;

	snprintf(path, sizeof path, "%.*s",
	    equals != NULL ? (int)(equals - text) : (int)strlen(text), text);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	len = fread(value, 1, sizeof value, file);
	/* A folder, a device that fails, or more than anybody asks for. */
	is_whole = ferror(file) == 0 && len < sizeof value;
	fclose(file);
	if (!is_whole)
		return false;
	while (len > 0 && memchr(" \t\r\n", value[len - 1], 4) != NULL)
		len--;
	return span_is(span_of(value, len), wanted);
}

static bool
time_holds(const struct condition *condition)
{
	time_t now = (time_t)clock_wall_s();
	unsigned minute;
	struct tm tm;

	localtime_r(&now, &tm);
	minute = (unsigned)(tm.tm_hour * 60 + tm.tm_min);
	/* From 22:00 to 06:00 goes over midnight. */
	return (minute + DAY_MIN - condition->from_min) % DAY_MIN <
	       (condition->to_min + DAY_MIN - condition->from_min) % DAY_MIN;
}

bool
condition_holds(const struct conditions *conditions,
    const struct condition_about *about, char *why, size_t size)
{
	for (size_t i = 0; i < conditions->count; i++) {
		const struct condition *condition = &conditions->list[i];
		bool holds = false;

		switch (condition->kind) {
		case CONDITION_COMMAND:
			holds = command_holds(condition->text, about);
			break;
		case CONDITION_FILE:
			holds = file_holds(condition->text);
			break;
		case CONDITION_TIME:
			holds = time_holds(condition);
		}
		if (holds)
			continue;
		snprintf(why, size, "%s does not hold", condition->text);
		return false;
	}
	return true;
}
