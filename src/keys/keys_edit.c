#include "keys_edit.h"

#include "keys_explain.h"
#include "keys_judge.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	MEANT_MAX_BYTES = 1 << 20,
	/* Faults of one line that hide each other. */
	MEND_ROUNDS = 16
};

static int
nomem(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the file of keys");
}

const char *
keys_identity(
    const struct authorized_keys_line *line, char text[KEYS_IDENTITY_SIZE])
{
	uint8_t digest[PUBKEY_DIGEST_BYTES];

	text[0] = '\0';
	if (str_is_name(line->identity)) {
		span_to_str(line->identity, text, KEYS_IDENTITY_SIZE);
	} else if (line->identity.data == NULL) {
		pubkey_digest(span_of(line->blob, line->blob_len), digest);
		pubkey_identity(digest, text);
	}
	return text;
}

const char *
keys_fingerprint(
    const struct authorized_keys_line *line, char text[PUBKEY_FINGERPRINT_SIZE])
{
	uint8_t digest[PUBKEY_DIGEST_BYTES];

	pubkey_digest(span_of(line->blob, line->blob_len), digest);
	pubkey_fingerprint(digest, text);
	return text;
}

enum keys_clash
keys_edit_find_clash(struct span file, const struct authorized_keys_line *key,
    const char *identity, size_t *number)
{
	struct authorized_keys_line line;
	struct span blob = span_of(key->blob, key->blob_len), text;
	enum keys_clash clash = KEYS_CLASH_NONE;
	char name[KEYS_IDENTITY_SIZE];
	size_t at = 0, n = 0;

	while (authorized_keys_next_line(file, &at, &n, &text)) {
		if (authorized_keys_parse(text, &line) != AUTHORIZED_KEYS_KEY)
			continue;
		if (span_equal(span_of(line.blob, line.blob_len), blob)) {
			*number = n;
			return KEYS_CLASH_KEY;
		}
		if (clash == KEYS_CLASH_NONE &&
		    strcmp(keys_identity(&line, name), identity) == 0) {
			*number = n;
			clash = KEYS_CLASH_IDENTITY;
		}
	}
	return clash;
}

int
keys_edit_append(
    struct span file, struct span line, struct buf *out, struct err *err)
{
	buf_append(out, file.data, file.len);
	if (file.len > 0 && file.data[file.len - 1] != '\n')
		buf_append(out, "\n", 1);
	buf_append(out, line.data, line.len);
	buf_append(out, "\n", 1);
	return out->failed ? nomem(err) : 0;
}

/* ---- taking out ---- */

/* A line before the question whose it is. */
struct removal {
	const char *who;
	struct authorized_keys_line line;
	struct keys_edit_removed removed;
};

static bool
is_his(struct removal *r)
{
	r->removed.type = r->line.key.type;
	keys_identity(&r->line, r->removed.identity);
	keys_fingerprint(&r->line, r->removed.fingerprint);
	return strcmp(r->removed.identity, r->who) == 0 ||
	       strcmp(r->removed.fingerprint, r->who) == 0;
}

/* Whether one of the lines that a void one was meant to be is his. */
static bool
was_meant_as_his(struct removal *r)
{
	struct span text;
	size_t at = 0, number = 0;
	struct buf meant;
	bool found = false;

	buf_init(&meant, MEANT_MAX_BYTES);
	if (keys_repair(&r->line, &meant))
		while (!found && authorized_keys_next_line(
				     buf_span(&meant), &at, &number, &text))
			found = authorized_keys_parse(text, &r->line) ==
				    AUTHORIZED_KEYS_KEY &&
				is_his(r);
	buf_fini(&meant);
	return found;
}

long
keys_edit_remove(struct span file, const char *who, keys_edit_removed_fn *fn,
    void *arg, struct buf *out, struct err *err)
{
	struct removal *r = calloc(1, sizeof *r);
	size_t at = 0, start = 0;
	struct span text;
	long count = 0;

	if (r == NULL)
		return nomem(err);
	r->who = who;
	while (
	    authorized_keys_next_line(file, &at, &r->removed.number, &text)) {
		enum authorized_keys_result result =
		    authorized_keys_parse(text, &r->line);

		r->removed.was_void = result == AUTHORIZED_KEYS_VOID;
		if ((result == AUTHORIZED_KEYS_KEY && is_his(r)) ||
		    (r->removed.was_void && was_meant_as_his(r))) {
			count++;
			if (fn != NULL)
				fn(arg, &r->removed);
		} else {
			buf_append(out, file.data + start,
			    (at < file.len ? at : file.len) - start);
		}
		start = at;
	}
	free(r);
	return out->failed ? nomem(err) : count;
}

/* ---- mending ---- */

/* The first of this line's findings that knows the line meant. */
static const struct keys_finding *
find_meant(const struct keys_findings *findings, size_t number, size_t *i)
{
	while (*i < findings->count && findings->items[*i].line < number)
		++*i;
	for (; *i < findings->count && findings->items[*i].line == number; ++*i)
		if (findings->items[*i].meant != NULL)
			return &findings->items[*i];
	return NULL;
}

/* The number of lines that were put in others' places, or -1. */
static long
mend_once(struct span file, int64_t now_s, struct buf *out, struct err *err)
{
	struct keys_findings findings;
	size_t at = 0, number = 0, i = 0, skip = 0;
	struct span text;
	long count = 0;

	if (keys_judge(file, now_s, &findings, err) != 0)
		return -1;
	while (authorized_keys_next_line(file, &at, &number, &text)) {
		const struct keys_finding *finding;

		if (skip > 0) {
			skip--;
			continue;
		}
		finding = find_meant(&findings, number, &i);
		if (finding != NULL) {
			text = span_of_str(finding->meant);
			skip = finding->replaces - 1;
			count++;
		} else if (text.len > 0 && text.data[text.len - 1] == '\r') {
			text.len--;
		}
		buf_append(out, text.data, text.len);
		buf_append(out, "\n", 1);
	}
	keys_findings_fini(&findings);
	return out->failed ? nomem(err) : count;
}

int
keys_edit_mend(
    struct span file, int64_t now_s, struct buf *out, struct err *err)
{
	struct buf step[2];
	long count = 1;
	int i = 0;

	buf_init(&step[0], KEYS_EDIT_MAX_BYTES);
	buf_init(&step[1], KEYS_EDIT_MAX_BYTES);
	for (; count > 0 && i < MEND_ROUNDS; i++) {
		struct buf *next = &step[i % 2];

		buf_fini(next);
		count = mend_once(file, now_s, next, err);
		file = buf_span(next);
	}
	if (count >= 0 && !buf_append(out, file.data, file.len))
		count = nomem(err);
	buf_fini(&step[0]);
	buf_fini(&step[1]);
	return count < 0 ? -1 : 0;
}
