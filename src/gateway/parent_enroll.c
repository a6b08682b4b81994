#include "parent_private.h"

#include "authorized_keys.h"
#include "clock.h"
#include "invitations_file.h"
#include "keys_edit.h"
#include "keys_line.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/*
 * A key comes in by a code.  In this order:
 *
 *	the code is good -> the key can come in under that name
 *	    -> the invitation is spent, on the disk -> the key's line is written
 *	    -> the child has the new keys in force -> the device is told
 *
 * Nothing of it is interrupted by another request: the parent has one thread,
 * and goes from the first step to the fourth without its loop.  Dying between
 * the two writes costs a code; the other way round it would be good for
 * another key.
 */

enum { SENTENCE_SIZE = 256, TYPE_WORD_MAX = 64 };

/* What the child says. */
struct request {
	struct span address, blob;
	struct invite_code code;
	char fingerprint[PUBKEY_FINGERPRINT_SIZE];
};

/* What the device is told, and what the log says. */
struct answer {
	enum monitor_enrolled outcome;
	char sentence[SENTENCE_SIZE];
	const char *why;
};

/* A key that has been written, and waits to be in force. */
struct enrolment {
	struct enrolment *next;
	struct desk *desk;
	uint64_t ticket;
	uint64_t generation; /* the snapshot that has it */
	char name[STR_NAME_MAX + 1];
	char fingerprint[PUBKEY_FINGERPRINT_SIZE];
};

static void
send_answer(struct desk *desk, uint64_t ticket, const struct answer *answer)
{
	monitor_send(&desk->monitor, MONITOR_ENROLLED, (int32_t)answer->outcome,
	    ticket, span_of_str(answer->sentence), -1);
}

static struct answer
answer_of(enum monitor_enrolled outcome, const char *sentence, const char *why)
{
	struct answer answer = {.outcome = outcome, .why = why};

	snprintf(answer.sentence, sizeof answer.sentence, "%s", sentence);
	return answer;
}

static struct answer
fail(const struct err *err, const char *sentence)
{
	log_err(LOG_LEVEL_ERROR, "parent", "enroll", err);
	return answer_of(MONITOR_ENROLLED_REFUSED, sentence, "see above");
}

/* ---- the code ---- */

static bool
is_ours(const struct parent *parent, const struct invite_code *code)
{
	for (size_t i = 0; i < parent->host_key_count; i++)
		if (invite_code_is_of(
			code, ssh_host_key_blob(parent->host_keys[i])))
			return true;
	return false;
}

/* Which of these it was is for the log alone. */
static struct answer
wrong_code(enum invitation_verdict verdict)
{
	return answer_of(MONITOR_ENROLLED_WRONG_CODE,
	    "this code lets nobody in: it is wrong, used already, or has "
	    "expired",
	    invitation_verdict_name(verdict));
}

/* ---- the key's line ---- */

/* A key on its way into the file. */
struct addition {
	struct keys_files files;
	struct keys_file *file; /* the one of them that it goes to */
	struct buf text; /* what `key` points to */
	struct authorized_keys_line key;
	struct buf bytes; /* the whole new file */
};

static void
addition_fini(struct addition *a)
{
	keys_files_close(&a->files);
	buf_fini(&a->text);
	buf_fini(&a->bytes);
}

static void
addition_init(struct addition *a)
{
	memset(a, 0, sizeof *a);
	a->files.lock_fd = -1;
	buf_init(&a->text, KEYS_LINE_MAX_BYTES);
	buf_init(&a->bytes, KEYS_EDIT_MAX_BYTES);
}

/* As a .pub file has it, with a comment for who reads the file later. */
static int
read_key(struct addition *a, struct span blob, struct err *err)
{
	char base64[4 * (PUBKEY_MAX_BYTES + 2) / 3 + 2], comment[64] = "";
	time_t now = (time_t)clock_wall_s();
	struct pubkey key;
	struct tm tm;

	if (blob.len > PUBKEY_MAX_BYTES ||
	    pubkey_read(blob, PUBKEY_UNKNOWN, &key) != PUBKEY_GOOD)
		return err_set(err, ERR_FAILED, "this is no key");
	str_base64_encode(blob, base64);
	buf_append_str(&a->text, pubkey_type_word(key.type));
	buf_append_str(&a->text, " ");
	buf_append_str(&a->text, base64);
	if (gmtime_r(&now, &tm) != NULL)
		(void)strftime(
		    comment, sizeof comment, " by code, %Y-%m-%d\n", &tm);
	buf_append_str(&a->text, comment);
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

static int
write_bytes(struct addition *a, const struct settings *settings,
    const struct invitation *invitation, struct err *err)
{
	struct keys_line_wish wish = {.identity = invitation->name,
	    .role = invitation->role[0] == '\0' ? NULL : invitation->role};
	struct buf line;
	int result;

	name_broker(settings, &wish);
	/* In a folder each identity has a file of its own. */
	a->file = a->files.is_folder
		      ? keys_files_entry(&a->files, invitation->name, err)
		      : &a->files.items[0];
	if (a->file == NULL)
		return -1;
	buf_init(&line, KEYS_LINE_MAX_BYTES);
	result = keys_line_write(&wish, &a->key, clock_wall_s(), &line, err);
	if (result == 0)
		result = keys_edit_append(
		    a->file->bytes, buf_span(&line), &a->bytes, err);
	buf_fini(&line);
	return result;
}

/*
 * Everything up to the first write.  IN: it can come in; else `answer` is
 * why not.
 */
static bool
prepare(struct addition *a, const struct parent *parent,
    const struct request *request, const struct invitation *invitation,
    struct answer *answer)
{
	struct err err = ERR_INIT;

	if (keys_files_open(&a->files, parent->settings.authorized_keys,
		KEYS_FILES_CHANGE_AT_ONCE, &err) != 0 ||
	    read_key(a, request->blob, &err) != 0) {
		*answer = fail(&err,
		    "the gateway cannot let this key in, as its log says; the "
		    "code is still good");
		return false;
	}
	switch (find_clash(a, invitation->name)) {
	case KEYS_CLASH_NONE:
		break;
	case KEYS_CLASH_KEY:
		*answer = answer_of(MONITOR_ENROLLED_REFUSED,
		    "this key is let in already; the code is still good, for "
		    "another one",
		    "the key is let in already");
		return false;
	case KEYS_CLASH_IDENTITY:
		if (invitation->keys == INVITATION_MORE_KEYS)
			break;
		*answer = answer_of(MONITOR_ENROLLED_REFUSED,
		    "another key goes by the name of this code; have that one "
		    "revoked at the gateway first",
		    "another key goes by the name");
		return false;
	}
	if (write_bytes(a, &parent->settings, invitation, &err) == 0)
		return true;
	*answer = fail(&err,
	    "the gateway cannot let this key in, as its log says; the code is "
	    "still good");
	return false;
}

/* ---- the two writes ---- */

static bool
spend_and_write(struct invitations_file *file, struct invitation *invitation,
    const struct addition *a, struct answer *answer)
{
	struct err err = ERR_INIT;

	invitation->state = INVITATION_USED;
	if (invitations_file_save(file, &err) != 0) {
		*answer = fail(&err,
		    "the gateway cannot write its list of invitations, as its "
		    "log says: nobody is let in");
		return false;
	}
	if (keys_file_replace(a->file, buf_span(&a->bytes), &err) != 0) {
		*answer = fail(&err,
		    "the gateway cannot write the key, as its log says; the "
		    "code is spent: have a new one made");
		return false;
	}
	return true;
}

/* Whether the key is in the file, under `name`; else `answer` is why not. */
static bool
let_in(struct parent *parent, const struct request *request,
    char name[STR_NAME_MAX + 1], struct answer *answer)
{
	struct invitations_file file;
	struct invitation *invitation;
	enum invitation_verdict verdict;
	struct addition *a;
	struct err err = ERR_INIT;
	bool is_in = false;

	if (!is_ours(parent, &request->code)) {
		*answer = answer_of(MONITOR_ENROLLED_WRONG_CODE,
		    "this code is another gateway's", "another gateway's code");
		return false;
	}
	if (invitations_file_open(&file, parent->settings.state, &err) != 0) {
		*answer = fail(&err,
		    "the gateway cannot read its list of invitations, as its "
		    "log says");
		return false;
	}
	verdict = invitations_find(
	    &file.list, request->code.secret, clock_wall_s(), &invitation);
	a = malloc(sizeof *a);
	if (invitation != NULL)
		snprintf(name, STR_NAME_MAX + 1, "%s", invitation->name);
	if (a == NULL)
		*answer = answer_of(
		    MONITOR_ENROLLED_REFUSED, "no memory", "no memory");
	else if (verdict != INVITATION_GOOD)
		*answer = wrong_code(verdict);
	else {
		addition_init(a);
		is_in = prepare(a, parent, request, invitation, answer) &&
			spend_and_write(&file, invitation, a, answer);
		addition_fini(a);
	}
	free(a);
	invitations_file_close(&file);
	return is_in;
}

/* ---- until it is in force ---- */

static void
finish(struct enrolment *enrolment, bool is_in_force)
{
	struct answer answer;

	if (is_in_force) {
		answer.outcome = MONITOR_ENROLLED_IN;
		snprintf(answer.sentence, sizeof answer.sentence,
		    "enrolled as %s (%s)", enrolment->name,
		    enrolment->fingerprint);
	} else {
		answer = answer_of(MONITOR_ENROLLED_REFUSED,
		    "the key is written, but the gateway could not take its "
		    "keys in force, as its log says",
		    NULL);
	}
	send_answer(enrolment->desk, enrolment->ticket, &answer);
	free(enrolment);
}

void
parent_settle_enrolments(struct parent *parent)
{
	struct enrolment **link = &parent->enrolments, *enrolment;

	while ((enrolment = *link) != NULL) {
		bool is_in_force = enrolment->generation <= parent->in_force;

		/* Where nothing is on its way nothing will come. */
		if (!is_in_force && parent->has_pending) {
			link = &enrolment->next;
			continue;
		}
		*link = enrolment->next;
		finish(enrolment, is_in_force);
	}
}

void
parent_drop_enrolments(struct parent *parent)
{
	while (parent->enrolments != NULL) {
		struct enrolment *enrolment = parent->enrolments;

		parent->enrolments = enrolment->next;
		free(enrolment);
	}
}

static void
put_in_force(struct desk *desk, uint64_t ticket, const struct request *request,
    const char *name)
{
	struct parent *parent = desk->parent;
	struct enrolment *enrolment = calloc(1, sizeof *enrolment);

	parent_reload(parent);
	if (enrolment == NULL)
		return; /* it is in; the device finds out by itself */
	enrolment->desk = desk;
	enrolment->ticket = ticket;
	/* One that was on its way was packed before. */
	enrolment->generation = parent->has_pending
				    ? parent->generation + parent->must_reload
				    : UINT64_MAX;
	snprintf(enrolment->name, sizeof enrolment->name, "%s", name);
	snprintf(enrolment->fingerprint, sizeof enrolment->fingerprint, "%s",
	    request->fingerprint);
	enrolment->next = parent->enrolments;
	parent->enrolments = enrolment;
	parent_settle_enrolments(parent);
}

/* ---- all of it ---- */

static bool
read_request(const struct monitor_message *message, struct request *request)
{
	struct span payload = span_of(message->payload, message->len), secret,
		    host;
	uint8_t digest[PUBKEY_DIGEST_BYTES];

	if (!wire_take_string32(&payload, &request->address) ||
	    !wire_take_bytes(&payload, sizeof request->code.secret, &secret) ||
	    !wire_take_bytes(&payload, sizeof request->code.host, &host))
		return false;
	memcpy(request->code.secret, secret.data, secret.len);
	memcpy(request->code.host, host.data, host.len);
	request->blob = payload;
	pubkey_digest(payload, digest);
	pubkey_fingerprint(digest, request->fingerprint);
	return payload.len > 0;
}

static void
tell_log(const struct request *request, const char *name,
    const struct answer *refusal)
{
	struct log_line line;

	if (!log_begin(&line, LOG_LEVEL_INFO, "parent",
		refusal == NULL ? "enrolled" : "enroll-refused"))
		return;
	log_span(&line, "from", request->address);
	if (name[0] != '\0')
		log_str(&line, "identity", name);
	log_str(&line, "key", request->fingerprint);
	if (refusal != NULL)
		log_str(&line, "why", refusal->why);
	log_end(&line);
}

void
parent_enroll(struct desk *desk, const struct monitor_message *message)
{
	struct answer answer = answer_of(
	    MONITOR_ENROLLED_REFUSED, "that was no code", "malformed");
	char name[STR_NAME_MAX + 1] = "";
	struct request request = {.fingerprint = ""};
	bool is_in = read_request(message, &request) &&
		     let_in(desk->parent, &request, name, &answer);

	explicit_bzero(&request.code, sizeof request.code);
	tell_log(&request, name, is_in ? NULL : &answer);
	if (is_in)
		put_in_force(desk, message->ticket, &request, name);
	else
		send_answer(desk, message->ticket, &answer);
}
