#include "parent_approval.h"

#include <stdio.h>

/* Audit and log: each decision stands in both. */

/*
 * The word of each change (what is let go without an agreement has its own),
 * and what is waited for: the disk, before somebody's word moves something or
 * ends it.  What else there is may come in hundreds at once, and moves nothing:
 * were it waited for, whoever asks often would hold up everybody who connects.
 */
static const struct {
	const char *word;
	enum audit_when when;
} changes[APPROVAL_STATE_COUNT] = {
    [APPROVAL_HELD] = {"hold", AUDIT_SOON},
    [APPROVAL_RELEASED] = {"release", AUDIT_DURABLE},
    [APPROVAL_DENIED] = {"deny", AUDIT_DURABLE},
    [APPROVAL_EXPIRED] = {"expire", AUDIT_SOON},
    [APPROVAL_LOST] = {"lose", AUDIT_SOON},
    [APPROVAL_SUPERSEDED] = {"supersede", AUDIT_SOON},
    [APPROVAL_REVOKED] = {"revoke", AUDIT_SOON},
    [APPROVAL_UNKNOWN] = {"unknown", AUDIT_SOON},
};

static void
put_topic(struct audit_entry *entry, const struct approval_command *command)
{
	audit_put_str(entry, "rule", command->rule_name);
	audit_put_span(entry, "topic", command->topic);
	audit_put_str(entry, "publisher", command->publisher);
}

static void
put_payload(struct audit_entry *entry, const struct approval_command *command)
{
	if (command->text.data != NULL)
		audit_put_span(entry, "payload", command->text);
	audit_put_hex(entry, "payload_sha256",
	    span_of(command->digest, sizeof command->digest));
	audit_put_u64(entry, "bytes", command->bytes);
	audit_put_u64(entry, "qos", command->qos);
}

static const char *
word_of(const struct approval_command *command,
    const struct approval_change *change)
{
	if (change->next == APPROVAL_RELEASED && command->is_break_glass)
		return "break-glass";
	return changes[change->next].word;
}

static bool
write_line(struct approvals *approvals, const char *event,
    const struct approval_command *command,
    const struct approval_change *change, enum audit_when when)
{
	struct err err = ERR_INIT;
	struct audit_entry entry;

	audit_begin(&entry, event);
	audit_put_str(&entry, "id", command->id);
	put_topic(&entry, command);
	if (change->next == APPROVAL_HELD || change->next == APPROVAL_RELEASED)
		put_payload(&entry, command);
	if (change->by[0] != '\0')
		audit_put_str(&entry, "by", change->by);
	if (change->cause != APPROVAL_NONE)
		audit_put_str(
		    &entry, "cause", approval_cause_name(change->cause));
	if (change->reason[0] != '\0')
		audit_put_str(&entry, "reason", change->reason);
	if (audit_commit(approvals->parent->audit, &entry, when, &err) == 0)
		return true;
	log_err(LOG_LEVEL_ERROR, "approval", "audit-failed", &err);
	return false;
}

static void
log_change(const char *event, const struct approval_command *command,
    const struct approval_change *change)
{
	bool is_loud =
	    change->next == APPROVAL_RELEASED && command->is_break_glass;
	struct log_line line;

	if (!log_begin(&line, is_loud ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO,
		"approval", event))
		return;
	log_str(&line, "id", command->id);
	log_str(&line, "rule", command->rule_name);
	log_span(&line, "topic", command->topic);
	log_str(&line, "publisher", command->publisher);
	if (change->by[0] != '\0')
		log_str(&line, "by", change->by);
	if (change->cause != APPROVAL_NONE) {
		log_str(&line, "cause", approval_cause_name(change->cause));
		log_str(&line, "why", approval_cause_text(change->cause));
	}
	if (change->reason[0] != '\0')
		log_str(&line, "reason", change->reason);
	if (is_loud)
		log_str(&line, "why", "it passes without anybody's consent");
	log_end(&line);
}

/*
 * A person's agreement is a line of its own; one wait for the disk does for
 * both.
 */
bool
parent_approval_record(void *arg, const struct approval_command *command,
    const struct approval_change *change)
{
	struct approvals *approvals = arg;
	const char *event = word_of(command, change);

	if (change->next == APPROVAL_RELEASED && change->by[0] != '\0' &&
	    command->rule->mode != POLICY_PERMISSIVE &&
	    !write_line(approvals, "approve", command, change, AUDIT_SOON))
		return false;
	if (!write_line(
		approvals, event, command, change, changes[change->next].when))
		return false;
	log_change(event, command, change);
	return true;
}

void
parent_approval_record_refused(
    struct approvals *approvals, const struct approval_refused *refused)
{
	struct audit_entry entry;
	struct log_line line;

	if (log_begin(&line,
		refused->cause == APPROVAL_AUDIT_FAILED ? LOG_LEVEL_ERROR
							: LOG_LEVEL_INFO,
		"approval", refused->what)) {
		log_span(&line, "identity", refused->identity);
		if (refused->id.len > 0)
			log_span(&line, "id", refused->id);
		if (refused->rule.len > 0)
			log_span(&line, "rule", refused->rule);
		if (refused->topic.len > 0)
			log_span(&line, "topic", refused->topic);
		log_str(&line, "cause", approval_cause_name(refused->cause));
		log_str(&line, "why", approval_cause_text(refused->cause));
		log_end(&line);
	}
	/* Who guesses ids fills the log, which is rotated, not the audit. */
	if (refused->cause == APPROVAL_NOT_SELECTED)
		return;
	audit_begin(&entry, refused->what);
	audit_put_span(&entry, "identity", refused->identity);
	if (refused->id.len > 0)
		audit_put_span(&entry, "id", refused->id);
	if (refused->rule.len > 0)
		audit_put_span(&entry, "rule", refused->rule);
	if (refused->topic.len > 0)
		audit_put_span(&entry, "topic", refused->topic);
	audit_put_str(&entry, "cause", approval_cause_name(refused->cause));
	parent_audit_bounded(approvals->parent, WITNESS_REFUSE_ACCESS, &entry);
}

void
parent_approval_record_permit(
    void *arg, const struct approval_permit *permit, enum approval_cause cause)
{
	struct approvals *approvals = arg;
	const char *event = cause == APPROVAL_NONE ? "permit" : "permit-end";
	struct audit_entry entry;
	struct log_line line;

	if (log_begin(&line, LOG_LEVEL_INFO, "approval", event)) {
		log_str(&line, "rule", permit->rule->name);
		log_str(&line, "by", permit->giver);
		if (cause != APPROVAL_NONE) {
			log_str(&line, "cause", approval_cause_name(cause));
			log_str(&line, "why", approval_cause_text(cause));
		}
		log_end(&line);
	}
	audit_begin(&entry, event);
	audit_put_str(&entry, "rule", permit->rule->name);
	audit_put_str(&entry, "by", permit->giver);
	if (cause != APPROVAL_NONE)
		audit_put_str(&entry, "cause", approval_cause_name(cause));
	(void)audit_commit(approvals->parent->audit, &entry, AUDIT_SOON, NULL);
}
