#include "authorized_keys.h"
#include "sample_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

static struct authorized_keys_line line;

static enum authorized_keys_result
parse(const char *text)
{
	return authorized_keys_parse(span_of_str(text), &line);
}

/* Options in front of a good key. */
static enum authorized_keys_result
parse_options(const char *options)
{
	static char text[8192];

	snprintf(text, sizeof text, "%s " KEY_ED " comment", options);
	return parse(text);
}

static void
assert_void(const char *options, enum authorized_keys_fault fault)
{
	if (parse_options(options) != AUTHORIZED_KEYS_VOID ||
	    line.fault != fault)
		fail_msg("%s: fault %s, not %s", options,
		    authorized_keys_fault_name(line.fault),
		    authorized_keys_fault_name(fault));
}

static void
assert_key(const char *options)
{
	if (parse_options(options) != AUTHORIZED_KEYS_KEY)
		fail_msg(
		    "%s: %s", options, authorized_keys_fault_name(line.fault));
}

static void
assert_span(struct span s, const char *text)
{
	char copy[256];

	assert_true(span_to_str(s, copy, sizeof copy));
	assert_string_equal(copy, text);
}

static void
test_a_bare_key_may_do_everything(void **state)
{
	assert_int_equal(parse(KEY_ED " me@here now"), AUTHORIZED_KEYS_KEY);
	assert_int_equal(line.key.type, PUBKEY_ED25519);
	assert_span(line.comment, "me@here now");
	assert_span(line.base64, KEY_ED_BASE64);
	assert_int_equal(line.options.len, 0);
	assert_true(line.rights.port_forwarding && line.rights.pty);
	assert_false(line.is_restricted || line.is_authority);
	assert_int_equal(line.blob_len, 51);
}

static void
test_blanks_may_stand_before_and_between(void **state)
{
	assert_int_equal(parse(" \t ssh-ed25519 \t " KEY_ED_BASE64 "\t c"),
	    AUTHORIZED_KEYS_KEY);
	assert_span(line.comment, "c");
	assert_int_equal(parse("\tno-pty \t" KEY_ED), AUTHORIZED_KEYS_KEY);
}

static void
test_blank_lines_and_comments_are_empty(void **state)
{
	assert_int_equal(parse(""), AUTHORIZED_KEYS_EMPTY);
	assert_int_equal(parse(" \t"), AUTHORIZED_KEYS_EMPTY);
	assert_int_equal(parse("\r"), AUTHORIZED_KEYS_EMPTY);
	assert_int_equal(parse("# " KEY_ED), AUTHORIZED_KEYS_EMPTY);
	assert_int_equal(parse("  # x"), AUTHORIZED_KEYS_EMPTY);
}

static void
test_a_zero_byte_ends_the_line(void **state)
{
	static const char text[] = KEY_ED "\0 never seen";

	assert_int_equal(
	    authorized_keys_parse(span_of(text, sizeof text - 1), &line),
	    AUTHORIZED_KEYS_KEY);
	assert_int_equal(line.comment.len, 0);
}

static void
test_option_names_know_no_case(void **state)
{
	assert_key("No-PTY,NO-x11-FORWARDING,Command=\"x\",RESTRICT");
	assert_false(line.rights.pty);
	assert_span(line.command, "x");
}

static void
test_flags_act_from_left_to_right(void **state)
{
	assert_key("restrict,port-forwarding");
	assert_true(line.rights.port_forwarding);
	assert_false(line.rights.pty);
	assert_key("port-forwarding,restrict");
	assert_false(line.rights.port_forwarding);
	assert_true(line.is_restricted);
	assert_key("no-pty,pty");
	assert_true(line.rights.pty);
}

static void
test_every_known_option_is_taken(void **state)
{
	assert_key("restrict,cert-authority,port-forwarding,"
		   "no-port-forwarding,agent-forwarding,no-agent-forwarding,"
		   "x11-forwarding,no-X11-forwarding,pty,no-pty,user-rc,"
		   "no-user-rc,no-touch-required,verify-required,"
		   "command=\"c\",principals=\"p\",from=\"10.0.0.1\","
		   "expiry-time=\"20300101\",environment=\"A=b\","
		   "permitopen=\"h:1\",permitlisten=\"1\",tunnel=\"0\"");
	assert_true(line.is_authority && line.verify_required);
	assert_false(line.touch_required);
	assert_int_equal(line.permitopens, 1);
	assert_int_equal(line.permitlistens, 1);
	assert_span(line.principals, "p");
	assert_key("touch-required,no-verify-required,tunnel=\"any\"");
	assert_true(line.touch_required);
	assert_false(line.verify_required);
}

static void
test_unknown_options_void_the_line(void **state)
{
	assert_void("no-such", FAULT_UNKNOWN);
	assert_span(line.fault_text, "no-such");
	assert_void("pty,permit-open=\"h:1\"", FAULT_UNKNOWN);
	assert_span(line.fault_text, "permit-open");
	assert_void("no-restrict", FAULT_UNKNOWN);
	assert_void("no-cert-authority", FAULT_UNKNOWN);
	assert_void("no-command=\"x\"", FAULT_UNKNOWN);
	assert_void("ptyx", FAULT_UNKNOWN);
	assert_span(line.fault_text, "ptyx");
}

static void
test_second_clauses_void_the_line(void **state)
{
	assert_void("command=\"a\",command=\"b\"", FAULT_DOUBLE);
	assert_int_equal(line.fault_option, OPTION_COMMAND);
	assert_void("from=\"*\",from=\"*\"", FAULT_DOUBLE);
	assert_void(
	    "cert-authority,principals=\"a\",principals=\"b\"", FAULT_DOUBLE);
	assert_key("no-pty,no-pty");
}

static void
test_values_must_stand_in_quotes(void **state)
{
	assert_void("command", FAULT_NO_VALUE);
	assert_void("command=x", FAULT_NO_QUOTE);
	assert_void("command=", FAULT_NO_QUOTE);
	assert_void("command=\"x\"y", FAULT_TAIL);
	assert_void("command =\"x\"", FAULT_TYPE);
	assert_int_equal(parse("command=\"x " KEY_ED), AUTHORIZED_KEYS_VOID);
	assert_int_equal(line.fault, FAULT_QUOTE_OPEN);
}

static void
test_quotes_hold_blanks_commas_and_escaped_quotes(void **state)
{
	char text[64];

	assert_key("command=\"echo \\\"a, b\\\" #c\",no-pty");
	assert_string_equal(
	    authorized_keys_unquote(line.command, text, sizeof text),
	    "echo \"a, b\" #c");
	assert_false(line.rights.pty);
	/* Only a quote can be escaped: a backslash stands for itself. */
	assert_key("command=\"a\\\\b\"");
	assert_string_equal(
	    authorized_keys_unquote(line.command, text, sizeof text), "a\\\\b");
}

static void
test_empty_options_are_passed_over(void **state)
{
	assert_key(",no-pty,,pty,");
	assert_true(line.rights.pty);
}

static void
test_a_blank_after_a_comma_voids_the_line(void **state)
{
	assert_void("no-pty, pty", FAULT_TYPE);
	assert_span(line.fault_text, "pty");
}

static void
test_a_comma_before_the_key_voids_the_line(void **state)
{
	assert_int_equal(
	    parse("command=\"/bin/false\"," KEY_ED), AUTHORIZED_KEYS_VOID);
	assert_int_equal(line.fault, FAULT_TYPE);
	assert_int_equal(authorized_keys_column(&line, line.fault_text), 34);
}

static void
test_the_earliest_expiry_wins(void **state)
{
	assert_key("expiry-time=\"20300102Z\",expiry-time=\"20300101Z\","
		   "expiry-time=\"20300103Z\"");
	assert_int_equal(line.expires_s, 1893456000);
}

static void
test_expiry_times_have_three_lengths_and_two_zones(void **state)
{
	setenv("TZ", "XXX-2", 1);
	tzset();
	assert_key("expiry-time=\"20300101Z\"");
	assert_int_equal(line.expires_s, 1893456000);
	assert_key("expiry-time=\"203001010101utc\"");
	assert_int_equal(line.expires_s, 1893456000 + 3660);
	assert_key("expiry-time=\"20300101000001z\"");
	assert_int_equal(line.expires_s, 1893456000 + 1);
	assert_key("expiry-time=\"20300101\"");
	assert_int_equal(line.expires_s, 1893456000 - 7200);
	assert_key("expiry-time=\"2030 1 1 1 1 1Z\"");
	assert_int_equal(line.expires_s, 1893456000 + 3661);
	unsetenv("TZ");
	tzset();
}

static void
test_bad_expiry_times_void_the_line(void **state)
{
	static const char *const bad[] = {"", "Z", "2030", "20301301",
	    "20300132", "203001012400", "2030-01-01", "19690101Z", "2030010a",
	    "20300101 ", "20301 1 ", "2030  01"};
	char text[64];

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		snprintf(text, sizeof text, "expiry-time=\"%s\"", bad[i]);
		assert_void(text, FAULT_EXPIRY);
	}
}

static void
test_the_environment_names_identity_and_role(void **state)
{
	assert_key("environment=\"LANG=C\",environment=\"KAYA_ID=pump-7\","
		   "environment=\"KAYA_ROLE=valve\","
		   "environment=\"KAYA_ID=second\"");
	assert_span(line.identity, "pump-7");
	assert_span(line.role, "valve");
	assert_key("environment=\"KAYA_ID=\"");
	assert_non_null(line.identity.data);
	assert_int_equal(line.identity.len, 0);
	assert_void("environment=\"\"", FAULT_ENVIRONMENT);
	assert_void("environment=\"x\"", FAULT_ENVIRONMENT);
	assert_void("environment=\"=x\"", FAULT_ENVIRONMENT);
	assert_void("environment=\"a-b=x\"", FAULT_ENVIRONMENT);
}

static void
assert_permit(enum authorized_keys_option_id id, const char *value,
    const char *host, uint16_t port)
{
	struct span h;
	uint16_t p;

	assert_int_equal(
	    authorized_keys_split_permit(id, span_of_str(value), &h, &p),
	    FAULT_NONE);
	assert_span(h, host);
	assert_int_equal(p, port);
}

static void
test_permits_are_cut_into_host_and_port(void **state)
{
	assert_permit(OPTION_PERMITOPEN, "localhost:1883", "localhost", 1883);
	assert_permit(OPTION_PERMITOPEN, "[::1]:1883", "::1", 1883);
	assert_permit(OPTION_PERMITOPEN, "*:*", "*", 0);
	assert_permit(OPTION_PERMITOPEN, "localhost/1883", "localhost", 1883);
	assert_permit(OPTION_PERMITOPEN, "[::1]/1883", "::1", 1883);
	assert_permit(OPTION_PERMITOPEN, ":80", "", 80);
	assert_permit(OPTION_PERMITOPEN, "h: +80", "h", 80);
	assert_permit(OPTION_PERMITLISTEN, "8080", "*", 8080);
	assert_permit(OPTION_PERMITLISTEN, "localhost:1", "localhost", 1);
}

static void
test_bad_permits_void_the_line(void **state)
{
	assert_void("permitopen=\"1883\"", FAULT_PORT);
	assert_void("permitopen=\"localhost\"", FAULT_PORT);
	assert_void("permitopen=\"localhost:\"", FAULT_PORT);
	assert_void("permitopen=\"localhost:0\"", FAULT_PORT);
	assert_void("permitopen=\"localhost:65536\"", FAULT_PORT);
	assert_void("permitopen=\"::1:1883\"", FAULT_PORT);
	assert_void("permitopen=\"[::1]\"", FAULT_PORT);
	assert_void("permitopen=\"[::1]x\"", FAULT_HOST);
	assert_void("permitopen=\"[::1\"", FAULT_HOST);
	assert_void("permitopen=\"/run/x:1\"", FAULT_PORT);
	assert_void("permitlisten=\"localhost/1\"", FAULT_PORT);
	assert_void("permitopen=\"localhost:http\"", FAULT_PORT);
	assert_void("permitopen=\"none\"", FAULT_PORT);
	assert_void("permitlisten=\"none\"", FAULT_PORT);
	assert_void("permitlisten=\"0\"", FAULT_PORT);
	assert_void("permitopen=\"a:1,b:2\"", FAULT_PORT);
}

static void
test_tunnels_are_numbers_or_any(void **state)
{
	assert_key("tunnel=\"ANY\"");
	assert_key("tunnel=\" +1\"");
	assert_void("tunnel=\"x\"", FAULT_TUNNEL);
	assert_void("tunnel=\"\"", FAULT_TUNNEL);
}

static void
test_principals_need_an_authority(void **state)
{
	assert_void("principals=\"a\"", FAULT_PRINCIPALS);
	assert_key("principals=\"a\",cert-authority");
}

static bool
names(const char *principals, const char *name)
{
	return authorized_keys_has_principal(
	    span_of_str(principals), span_of_str(name));
}

static void
test_principals_are_read_as_far_as_sshd_reads_them(void **state)
{
	char many[41 * 2 + 1] = "";

	assert_true(names("a,b", "a"));
	assert_true(names("a,b", "b"));
	assert_false(names("a,b", "A"));
	assert_false(names("a, b", "b"));
	assert_true(names("a,,b", "a"));
	assert_false(names("a,,b", "b"));
	assert_false(names("a,,b", ""));
	assert_false(names(",a", "a"));
	assert_false(names("", ""));
	assert_false(
	    authorized_keys_has_principal(span_of(NULL, 0), span_of_str("a")));
	for (int i = 0; i < 39; i++)
		strcat(many, "x,");
	strcat(many, "y,z");
	assert_true(names(many, "y"));
	assert_true(names(many, "z"));
}

static void
test_a_damaged_key_is_told_apart(void **state)
{
	static const struct {
		const char *text;
		enum authorized_keys_fault fault;
	} rows[] = {
	    {"ssh-ed25519", FAULT_NO_KEY},
	    {"ssh-ed25519 ", FAULT_NO_KEY},
	    {"no-pty", FAULT_NO_KEY},
	    {"no-pty ssh-ed25519", FAULT_NO_KEY},
	    {"ssh-ed25519 AAAA!", FAULT_BASE64},
	    {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN6nktejJNk5YssJHz1m2+C6",
		FAULT_CUT_OFF},
	    {"ssh-rsa " KEY_ED_BASE64, FAULT_TYPE_MISMATCH},
	    {"ssh-ed25519 AAAA", FAULT_CUT_OFF},
	    {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI", FAULT_CUT_OFF},
	    {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA", FAULT_CUT_OFF},
	    {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAB", FAULT_CUT_OFF},
	    {"ssh-ed25519 AAAAC3NzaC1lZDI1!TE5AAAAIAB", FAULT_BASE64},
	    {"ssh-ed25519 AAAABGFiY2Q=", FAULT_MALFORMED},
	    {KEY_CERT, FAULT_CERTIFICATE},
	    {"nonsense", FAULT_NO_KEY},
	    {"non sense", FAULT_TYPE},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(parse(rows[i].text), AUTHORIZED_KEYS_VOID);
		if (line.fault != rows[i].fault)
			fail_msg("%s: %s", rows[i].text,
			    authorized_keys_fault_name(line.fault));
	}
}

static void
test_a_line_cut_anywhere_is_never_another_key(void **state)
{
	static const char whole[] = "restrict,port-forwarding,permitopen="
				    "\"127.0.0.1:1883\" " KEY_ED " c";
	size_t key_end = strlen(whole) - 2;

	for (size_t len = 0; len < strlen(whole); len++) {
		char *copy = malloc(len + 1);
		enum authorized_keys_result r;

		memcpy(copy, whole, len);
		r = authorized_keys_parse(span_of(copy, len), &line);
		if (len == 0)
			assert_int_equal(r, AUTHORIZED_KEYS_EMPTY);
		else
			assert_int_equal(r, len >= key_end
						? AUTHORIZED_KEYS_KEY
						: AUTHORIZED_KEYS_VOID);
		free(copy);
	}
}

static void
test_options_can_be_walked_in_order(void **state)
{
	struct authorized_keys_option option;
	size_t at = 0;

	assert_key(",restrict,,no-PTY,permitopen=\"a:1\",permitopen=\"b:2\"");
	assert_true(authorized_keys_next(&line, &at, &option));
	assert_int_equal(option.id, OPTION_RESTRICT);
	assert_true(authorized_keys_next(&line, &at, &option));
	assert_int_equal(option.id, OPTION_PTY);
	assert_true(option.negated);
	assert_span(option.name, "no-PTY");
	assert_true(authorized_keys_next(&line, &at, &option));
	assert_span(option.value, "a:1");
	assert_true(authorized_keys_next(&line, &at, &option));
	assert_span(option.value, "b:2");
	assert_false(authorized_keys_next(&line, &at, &option));
}

static void
test_too_many_permits_void_the_line(void **state)
{
	static const char one[] = "permitopen=\"*:1\",";
	size_t n = 4098, len = n * (sizeof one - 1);
	char *text = malloc(len + sizeof KEY_ED + 1);

	for (size_t i = 0; i < n; i++)
		memcpy(text + i * (sizeof one - 1), one, sizeof one - 1);
	memcpy(text + len, " " KEY_ED, sizeof KEY_ED + 1);
	assert_int_equal(parse(text), AUTHORIZED_KEYS_VOID);
	assert_int_equal(line.fault, FAULT_TOO_MANY);
	assert_int_equal(parse(text + sizeof one - 1), AUTHORIZED_KEYS_KEY);
	assert_int_equal(line.permitopens, 4097);
	free(text);
}

static void
test_too_many_variables_void_the_line(void **state)
{
	char text[32 * 1026 + sizeof KEY_ED + 1], *end = text;

	for (size_t i = 0; i < 1026; i++)
		end += sprintf(end, "environment=\"A%zu=b\",", i);
	strcpy(end, " " KEY_ED);
	assert_int_equal(parse(text), AUTHORIZED_KEYS_VOID);
	assert_int_equal(line.fault, FAULT_TOO_MANY);
	assert_int_equal(parse(strchr(text, ',') + 1), AUTHORIZED_KEYS_KEY);
}

static void
test_a_key_in_other_bytes_is_the_same_key(void **state)
{
	static const uint8_t plain[] = "\0\0\0\013ssh-ed25519\0\0\0\040"
				       "0123456789abcdef0123456789abcdef";

	/* A zero byte behind the type. */
	assert_int_equal(parse("ssh-ed25519 AAAADHNzaC1lZDI1NTE5AAAAACAwMTIzND"
			       "U2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZg== c"),
	    AUTHORIZED_KEYS_KEY);
	assert_int_equal(line.blob_len, sizeof plain - 1);
	assert_memory_equal(line.blob, plain, sizeof plain - 1);
	/* One within it. */
	assert_int_equal(parse("ssh-ed25519 AAAADHNzaC0AZWQyNTUxOQAAACAwMTIzND"
			       "U2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZg== c"),
	    AUTHORIZED_KEYS_VOID);
}

static void
test_lines_of_a_file_are_numbered(void **state)
{
	struct span file = span_of_str("a\n\nb"), text;
	size_t at = 0, number = 0;

	assert_true(authorized_keys_next_line(file, &at, &number, &text));
	assert_span(text, "a");
	assert_true(authorized_keys_next_line(file, &at, &number, &text));
	assert_int_equal(text.len, 0);
	assert_true(authorized_keys_next_line(file, &at, &number, &text));
	assert_span(text, "b");
	assert_int_equal(number, 3);
	assert_false(authorized_keys_next_line(file, &at, &number, &text));
	at = number = 0;
	assert_false(
	    authorized_keys_next_line(span_of(NULL, 0), &at, &number, &text));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_bare_key_may_do_everything),
	    cmocka_unit_test(test_blanks_may_stand_before_and_between),
	    cmocka_unit_test(test_blank_lines_and_comments_are_empty),
	    cmocka_unit_test(test_a_zero_byte_ends_the_line),
	    cmocka_unit_test(test_option_names_know_no_case),
	    cmocka_unit_test(test_flags_act_from_left_to_right),
	    cmocka_unit_test(test_every_known_option_is_taken),
	    cmocka_unit_test(test_unknown_options_void_the_line),
	    cmocka_unit_test(test_second_clauses_void_the_line),
	    cmocka_unit_test(test_values_must_stand_in_quotes),
	    cmocka_unit_test(test_quotes_hold_blanks_commas_and_escaped_quotes),
	    cmocka_unit_test(test_empty_options_are_passed_over),
	    cmocka_unit_test(test_a_blank_after_a_comma_voids_the_line),
	    cmocka_unit_test(test_a_comma_before_the_key_voids_the_line),
	    cmocka_unit_test(test_the_earliest_expiry_wins),
	    cmocka_unit_test(
		test_expiry_times_have_three_lengths_and_two_zones),
	    cmocka_unit_test(test_bad_expiry_times_void_the_line),
	    cmocka_unit_test(test_the_environment_names_identity_and_role),
	    cmocka_unit_test(test_permits_are_cut_into_host_and_port),
	    cmocka_unit_test(test_bad_permits_void_the_line),
	    cmocka_unit_test(test_tunnels_are_numbers_or_any),
	    cmocka_unit_test(test_principals_need_an_authority),
	    cmocka_unit_test(
		test_principals_are_read_as_far_as_sshd_reads_them),
	    cmocka_unit_test(test_a_damaged_key_is_told_apart),
	    cmocka_unit_test(test_a_line_cut_anywhere_is_never_another_key),
	    cmocka_unit_test(test_options_can_be_walked_in_order),
	    cmocka_unit_test(test_too_many_permits_void_the_line),
	    cmocka_unit_test(test_too_many_variables_void_the_line),
	    cmocka_unit_test(test_a_key_in_other_bytes_is_the_same_key),
	    cmocka_unit_test(test_lines_of_a_file_are_numbered),
	};

	return cmocka_run_group_tests_name(
	    "authorized_keys", tests, NULL, NULL);
}
