#include "ssh_conn_private.h"

#include <assert.h>

/* What a packet of data needs besides the data, at most. */
enum { DATA_OVERHEAD = 128 };

void
ssh_channel_on_adjust(struct ssh_conn *conn, const struct ssh_message *message,
    struct ssh_event *event)
{
	struct span body = message->body;
	struct ssh_channel *channel;
	uint32_t id, more;

	channel = ssh_channel_of_message(conn, message, &body, &id);
	if (channel == NULL)
		return;
	if (!wire_take_u32(&body, &more) || body.len > 0) {
		ssh_message_malformed(conn, message);
		return;
	}
	if (more > UINT32_MAX - channel->send_window) {
		ssh_conn_fail(conn, SSH_DISCONNECT_PROTOCOL_ERROR,
		    "the window of channel %u grew past 2^32-1 bytes", id);
		return;
	}
	channel->send_window += more;
	if (channel->state == SSH_CHANNEL_OPEN && !channel->has_sent_eof) {
		event->kind = SSH_EVENT_WRITABLE;
		event->channel = id;
	}
}

static void
send_adjust(struct ssh_conn *conn, struct ssh_channel *channel)
{
	struct buf *out;

	if (channel->consumed == 0 || channel->state != SSH_CHANNEL_OPEN ||
	    channel->has_got_eof || channel->has_got_close)
		return;
	out = ssh_packet_begin(conn, SSH_MSG_CHANNEL_WINDOW_ADJUST);
	wire_put_u32(out, channel->peer_id);
	wire_put_u32(out, channel->consumed);
	ssh_packet_end(conn, out);
	channel->receive_window += channel->consumed;
	channel->consumed = 0;
}

/* Half a window at a time, so that adjusts are few and none stands still. */
static void
give_back(struct ssh_conn *conn, struct ssh_channel *channel, size_t len)
{
	uint32_t window = conn->setup->window_bytes;

	assert(len <= window - channel->receive_window - channel->consumed);
	channel->consumed += (uint32_t)len;
	if (channel->consumed >= window / 2 && !ssh_packet_is_held(conn))
		send_adjust(conn, channel);
}

void
ssh_channel_flush(struct ssh_conn *conn)
{
	for (uint32_t i = 0; i < conn->channel_room; i++)
		if (conn->channels[i].consumed >= conn->setup->window_bytes / 2)
			send_adjust(conn, &conn->channels[i]);
}

void
ssh_conn_consumed(struct ssh_conn *conn, uint32_t id, size_t len)
{
	give_back(conn, ssh_channel_of_caller(conn, id), len);
}

/* The bytes of DATA or EXTENDED_DATA against our window. */
static bool
count_data(struct ssh_conn *conn, struct ssh_channel *channel, uint32_t id,
    const struct ssh_message *message, struct span data)
{
	const char *name = ssh_message_name(message->number);

	if (channel->has_got_eof) {
		ssh_conn_fail(conn, SSH_DISCONNECT_PROTOCOL_ERROR,
		    "%s on channel %u after its EOF", name, id);
		return false;
	}
	if (data.len > SSH_DATA_MAX) {
		ssh_conn_fail(conn, SSH_DISCONNECT_PROTOCOL_ERROR,
		    "%s of %zu bytes on channel %u, more than a packet may "
		    "hold",
		    name, data.len, id);
		return false;
	}
	if (data.len > channel->receive_window) {
		ssh_conn_fail(conn, SSH_DISCONNECT_PROTOCOL_ERROR,
		    "%s of %zu bytes overruns the window of channel %u", name,
		    data.len, id);
		return false;
	}
	channel->receive_window -= (uint32_t)data.len;
	return true;
}

void
ssh_channel_on_data(struct ssh_conn *conn, const struct ssh_message *message,
    struct ssh_event *event)
{
	struct span body = message->body, data;
	struct ssh_channel *channel;
	uint32_t id;

	channel = ssh_channel_of_message(conn, message, &body, &id);
	if (channel == NULL)
		return;
	if (!wire_take_string32(&body, &data) || body.len > 0) {
		ssh_message_malformed(conn, message);
		return;
	}
	/* What was on its way when we closed is counted and dropped. */
	if (!count_data(conn, channel, id, message, data) || data.len == 0 ||
	    channel->state == SSH_CHANNEL_CLOSED)
		return;
	conn->data_in += data.len;
	event->kind = SSH_EVENT_DATA;
	event->channel = id;
	event->data = data;
}

/*
 * RFC 4254 section 5.2 defines no kind of it for direct-tcpip: it is dropped,
 * as sshd does, and its room given back, so that the channel goes on.
 */
void
ssh_channel_on_extended_data(struct ssh_conn *conn,
    const struct ssh_message *message, struct ssh_event *event)
{
	struct span body = message->body, data;
	struct ssh_channel *channel;
	uint32_t id, kind;

	channel = ssh_channel_of_message(conn, message, &body, &id);
	if (channel == NULL)
		return;
	if (!wire_take_u32(&body, &kind) || !wire_take_string32(&body, &data) ||
	    body.len > 0) {
		ssh_message_malformed(conn, message);
		return;
	}
	if (count_data(conn, channel, id, message, data))
		give_back(conn, channel, data.len);
}

/* ---- what we send ---- */

size_t
ssh_conn_writable(const struct ssh_conn *conn, uint32_t id)
{
	const struct ssh_channel *channel = ssh_channel_of_caller(conn, id);
	size_t limit = conn->setup->output_max / 2;
	size_t waiting = buf_len(&conn->output), packets, room;

	if (conn->state == SSH_STATE_GONE || ssh_packet_is_held(conn) ||
	    channel->state != SSH_CHANNEL_OPEN || channel->has_sent_eof ||
	    channel->has_got_close || waiting >= limit)
		return 0;
	packets = (limit - waiting) / (channel->peer_max + DATA_OVERHEAD) + 1;
	room = packets * channel->peer_max;
	return room < channel->send_window ? room : channel->send_window;
}

static void
send_data(struct ssh_conn *conn, struct ssh_channel *channel, struct span data)
{
	struct buf *out;

	/* At once, so that the buf grows but once. */
	(void)buf_reserve(&conn->output, data.len + DATA_OVERHEAD);
	out = ssh_packet_begin(conn, SSH_MSG_CHANNEL_DATA);
	wire_put_u32(out, channel->peer_id);
	wire_put_string32(out, data);
	ssh_packet_end(conn, out);
	channel->send_window -= (uint32_t)data.len;
	conn->data_out += data.len;
}

size_t
ssh_conn_send(struct ssh_conn *conn, uint32_t id, struct span data)
{
	struct ssh_channel *channel = ssh_channel_of_caller(conn, id);
	size_t most = ssh_conn_writable(conn, id), sent = 0;

	if (most > data.len)
		most = data.len;
	while (sent < most && conn->state != SSH_STATE_GONE &&
	       !ssh_packet_is_held(conn)) {
		size_t len = most - sent;

		if (len > channel->peer_max)
			len = channel->peer_max;
		send_data(conn, channel, span_of(data.data + sent, len));
		sent += len;
		ssh_exchange_check(conn);
	}
	return sent;
}
