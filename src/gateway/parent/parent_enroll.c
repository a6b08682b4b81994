#include "parent_private.h"

#include "admission.h"
#include "clock.h"
#include "pubkey.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>

/*
 * A key comes in by a code: what the child says, judged by admission.h; then
 * the child has the new keys in force; then the device is told.
 */

/* What the child says. */
struct request {
	struct span address, blob;
	struct invite_code code;
	char fingerprint[PUBKEY_FINGERPRINT_SIZE];
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
send_answer(struct desk *desk, uint64_t ticket, enum monitor_enrolled outcome,
    const char *sentence)
{
	monitor_send(&desk->monitor, MONITOR_ENROLLED, (int32_t)outcome, ticket,
	    span_of_str(sentence), -1);
}

/* ---- until it is in force ---- */

static void
finish(struct enrolment *enrolment, bool is_in_force)
{
	char sentence[ADMISSION_SENTENCE_SIZE];

	snprintf(sentence, sizeof sentence, "enrolled as %s (%s)",
	    enrolment->name, enrolment->fingerprint);
	if (is_in_force)
		send_answer(enrolment->desk, enrolment->ticket,
		    MONITOR_ENROLLED_IN, sentence);
	else
		send_answer(enrolment->desk, enrolment->ticket,
		    MONITOR_ENROLLED_REFUSED,
		    "the key is written, but the gateway could not take its "
		    "keys in force, as its log says");
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
	if (enrolment == NULL) {
		/* It is in; the device finds out by itself. */
		send_answer(
		    desk, ticket, MONITOR_ENROLLED_REFUSED, "no memory");
		return;
	}
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

/* ---- what the child says ---- */

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
decide(const struct parent *parent, const struct request *request,
    struct admission *admission)
{
	struct span host_keys[SSH_HOST_KEYS_MAX];
	struct admission_request ask = {
	    .settings = &parent->settings,
	    .host_keys = host_keys,
	    .host_key_count = parent->host_key_count,
	    .now_s = clock_wall_s(),
	    .blob = request->blob,
	    .code = request->code,
	};

	for (size_t i = 0; i < parent->host_key_count; i++)
		host_keys[i] = ssh_host_key_blob(parent->host_keys[i]);
	admission_decide(&ask, admission);
	explicit_bzero(&ask.code, sizeof ask.code);
}

/* The key is in its file already; a flood of wrong codes is bounded. */
static void
tell_audit(struct parent *parent, const struct request *request,
    const struct admission *admission)
{
	bool is_in = admission->outcome == MONITOR_ENROLLED_IN;
	struct audit_entry entry;

	audit_begin(&entry, is_in ? "enroll" : "enroll-refused");
	audit_put_span(&entry, "from", request->address);
	if (admission->name[0] != '\0')
		audit_put_str(&entry, "identity", admission->name);
	audit_put_str(&entry, "key", request->fingerprint);
	if (is_in) {
		(void)audit_commit(parent->audit, &entry, AUDIT_SOON, NULL);
		return;
	}
	audit_put_str(&entry, "why", admission->why);
	parent_audit_bounded(parent, WITNESS_REFUSE, &entry);
}

static void
tell_log(const struct request *request, const struct admission *admission)
{
	bool is_in = admission->outcome == MONITOR_ENROLLED_IN;
	struct log_line line;

	if (admission->err.code != ERR_NONE)
		log_err(LOG_LEVEL_ERROR, "parent", "enroll", &admission->err);
	if (!log_begin(&line, LOG_LEVEL_INFO, "parent",
		is_in ? "enrolled" : "enroll-refused"))
		return;
	log_span(&line, "from", request->address);
	if (admission->name[0] != '\0')
		log_str(&line, "identity", admission->name);
	log_str(&line, "key", request->fingerprint);
	if (!is_in)
		log_str(&line, "why", admission->why);
	log_end(&line);
}

void
parent_enroll(struct desk *desk, const struct monitor_message *message)
{
	struct request request = {.fingerprint = ""};
	struct admission admission = {.why = ""};

	if (read_request(message, &request))
		decide(desk->parent, &request, &admission);
	else
		admission_refuse(&admission, MONITOR_ENROLLED_REFUSED,
		    "that was no request", "malformed");
	explicit_bzero(&request.code, sizeof request.code);
	tell_log(&request, &admission);
	tell_audit(desk->parent, &request, &admission);
	if (admission.outcome == MONITOR_ENROLLED_IN)
		put_in_force(desk, message->ticket, &request, admission.name);
	else
		send_answer(desk, message->ticket, admission.outcome,
		    admission.sentence);
}
