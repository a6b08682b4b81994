#ifndef KAYA_GUARD_POST_PRIVATE_H
#define KAYA_GUARD_POST_PRIVATE_H

/* guard_post_private: what the two files of guard_post share. */

#include "audit.h"
#include "guard_files.h"
#include "guard_local.h"
#include "guard_message.h"
#include "guard_mqtt.h"
#include "guard_post.h"

enum { GUARD_POST_ANSWER_MAX = 256 * 1024 }; /* bytes */

struct guard_post {
	struct guard_post_options options;
	struct loop *loop;
	struct guard_files files;
	struct guard *guard;
	struct guard_locals *locals;
	struct guard_mqtt *mqtt;
	struct audit *audit;
	struct loop_timer *tick;
	uint64_t given; /* commands that were let through */
	uint64_t dropped_ms; /* when a drop was told */
	uint64_t drops_untold;
	/* The command that is being delivered; NULL: none. */
	struct guard_command *giving;
	uint64_t give_until_ms;
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

/* Everything that could be asked about it later.  0, or -1: not written. */
int guard_post_audit(struct guard_post *post, const char *event,
    const struct guard_command *command, const struct guard_outcome *outcome);

#endif
