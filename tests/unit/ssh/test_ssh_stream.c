/*
 * The client's bytes in pieces, cut, damaged, twice, and too many.
 */

#include "peer.h"

#include <stdlib.h>

/* All that a client does in a life, in little. */
static void
whole_session(struct peer *p)
{
	static const uint8_t bytes[30];
	struct buf *out;
	uint32_t id;

	peer_login(p);
	id = peer_open_channel(p);
	peer_send_data(p, id, span_of(bytes, sizeof bytes));
	out = peer_begin(p, SSH_MSG_GLOBAL_REQUEST);
	wire_put_cstring32(out, "keepalive@openssh.com");
	wire_put_u8(out, 1);
	peer_send_it(p);
	peer_expect(p, SSH_MSG_REQUEST_SUCCESS);
	peer_rekey(p);
	peer_send_data(p, id, span_of(bytes, sizeof bytes));
	peer_send_channel(p, SSH_MSG_CHANNEL_EOF, id);
	ssh_conn_close(p->conn, id);
	peer_run(p);
	peer_expect(p, SSH_MSG_CHANNEL_CLOSE);
	peer_send_channel(p, SSH_MSG_CHANNEL_CLOSE, id);
	peer_expect_silence(p);
}

/* Short lists, so that a session is short. */
#define KIND(cipher, mac, wishes)                                              \
	{                                                                      \
		.kex = "curve25519-sha256" wishes, .cipher_in = cipher,        \
		.cipher_out = cipher, .mac_in = mac, .mac_out = mac            \
	}
static const struct peer_options kinds[] = {
    KIND("aes128-ctr", "hmac-sha2-256", PEER_EXT_INFO PEER_STRICT),
    KIND("chacha20-poly1305@openssh.com", "", PEER_STRICT),
    KIND("aes256-gcm@openssh.com", "", PEER_EXT_INFO),
    KIND("aes256-ctr", "hmac-sha2-512-etm@openssh.com", PEER_STRICT),
    KIND("aes128-gcm@openssh.com", "", ""),
};
enum {
	KINDS = sizeof kinds / sizeof kinds[0],
	/* Those whose packets begin in different ways. */
	HEAD_KINDS = 2
};

static void
init(struct peer *p, const struct peer_options *options)
{
	struct ssh_setup setup;

	ssh_setup_init(&setup);
	setup.legacy_macs = true;
	peer_init_setup(p, options, &setup);
}

static void
check_whole(const struct peer *p)
{
	static const enum ssh_event_kind kinds_of_events[] = {SSH_EVENT_SIGN,
	    SSH_EVENT_AUTH, SSH_EVENT_ACCEPTED, SSH_EVENT_OPEN, SSH_EVENT_DATA,
	    SSH_EVENT_SIGN, SSH_EVENT_WRITABLE, SSH_EVENT_DATA, SSH_EVENT_EOF};
	size_t count = sizeof kinds_of_events / sizeof kinds_of_events[0];

	assert_int_equal(p->event_count, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(p->events[i].kind, kinds_of_events[i]);
	assert_int_equal(buf_len(&p->received[0]), 60);
	assert_int_equal(buf_len(&p->inbox), 0);
}

static size_t
session_bytes(const struct peer_options *options)
{
	struct peer p;
	size_t bytes;

	init(&p, options);
	whole_session(&p);
	check_whole(&p);
	bytes = p.handed_over;
	peer_fini(&p);
	return bytes;
}

static void
test_a_session_may_be_split_at_every_byte(void **state)
{
	for (size_t k = 0; k < HEAD_KINDS; k++) {
		size_t bytes = session_bytes(&kinds[k]);

		for (size_t at = 1; at < bytes; at++) {
			struct peer p;

			init(&p, &kinds[k]);
			p.split_at = at;
			whole_session(&p);
			check_whole(&p);
			peer_fini(&p);
		}
	}
}

static void
test_a_session_may_come_byte_by_byte(void **state)
{
	for (size_t k = 0; k < KINDS; k++) {
		for (size_t chunk = 1; chunk < 40; chunk++) {
			struct peer p;

			init(&p, &kinds[k]);
			p.chunk = chunk;
			whole_session(&p);
			check_whole(&p);
			peer_fini(&p);
		}
	}
}

/* The sanitizers look at what is left behind. */
static void
test_a_session_may_end_at_every_byte(void **state)
{
	for (size_t k = 0; k < HEAD_KINDS; k++) {
		size_t bytes = session_bytes(&kinds[k]);

		for (size_t at = 1; at < bytes; at++) {
			struct peer p;

			init(&p, &kinds[k]);
			p.cut_at = at;
			assert_false(peer_try(&p, whole_session));
			assert_null(peer_event(&p, SSH_EVENT_GONE));
			assert_int_equal(p.handed_over, at);
			peer_fini(&p);
		}
	}
}

/* Login and a channel; then one packet of data, sealed but not sent. */
static void
to_packet(struct peer *p, const struct peer_options *options)
{
	struct buf *out;
	uint32_t id;

	init(p, options);
	peer_login(p);
	id = peer_open_channel(p);
	peer_forget_events(p);
	out = peer_begin(p, SSH_MSG_CHANNEL_DATA);
	wire_put_u32(out, id);
	wire_put_cstring32(out, "open the valve");
	peer_say(p, buf_span(out));
}

/*
 * A damaged length may be one that has not come yet; all else ends it at
 * once.  Nothing of the packet comes out in any case.
 */
static void
test_a_bit_turned_round_anywhere_is_noticed(void **state)
{
	for (size_t k = 0; k < KINDS; k++) {
		size_t len = 1;

		for (size_t bit = 0; bit < 8 * len; bit++) {
			const struct peer_event *gone;
			struct peer p;
			uint8_t *packet;

			to_packet(&p, &kinds[k]);
			len = buf_len(&p.to_server);
			packet = p.to_server.mem + p.to_server.head;
			packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
			peer_run(&p);
			gone = peer_event(&p, SSH_EVENT_GONE);
			assert_int_equal(buf_len(&p.received[0]), 0);
			assert_int_equal(peer_count(&p, SSH_EVENT_DATA), 0);
			if (gone != NULL)
				peer_expect_gone(&p, SSH_DISCONNECT_MAC_ERROR);
			else /* a length; in blocks it may be any of 16 */
				assert_true(bit / 8 < 16);
			peer_fini(&p);
		}
	}
}

static void
test_a_packet_sent_again_is_refused(void **state)
{
	for (size_t k = 0; k < KINDS; k++) {
		struct buf copy;
		struct peer p;

		to_packet(&p, &kinds[k]);
		buf_init(&copy, 10000);
		wire_put_bytes(&copy, buf_span(&p.to_server));
		peer_run(&p);
		assert_int_equal(buf_len(&p.received[0]), 14);
		peer_say_raw(&p, buf_span(&copy));
		/* A garbled length must not make it wait for more. */
		for (int i = 0; i < 9; i++)
			peer_say_raw(&p, span_of(copy.mem, copy.cap));
		for (int i = 0; i < SSH_PACKET_MAX / 256; i++)
			peer_say_raw(&p, span_of(copy.mem, copy.cap));
		peer_run(&p);
		assert_int_equal(buf_len(&p.received[0]), 14);
		peer_expect_gone(&p, SSH_DISCONNECT_MAC_ERROR);
		buf_fini(&copy);
		peer_fini(&p);
	}
}

static void
test_packets_may_not_change_places(void **state)
{
	for (size_t k = 0; k < KINDS; k++) {
		struct buf first;
		struct peer p;

		to_packet(&p, &kinds[k]);
		buf_init(&first, 10000);
		wire_put_bytes(&first, buf_span(&p.to_server));
		buf_truncate(&p.to_server, 0);
		peer_say(&p, span_of("\2\0\0\0\0", 5)); /* IGNORE */
		peer_say_raw(&p, buf_span(&first));
		for (int i = 0; i < SSH_PACKET_MAX / 256; i++)
			peer_say_raw(&p, span_of(first.mem, first.cap));
		peer_run(&p);
		peer_expect_gone(&p, SSH_DISCONNECT_MAC_ERROR);
		assert_int_equal(buf_len(&p.received[0]), 0);
		buf_fini(&first);
		peer_fini(&p);
	}
}

static void
test_lengths_that_cannot_be_end_it_before_more_is_read(void **state)
{
	static const uint32_t lengths[] = {0, 1, 4, 7, 8, 11, 13, 27,
	    SSH_PACKET_MAX - 3, SSH_PACKET_MAX, 0x80000000, UINT32_MAX};

	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		uint8_t head[8] = {0};
		struct peer p;

		peer_init(&p, NULL);
		peer_say_version(&p);
		wire_poke_u32(head, lengths[i]);
		peer_say_raw(&p, span_of(head, sizeof head));
		peer_run(&p);
		peer_read_version(&p);
		peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
		peer_fini(&p);
	}
}

static void
test_padding_that_cannot_be_ends_it(void **state)
{
	/* packet_length 12: 11 bytes of payload and padding */
	static const uint8_t paddings[] = {0, 3, 11, 12, 255};

	for (size_t i = 0; i < sizeof paddings; i++) {
		uint8_t packet[16] = {0, 0, 0, 12, paddings[i], 2};
		struct peer p;

		peer_init(&p, &kinds[4]);
		peer_say_version(&p);
		peer_say_raw(&p, span_of(packet, sizeof packet));
		peer_run(&p);
		peer_read_version(&p);
		peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
		peer_fini(&p);
	}
}

static void
test_the_largest_packet_is_taken(void **state)
{
	for (size_t k = 0; k < KINDS; k++) {
		size_t tag, payload;
		struct buf *out;
		struct peer p;

		init(&p, &kinds[k]);
		peer_login(&p);
		tag = ssh_cipher_tag_bytes(&p.out);
		/* IGNORE, as large as goes: 4 + 1 + payload + padding + tag. */
		for (payload = SSH_PACKET_MAX;
		     5 + payload + tag + ssh_cipher_padding(&p.out, payload) >
		     SSH_PACKET_MAX;
		     payload--)
			;
		out = peer_begin(&p, SSH_MSG_IGNORE);
		while (buf_len(out) < payload)
			wire_put_u8(out, 0);
		peer_send_it(&p);
		assert_null(peer_event(&p, SSH_EVENT_GONE));
		assert_int_equal(buf_len(&p.inbox), 0);
		/* The next larger one is not. */
		while (5 + buf_len(out) + tag +
			   ssh_cipher_padding(&p.out, buf_len(out)) <=
		       SSH_PACKET_MAX)
			wire_put_u8(out, 0);
		peer_send_it(&p);
		peer_expect_gone(&p, SSH_DISCONNECT_MAC_ERROR);
		peer_fini(&p);
	}
}

#define TEST(name) cmocka_unit_test(test_##name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_session_may_be_split_at_every_byte),
	    TEST(a_session_may_come_byte_by_byte),
	    TEST(a_session_may_end_at_every_byte),
	    TEST(a_bit_turned_round_anywhere_is_noticed),
	    TEST(a_packet_sent_again_is_refused),
	    TEST(packets_may_not_change_places),
	    TEST(lengths_that_cannot_be_end_it_before_more_is_read),
	    TEST(padding_that_cannot_be_ends_it),
	    TEST(the_largest_packet_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
