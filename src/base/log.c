#include "log.h"

#include "clock.h"
#include "str.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static _Atomic enum log_level threshold = LOG_LEVEL_INFO;

static const struct {
	const char *name;
	char journal; /* syslog(3) priority */
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", '3'},
    [LOG_LEVEL_WARN] = {"warn", '4'},
    [LOG_LEVEL_INFO] = {"info", '6'},
    [LOG_LEVEL_DEBUG] = {"debug", '7'},
};

void
log_set_level(enum log_level level)
{
	threshold = level;
}

enum log_level
log_get_level(void)
{
	return threshold;
}

bool
log_level_parse(const char *word, enum log_level *level)
{
	for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
		if (strcmp(levels[i].name, word) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

/* Found out once: stderr stays what it was when the program began. */
static pthread_once_t journal_once = PTHREAD_ONCE_INIT;
static bool is_journal;

/* Whether stderr is the journal (systemd.exec(5), JOURNAL_STREAM). */
static void
look_for_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char name[64];
	struct stat st;

	if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
		return;
	snprintf(name, sizeof name, "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	is_journal = strcmp(stream, name) == 0;
}

static void
put(struct log_line *line, const char *text)
{
	size_t room = sizeof line->text - 1 - line->len, len = strlen(text);

	if (len > room)
		len = room;
	memcpy(line->text + line->len, text, len);
	line->len += len;
}

bool
log_begin(struct log_line *line, enum log_level level, const char *module,
    const char *event)
{
	char stamp[48], now[CLOCK_TEXT_SIZE];

	if (level > threshold)
		return false;
	line->len = 0;
	pthread_once(&journal_once, look_for_journal);
	if (is_journal) {
		snprintf(stamp, sizeof stamp, "<%c>", levels[level].journal);
	} else {
		clock_wall_text(now);
		snprintf(
		    stamp, sizeof stamp, "%s %s ", now, levels[level].name);
	}
	put(line, stamp);
	put(line, module);
	put(line, " event=");
	put(line, event);
	return true;
}

/* `text` is room for the value as it is printed. */
static void
put_value(struct log_line *line, const char *key, struct span value, char *text,
    size_t size)
{
	bool plain = value.len > 0;

	for (size_t i = 0; i < value.len && plain; i++) {
		uint8_t c = value.data[i];

		plain =
		    c > 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '=';
	}
	put(line, " ");
	put(line, key);
	put(line, plain ? "=" : "=\"");
	put(line, str_escape(value, text, size));
	if (!plain)
		put(line, "\"");
}

void
log_span(struct log_line *line, const char *key, struct span value)
{
	char text[384];

	put_value(line, key, value, text, sizeof text);
}

void
log_str(struct log_line *line, const char *key, const char *value)
{
	log_span(line, key, span_of_str(value));
}

void
log_u64(struct log_line *line, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "%ju", (uintmax_t)value);
	log_str(line, key, text);
}

void
log_end(struct log_line *line)
{
	line->text[line->len++] = '\n';
	/* A log that cannot be written is no reason to stop serving. */
	if (write(STDERR_FILENO, line->text, line->len) < 0)
		return;
}

void
log_event(enum log_level level, const char *module, const char *event,
    const char *why, ...)
{
	struct log_line line;
	char text[384];
	va_list args;

	if (!log_begin(&line, level, module, event))
		return;
	va_start(args, why);
	vsnprintf(text, sizeof text, why, args);
	va_end(args);
	log_str(&line, "why", text);
	log_end(&line);
}

void
log_err(enum log_level level, const char *module, const char *event,
    const struct err *err)
{
	struct log_line line;
	/* A command that was cut would be another one. */
	char hint[sizeof err->hint + 64];

	if (!log_begin(&line, level, module, event))
		return;
	log_str(&line, "why", err->what);
	if (err->where[0] != '\0')
		log_str(&line, "where", err->where);
	if (err->hint[0] != '\0')
		put_value(
		    &line, "remedy", span_of_str(err->hint), hint, sizeof hint);
	log_end(&line);
}
