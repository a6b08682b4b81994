#include "keys_line.h"
#include "keys_rights.h"
#include "sample_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define NOW 1893456000 /* 2030-01-01 */

#define LOOPBACKS(port)                                                        \
	",permitopen=\"127.0.0.1:" port "\",permitopen=\"localhost:" port      \
	"\",permitopen=\"[::1]:" port "\""
#define TAIL ",permitlisten=\"localhost:1\"," KEYS_LINE_COMMAND

static struct authorized_keys_line key;
static struct buf line;
static struct err err;

static const struct keys_line_wish plain = {
    .identity = "pump-7", .broker_host = "127.0.0.1", .broker_port = 1883};

static int
write_line(struct keys_line_wish wish, const char *key_text)
{
	int result;

	err_clear(&err);
	assert_int_equal(
	    keys_line_take_key(span_of_str(key_text), &key, NULL), 0);
	buf_fini(&line);
	buf_init(&line, KEYS_LINE_MAX_BYTES);
	result = keys_line_write(&wish, &key, NOW, &line, &err);
	return result;
}

static void
expect_line(
    struct keys_line_wish wish, const char *key_text, const char *expected)
{
	if (write_line(wish, key_text) != 0)
		fail_msg("%s", err.what);
	if (!span_is(buf_span(&line), expected))
		fail_msg("\n%.*s\nis not\n%s", (int)buf_len(&line),
		    (const char *)buf_span(&line).data, expected);
	buf_fini(&line);
}

static void
expect_refusal(struct keys_line_wish wish, enum err_code code)
{
	assert_int_equal(write_line(wish, KEY_ED), -1);
	assert_int_equal(err.code, code);
	assert_true(err.what[0] != '\0' && err.hint[0] != '\0');
	buf_fini(&line);
}

/* ---- the line ---- */

static void
the_line_is_tight(void **state)
{
	(void)state;
	expect_line(plain, KEY_ED " pump 7",
	    "restrict,port-forwarding" LOOPBACKS("1883") TAIL
	    ",environment=\"KAYA_ID=pump-7\" " KEY_ED " pump 7");
}

static void
every_wish_stands_in_it(void **state)
{
	struct keys_line_wish wish = plain;

	(void)state;
	wish.role = "pumps";
	wish.from = "192.0.2.0/24,!192.0.2.1,2001:db8::/32,10.?.*";
	wish.expires = "20991231";
	wish.broker_host = "LocalHost";
	wish.broker_port = 8883;
	expect_line(wish, KEY_RSA2048,
	    "restrict,port-forwarding" LOOPBACKS("8883") TAIL
	    ",from=\"192.0.2.0/24,!192.0.2.1,2001:db8::/32,10.?.*\""
	    ",expiry-time=\"20991231\",environment=\"KAYA_ID=pump-7\""
	    ",environment=\"KAYA_ROLE=pumps\" " KEY_RSA2048);
}

static void
another_host_than_loopback_has_one_spelling(void **state)
{
	struct keys_line_wish wish = plain;

	(void)state;
	wish.broker_host = "broker.example";
	expect_line(wish, KEY_ED,
	    "restrict,port-forwarding,permitopen=\"broker.example:1883\"" TAIL
	    ",environment=\"KAYA_ID=pump-7\" " KEY_ED);
	wish.broker_host = "2001:db8::1";
	expect_line(wish, KEY_ED,
	    "restrict,port-forwarding,permitopen=\"[2001:db8::1]:1883\"" TAIL
	    ",environment=\"KAYA_ID=pump-7\" " KEY_ED);
}

static void
a_comment_comes_in_as_text(void **state)
{
	(void)state;
	expect_line(plain, KEY_ED " \t pump\x1b[31m 7 \r\n",
	    "restrict,port-forwarding" LOOPBACKS("1883") TAIL
	    ",environment=\"KAYA_ID=pump-7\" " KEY_ED " pump[31m 7");
}

static void
a_value_that_could_end_its_quotes_is_refused(void **state)
{
	static const char *const bad[] = {"a\"", "a\\", "a\n", "a b\"", ""};
	struct keys_line_wish wish;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		wish = plain;
		wish.identity = bad[i];
		expect_refusal(wish, ERR_USAGE);
		wish = plain;
		wish.role = bad[i];
		expect_refusal(wish, ERR_USAGE);
		wish = plain;
		wish.broker_host = bad[i];
		expect_refusal(wish, ERR_USAGE);
		if (bad[i][0] == '\0')
			continue;
		wish = plain;
		wish.from = bad[i];
		expect_refusal(wish, ERR_USAGE);
		wish = plain;
		wish.expires = bad[i];
		expect_refusal(wish, ERR_USAGE);
	}
	wish = plain;
	wish.broker_port = 0;
	expect_refusal(wish, ERR_USAGE);
}

static void
what_the_judge_finds_in_the_line_refuses_it(void **state)
{
	static const char *const froms[] = {
	    "10.0.0.1/8", "!10.0.0.1", "a.example", "10.0.0.1, 10.0.0.2", ""};
	static const char *const dates[] = {"20200101", "2099", "20991301", ""};
	struct keys_line_wish wish;

	(void)state;
	for (size_t i = 0; i < sizeof froms / sizeof froms[0]; i++) {
		wish = plain;
		wish.from = froms[i];
		expect_refusal(wish, ERR_FAILED);
	}
	for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
		wish = plain;
		wish.expires = dates[i];
		expect_refusal(wish, ERR_FAILED);
	}
	assert_int_equal(write_line(plain, KEY_RSA1024), -1);
	assert_int_equal(write_line(plain, KEY_DSA), -1);
	assert_int_equal(write_line(plain, KEY_ED " " KEY_RSA2048), -1);
}

/* ---- the key ---- */

static const char *
take(const char *text)
{
	err_clear(&err);
	return keys_line_take_key(span_of_str(text), &key, &err) == 0
		   ? ""
		   : err.what;
}

static void
the_one_key_of_a_file_is_taken(void **state)
{
	(void)state;
	assert_string_equal(take(KEY_ED), "");
	assert_string_equal(take("# a\n\n  " KEY_ED " c\r\n\n"), "");
	assert_int_equal(key.key.type, PUBKEY_ED25519);
}

static void
no_key_or_more_than_one_is_refused(void **state)
{
	(void)state;
	assert_non_null(strstr(take(""), "no key"));
	assert_non_null(strstr(take("# a\n"), "no key"));
	assert_non_null(strstr(take(KEY_ED "\n" KEY_ED "\n"), "more than one"));
	assert_non_null(strstr(take("restrict " KEY_ED), "options"));
	assert_string_not_equal(take(KEY_CERT), "");
	assert_string_not_equal(take("ssh-ed25519 AAAA"), "");
}

static void
a_private_key_is_named_and_not_repeated(void **state)
{
	static const char *const texts[] = {
	    "-----BEGIN OPENSSH PRIVATE KEY-----\nsecretsecret\n",
	    "\n-----BEGIN RSA PRIVATE KEY-----\nsecretsecret\n",
	    "PuTTY-User-Key-File-3: ssh-ed25519\nsecretsecret\n"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_non_null(strstr(take(texts[i]), "stays on its device"));
		assert_non_null(strstr(err.hint, ".pub"));
		assert_null(strstr(err.what, "secret"));
	}
	/* The lines of one whose first line was lost. */
	take("b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAA");
	assert_null(strstr(err.what, "b3Blb"));
	assert_null(strstr(err.hint, "b3Blb"));
}

static void
other_forms_of_public_keys_are_told_how_to_turn(void **state)
{
	(void)state;
	take("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n");
	assert_non_null(strstr(err.hint, "ssh-keygen -i -f"));
	take("-----BEGIN PUBLIC KEY-----\nAAAA\n");
	assert_non_null(strstr(err.hint, "PKCS8"));
}

/* ---- what a line allows, in words ---- */

static void
expect_rights(const char *text, const char *expected)
{
	struct buf words;

	assert_int_equal(authorized_keys_parse(span_of_str(text), &key),
	    AUTHORIZED_KEYS_KEY);
	buf_init(&words, 4096);
	keys_rights_text(&key, &words);
	if (!span_is(buf_span(&words), expected))
		fail_msg("%s: %.*s", text, (int)buf_len(&words),
		    (const char *)buf_span(&words).data);
	buf_fini(&words);
}

static void
rights_are_told_in_words(void **state)
{
	(void)state;
	expect_rights(KEY_ED, "tunnel anywhere, listen (-R), any command, "
			      "terminal, agent, X11");
	expect_rights("restrict " KEY_ED, "any command");
	expect_rights(
	    "restrict,command=\"x\" " KEY_ED, "nothing but its command");
	expect_rights("restrict,port-forwarding" LOOPBACKS("1883") TAIL
	    ",from=\"10.*\" " KEY_ED,
	    "tunnel to 127.0.0.1:1883; from 10.*");
	expect_rights("restrict,port-forwarding,permitopen=\"localhost:1\","
		      "permitopen=\"*:2\",permitlisten=\"3\","
		      "command=\"x\" " KEY_ED,
	    "tunnel to localhost:1 *:2, listen (-R)");
	expect_rights("cert-authority,restrict,command=\"x\" " KEY_ED,
	    "signs certificates");
	expect_rights(
	    "cert-authority,principals=\"a,b\",restrict,port-forwarding,"
	    "permitlisten=\"localhost:1\",command=\"x\" " KEY_ED,
	    "signs certificates of a,b, tunnel anywhere");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_line_is_tight),
	    cmocka_unit_test(every_wish_stands_in_it),
	    cmocka_unit_test(another_host_than_loopback_has_one_spelling),
	    cmocka_unit_test(a_comment_comes_in_as_text),
	    cmocka_unit_test(a_value_that_could_end_its_quotes_is_refused),
	    cmocka_unit_test(what_the_judge_finds_in_the_line_refuses_it),
	    cmocka_unit_test(the_one_key_of_a_file_is_taken),
	    cmocka_unit_test(no_key_or_more_than_one_is_refused),
	    cmocka_unit_test(a_private_key_is_named_and_not_repeated),
	    cmocka_unit_test(other_forms_of_public_keys_are_told_how_to_turn),
	    cmocka_unit_test(rights_are_told_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
