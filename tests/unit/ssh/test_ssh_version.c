#include "peer.h"

static void
test_version_lines_of_ssh_2_are_taken(void **state)
{
	static char longest[256];
	const char *lines[] = {
	    "SSH-2.0-x\r\n",
	    "SSH-2.0-x\n",
	    "SSH-2.0-\r\n",
	    "SSH-1.99-old and new\r\n",
	    "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n",
	    longest,
	};
	struct peer p;

	memset(longest, 'x', 255);
	memcpy(longest, "SSH-2.0-", 8);
	memcpy(longest + 253, "\r\n", 2);
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		peer_init(&p, &(struct peer_options){.version = lines[i]});
		peer_login(&p);
		peer_fini(&p);
	}
}

static void
test_other_versions_are_refused_with_the_code_for_it(void **state)
{
	static const char *const lines[] = {
	    "SSH-1.5-x\r\n",
	    "SSH-2.1-x\r\n",
	    "SSH-20-x\r\n",
	    "SSH-\r\n",
	    "SSH-2.0-tab\there\r\n",
	    "SSH-2.0-caf\xc3\xa9\r\n",
	    "SSH-2.0-x\r\r\n",
	};
	struct peer p;

	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		peer_init(&p, NULL);
		peer_say_raw(&p, span_of_str(lines[i]));
		peer_run(&p);
		peer_read_version(&p);
		peer_expect_gone(
		    &p, SSH_DISCONNECT_PROTOCOL_VERSION_NOT_SUPPORTED);
		peer_fini(&p);
	}
}

static void
test_who_speaks_no_ssh_gets_a_line_to_read(void **state)
{
	static const char line[] = "This is an SSH server.\r\n";
	static uint8_t endless[300];
	const struct span words[] = {
	    span_of_str("GET / HTTP/1.0\r\n"),
	    span_of_str("\r\n"),
	    span_of_str("SSI"),
	    span_of_str("a banner before it\r\nSSH-2.0-x\r\n"),
	    span_of("\x10\x1c\0\4MQTT", 8), /* a CONNECT */
	    span_of("\x16\3\1", 3), /* a TLS ClientHello */
	    span_of("\0", 1),
	    span_of(endless, 255),
	};
	struct peer p;

	memset(endless, 'x', sizeof endless);
	memcpy(endless, "SSH-2.0-", 8);
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		struct span from;

		peer_init(&p, NULL);
		peer_say_raw(&p, words[i]);
		peer_run(&p);
		assert_int_equal(peer_event(&p, SSH_EVENT_GONE)->reason,
		    SSH_DISCONNECT_PROTOCOL_VERSION_NOT_SUPPORTED);
		from = buf_span(&p.from_server);
		assert_memory_equal(
		    from.data + from.len - strlen(line), line, strlen(line));
		peer_fini(&p);
	}
}

static void
test_a_line_that_may_still_end_is_waited_for(void **state)
{
	static uint8_t endless[254];
	struct peer p;

	memset(endless, 'x', sizeof endless);
	memcpy(endless, "SSH-2.0-", 8);
	peer_init(&p, NULL);
	peer_say_raw(&p, span_of(endless, sizeof endless));
	peer_run(&p);
	assert_int_equal(p.event_count, 0);
	assert_int_equal(buf_len(&p.inbox), sizeof endless);
	peer_fini(&p);
}

#define TEST(name) cmocka_unit_test(test_##name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(version_lines_of_ssh_2_are_taken),
	    TEST(other_versions_are_refused_with_the_code_for_it),
	    TEST(who_speaks_no_ssh_gets_a_line_to_read),
	    TEST(a_line_that_may_still_end_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
