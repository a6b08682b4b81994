#include "parent_private.h"

#include "json.h"
#include "keys_edit.h"
#include "keys_file.h"
#include "str.h"

#include <stdio.h>

/* Keys are taken out: of the files that let them in, so for good. */

enum { ANSWER_MAX_BYTES = 1 << 20 };

struct revocation {
	struct parent *parent;
	const struct control_client *client;
	const char *file;
	struct buf json; /* members of an array */
};

static void
on_removed(void *arg, const struct keys_edit_removed *removed)
{
	struct revocation *r = arg;
	char line[32];

	buf_append_str(&r->json, buf_len(&r->json) > 0 ? ",{" : "{");
	json_put_member(&r->json, "", "identity", removed->identity);
	json_put_member(&r->json, ",", "key", removed->fingerprint);
	json_put_member(&r->json, ",", "file", r->file);
	snprintf(line, sizeof line, ",\"line\":%zu}", removed->number);
	buf_append_str(&r->json, line);
}

/* How many lines are gone, or -1. */
static long
revoke_in(struct revocation *r, const struct keys_file *file, const char *who,
    struct err *err)
{
	struct buf out;
	long count;

	buf_init(&out, KEYS_EDIT_MAX_BYTES);
	r->file = file->name;
	count = keys_edit_remove(file->bytes, who, on_removed, r, &out, err);
	if (count > 0 && keys_file_replace(file, buf_span(&out), err) != 0)
		count = -1;
	buf_fini(&out);
	return count;
}

static long
take_out(struct revocation *r, const char *who, struct err *err)
{
	const char *path = r->parent->settings.authorized_keys;
	struct keys_files files;
	long total = 0;

	if (keys_files_open(&files, path, KEYS_FILES_CHANGE_AT_ONCE, err) != 0)
		return -1;
	for (size_t i = 0; i < files.count && total >= 0; i++) {
		long count = revoke_in(r, &files.items[i], who, err);

		total = count < 0 ? -1 : total + count;
	}
	keys_files_close(&files);
	if (total != 0)
		return total;
	err_set(err, ERR_FAILED, "no key of %s is let in here", who);
	err_hint(err, "see who is connected: kaya status, and at the gateway "
		      "who is let in: kaya keys list");
	return -1;
}

/* It is out of the files already: no full disk keeps it in. */
static void
tell(const struct revocation *r, const char *who, long count)
{
	struct audit_entry entry;
	struct log_line line;

	if (log_begin(&line, LOG_LEVEL_INFO, "parent", "revoked")) {
		log_str(&line, "who", who);
		log_u64(&line, "lines", (uint64_t)count);
		log_str(&line, "by", parent_requester(r->client).identity);
		log_end(&line);
	}
	audit_begin(&entry, "revoke");
	audit_put_str(&entry, "who", who);
	audit_put_u64(&entry, "lines", (uint64_t)count);
	parent_audit_requester(&entry, r->client);
	(void)audit_commit(r->parent->audit, &entry, AUDIT_SOON, NULL);
}

void
parent_revoke(
    struct parent *parent, struct span rest, struct control_client *client)
{
	struct revocation r = {.parent = parent, .client = client};
	struct err err = ERR_INIT;
	char who[128];
	struct buf json;
	long count = -1;

	buf_init(&r.json, ANSWER_MAX_BYTES);
	if (!span_to_str(rest, who, sizeof who) ||
	    (!str_is_name(rest) && strncmp(who, "SHA256:", 7) != 0))
		err_set(&err, ERR_USAGE,
		    "name an identity, or a fingerprint SHA256:...");
	else
		count = take_out(&r, who, &err);
	if (count > 0) {
		tell(&r, who, count);
		parent_reload(parent);
		buf_init(&json, ANSWER_MAX_BYTES);
		buf_append_str(&json, "{\"revoked\":[");
		buf_append(&json, buf_span(&r.json).data, buf_len(&r.json));
		buf_append_str(&json, "]}");
		control_answer(client, buf_span(&json));
		buf_fini(&json);
	} else {
		parent_answer_err(client, &err);
	}
	buf_fini(&r.json);
}
