#ifndef KAYA_TEST_CERTIFY_H
#define KAYA_TEST_CERTIFY_H

/*
 * certify: certificates by a hand of our own (PROTOCOL.certkeys), so that each
 * field can be wrong.  What OpenSSH makes is in test_ssh_certificate.c.
 */

#include "ssh_host_key.h"
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

enum { CERTIFY_MAX = 1 << 17 };

struct certify {
	const char *type;
	struct span fields; /* of the key, behind its type */
	uint64_t serial;
	uint32_t user; /* 1, or 2 for a host */
	struct span key_id;
	struct span principals; /* as SSH strings */
	uint64_t after_s, before_s;
	struct span critical, extensions; /* as pairs of SSH strings */
	struct span reserved;
	/* Who signs, by which algorithm, and whom it says it is. */
	const struct ssh_host_key *authority;
	const char *algorithm;
	struct span authority_blob; /* empty: the authority's own */
	struct span trailing; /* behind the signature */
};

/* Behind the first string of a key's blob. */
static inline struct span
certify_fields(struct span blob)
{
	struct span type;

	assert_true(wire_take_string32(&blob, &type));
	return blob;
}

/* A good one for the user's key in `blob`, to be changed by the test. */
static inline struct certify
certify_start(const char *type, struct span blob,
    const struct ssh_host_key *authority, const char *algorithm)
{
	static const uint8_t principal[] = "\0\0\0\6pump-7";

	return (struct certify){
	    .type = type,
	    .fields = certify_fields(blob),
	    .serial = 42,
	    .user = 1,
	    .key_id = span_of_str("pump 7, by hand"),
	    .principals = span_of(principal, sizeof principal - 1),
	    .after_s = 1000,
	    .before_s = 2000,
	    .authority = authority,
	    .algorithm = algorithm,
	};
}

/* `out` is initialised here, and the caller's to buf_fini. */
static inline struct span
certify(const struct certify *c, struct buf *out)
{
	struct buf signature;

	buf_init(out, CERTIFY_MAX);
	buf_init(&signature, 4096);
	wire_put_cstring32(out, c->type);
	wire_put_cstring32(out, "a nonce, which nobody reads");
	wire_put_bytes(out, c->fields);
	wire_put_u64(out, c->serial);
	wire_put_u32(out, c->user);
	wire_put_string32(out, c->key_id);
	wire_put_string32(out, c->principals);
	wire_put_u64(out, c->after_s);
	wire_put_u64(out, c->before_s);
	wire_put_string32(out, c->critical);
	wire_put_string32(out, c->extensions);
	wire_put_string32(out, c->reserved);
	wire_put_string32(out, c->authority_blob.len > 0
				   ? c->authority_blob
				   : ssh_host_key_blob(c->authority));
	assert_int_equal(ssh_host_key_sign(c->authority, c->algorithm,
			     buf_span(out), &signature, NULL),
	    0);
	wire_put_string32(out, buf_span(&signature));
	wire_put_bytes(out, c->trailing);
	buf_fini(&signature);
	assert_false(out->failed);
	return buf_span(out);
}

#endif
