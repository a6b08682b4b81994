#include "keys_judge.h"

#include "keys_check.h"
#include "keys_service.h"
#include "keys_text.h"
#include "keys_twice.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	MEANT_MAX = 1 << 20,
	/* An RSA key of 16,384 bits, broken at 64 characters. */
	MAX_PIECES = 48
};

const char *
keys_severity_name(enum keys_severity severity)
{
	static const char *const names[] = {"note", "warning", "error", "void"};

	return names[severity];
}

/* ---- the list ---- */

struct keys_finding *
keys_findings_add(struct keys_findings *findings)
{
	struct keys_finding *bigger;
	size_t cap;

	if (findings->count == findings->cap) {
		cap = findings->cap == 0 ? 16 : findings->cap * 2;
		bigger = realloc(findings->items, cap * sizeof *bigger);
		if (bigger == NULL)
			return NULL;
		findings->items = bigger;
		findings->cap = cap;
	}
	bigger = &findings->items[findings->count++];
	*bigger = (struct keys_finding){.column = 1, .code = "", .sshd = ""};
	return bigger;
}

void
keys_findings_fini(struct keys_findings *findings)
{
	for (size_t i = 0; i < findings->count; i++)
		free(findings->items[i].meant);
	free(findings->items);
	*findings = (struct keys_findings){0};
}

enum keys_severity
keys_findings_worst(const struct keys_findings *findings)
{
	enum keys_severity worst = KEYS_NOTE;

	for (size_t i = 0; i < findings->count; i++)
		if (findings->items[i].severity > worst)
			worst = findings->items[i].severity;
	return worst;
}

/* ---- one file ---- */

struct judge {
	struct span file;
	size_t at; /* of the next line */
	size_t number; /* of this line, from 1 */
	int64_t now_s;
	struct keys_findings *findings; /* of this file */
	struct keys_twice twice;
	struct authorized_keys_line line; /* this one */
	struct authorized_keys_line other; /* for looking ahead */
	struct buf meant;
	bool has_carriage_returns;
};

/* Hand the meant line to the finding; CRs of foreign line ends are left off. */
static int
take_meant(struct judge *j, struct keys_finding *finding)
{
	struct span meant = buf_span(&j->meant);
	size_t len = 0;

	if (meant.len > 0 && !j->meant.failed) {
		finding->meant = malloc(meant.len + 1);
		if (finding->meant == NULL)
			return -1;
		for (size_t i = 0; i < meant.len; i++)
			if (meant.data[i] != '\r')
				finding->meant[len++] = (char)meant.data[i];
		finding->meant[len] = '\0';
		finding->replaces = 1;
	}
	buf_fini(&j->meant);
	return 0;
}

static struct keys_finding *
add(struct judge *j, const char *code, enum keys_severity severity)
{
	struct keys_finding *finding = keys_findings_add(j->findings);

	if (finding == NULL)
		return NULL;
	finding->line = j->number;
	finding->severity = severity;
	finding->code = code;
	return finding;
}

/*
 * What stood behind a key may be no options, as it turns out once it stands
 * before it: nobody means a line that is void.
 */
static void
drop_void_meant(struct judge *j, struct keys_finding *finding)
{
	size_t at = 0, number = 0;
	struct span text;

	if (finding->meant == NULL ||
	    !authorized_keys_next_line(
		span_of_str(finding->meant), &at, &number, &text) ||
	    (authorized_keys_parse(text, &j->other) == AUTHORIZED_KEYS_KEY &&
		span_equal(span_of(j->other.blob, j->other.blob_len),
		    span_of(j->line.blob, j->line.blob_len))))
		return;
	free(finding->meant);
	finding->meant = NULL;
	finding->replaces = 0;
}

static int
run_checks(struct judge *j, const struct keys_check *check)
{
	for (; check->fn != NULL; check++) {
		struct keys_finding trial = {
		    .line = j->number,
		    .severity = check->severity,
		    .code = check->code,
		    .sshd = check->sshd,
		};
		struct keys_case c = {
		    .line = &j->line,
		    .now_s = j->now_s,
		    .finding = &trial,
		    .meant = &j->meant,
		};
		struct keys_finding *finding;

		if (!check->fn(&c))
			continue;
		finding = keys_findings_add(j->findings);
		if (finding == NULL)
			return -1;
		*finding = trial;
		if (take_meant(j, finding) < 0)
			return -1;
		drop_void_meant(j, finding);
	}
	return 0;
}

static int
judge_key(struct judge *j)
{
	if (run_checks(j, keys_checks) < 0 ||
	    run_checks(j, keys_checks_forward) < 0 ||
	    run_checks(j, keys_checks_from) < 0)
		return -1;
	return keys_twice_add(&j->twice, &j->line, j->number);
}

/* What to put between two pieces of a broken line: nothing within base64. */
static const char *
seam(const struct authorized_keys_line *first)
{
	return first->base64.data != NULL ? "" : " ";
}

/* A line that was broken in two or more. */
struct pieces {
	size_t count;
	/* The last of them is a key without the options that stand above it. */
	bool is_loose;
};

/* True where joining the lines behind it makes a line with a key of it. */
static bool
join_pieces(struct judge *j, struct pieces *pieces)
{
	struct span text = keys_text_line(j->line.text);
	const char *between = seam(&j->line);
	size_t at = j->at, number = j->number;

	if (j->line.fault != FAULT_NO_KEY && j->line.fault != FAULT_CUT_OFF &&
	    j->line.fault != FAULT_BASE64 && j->line.fault != FAULT_QUOTE_OPEN)
		return false;
	buf_append(&j->meant, text.data, text.len);
	for (pieces->count = 2; pieces->count <= MAX_PIECES; pieces->count++) {
		enum authorized_keys_result alone, joined;
		struct span lost;

		if (!authorized_keys_next_line(j->file, &at, &number, &text))
			break;
		text = keys_text_line(text);
		alone = authorized_keys_parse(text, &j->other);
		/* Options may have lost a whole key line; a key never does. */
		if (alone == AUTHORIZED_KEYS_EMPTY ||
		    (alone == AUTHORIZED_KEYS_KEY &&
			(j->line.base64.data != NULL ||
			    j->other.options.len > 0)))
			break;
		lost = j->other.base64;
		buf_append(&j->meant, between, strlen(between));
		buf_append(&j->meant, text.data, text.len);
		if (j->meant.failed)
			break;
		joined = authorized_keys_parse(buf_span(&j->meant), &j->other);
		pieces->is_loose = alone == AUTHORIZED_KEYS_KEY;
		/* Nor may a quote that is still open swallow it. */
		if (pieces->is_loose && (joined != AUTHORIZED_KEYS_KEY ||
					    !span_equal(j->other.base64, lost)))
			break;
		if (joined == AUTHORIZED_KEYS_KEY)
			return true;
		between = seam(&j->other);
	}
	buf_fini(&j->meant);
	return false;
}

static int
judge_joined(struct judge *j, const struct pieces *pieces)
{
	bool is_loose = pieces->is_loose;
	size_t count = pieces->count;
	struct keys_finding *finding =
	    add(j, is_loose ? "options-alone" : "wrapped",
		is_loose ? KEYS_ERROR : KEYS_VOID);

	if (finding == NULL || take_meant(j, finding) < 0)
		return -1;
	finding->replaces = count;
	finding->sshd = is_loose ? "lets the key on the next line in without "
				   "any of these options"
				 : "reads each piece as a line of its own";
	snprintf(finding->cause, sizeof finding->cause,
	    is_loose ? "the options stand on a line without their key"
		     : "the line is broken into %zu",
	    count);
	snprintf(finding->remedy, sizeof finding->remedy,
	    "make one line of lines %zu to %zu", j->number,
	    j->number + count - 1);
	for (; count > 1 && !is_loose; count--)
		authorized_keys_next_line(
		    j->file, &j->at, &j->number, &j->line.text);
	return 0;
}

static int
judge_service(struct judge *j)
{
	struct span value = j->line.fault_text;
	struct keys_finding *finding = add(j, "permit-service", KEYS_ERROR);
	size_t first = j->findings->count;

	if (finding == NULL)
		return -1;
	finding->column = authorized_keys_column(&j->line, value);
	finding->sshd = "looks the name up in /etc/services, and passes over "
			"the line where it is not there; kayad always does";
	snprintf(finding->cause, sizeof finding->cause,
	    "a port is written as a name");
	snprintf(finding->remedy, sizeof finding->remedy,
	    "write its number, which is the same on every machine");
	if (take_meant(j, finding) < 0)
		return -1;
	/* sshd goes on to read this line; columns are of another one. */
	authorized_keys_parse(span_of_str(finding->meant), &j->line);
	if (judge_key(j) < 0)
		return -1;
	for (size_t i = first; i < j->findings->count; i++)
		j->findings->items[i].column = 1;
	return 0;
}

static int
judge_void(struct judge *j)
{
	enum keys_block block = keys_block_begins(j->line.text);
	struct keys_finding *finding;
	struct keys_reason reason;
	struct pieces pieces;

	if (keys_service_number(&j->line, &j->meant, &j->other))
		return judge_service(j);
	if (join_pieces(j, &pieces))
		return judge_joined(j, &pieces);
	keys_explain(&j->line, &reason, NULL);
	finding = add(j, reason.code, KEYS_VOID);
	if (finding == NULL)
		return -1;
	finding->column = reason.column;
	memcpy(finding->cause, reason.cause, sizeof finding->cause);
	memcpy(finding->remedy, reason.remedy, sizeof finding->remedy);
	finding->sshd = authorized_keys_fault_sshd(j->line.fault);
	if (finding->sshd[0] == '\0')
		finding->sshd = "passes over the line without a word";
	keys_repair(&j->line, &j->meant);
	if (block != KEYS_BLOCK_NONE)
		keys_block_skip(j->file, &j->at, &j->number, block, &j->other);
	return take_meant(j, finding);
}

static int
judge_line(struct judge *j, struct span text)
{
	enum authorized_keys_result result =
	    authorized_keys_parse(text, &j->line);

	if (text.len > 0 && text.data[text.len - 1] == '\r')
		j->has_carriage_returns = true;
	if (result == AUTHORIZED_KEYS_KEY)
		return judge_key(j);
	return result == AUTHORIZED_KEYS_VOID ? judge_void(j) : 0;
}

/* ---- the file as a whole ---- */

static int
judge_ends(struct judge *j)
{
	struct keys_finding *finding;

	if (j->has_carriage_returns) {
		finding = add(j, "carriage-return", KEYS_NOTE);
		if (finding == NULL)
			return -1;
		finding->line = 1;
		snprintf(finding->cause, sizeof finding->cause,
		    "lines end in CR LF, as Windows writes them");
		snprintf(finding->remedy, sizeof finding->remedy,
		    "save the file with LF alone: dos2unix FILE");
		finding->sshd = "reads them all the same";
	}
	if (j->file.len > 0 && j->file.data[j->file.len - 1] != '\n') {
		finding = add(j, "no-final-newline", KEYS_NOTE);
		if (finding == NULL)
			return -1;
		snprintf(finding->cause, sizeof finding->cause,
		    "the last line has no end: what is appended to the file "
		    "with >> would be glued to it");
		snprintf(finding->remedy, sizeof finding->remedy,
		    "end it with a newline");
	}
	return 0;
}

static int
by_line(const void *a, const void *b)
{
	const struct keys_finding *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->severity != y->severity)
		return (int)y->severity - (int)x->severity;
	return x->column < y->column ? -1 : x->column > y->column;
}

static int
judge_file(struct judge *j)
{
	struct span text;

	j->at = j->number = 0;
	j->has_carriage_returns = false;
	while (authorized_keys_next_line(j->file, &j->at, &j->number, &text))
		if (judge_line(j, text) != 0)
			return -1;
	return judge_ends(j);
}

static int
judge_files(struct judge *j, const struct keys_judge_file *files, size_t count,
    struct keys_findings *findings)
{
	j->twice.files = files;
	j->twice.findings = findings;
	for (size_t i = 0; i < count; i++) {
		j->file = files[i].bytes;
		j->findings = &findings[i];
		j->twice.file = i;
		if (judge_file(j) != 0)
			return -1;
	}
	return keys_twice_judge(&j->twice);
}

int
keys_judge_together(const struct keys_judge_file *files, size_t count,
    int64_t now_s, struct keys_findings *findings, struct err *err)
{
	struct judge *j = calloc(1, sizeof *j);
	int result = -1;

	memset(findings, 0, count * sizeof *findings);
	if (j != NULL) {
		j->now_s = now_s;
		buf_init(&j->meant, MEANT_MAX);
		result = judge_files(j, files, count, findings);
		keys_twice_fini(&j->twice);
		buf_fini(&j->meant);
		free(j);
	}
	for (size_t i = 0; i < count; i++) {
		if (result != 0)
			keys_findings_fini(&findings[i]);
		else if (findings[i].count > 0)
			qsort(findings[i].items, findings[i].count,
			    sizeof *findings[i].items, by_line);
	}
	if (result != 0)
		return err_set(
		    err, ERR_NOMEM, "no memory for the list of findings");
	return 0;
}

int
keys_judge(struct span file, int64_t now_s, struct keys_findings *findings,
    struct err *err)
{
	const struct keys_judge_file one = {.name = "", .bytes = file};

	return keys_judge_together(&one, 1, now_s, findings, err);
}
