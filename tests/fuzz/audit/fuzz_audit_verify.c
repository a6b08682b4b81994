/*
 * Any bytes as an audit file: what the verifier says holds by itself; and a log
 * that is good, harmed as the bytes say, is never called whole.
 */

#include "audit_chain.h"
#include "buf.h"

#include <assert.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINES = 5, LOG_MAX = 16 << 10 };

/* What is good is good to its last byte, and what follows it is what is not. */
static void
check_report(struct span bytes)
{
	struct audit_report report, again;

	audit_verify(bytes, NULL, NULL, &report);
	assert(report.good_bytes <= bytes.len);
	assert((report.finding == AUDIT_WHOLE) == (report.line == 0));
	if (report.count == 0)
		return;
	audit_verify(
	    span_of(bytes.data, report.good_bytes), NULL, &report.last, &again);
	assert(again.finding == AUDIT_WHOLE && again.has_head);
	assert(again.count == report.count);
	assert(audit_mark_is_same(&again.last, &report.last));
}

static void
make_log(struct buf *log, struct audit_mark *head)
{
	char line[AUDIT_LINE_MAX], fields[64];

	*head = audit_mark_begin;
	for (int i = 0; i < LINES; i++) {
		snprintf(fields, sizeof fields,
		    i == 0 ? "\"event\":\"log-begins\""
			   : "\"event\":\"connect\",\"n\":%d",
		    i);
		buf_append(log, line,
		    audit_line_encode(span_of_str(fields),
			"2026-03-01T12:00:00.123Z", head, line));
	}
}

/* A cut, a removal and an insertion, where the bytes say. */
static void
check_harm(struct span data)
{
	struct audit_mark head;
	struct audit_report report;
	struct buf log, harmed;
	struct span good;
	size_t from, len;

	if (data.len < 4)
		return;
	buf_init(&log, LOG_MAX);
	buf_init(&harmed, LOG_MAX + data.len);
	make_log(&log, &head);
	good = buf_span(&log);
	from = ((size_t)data.data[0] << 8 | data.data[1]) % good.len;
	len =
	    ((size_t)data.data[2] << 8 | data.data[3]) % (good.len - from + 1);
	buf_append(&harmed, good.data, from);
	buf_append(&harmed, data.data + 4, data.len - 4);
	buf_append(&harmed, good.data + from + len, good.len - from - len);
	audit_verify(buf_span(&harmed), NULL, &head, &report);
	assert((report.finding == AUDIT_WHOLE) ==
	       span_equal(buf_span(&harmed), good));
	buf_fini(&log);
	buf_fini(&harmed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span bytes = span_of(data, size);
	struct audit_mark mark;

	check_report(bytes);
	check_harm(bytes);
	if (audit_chain_from(bytes).len > 0)
		assert(audit_chain_first(bytes) > 0);
	if (audit_chain_read_head(bytes, &mark))
		assert(mark.seq > 0 && strlen(mark.hash) == 64);
	return 0;
}
