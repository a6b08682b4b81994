#include "guard_post_private.h"

#include "clock.h"
#include "log.h"

#include <stdlib.h>

enum {
	LOOK_MS = 1000, /* while nothing is: have the files changed? */
	AGAIN_MS = 20, /* while a client is not ready to be given it */
	GIVE_MS = 2000, /* what two have signed reaches a client by then */
};

void
guard_post_tick_in(struct guard_post *post, uint64_t delay_ms)
{
	uint64_t at = clock_monotonic_ms() + delay_ms;

	/* Whoever asks without end must not put it off. */
	if (post->tick_at_ms != 0 && post->tick_at_ms <= at)
		return;
	post->tick_at_ms = at;
	loop_timer_start(post->tick, delay_ms);
}

void
guard_post_finish(struct guard_post *post, struct guard_command *command,
    const char *word, const struct guard_outcome *outcome)
{
	/* What nobody has signed is nothing that was decided. */
	if (command->by[0][0] != '\0') {
		guard_post_audit(post, word, command, outcome);
		guard_post_log(command, word, outcome);
		guard_post_note_last(post, command, word, outcome->cause);
	}
	guard_post_report(
	    post, &(struct guard_report){
		      .word = word, .command = command, .outcome = outcome});
	if (post->giving == command)
		post->giving = NULL;
	guard_finish(post->guard, command);
}

void
guard_post_finish_because(struct guard_post *post,
    struct guard_command *command, const char *word, enum guard_cause cause)
{
	struct guard_outcome outcome = {.cause = cause};

	/* Whatever came in between: it has reached one, and that is told. */
	if (post->giving == command && post->reached > 0) {
		word = "done";
		outcome.cause = GUARD_CAUSE_NONE;
	}
	guard_post_finish(post, command, word, &outcome);
}

static void
finish_all(struct guard_post *post, enum guard_cause cause)
{
	struct guard_command *command;
	size_t at = 0;

	while ((command = guard_next(post->guard, &at)) != NULL)
		guard_post_finish_because(post, command, "dropped", cause);
}

/* ---- delivery ---- */

/* Its time is looked at first: late is not at all, whatever kept us. */
static void
give(struct guard_post *post)
{
	struct guard_command *command = post->giving;
	struct guard_given given = {.is_late = false};
	uint64_t now = clock_boot_ms();

	if (command == NULL)
		return;
	if (now < post->give_until_ms &&
	    guard_over(command, now) == GUARD_CAUSE_NONE)
		given = guard_locals_give(post->locals, post->given,
		    buf_span(&command->topic), buf_span(&command->payload));
	post->reached += given.clients;
	if (given.is_late)
		guard_post_tick_in(post, AGAIN_MS);
	else
		guard_post_finish_because(
		    post, command, "dropped", GUARD_COMMUNICATION_LOSS);
}

void
guard_post_release(struct guard_post *post, struct guard_command *command,
    const struct guard_outcome *outcome)
{
	if (guard_post_audit(post, "release", command, outcome) != 0) {
		guard_post_finish_because(
		    post, command, "dropped", GUARD_AUDIT_FAILED);
		return;
	}
	guard_post_log(command, "release", outcome);
	/* One at a time; it is under way for GIVE_MS at most. */
	if (post->giving != NULL)
		guard_post_finish_because(
		    post, post->giving, "dropped", GUARD_COMMUNICATION_LOSS);
	post->giving = command;
	post->given++;
	post->reached = 0;
	post->give_until_ms = clock_boot_ms() + GIVE_MS;
	give(post);
}

/* ---- what is asked ---- */

/* Whoever was taken out of a file does not sign any more. */
static bool
files_are_sound(struct guard_post *post, const struct guard_ask *ask)
{
	const struct guard_outcome changed = {.cause = GUARD_POLICY_CHANGED,
	    .detail = "the guard's files cannot be used: see its log"};
	struct guard_rules *old;

	switch (guard_files_look(&post->files, &old)) {
	case GUARD_FILES_SAME:
		return true;
	case GUARD_FILES_CHANGED:
		finish_all(post, GUARD_POLICY_CHANGED);
		guard_change(post->guard, post->files.rules);
		guard_locals_change(post->locals, post->files.rules);
		guard_rules_free(old);
		log_event(LOG_LEVEL_INFO, "guard", "changed",
		    "the rules and signers were read anew");
		return true;
	case GUARD_FILES_BROKEN:
		break;
	}
	finish_all(post, GUARD_POLICY_CHANGED);
	if (ask != NULL)
		guard_post_refuse(post, ask, NULL, &changed);
	return false;
}

static void
on_message(void *arg, const char *topic, struct span payload, bool is_retained)
{
	const struct guard_outcome wrong = {.cause = GUARD_INCONSISTENT};
	struct guard_post *post = arg;
	char all[GUARD_NAME_TOPIC_MAX];
	struct guard_ask ask;

	guard_topic(all, "all", "ask");
	if (is_retained) {
		if (guard_post_may_tell(&post->retained))
			log_event(LOG_LEVEL_WARN, "guard", "refuse",
			    "a retained message to the guard: nothing that is "
			    "kept by a broker is a question");
		return;
	}
	if (!guard_ask_parse(payload, &ask) ||
	    (strcmp(topic, all) == 0 && ask.what != GUARD_DO_LIST)) {
		if (ask.request.len > 0)
			guard_post_refuse(post, &ask, NULL, &wrong);
	} else if (files_are_sound(post, &ask)) {
		guard_post_do(post, &ask);
	}
	guard_ask_fini(&ask);
}

/* ---- what the local clients' connections bring ---- */

static void
on_dropped(void *arg, const struct guard_rule *rule, struct span topic)
{
	struct guard_post *post = arg;
	const struct guard_outcome outcome = {.cause = GUARD_NOT_SELECTED,
	    .detail = "it came without signatures: kaya request"};
	struct audit_entry entry;
	struct log_line line;

	/* A flood of them neither fills the disk nor makes a flood of ours. */
	if (!guard_post_may_tell(&post->drops))
		return;
	if (log_begin(&line, LOG_LEVEL_WARN, "guard", "refuse")) {
		log_span(&line, "topic", topic);
		log_str(&line, "rule", rule->name);
		log_str(&line, "why", outcome.detail);
		log_u64(&line, "more_before", post->drops.untold);
		log_end(&line);
	}
	audit_begin(&entry, "refuse");
	audit_put_str(&entry, "actuator", guard_post_name(post));
	audit_put_str(&entry, "rule", rule->name);
	audit_put_span(&entry, "topic", topic);
	audit_put_u64(&entry, "more_before", post->drops.untold);
	audit_commit(post->audit, &entry, AUDIT_SOON, NULL);
	post->drops.untold = 0;
	guard_post_report(
	    post, &(struct guard_report){
		      .word = "refused", .outcome = &outcome, .topic = topic});
}

/* A stop is never followed by an older start. */
static void
on_stopped(void *arg, const struct guard_rule *rule, struct span topic)
{
	struct guard_post *post = arg;
	struct guard_command *command;
	size_t at = 0;

	(void)rule;
	while ((command = guard_next(post->guard, &at)) != NULL)
		if (span_equal(buf_span(&command->topic), topic))
			guard_post_finish_because(
			    post, command, "dropped", GUARD_BLOCKED_BY_COMMAND);
}

static void
on_open(void *arg)
{
	struct guard_post *post = arg;

	log_event(LOG_LEVEL_INFO, "guard", "ready",
	    "%s is guarded by %zu rules, its own connection stands",
	    guard_post_name(post), post->files.rules->rule_count);
}

static void
on_tick(void *arg)
{
	struct guard_post *post = arg;
	uint64_t now = clock_boot_ms();
	struct guard_command *command;
	size_t at = 0, count = 0;

	post->tick_at_ms = 0;
	files_are_sound(post, NULL);
	give(post);
	while ((command = guard_next(post->guard, &at)) != NULL) {
		enum guard_cause cause = guard_over(command, now);

		count++;
		if (cause != GUARD_CAUSE_NONE && command != post->giving)
			guard_post_finish_because(
			    post, command, "expired", cause);
	}
	guard_post_tick_in(post, count > 0 ? GUARD_POST_TICK_MS : LOOK_MS);
}

/* ---- life ---- */

static void
on_carry(void *arg, int fd)
{
	struct guard_post *post = arg;
	const struct conf_address *broker = &post->files.rules->broker;

	fd = guard_locals_take_own(post->locals, fd);
	if (fd < 0)
		return;
	if (broker->host != NULL)
		post->options.carry(
		    post->options.arg, fd, broker->host, broker->port);
	else
		post->options.carry(post->options.arg, fd, post->options.host,
		    post->options.port);
}

static int
open_post(struct guard_post *post, struct err *err)
{
	const struct guard_locals_events local_events = {
	    .dropped = on_dropped, .stopped = on_stopped, .arg = post};
	const struct guard_mqtt_events mqtt_events = {
	    on_carry, on_open, on_message, post};
	const struct guard_rules *rules;
	struct audit_options audit = {.max_bytes = 0};

	if (guard_files_open(&post->files, post->options.file, err) != 0)
		return -1;
	rules = post->files.rules;
	audit.file = rules->audit_file;
	post->audit = audit_open(&audit, err);
	if (post->audit == NULL)
		return -1;
	post->guard = guard_new(rules);
	post->locals = guard_locals_new(post->loop, rules, &local_events);
	post->tick = loop_timer_new(post->loop, on_tick, post);
	if (post->guard == NULL || post->locals == NULL || post->tick == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	post->mqtt = guard_mqtt_new(post->loop, rules, &mqtt_events, err);
	if (post->mqtt == NULL)
		return -1;
	guard_post_tick_in(post, LOOK_MS);
	return 0;
}

struct guard_post *
guard_post_new(struct loop *loop, const struct guard_post_options *options,
    struct err *err)
{
	struct guard_post *post = calloc(1, sizeof *post);

	if (post == NULL) {
		err_set(err, ERR_NOMEM, "no memory");
		return NULL;
	}
	post->loop = loop;
	post->options = *options;
	if (open_post(post, err) == 0)
		return post;
	guard_post_free(post);
	return NULL;
}

void
guard_post_free(struct guard_post *post)
{
	if (post == NULL)
		return;
	guard_mqtt_free(post->mqtt);
	guard_locals_free(post->locals);
	guard_free(post->guard);
	loop_timer_free(post->tick);
	audit_close(post->audit);
	guard_files_close(&post->files);
	json_decref(post->last);
	free(post);
}

void
guard_post_up(struct guard_post *post)
{
	guard_mqtt_up(post->mqtt);
}

void
guard_post_down(struct guard_post *post)
{
	guard_mqtt_down(post->mqtt);
}

int
guard_post_take(struct guard_post *post, int fd)
{
	return guard_locals_take(post->locals, fd);
}
