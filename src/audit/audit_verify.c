#include "audit_verify.h"

static const struct {
	const char *word, *text;
} findings[] = {
#define X(finding, word, text) [finding] = {word, text},
    AUDIT_FINDINGS(X)
#undef X
};

const char *
audit_finding_word(enum audit_finding finding)
{
	return findings[finding].word;
}

const char *
audit_finding_text(enum audit_finding finding)
{
	return findings[finding].text;
}

/* Take the next line; false where what is left has no end. */
static bool
take_line(struct span *rest, struct span *text)
{
	const uint8_t *end =
	    rest->len == 0 ? NULL : memchr(rest->data, '\n', rest->len);

	if (end == NULL)
		return false;
	*text = span_of(rest->data, (size_t)(end - rest->data));
	*rest = span_of(end + 1, rest->len - text->len - 1);
	return true;
}

static bool
follows(const struct audit_line *line, const struct audit_mark *mark)
{
	return line->mark.seq == mark->seq + 1 &&
	       span_is(line->prev, mark->hash);
}

/* Whether the line that should come next stands further down. */
static bool
stands_later(struct span rest, const struct audit_mark *mark)
{
	struct audit_line line;
	struct span text;

	while (take_line(&rest, &text))
		if (audit_line_parse(text, &line) && follows(&line, mark))
			return true;
	return false;
}

/* A file's first line says that it is one. */
static enum audit_finding
judge_first(const struct audit_line *line, const struct audit_mark *after)
{
	if (!span_is(line->event, "log-begins"))
		return AUDIT_REMOVED;
	if (after == NULL)
		after = line->mark.seq == 1 ? &audit_mark_begin : NULL;
	if (after == NULL || follows(line, after))
		return AUDIT_WHOLE;
	return line->mark.seq > after->seq + 1 ? AUDIT_REMOVED : AUDIT_ALTERED;
}

static enum audit_finding
judge_next(const struct audit_line *line, struct span rest,
    const struct audit_mark *last)
{
	if (follows(line, last))
		return AUDIT_WHOLE;
	if (line->mark.seq == last->seq + 1)
		return AUDIT_ALTERED;
	if (line->mark.seq <= last->seq || stands_later(rest, last))
		return AUDIT_REORDERED;
	return AUDIT_REMOVED;
}

static void
accept(struct audit_report *report, const struct audit_line *line,
    const struct audit_mark *head, size_t bytes)
{
	report->last = line->mark;
	report->last_time = line->time;
	if (report->count++ == 0) {
		report->first_seq = line->mark.seq;
		report->first_time = line->time;
	}
	report->good_bytes += bytes;
	if (head != NULL && strcmp(head->hash, line->mark.hash) == 0)
		report->has_head = true;
}

/* All lines are good: is it all of them, and the same ones? */
static void
judge_head(struct audit_report *report, const struct audit_mark *head)
{
	if (report->has_head ||
	    (head->seq > 0 && head->seq < report->first_seq))
		return;
	report->finding = head->seq == 0 || head->seq > report->last.seq
			      ? AUDIT_CUT
			      : AUDIT_ALTERED;
	report->line = report->finding == AUDIT_CUT
			   ? (size_t)report->count + 1
			   : (size_t)(head->seq - report->first_seq) + 1;
}

void
audit_verify(struct span bytes, const struct audit_mark *after,
    const struct audit_mark *head, struct audit_report *report)
{
	struct span rest = bytes, text;
	struct audit_line line;

	*report = (struct audit_report){.last = audit_mark_begin};
	if (after != NULL)
		report->last = *after;
	while (take_line(&rest, &text)) {
		if (!audit_line_parse(text, &line))
			report->finding = AUDIT_ALTERED;
		else if (report->count == 0)
			report->finding = judge_first(&line, after);
		else
			report->finding =
			    judge_next(&line, rest, &report->last);
		if (report->finding != AUDIT_WHOLE) {
			report->line = (size_t)report->count + 1;
			return;
		}
		accept(report, &line, head, text.len + 1);
	}
	if (report->count > 0 && head != NULL)
		judge_head(report, head);
	if (report->count == 0 && (head != NULL || rest.len == 0))
		report->finding = AUDIT_CUT; /* there is always a first */
	else if (report->finding == AUDIT_WHOLE && rest.len > 0)
		report->finding = AUDIT_TORN;
	if (report->finding != AUDIT_WHOLE && report->line == 0)
		report->line = (size_t)report->count + 1;
}
