/*
 * Any bytes as a file of keys, edited: what is appended stands behind what was
 * there; whoever was taken out is gone and nobody else; mending loses no key;
 * the difference that is shown leads from the one file to the other.
 */

#include "keys_diff.h"
#include "keys_edit.h"
#include "keys_rights.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition))                                              \
			abort();                                               \
	} while (0)

enum { OUT_MAX_BYTES = 1 << 26, NOW = 1893456000 };

static struct authorized_keys_line line;

/* The nth line with a key. */
static bool
find_key(struct span file, size_t nth)
{
	size_t at = 0, number = 0;
	struct span text;

	while (authorized_keys_next_line(file, &at, &number, &text))
		if (authorized_keys_parse(text, &line) == AUTHORIZED_KEYS_KEY &&
		    nth-- == 0)
			return true;
	return false;
}

static bool
has_key(struct span file, const char *fingerprint)
{
	char print[PUBKEY_FINGERPRINT_SIZE];

	for (size_t i = 0; find_key(file, i); i++)
		if (strcmp(keys_fingerprint(&line, print), fingerprint) == 0)
			return true;
	return false;
}

static void
append(struct span file)
{
	struct buf out;
	struct span all;

	buf_init(&out, OUT_MAX_BYTES);
	MUST(keys_edit_append(file, span_of_str("new"), &out, NULL) == 0);
	all = buf_span(&out);
	MUST(all.len >= file.len + 4 && all.len <= file.len + 5);
	MUST(span_equal(span_of(all.data, file.len), file));
	MUST(memcmp(all.data + all.len - 4, "new\n", 4) == 0);
	MUST(all.len == 4 || all.data[all.len - 5] == '\n');
	buf_fini(&out);
}

static void
take_out(struct span file)
{
	char who[PUBKEY_FINGERPRINT_SIZE], name[KEYS_IDENTITY_SIZE];
	struct buf out, rights;

	if (!find_key(file, 0))
		return;
	keys_fingerprint(&line, who);
	MUST(keys_identity(&line, name) == name);
	buf_init(&rights, OUT_MAX_BYTES);
	keys_rights_text(&line, &rights);
	MUST(buf_len(&rights) > 0);
	buf_fini(&rights);
	buf_init(&out, OUT_MAX_BYTES);
	MUST(keys_edit_remove(file, who, NULL, NULL, &out, NULL) > 0);
	MUST(buf_len(&out) < file.len);
	MUST(!has_key(buf_span(&out), who));
	for (size_t i = 0; i < 4 && find_key(file, i); i++) {
		char print[PUBKEY_FINGERPRINT_SIZE];

		keys_fingerprint(&line, print);
		MUST(strcmp(print, who) == 0 || has_key(buf_span(&out), print));
	}
	buf_fini(&out);
}

/* ---- the difference, done to the old file ---- */

struct patch {
	struct span before;
	size_t at;
	size_t line; /* of `at`, from 1 */
	struct buf after;
};

static struct span
next_line(struct patch *p)
{
	const uint8_t *from = p->before.data + p->at, *end;
	size_t left = p->before.len - p->at;

	MUST(left > 0);
	end = memchr(from, '\n', left);
	left = end == NULL ? left : (size_t)(end - from) + 1;
	p->at += left;
	p->line++;
	return span_of(from, left);
}

static void
keep_up_to(struct patch *p, size_t number)
{
	while (p->line < number) {
		struct span kept = next_line(p);

		buf_append(&p->after, kept.data, kept.len);
	}
}

static void
do_row(void *arg, char mark, struct span text)
{
	struct patch *p = arg;
	size_t from, count = 1;

	switch (mark) {
	case '@':
		MUST(sscanf((const char *)text.data, "@@ -%zu,%zu", &from,
			 &count) >= 1);
		keep_up_to(p, from + (count == 0));
		break;
	case '+':
		buf_append(&p->after, text.data, text.len);
		break;
	default:
		MUST(span_equal(next_line(p), text));
		if (mark == ' ')
			buf_append(&p->after, text.data, text.len);
		break;
	}
}

static void
compare(struct span before, struct span after)
{
	struct patch p = {.before = before, .line = 1};

	buf_init(&p.after, OUT_MAX_BYTES);
	MUST(keys_diff(before, after, do_row, &p, NULL) == 0);
	while (p.at < before.len)
		keep_up_to(&p, p.line + 1);
	MUST(span_equal(buf_span(&p.after), after));
	buf_fini(&p.after);
}

static void
mend(struct span file)
{
	struct buf out;

	buf_init(&out, OUT_MAX_BYTES);
	MUST(keys_edit_mend(file, NOW, &out, NULL) == 0);
	for (size_t i = 0; i < 4 && find_key(file, i); i++) {
		char print[PUBKEY_FINGERPRINT_SIZE];

		keys_fingerprint(&line, print);
		MUST(has_key(buf_span(&out), print));
	}
	compare(file, buf_span(&out));
	compare(buf_span(&out), file);
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of the very size, so that a reader past its end is seen. */
	uint8_t *copy = malloc(size + (size == 0));
	struct span file = span_of(copy, size);

	if (copy == NULL)
		return 0;
	memcpy(copy, data, size);
	append(file);
	take_out(file);
	mend(file);
	compare(
	    span_of(copy, size / 2), span_of(copy + size / 2, size - size / 2));
	free(copy);
	return 0;
}
