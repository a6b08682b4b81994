#include "pipe_private.h"

#include "monitor_approval.h"
#include "pubkey.h"
#include "str.h"
#include "wire.h"

#include <stdlib.h>

/*
 * Commands that need two people, as a connection sees it: what it asks the
 * parent, and what the parent says.  The access keeps the publish, the parent
 * decides, and here stands what is known of it in between.
 */

enum {
	/* Messages to the parent that nobody answers: so many at once, and one
	 * more in each interval. */
	NOTICES = 20,
	NOTICE_EACH_MS = 100,
};

struct pipe_hold {
	struct pipe_hold *next;
	struct stops_node stop;
	const struct snapshot_policy *policy; /* that it was judged by */
	uint64_t until_ms; /* once it may go */
	uint32_t number;
	uint8_t topic[];
};

/* ---- to the parent ---- */

static void
send_number(
    struct pipe *pipe, enum monitor_op op, int32_t value, uint32_t number)
{
	uint8_t payload[4];

	wire_poke_u32(payload, number);
	monitor_send(&pipe->worker->monitor, op, value, pipe->ticket,
	    span_of(payload, sizeof payload), -1);
}

/* Text that a person can be shown as it is. */
static bool
is_text(struct span bytes)
{
	while (bytes.len > 0) {
		size_t len = str_utf8_len(bytes);

		if (len == 0 || bytes.data[0] < 0x20 || bytes.data[0] == 0x7f)
			return false;
		bytes = span_of(bytes.data + len, bytes.len - len);
	}
	return true;
}

/* False where it cannot be asked. */
static bool
send_question(struct pipe *pipe, enum monitor_op op, int32_t value,
    struct monitor_question *question)
{
	struct buf payload;
	bool done;

	memcpy(question->policy, pipe->policy->digest, sizeof question->policy);
	question->identity = span_of_str(pipe->session->who.identity);
	question->role = access_role(pipe->access);
	buf_init(&payload, MONITOR_PAYLOAD_MAX);
	monitor_question_put(question, &payload);
	done = !payload.failed;
	if (done)
		monitor_send(&pipe->worker->monitor, op, value, pipe->ticket,
		    buf_span(&payload), -1);
	buf_fini(&payload);
	/* Something of this connection's may stand in the parent's tables. */
	pipe->has_asked = pipe->has_asked || done;
	return done;
}

static bool
may_notify(struct pipe *pipe)
{
	uint64_t now = worker_now_ms(pipe->worker);

	if (now - pipe->notices_from_ms > NOTICES * NOTICE_EACH_MS)
		pipe->notices_from_ms = now - NOTICES * NOTICE_EACH_MS;
	if (now - pipe->notices_from_ms < NOTICE_EACH_MS)
		return false;
	pipe->notices_from_ms += NOTICE_EACH_MS;
	return true;
}

/* ---- asking ---- */

static bool
keep(struct pipe *pipe, const struct access_question *question)
{
	struct pipe_hold *hold = malloc(sizeof *hold + question->topic.len);

	if (hold == NULL)
		return false;
	*hold = (struct pipe_hold){.next = pipe->holds,
	    .policy = pipe->policy,
	    .number = question->number};
	memcpy(hold->topic, question->topic.data, question->topic.len);
	hold->stop.topic = span_of(hold->topic, question->topic.len);
	stops_enter(pipe->worker->team->stops, &hold->stop);
	pipe->holds = hold;
	return true;
}

static struct pipe_hold **
find(struct pipe *pipe, uint32_t number)
{
	struct pipe_hold **link = &pipe->holds;

	while (*link != NULL && (*link)->number != number)
		link = &(*link)->next;
	return link;
}

static void
drop(struct pipe *pipe, struct pipe_hold **link)
{
	struct pipe_hold *hold = *link;

	if (hold == NULL)
		return;
	*link = hold->next;
	stops_leave(pipe->worker->team->stops, &hold->stop);
	free(hold);
}

bool
pipe_approval_ask(void *arg, const struct access_question *question)
{
	struct pipe *pipe = arg;
	struct monitor_question sent = {.number = question->number,
	    .qos = question->qos,
	    .within_ms = question->within_ms,
	    .bytes = question->payload.len,
	    .topic = question->topic};

	pubkey_digest(question->payload, sent.digest);
	sent.is_text = question->payload.len <= APPROVAL_TEXT_MAX &&
		       is_text(question->payload);
	if (sent.is_text)
		sent.text = question->payload;
	if (question->rule != NULL) {
		sent.rule = span_of_str(question->rule->name);
		/* Before it is asked for: a stop may come at any time. */
		if (!keep(pipe, question))
			return false;
	}
	if (send_question(
		pipe, MONITOR_QUESTION, (int32_t)question->asking, &sent))
		return true;
	drop(pipe, find(pipe, question->number));
	return false;
}

/* ---- what may go ---- */

static enum approval_state
look_again(struct pipe *pipe, const struct pipe_hold *hold)
{
	if (hold->policy != pipe->policy)
		return APPROVAL_REVOKED;
	if (worker_now_ms(pipe->worker) >= hold->until_ms)
		return APPROVAL_EXPIRED;
	if (stops_is_stopped(pipe->worker->team->stops, &hold->stop))
		return APPROVAL_SUPERSEDED;
	return APPROVAL_RELEASED;
}

/* In our own queue it could lie for longer than its time. */
bool
pipe_approval_is_due(void *arg, uint32_t number)
{
	struct pipe *pipe = arg;
	const struct pipe_hold *hold = *find(pipe, number);

	return buf_len(&pipe->to_broker) == 0 || hold == NULL ||
	       look_again(pipe, hold) != APPROVAL_RELEASED;
}

/* About to go out: told to the parent, whichever it is. */
enum approval_cause
pipe_approval_let_go(void *arg, uint32_t number)
{
	struct pipe *pipe = arg;
	struct pipe_hold **link = find(pipe, number);
	enum approval_state state =
	    *link == NULL ? APPROVAL_LOST : look_again(pipe, *link);

	drop(pipe, link);
	send_number(pipe, MONITOR_REPORT, (int32_t)state, number);
	return approval_cause_of(state);
}

void
pipe_approval_lost(void *arg, uint32_t number)
{
	struct pipe *pipe = arg;

	drop(pipe, find(pipe, number));
	send_number(pipe, MONITOR_REPORT, APPROVAL_LOST, number);
}

void
pipe_approval_leave(struct pipe *pipe)
{
	while (pipe->holds != NULL)
		drop(pipe, &pipe->holds);
	if (pipe->has_asked)
		monitor_send(&pipe->worker->monitor, MONITOR_GONE, 0,
		    pipe->ticket, span_of(NULL, 0), -1);
	pipe->has_asked = false;
	if (pipe->hears_link == NULL)
		return;
	*pipe->hears_link = pipe->hears_next;
	if (pipe->hears_next != NULL)
		pipe->hears_next->hears_link = pipe->hears_link;
	pipe->hears_link = NULL;
}

/* ---- what the parent has to know ---- */

void
pipe_approval_stopped(void *arg, struct span topic)
{
	struct pipe *pipe = arg;
	const struct settings *settings =
	    &pipe->worker->snapshot->setup->settings;
	/* Other gateways may hold something that it overtakes. */
	bool is_to_be_told =
	    settings->gateway.peer_count > 0 && may_notify(pipe);

	/* Those that it overtakes are told of by whoever holds them. */
	if ((stops_hit(pipe->worker->team->stops, topic) > 0 ||
		is_to_be_told) &&
	    topic.len <= MONITOR_PAYLOAD_MAX)
		monitor_send(&pipe->worker->monitor, MONITOR_STOPPED, 0,
		    pipe->ticket, topic, -1);
}

/* Where it floods a permit is not given, but always taken back. */
void
pipe_approval_permit(
    void *arg, const struct policy_approval *rule, enum access_permit permit)
{
	struct pipe *pipe = arg;
	struct monitor_question sent = {.rule = span_of_str(rule->name)};

	if (permit == ACCESS_PERMIT_GIVEN && !may_notify(pipe))
		return;
	(void)send_question(pipe, MONITOR_PERMIT, (int32_t)permit, &sent);
}

void
pipe_approval_refused(struct pipe *pipe, const struct access_refusal *refusal)
{
	struct monitor_question sent = {
	    .qos = refusal->qos, .topic = refusal->topic};
	enum approval_cause cause = refusal->cause;

	if (refusal->verdict == POLICY_PROTECTED_FROM)
		cause = APPROVAL_NO_ACCESS;
	else if (refusal->verdict == POLICY_PROTECTED_RETAIN)
		cause = APPROVAL_INCONSISTENT;
	if (cause == APPROVAL_NONE || refusal->why == NULL ||
	    refusal->why->approval == NULL || !may_notify(pipe))
		return;
	sent.rule = span_of_str(refusal->why->approval->name);
	if (sent.topic.len > APPROVAL_TOPIC_MAX)
		sent.topic.len = APPROVAL_TOPIC_MAX;
	(void)send_question(pipe, MONITOR_NOT_HELD, (int32_t)cause, &sent);
}

/* ---- what the parent says ---- */

/* Write out what came of it. */
static void
settle(struct pipe *pipe)
{
	struct session *session = pipe->session;

	if (!pipe_access_settle(pipe)) {
		pipe_end(pipe);
		return;
	}
	pipe_flush(pipe);
	session_flush(session);
}

/* What may go and has not gone out in its time is kept back, and that is told.
 */
static void
look_at_holds(struct pipe *pipe, uint64_t now_ms)
{
	bool is_over = false;

	for (const struct pipe_hold *hold = pipe->holds; hold != NULL;
	     hold = hold->next) {
		if (hold->until_ms == 0)
			continue; /* nobody has agreed */
		if (now_ms < hold->until_ms)
			session_look_at(pipe->session, hold->until_ms);
		else
			is_over = true;
	}
	if (is_over)
		settle(pipe);
}

void
pipes_on_deadline(struct session *session, uint64_t now_ms)
{
	for (struct pipe *pipe = session->pipes, *next; pipe != NULL;
	     pipe = next) {
		next = pipe->next;
		look_at_holds(pipe, now_ms);
	}
}

void
pipe_on_decided(struct pipe *pipe, int32_t decision, struct span payload)
{
	struct monitor_decided decided;
	struct pipe_hold **link;

	if (pipe->state != PIPE_OPEN || pipe->access == NULL ||
	    !monitor_decided_take(payload, &decided))
		return;
	link = find(pipe, decided.number);
	if (decision == MONITOR_LET_GO) {
		if (*link != NULL)
			(*link)->until_ms = decided.until_ms;
		access_let_go(pipe->access, decided.number);
		session_look_at(pipe->session, decided.until_ms);
	} else {
		const struct access_answer answer = {
		    decided.code, decided.text};

		drop(pipe, link);
		if (access_answer(pipe->access, decided.number, &answer) !=
		    ACCESS_DONE) {
			pipe->why = "no memory";
			pipe_end(pipe);
			return;
		}
	}
	settle(pipe);
}

/* ---- the gateway's own topics ---- */

void
pipe_approval_listen(struct pipe *pipe)
{
	struct worker *worker = pipe->worker;

	if (pipe->hears_link != NULL || !access_hears(pipe->access))
		return;
	pipe->hears_next = worker->hearers;
	pipe->hears_link = &worker->hearers;
	if (pipe->hears_next != NULL)
		pipe->hears_next->hears_link = &pipe->hears_next;
	worker->hearers = pipe;
}

/* One that leaves most of it unread is told nothing more. */
static bool
can_hear(const struct pipe *pipe)
{
	return pipe->state == PIPE_OPEN && pipe->access != NULL &&
	       pipe->session != NULL &&
	       buf_len(&pipe->to_client) < PIPE_BACKLOG_MAX;
}

void
pipes_on_told(struct worker *worker, int32_t what, struct span payload)
{
	struct monitor_told told;

	if (!monitor_told_take(payload, &told) || what < 0 ||
	    what >= ACCESS_OWN_COUNT)
		return;
	for (struct pipe *pipe = worker->hearers, *next; pipe != NULL;
	     pipe = next) {
		next = pipe->hears_next;
		if (!can_hear(pipe) ||
		    (told.identity.len > 0 &&
			!span_is(told.identity, pipe->session->who.identity)))
			continue;
		access_tell(
		    pipe->access, (enum access_own)what, told.rule, told.json);
		settle(pipe);
	}
}
