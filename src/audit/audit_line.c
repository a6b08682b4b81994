#include "audit_line.h"

#include "sha256.h"
#include "str.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum {
	HASH_DIGITS = AUDIT_HASH_SIZE - 1,
	TIME_LEN = CLOCK_TEXT_SIZE - 1,
	PREV_LEN = sizeof ",\"prev\":\"\"" - 1 + HASH_DIGITS,
	HASH_LEN = sizeof ",\"hash\":\"\"}" - 1 + HASH_DIGITS,
};

const struct audit_mark audit_mark_begin = {.seq = 0,
    .hash = "00000000000000000000000000000000"
	    "00000000000000000000000000000000"};

bool
audit_mark_is_same(const struct audit_mark *a, const struct audit_mark *b)
{
	return a->seq == b->seq && strcmp(a->hash, b->hash) == 0;
}

bool
audit_hash_is(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (memchr("0123456789abcdef", text.data[i], 16) == NULL)
			return false;
	return text.len == HASH_DIGITS;
}

static void
hash_of(struct span bytes, char text[AUDIT_HASH_SIZE])
{
	uint8_t digest[SHA256_BYTES];

	sha256_or_abort(bytes, digest);
	str_hex(span_of(digest, sizeof digest), text);
}

size_t
audit_line_encode(struct span fields, const char *time, struct audit_mark *mark,
    char line[AUDIT_LINE_MAX])
{
	char hash[AUDIT_HASH_SIZE];
	int len;

	assert(fields.len <= AUDIT_FIELDS_MAX);
	len = snprintf(line, AUDIT_LINE_MAX,
	    "{\"seq\":%" PRIu64 ",\"time\":\"%s\",%.*s,\"prev\":\"%s\"",
	    mark->seq + 1, time, (int)fields.len, (const char *)fields.data,
	    mark->hash);
	hash_of(span_of(line, (size_t)len), hash);
	len += snprintf(line + len, AUDIT_LINE_MAX - (size_t)len,
	    ",\"hash\":\"%s\"}\n", hash);
	mark->seq++;
	memcpy(mark->hash, hash, sizeof hash);
	return (size_t)len;
}

/* Take `word` from the front. */
static bool
take(struct span *text, const char *word)
{
	size_t len = strlen(word);

	if (text->len < len || memcmp(text->data, word, len) != 0)
		return false;
	*text = span_of(text->data + len, text->len - len);
	return true;
}

/* Take what stands before the next `end`, and that. */
static bool
take_until(struct span *text, char end, struct span *value)
{
	const uint8_t *at =
	    text->len == 0 ? NULL : memchr(text->data, end, text->len);

	if (at == NULL)
		return false;
	*value = span_of(text->data, (size_t)(at - text->data));
	*text = span_of(at + 1, text->len - value->len - 1);
	return true;
}

/* Take `,"NAME":"HASH"` and what closes it, which is all of `text`. */
static bool
take_hash(
    struct span text, const char *open, const char *close, struct span *hash)
{
	return take(&text, open) && take_until(&text, '"', hash) &&
	       audit_hash_is(*hash) && span_is(text, close);
}

bool
audit_line_parse(struct span text, struct audit_line *line)
{
	struct span head, prev, tail, seq, hash;
	char own[AUDIT_HASH_SIZE];

	if (text.len < PREV_LEN + HASH_LEN || text.len >= AUDIT_LINE_MAX)
		return false;
	head = span_of(text.data, text.len - PREV_LEN - HASH_LEN);
	prev = span_of(head.data + head.len, PREV_LEN);
	tail = span_of(prev.data + PREV_LEN, HASH_LEN);
	if (!take_hash(prev, ",\"prev\":\"", "", &line->prev) ||
	    !take_hash(tail, ",\"hash\":\"", "}", &hash) ||
	    !take(&head, "{\"seq\":") || !take_until(&head, ',', &seq) ||
	    !str_to_u64(seq, 1, INT64_MAX, &line->mark.seq) ||
	    seq.data[0] == '0' || !take(&head, "\"time\":\"") ||
	    !take_until(&head, '"', &line->time) ||
	    line->time.len != TIME_LEN || !take(&head, ","))
		return false;
	line->members = head;
	if (!take(&head, "\"event\":\"") ||
	    !take_until(&head, '"', &line->event))
		return false;
	hash_of(span_of(text.data, text.len - HASH_LEN), own);
	if (!span_is(hash, own))
		return false;
	memcpy(line->mark.hash, own, sizeof own);
	return true;
}
