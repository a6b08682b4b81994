#include "ssh_conn_private.h"

#include <stdlib.h>

void
ssh_version_send(struct ssh_conn *conn)
{
	wire_put_bytes(&conn->output, span_of_str(conn->setup->version));
	wire_put_bytes(&conn->output, span_of_str("\r\n"));
}

/* Somebody who speaks no SSH 2 gets a line to read; then it is over. */
static enum ssh_read
refuse(struct ssh_conn *conn, bool is_ssh, const char *why)
{
	if (is_ssh) {
		ssh_conn_fail(conn,
		    SSH_DISCONNECT_PROTOCOL_VERSION_NOT_SUPPORTED, "%s", why);
		return SSH_READ_FAILED;
	}
	wire_put_bytes(
	    &conn->output, span_of_str("This is an SSH server.\r\n"));
	ssh_conn_break(conn, why);
	conn->gone_reason = SSH_DISCONNECT_PROTOCOL_VERSION_NOT_SUPPORTED;
	return SSH_READ_FAILED;
}

/* Whether what is there of the line can still become "SSH-". */
static bool
begins_as_ssh(const struct ssh_input *in)
{
	size_t len = in->len < 4 ? in->len : 4;

	return memcmp(in->data, "SSH-", len) == 0;
}

static bool
has_prefix(struct span line, const char *prefix)
{
	size_t len = strlen(prefix);

	return line.len >= len && memcmp(line.data, prefix, len) == 0;
}

static bool
is_printable(struct span line)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.data[i] < 0x20 || line.data[i] > 0x7e)
			return false;
	return true;
}

enum ssh_read
ssh_version_read(struct ssh_conn *conn, struct ssh_input *in)
{
	size_t max =
	    in->len < SSH_VERSION_LINE_MAX ? in->len : SSH_VERSION_LINE_MAX;
	const uint8_t *end;
	struct span line;

	if (in->len == 0)
		return SSH_READ_MORE;
	if (!begins_as_ssh(in))
		return refuse(conn, false, "the peer does not speak SSH");
	end = memchr(in->data, '\n', max);
	if (end == NULL) {
		if (max < SSH_VERSION_LINE_MAX)
			return SSH_READ_MORE;
		return refuse(conn, false, "the version line does not end");
	}
	line = span_of(in->data, (size_t)(end - in->data));
	in->data += line.len + 1;
	in->len -= line.len + 1;
	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	if (!has_prefix(line, "SSH-2.0-") && !has_prefix(line, "SSH-1.99-"))
		return refuse(conn, true, "only version 2.0 of SSH is spoken");
	/* It goes into logs and, as it is, into the exchange hash. */
	if (!is_printable(line))
		return refuse(
		    conn, true, "the version line is not printable ASCII");
	conn->client_version = strndup((const char *)line.data, line.len);
	if (conn->client_version == NULL) {
		ssh_conn_break(conn, "out of memory");
		return SSH_READ_FAILED;
	}
	ssh_state_set(conn, SSH_STATE_KEXINIT);
	return SSH_READ_DONE;
}
