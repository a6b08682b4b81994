#include "line_lacks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define KEY                                                                    \
	"ssh-ed25519 "                                                         \
	"AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f" \
	" dan"

static const struct line_target broker = {
    .host = "127.0.0.1", .port = 1883, .text = "127.0.0.1:1883"};

static void
parse(const char *text, struct authorized_keys_line *line)
{
	if (authorized_keys_parse(span_of_str(text), line) !=
	    AUTHORIZED_KEYS_KEY)
		fail_msg("no key: %s", text);
}

static void
assert_lacks(const char *text, const struct line_target *target,
    enum line_lack lack, const char *meant)
{
	struct authorized_keys_line line;
	struct buf out;

	parse(text, &line);
	buf_init(&out, 4096);
	assert_int_equal(line_lacks(&line, target, &out), lack);
	if (!span_is(buf_span(&out), meant))
		fail_msg("%s\nis mended to\n%.*s\nand not to\n%s", text,
		    (int)buf_len(&out), (const char *)buf_span(&out).data,
		    meant);
	/* The line that was meant lacks nothing, and is left alone. */
	if (lack != LINE_LACKS_NOTHING)
		assert_lacks(meant, target, LINE_LACKS_NOTHING, "");
	buf_fini(&out);
}

static void
test_a_line_that_lets_the_key_there_lacks_nothing(void **state)
{
	static const char *const lines[] = {
	    KEY,
	    "no-pty " KEY,
	    "restrict,port-forwarding " KEY,
	    "restrict,port-forwarding,permitopen=\"127.0.0.1:1883\" " KEY,
	    "permitopen=\"*:1883\" " KEY,
	    "permitopen=\"127.0.0.1:*\" " KEY,
	    "no-port-forwarding,port-forwarding " KEY,
	};

	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		assert_lacks(lines[i], &broker, LINE_LACKS_NOTHING, "");
}

static void
test_forwarding_is_given_behind_the_last_restrict(void **state)
{
	assert_lacks("restrict " KEY, &broker, LINE_LACKS_FORWARDING,
	    "restrict,port-forwarding,permitopen=\"127.0.0.1:1883\","
	    "permitlisten=\"localhost:1\" " KEY);
	assert_lacks("restrict,pty,RESTRICT,command=\"a,\\\"b\\\" c\" " KEY,
	    &broker, LINE_LACKS_FORWARDING,
	    "restrict,pty,RESTRICT,port-forwarding,command=\"a,\\\"b\\\" c\","
	    "permitopen=\"127.0.0.1:1883\",permitlisten=\"localhost:1\" " KEY);
	assert_lacks(
	    "port-forwarding,permitopen=\"127.0.0.1:1883\",restrict " KEY,
	    &broker, LINE_LACKS_FORWARDING,
	    "permitopen=\"127.0.0.1:1883\",restrict,port-forwarding,"
	    "permitlisten=\"localhost:1\" " KEY);
}

static void
test_what_takes_it_away_by_name_is_left_out(void **state)
{
	assert_lacks("no-port-forwarding " KEY, &broker, LINE_LACKS_FORWARDING,
	    "permitopen=\"127.0.0.1:1883\",permitlisten=\"localhost:1\" " KEY);
	assert_lacks("no-pty,No-Port-Forwarding,no-user-rc " KEY, &broker,
	    LINE_LACKS_FORWARDING,
	    "no-pty,no-user-rc,permitopen=\"127.0.0.1:1883\","
	    "permitlisten=\"localhost:1\" " KEY);
}

static void
test_a_target_is_added_to_those_that_are_permitted(void **state)
{
	static const struct line_target six = {
	    .host = "::1", .port = 1883, .text = "[::1]:1883"};

	assert_lacks("permitopen=\"127.0.0.1:8883\" " KEY, &broker,
	    LINE_LACKS_TARGET,
	    "permitopen=\"127.0.0.1:8883\",permitopen=\"127.0.0.1:1883\" " KEY);
	/* Letter by letter. */
	assert_lacks("permitopen=\"localhost:1883\" " KEY, &broker,
	    LINE_LACKS_TARGET,
	    "permitopen=\"localhost:1883\",permitopen=\"127.0.0.1:1883\" " KEY);
	assert_lacks("permitopen=\"[::1]:8883\" " KEY, &six, LINE_LACKS_TARGET,
	    "permitopen=\"[::1]:8883\",permitopen=\"[::1]:1883\" " KEY);
}

static void
test_what_it_permits_already_is_not_said_again(void **state)
{
	assert_lacks("restrict,permitopen=\"127.0.0.1:1883\","
		     "permitlisten=\"localhost:8080\" " KEY,
	    &broker, LINE_LACKS_FORWARDING,
	    "restrict,port-forwarding,permitopen=\"127.0.0.1:1883\","
	    "permitlisten=\"localhost:8080\" " KEY);
}

static void
assert_taker(const char *text, const char *taker)
{
	struct authorized_keys_line line;

	parse(text, &line);
	assert_string_equal(line_lacks_taker(&line), taker);
}

static void
test_who_takes_it_away_is_the_last_that_does(void **state)
{
	assert_taker("restrict " KEY, "restrict without port-forwarding");
	assert_taker(
	    "port-forwarding,restrict " KEY, "restrict behind port-forwarding");
	assert_taker("restrict,port-forwarding,no-port-forwarding " KEY,
	    "no-port-forwarding");
	assert_taker("no-port-forwarding,restrict " KEY,
	    "restrict without port-forwarding");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_line_that_lets_the_key_there_lacks_nothing),
	    cmocka_unit_test(test_forwarding_is_given_behind_the_last_restrict),
	    cmocka_unit_test(test_what_takes_it_away_by_name_is_left_out),
	    cmocka_unit_test(
		test_a_target_is_added_to_those_that_are_permitted),
	    cmocka_unit_test(test_what_it_permits_already_is_not_said_again),
	    cmocka_unit_test(test_who_takes_it_away_is_the_last_that_does),
	};

	return cmocka_run_group_tests_name("line_lacks", tests, NULL, NULL);
}
