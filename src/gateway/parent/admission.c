#include "admission.h"

#include "invitations_file.h"
#include "keys_edit.h"
#include "keys_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* A key on its way into the file. */
struct addition {
	const struct admission_request *request;
	struct keys_files files;
	struct keys_file *file; /* the one of them that it goes to */
	struct buf text; /* what `key` points to */
	struct authorized_keys_line key;
	struct keys_staged *staged; /* the whole new file */
};

void
admission_refuse(struct admission *admission, enum monitor_enrolled outcome,
    const char *sentence, const char *why)
{
	admission->outcome = outcome;
	admission->why = why;
	snprintf(
	    admission->sentence, sizeof admission->sentence, "%s", sentence);
}

/* What failed stands in admission->err. */
static void
fail(struct admission *admission, const char *sentence)
{
	admission_refuse(admission, MONITOR_ENROLLED_REFUSED, sentence,
	    "it failed, as told above");
}

static void
fail_before_writing(struct admission *admission)
{
	fail(admission,
	    "the gateway cannot let this key in, as its log says; the code is "
	    "still good");
}

/* ---- the key's line ---- */

static void
addition_fini(struct addition *a)
{
	if (a == NULL)
		return;
	keys_staged_free(a->staged);
	keys_files_close(&a->files);
	buf_fini(&a->text);
	free(a);
}

static struct addition *
addition_new(const struct admission_request *request)
{
	struct addition *a = calloc(1, sizeof *a);

	if (a == NULL)
		return NULL;
	a->request = request;
	a->files.lock_fd = -1;
	buf_init(&a->text, KEYS_LINE_MAX_BYTES);
	return a;
}

/* As a .pub file has it, with a comment for who reads the file later. */
static int
read_key(struct addition *a, struct err *err)
{
	char base64[4 * (PUBKEY_MAX_BYTES + 2) / 3 + 2], comment[64] = "";
	struct span blob = a->request->blob;
	time_t now = (time_t)a->request->now_s;
	struct pubkey key;
	struct tm tm;

	if (blob.len > PUBKEY_MAX_BYTES ||
	    pubkey_read(blob, PUBKEY_UNKNOWN, &key) != PUBKEY_GOOD)
		return err_set(err, ERR_FAILED, "this is no key");
	str_base64_encode(blob, base64);
	if (gmtime_r(&now, &tm) != NULL)
		(void)strftime(
		    comment, sizeof comment, " by code, %Y-%m-%d\n", &tm);
	buf_append_str(&a->text, pubkey_type_word(key.type));
	buf_append_str(&a->text, " ");
	buf_append_str(&a->text, base64);
	buf_append_str(&a->text, comment);
	if (a->text.failed)
		return err_set(err, ERR_NOMEM, "no memory for the key");
	return keys_line_take_key(buf_span(&a->text), &a->key, err);
}

/* The one broker that the key may reach, as clients ask for it. */
static void
name_broker(const struct settings *settings, struct keys_line_wish *wish)
{
	const struct conf_address *address =
	    settings->broker_count == 0 ? &settings->private_broker.open_as[0]
					: &settings->brokers[0].open_as[0];

	wish->broker_host = address->host;
	wish->broker_port = address->port;
}

static enum keys_clash
find_clash(const struct addition *a, const char *name)
{
	enum keys_clash worst = KEYS_CLASH_NONE;
	size_t number;

	for (size_t i = 0; i < a->files.count; i++) {
		enum keys_clash clash = keys_edit_find_clash(
		    a->files.items[i].bytes, &a->key, name, &number);

		if (clash == KEYS_CLASH_KEY)
			return clash;
		if (clash != KEYS_CLASH_NONE)
			worst = clash;
	}
	return worst;
}

/* The whole new file beside the old one. */
static int
stage(struct addition *a, const struct invitation *invitation, struct err *err)
{
	struct keys_line_wish wish = {.identity = invitation->name,
	    .role = invitation->role[0] == '\0' ? NULL : invitation->role};
	struct buf line, bytes;

	name_broker(a->request->settings, &wish);
	if (a->files.is_folder && invitation->name[0] == '.')
		return err_set(err, ERR_FAILED,
		    "a file whose name begins with a dot is not read");
	/* In a folder each identity has a file of its own. */
	a->file = a->files.is_folder
		      ? keys_files_entry(&a->files, invitation->name, err)
		      : &a->files.items[0];
	if (a->file == NULL)
		return -1;
	buf_init(&line, KEYS_LINE_MAX_BYTES);
	buf_init(&bytes, KEYS_EDIT_MAX_BYTES);
	if (keys_line_write(&wish, &a->key, a->request->now_s, &line, err) ==
		0 &&
	    keys_edit_append(a->file->bytes, buf_span(&line), &bytes, err) == 0)
		a->staged = keys_file_stage(a->file, buf_span(&bytes), err);
	buf_fini(&line);
	buf_fini(&bytes);
	return a->staged == NULL ? -1 : 0;
}

/* Everything that can be done before: whether the key can come in. */
static bool
prepare(struct addition *a, const struct invitation *invitation,
    struct admission *admission)
{
	if (keys_files_open(&a->files, a->request->settings->authorized_keys,
		KEYS_FILES_CHANGE_AT_ONCE, &admission->err) != 0 ||
	    read_key(a, &admission->err) != 0) {
		fail_before_writing(admission);
		return false;
	}
	switch (find_clash(a, invitation->name)) {
	case KEYS_CLASH_NONE:
		break;
	case KEYS_CLASH_KEY:
		admission_refuse(admission, MONITOR_ENROLLED_REFUSED,
		    "this key has a line at the gateway already; the code is "
		    "still good, for another one",
		    "the key has a line already");
		return false;
	case KEYS_CLASH_IDENTITY:
		if (invitation->keys == INVITATION_MORE_KEYS)
			break;
		admission_refuse(admission, MONITOR_ENROLLED_REFUSED,
		    "another key goes by the name of this code; have that one "
		    "revoked at the gateway first",
		    "another key goes by the name");
		return false;
	}
	if (stage(a, invitation, &admission->err) == 0)
		return true;
	fail_before_writing(admission);
	return false;
}

/* ---- what counts ---- */

static void
spend_and_put(struct addition *a, const struct invitations_file *file,
    struct invitation *invitation, struct admission *admission)
{
	invitation->state = INVITATION_USED;
	if (invitations_file_save(file, &admission->err) != 0)
		fail(admission,
		    "the gateway cannot write its list of invitations, as its "
		    "log says: nobody is let in");
	else if (keys_staged_put(a->staged, &admission->err) != 0)
		fail(admission,
		    "the gateway cannot write the key, as its log says; the "
		    "code is spent: have a new one made");
	else
		admission->outcome = MONITOR_ENROLLED_IN;
}

static void
let_in(const struct admission_request *request,
    const struct invitations_file *file, struct invitation *invitation,
    struct admission *admission)
{
	struct addition *a = addition_new(request);

	if (a == NULL) {
		err_set(&admission->err, ERR_NOMEM, "no memory for the key");
		fail_before_writing(admission);
	} else if (prepare(a, invitation, admission)) {
		spend_and_put(a, file, invitation, admission);
	}
	addition_fini(a);
}

/* ---- the code ---- */

static bool
is_ours(const struct admission_request *request)
{
	for (size_t i = 0; i < request->host_key_count; i++)
		if (invite_code_is_of(&request->code, request->host_keys[i]))
			return true;
	return false;
}

void
admission_decide(
    const struct admission_request *request, struct admission *admission)
{
	struct invitations_file file;
	struct invitation *invitation;
	enum invitation_verdict verdict;

	*admission = (struct admission){.why = ""};
	if (!is_ours(request)) {
		admission_refuse(admission, MONITOR_ENROLLED_WRONG_CODE,
		    "this code is another gateway's", "another gateway's code");
		return;
	}
	if (invitations_file_open(
		&file, request->settings->state, &admission->err) != 0) {
		fail(admission,
		    "the gateway cannot read its list of invitations, as its "
		    "log says");
		return;
	}
	verdict = invitations_find(
	    &file.list, request->code.secret, request->now_s, &invitation);
	if (invitation != NULL)
		snprintf(admission->name, sizeof admission->name, "%s",
		    invitation->name);
	/* Which of these it was is for the log alone. */
	if (verdict != INVITATION_GOOD || invitation == NULL)
		admission_refuse(admission, MONITOR_ENROLLED_WRONG_CODE,
		    "this code lets nobody in: it is wrong, used already, or "
		    "has expired",
		    invitation_verdict_name(verdict));
	else
		let_in(request, &file, invitation, admission);
	invitations_file_close(&file);
}
