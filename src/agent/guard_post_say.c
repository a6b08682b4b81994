#include "guard_post_private.h"

#include "clock.h"
#include "log.h"

#include <stdio.h>

enum { TELL_EACH_MS = 1000 };

bool
guard_post_may_tell(struct guard_post_quiet *quiet)
{
	uint64_t now = clock_boot_ms();

	if (quiet->told_ms != 0 && now - quiet->told_ms < TELL_EACH_MS) {
		quiet->untold++;
		return false;
	}
	quiet->told_ms = now;
	return true;
}

void
guard_post_publish(
    struct guard_post *post, const char *what, struct span payload)
{
	char topic[GUARD_NAME_TOPIC_MAX];

	guard_topic(topic, guard_post_name(post), what);
	guard_mqtt_publish(post->mqtt, topic, payload);
}

void
guard_post_answer(
    struct guard_post *post, struct span request, const struct buf *payload)
{
	char what[GUARD_REQUEST_MAX + 16], word[GUARD_REQUEST_MAX + 1];

	if (payload->failed || !span_to_str(request, word, sizeof word) ||
	    word[0] == '\0')
		return;
	snprintf(what, sizeof what, "answer/%s", word);
	guard_post_publish(post, what, buf_span(payload));
}

void
guard_post_report(struct guard_post *post, const struct guard_report *told)
{
	struct buf payload;

	buf_init(&payload, GUARD_POST_ANSWER_MAX);
	guard_put_report(told, &payload);
	if (told->request.len > 0)
		guard_post_answer(post, told->request, &payload);
	else if (!payload.failed)
		guard_post_publish(post, "result", buf_span(&payload));
	buf_fini(&payload);
}

void
guard_post_log(const struct guard_command *command, const char *event,
    const struct guard_outcome *outcome)
{
	struct log_line line;

	if (!log_begin(&line,
		outcome->cause == GUARD_CAUSE_NONE ? LOG_LEVEL_INFO
						   : LOG_LEVEL_WARN,
		"guard", event))
		return;
	log_str(&line, "id", command->id);
	log_span(&line, "topic", buf_span(&command->topic));
	log_str(&line, "cause", guard_cause_name(outcome->cause));
	log_str(&line, "first", command->by[0]);
	if (command->by[1][0] != '\0')
		log_str(&line, "second", command->by[1]);
	if (outcome->detail[0] != '\0')
		log_str(&line, "why", outcome->detail);
	log_end(&line);
}

int
guard_post_audit(struct guard_post *post, const char *event,
    const struct guard_command *command, const struct guard_outcome *outcome)
{
	struct audit_entry entry;
	struct err err = ERR_INIT;

	audit_begin(&entry, event);
	audit_put_str(&entry, "actuator", guard_post_name(post));
	audit_put_str(&entry, "id", command->id);
	audit_put_str(&entry, "rule", command->rule->name);
	audit_put_span(&entry, "statement", buf_span(&command->statement));
	audit_put_str(&entry, "first", command->by[0]);
	audit_put_str(&entry, "second",
	    command->by[1][0] != '\0' ? command->by[1] : NULL);
	audit_put_str(&entry, "signer",
	    outcome->principal[0] != '\0' ? outcome->principal : NULL);
	audit_put_str(&entry, "cause", guard_cause_name(outcome->cause));
	if (audit_commit(post->audit, &entry, AUDIT_DURABLE, &err) == 0)
		return 0;
	log_err(LOG_LEVEL_ERROR, "guard", "audit", &err);
	return -1;
}

void
guard_post_note_refusal(struct guard_post *post,
    const struct guard_command *command, const struct guard_outcome *outcome)
{
	struct audit_entry entry;

	if (!guard_post_may_tell(&post->refusals))
		return;
	guard_post_log(command, "refuse", outcome);
	audit_begin(&entry, "refuse");
	audit_put_str(&entry, "actuator", guard_post_name(post));
	audit_put_str(&entry, "id", command->id);
	audit_put_str(&entry, "rule", command->rule->name);
	audit_put_str(&entry, "signer",
	    outcome->principal[0] != '\0' ? outcome->principal : NULL);
	audit_put_str(&entry, "cause", guard_cause_name(outcome->cause));
	audit_put_str(&entry, "why", outcome->detail);
	audit_put_u64(&entry, "more_before", post->refusals.untold);
	audit_commit(post->audit, &entry, AUDIT_SOON, NULL);
	post->refusals.untold = 0;
}
