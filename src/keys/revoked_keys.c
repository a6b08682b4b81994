#include "revoked_keys.h"

#include "authorized_keys.h"
#include "keys_explain.h"
#include "keys_text.h"
#include "revoked_private.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

enum { TABLE_MAX_BYTES = 1 << 30 };

/* ---- the table ---- */

void
revoked_key_init(struct revoked_key *key, struct span blob)
{
	pubkey_digest(blob, key->sha256);
	SHA1(blob.data, blob.len, key->sha1);
}

void
revoked_add_key(struct revoked_keys *revoked, struct span blob)
{
	uint8_t digest[PUBKEY_DIGEST_BYTES];

	pubkey_digest(blob, digest);
	buf_append(&revoked->sha256s, digest, sizeof digest);
}

void
revoked_add_range(
    struct revoked_keys *revoked, const struct revoked_range *range)
{
	buf_append(&revoked->ranges, range, sizeof *range);
}

void
revoked_add_id(
    struct revoked_keys *revoked, uint32_t authority, struct span key_id)
{
	struct revoked_id id = {.authority = authority};

	pubkey_digest(key_id, id.sha256);
	buf_append(&revoked->ids, &id, sizeof id);
}

/* 0: none has this digest.  They are few: one for each authority. */
static uint32_t
find_authority(const struct revoked_keys *revoked, const uint8_t *digest)
{
	struct span all = buf_span(&revoked->authorities);

	for (size_t at = 0; at < all.len; at += PUBKEY_DIGEST_BYTES)
		if (memcmp(all.data + at, digest, PUBKEY_DIGEST_BYTES) == 0)
			return (uint32_t)(at / PUBKEY_DIGEST_BYTES) + 1;
	return 0;
}

uint32_t
revoked_add_authority(struct revoked_keys *revoked, struct span blob)
{
	uint8_t digest[PUBKEY_DIGEST_BYTES];
	uint32_t number;

	pubkey_digest(blob, digest);
	number = find_authority(revoked, digest);
	if (number != 0)
		return number;
	buf_append(&revoked->authorities, digest, sizeof digest);
	return (uint32_t)(buf_len(&revoked->authorities) / sizeof digest);
}

static int
compare_sha256(const void *a, const void *b)
{
	return memcmp(a, b, PUBKEY_DIGEST_BYTES);
}

static int
compare_sha1(const void *a, const void *b)
{
	return memcmp(a, b, REVOKED_SHA1_BYTES);
}

static int
compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int
compare_ids(const void *a, const void *b)
{
	const struct revoked_id *x = a, *y = b;
	int order = memcmp(x->sha256, y->sha256, sizeof x->sha256);

	return order != 0 ? order : compare_numbers(x->authority, y->authority);
}

static int
compare_ranges(const void *a, const void *b)
{
	const struct revoked_range *x = a, *y = b;

	return x->authority != y->authority
		   ? compare_numbers(x->authority, y->authority)
		   : compare_numbers(x->first, y->first);
}

/* Against ranges that do not overlap: where the serial lies. */
static int
compare_serial(const void *serial, const void *range)
{
	const struct revoked_range *wanted = serial, *r = range;

	if (wanted->authority != r->authority)
		return compare_numbers(wanted->authority, r->authority);
	return wanted->first < r->first ? -1 : wanted->first > r->last;
}

typedef int compare_fn(const void *a, const void *b);

/* A buf that was only ever appended to begins where its memory does. */
static void
sort(struct buf *rows, size_t bytes, compare_fn *compare)
{
	if (buf_len(rows) > 0)
		qsort(rows->mem, buf_len(rows) / bytes, bytes, compare);
}

static bool
find(const struct buf *rows, size_t bytes, compare_fn *compare,
    const void *wanted)
{
	return buf_len(rows) > 0 &&
	       bsearch(wanted, rows->mem, buf_len(rows) / bytes, bytes,
		   compare) != NULL;
}

/* Of sorted ranges those that overlap or touch become one. */
static void
merge_ranges(struct buf *rows)
{
	struct revoked_range *ranges = (void *)rows->mem;
	size_t count = buf_len(rows) / sizeof *ranges, kept = 0;

	for (size_t i = 1; i < count; i++) {
		struct revoked_range *last = &ranges[kept];

		if (ranges[i].authority != last->authority ||
		    (ranges[i].first > last->last &&
			ranges[i].first - last->last > 1))
			ranges[++kept] = ranges[i];
		else if (ranges[i].last > last->last)
			last->last = ranges[i].last;
	}
	if (count > 0)
		buf_truncate(rows, (kept + 1) * sizeof *ranges);
}

static bool
finish(struct revoked_keys *revoked)
{
	if (revoked->sha256s.failed || revoked->sha1s.failed ||
	    revoked->authorities.failed || revoked->ranges.failed ||
	    revoked->ids.failed)
		return false;
	sort(&revoked->sha256s, PUBKEY_DIGEST_BYTES, compare_sha256);
	sort(&revoked->sha1s, REVOKED_SHA1_BYTES, compare_sha1);
	sort(&revoked->ids, sizeof(struct revoked_id), compare_ids);
	sort(&revoked->ranges, sizeof(struct revoked_range), compare_ranges);
	merge_ranges(&revoked->ranges);
	return true;
}

/* ---- files of text ---- */

/* The words of what ssh-keygen makes a KRL of: no list of keys yet. */
static bool
is_specification(struct span line)
{
	static const char *const words[] = {
	    "serial:", "id:", "key:", "sha1:", "sha256:", "hash:"};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (keys_text_starts_with(line, words[i]))
			return true;
	return false;
}

static int
tell(struct conf_fault *fault, size_t line, size_t column, const char *cause,
    const char *remedy)
{
	fault->mark = (struct conf_mark){line, column};
	err_set(&fault->err, ERR_CONFIG, "%s", cause);
	err_where(&fault->err, "%s:%zu:%zu", fault->file, line, column);
	return err_hint(&fault->err, "%s", remedy);
}

/* A certificate's key; false where it is none, or memory fails. */
static bool
add_certified(
    struct revoked_keys *revoked, const struct authorized_keys_line *line)
{
	uint8_t blob[PUBKEY_MAX_BYTES];
	struct buf key;
	bool is_added;
	size_t len;

	buf_init(&key, PUBKEY_MAX_BYTES);
	is_added = pubkey_decode(line->base64, blob, sizeof blob, &len) ==
		       PUBKEY_GOOD &&
		   pubkey_certified(span_of(blob, len), &key);
	if (is_added)
		revoked_add_key(revoked, buf_span(&key));
	buf_fini(&key);
	return is_added;
}

static int
add_line(struct revoked_keys *revoked, struct authorized_keys_line *line,
    struct span text, size_t number, struct conf_fault *fault)
{
	struct keys_reason reason;

	switch (authorized_keys_parse(text, line)) {
	case AUTHORIZED_KEYS_EMPTY:
		return 0;
	case AUTHORIZED_KEYS_KEY:
		if (line->options.len > 0)
			return tell(fault, number,
			    authorized_keys_column(line, line->options),
			    "options stand before the key",
			    "give the key alone, as its .pub file has it");
		revoked_add_key(revoked, span_of(line->blob, line->blob_len));
		return 0;
	case AUTHORIZED_KEYS_VOID:
		break;
	}
	if (line->fault == FAULT_CERTIFICATE && line->options.len == 0 &&
	    add_certified(revoked, line))
		return 0;
	if (is_specification(keys_text_skip_blanks(text)))
		return tell(fault, number, 1,
		    "this is what ssh-keygen makes a KRL of, no list of keys",
		    "make the KRL: ssh-keygen -k -f KRL -s AUTHORITY.pub FILE");
	if (line->fault == FAULT_CERTIFICATE)
		return tell(fault, number,
		    authorized_keys_column(line, line->type_word),
		    "the certificate is malformed",
		    "copy it whole, or name its key");
	keys_explain(line, &reason, NULL);
	return tell(fault, number, reason.column, reason.cause,
	    "name one public key a line, as its .pub file has it");
}

static int
read_text(
    struct revoked_keys *revoked, struct span bytes, struct conf_fault *fault)
{
	struct authorized_keys_line *line = malloc(sizeof *line);
	size_t at = 0, number = 0;
	struct span text;
	int result = 0;

	if (line == NULL)
		return err_set(&fault->err, ERR_NOMEM, "no memory");
	while (result == 0 &&
	       authorized_keys_next_line(bytes, &at, &number, &text))
		result = add_line(revoked, line, text, number, fault);
	free(line);
	return result;
}

/* ---- life ---- */

struct revoked_keys *
revoked_keys_new(const char *name, struct span bytes, struct conf_fault *fault)
{
	struct revoked_keys *revoked = calloc(1, sizeof *revoked);
	int result = -1;

	*fault = (struct conf_fault){.file = name};
	if (revoked != NULL) {
		buf_init(&revoked->sha256s, TABLE_MAX_BYTES);
		buf_init(&revoked->sha1s, TABLE_MAX_BYTES);
		buf_init(&revoked->authorities, TABLE_MAX_BYTES);
		buf_init(&revoked->ranges, TABLE_MAX_BYTES);
		buf_init(&revoked->ids, TABLE_MAX_BYTES);
		result = revoked_krl_is(bytes)
			     ? revoked_krl_read(revoked, bytes, &fault->err)
			     : read_text(revoked, bytes, fault);
		if (result == 0 && finish(revoked))
			return revoked;
	}
	if (revoked == NULL || result == 0)
		err_set(&fault->err, ERR_NOMEM, "no memory for revoked keys");
	err_where(&fault->err, "%s", name);
	revoked_keys_free(revoked);
	return NULL;
}

void
revoked_keys_free(struct revoked_keys *revoked)
{
	if (revoked == NULL)
		return;
	buf_fini(&revoked->sha256s);
	buf_fini(&revoked->sha1s);
	buf_fini(&revoked->authorities);
	buf_fini(&revoked->ranges);
	buf_fini(&revoked->ids);
	free(revoked);
}

struct revoked_keys_stats
revoked_keys_stats(const struct revoked_keys *revoked)
{
	return (struct revoked_keys_stats){
	    .keys = buf_len(&revoked->sha256s) / PUBKEY_DIGEST_BYTES +
		    buf_len(&revoked->sha1s) / REVOKED_SHA1_BYTES,
	    .ranges = buf_len(&revoked->ranges) / sizeof(struct revoked_range),
	    .key_ids = buf_len(&revoked->ids) / sizeof(struct revoked_id),
	};
}

/* ---- questions ---- */

bool
revoked_keys_has(
    const struct revoked_keys *revoked, const struct revoked_key *key)
{
	return revoked != NULL && (find(&revoked->sha256s, PUBKEY_DIGEST_BYTES,
				       compare_sha256, key->sha256) ||
				      find(&revoked->sha1s, REVOKED_SHA1_BYTES,
					  compare_sha1, key->sha1));
}

/* By its authority of this number, or by all. */
static bool
has_by(const struct revoked_keys *revoked, uint32_t authority,
    const struct revoked_certificate *certificate)
{
	struct revoked_range serial = {
	    .first = certificate->serial, .authority = authority};
	struct revoked_id id = {.authority = authority};

	pubkey_digest(certificate->key_id, id.sha256);
	return find(&revoked->ids, sizeof id, compare_ids, &id) ||
	       find(&revoked->ranges, sizeof serial, compare_serial, &serial);
}

bool
revoked_keys_has_certificate(const struct revoked_keys *revoked,
    const struct revoked_certificate *certificate)
{
	uint32_t authority;

	if (revoked == NULL)
		return false;
	authority = find_authority(revoked, certificate->authority);
	return revoked_keys_has(revoked, &certificate->key) ||
	       has_by(revoked, REVOKED_ANY_AUTHORITY, certificate) ||
	       (authority != 0 && has_by(revoked, authority, certificate));
}
