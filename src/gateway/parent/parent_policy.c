#include "parent_private.h"

/*
 * The policy, as the parent needs it: for who may ask and decide what.  It
 * takes the same course as the child's: sent, then in force or refused; and
 * another one is in the audit log before it is sent.
 */

static struct policy *
build(const struct settings *settings, struct span text)
{
	const struct policy_source source = {.file = settings->policy,
	    .bytes = text,
	    .format = policy_guess_format(text)};

	/* Its faults are told by the child. */
	return policy_new(&source);
}

static void
put_policy(struct audit_entry *entry, const struct settings *settings,
    const uint8_t digest[PUBKEY_DIGEST_BYTES])
{
	if (settings->policy == NULL) {
		audit_put_str(entry, "policy", "none");
		return;
	}
	audit_put_str(entry, "policy", settings->policy);
	audit_put_hex(
	    entry, "policy_sha256", span_of(digest, PUBKEY_DIGEST_BYTES));
}

/* The child leaves the one before in force, too. */
static void
refuse(const struct parent *parent, const struct settings *settings,
    const uint8_t digest[PUBKEY_DIGEST_BYTES])
{
	struct audit_entry entry;

	audit_begin(&entry, "policy-refused");
	put_policy(&entry, settings, digest);
	audit_put_str(&entry, "why", "it has faults");
	(void)audit_commit(parent->audit, &entry, AUDIT_SOON, NULL);
}

int
parent_policy_send(struct parent *parent, const struct settings *settings,
    struct span text, struct err *err)
{
	struct parent_policy *sent = &parent->policy_sent;
	uint8_t digest[PUBKEY_DIGEST_BYTES] = {0};
	struct policy *policy = NULL;
	struct audit_entry entry;

	parent_policy_drop(sent);
	if (settings->policy != NULL)
		pubkey_digest(text, digest);
	if (parent->is_ready &&
	    memcmp(digest, parent->policy.digest, sizeof digest) == 0)
		return 0;
	if (settings->policy != NULL &&
	    (policy = build(settings, text)) == NULL) {
		if (parent->is_ready)
			refuse(parent, settings, digest);
		return 0;
	}
	audit_begin(&entry, parent->is_ready ? "policy-change" : "policy");
	put_policy(&entry, settings, digest);
	/* At the start nothing is in force that it would change. */
	if (audit_commit(parent->audit, &entry, AUDIT_DURABLE, err) != 0 &&
	    parent->is_ready) {
		policy_free(policy);
		return err_wrap(err, "the policy is not changed");
	}
	err_clear(err);
	*sent = (struct parent_policy){.is_set = true, .policy = policy};
	memcpy(sent->digest, digest, sizeof digest);
	return 0;
}

void
parent_policy_in_force(struct parent *parent)
{
	if (!parent->policy_sent.is_set)
		return;
	/* What is held was asked for under the one before. */
	parent_revoke_approvals(parent, APPROVAL_POLICY_CHANGED);
	parent_policy_drop(&parent->policy);
	parent->policy = parent->policy_sent;
	parent->policy_sent = (struct parent_policy){.is_set = false};
}

void
parent_policy_refused(struct parent *parent, const char *why)
{
	struct audit_entry entry;

	if (!parent->policy_sent.is_set)
		return;
	parent_policy_drop(&parent->policy_sent);
	audit_begin(&entry, "policy-refused");
	audit_put_str(&entry, "why", why);
	(void)audit_commit(parent->audit, &entry, AUDIT_SOON, NULL);
}

void
parent_policy_drop(struct parent_policy *policy)
{
	policy_free(policy->policy);
	*policy = (struct parent_policy){.is_set = false};
}
