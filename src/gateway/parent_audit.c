#include "parent_private.h"

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
