#include "audit.h"

#include "json.h"
#include "sha256.h"
#include "str.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

void
audit_begin(struct audit_entry *entry, const char *event)
{
	buf_init(&entry->fields, AUDIT_FIELDS_MAX);
	buf_append_str(&entry->fields, "\"event\":");
	json_put_str(&entry->fields, event);
}

static void
put_key(struct audit_entry *entry, const char *key, const char *suffix)
{
	buf_append_str(&entry->fields, ",\"");
	buf_append_str(&entry->fields, key);
	buf_append_str(&entry->fields, suffix);
	buf_append_str(&entry->fields, "\":");
}

static void
put_number(struct audit_entry *entry, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRIu64, value);
	buf_append_str(&entry->fields, text);
}

/* Bytes that a character takes in JSON; `step` that it takes now. */
static size_t
cost_of(uint8_t c, size_t step)
{
	if (c < 0x20 || c == 0x7f)
		return sizeof "\\u0000" - 1;
	return c == '"' || c == '\\' ? 2 : step;
}

/* How much of a text can stand there: whole characters, up to the limit. */
static size_t
clean_len(struct span value)
{
	size_t len = 0, cost = 0;

	while (len < value.len) {
		struct span rest = span_of(value.data + len, value.len - len);
		uint8_t c = rest.data[0];
		size_t step = c < 0x80 ? 1 : str_utf8_len(rest);

		cost += cost_of(c, step);
		if (step == 0 || cost > AUDIT_VALUE_MAX)
			break;
		len += step;
	}
	return len;
}

void
audit_put_span(struct audit_entry *entry, const char *key, struct span value)
{
	uint8_t digest[SHA256_BYTES];
	char hex[2 * sizeof digest + 1];
	size_t clean = clean_len(value);

	put_key(entry, key, "");
	json_put_string(&entry->fields, span_of(value.data, clean));
	if (clean == value.len)
		return;
	put_key(entry, key, "_bytes");
	put_number(entry, value.len);
	sha256_or_abort(value, digest);
	str_hex(span_of(digest, sizeof digest), hex);
	put_key(entry, key, "_sha256");
	json_put_str(&entry->fields, hex);
}

void
audit_put_str(struct audit_entry *entry, const char *key, const char *value)
{
	if (value != NULL)
		audit_put_span(entry, key, span_of_str(value));
}

void
audit_put_u64(struct audit_entry *entry, const char *key, uint64_t value)
{
	put_key(entry, key, "");
	put_number(entry, value);
}

void
audit_put_hex(struct audit_entry *entry, const char *key, struct span value)
{
	char hex[2 * AUDIT_HEX_MAX + 1];

	assert(value.len <= AUDIT_HEX_MAX);
	str_hex(value, hex);
	put_key(entry, key, "");
	json_put_str(&entry->fields, hex);
}

void
audit_drop(struct audit_entry *entry)
{
	buf_fini(&entry->fields);
}
