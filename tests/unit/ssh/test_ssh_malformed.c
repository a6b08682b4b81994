/*
 * Messages that are not what their number promises: cut, or with strings or
 * bytes beyond their end.
 */

#include "peer.h"

/* Each with its last string reaching past the packet's end. */
static void
test_strings_longer_than_their_message_are_malformed(void **state)
{
	static const uint8_t numbers[] = {SSH_MSG_DISCONNECT,
	    SSH_MSG_GLOBAL_REQUEST, SSH_MSG_CHANNEL_OPEN, SSH_MSG_CHANNEL_DATA,
	    SSH_MSG_CHANNEL_EXTENDED_DATA, SSH_MSG_CHANNEL_REQUEST};
	static const uint32_t lengths[] = {9, 0x7fffffff, UINT32_MAX};

	for (size_t i = 0; i < sizeof numbers; i++) {
		for (size_t l = 0; l < 3; l++) {
			struct buf *out;
			struct peer p;

			peer_init(&p, NULL);
			peer_login(&p);
			(void)peer_open_channel(&p);
			out = peer_begin(&p, numbers[i]);
			if (numbers[i] != SSH_MSG_GLOBAL_REQUEST &&
			    numbers[i] != SSH_MSG_CHANNEL_OPEN)
				wire_put_u32(out, 0);
			if (numbers[i] == SSH_MSG_CHANNEL_EXTENDED_DATA)
				wire_put_u32(out, 1);
			wire_put_u32(out, lengths[l]);
			wire_put_u64(out, 0);
			peer_send_it(&p);
			peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
			assert_memory_equal(
			    peer_event(&p, SSH_EVENT_GONE)->text, "malformed",
			    9);
			peer_fini(&p);
		}
	}
}

/*
 * Messages of the open state cut at every byte: malformed, but for those
 * whose end is free (DISCONNECT, GLOBAL_REQUEST and CHANNEL_REQUEST).
 */
static void
test_messages_cut_anywhere_are_malformed(void **state)
{
	static const struct {
		struct span whole;
		size_t required; /* shorter ones are malformed */
	} cases[] = {
	    {{(const uint8_t *)"\1\0\0\0\2\0\0\0\3bye\0\0\0\0", 16}, 12},
	    {{(const uint8_t *)"\x50\0\0\0\3x@y\0", 9}, 9},
	    {{(const uint8_t *)"\x5a\0\0\0\7session\0\0\0\1\0\1\0\0\0\0\1\0",
		 24},
		24},
	    {{(const uint8_t *)"\x5a\0\0\0\014direct-tcpip\0\0\0\1\0\1\0\0"
			       "\0\0\1\0\0\0\0\1h\0\0\7\133\0\0\0\1o\0\0\0\1",
		 47},
		47},
	    {{(const uint8_t *)"\x5d\0\0\0\0\0\0\0\1", 9}, 9},
	    {{(const uint8_t *)"\x5e\0\0\0\0\0\0\0\3abc", 12}, 12},
	    {{(const uint8_t *)"\x5f\0\0\0\0\0\0\0\1\0\0\0\3abc", 16}, 16},
	    {{(const uint8_t *)"\x60\0\0\0\0", 5}, 5},
	    {{(const uint8_t *)"\x61\0\0\0\0", 5}, 5},
	    {{(const uint8_t *)"\x62\0\0\0\0\0\0\0\3foo\1", 13}, 13},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		for (size_t len = 1; len <= cases[i].whole.len; len++) {
			const struct peer_event *gone;
			struct peer p;

			peer_init(&p, NULL);
			peer_login(&p);
			(void)peer_open_channel(&p);
			peer_send(&p, span_of(cases[i].whole.data, len));
			gone = peer_event(&p, SSH_EVENT_GONE);
			if (len < cases[i].required) {
				peer_expect_gone(
				    &p, SSH_DISCONNECT_PROTOCOL_ERROR);
				assert_memory_equal(gone->text, "malformed", 9);
			} else {
				assert_true(gone == NULL || gone->by_peer);
			}
			peer_fini(&p);
		}
	}
}

static void
test_bytes_behind_a_message_are_malformed(void **state)
{
	static const struct span messages[] = {
	    {(const uint8_t *)"\x5d\0\0\0\0\0\0\0\1x", 10},
	    {(const uint8_t *)"\x5e\0\0\0\0\0\0\0\3abcx", 13},
	    {(const uint8_t *)"\x5f\0\0\0\0\0\0\0\1\0\0\0\3abcx", 17},
	    {(const uint8_t *)"\x60\0\0\0\0x", 6},
	    {(const uint8_t *)"\x61\0\0\0\0x", 6},
	    {(const uint8_t *)"\x5a\0\0\0\014direct-tcpip\0\0\0\1\0\1\0\0"
			      "\0\0\1\0\0\0\0\1h\0\0\7\133\0\0\0\1o\0\0\0\1x",
		48},
	};
	struct peer p;

	for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
		peer_init(&p, NULL);
		peer_login(&p);
		(void)peer_open_channel(&p);
		peer_send(&p, messages[i]);
		peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
		assert_memory_equal(
		    peer_event(&p, SSH_EVENT_GONE)->text, "malformed", 9);
		peer_fini(&p);
	}
}

/* The same before the channels, at both ends of a message. */
static void
test_messages_of_the_exchange_must_be_whole(void **state)
{
	static const uint8_t init[] = "\x1e\0\0\0\040"
				      "a share of thirty-two bytes here";
	static const uint8_t service[] = "\5\0\0\0\014ssh-userauth";
	struct peer p;

	for (size_t len = 1; len <= sizeof init; len++) {
		if (len == sizeof init - 1)
			continue; /* that is it */
		peer_init(&p, NULL);
		peer_say_version(&p);
		peer_say_kexinit(&p);
		peer_send(&p, span_of(init, len));
		peer_read_version(&p);
		peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
		peer_fini(&p);
	}
	for (size_t len = 1; len <= sizeof service; len++) {
		if (len == sizeof service - 1)
			continue;
		peer_init(&p, NULL);
		peer_handshake(&p);
		peer_send(&p, span_of(service, len));
		peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
		peer_fini(&p);
	}
	peer_init(&p, NULL);
	peer_login(&p);
	peer_say_kexinit(&p);
	peer_say_ecdh_init(&p);
	peer_send(&p, span_of("\x15x", 2)); /* NEWKEYS */
	while (peer_read(&p) != SSH_MSG_NEWKEYS)
		;
	peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
	peer_fini(&p);
}

/* And those of authentication. */
static void
test_authentication_cut_anywhere_is_malformed(void **state)
{
	static const char request[] =
	    "\x32\0\0\0\3dan\0\0\0\016ssh-connection\0\0\0\011publickey\0"
	    "\0\0\0\013ssh-ed25519\0\0\0\4blob";
	size_t whole = sizeof request - 1;
	struct peer p;

	for (size_t len = 1; len < whole; len++) {
		peer_init(&p, NULL);
		peer_to_auth(&p);
		peer_send(&p, span_of(request, len));
		peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
		assert_string_equal(peer_event(&p, SSH_EVENT_GONE)->text,
		    "malformed USERAUTH_REQUEST");
		peer_fini(&p);
	}
	peer_init(&p, NULL);
	peer_to_auth(&p);
	peer_send(&p, span_of(request, whole + 1));
	peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
	peer_fini(&p);
	peer_init(&p, NULL);
	peer_to_auth(&p);
	peer_send(&p, span_of(request, whole));
	peer_expect(&p, SSH_MSG_USERAUTH_FAILURE);
	peer_fini(&p);
}

#define TEST(name) cmocka_unit_test(test_##name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(strings_longer_than_their_message_are_malformed),
	    TEST(messages_cut_anywhere_are_malformed),
	    TEST(bytes_behind_a_message_are_malformed),
	    TEST(messages_of_the_exchange_must_be_whole),
	    TEST(authentication_cut_anywhere_is_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
