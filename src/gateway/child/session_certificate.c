#include "session_certificate.h"

#include "json.h"

#include <stdio.h>
#include <stdlib.h>

enum { KEY_ID_SHOWN_MAX = 64 };

struct session_certificate *
session_certificate_new(const struct ssh_certificate *certificate)
{
	size_t id_len = certificate->key_id.len;
	size_t principals_len = certificate->principals.len;
	struct session_certificate *kept =
	    malloc(sizeof *kept + id_len + principals_len);
	uint8_t *text;

	if (kept == NULL)
		return NULL;
	text = (uint8_t *)(kept + 1);
	*kept = (struct session_certificate){
	    .facts = {.serial = certificate->serial,
		.key_id = span_of(text, id_len)},
	    .valid_before_s = certificate->valid_before_s,
	    .may_forward = certificate->may_forward,
	    .principals = span_of(text + id_len, principals_len),
	};
	pubkey_digest(certificate->authority, kept->facts.authority);
	revoked_key_init(&kept->facts.key, buf_span(&certificate->key));
	memcpy(text, certificate->key_id.data, id_len);
	memcpy(text + id_len, certificate->principals.data, principals_len);
	return kept;
}

const char *
session_certificate_judge(const struct session_certificate *certificate,
    const struct snapshot *snapshot,
    const struct session_certificate_asker *asker,
    struct keyring_verdict *verdict)
{
	struct keyring_certificate wanted = {
	    .principals = certificate->principals, .user = asker->user};

	memset(verdict, 0, sizeof *verdict);
	if (asker->now_s >= 0 &&
	    (uint64_t)asker->now_s >= certificate->valid_before_s)
		return ssh_certificate_text(SSH_CERTIFICATE_EXPIRED);
	if (revoked_keys_has_certificate(
		snapshot->revoked, &certificate->facts))
		return "the certificate, or its key, is revoked";
	memcpy(wanted.authority, certificate->facts.authority,
	    sizeof wanted.authority);
	switch (keyring_admit_certificate(
	    snapshot->ring, &wanted, asker->address, asker->now_s, verdict)) {
	case KEYRING_ADMITTED:
		return NULL;
	case KEYRING_UNKNOWN:
		return "no cert-authority line has the certificate's authority";
	case KEYRING_REFUSED:
		break;
	}
	return verdict->why;
}

const char *
session_certificate_check(const struct ssh_certificate *certificate,
    const struct session_certificate_asker *asker)
{
	enum ssh_certificate_verdict time =
	    ssh_certificate_check_time(certificate, asker->now_s);

	if (time != SSH_CERTIFICATE_GOOD)
		return ssh_certificate_text(time);
	if (certificate->source_address.data == NULL)
		return NULL;
	switch (
	    netaddr_match_cidrs(asker->address, certificate->source_address)) {
	case NETADDR_MATCH:
		return NULL;
	case NETADDR_INVALID:
		return "the certificate's source-address is no list of "
		       "addresses";
	default:
		return "the certificate's source-address does not hold this "
		       "address";
	}
}

void
session_certificate_enter(struct session_certificate *certificate,
    struct roster *names, const char *identity)
{
	struct roster_place others[1];

	pubkey_digest(span_of_str(identity), certificate->name);
	certificate->named = (struct roster_node){
	    .key = certificate->name, .identity = identity};
	(void)roster_enter(names, &certificate->named, others, 0);
}

void
session_certificate_leave(
    struct session_certificate *certificate, struct roster *names)
{
	roster_leave(names, &certificate->named);
}

bool
session_certificate_has(struct roster *names, struct span name)
{
	uint8_t digest[PUBKEY_DIGEST_BYTES];

	pubkey_digest(name, digest);
	return roster_has(names, digest);
}

void
session_certificate_tell(
    const struct session_certificate *certificate, struct witness *witness)
{
	char fingerprint[PUBKEY_FINGERPRINT_SIZE];
	struct span id = certificate->facts.key_id;

	pubkey_fingerprint(certificate->facts.authority, fingerprint);
	witness_str(witness, "authority", fingerprint);
	witness_u64(witness, "serial", certificate->facts.serial);
	/* Whoever makes one up shall not push the reason off the line. */
	if (id.len > KEY_ID_SHOWN_MAX)
		id.len = KEY_ID_SHOWN_MAX;
	witness_span(witness, "key_id", id);
}

void
session_certificate_report(
    const struct session_certificate *certificate, struct buf *json)
{
	char fingerprint[PUBKEY_FINGERPRINT_SIZE], numbers[128];

	pubkey_fingerprint(certificate->facts.authority, fingerprint);
	buf_append_str(json, ",\"certificate\":{\"key_id\":");
	json_put_string(json, certificate->facts.key_id);
	snprintf(numbers, sizeof numbers,
	    ",\"serial\":%ju,\"authority\":\"%s\"",
	    (uintmax_t)certificate->facts.serial, fingerprint);
	buf_append_str(json, numbers);
	if (certificate->valid_before_s == SSH_CERTIFICATE_FOREVER)
		buf_append_str(json, ",\"valid_before\":null}");
	else {
		snprintf(numbers, sizeof numbers, ",\"valid_before\":%ju}",
		    (uintmax_t)certificate->valid_before_s);
		buf_append_str(json, numbers);
	}
}
