#include "ssh_conn_private.h"

/*
 * Global requests that are granted; every other one, tcpip-forward before
 * all, is refused.  No session is ever opened, so that "no more of them" costs
 * nothing.
 */
static const char *const granted[] = {
    "keepalive@openssh.com",
    "no-more-sessions@openssh.com",
};

static bool
is_granted(struct span name)
{
	for (size_t i = 0; i < sizeof granted / sizeof granted[0]; i++)
		if (span_is(name, granted[i]))
			return true;
	return false;
}

void
ssh_global_on_request(struct ssh_conn *conn, const struct ssh_message *message,
    struct ssh_event *event)
{
	struct span body = message->body, name;
	uint8_t want_reply;

	if (!wire_take_string32(&body, &name) ||
	    !wire_take_u8(&body, &want_reply)) {
		ssh_message_malformed(conn, message);
		return;
	}
	if (want_reply != 0) {
		struct buf *out = ssh_packet_begin(
		    conn, is_granted(name) ? SSH_MSG_REQUEST_SUCCESS
					   : SSH_MSG_REQUEST_FAILURE);

		ssh_packet_end(conn, out);
	}
}

void
ssh_conn_keepalive(struct ssh_conn *conn)
{
	struct buf *out;

	if (!conn->is_accepted || conn->state == SSH_STATE_GONE)
		return;
	out = ssh_packet_begin(conn, SSH_MSG_GLOBAL_REQUEST);
	wire_put_cstring32(out, "keepalive@openssh.com");
	wire_put_u8(out, 1);
	ssh_packet_end(conn, out);
	conn->keepalives++;
}

/* Our keepalives are the only requests: replies come in their order. */
void
ssh_global_on_reply(struct ssh_conn *conn, const struct ssh_message *message,
    struct ssh_event *event)
{
	if (conn->keepalives == 0) {
		ssh_conn_fail(conn, SSH_DISCONNECT_PROTOCOL_ERROR,
		    "%s to no request", ssh_message_name(message->number));
		return;
	}
	conn->keepalives--;
	event->kind = SSH_EVENT_ALIVE;
}
