#include "pubkey.h"

#include "sha256.h"
#include "str.h"
#include "wire.h"

#include <openssl/ec.h>
#include <openssl/obj_mac.h>

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

/* Names of signature algorithms, which sshd takes for those of their keys. */
static const struct {
	const char *word;
	enum pubkey_type type;
} others[] = {
    {"rsa-sha2-256", PUBKEY_RSA},
    {"rsa-sha2-512", PUBKEY_RSA},
    {"rsa-sha2-256-cert-v01@openssh.com", PUBKEY_RSA_CERT},
    {"rsa-sha2-512-cert-v01@openssh.com", PUBKEY_RSA_CERT},
    {"webauthn-sk-ecdsa-sha2-nistp256@openssh.com", PUBKEY_SK_ECDSA},
};

enum pubkey_type
pubkey_type_of_word(struct span word)
{
	const struct row *row = row_of_word(word);

	if (row != NULL)
		return row->type;
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (span_is(word, others[i].word))
			return others[i].type;
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
	if (r != PUBKEY_GOOD || !row->is_token)
		return r;
	if (!wire_take_string32(in, &application))
		return PUBKEY_CUT_OFF;
	return memchr(application.data, 0, application.len) == NULL
		   ? PUBKEY_GOOD
		   : PUBKEY_MALFORMED;
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

/* ---- the same key in other bytes ---- */

/* sshd's own limit, the zeros that it takes away included, but for one. */
enum { NUMBER_MAX_BYTES = PUBKEY_RSA_MAX_BITS / 8 };

/* A name as sshd takes it: a zero byte at its end is not of it. */
static bool
take_name(struct span *in, struct span *name)
{
	if (!wire_take_string32(in, name))
		return false;
	if (name->len > 0 && name->data[name->len - 1] == 0)
		name->len--;
	return true;
}

static bool
copy_name(struct span *in, struct buf *out)
{
	struct span name;

	if (!take_name(in, &name))
		return false;
	wire_put_string32(out, name);
	return true;
}

static bool
copy_number(struct span *in, struct buf *out)
{
	struct span n;

	if (!wire_take_string32(in, &n) ||
	    (n.len > 0 && (n.data[0] & 0x80) != 0) ||
	    n.len > NUMBER_MAX_BYTES + 1 ||
	    (n.len > NUMBER_MAX_BYTES && n.data[0] != 0))
		return false;
	while (n.len > 0 && n.data[0] == 0)
		n = span_of(n.data + 1, n.len - 1);
	wire_put_mpint(out, n);
	return true;
}

static bool
copy_point(struct span *in, struct buf *out)
{
	struct span s;

	if (!wire_take_string32(in, &s))
		return false;
	wire_put_string32(out, s);
	return true;
}

static bool
copy_numbers(struct span *in, unsigned count, struct buf *out)
{
	while (count > 0 && copy_number(in, out))
		count--;
	return count == 0;
}

static bool
copy_fields(struct span *in, const struct row *row, struct buf *out)
{
	bool is_whole = false;

	switch (row->shape) {
	case SHAPE_CERT:
		break;
	case SHAPE_RSA:
		is_whole = copy_numbers(in, 2, out);
		break;
	case SHAPE_DSA:
		is_whole = copy_numbers(in, 4, out);
		break;
	case SHAPE_ECDSA:
		is_whole = copy_name(in, out) && copy_point(in, out);
		break;
	case SHAPE_ED25519:
		is_whole = copy_point(in, out);
		break;
	}
	return is_whole && (!row->is_token || copy_name(in, out));
}

bool
pubkey_tidy(struct span blob, struct buf *out)
{
	enum pubkey_type type;
	struct span word;

	if (!take_name(&blob, &word))
		return false;
	type = pubkey_type_of_word(word);
	if (type == PUBKEY_UNKNOWN)
		return false;
	wire_put_cstring32(out, pubkey_type_word(type));
	if (!copy_fields(
		&blob, row_of_word(span_of_str(pubkey_type_word(type))), out))
		return false;
	wire_put_bytes(out, blob);
	return !out->failed;
}

/* ---- what only arithmetic finds ---- */

static int
nid_of(const struct row *row)
{
	switch (row->bits) {
	case 256:
		return NID_X9_62_prime256v1;
	case 384:
		return NID_secp384r1;
	default:
		return NID_secp521r1;
	}
}

bool
pubkey_is_on_curve(struct span blob)
{
	struct span word, point;
	const struct row *row;
	bool is_there = true;
	EC_GROUP *group;
	EC_POINT *place;

	if (!wire_take_string32(&blob, &word))
		return false;
	row = row_of_word(word);
	if (row == NULL || row->shape != SHAPE_ECDSA)
		return row != NULL;
	if (!wire_take_string32(&blob, &word) ||
	    !wire_take_string32(&blob, &point))
		return false;
	group = EC_GROUP_new_by_curve_name(nid_of(row));
	place = group == NULL ? NULL : EC_POINT_new(group);
	/* Where memory fails nobody is told that his key is none. */
	if (place != NULL)
		is_there = EC_POINT_oct2point(
			       group, place, point.data, point.len, NULL) == 1;
	EC_POINT_free(place);
	EC_GROUP_free(group);
	return is_there;
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
