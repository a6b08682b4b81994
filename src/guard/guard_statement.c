#include "guard_statement.h"

#include <openssl/evp.h>
#include <stdlib.h>

enum { HASH_BYTES = 32, ID_BYTES = 8, HEX_SIZE = 2 * HASH_BYTES + 1 };

static bool
hash(struct span bytes, uint8_t digest[HASH_BYTES])
{
	return EVP_Digest(bytes.data, bytes.len, digest, NULL, EVP_sha256(),
		   NULL) == 1;
}

static void
put_line(struct buf *out, const char *name, const char *value)
{
	buf_append_str(out, name);
	buf_append_str(out, ": ");
	buf_append_str(out, value);
	buf_append_str(out, "\n");
}

static void
put_escaped(struct buf *out, const char *name, struct span value)
{
	size_t size = 4 * value.len + 8;
	char *text = malloc(size);

	if (text == NULL)
		out->failed = true;
	else
		put_line(out, name, str_escape(value, text, size));
	free(text);
}

bool
guard_statement_put(const struct guard_statement *statement, struct buf *out,
    char id[GUARD_ID_SIZE])
{
	uint8_t digest[HASH_BYTES];
	char hex[HEX_SIZE];
	size_t start = buf_len(out), name = statement->actuator.len;

	if (!str_is_name(statement->actuator) ||
	    statement->topic.len > GUARD_TOPIC_MAX ||
	    statement->payload.len > GUARD_PAYLOAD_MAX ||
	    statement->challenge.len != GUARD_CHALLENGE_BYTES ||
	    !hash(statement->payload, digest))
		return false;
	memcpy(id, statement->actuator.data, name);
	id[name] = '\0';
	buf_append_str(out, "kaya-command v1\n");
	put_line(out, "actuator", id);
	put_escaped(out, "topic", statement->topic);
	str_hex(span_of(digest, HASH_BYTES), hex);
	put_line(out, "payload-sha256", hex);
	put_escaped(out, "payload", statement->payload);
	str_hex(statement->challenge, hex);
	put_line(out, "challenge", hex);
	if (out->failed ||
	    !hash(span_of(buf_span(out).data + start, buf_len(out) - start),
		digest))
		return false;
	id[name] = '.';
	str_hex(span_of(digest, ID_BYTES), id + name + 1);
	return true;
}

bool
guard_id_actuator(struct span id, struct span *actuator)
{
	size_t tail = 1 + 2 * ID_BYTES;

	if (id.len <= tail || id.len >= GUARD_ID_SIZE ||
	    id.data[id.len - tail] != '.')
		return false;
	for (size_t i = id.len - tail + 1; i < id.len; i++)
		if (memchr("0123456789abcdef", id.data[i], 16) == NULL)
			return false;
	*actuator = span_of(id.data, id.len - tail);
	return str_is_name(*actuator);
}
