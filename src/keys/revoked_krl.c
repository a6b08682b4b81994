/* revoked_krl: OpenSSH's key revocation lists (PROTOCOL.krl). */

#include "revoked_private.h"
#include "wire.h"

static const char magic[] = "SSHKRL\n";

enum {
	MAGIC_BYTES = sizeof magic, /* its zero is the eighth */
	FORMAT_VERSION = 1,
	/* Sections */
	SECTION_CERTIFICATES = 1,
	SECTION_EXPLICIT_KEY = 2,
	SECTION_FINGERPRINT_SHA1 = 3,
	SECTION_SIGNATURE = 4,
	SECTION_FINGERPRINT_SHA256 = 5,
	SECTION_EXTENSION = 255,
	/* and within CERTIFICATES */
	CERT_SERIAL_LIST = 0x20,
	CERT_SERIAL_RANGE = 0x21,
	CERT_SERIAL_BITMAP = 0x22,
	CERT_KEY_ID = 0x23,
	CERT_EXTENSION = 0x39
};

struct reader {
	struct revoked_keys *revoked;
	uint32_t authority; /* within CERTIFICATES: whose */
	struct err *err;
};

static int
malformed(struct reader *r, const char *what)
{
	err_set(r->err, ERR_CONFIG, "this KRL has a malformed %s", what);
	return err_hint(
	    r->err, "make it anew by ssh-keygen -k, and copy it whole");
}

static int
unknown(struct reader *r, const char *what, unsigned type)
{
	err_set(r->err, ERR_CONFIG, "this KRL has a %s of type %u", what, type);
	return err_hint(r->err, "make it by ssh-keygen -k, with nothing newer "
				"in it than OpenSSH 10 writes");
}

/* What is not critical may be passed over, and is. */
static int
read_extension(struct reader *r, struct span in)
{
	struct span name, contents;
	uint8_t is_critical;

	if (!wire_take_string32(&in, &name) ||
	    !wire_take_u8(&in, &is_critical) ||
	    !wire_take_string32(&in, &contents) || in.len > 0)
		return malformed(r, "extension");
	if (is_critical == 0)
		return 0;
	err_set(r->err, ERR_CONFIG,
	    "this KRL has a critical extension that is not known here");
	return err_hint(r->err, "make it without extensions");
}

/* ---- certificates ---- */

static int
read_serials(struct reader *r, struct span in)
{
	struct revoked_range range = {.authority = r->authority};

	while (in.len > 0) {
		if (!wire_take_u64(&in, &range.first) || range.first == 0)
			return malformed(r, "list of serials");
		range.last = range.first;
		revoked_add_range(r->revoked, &range);
	}
	return 0;
}

static int
read_range(struct reader *r, struct span in)
{
	struct revoked_range range = {.authority = r->authority};

	if (!wire_take_u64(&in, &range.first) ||
	    !wire_take_u64(&in, &range.last) || in.len > 0 ||
	    range.first == 0 || range.first > range.last)
		return malformed(r, "range of serials");
	revoked_add_range(r->revoked, &range);
	return 0;
}

/* Bit `n` of a big-endian number, the lowest being 0. */
static bool
is_set(struct span bits, size_t n)
{
	return (bits.data[bits.len - 1 - n / 8] & 1u << n % 8) != 0;
}

static int
read_bitmap(struct reader *r, struct span in)
{
	struct revoked_range range = {.authority = r->authority};
	struct span bits;
	uint64_t offset;
	size_t count;

	if (!wire_take_u64(&in, &offset) || !wire_take_mpint(&in, &bits) ||
	    in.len > 0)
		return malformed(r, "bitmap of serials");
	count = bits.len * 8;
	while (count > 0 && !is_set(bits, count - 1))
		count--;
	/* The highest is there; the lowest must be a serial, too. */
	if (count > 0 && (offset > UINT64_MAX - (count - 1) ||
			     (offset == 0 && is_set(bits, 0))))
		return malformed(r, "bitmap of serials");
	for (size_t i = 0; i < count; i++) {
		if (!is_set(bits, i))
			continue;
		range.first = offset + i;
		while (i + 1 < count && is_set(bits, i + 1))
			i++;
		range.last = offset + i;
		revoked_add_range(r->revoked, &range);
	}
	return 0;
}

static int
read_ids(struct reader *r, struct span in)
{
	struct span id;

	while (in.len > 0) {
		/* As sshd: a zero is in no key id, and hides what follows. */
		if (!wire_take_string32(&in, &id) ||
		    memchr(id.data, 0, id.len) != NULL)
			return malformed(r, "list of key ids");
		revoked_add_id(r->revoked, r->authority, id);
	}
	return 0;
}

static int
read_certificate_section(struct reader *r, uint8_t type, struct span in)
{
	switch (type) {
	case CERT_SERIAL_LIST:
		return read_serials(r, in);
	case CERT_SERIAL_RANGE:
		return read_range(r, in);
	case CERT_SERIAL_BITMAP:
		return read_bitmap(r, in);
	case CERT_KEY_ID:
		return read_ids(r, in);
	case CERT_EXTENSION:
		return read_extension(r, in);
	default:
		return unknown(r, "certificate section", type);
	}
}

static int
read_certificates(struct reader *r, struct span in)
{
	struct span authority, reserved, section;
	uint8_t type;

	if (!wire_take_string32(&in, &authority) ||
	    !wire_take_string32(&in, &reserved))
		return malformed(r, "section of certificates");
	r->authority = authority.len == 0
			   ? (uint32_t)REVOKED_ANY_AUTHORITY
			   : revoked_add_authority(r->revoked, authority);
	while (in.len > 0) {
		if (!wire_take_u8(&in, &type) ||
		    !wire_take_string32(&in, &section))
			return malformed(r, "section of certificates");
		if (read_certificate_section(r, type, section) != 0)
			return -1;
	}
	return 0;
}

/* ---- keys ---- */

static int
read_keys(struct reader *r, struct span in)
{
	struct span blob;

	while (in.len > 0) {
		if (!wire_take_string32(&in, &blob))
			return malformed(r, "list of keys");
		revoked_add_key(r->revoked, blob);
	}
	return 0;
}

static int
read_digests(
    struct reader *r, struct span in, size_t bytes, struct buf *digests)
{
	struct span digest;

	while (in.len > 0) {
		if (!wire_take_string32(&in, &digest) || digest.len != bytes)
			return malformed(r, "list of fingerprints");
		wire_put_bytes(digests, digest);
	}
	return 0;
}

/* ---- the whole ---- */

static int
read_section(struct reader *r, uint8_t type, struct span in)
{
	switch (type) {
	case SECTION_CERTIFICATES:
		return read_certificates(r, in);
	case SECTION_EXPLICIT_KEY:
		return read_keys(r, in);
	case SECTION_FINGERPRINT_SHA1:
		return read_digests(
		    r, in, REVOKED_SHA1_BYTES, &r->revoked->sha1s);
	case SECTION_FINGERPRINT_SHA256:
		return read_digests(
		    r, in, PUBKEY_DIGEST_BYTES, &r->revoked->sha256s);
	case SECTION_EXTENSION:
		return read_extension(r, in);
	case SECTION_SIGNATURE:
		err_set(r->err, ERR_CONFIG,
		    "this KRL has a signature within, which nobody checks");
		return err_hint(r->err, "make it by ssh-keygen -k, which "
					"writes none");
	default:
		return unknown(r, "section", type);
	}
}

bool
revoked_krl_is(struct span bytes)
{
	return bytes.len >= MAGIC_BYTES &&
	       memcmp(bytes.data, magic, MAGIC_BYTES) == 0;
}

int
revoked_krl_read(
    struct revoked_keys *revoked, struct span bytes, struct err *err)
{
	struct reader r = {.revoked = revoked, .err = err};
	struct span in = bytes, text, comment, section;
	uint32_t version;
	uint8_t type;

	if (!wire_take_bytes(&in, MAGIC_BYTES, &text) ||
	    !wire_take_u32(&in, &version))
		return malformed(&r, "header");
	if (version != FORMAT_VERSION)
		return unknown(&r, "format", version);
	/* Its own number, its date, flags (none are defined); two texts. */
	if (!wire_take_bytes(&in, 3 * sizeof(uint64_t), &text) ||
	    !wire_take_string32(&in, &text) ||
	    !wire_take_string32(&in, &comment))
		return malformed(&r, "header");
	while (in.len > 0) {
		if (!wire_take_u8(&in, &type) ||
		    !wire_take_string32(&in, &section))
			return malformed(&r, "section");
		if (read_section(&r, type, section) != 0)
			return -1;
	}
	return 0;
}
