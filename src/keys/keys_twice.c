#include "keys_twice.h"

#include "str.h"

#include <stdio.h>
#include <stdlib.h>

struct keys_twice_line {
	uint8_t digest[PUBKEY_DIGEST_BYTES];
	struct span identity; /* in the file */
	struct span options; /* too */
	size_t file;
	size_t number;
	size_t column; /* of the key's type */
	size_t identity_column;
	bool is_authority;
	bool is_login; /* nothing is forbidden to it */
	bool is_conditional; /* by from or expiry-time: may leave it to a later
			      */
};

int
keys_twice_add(struct keys_twice *twice,
    const struct authorized_keys_line *line, size_t number)
{
	struct keys_twice_line *bigger;
	size_t cap;

	if (twice->count == twice->cap) {
		cap = twice->cap == 0 ? 16 : twice->cap * 2;
		bigger = realloc(twice->lines, cap * sizeof *bigger);
		if (bigger == NULL)
			return -1;
		twice->lines = bigger;
		twice->cap = cap;
	}
	bigger = &twice->lines[twice->count++];
	*bigger = (struct keys_twice_line){
	    .identity = line->identity,
	    .options = line->options,
	    .file = twice->file,
	    .number = number,
	    .column = authorized_keys_column(line, line->type_word),
	    .identity_column = authorized_keys_column(line, line->identity),
	    .is_authority = line->is_authority,
	    .is_login = line->command.data == NULL && line->rights.pty,
	    .is_conditional = line->from.data != NULL || line->expires_s != 0,
	};
	pubkey_digest(span_of(line->blob, line->blob_len), bigger->digest);
	return 0;
}

static int
by_number(const struct keys_twice_line *a, const struct keys_twice_line *b)
{
	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

static int
by_key(const void *a, const void *b)
{
	const struct keys_twice_line *x = a, *y = b;
	int order = memcmp(x->digest, y->digest, PUBKEY_DIGEST_BYTES);

	if (order == 0)
		order = (int)x->is_authority - (int)y->is_authority;
	return order != 0 ? order : by_number(x, y);
}

static int
by_identity(const void *a, const void *b)
{
	const struct keys_twice_line *x = a, *y = b;
	size_t len = x->identity.len < y->identity.len ? x->identity.len
						       : y->identity.len;
	int order =
	    len == 0 ? 0 : memcmp(x->identity.data, y->identity.data, len);

	if (order == 0 && x->identity.len != y->identity.len)
		order = x->identity.len < y->identity.len ? -1 : 1;
	return order != 0 ? order : by_number(x, y);
}

/* How a line is called in a finding about another one. */
static const char *
place(const struct keys_twice *twice, const struct keys_twice_line *line,
    const struct keys_twice_line *seen_from, char *text, size_t size)
{
	if (line->file == seen_from->file)
		snprintf(text, size, "line %zu", line->number);
	else
		snprintf(text, size, "%.100s:%zu",
		    twice->files[line->file].name, line->number);
	return text;
}

static struct keys_finding *
add(struct keys_twice *twice, const struct keys_twice_line *line,
    const char *code, enum keys_severity severity)
{
	struct keys_finding *finding =
	    keys_findings_add(&twice->findings[line->file]);

	if (finding == NULL)
		return NULL;
	finding->line = line->number;
	finding->code = code;
	finding->severity = severity;
	return finding;
}

/* `line` repeats `first`'s key, and sshd never comes to it. */
static int
tell_key(struct keys_twice *twice, const struct keys_twice_line *first,
    const struct keys_twice_line *line)
{
	bool is_alike = span_equal(first->options, line->options);
	bool is_login = !is_alike && first->is_login && !line->is_login;
	struct keys_finding *finding =
	    add(twice, line, is_login ? "login-key" : "key-twice",
		is_login ? KEYS_ERROR : KEYS_WARNING);
	char text[128];

	if (finding == NULL)
		return -1;
	finding->column = line->column;
	finding->sshd = "uses the first line that admits the key";
	place(twice, first, line, text, sizeof text);
	if (is_login) {
		snprintf(finding->cause, sizeof finding->cause,
		    "by %s the same key may do everything: what this line "
		    "forbids, it does not",
		    text);
		snprintf(finding->remedy, sizeof finding->remedy,
		    "make a key of its own for this use: ssh-keygen -t "
		    "ed25519");
		return 0;
	}
	snprintf(finding->cause, sizeof finding->cause,
	    "%s has the same key%s, so that this one has no effect", text,
	    is_alike ? "" : " with other options");
	snprintf(
	    finding->remedy, sizeof finding->remedy, "take one of the two out");
	return 0;
}

/*
 * Whether the first may refuse what comes by the other: by address or date, or,
 * where it is an authority, by the name that the other would give.
 */
static bool
leaves_room(
    const struct keys_twice_line *first, const struct keys_twice_line *line)
{
	return first->is_conditional ||
	       (first->is_authority &&
		   !span_equal(first->options, line->options));
}

static int
judge_keys(struct keys_twice *twice)
{
	struct keys_twice_line *first = NULL;

	qsort(twice->lines, twice->count, sizeof *twice->lines, by_key);
	for (size_t i = 0; i < twice->count; i++) {
		struct keys_twice_line *line = &twice->lines[i];

		if (first == NULL ||
		    memcmp(first->digest, line->digest, PUBKEY_DIGEST_BYTES) !=
			0 ||
		    first->is_authority != line->is_authority ||
		    leaves_room(first, line))
			first = line;
		else if (tell_key(twice, first, line) != 0)
			return -1;
	}
	return 0;
}

static int
tell_identity(struct keys_twice *twice, const struct keys_twice_line *first,
    const struct keys_twice_line *line)
{
	struct keys_finding *finding =
	    add(twice, line, "identity-twice", KEYS_WARNING);
	char name[STR_NAME_MAX + 1], text[128];

	if (finding == NULL)
		return -1;
	span_to_str(line->identity, name, sizeof name);
	finding->column = line->identity_column;
	snprintf(finding->cause, sizeof finding->cause,
	    "%s gives another key the same identity, %s",
	    place(twice, first, line, text, sizeof text), name);
	snprintf(finding->remedy, sizeof finding->remedy,
	    "give each device its own; one device's old key should go when "
	    "its new one works");
	return 0;
}

static int
judge_identities(struct keys_twice *twice)
{
	struct keys_twice_line *first = NULL;

	qsort(twice->lines, twice->count, sizeof *twice->lines, by_identity);
	for (size_t i = 0; i < twice->count; i++) {
		struct keys_twice_line *line = &twice->lines[i];

		if (!str_is_name(line->identity))
			continue;
		if (first == NULL ||
		    !span_equal(first->identity, line->identity))
			first = line;
		else if (memcmp(first->digest, line->digest,
			     PUBKEY_DIGEST_BYTES) != 0 &&
			 tell_identity(twice, first, line) != 0)
			return -1;
	}
	return 0;
}

int
keys_twice_judge(struct keys_twice *twice)
{
	if (twice->count == 0)
		return 0;
	if (judge_keys(twice) < 0)
		return -1;
	return judge_identities(twice);
}

void
keys_twice_fini(struct keys_twice *twice)
{
	free(twice->lines);
	twice->lines = NULL;
	twice->count = twice->cap = 0;
}
