#include "guard_post_private.h"

#include "clock.h"

#include <sys/random.h>

void
guard_post_refuse(struct guard_post *post, const struct guard_ask *ask,
    const struct guard_command *command, const struct guard_outcome *outcome)
{
	guard_post_report(post, &(struct guard_report){.word = "refused",
				    .command = command,
				    .outcome = outcome,
				    .request = ask->request,
				    .topic = ask->topic});
}

static void
on_ask(struct guard_post *post, const struct guard_ask *ask)
{
	const struct guard_question question = {
	    ask->request, ask->topic, ask->payload};
	uint8_t random[GUARD_CHALLENGE_BYTES];
	const struct guard_command *command = NULL;
	struct guard_outcome outcome = {.cause = GUARD_NO_MEMORY};
	uint64_t now = clock_boot_ms();
	struct buf payload;

	if (!audit_is_writable(post->audit))
		outcome.cause = GUARD_AUDIT_FAILED;
	else if (getrandom(random, sizeof random, 0) == (ssize_t)sizeof random)
		command =
		    guard_ask(post->guard, &question, random, now, &outcome);
	explicit_bzero(random, sizeof random);
	if (command == NULL) {
		guard_post_refuse(post, ask, NULL, &outcome);
		return;
	}
	buf_init(&payload, GUARD_POST_ANSWER_MAX);
	guard_put_challenge(command, now, &payload);
	guard_post_answer(post, ask->request, &payload);
	buf_fini(&payload);
	guard_post_tick_in(post, GUARD_POST_TICK_MS);
}

static void
tell_pending(struct guard_post *post, const struct guard_command *command)
{
	struct buf payload;

	buf_init(&payload, GUARD_POST_ANSWER_MAX);
	guard_put_pending(command, clock_boot_ms(), &payload);
	if (!payload.failed)
		guard_post_publish(post, "pending", buf_span(&payload));
	buf_fini(&payload);
}

static void
on_first(struct guard_post *post, const struct guard_ask *ask,
    struct guard_command *command, const struct guard_outcome *outcome)
{
	const struct guard_outcome unwritten = {.cause = GUARD_AUDIT_FAILED};

	if (guard_post_audit(post, "hold", command, outcome) != 0) {
		guard_post_refuse(post, ask, command, &unwritten);
		guard_post_finish_because(
		    post, command, "dropped", GUARD_AUDIT_FAILED);
		return;
	}
	guard_post_log(command, "hold", outcome);
	guard_post_report(post, &(struct guard_report){.word = "signed",
				    .command = command,
				    .outcome = outcome,
				    .request = ask->request});
	tell_pending(post, command);
}

static void
on_sign(struct guard_post *post, const struct guard_ask *ask)
{
	struct guard_outcome outcome;
	struct guard_command *command;
	enum guard_step step;

	step = guard_sign(post->guard, ask->id,
	    ask->what == GUARD_DO_SIGN ? GUARD_AGREES : GUARD_DISAGREES,
	    ask->signature, clock_boot_ms(), clock_wall_s(), &command,
	    &outcome);
	switch (step) {
	case GUARD_STEP_FIRST:
		on_first(post, ask, command, &outcome);
		return;
	case GUARD_STEP_BOTH:
		guard_post_report(post, &(struct guard_report){.word = "signed",
					    .command = command,
					    .outcome = &outcome,
					    .request = ask->request});
		guard_post_release(post, command, &outcome);
		return;
	case GUARD_STEP_DENIED:
		guard_post_report(post, &(struct guard_report){.word = "denied",
					    .command = command,
					    .outcome = &outcome,
					    .request = ask->request});
		guard_post_finish(post, command, "denied", &outcome);
		return;
	case GUARD_STEP_REFUSED:
		break;
	}
	guard_post_refuse(post, ask, command, &outcome);
	if (command != NULL)
		guard_post_note_refusal(post, command, &outcome);
}

/* With an id, that one, signed or not; else all that wait for a second. */
static bool
is_wanted(const struct guard_ask *ask, const struct guard_command *command)
{
	if (ask->id.len > 0)
		return span_is(ask->id, command->id);
	return command->state == GUARD_SIGNED;
}

static void
on_list(struct guard_post *post, const struct guard_ask *ask)
{
	uint64_t now = clock_boot_ms();
	struct guard_command *command;
	const char *before = "";
	struct buf payload;
	size_t at = 0;

	buf_init(&payload, GUARD_POST_ANSWER_MAX);
	buf_append_str(&payload, "{\"actuator\":\"");
	buf_append_str(&payload, guard_post_name(post));
	buf_append_str(&payload, "\",\"pending\":[");
	while ((command = guard_next(post->guard, &at)) != NULL) {
		if (!is_wanted(ask, command))
			continue;
		buf_append_str(&payload, before);
		guard_put_pending(command, now, &payload);
		before = ",";
	}
	buf_append_str(&payload, "]}");
	guard_post_answer(post, ask->request, &payload);
	buf_fini(&payload);
}

void
guard_post_do(struct guard_post *post, const struct guard_ask *ask)
{
	static void (*const handlers[GUARD_DO_COUNT])(
	    struct guard_post * post, const struct guard_ask *ask) = {
	    [GUARD_DO_ASK] = on_ask,
	    [GUARD_DO_SIGN] = on_sign,
	    [GUARD_DO_DENY] = on_sign,
	    [GUARD_DO_LIST] = on_list,
	};

	handlers[ask->what](post, ask);
}
