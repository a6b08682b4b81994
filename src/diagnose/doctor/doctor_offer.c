#include "doctor_offer.h"

#include "clock.h"
#include "str.h"

#include <string.h>

ssh_key
doctor_public_key(const struct identity *identity)
{
	char base64[4 * ((PUBKEY_MAX_BYTES + 2) / 3) + 1];
	ssh_key key = NULL;

	str_base64_encode(span_of(identity->blob, identity->blob_len), base64);
	enum ssh_keytypes_e type = ssh_key_type_from_name(identity->type);

	if ((identity->is_certificate
		    ? ssh_pki_import_cert_base64(base64, type, &key)
		    : ssh_pki_import_pubkey_base64(base64, type, &key)) !=
	    SSH_OK)
		return NULL;
	return key;
}

void
doctor_note_close(struct offers *offers, ssh_session session, size_t tries)
{
	if (offers->closed)
		return;
	offers->closed = true;
	offers->tries = tries;
	str_escape(span_of_str(ssh_get_error(session)), offers->why,
	    sizeof offers->why);
}

/* A fresh connection, as far as "none" (which tells the methods). */
static struct link *
start_over(struct doctor *doctor, const char *algorithms)
{
	struct err err = ERR_INIT;
	struct link *link = doctor_new_link(doctor, &err);

	if (link == NULL)
		return NULL;
	if (algorithms != NULL)
		ssh_options_set(link->session,
		    SSH_OPTIONS_PUBLICKEY_ACCEPTED_TYPES, algorithms);
	if (ssh_userauth_none(link->session, NULL) == SSH_AUTH_ERROR) {
		link_free(link);
		link = NULL;
	}
	return link;
}

static int
try_key(ssh_session session, ssh_key key)
{
	uint64_t give_up = clock_monotonic_ms() + DOCTOR_ANSWER_MS;
	int result;

	ssh_set_blocking(session, 0);
	do
		result = ssh_userauth_try_publickey(session, NULL, key);
	while (result == SSH_AUTH_AGAIN &&
	       doctor_wait(session, give_up) == DOCTOR_READY);
	ssh_set_blocking(session, 1);
	return result == SSH_AUTH_AGAIN ? SSH_AUTH_ERROR : result;
}

static enum identity_state
offer(struct offers *offers, ssh_session session,
    const struct identity *identity, size_t offered)
{
	ssh_key key = doctor_public_key(identity);
	int result;

	if (key == NULL)
		return IDENTITY_UNREADABLE;
	result = try_key(session, key);
	ssh_key_free(key);
	if (result == SSH_AUTH_SUCCESS)
		return IDENTITY_ACCEPTED;
	if (strstr(ssh_get_error(session), "not allowed") != NULL)
		return IDENTITY_NOT_OFFERED;
	if (result == SSH_AUTH_ERROR || !ssh_is_connected(session)) {
		doctor_note_close(offers, session, offered);
		return IDENTITY_NOT_TRIED;
	}
	return IDENTITY_REFUSED;
}

void
doctor_offer_all(struct doctor *doctor, struct offers *offers)
{
	struct identities *identities = &offers->identities;
	ssh_session session = doctor->link->session;
	struct link *fresh = NULL;
	size_t offered = 0;

	for (size_t i = 0; i < identities->count && offers->accepted == NULL;
	     i++) {
		struct identity *identity = &identities->items[i];

		if (identity->state != IDENTITY_NOT_TRIED ||
		    identity->blob_len == 0)
			continue;
		offered++;
		identity->state = offer(offers, session, identity, offered);
		if (identity->state == IDENTITY_NOT_TRIED) {
			link_free(fresh);
			fresh = start_over(doctor, NULL);
			if (fresh == NULL)
				return;
			session = fresh->session;
			identity->state =
			    offer(offers, session, identity, offered);
		}
		if (identity->state == IDENTITY_ACCEPTED) {
			offers->accepted = identity;
			offers->place = offered;
		}
	}
	link_free(fresh);
}

static bool
is_let_in_by(struct doctor *doctor, const struct identity *identity,
    const char *algorithms)
{
	struct offers none = {0};
	struct link *link = start_over(doctor, algorithms);
	bool is = link != NULL &&
		  offer(&none, link->session, identity, 1) == IDENTITY_ACCEPTED;

	link_free(link);
	return is;
}

bool
doctor_is_let_in_by_sha1(struct doctor *doctor, const struct identity *identity)
{
	if (strcmp(identity->type, "ssh-rsa") != 0)
		return false;
	/* Not offered for this side's own rules: SHA-1 is not to blame. */
	if (identity->state == IDENTITY_NOT_OFFERED &&
	    is_let_in_by(doctor, identity, "rsa-sha2-512,rsa-sha2-256"))
		return false;
	return is_let_in_by(doctor, identity, "ssh-rsa");
}
