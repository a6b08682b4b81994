#ifndef KAYA_GUARD_POST_PRIVATE_H
#define KAYA_GUARD_POST_PRIVATE_H

/* guard_post_private: what the files of guard_post share. */

#include "audit.h"
#include "guard_files.h"
#include "guard_local.h"
#include "guard_message.h"
#include "guard_mqtt.h"
#include "guard_post.h"

enum { GUARD_POST_ANSWER_MAX = 256 * 1024 }; /* bytes */

/* What may come in a flood is told once a second. */
struct guard_post_quiet {
	uint64_t told_ms; /* 0: never yet */
	uint64_t untold; /* since then */
};

struct guard_post {
	struct guard_post_options options;
	struct loop *loop;
	struct guard_files files;
	struct guard *guard;
	struct guard_locals *locals;
	struct guard_mqtt *mqtt;
	struct audit *audit;
	struct loop_timer *tick;
	uint64_t tick_at_ms; /* by clock_monotonic_ms; 0: it is not running */
	struct guard_post_quiet drops, refusals, retained;
	uint64_t given; /* commands that were let through */
	/* The command that is being delivered; NULL: none. */
	struct guard_command *giving;
	uint64_t give_until_ms;
	size_t reached; /* clients that it was given to */
	json_t *last; /* what became of the last command; NULL: none yet */
	uint64_t last_ms;
};

/* The actuator's. */
static inline const char *
guard_post_name(const struct guard_post *post)
{
	return post->files.rules->actuator;
}

/* Say it on kaya/guard/NAME/WHAT. */
void guard_post_publish(
    struct guard_post *post, const char *what, struct span payload);

/* Answer a question; without a word for it nothing is said. */
void guard_post_answer(
    struct guard_post *post, struct span request, const struct buf *payload);

/* An answer where there is a request, else a result for everybody. */
void guard_post_report(
    struct guard_post *post, const struct guard_report *told);

void guard_post_log(const struct guard_command *command, const char *event,
    const struct guard_outcome *outcome);

/* False, and counted, where it is to be told another time. */
bool guard_post_may_tell(struct guard_post_quiet *quiet);

/* A signature that does not count: log and audit, but not for each of many. */
void guard_post_note_refusal(struct guard_post *post,
    const struct guard_command *command, const struct guard_outcome *outcome);

/* Everything that could be asked about it later.  0, or -1: not written. */
int guard_post_audit(struct guard_post *post, const char *event,
    const struct guard_command *command, const struct guard_outcome *outcome);

/* ---- guard_post.c ---- */

/* A command's end: written down, told, forgotten. */
void guard_post_finish(struct guard_post *post, struct guard_command *command,
    const char *word, const struct guard_outcome *outcome);
void guard_post_finish_because(struct guard_post *post,
    struct guard_command *command, const char *word, enum guard_cause cause);

/* Both have signed, and nobody can sign it again: written, then delivered. */
void guard_post_release(struct guard_post *post, struct guard_command *command,
    const struct guard_outcome *outcome);

/* Look at time and files so soon, whatever else comes until then. */
void guard_post_tick_in(struct guard_post *post, uint64_t delay_ms);

enum { GUARD_POST_TICK_MS = 200 }; /* while commands are outstanding */

/* ---- guard_post_status.c ---- */

void guard_post_note_last(struct guard_post *post,
    const struct guard_command *command, const char *word,
    enum guard_cause cause);

/* ---- guard_post_ask.c ---- */

void guard_post_refuse(struct guard_post *post, const struct guard_ask *ask,
    const struct guard_command *command, const struct guard_outcome *outcome);

/* Do what a message asks for, which has been read and may be asked here. */
void guard_post_do(struct guard_post *post, const struct guard_ask *ask);

#endif
