#include "keys_twice.h"

#include "str.h"

#include <stdio.h>
#include <stdlib.h>

struct keys_twice_line {
	uint8_t digest[PUBKEY_DIGEST_BYTES];
	struct span identity; /* in the file */
	size_t number;
	size_t column; /* of the key's type */
	size_t identity_column;
	bool is_authority;
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
	    .number = number,
	    .column = authorized_keys_column(line, line->type_word),
	    .identity_column = authorized_keys_column(line, line->identity),
	    .is_authority = line->is_authority,
	    .is_conditional = line->from.data != NULL || line->expires_s != 0,
	};
	pubkey_digest(span_of(line->blob, line->blob_len), bigger->digest);
	return 0;
}

static int
by_number(const struct keys_twice_line *a, const struct keys_twice_line *b)
{
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

static int
judge_keys(struct keys_twice *twice, struct keys_findings *findings)
{
	struct keys_twice_line *first = NULL;

	qsort(twice->lines, twice->count, sizeof *twice->lines, by_key);
	for (size_t i = 0; i < twice->count; i++) {
		struct keys_twice_line *line = &twice->lines[i];
		struct keys_finding *finding;

		if (first == NULL ||
		    memcmp(first->digest, line->digest, PUBKEY_DIGEST_BYTES) !=
			0 ||
		    first->is_authority != line->is_authority ||
		    first->is_conditional) {
			first = line;
			continue;
		}
		finding = keys_findings_add(findings);
		if (finding == NULL)
			return -1;
		finding->line = line->number;
		finding->column = line->column;
		finding->severity = KEYS_WARNING;
		finding->code = "key-twice";
		finding->sshd = "uses the first line that admits the key";
		snprintf(finding->cause, sizeof finding->cause,
		    "line %zu has the same key, so that this one has no effect",
		    first->number);
		snprintf(finding->remedy, sizeof finding->remedy,
		    "take one of the two out");
	}
	return 0;
}

static int
judge_identities(struct keys_twice *twice, struct keys_findings *findings)
{
	struct keys_twice_line *first = NULL;
	char name[STR_NAME_MAX + 1];

	qsort(twice->lines, twice->count, sizeof *twice->lines, by_identity);
	for (size_t i = 0; i < twice->count; i++) {
		struct keys_twice_line *line = &twice->lines[i];
		struct keys_finding *finding;

		if (!str_is_name(line->identity))
			continue;
		if (first == NULL ||
		    !span_equal(first->identity, line->identity)) {
			first = line;
			continue;
		}
		if (memcmp(first->digest, line->digest, PUBKEY_DIGEST_BYTES) ==
		    0)
			continue;
		finding = keys_findings_add(findings);
		if (finding == NULL)
			return -1;
		span_to_str(line->identity, name, sizeof name);
		finding->line = line->number;
		finding->column = line->identity_column;
		finding->severity = KEYS_WARNING;
		finding->code = "identity-twice";
		snprintf(finding->cause, sizeof finding->cause,
		    "line %zu gives another key the same identity, %s",
		    first->number, name);
		snprintf(finding->remedy, sizeof finding->remedy,
		    "give each device its own; one device's old key should go "
		    "when its new one works");
	}
	return 0;
}

int
keys_twice_judge(struct keys_twice *twice, struct keys_findings *findings)
{
	if (twice->count == 0)
		return 0;
	if (judge_keys(twice, findings) < 0)
		return -1;
	return judge_identities(twice, findings);
}

void
keys_twice_fini(struct keys_twice *twice)
{
	free(twice->lines);
	*twice = (struct keys_twice){0};
}
