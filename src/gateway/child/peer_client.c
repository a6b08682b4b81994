#include "peer_client.h"

#include "clock.h"
#include "log.h"
#include "mqtt_encode.h"
#include "mqtt_packet.h"
#include "mqtt_request.h"
#include "mqtt_walk.h"
#include "stream.h"
#include "wire.h"

#include <stdlib.h>
#include <unistd.h>

enum {
	CONNECT_MS = 60000, /* for the parent: it has deadlines of its own */
	ANSWER_MS = 10000, /* for CONNACK and SUBACK */
	PING_MS = 10000, /* between two signs of life that we ask for */
	SILENCE_MS = 3 * PING_MS, /* then the broker is taken for dead */
	KEEP_ALIVE_S = 30, /* for the broker to take us for dead */
	RETRY_MS = 500, /* doubled each time */
	RETRY_MAX_MS = 10000,
	READ_BYTES = 64 * 1024,
	READS_A_TURN = 4,
	SUBSCRIBE_ID = 1
};

/* state, may become, deadline in ms (0: none of its own) */
#define STATES(X)                                                              \
	X(OFF, BIT(WAITING) | BIT(ASKED), 0)                                   \
	X(WAITING, BIT(OFF) | BIT(ASKED), 0) /* for the next try */            \
	X(ASKED, BIT(OFF) | BIT(WAITING) | BIT(CONNECTING), CONNECT_MS)        \
	X(CONNECTING, BIT(OFF) | BIT(WAITING) | BIT(SUBSCRIBING), ANSWER_MS)   \
	X(SUBSCRIBING, BIT(OFF) | BIT(WAITING) | BIT(OPEN), ANSWER_MS)         \
	X(OPEN, BIT(OFF) | BIT(WAITING), PING_MS)

#define BIT(state) (1u << (state))

enum state {
#define X(state, next, deadline_ms) state,
	STATES(X)
#undef X
};

static const struct {
	unsigned next;
	uint64_t deadline_ms;
} states[] = {
#define X(state, next, deadline_ms) [state] = {next, deadline_ms},
    STATES(X)
#undef X
};

struct peer_client {
	struct worker *worker;
	enum state state;
	struct loop_timer *timer; /* the state's deadline */
	uint64_t ticket;
	uint32_t wanted; /* brokers, a bit each */
	struct buf start_bytes; /* what the parent said, and */
	struct monitor_peers_start start; /* into it */
	int fd; /* -1: none */
	struct loop_watch watch;
	struct mqtt_walk from_client, from_broker;
	struct buf out;
	uint16_t packet_id;
	uint64_t heard_ms, retry_ms;
	uint64_t allowed, allowed_ms; /* the bucket of PEER_CLIENT_RATE */
	uint64_t dropped;
};

/* ---- what the parent says at the start ---- */

/* ---- states ---- */

static void
set_state(struct peer_client *client, enum state next)
{
	if ((states[client->state].next & BIT(next)) == 0)
		abort();
	client->state = next;
	loop_timer_stop(client->timer);
	if (states[next].deadline_ms != 0)
		loop_timer_start(client->timer, states[next].deadline_ms);
}

static void
tell_parent(struct peer_client *client, int32_t is_open, const char *why)
{
	monitor_send(&client->worker->monitor, MONITOR_PEERS_STATE, is_open, 0,
	    span_of_str(why), -1);
}

/* Let go of the broker, whatever the state was. */
static void
disconnect(struct peer_client *client)
{
	if (client->ticket != 0)
		slots_remove(&client->worker->tickets, client->ticket);
	client->ticket = 0;
	if (client->fd < 0)
		return;
	loop_watch_stop(&client->watch);
	close(client->fd);
	client->fd = -1;
	mqtt_walk_fini(&client->from_client);
	mqtt_walk_fini(&client->from_broker);
	buf_fini_wipe(&client->out);
}

static void
fail(struct peer_client *client, const char *why)
{
	bool was_open = client->state == OPEN;

	disconnect(client);
	set_state(client, WAITING);
	tell_parent(client, 0, why);
	client->retry_ms =
	    was_open || client->retry_ms == 0 ? RETRY_MS : client->retry_ms * 2;
	if (client->retry_ms > RETRY_MAX_MS)
		client->retry_ms = RETRY_MAX_MS;
	loop_timer_start(client->timer, client->retry_ms);
}

static void
ask(struct peer_client *client)
{
	uint8_t generation[8];

	client->ticket = slots_add(&client->worker->tickets, client);
	if (client->ticket == 0) {
		if (client->state == OFF)
			set_state(client, WAITING);
		fail(client, "no memory");
		return;
	}
	set_state(client, ASKED);
	/* Where brokers are counted otherwise we are told so by a new start. */
	wire_poke_u64(generation, client->worker->snapshot->generation);
	monitor_send(&client->worker->monitor, MONITOR_CONNECT,
	    (int32_t)client->wanted, client->ticket,
	    span_of(generation, sizeof generation), -1);
}

/* ---- writing ---- */

/* False: the connection is gone. */
static bool
flush(struct peer_client *client)
{
	enum stream_result result = STREAM_OK;

	if (client->out.failed) {
		fail(client, "the broker does not take what is said to it");
		return false;
	}
	if (buf_len(&client->out) > 0)
		result = stream_write(client->fd, &client->out);
	if (result != STREAM_OK && result != STREAM_AGAIN) {
		fail(client, "the broker has closed the connection");
		return false;
	}
	loop_watch_want(&client->watch, buf_len(&client->out) > 0
					    ? LOOP_READABLE | LOOP_WRITABLE
					    : LOOP_READABLE);
	return true;
}

static void
say(struct peer_client *client, struct span payload)
{
	struct span topic;

	/* Nothing is kept: it is said again, or its asker is told. */
	if (client->state != OPEN || !wire_take_string16(&payload, &topic))
		return;
	if (++client->packet_id <= SUBSCRIBE_ID)
		client->packet_id = SUBSCRIBE_ID + 1;
	mqtt_put_publish(
	    MQTT_311, client->packet_id, topic, payload, &client->out);
	(void)flush(client);
}

/* ---- reading ---- */

/* Whether the parent may be given one more now. */
static bool
may_pass(struct peer_client *client)
{
	uint64_t now = clock_monotonic_ms();
	uint64_t more = (now - client->allowed_ms) * PEER_CLIENT_RATE / 1000;

	if (more > 0) {
		client->allowed += more;
		client->allowed_ms = now;
	}
	if (client->allowed > PEER_CLIENT_RATE)
		client->allowed = PEER_CLIENT_RATE;
	if (client->allowed == 0) {
		client->dropped++;
		return false;
	}
	client->allowed--;
	if (client->dropped > 0)
		log_event(LOG_LEVEL_WARN, "peers", "flood",
		    "%ju messages on " PEER_TOPIC "# were dropped: let no "
		    "other clients of the broker publish there",
		    (uintmax_t)client->dropped);
	client->dropped = 0;
	return true;
}

static void
on_publish(struct peer_client *client, const struct mqtt_walk_item *item)
{
	const struct mqtt_publish *publish = &item->publish;
	const struct mqtt_answer puback = {.type = MQTT_PUBACK,
	    .level = MQTT_311,
	    .packet_id = publish->packet_id};
	struct span payload =
	    span_of(item->bytes.data + publish->head_len, publish->payload_len);

	if (publish->qos == 1)
		(void)mqtt_encode_answer(&puback, &client->out);
	if (payload.len <= PEER_MESSAGE_MAX && may_pass(client))
		monitor_send(&client->worker->monitor, MONITOR_PEERS_HEARD, 0,
		    0, payload, -1);
}

/* Why it cannot go on, or NULL. */
static const char *
on_connack(struct peer_client *client, struct span body)
{
	const struct mqtt_sender from = {MQTT_FROM_BROKER, MQTT_311};
	struct mqtt_connack connack;

	if (client->state != CONNECTING ||
	    mqtt_connack_decode(body, from, &connack) != MQTT_RULE_NONE)
		return "the broker does not speak as MQTT has it";
	if (connack.code != 0)
		return "the broker does not let the gateway in by the name "
		       "and password that it has";
	mqtt_put_subscribe(
	    MQTT_311, SUBSCRIBE_ID, client->start.topic, 1, &client->out);
	set_state(client, SUBSCRIBING);
	return NULL;
}

static const char *
on_suback(struct peer_client *client, struct span body)
{
	const struct mqtt_sender from = {MQTT_FROM_BROKER, MQTT_311};
	struct mqtt_suback suback;

	if (client->state != SUBSCRIBING ||
	    mqtt_suback_decode(MQTT_SUBACK, body, from, &suback) !=
		MQTT_RULE_NONE ||
	    suback.codes.len != 1)
		return "the broker does not speak as MQTT has it";
	if (suback.codes.data[0] > 2)
		return "the broker does not let the gateway subscribe "
		       "to " PEER_TOPIC "#";
	set_state(client, OPEN);
	client->retry_ms = 0;
	tell_parent(client, 1, "");
	return NULL;
}

static const char *
on_packet(struct peer_client *client, const struct mqtt_walk_item *item)
{
	struct span body = mqtt_frame_body(&item->frame, item->bytes);

	if (item->frame.type == MQTT_CONNACK)
		return on_connack(client, body);
	if (item->frame.type == MQTT_SUBACK)
		return on_suback(client, body);
	if (item->frame.type == MQTT_PUBLISH && client->state == OPEN)
		on_publish(client, item);
	return NULL;
}

/* False: the connection is gone. */
static bool
walk(struct peer_client *client, struct span in)
{
	struct mqtt_walk_item item;
	const char *why = NULL;

	while (why == NULL)
		switch (mqtt_walk_next(&client->from_broker, &in, &item)) {
		case MQTT_WALK_NEED_MORE:
			return true;
		case MQTT_WALK_FORWARD:
			break; /* PUBACK, PINGRESP, what was skipped */
		case MQTT_WALK_PACKET:
			why = on_packet(client, &item);
			break;
		case MQTT_WALK_HEAD:
			/* Too large to be a gateway's. */
			mqtt_walk_skip(&client->from_broker);
			break;
		case MQTT_WALK_MALFORMED:
			why = "the broker does not speak as MQTT has it";
			break;
		case MQTT_WALK_NO_MEMORY:
			why = "no memory";
			break;
		}
	fail(client, why);
	return false;
}

static void
on_ready(void *arg, unsigned ready)
{
	struct peer_client *client = arg;
	uint8_t *bytes = client->worker->scratch;

	for (int i = 0; (ready & LOOP_READABLE) != 0 && i < READS_A_TURN; i++) {
		size_t len;
		enum stream_result result =
		    stream_read(client->fd, bytes, READ_BYTES, &len);

		if (result == STREAM_AGAIN)
			break;
		if (result != STREAM_OK) {
			fail(client, "the broker has closed the connection");
			return;
		}
		client->heard_ms = clock_monotonic_ms();
		if (!walk(client, span_of(bytes, len)))
			return;
	}
	(void)flush(client);
}

/* ---- connecting ---- */

/* Our own CONNECT through a walk, from which the broker's one learns. */
static bool
put_connect(struct peer_client *client)
{
	const struct monitor_peers_start *start = &client->start;
	const struct mqtt_request_connect connect = {.level = MQTT_311,
	    .keep_alive_s = KEEP_ALIVE_S,
	    .client_id = start->client_id,
	    .user = start->user.len > 0 ? start->user : span_of(NULL, 0),
	    .password =
		start->password.len > 0 ? start->password : span_of(NULL, 0)};
	struct mqtt_walk_item item;
	struct span in;

	mqtt_put_connect(&connect, &client->out);
	if (client->out.failed)
		return false;
	in = buf_span(&client->out);
	if (mqtt_walk_next(&client->from_client, &in, &item) !=
	    MQTT_WALK_PACKET)
		return false;
	mqtt_walk_learn(&client->from_broker, &client->from_client);
	return true;
}

static void
on_connected(struct peer_client *client, int fd, struct span why)
{
	struct span before = client->start.before;
	struct iovec part = {(void *)before.data, before.len};
	size_t len;
	char text[256];

	slots_remove(&client->worker->tickets, client->ticket);
	client->ticket = 0;
	if (fd < 0) {
		(void)span_to_str(why, text, sizeof text);
		fail(client, text[0] == '\0' ? "no broker" : text);
		return;
	}
	client->fd = fd;
	client->heard_ms = clock_monotonic_ms();
	mqtt_walk_init(
	    &client->from_client, MQTT_FROM_CLIENT, &mqtt_limits_default);
	mqtt_walk_init(
	    &client->from_broker, MQTT_FROM_BROKER, &mqtt_limits_default);
	mqtt_walk_set_mask(&client->from_broker, MQTT_MASK(MQTT_CONNACK) |
						     MQTT_MASK(MQTT_SUBACK) |
						     MQTT_MASK(MQTT_PUBLISH));
	buf_init_secret(&client->out, PEER_CLIENT_OUT_MAX);
	loop_watch_start(client->worker->loop, &client->watch, fd,
	    LOOP_READABLE, on_ready, client);
	set_state(client, CONNECTING);
	/* In one write, as brokers want it; the socket is empty. */
	if ((before.len > 0 &&
		(stream_write_parts(fd, &part, 1, &len) != STREAM_OK ||
		    len != before.len)) ||
	    !put_connect(client))
		fail(client, "the broker cannot be written to");
	else
		(void)flush(client);
}

static void
start(struct peer_client *client, const struct monitor_message *message)
{
	disconnect(client);
	if (client->state != OFF)
		set_state(client, OFF);
	buf_fini_wipe(&client->start_bytes);
	buf_init_secret(&client->start_bytes, MONITOR_PAYLOAD_MAX);
	client->wanted = (uint32_t)message->value;
	client->retry_ms = 0;
	if (client->wanted == 0 ||
	    !buf_append(&client->start_bytes, message->payload, message->len) ||
	    !monitor_peers_start_take(
		buf_span(&client->start_bytes), &client->start))
		return;
	ask(client);
}

static void
on_time(void *arg)
{
	struct peer_client *client = arg;

	if (client->state == WAITING) {
		ask(client);
	} else if (client->state == OPEN) {
		if (clock_monotonic_ms() - client->heard_ms >= SILENCE_MS) {
			fail(client, "the broker is silent");
			return;
		}
		mqtt_put_pingreq(&client->out);
		if (flush(client))
			loop_timer_start(client->timer, PING_MS);
	} else if (client->state != OFF) {
		fail(client, "the broker does not answer in time");
	}
}

/* ---- life ---- */

struct peer_client *
peer_client_new(struct worker *worker)
{
	struct peer_client *client = calloc(1, sizeof *client);

	if (client == NULL)
		return NULL;
	client->worker = worker;
	client->fd = -1;
	client->timer = loop_timer_new(worker->loop, on_time, client);
	if (client->timer == NULL) {
		free(client);
		return NULL;
	}
	return client;
}

void
peer_client_free(struct peer_client *client)
{
	if (client == NULL)
		return;
	disconnect(client);
	loop_timer_free(client->timer);
	buf_fini_wipe(&client->start_bytes);
	free(client);
}

bool
peer_client_on_monitor(
    struct peer_client *client, const struct monitor_message *message, int fd)
{
	struct span payload = span_of(message->payload, message->len);

	if (message->op == MONITOR_PEERS_START)
		start(client, message);
	else if (message->op == MONITOR_PEERS_SAY)
		say(client, payload);
	else if (message->op == MONITOR_CONNECTED && client->ticket != 0 &&
		 message->ticket == client->ticket)
		on_connected(client, fd, payload);
	else
		return false;
	return true;
}
