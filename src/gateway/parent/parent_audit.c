#include "parent_private.h"

#include "clock.h"

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

/* ---- what the child decides ---- */

static void
tell_lost(struct parent *parent, enum witness_kind kind)
{
	struct audit_entry entry;

	if (witness_take_lost(&parent->witness_bounds, kind, &entry))
		(void)audit_commit(parent->audit, &entry, AUDIT_SOON, NULL);
}

void
parent_audit_bounded(
    struct parent *parent, enum witness_kind kind, struct audit_entry *entry)
{
	uint64_t now_ms = clock_monotonic_ms();

	if (!witness_may(&parent->witness_bounds, kind, now_ms)) {
		audit_drop(entry);
		return;
	}
	tell_lost(parent, kind);
	(void)audit_commit(parent->audit, entry, AUDIT_SOON, NULL);
}

void
parent_on_witness(struct parent *parent, const struct monitor_message *message)
{
	enum witness_kind kind = (enum witness_kind)message->value;
	struct audit_entry entry;

	if (!witness_read(message->value,
		span_of(message->payload, message->len), &entry))
		return;
	parent_audit_bounded(parent, kind, &entry);
}

void
parent_close_audit(struct parent *parent)
{
	struct audit_entry entry;

	for (int kind = 0; kind < WITNESS_KINDS_COUNT; kind++)
		tell_lost(parent, (enum witness_kind)kind);
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
