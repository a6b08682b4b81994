#include "monitor_approval.h"

#include "wire.h"

void
monitor_question_put(const struct monitor_question *q, struct buf *out)
{
	wire_put_u32(out, q->number);
	wire_put_u8(out, q->qos);
	wire_put_bytes(out, span_of(q->policy, sizeof q->policy));
	wire_put_u64(out, q->within_ms);
	wire_put_u64(out, q->bytes);
	wire_put_bytes(out, span_of(q->digest, sizeof q->digest));
	wire_put_string32(out, q->identity);
	wire_put_string32(out, q->role);
	wire_put_string32(out, q->rule);
	wire_put_string32(out, q->topic);
	wire_put_u8(out, q->is_text);
	wire_put_string32(out, q->text);
}

bool
monitor_question_take(struct span in, struct monitor_question *q)
{
	struct span digest, policy;
	uint8_t is_text;

	if (!wire_take_u32(&in, &q->number) || !wire_take_u8(&in, &q->qos) ||
	    !wire_take_bytes(&in, sizeof q->policy, &policy) ||
	    !wire_take_u64(&in, &q->within_ms) ||
	    !wire_take_u64(&in, &q->bytes) ||
	    !wire_take_bytes(&in, sizeof q->digest, &digest) ||
	    !wire_take_string32(&in, &q->identity) ||
	    !wire_take_string32(&in, &q->role) ||
	    !wire_take_string32(&in, &q->rule) ||
	    !wire_take_string32(&in, &q->topic) ||
	    !wire_take_u8(&in, &is_text) || !wire_take_string32(&in, &q->text))
		return false;
	memcpy(q->policy, policy.data, sizeof q->policy);
	memcpy(q->digest, digest.data, sizeof q->digest);
	q->is_text = is_text != 0;
	return in.len == 0 && q->qos <= 2;
}

void
monitor_decided_put(const struct monitor_decided *d, struct buf *out)
{
	wire_put_u32(out, d->number);
	wire_put_u8(out, d->code);
	wire_put_u64(out, d->until_ms);
	wire_put_string32(out, d->text);
}

bool
monitor_decided_take(struct span in, struct monitor_decided *d)
{
	return wire_take_u32(&in, &d->number) && wire_take_u8(&in, &d->code) &&
	       wire_take_u64(&in, &d->until_ms) &&
	       wire_take_string32(&in, &d->text) && in.len == 0;
}

void
monitor_told_put(const struct monitor_told *t, struct buf *out)
{
	wire_put_string32(out, t->identity);
	wire_put_string32(out, t->rule);
	wire_put_string32(out, t->json);
}

bool
monitor_told_take(struct span in, struct monitor_told *t)
{
	return wire_take_string32(&in, &t->identity) &&
	       wire_take_string32(&in, &t->rule) &&
	       wire_take_string32(&in, &t->json) && in.len == 0;
}
