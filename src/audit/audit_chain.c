#include "audit_chain.h"

#include "str.h"

#include <stdlib.h>

enum { SEQ_DIGITS = 20, HASH_DIGITS = AUDIT_HASH_SIZE - 1 };

/* ---- the first line ---- */

static bool
first_line(struct span bytes, struct audit_line *line)
{
	const uint8_t *end =
	    bytes.len == 0 ? NULL : memchr(bytes.data, '\n', bytes.len);

	return end != NULL &&
	       audit_line_parse(
		   span_of(bytes.data, (size_t)(end - bytes.data)), line);
}

uint64_t
audit_chain_first(struct span bytes)
{
	struct audit_line line;

	return first_line(bytes, &line) ? line.mark.seq : 0;
}

/* No name that we give needs an escape. */
struct span
audit_chain_from(struct span bytes)
{
	static const char key[] = ",\"from\":\"";
	const uint8_t *at, *end;
	struct audit_line line;

	if (!first_line(bytes, &line) || !span_is(line.event, "log-begins"))
		return (struct span){0};
	at = memmem(line.members.data, line.members.len, key, sizeof key - 1);
	if (at == NULL)
		return (struct span){0};
	at += sizeof key - 1;
	end = memchr(
	    at, '"', (size_t)(line.members.data + line.members.len - at));
	return end == NULL ? span_of(NULL, 0) : span_of(at, (size_t)(end - at));
}

bool
audit_chain_read_head(struct span text, struct audit_mark *mark)
{
	struct span seq, hash;

	if (text.len != SEQ_DIGITS + 1 + HASH_DIGITS + 1)
		return false;
	seq = span_of(text.data, SEQ_DIGITS);
	hash = span_of(text.data + SEQ_DIGITS + 1, HASH_DIGITS);
	return text.data[SEQ_DIGITS] == ' ' &&
	       text.data[text.len - 1] == '\n' && audit_hash_is(hash) &&
	       str_to_u64(seq, 1, INT64_MAX, &mark->seq) &&
	       span_to_str(hash, mark->hash, sizeof mark->hash);
}

/* ---- the files ---- */

static int
compare(const void *a, const void *b)
{
	uint64_t x =
	    audit_chain_first(((const struct audit_chain_file *)a)->bytes);
	uint64_t y =
	    audit_chain_first(((const struct audit_chain_file *)b)->bytes);

	return x < y ? -1 : x > y;
}

static void
found(struct audit_chain *chain, enum audit_finding finding, size_t file,
    size_t line)
{
	if (chain->finding != AUDIT_WHOLE)
		return;
	chain->finding = finding;
	chain->file = file;
	chain->line = line;
}

static void
verify_files(struct audit_chain *chain)
{
	const struct audit_mark *after = NULL;

	for (size_t i = 0; i < chain->file_count; i++) {
		struct audit_chain_file *file = &chain->files[i];

		audit_verify(file->bytes, after, NULL, &file->report);
		chain->count += file->report.count;
		found(chain, file->report.finding, i, file->report.line);
		if (file->report.finding != AUDIT_WHOLE)
			return;
		after = &file->report.last;
	}
	chain->file = chain->file_count - 1;
}

/* ---- the heads ---- */

static bool
has_head(const struct audit_chain *chain, const struct audit_mark *head)
{
	struct audit_report report;

	for (size_t i = 0; i < chain->file_count; i++) {
		audit_verify(chain->files[i].bytes, NULL, head, &report);
		if (report.has_head)
			return true;
	}
	return false;
}

/* The lines are good, and it is not among them. */
static void
lay_blame(struct audit_chain *chain, const struct audit_mark *head)
{
	size_t last = chain->file_count - 1, i = last;
	const struct audit_report *report = &chain->files[last].report;

	if (head->seq == 0 || head->seq > report->last.seq) {
		found(chain, AUDIT_CUT, last, (size_t)report->count + 1);
		return;
	}
	while (i > 0 && head->seq < chain->files[i].report.first_seq)
		i--;
	found(chain, AUDIT_ALTERED, i,
	    (size_t)(head->seq - chain->files[i].report.first_seq) + 1);
}

void
audit_chain_verify(struct audit_chain *chain)
{
	chain->finding = AUDIT_WHOLE;
	chain->line = 0;
	chain->count = 0;
	if (chain->file_count == 0)
		return;
	qsort(chain->files, chain->file_count, sizeof *chain->files, compare);
	verify_files(chain);
	for (size_t i = 0; i < chain->head_count; i++) {
		struct audit_chain_head *head = &chain->heads[i];

		if (has_head(chain, &head->mark)) {
			head->seen = AUDIT_CHAIN_HEAD_THERE;
		} else if (head->mark.seq > 0 &&
			   head->mark.seq < chain->files[0].report.first_seq) {
			head->seen = AUDIT_CHAIN_HEAD_OLDER;
		} else {
			head->seen = AUDIT_CHAIN_HEAD_GONE;
			/* Torn, it may be cut as well; that is worse. */
			if (chain->finding == AUDIT_TORN)
				chain->finding = AUDIT_WHOLE;
			lay_blame(chain, &head->mark);
		}
	}
}
