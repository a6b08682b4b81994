#ifndef KAYA_LOG_H
#define KAYA_LOG_H

/*
 * log: one line an event, key=value, to stderr.
 *
 *	2026-03-01T12:00:00.123Z info session event=open identity=pump-7 ...
 *
 * Under journald (JOURNAL_STREAM names our stderr) time and level go out as
 * the journal wants them ("<6>session event=...").  Values that are not plain
 * words are quoted and escaped, so that no peer can forge a line.
 * Never in it: payloads, passwords, keys.
 */

#include "err.h"
#include "span.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/* Set the least important level that is printed; at any time, from any thread.
 */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* "error", "warn", "info", "debug"; false for any other word. */
bool log_level_parse(const char *word, enum log_level *level);

/*
 * A line being put together; lives on the caller's stack.
 *
 *	struct log_line line;
 *	if (log_begin(&line, LOG_LEVEL_INFO, "session", "open")) {
 *		log_str(&line, "identity", name);
 *		log_end(&line);
 *	}
 */
struct log_line {
	size_t len;
	char text[2048];
};

/* False, and nothing to be done, where the level is not printed. */
bool log_begin(struct log_line *line, enum log_level level, const char *module,
    const char *event);
/* Of a value that is longer than 383 bytes, as it is printed, the front. */
void log_str(struct log_line *line, const char *key, const char *value);
void log_span(struct log_line *line, const char *key, struct span value);
void log_u64(struct log_line *line, const char *key, uint64_t value);
/* Writes the line with one write(2).  What did not fit was cut. */
void log_end(struct log_line *line);

/* An event with one formatted `why`. */
void log_event(enum log_level level, const char *module, const char *event,
    const char *why, ...) __attribute__((format(printf, 4, 5)));

/* An event with an error: why, where and remedy. */
void log_err(enum log_level level, const char *module, const char *event,
    const struct err *err);

#endif
