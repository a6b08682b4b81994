#include "guard_signer.h"

#include "ssh_certificate.h"
#include "ssh_sig.h"
#include "wire.h"

bool
guard_signer_is_name(struct span principal)
{
	for (size_t i = 0; i < principal.len; i++)
		if (memchr(",*?!", principal.data[i], 4) != NULL)
			return false;
	return principal.len > 0;
}

/* ---- by a certificate ---- */

static enum guard_signer_result
unknown(const char **why, const char *text)
{
	*why = text;
	return GUARD_SIGNER_UNKNOWN;
}

/* The one of its principals that an authority's line lets through. */
static enum guard_signer_result
find_principal(const struct guard_signed *it,
    const struct ssh_certificate *certificate, struct span *principal,
    const char **why)
{
	const struct allowed_signer *line = NULL;
	struct span in = certificate->principals, name;
	enum allowed_signers_result result = ALLOWED_SIGNERS_UNKNOWN, here;

	while (wire_take_string32(&in, &name)) {
		const struct allowed_signer *its;

		here = allowed_signers_find_authority(it->signers,
		    certificate->authority, name, it->namespace, it->now_s,
		    &its);
		if (result == ALLOWED_SIGNERS_UNKNOWN)
			result = here;
		if (here != ALLOWED_SIGNERS_FOUND)
			continue;
		result = here;
		if (line != NULL && !span_equal(name, *principal))
			return unknown(why,
			    "the certificate names more than one who might "
			    "have signed");
		line = its;
		*principal = name;
	}
	if (line == NULL)
		return unknown(
		    why, result == ALLOWED_SIGNERS_UNKNOWN
			     ? "no line with cert-authority is for this "
			       "certificate and its principals"
			     : allowed_signers_result_text(result));
	return GUARD_SIGNER_GOOD;
}

static bool
is_revoked(const struct revoked_keys *revoked,
    const struct ssh_certificate *certificate)
{
	struct revoked_certificate facts = {
	    .serial = certificate->serial, .key_id = certificate->key_id};
	struct revoked_key authority;

	if (revoked == NULL)
		return false;
	revoked_key_init(&facts.key, buf_span(&certificate->key));
	revoked_key_init(&authority, certificate->authority);
	memcpy(facts.authority, authority.sha256, sizeof facts.authority);
	return revoked_keys_has(revoked, &authority) ||
	       revoked_keys_has_certificate(revoked, &facts);
}

static enum guard_signer_result
judge_certificate(const struct guard_signed *it,
    struct ssh_certificate *certificate, struct span *principal,
    const char **why)
{
	enum ssh_certificate_verdict verdict;

	verdict = ssh_certificate_check_time(certificate, it->now_s);
	if (verdict == SSH_CERTIFICATE_GOOD &&
	    find_principal(it, certificate, principal, why) !=
		GUARD_SIGNER_GOOD)
		return GUARD_SIGNER_UNKNOWN;
	if (is_revoked(it->revoked, certificate))
		return unknown(why,
		    "the certificate, its key or its authority is revoked");
	/* What costs most comes last. */
	if (verdict == SSH_CERTIFICATE_GOOD)
		verdict = ssh_certificate_verify(certificate);
	return verdict == SSH_CERTIFICATE_GOOD
		   ? GUARD_SIGNER_GOOD
		   : unknown(why, ssh_certificate_text(verdict));
}

/* ---- by a key ---- */

static enum guard_signer_result
judge_key(const struct guard_signed *it, struct span blob,
    struct span *principal, const char **why)
{
	const struct allowed_signer *line;
	struct revoked_key key;
	enum allowed_signers_result result = allowed_signers_find(
	    it->signers, blob, it->namespace, it->now_s, &line);

	if (result != ALLOWED_SIGNERS_FOUND)
		return unknown(why, allowed_signers_result_text(result));
	revoked_key_init(&key, blob);
	if (revoked_keys_has(it->revoked, &key))
		return unknown(why, "the key is revoked");
	*principal = line->principals;
	return GUARD_SIGNER_GOOD;
}

/* ---- both ---- */

static enum guard_signer_result
bad(const char **why, const char *text)
{
	*why = text;
	return GUARD_SIGNER_BAD;
}

static enum guard_signer_result
judge_presence(const struct ssh_key_presence *presence, bool must_be_verified,
    const char **why)
{
	if (presence->is_token && !presence->touched)
		return bad(why, "the token signed without being touched");
	if (must_be_verified && !(presence->is_token && presence->verified))
		return bad(why, "the certificate demands that the token asks "
				"for its PIN");
	return GUARD_SIGNER_GOOD;
}

/* Whose key it is, first: who is not listed has nothing verified. */
static enum guard_signer_result
judge(const struct guard_signed *it, struct ssh_sig *sig,
    struct ssh_certificate *certificate, struct guard_signer *signer,
    const char **why)
{
	bool is_certified = ssh_certificate_is_blob(sig->key);
	enum guard_signer_result result;
	struct ssh_key_presence presence;
	enum ssh_sig_verdict verdict;
	enum ssh_certificate_verdict certified;
	struct span principal;

	if (is_certified) {
		certified = ssh_certificate_parse_blob(sig->key, certificate);
		if (certified != SSH_CERTIFICATE_GOOD)
			return unknown(why, ssh_certificate_text(certified));
		result = judge_certificate(it, certificate, &principal, why);
		sig->key = buf_span(&certificate->key);
	} else {
		result = judge_key(it, sig->key, &principal, why);
	}
	if (result != GUARD_SIGNER_GOOD)
		return result;
	verdict = ssh_sig_verify(sig, it->namespace, it->message, &presence);
	if (verdict != SSH_SIG_GOOD)
		return bad(why, ssh_sig_verdict_text(verdict));
	result = judge_presence(
	    &presence, is_certified && certificate->verify_required, why);
	if (result != GUARD_SIGNER_GOOD)
		return result;
	if (!guard_signer_is_name(principal) ||
	    !span_to_str(
		principal, signer->principal, sizeof signer->principal))
		return unknown(why, "the principal's name is no name of one, "
				    "or longer than 128 bytes");
	if (sha256_of(sig->key, signer->key) != 0)
		return bad(why, "no memory");
	return GUARD_SIGNER_GOOD;
}

enum guard_signer_result
guard_signer_judge(const struct guard_signed *it, struct guard_signer *signer,
    const char **why)
{
	struct ssh_certificate certificate = {.serial = 0};
	enum guard_signer_result result;
	enum ssh_sig_verdict verdict;
	struct ssh_sig sig;
	struct buf blob;

	buf_init(&blob, SSH_SIG_BLOB_MAX);
	verdict = ssh_sig_parse_file(it->signature, &blob, &sig);
	if (verdict == SSH_SIG_GOOD && !span_is(sig.namespace, it->namespace))
		verdict = SSH_SIG_OTHER_NAMESPACE;
	result = verdict == SSH_SIG_GOOD
		     ? judge(it, &sig, &certificate, signer, why)
		     : bad(why, ssh_sig_verdict_text(verdict));
	ssh_certificate_fini(&certificate);
	buf_fini(&blob);
	return result;
}
