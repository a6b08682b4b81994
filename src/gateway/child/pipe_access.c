#include "pipe_private.h"

#include "mqtt_reason.h"
#include "policy_explain.h"

enum { REFUSALS_EACH_MS = 1000, RULE_TEXT = 256 };

/* By a key's line; or, since authorities name whom they like, by being in. */
static bool
has_identity(const void *arg, struct span name)
{
	const struct worker *worker = arg;
	const struct keyring *ring = worker->snapshot->ring;

	return keyring_has_identity(ring, name) ||
	       (keyring_stats(ring).authorities > 0 &&
		   session_certificate_has(worker->team->names, name));
}

static struct policy_identities
identities_of(const struct pipe *pipe)
{
	return (struct policy_identities){
	    .has = has_identity, .arg = pipe->worker};
}

/* ---- what the log says of it ---- */

static const char *const actions[] = {
    [POLICY_PUBLISH] = "publish",
    [POLICY_SUBSCRIBE] = "subscribe",
    [POLICY_DELIVER] = "deliver",
};

static void
tell_verdict(struct pipe *pipe, enum witness_kind kind, enum log_level level,
    const char *event, const struct access_refusal *refusal)
{
	struct witness witness;
	char rule[RULE_TEXT];

	if (pipe->session == NULL)
		return;
	session_witness(&witness, kind, level, &pipe->session->who, event);
	witness_u64(&witness, "channel", pipe->channel);
	witness_str(&witness, "action", actions[refusal->action]);
	witness_span(&witness, "topic", refusal->topic);
	witness_u64(&witness, "qos", refusal->qos);
	witness_str(&witness, "why",
	    refusal->cause != APPROVAL_NONE
		? approval_cause_text(refusal->cause)
	    : refusal->verdict == POLICY_ALLOWED
		? "the role permits fewer messages"
		: policy_verdict_text(refusal->verdict));
	if (refusal->why != NULL) {
		witness_u64(&witness, "line", refusal->why->line);
		witness_str(&witness, "rule",
		    policy_rule_text(refusal->why, rule, sizeof rule));
	}
	if (pipe->refusals_untold > 0)
		witness_u64(&witness, "more_before", pipe->refusals_untold);
	witness_send(&witness, &pipe->worker->monitor);
	pipe->refusals_untold = 0;
}

/* What does not come through is not told as if it had. */
static void
note_refusal(struct pipe *pipe, const struct access_refusal *refusal)
{
	switch (refusal->action) {
	case POLICY_PUBLISH:
		pipe->facts.refused++;
		break;
	case POLICY_SUBSCRIBE:
		pipe_facts_forget_filter(&pipe->facts, refusal->topic);
		break;
	case POLICY_DELIVER:
		pipe->facts.messages_out--;
		break;
	}
}

/* A device that goes on trying does not fill the log. */
static void
on_refused(void *arg, const struct access_refusal *refusal)
{
	struct pipe *pipe = arg;
	/* Of a clock that goes round in seven weeks. */
	uint32_t now = (uint32_t)worker_now_ms(pipe->worker) | 1;
	uint32_t *told = &pipe->refusal_told_ms[refusal->action];

	note_refusal(pipe, refusal);

	pipe_approval_refused(pipe, refusal);
	if (*told != 0 && now - *told < REFUSALS_EACH_MS) {
		pipe->refusals_untold++;
		return;
	}
	*told = now;
	tell_verdict(
	    pipe, WITNESS_REFUSE_ACCESS, LOG_LEVEL_INFO, "refuse", refusal);
}

/* ---- how often ---- */

/* All connections of the identity count together. */
static bool
on_count(void *arg, enum access_use use, const struct policy_who *who,
    uint64_t now_ms)
{
	struct pipe *pipe = arg;
	struct quota *quota = session_quota(pipe->session);

	if (quota == NULL)
		return false; /* no memory */
	return use == ACCESS_USES_MESSAGE
		   ? quotas_take_message(quota, who, now_ms)
		   : quotas_take_question(quota, now_ms);
}

/* ---- packets ---- */

static bool
to_broker(void *arg, struct span bytes)
{
	return pipe_send_to_broker(arg, bytes);
}

static bool
to_client(void *arg, struct span bytes)
{
	return pipe_send_to_client(arg, bytes);
}

static void
set_masks(struct pipe *pipe)
{
	mqtt_walk_set_mask(&pipe->from_client,
	    access_client_mask(pipe->access) | MQTT_MASK(MQTT_UNSUBSCRIBE));
	mqtt_walk_set_mask(
	    &pipe->from_broker, access_broker_mask(pipe->access));
}

/* Without a policy, that alone is judged. */
static uint8_t
judge_client_id(struct pipe *pipe, struct span client_id, const char **text)
{
	const struct policy_identities identities = identities_of(pipe);
	struct span owner =
	    policy_client_id_owner(NULL, client_id, &identities);

	if (owner.len == 0 || span_is(owner, pipe->session->who.identity))
		return 0;
	*text = access_not_your_client_id;
	return MQTT_CLIENT_ID_NOT_VALID;
}

static const struct access_events access_events = {
    .to_broker = to_broker,
    .to_client = to_client,
    .refused = on_refused,
    .count = on_count,
    .ask = pipe_approval_ask,
    .is_due = pipe_approval_is_due,
    .let_go = pipe_approval_let_go,
    .lost = pipe_approval_lost,
    .stopped = pipe_approval_stopped,
    .permit = pipe_approval_permit,
};

uint8_t
pipe_access_begin(
    struct pipe *pipe, const struct mqtt_connect *connect, const char **text)
{
	struct session *session = pipe->session;
	struct snapshot *snapshot = pipe->worker->snapshot;
	const struct policy_identities identities = identities_of(pipe);
	struct access_options options;
	uint8_t code;

	if (snapshot->policy == NULL)
		return judge_client_id(pipe, connect->client_id, text);
	pipe->policy = snapshot_policy_ref(snapshot->policy);
	options = (struct access_options){
	    .policy = pipe->policy->policy,
	    .identity = span_of_str(session->who.identity),
	    .role = span_of_str(keyring_role(snapshot->ring, session->entry)),
	    .events = &access_events,
	    .arg = pipe,
	};
	pipe->access = access_new(&options);
	if (pipe->access == NULL) {
		*text = "the gateway has no memory left";
		return MQTT_SERVER_UNAVAILABLE;
	}
	code = access_connect(pipe->access, connect, &identities, text);
	set_masks(pipe);
	return code;
}

void
pipe_access_end(struct pipe *pipe)
{
	access_free(pipe->access);
	pipe->access = NULL;
	snapshot_policy_unref(pipe->policy);
	pipe->policy = NULL;
}

bool
pipe_access_packet(struct pipe *pipe, struct mqtt_walk *from,
    enum mqtt_walk_result result, const struct mqtt_walk_item *item)
{
	enum access_result done;

	uint32_t refused = pipe->facts.refused;

	if (from == &pipe->from_client)
		done = access_from_client(
		    pipe->access, result, item, worker_now_ms(pipe->worker));
	else
		done = access_from_broker(pipe->access, result, item);
	switch (done) {
	case ACCESS_SKIP:
		mqtt_walk_skip(from);
		__attribute__((fallthrough));
	case ACCESS_DONE:
		set_masks(pipe);
		if (from == &pipe->from_client &&
		    refused == pipe->facts.refused)
			pipe_facts_note_topic(&pipe->facts, item->topic);
		pipe_approval_listen(pipe);
		return true;
	case ACCESS_BAD_ALIAS:
		pipe->why = "a topic alias that stands for nothing";
		return false;
	case ACCESS_BAD_PACKET_ID:
		pipe->why = "a packet id that a held publish has";
		return false;
	case ACCESS_NO_MEMORY:
		break;
	}
	pipe->why = "no memory";
	return false;
}

bool
pipe_access_settle(struct pipe *pipe)
{
	if (pipe->access == NULL)
		return true;
	if (access_settle(
		pipe->access, &pipe->from_client, &pipe->from_broker)) {
		set_masks(pipe);
		return true;
	}
	pipe->why = "no memory";
	return false;
}

/* ---- another policy ---- */

static const char *
change(struct pipe *pipe)
{
	struct snapshot *snapshot = pipe->worker->snapshot;
	const struct policy_identities identities = identities_of(pipe);
	struct snapshot_policy *old = pipe->policy;
	const char *why;

	if (snapshot->policy == old)
		return NULL;
	if (snapshot->policy == NULL || old == NULL)
		return "who may say what is decided in another way now";
	if (!access_is_of_role(pipe->access,
		span_of_str(
		    keyring_role(snapshot->ring, pipe->session->entry))))
		return "the key has another role now";
	pipe->policy = snapshot_policy_ref(snapshot->policy);
	why = access_change(pipe->access, pipe->policy->policy, &identities);
	snapshot_policy_unref(old);
	return why;
}

void
pipes_on_snapshot(struct session *session)
{
	for (struct pipe *pipe = session->pipes, *next; pipe != NULL;
	     pipe = next) {
		const char *why;

		next = pipe->next;
		/* What has not sent its CONNECT yet is judged by that. */
		if (pipe->state != PIPE_OPEN || !pipe->has_connect)
			continue;
		why = change(pipe);
		if (why != NULL)
			pipe_dismiss(pipe, why);
	}
}
