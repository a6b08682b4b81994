#include "ssh_conn_private.h"

/*
 * RFC 4253 section 7.1: after our KEXINIT only transport messages (1 to 4) and
 * the exchange's own may go before our NEWKEYS.
 */
static bool
must_wait(const struct ssh_conn *conn, uint8_t number)
{
	return ssh_packet_is_held(conn) && number > SSH_MSG_DEBUG &&
	       (number < SSH_MSG_KEXINIT || number > 49);
}

struct buf *
ssh_packet_begin(struct ssh_conn *conn, uint8_t number)
{
	static const uint8_t head[SSH_PACKET_HEAD];
	struct buf *out =
	    must_wait(conn, number) ? &conn->exchange->deferred : &conn->output;

	conn->packet_start = buf_len(out);
	wire_put_bytes(out, span_of(head, sizeof head));
	wire_put_u8(out, number);
	return out;
}

/*
 * Pad and encrypt, where it stands, the packet at the output's end.  NULL, or
 * the fault; "" where nothing more could be appended.
 */
static const char *
seal(struct ssh_conn *conn)
{
	struct buf *out = &conn->output;
	size_t payload = buf_len(out) - conn->packet_start - SSH_PACKET_HEAD;
	size_t padding = ssh_cipher_padding(&conn->out, payload);
	size_t tag = ssh_cipher_tag_bytes(&conn->out);
	uint32_t length = (uint32_t)(1 + payload + padding);
	uint8_t *room, *packet;

	room = buf_reserve(out, padding + tag);
	if (room == NULL)
		return "";
	/*
	 * Zeroes: every cipher here is a stream cipher under a fresh nonce,
	 * and gains nothing by random padding.
	 */
	memset(room, 0, padding + tag);
	buf_commit(out, padding + tag);
	packet = out->mem + out->head + conn->packet_start;
	wire_poke_u32(packet, length);
	packet[4] = (uint8_t)padding;
	if (ssh_cipher_seal(conn->engine, &conn->out, packet, length) != 0)
		return "libcrypto could not encrypt a packet";
	conn->packets_out++;
	conn->key_out += 4 + (uint64_t)length + tag;
	return NULL;
}

static const char *
why_append_failed(const struct buf *out)
{
	return buf_len(out) + SSH_PACKET_MAX > out->max
		   ? "the peer does not read what it is sent"
		   : "out of memory";
}

static void
end_deferred(struct ssh_conn *conn, struct buf *out)
{
	size_t start = conn->packet_start;

	if (out->failed) {
		buf_truncate(out, start);
		ssh_conn_fail(conn, SSH_DISCONNECT_PROTOCOL_ERROR,
		    "too many answers wait for the key exchange");
		return;
	}
	wire_poke_u32(out->mem + out->head + start,
	    (uint32_t)(buf_len(out) - start - SSH_PACKET_HEAD));
}

void
ssh_packet_end(struct ssh_conn *conn, struct buf *out)
{
	const char *fault = "";

	if (conn->state == SSH_STATE_GONE) {
		buf_truncate(out, conn->packet_start);
		return;
	}
	if (out != &conn->output) {
		end_deferred(conn, out);
		return;
	}
	if (!out->failed)
		fault = seal(conn);
	if (fault == NULL)
		return;
	buf_truncate(out, conn->packet_start);
	ssh_conn_break(conn, fault[0] == '\0' ? why_append_failed(out) : fault);
}

void
ssh_packet_flush(struct ssh_conn *conn)
{
	struct span waiting = buf_span(&conn->exchange->deferred), payload;
	uint32_t len;
	uint8_t padding;

	while (wire_take_u32(&waiting, &len) &&
	       wire_take_u8(&waiting, &padding) &&
	       wire_take_bytes(&waiting, len, &payload)) {
		struct buf *out = ssh_packet_begin(conn, payload.data[0]);

		wire_put_bytes(out, span_of(payload.data + 1, payload.len - 1));
		ssh_packet_end(conn, out);
	}
	buf_fini(&conn->exchange->deferred);
}

/* Learn the length of the packet at the front, once. */
static enum ssh_read
read_length(struct ssh_conn *conn, struct ssh_input *in)
{
	const struct ssh_mac_facts *mac = ssh_mac_facts(conn->in.mac);
	const struct ssh_cipher_facts *cipher =
	    ssh_cipher_facts(conn->in.cipher);
	size_t tag = ssh_cipher_tag_bytes(&conn->in);
	bool is_length_apart =
	    cipher->is_aead || (conn->in.mac != SSH_MAC_NONE && mac->is_etm);
	uint32_t length;

	if (in->len < ssh_cipher_head_bytes(&conn->in))
		return SSH_READ_MORE;
	if (ssh_cipher_length(conn->engine, &conn->in, in->data, &length) !=
	    0) {
		ssh_conn_break(conn, "a packet's length cannot be decrypted");
		return SSH_READ_FAILED;
	}
	/*
	 * Of a forged or damaged packet this is the first thing to be wrong,
	 * so that the code is the MAC's once there is one.
	 */
	if (length < 8 || length > SSH_PACKET_MAX - 4 - tag ||
	    (length + (is_length_apart ? 0 : 4)) % cipher->block_bytes != 0) {
		ssh_conn_fail(conn,
		    conn->in.cipher == SSH_CIPHER_NONE
			? SSH_DISCONNECT_PROTOCOL_ERROR
			: SSH_DISCONNECT_MAC_ERROR,
		    "a packet's length of %u bytes cannot be", length);
		return SSH_READ_FAILED;
	}
	conn->packet_length = length;
	return SSH_READ_DONE;
}

enum ssh_read
ssh_packet_read(
    struct ssh_conn *conn, struct ssh_input *in, struct span *payload)
{
	uint32_t length;
	size_t total;
	uint8_t padding;

	if (conn->packet_length == 0) {
		enum ssh_read result = read_length(conn, in);

		if (result != SSH_READ_DONE)
			return result;
	}
	length = conn->packet_length;
	total = 4 + (size_t)length + ssh_cipher_tag_bytes(&conn->in);
	if (in->len < total)
		return SSH_READ_MORE;
	if (ssh_cipher_open(conn->engine, &conn->in, in->data, length) != 0) {
		ssh_conn_fail(conn, SSH_DISCONNECT_MAC_ERROR,
		    "a packet is not authentic");
		return SSH_READ_FAILED;
	}
	conn->packet_length = 0;
	conn->packets_in++;
	conn->key_in += total;
	padding = in->data[4];
	if (padding < 4 || (uint32_t)padding + 1 >= length) {
		ssh_conn_fail(conn, SSH_DISCONNECT_PROTOCOL_ERROR,
		    "a packet's padding of %u bytes cannot be", padding);
		return SSH_READ_FAILED;
	}
	*payload = span_of(in->data + SSH_PACKET_HEAD, length - 1 - padding);
	in->data += total;
	in->len -= total;
	return SSH_READ_DONE;
}
