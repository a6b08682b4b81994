#include "ssh_certificate.h"

#include "ssh_algorithm.h"
#include "ssh_key.h"
#include "wire.h"

enum {
	TYPE_USER = 1, /* PROTOCOL.certkeys, "type" */
	KEY_MAX_BYTES = 65536, /* more than fits into a packet */
};

const char *
ssh_certificate_text(enum ssh_certificate_verdict verdict)
{
	static const char *const texts[] = {
#define X(id, text) (text),
	    SSH_CERTIFICATE_VERDICTS(X)
#undef X
	};

	return texts[verdict];
}

const char *
ssh_certificate_algorithms(void)
{
	return ssh_algorithm_certificate_names();
}

bool
ssh_certificate_is(struct span algorithm)
{
	return ssh_algorithm_certified(algorithm) != NULL;
}

/* ---- critical options and extensions ---- */

enum content {
	CONTENT_NONE, /* a flag: nothing may be in it */
	CONTENT_STRING
};

struct option {
	const char *name;
	enum content content;
	/* Its value; NULL data for a flag. */
	void (*apply)(struct ssh_certificate *certificate, struct span value);
};

static void
apply_nothing(struct ssh_certificate *certificate, struct span value)
{
	(void)certificate;
	(void)value;
}

static void
apply_source_address(struct ssh_certificate *certificate, struct span value)
{
	certificate->source_address = value;
}

static void
apply_verify_required(struct ssh_certificate *certificate, struct span value)
{
	(void)value;
	certificate->verify_required = true;
}

static void
apply_forwarding(struct ssh_certificate *certificate, struct span value)
{
	(void)value;
	certificate->may_forward = true;
}

static void
apply_no_touch(struct ssh_certificate *certificate, struct span value)
{
	(void)value;
	certificate->no_touch_required = true;
}

static const struct option critical_options[] = {
    {"force-command", CONTENT_STRING, apply_nothing},
    {"source-address", CONTENT_STRING, apply_source_address},
    {"verify-required", CONTENT_NONE, apply_verify_required},
    {NULL, CONTENT_NONE, NULL},
};

static const struct option extensions[] = {
    {"permit-port-forwarding", CONTENT_NONE, apply_forwarding},
    {"no-touch-required", CONTENT_NONE, apply_no_touch},
    {NULL, CONTENT_NONE, NULL},
};

static bool
take_value(const struct option *option, struct span content, struct span *value)
{
	*value = span_of(NULL, 0);
	if (option->content == CONTENT_STRING &&
	    !wire_take_string32(&content, value))
		return false;
	return content.len == 0;
}

/* As sshd, in any order, and none twice. */
static enum ssh_certificate_verdict
take_options(const struct option *options, struct span in,
    struct ssh_certificate *certificate)
{
	enum ssh_certificate_verdict verdict = SSH_CERTIFICATE_GOOD;
	unsigned seen = 0;

	while (in.len > 0) {
		struct span name, content, value;
		unsigned i = 0;

		if (!wire_take_string32(&in, &name) ||
		    !wire_take_string32(&in, &content))
			return SSH_CERTIFICATE_MALFORMED;
		while (
		    options[i].name != NULL && !span_is(name, options[i].name))
			i++;
		if (options[i].name == NULL) {
			verdict = SSH_CERTIFICATE_CRITICAL;
			continue;
		}
		if ((seen & 1u << i) != 0 ||
		    !take_value(&options[i], content, &value))
			return SSH_CERTIFICATE_MALFORMED;
		seen |= 1u << i;
		options[i].apply(certificate, value);
	}
	return verdict;
}

/* ---- the whole ---- */

static bool
has_zero(struct span text)
{
	return text.len > 0 && memchr(text.data, 0, text.len) != NULL;
}

/* What the authority says, as it stands. */
struct parts {
	struct span fields; /* of the key */
	uint32_t type;
	struct span critical_options, extensions;
};

static bool
skip_strings(struct span *in, unsigned count)
{
	struct span skipped;

	while (count-- > 0)
		if (!wire_take_string32(in, &skipped))
			return false;
	return true;
}

static bool
take_parts(const struct ssh_algorithm *algorithm, struct span blob,
    struct parts *parts, struct ssh_certificate *c)
{
	struct span in = blob;
	const uint8_t *start;

	/* The type, which has been read, and the nonce. */
	if (!skip_strings(&in, 2))
		return false;
	start = in.data;
	if (!skip_strings(&in, algorithm->strings))
		return false;
	parts->fields = span_of(start, (size_t)(in.data - start));
	if (!wire_take_u64(&in, &c->serial) ||
	    !wire_take_u32(&in, &parts->type) ||
	    !wire_take_string32(&in, &c->key_id) ||
	    !wire_take_string32(&in, &c->principals) ||
	    !wire_take_u64(&in, &c->valid_after_s) ||
	    !wire_take_u64(&in, &c->valid_before_s) ||
	    !wire_take_string32(&in, &parts->critical_options) ||
	    !wire_take_string32(&in, &parts->extensions) ||
	    !skip_strings(&in, 1) || /* reserved */
	    !wire_take_string32(&in, &c->authority))
		return false;
	c->to_be_signed = span_of(blob.data, (size_t)(in.data - blob.data));
	return wire_take_string32(&in, &c->signature) && in.len == 0;
}

/* How many principals there are; -1: they are malformed, or too many. */
static int
count_principals(struct span in)
{
	struct span principal;
	int count = 0;

	while (in.len > 0) {
		if (!wire_take_string32(&in, &principal) ||
		    has_zero(principal) ||
		    ++count > SSH_CERTIFICATE_PRINCIPALS_MAX)
			return -1;
	}
	return count;
}

static enum ssh_certificate_verdict
judge_authority(const struct ssh_certificate *c)
{
	struct span type, name, key = c->authority, signature = c->signature;

	if (!wire_take_string32(&key, &type) ||
	    !wire_take_string32(&signature, &name))
		return SSH_CERTIFICATE_MALFORMED;
	if (ssh_algorithm_of_certificate_type(type) != NULL)
		return SSH_CERTIFICATE_NESTED;
	return ssh_key_check(name, c->authority) == SSH_KEY_GOOD
		   ? SSH_CERTIFICATE_GOOD
		   : SSH_CERTIFICATE_AUTHORITY;
}

/* All of it is read before any of it is judged. */
static enum ssh_certificate_verdict
judge(const struct ssh_algorithm *algorithm, const struct parts *parts,
    struct ssh_certificate *c)
{
	int principals = count_principals(c->principals);
	enum ssh_certificate_verdict critical, authority;

	c->algorithm = algorithm->name;
	critical = take_options(critical_options, parts->critical_options, c);
	authority = judge_authority(c);
	if (principals < 0 || has_zero(c->key_id) ||
	    critical == SSH_CERTIFICATE_MALFORMED ||
	    authority == SSH_CERTIFICATE_MALFORMED ||
	    take_options(extensions, parts->extensions, c) ==
		SSH_CERTIFICATE_MALFORMED)
		return SSH_CERTIFICATE_MALFORMED;
	buf_init(&c->key, KEY_MAX_BYTES);
	wire_put_cstring32(&c->key, algorithm->key_type);
	wire_put_bytes(&c->key, parts->fields);
	if (c->key.failed)
		return SSH_CERTIFICATE_NO_MEMORY;
	if (ssh_key_check(span_of_str(algorithm->name), buf_span(&c->key)) !=
	    SSH_KEY_GOOD)
		return SSH_CERTIFICATE_KEY;
	if (parts->type != TYPE_USER)
		return SSH_CERTIFICATE_OF_HOST;
	if (principals == 0)
		return SSH_CERTIFICATE_NO_PRINCIPALS;
	return critical != SSH_CERTIFICATE_GOOD ? critical : authority;
}

enum ssh_certificate_verdict
ssh_certificate_parse(struct span algorithm_name, struct span blob,
    struct ssh_certificate *certificate)
{
	const struct ssh_algorithm *algorithm =
	    ssh_algorithm_certified(algorithm_name);
	enum ssh_certificate_verdict verdict = SSH_CERTIFICATE_MALFORMED;
	struct parts parts = {.type = 0};
	struct span in = blob, type;

	*certificate = (struct ssh_certificate){.serial = 0};
	if (algorithm == NULL)
		return SSH_CERTIFICATE_UNSUPPORTED;
	if (!wire_take_string32(&in, &type))
		return SSH_CERTIFICATE_MALFORMED;
	if (!span_is(type, algorithm->certificate_type))
		return SSH_CERTIFICATE_UNSUPPORTED;
	if (take_parts(algorithm, blob, &parts, certificate))
		verdict = judge(algorithm, &parts, certificate);
	if (verdict == SSH_CERTIFICATE_MALFORMED ||
	    verdict == SSH_CERTIFICATE_NO_MEMORY)
		ssh_certificate_fini(certificate);
	return verdict;
}

/* Of RSA's two names either will do. */
static const struct ssh_algorithm *
find_type(struct span blob)
{
	struct span type;

	return wire_take_string32(&blob, &type)
		   ? ssh_algorithm_of_certificate_type(type)
		   : NULL;
}

bool
ssh_certificate_is_blob(struct span blob)
{
	return find_type(blob) != NULL;
}

enum ssh_certificate_verdict
ssh_certificate_parse_blob(
    struct span blob, struct ssh_certificate *certificate)
{
	const struct ssh_algorithm *algorithm = find_type(blob);

	return ssh_certificate_parse(
	    span_of_str(algorithm != NULL ? algorithm->certificate : ""), blob,
	    certificate);
}

void
ssh_certificate_fini(struct ssh_certificate *certificate)
{
	buf_fini(&certificate->key);
	*certificate = (struct ssh_certificate){.serial = 0};
}

enum ssh_certificate_verdict
ssh_certificate_check_time(
    const struct ssh_certificate *certificate, int64_t now_s)
{
	uint64_t now = now_s < 0 ? 0 : (uint64_t)now_s;

	if (now < certificate->valid_after_s)
		return SSH_CERTIFICATE_NOT_YET;
	return now < certificate->valid_before_s ? SSH_CERTIFICATE_GOOD
						 : SSH_CERTIFICATE_EXPIRED;
}

enum ssh_certificate_verdict
ssh_certificate_verify(const struct ssh_certificate *certificate)
{
	struct span in = certificate->signature, name;
	struct ssh_key_presence presence;

	if (!wire_take_string32(&in, &name) ||
	    ssh_key_verify(name, certificate->authority, certificate->signature,
		certificate->to_be_signed, &presence) != SSH_KEY_GOOD)
		return SSH_CERTIFICATE_FORGED;
	return SSH_CERTIFICATE_GOOD;
}
