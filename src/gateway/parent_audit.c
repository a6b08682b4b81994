#include "parent_private.h"

#include "pubkey.h"

#include <stdio.h>

/* What the parent itself writes into the audit log. */

int
parent_open_audit(struct parent *parent, struct err *err)
{
	const struct settings *settings = &parent->settings;
	const struct audit_options options = {.file = settings->audit.file,
	    .max_bytes = settings->audit.max_bytes,
	    .keep = settings->audit.keep};
	struct audit_entry entry;

	parent->audit = audit_open(&options, err);
	if (parent->audit == NULL)
		return -1;
	audit_begin(&entry, "start");
	audit_put_str(&entry, "program", "kayad " KAYA_VERSION);
	(void)audit_commit(parent->audit, &entry, AUDIT_SOON, NULL);
	return 0;
}

void
parent_close_audit(struct parent *parent)
{
	struct audit_entry entry;

	audit_begin(&entry, parent->is_stopping ? "stop" : "fail");
	if (parent->err->code != ERR_NONE)
		audit_put_str(&entry, "why", parent->err->what);
	(void)audit_commit(parent->audit, &entry, AUDIT_SOON, NULL);
	audit_close(parent->audit);
	parent->audit = NULL;
}

void
parent_follow_audit(struct parent *parent)
{
	struct err err = ERR_INIT;

	if (audit_follow(parent->audit, &err) != 0)
		log_err(LOG_LEVEL_ERROR, "parent", "audit-rotation", &err);
}

/* ---- another policy ---- */

static void
put_policy(struct audit_entry *entry, const char *file,
    const uint8_t digest[PUBKEY_DIGEST_BYTES])
{
	if (file == NULL) {
		audit_put_str(entry, "policy", "none");
		return;
	}
	audit_put_str(entry, "policy", file);
	audit_put_hex(
	    entry, "policy_sha256", span_of(digest, PUBKEY_DIGEST_BYTES));
}

/* The child, too, leaves the one before in force. */
static bool
has_fault(const struct settings *settings, struct span text)
{
	struct policy_source source = {.file = settings->policy,
	    .bytes = text,
	    .format = policy_guess_format(text)};
	struct policy *policy = policy_new(&source);

	policy_free(policy);
	return policy == NULL;
}

int
parent_audit_policy(struct parent *parent, const struct settings *settings,
    struct span text, struct err *err)
{
	uint8_t digest[PUBKEY_DIGEST_BYTES] = {0};
	struct audit_entry entry;
	bool is_refused;

	if (settings->policy != NULL)
		pubkey_digest(text, digest);
	memcpy(parent->policy_before, parent->policy_digest, sizeof digest);
	if (parent->is_ready &&
	    memcmp(digest, parent->policy_digest, sizeof digest) == 0)
		return 0;
	is_refused = parent->is_ready && settings->policy != NULL &&
		     has_fault(settings, text);
	audit_begin(&entry, is_refused	       ? "policy-refused"
			    : parent->is_ready ? "policy-change"
					       : "policy");
	put_policy(&entry, settings->policy, digest);
	if (is_refused) {
		(void)audit_commit(parent->audit, &entry, AUDIT_SOON, NULL);
		return 0;
	}
	/* At the start nothing is in force that it would change. */
	if (audit_commit(parent->audit, &entry, AUDIT_DURABLE, err) != 0 &&
	    parent->is_ready)
		return err_wrap(err, "the policy is not changed");
	err_clear(err);
	memcpy(parent->policy_digest, digest, sizeof digest);
	return 0;
}

void
parent_audit_refused(struct parent *parent, const char *why)
{
	struct audit_entry entry;

	if (memcmp(parent->policy_before, parent->policy_digest,
		sizeof parent->policy_digest) == 0)
		return;
	memcpy(parent->policy_digest, parent->policy_before,
	    sizeof parent->policy_digest);
	audit_begin(&entry, "policy-refused");
	audit_put_str(&entry, "why", why);
	(void)audit_commit(parent->audit, &entry, AUDIT_SOON, NULL);
}
