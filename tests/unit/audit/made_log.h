#ifndef KAYA_TEST_MADE_LOG_H
#define KAYA_TEST_MADE_LOG_H

/* made_log: an audit file in memory. */

#include "audit.h"
#include "buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { LINES = 6 };

struct log {
	struct buf bytes;
	size_t begin[LINES + 1]; /* of each line, and the end */
	struct audit_mark after[LINES + 1]; /* each line; [0]: before all */
};

static inline void
append(struct buf *bytes, const char *fields, struct audit_mark *mark)
{
	char line[AUDIT_LINE_MAX];
	size_t len = audit_line_encode(
	    span_of_str(fields), "2026-03-01T12:00:00.123Z", mark, line);

	assert_true(buf_append(bytes, line, len));
}

/* A log that follows `mark`. */
static inline void
make_after(struct log *log, struct audit_mark mark)
{
	char fields[64];

	buf_init(&log->bytes, 1 << 16);
	log->after[0] = mark;
	for (size_t i = 0; i < LINES; i++) {
		log->begin[i] = buf_len(&log->bytes);
		snprintf(fields, sizeof fields,
		    i == 0 ? "\"event\":\"log-begins\""
			   : "\"event\":\"connect\",\"identity\":\"pump-%zu\"",
		    i);
		append(&log->bytes, fields, &mark);
		log->after[i + 1] = mark;
	}
	log->begin[LINES] = buf_len(&log->bytes);
}

static inline void
make(struct log *log)
{
	make_after(log, audit_mark_begin);
}

#endif
