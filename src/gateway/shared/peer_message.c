#include "peer_message.h"

#include "sha256.h"
#include "wire.h"

enum { COMMAND_MAX = 2048, SIGNATURE_MAX = PEER_MESSAGE_MAX - 64 };

static const char *const kind_names[] = {
#define X(kind, name) [kind] = (name),
    PEER_KINDS(X)
#undef X
};

const char *
peer_kind_name(enum peer_kind kind)
{
	return kind_names[kind];
}

const char *
peer_verdict_text(enum peer_verdict verdict)
{
	static const char *const texts[] = {
	    [PEER_GOOD] = "it is good",
	    [PEER_MALFORMED] = "it is no message of a gateway",
	    [PEER_OTHER_VERSION] = "it is of another version of kayad",
	    [PEER_BAD_SIGNATURE] = "it is not signed by that gateway's key",
	    [PEER_NO_MEMORY] = "no memory",
	};

	return texts[verdict];
}

/* ---- fields ---- */

enum field_type {
	FIELD_U8, /* up to `max` */
	FIELD_U64,
	FIELD_FIXED, /* `max` bytes */
	FIELD_NAME, /* as str_is_name has it */
	FIELD_MAYBE_NAME, /* or empty */
	FIELD_ID, /* lower-case hex digits */
	FIELD_TEXT /* up to `max` bytes */
};

enum {
	EVERY = (1 << PEER_KIND_COUNT) - 1,
	HELD = 1 << PEER_HELD,
	ENDED = 1 << PEER_ENDED,
	WORD = 1 << PEER_AGREES | 1 << PEER_DENIES,
	ANSWER = 1 << PEER_ANSWER,
	STOP = 1 << PEER_STOP
};

/* In the order of the wire. */
static const struct field {
	uint8_t kinds; /* that have it */
	uint8_t type; /* enum field_type */
	uint16_t max;
	uint16_t offset;
} fields[] = {
#define AT(field) offsetof(struct peer_message, field)
    {EVERY, FIELD_NAME, 0, AT(from)},
    {EVERY, FIELD_NAME, 0, AT(to)},
    {EVERY, FIELD_FIXED, PEER_TOKEN_BYTES, AT(boot)},
    {EVERY, FIELD_FIXED, PEER_TOKEN_BYTES, AT(challenge)},
    {EVERY, FIELD_FIXED, PEER_TOKEN_BYTES, AT(echo)},
    {EVERY, FIELD_U64, 0, AT(seq)},
    {HELD | ENDED | WORD, FIELD_ID, APPROVAL_ID_DIGITS, AT(id)},
    {HELD | ENDED | WORD, FIELD_FIXED, APPROVAL_NONCE_BYTES, AT(nonce)},
    {HELD, FIELD_NAME, 0, AT(rule)},
    {HELD, FIELD_NAME, 0, AT(publisher)},
    {HELD | STOP, FIELD_TEXT, APPROVAL_TOPIC_MAX, AT(topic)},
    {HELD, FIELD_FIXED, APPROVAL_DIGEST_BYTES, AT(digest)},
    {HELD, FIELD_U64, 0, AT(bytes)},
    {HELD, FIELD_U8, 2, AT(qos)},
    {HELD, FIELD_U64, 0, AT(held_ms)},
    {HELD, FIELD_U64, 0, AT(left_ms)},
    {HELD, FIELD_U8, 1, AT(is_text)},
    {HELD, FIELD_TEXT, APPROVAL_TEXT_MAX, AT(text)},
    {WORD | ANSWER, FIELD_U64, 0, AT(request)},
    {WORD, FIELD_FIXED, APPROVAL_DIGEST_BYTES, AT(command)},
    {WORD, FIELD_NAME, 0, AT(identity)},
    {WORD, FIELD_MAYBE_NAME, 0, AT(role)},
    {1 << PEER_DENIES, FIELD_TEXT, APPROVAL_REASON_MAX, AT(reason)},
    {ENDED | ANSWER, FIELD_U8, APPROVAL_STATE_COUNT - 1, AT(state)},
    {ENDED | ANSWER, FIELD_U8, APPROVAL_CAUSE_COUNT - 1, AT(cause)},
    {ENDED | ANSWER, FIELD_MAYBE_NAME, 0, AT(by)},
#undef AT
};

enum { FIELD_COUNT = sizeof fields / sizeof *fields };

static void *
at(const struct peer_message *message, const struct field *field)
{
	return (uint8_t *)message + field->offset;
}

static bool
is_hex(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (memchr("0123456789abcdef", text.data[i], 16) == NULL)
			return false;
	return true;
}

/* Whether a text may stand in that field. */
static bool
fits(const struct field *field, struct span text)
{
	switch (field->type) {
	case FIELD_FIXED:
		return text.len == field->max;
	case FIELD_ID:
		return text.len == field->max && is_hex(text);
	case FIELD_NAME:
		return str_is_name(text);
	case FIELD_MAYBE_NAME:
		return text.len == 0 || str_is_name(text);
	default:
		return text.len <= field->max;
	}
}

static bool
take_field(struct span *in, const struct field *field, void *value)
{
	struct span *text = value;

	if (field->type == FIELD_U64)
		return wire_take_u64(in, value);
	if (field->type == FIELD_U8)
		return wire_take_u8(in, value) &&
		       *(uint8_t *)value <= field->max;
	if (field->type == FIELD_FIXED)
		return wire_take_bytes(in, field->max, text);
	return wire_take_string32(in, text) && fits(field, *text);
}

static bool
put_field(struct buf *out, const struct field *field, const void *value)
{
	const struct span *text = value;

	if (field->type == FIELD_U64) {
		wire_put_u64(out, *(const uint64_t *)value);
		return true;
	}
	if (field->type == FIELD_U8) {
		wire_put_u8(out, *(const uint8_t *)value);
		return *(const uint8_t *)value <= field->max;
	}
	if (field->type == FIELD_FIXED)
		wire_put_bytes(out, *text);
	else
		wire_put_string32(out, *text);
	return fits(field, *text);
}

/* ---- messages ---- */

static bool
take_parts(struct span bytes, struct span *body, struct span *signature)
{
	return bytes.len <= PEER_MESSAGE_MAX &&
	       wire_take_string32(&bytes, body) &&
	       wire_take_string32(&bytes, signature) && bytes.len == 0 &&
	       body->len <= PEER_BODY_MAX;
}

enum peer_verdict
peer_message_decode(struct span bytes, struct peer_message *message)
{
	struct span body, signature;
	uint8_t version;

	*message = (struct peer_message){.kind = PEER_HELLO};
	if (!take_parts(bytes, &body, &signature) ||
	    !wire_take_u8(&body, &version))
		return PEER_MALFORMED;
	if (version != PEER_VERSION)
		return PEER_OTHER_VERSION;
	if (!wire_take_u8(&body, &message->kind) ||
	    message->kind >= PEER_KIND_COUNT)
		return PEER_MALFORMED;
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if ((fields[i].kinds & 1 << message->kind) != 0 &&
		    !take_field(&body, &fields[i], at(message, &fields[i])))
			return PEER_MALFORMED;
	/* One encoding: a text that nobody is to see is not there. */
	if (body.len > 0 || (message->is_text == 0 && message->text.len > 0))
		return PEER_MALFORMED;
	return PEER_GOOD;
}

enum peer_verdict
peer_message_verify(struct span bytes, struct span key)
{
	struct ssh_key_presence presence;
	struct span body, blob;
	struct ssh_sig sig;

	if (!take_parts(bytes, &body, &blob))
		return PEER_MALFORMED;
	if (ssh_sig_parse(blob, &sig) != SSH_SIG_GOOD ||
	    !span_equal(sig.key, key))
		return PEER_BAD_SIGNATURE;
	switch (ssh_sig_verify(&sig, PEER_NAMESPACE, body, &presence)) {
	case SSH_SIG_GOOD:
		return PEER_GOOD;
	case SSH_SIG_NO_MEMORY:
		return PEER_NO_MEMORY;
	default:
		return PEER_BAD_SIGNATURE;
	}
}

static bool
put_body(const struct peer_message *message, struct buf *body)
{
	wire_put_u8(body, PEER_VERSION);
	wire_put_u8(body, message->kind);
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if ((fields[i].kinds & 1 << message->kind) != 0 &&
		    !put_field(body, &fields[i], at(message, &fields[i])))
			return false;
	return !body->failed &&
	       (message->is_text != 0 || message->text.len == 0);
}

int
peer_message_encode(const struct peer_message *message,
    const struct ssh_host_key *key, struct buf *out, struct err *err)
{
	struct buf body, signature;
	int result = -1;

	buf_init(&body, PEER_BODY_MAX);
	buf_init(&signature, SIGNATURE_MAX);
	if (!put_body(message, &body)) {
		err_set(err, ERR_FAILED,
		    "a message of kind %s cannot hold what is in it",
		    peer_kind_name(message->kind));
	} else if (ssh_sig_sign(key, PEER_NAMESPACE, buf_span(&body),
		       &signature, err) == 0) {
		wire_put_string32(out, buf_span(&body));
		wire_put_string32(out, buf_span(&signature));
		result = 0;
		if (out->failed || buf_len(out) > PEER_MESSAGE_MAX)
			result =
			    err_set(err, ERR_FAILED, "a message is too large");
	}
	buf_fini(&body);
	buf_fini(&signature);
	return result;
}

bool
peer_command_digest(
    const struct peer_message *held, uint8_t digest[APPROVAL_DIGEST_BYTES])
{
	struct buf command;
	bool done;

	buf_init(&command, COMMAND_MAX);
	wire_put_cstring32(&command, "kaya command");
	wire_put_string32(&command, held->id);
	wire_put_string32(&command, held->nonce);
	wire_put_string32(&command, held->rule);
	wire_put_string32(&command, held->publisher);
	wire_put_string32(&command, held->topic);
	wire_put_string32(&command, held->digest);
	wire_put_u64(&command, held->bytes);
	wire_put_u8(&command, held->qos);
	done = !command.failed && sha256_of(buf_span(&command), digest) == 0;
	buf_fini(&command);
	return done;
}
