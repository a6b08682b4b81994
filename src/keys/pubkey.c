#include "pubkey.h"

#include "sha256.h"
#include "str.h"
#include "wire.h"

/* What follows the type's name in the blob, field by field. */
enum shape { SHAPE_ED25519, SHAPE_ECDSA, SHAPE_RSA, SHAPE_DSA, SHAPE_CERT };

static const struct row {
	enum pubkey_type type;
	const char *word;
	enum shape shape;
	bool is_token; /* one more string: the application */
	unsigned bits;
	const char *curve;
	size_t point_bytes;
} rows[] = {
    {PUBKEY_ED25519, "ssh-ed25519", SHAPE_ED25519, false, 256, NULL, 32},
    {PUBKEY_ECDSA_256, "ecdsa-sha2-nistp256", SHAPE_ECDSA, false, 256,
	"nistp256", 65},
    {PUBKEY_ECDSA_384, "ecdsa-sha2-nistp384", SHAPE_ECDSA, false, 384,
	"nistp384", 97},
    {PUBKEY_ECDSA_521, "ecdsa-sha2-nistp521", SHAPE_ECDSA, false, 521,
	"nistp521", 133},
    {PUBKEY_RSA, "ssh-rsa", SHAPE_RSA, false, 0, NULL, 0},
    {PUBKEY_DSA, "ssh-dss", SHAPE_DSA, false, 0, NULL, 0},
    {PUBKEY_SK_ED25519, "sk-ssh-ed25519@openssh.com", SHAPE_ED25519, true, 256,
	NULL, 32},
    {PUBKEY_SK_ECDSA, "sk-ecdsa-sha2-nistp256@openssh.com", SHAPE_ECDSA, true,
	256, "nistp256", 65},
    {PUBKEY_ED25519_CERT, "ssh-ed25519-cert-v01@openssh.com", SHAPE_CERT},
    {PUBKEY_ECDSA_256_CERT, "ecdsa-sha2-nistp256-cert-v01@openssh.com",
	SHAPE_CERT},
    {PUBKEY_ECDSA_384_CERT, "ecdsa-sha2-nistp384-cert-v01@openssh.com",
	SHAPE_CERT},
    {PUBKEY_ECDSA_521_CERT, "ecdsa-sha2-nistp521-cert-v01@openssh.com",
	SHAPE_CERT},
    {PUBKEY_RSA_CERT, "ssh-rsa-cert-v01@openssh.com", SHAPE_CERT},
    {PUBKEY_DSA_CERT, "ssh-dss-cert-v01@openssh.com", SHAPE_CERT},
    {PUBKEY_SK_ED25519_CERT, "sk-ssh-ed25519-cert-v01@openssh.com", SHAPE_CERT},
    {PUBKEY_SK_ECDSA_CERT, "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
	SHAPE_CERT},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

static const struct row *
row_of_word(struct span word)
{
	for (size_t i = 0; i < ROWS; i++)
		if (span_is(word, rows[i].word))
			return &rows[i];
	return NULL;
}

enum pubkey_type
pubkey_type_of_word(struct span word)
{
	const struct row *row = row_of_word(word);

	if (row != NULL)
		return row->type;
	if (span_is(word, "rsa-sha2-256") || span_is(word, "rsa-sha2-512"))
		return PUBKEY_RSA;
	return PUBKEY_UNKNOWN;
}

const char *
pubkey_type_word(enum pubkey_type type)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].type == type)
			return rows[i].word;
	return "unknown";
}

bool
pubkey_type_is_certificate(enum pubkey_type type)
{
	return type >= PUBKEY_ED25519_CERT && type < PUBKEY_TYPE_COUNT;
}

bool
pubkey_type_is_token(enum pubkey_type type)
{
	return type == PUBKEY_SK_ED25519 || type == PUBKEY_SK_ECDSA ||
	       type == PUBKEY_SK_ED25519_CERT || type == PUBKEY_SK_ECDSA_CERT;
}

const char *const *
pubkey_words(void)
{
	static const char *const words[] = {"ssh-ed25519",
	    "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
	    "ssh-rsa", "ssh-dss", "sk-ssh-ed25519@openssh.com",
	    "sk-ecdsa-sha2-nistp256@openssh.com", NULL};

	return words;
}

enum pubkey_result
pubkey_decode(struct span base64, uint8_t *blob, size_t size, size_t *len)
{
	char text[4 * ((PUBKEY_MAX_BYTES + 2) / 3)];
	size_t used = 0;
	long decoded;

	for (size_t i = 0; i < base64.len; i++) {
		uint8_t c = base64.data[i];

		if (c == '\r' || c == '\n' || c == '\v' || c == '\f')
			continue;
		if (used == sizeof text)
			return PUBKEY_TOO_LONG;
		text[used++] = (char)c;
	}
	decoded = str_base64_decode(span_of(text, used), blob, size);
	if (decoded < 0)
		return used / 4 * 3 > size + 2 ? PUBKEY_TOO_LONG
					       : PUBKEY_BAD_BASE64;
	*len = (size_t)decoded;
	return PUBKEY_GOOD;
}

/* A positive mpint in its shortest form; its width in bits. */
static enum pubkey_result
take_mpint(struct span *in, unsigned *bits)
{
	struct span n;
	unsigned top = 0;

	if (!wire_take_string32(in, &n))
		return PUBKEY_CUT_OFF;
	if (n.len == 0 || (n.data[0] & 0x80) != 0 || n.len > PUBKEY_MAX_BYTES)
		return PUBKEY_MALFORMED;
	if (n.data[0] == 0) {
		n = span_of(n.data + 1, n.len - 1);
		if (n.len == 0 || (n.data[0] & 0x80) == 0)
			return PUBKEY_MALFORMED;
	}
	for (uint8_t c = n.data[0]; c != 0; c >>= 1)
		top++;
	*bits = (unsigned)(n.len - 1) * 8 + top;
	return PUBKEY_GOOD;
}

static enum pubkey_result
take_mpints(struct span *in, size_t count, unsigned bits[])
{
	for (size_t i = 0; i < count; i++) {
		enum pubkey_result r = take_mpint(in, &bits[i]);

		if (r != PUBKEY_GOOD)
			return r;
	}
	return PUBKEY_GOOD;
}

static enum pubkey_result
take_point(struct span *in, const struct row *row)
{
	struct span s;

	if (row->shape == SHAPE_ECDSA) {
		if (!wire_take_string32(in, &s))
			return PUBKEY_CUT_OFF;
		if (!span_is(s, row->curve))
			return PUBKEY_MALFORMED;
	}
	if (!wire_take_string32(in, &s))
		return PUBKEY_CUT_OFF;
	if (s.len != row->point_bytes)
		return PUBKEY_MALFORMED;
	/* Only uncompressed points (RFC 5656 section 3.1 allows no more). */
	if (row->shape == SHAPE_ECDSA && s.data[0] != 4)
		return PUBKEY_MALFORMED;
	return PUBKEY_GOOD;
}

static enum pubkey_result
take_fields(struct span *in, const struct row *row, struct pubkey *key)
{
	enum pubkey_result r = PUBKEY_GOOD;
	unsigned bits[4];
	struct span application;

	switch (row->shape) {
	case SHAPE_CERT:
		*in = span_of(NULL, 0);
		return PUBKEY_GOOD;
	case SHAPE_RSA:
		r = take_mpints(in, 2, bits);
		if (r == PUBKEY_GOOD && bits[1] > PUBKEY_RSA_MAX_BITS)
			r = PUBKEY_MALFORMED;
		key->bits = r == PUBKEY_GOOD ? bits[1] : 0;
		break;
	case SHAPE_DSA:
		r = take_mpints(in, 4, bits);
		key->bits = r == PUBKEY_GOOD ? bits[0] : 0;
		break;
	case SHAPE_ED25519:
	case SHAPE_ECDSA:
		r = take_point(in, row);
		key->bits = row->bits;
		break;
	}
	if (r == PUBKEY_GOOD && row->is_token &&
	    !wire_take_string32(in, &application))
		r = PUBKEY_CUT_OFF;
	return r;
}

enum pubkey_result
pubkey_read(struct span blob, enum pubkey_type type, struct pubkey *key)
{
	const struct row *row;
	enum pubkey_result r;
	struct span word;

	*key = (struct pubkey){.type = PUBKEY_UNKNOWN};
	if (!wire_take_string32(&blob, &word)) {
		/* A length that leads into text of a type: the rest is lost. */
		return blob.len < 64 ? PUBKEY_CUT_OFF : PUBKEY_MALFORMED;
	}
	row = row_of_word(word);
	if (row == NULL)
		return PUBKEY_MALFORMED;
	key->type = row->type;
	if (type != PUBKEY_UNKNOWN && type != row->type)
		return PUBKEY_OTHER_TYPE;
	r = take_fields(&blob, row, key);
	if (r == PUBKEY_GOOD && blob.len > 0)
		r = PUBKEY_TRAILING;
	return r;
}

bool
pubkey_certified(struct span certificate, struct buf *out)
{
	struct span in = certificate, word, nonce, fields;
	const struct row *row;
	struct pubkey key;

	if (!wire_take_string32(&in, &word))
		return false;
	row = row_of_word(word);
	if (row == NULL || row->shape != SHAPE_CERT ||
	    !wire_take_string32(&in, &nonce))
		return false;
	/* The certificates stand in the order of their keys. */
	row -= PUBKEY_ED25519_CERT - PUBKEY_ED25519;
	fields = in;
	if (take_fields(&in, row, &key) != PUBKEY_GOOD)
		return false;
	fields.len -= in.len;
	wire_put_cstring32(out, row->word);
	wire_put_bytes(out, fields);
	return !out->failed;
}

void
pubkey_digest(struct span blob, uint8_t digest[PUBKEY_DIGEST_BYTES])
{
	sha256_or_abort(blob, digest);
}

void
pubkey_fingerprint(const uint8_t digest[PUBKEY_DIGEST_BYTES],
    char text[PUBKEY_FINGERPRINT_SIZE])
{
	char base64[45];

	str_base64_encode(span_of(digest, PUBKEY_DIGEST_BYTES), base64);
	memcpy(text, "SHA256:", 7);
	/* ssh-keygen leaves the padding off. */
	memcpy(text + 7, base64, 43);
	text[50] = '\0';
}

void
pubkey_identity(
    const uint8_t digest[PUBKEY_DIGEST_BYTES], char text[PUBKEY_IDENTITY_SIZE])
{
	memcpy(text, "key-", 4);
	str_hex(span_of(digest, 16), text + 4);
}
