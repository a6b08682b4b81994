#include "survey_private.h"

#include "clock.h"
#include "greeting.h"
#include "idle_plan.h"
#include "wire.h"

#include <stdlib.h>
#include <unistd.h>

/*
 * A connection on which the server has greeted and is owed our identification
 * costs it one place and no login: it can idle until the server's grace for
 * logging in is over.  Then the identification is sent, late, and a good-bye
 * with it: an answer, or that the server hangs up in an orderly way, is a sign
 * of life.
 */

enum { MESSAGE_DISCONNECT = 1, BY_APPLICATION = 11 };

struct idler {
	struct survey *survey;
	struct survey_way way;
	uint64_t idle_ms;
	enum idle_end end;
	uint64_t hung_up_ms; /* the server's own doing; 0: not */
	pthread_t thread;
	bool runs;
};

/* Our line, and SSH_MSG_DISCONNECT (RFC 4253 section 11.1). */
static void
put_good_bye(struct buf *out)
{
	static const uint8_t padding[10] = {0};

	buf_append_str(out, survey_identification);
	wire_put_u32(out, 1 + 1 + 4 + 4 + 4 + 4 + sizeof padding);
	wire_put_u8(out, sizeof padding);
	wire_put_u8(out, MESSAGE_DISCONNECT);
	wire_put_u32(out, BY_APPLICATION);
	wire_put_cstring32(out, "done");
	wire_put_cstring32(out, "");
	wire_put_bytes(out, span_of(padding, sizeof padding));
}

static enum idle_end
wake(const struct survey *survey, int fd)
{
	uint64_t until_ms = clock_monotonic_ms() + survey->timeout_ms;
	enum tcp_read end = TCP_READ_RESET;
	uint8_t bytes[512];
	struct buf out;
	size_t len;

	buf_init(&out, 256);
	put_good_bye(&out);
	if (!out.failed && survey_write(fd, buf_span(&out), until_ms))
		end = survey_read(fd, bytes, sizeof bytes, &len, until_ms);
	buf_fini(&out);
	return end == TCP_READ_DATA || end == TCP_READ_END ? IDLE_LIVED
							   : IDLE_DIED;
}

static void *
let_idle(void *arg)
{
	struct idler *idler = arg;
	struct survey *survey = idler->survey;
	uint64_t since_ms = clock_monotonic_ms();
	struct way_dial dial = {.until_ms = since_ms + survey->timeout_ms};
	struct greeted *greeted = malloc(sizeof *greeted);
	int fd = survey_dial(survey, &idler->way, &dial, NULL);
	enum tcp_read end = TCP_READ_DATA;
	uint8_t bytes[512];
	size_t len;

	if (fd < 0 || greeted == NULL ||
	    survey_greeting(fd, greeted, dial.until_ms) != GREETING_SSH)
		goto out;
	since_ms = clock_monotonic_ms();
	while (end == TCP_READ_DATA)
		end = survey_read(
		    fd, bytes, sizeof bytes, &len, since_ms + idler->idle_ms);
	if (end == TCP_READ_LATE)
		idler->end = wake(survey, fd);
	else
		idler->hung_up_ms = clock_monotonic_ms() - since_ms;
out:
	if (fd >= 0)
		close(fd);
	free(greeted);
	return NULL;
}

static void
judge(struct survey *survey, const struct idler *idlers, size_t count)
{
	struct idle_verdict verdict;
	uint64_t steps[IDLE_STEPS_MAX];
	enum idle_end ends[IDLE_STEPS_MAX];

	for (size_t i = 0; i < count; i++) {
		steps[i] = idlers[i].idle_ms;
		ends[i] = idlers[i].end;
		if (idlers[i].hung_up_ms > 0 &&
		    (survey->idle_grace_ms == 0 ||
			idlers[i].hung_up_ms < survey->idle_grace_ms))
			survey->idle_grace_ms = idlers[i].hung_up_ms;
	}
	idle_judge(steps, ends, count, &verdict);
	survey->idle_lived_ms = verdict.lived_ms;
	survey->idle_died_ms = verdict.died_ms;
	survey->idle_keepalive_s = verdict.keepalive_s;
}

void
survey_idle(struct survey *survey, struct survey_way *way)
{
	struct idler *idlers = calloc(IDLE_STEPS_MAX, sizeof *idlers);
	uint64_t steps[IDLE_STEPS_MAX];
	size_t planned, count = 0;

	if (idlers == NULL)
		return;
	planned = idle_plan(survey->options->idle_ms, steps);
	/* Each second one: sshd takes ten at a time that do not log in. */
	for (size_t i = (planned + 1) % 2; i < planned; i += 2, count++) {
		idlers[count].survey = survey;
		idlers[count].way = *way;
		idlers[count].idle_ms = steps[i];
		idlers[count].runs = pthread_create(&idlers[count].thread, NULL,
					 let_idle, &idlers[count]) == 0;
	}
	for (size_t i = 0; i < count; i++)
		if (idlers[i].runs)
			pthread_join(idlers[i].thread, NULL);
	judge(survey, idlers, count);
	free(idlers);
}
