#include "ssh_conn_private.h"

#include <assert.h>
#include <stdlib.h>

/* ---- the table of channels: an id is an index ---- */

/* NULL where there is none. */
static struct ssh_channel *
channel_of(const struct ssh_conn *conn, uint32_t id)
{
	if (id >= conn->channel_room ||
	    conn->channels[id].state == SSH_CHANNEL_FREE)
		return NULL;
	return &conn->channels[id];
}

struct ssh_channel *
ssh_channel_of_caller(const struct ssh_conn *conn, uint32_t id)
{
	struct ssh_channel *channel = channel_of(conn, id);

	assert(channel != NULL && channel->state != SSH_CHANNEL_CLOSED);
	return channel;
}

static bool
grow(struct ssh_conn *conn)
{
	uint32_t room = conn->channel_room == 0 ? 1 : 2 * conn->channel_room;
	struct ssh_channel *channels;

	if (room > conn->setup->max_channels)
		room = conn->setup->max_channels;
	channels = realloc(conn->channels, room * sizeof *channels);
	if (channels == NULL)
		return false;
	memset(channels + conn->channel_room, 0,
	    (room - conn->channel_room) * sizeof *channels);
	conn->channels = channels;
	conn->channel_room = room;
	return true;
}

/* A free id; false where memory fails.  The limit has been looked at. */
static bool
take_id(struct ssh_conn *conn, uint32_t *id)
{
	if (conn->channel_count == conn->channel_room && !grow(conn))
		return false;
	for (*id = 0; *id < conn->channel_room; ++*id)
		if (conn->channels[*id].state == SSH_CHANNEL_FREE)
			break;
	conn->channel_count++;
	return true;
}

static void
release(struct ssh_conn *conn, struct ssh_channel *channel)
{
	*channel = (struct ssh_channel){.state = SSH_CHANNEL_FREE};
	if (--conn->channel_count > 0)
		return;
	free(conn->channels);
	conn->channels = NULL;
	conn->channel_room = 0;
}

static void
send_simple(struct ssh_conn *conn, uint8_t number, uint32_t peer_id)
{
	struct buf *out = ssh_packet_begin(conn, number);

	wire_put_u32(out, peer_id);
	ssh_packet_end(conn, out);
}

/* ---- open ---- */

static const struct {
	const char *type;
	const char *text;
} refusals[] = {
    {"session", "kayad carries MQTT only: no shell, no command, no files "
		"(use ssh -N)"},
    {"direct-streamlocal@openssh.com",
	"kayad carries MQTT only: ask for a host and a port, not for a path"},
    {"x11", "kayad carries MQTT only: no X11"},
    {"auth-agent@openssh.com", "kayad carries MQTT only: no agent"},
    {"tun@openssh.com", "kayad carries MQTT only: no tun device"},
};

static void
send_refusal(struct ssh_conn *conn, uint32_t peer_id,
    enum ssh_open_failure reason, const char *text)
{
	struct buf *out = ssh_packet_begin(conn, SSH_MSG_CHANNEL_OPEN_FAILURE);

	wire_put_u32(out, peer_id);
	wire_put_u32(out, reason);
	wire_put_cstring32(out, text);
	wire_put_cstring32(out, "");
	ssh_packet_end(conn, out);
}

static void
refuse_type(struct ssh_conn *conn, uint32_t peer_id, struct span type)
{
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		if (span_is(type, refusals[i].type)) {
			send_refusal(conn, peer_id,
			    SSH_OPEN_ADMINISTRATIVELY_PROHIBITED,
			    refusals[i].text);
			return;
		}
	}
	send_refusal(conn, peer_id, SSH_OPEN_UNKNOWN_CHANNEL_TYPE,
	    "kayad carries MQTT only: direct-tcpip and no other channel");
}

/* What every CHANNEL_OPEN says (RFC 4254 section 5.1). */
struct opening {
	struct span type;
	uint32_t peer_id, window, max;
};

static void
open_direct(struct ssh_conn *conn, const struct opening *opening,
    struct ssh_event *event)
{
	struct ssh_channel *channel;
	uint32_t id;

	if (opening->max == 0) {
		send_refusal(conn, opening->peer_id,
		    SSH_OPEN_ADMINISTRATIVELY_PROHIBITED,
		    "no data fits into packets of 0 bytes");
		return;
	}
	if (conn->channel_count >= conn->setup->max_channels) {
		send_refusal(conn, opening->peer_id, SSH_OPEN_RESOURCE_SHORTAGE,
		    "this connection has as many channels as are allowed");
		return;
	}
	if (!take_id(conn, &id)) {
		send_refusal(conn, opening->peer_id, SSH_OPEN_RESOURCE_SHORTAGE,
		    "out of memory");
		return;
	}
	channel = &conn->channels[id];
	channel->state = SSH_CHANNEL_ASKED;
	channel->peer_id = opening->peer_id;
	channel->peer_max =
	    opening->max < SSH_DATA_MAX ? opening->max : SSH_DATA_MAX;
	channel->send_window = opening->window;
	channel->receive_window = conn->setup->window_bytes;
	event->kind = SSH_EVENT_OPEN;
	event->channel = id;
}

void
ssh_channel_on_open(struct ssh_conn *conn, const struct ssh_message *message,
    struct ssh_event *event)
{
	struct span body = message->body, host, originator;
	struct opening opening;
	uint32_t port, originator_port;

	if (!wire_take_string32(&body, &opening.type) ||
	    !wire_take_u32(&body, &opening.peer_id) ||
	    !wire_take_u32(&body, &opening.window) ||
	    !wire_take_u32(&body, &opening.max)) {
		ssh_message_malformed(conn, message);
		return;
	}
	if (!span_is(opening.type, "direct-tcpip")) {
		refuse_type(conn, opening.peer_id, opening.type);
		return;
	}
	if (!wire_take_string32(&body, &host) || !wire_take_u32(&body, &port) ||
	    !wire_take_string32(&body, &originator) ||
	    !wire_take_u32(&body, &originator_port) || body.len > 0) {
		ssh_message_malformed(conn, message);
		return;
	}
	open_direct(conn, &opening, event);
	event->open.host = host;
	event->open.port = port;
	event->open.originator = originator;
	event->open.originator_port = originator_port;
}

void
ssh_conn_open_confirm(struct ssh_conn *conn, uint32_t id)
{
	struct ssh_channel *channel = ssh_channel_of_caller(conn, id);
	struct buf *out;

	assert(channel->state == SSH_CHANNEL_ASKED);
	channel->state = SSH_CHANNEL_OPEN;
	out = ssh_packet_begin(conn, SSH_MSG_CHANNEL_OPEN_CONFIRMATION);
	wire_put_u32(out, channel->peer_id);
	wire_put_u32(out, id);
	wire_put_u32(out, channel->receive_window);
	wire_put_u32(out, SSH_DATA_MAX);
	ssh_packet_end(conn, out);
}

void
ssh_conn_open_refuse(struct ssh_conn *conn, uint32_t id,
    enum ssh_open_failure reason, const char *text)
{
	struct ssh_channel *channel = ssh_channel_of_caller(conn, id);

	assert(channel->state == SSH_CHANNEL_ASKED);
	send_refusal(conn, channel->peer_id, reason, text);
	release(conn, channel);
}

void
ssh_conn_set_channel_data(struct ssh_conn *conn, uint32_t id, void *data)
{
	ssh_channel_of_caller(conn, id)->data = data;
}

void *
ssh_conn_channel_data(const struct ssh_conn *conn, uint32_t id)
{
	return ssh_channel_of_caller(conn, id)->data;
}

bool
ssh_conn_next_channel(const struct ssh_conn *conn, uint32_t after, uint32_t *id)
{
	/* SSH_CHANNEL_ALL + 1 is 0. */
	for (uint32_t i = after + 1; i < conn->channel_room; i++) {
		if (conn->channels[i].state == SSH_CHANNEL_ASKED ||
		    conn->channels[i].state == SSH_CHANNEL_OPEN) {
			*id = i;
			return true;
		}
	}
	return false;
}

/* ---- what the peer says on a channel ---- */

struct ssh_channel *
ssh_channel_of_message(struct ssh_conn *conn, const struct ssh_message *message,
    struct span *body, uint32_t *id)
{
	struct ssh_channel *channel;

	if (!wire_take_u32(body, id)) {
		ssh_message_malformed(conn, message);
		return NULL;
	}
	channel = channel_of(conn, *id);
	if (channel == NULL || channel->state == SSH_CHANNEL_ASKED ||
	    channel->has_got_close) {
		ssh_conn_fail(conn, SSH_DISCONNECT_PROTOCOL_ERROR,
		    "%s for channel %u, which is not open",
		    ssh_message_name(message->number), *id);
		return NULL;
	}
	return channel;
}

/* The same, of a message that says nothing but its channel. */
static struct ssh_channel *
channel_alone(
    struct ssh_conn *conn, const struct ssh_message *message, uint32_t *id)
{
	struct span body = message->body;
	struct ssh_channel *channel =
	    ssh_channel_of_message(conn, message, &body, id);

	if (channel == NULL || body.len == 0)
		return channel;
	ssh_message_malformed(conn, message);
	return NULL;
}

void
ssh_channel_on_eof(struct ssh_conn *conn, const struct ssh_message *message,
    struct ssh_event *event)
{
	uint32_t id;
	struct ssh_channel *channel = channel_alone(conn, message, &id);

	if (channel == NULL)
		return;
	if (channel->has_got_eof)
		return; /* once more says nothing new */
	channel->has_got_eof = true;
	if (channel->state == SSH_CHANNEL_CLOSED)
		return;
	event->kind = SSH_EVENT_EOF;
	event->channel = id;
}

void
ssh_channel_on_close(struct ssh_conn *conn, const struct ssh_message *message,
    struct ssh_event *event)
{
	uint32_t id;
	struct ssh_channel *channel = channel_alone(conn, message, &id);

	if (channel == NULL)
		return;
	if (channel->state == SSH_CHANNEL_CLOSED) {
		release(conn, channel);
		return;
	}
	channel->has_got_close = true;
	event->kind = SSH_EVENT_CLOSE;
	event->channel = id;
}

/* There is nothing to ask for: PuTTY's winadj@ counts on being told so. */
void
ssh_channel_on_request(struct ssh_conn *conn, const struct ssh_message *message,
    struct ssh_event *event)
{
	struct span body = message->body, type;
	struct ssh_channel *channel;
	uint32_t id;
	uint8_t want_reply;

	channel = ssh_channel_of_message(conn, message, &body, &id);
	if (channel == NULL)
		return;
	if (!wire_take_string32(&body, &type) ||
	    !wire_take_u8(&body, &want_reply)) {
		ssh_message_malformed(conn, message);
		return;
	}
	if (want_reply != 0 && channel->state == SSH_CHANNEL_OPEN)
		send_simple(conn, SSH_MSG_CHANNEL_FAILURE, channel->peer_id);
}

/* ---- what we say on a channel ---- */

void
ssh_conn_send_eof(struct ssh_conn *conn, uint32_t id)
{
	struct ssh_channel *channel = ssh_channel_of_caller(conn, id);

	if (channel->state != SSH_CHANNEL_OPEN || channel->has_sent_eof ||
	    channel->has_got_close)
		return;
	channel->has_sent_eof = true;
	send_simple(conn, SSH_MSG_CHANNEL_EOF, channel->peer_id);
}

void
ssh_conn_close(struct ssh_conn *conn, uint32_t id)
{
	struct ssh_channel *channel = ssh_channel_of_caller(conn, id);

	if (channel->state == SSH_CHANNEL_ASKED) {
		ssh_conn_open_refuse(
		    conn, id, SSH_OPEN_CONNECT_FAILED, "given up");
		return;
	}
	channel->state = SSH_CHANNEL_CLOSED;
	send_simple(conn, SSH_MSG_CHANNEL_CLOSE, channel->peer_id);
	if (channel->has_got_close)
		release(conn, channel);
}
