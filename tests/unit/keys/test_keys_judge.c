#include "keys_judge.h"
#include "keys_line.h"
#include "sample_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define NOW 1893456000 /* 2030-01-01 */

#define TIGHT_BUT(listen)                                                      \
	"restrict,port-forwarding,permitopen=\"127.0.0.1:1883\","              \
	"permitopen=\"localhost:1883\",permitopen=\"[::1]:1883\"" listen       \
	"," KEYS_LINE_COMMAND
#define LISTEN ",permitlisten=\"localhost:1\""
#define TIGHT  TIGHT_BUT(LISTEN)

static struct keys_findings found;

static void
judge(const char *text)
{
	keys_findings_fini(&found);
	assert_int_equal(keys_judge(span_of_str(text), NOW, &found, NULL), 0);
}

static const struct keys_finding *
find(const char *code)
{
	for (size_t i = 0; i < found.count; i++)
		if (strcmp(found.items[i].code, code) == 0)
			return &found.items[i];
	return NULL;
}

struct sample {
	const char *text; /* one line */
	const char *code; /* NULL: nothing to say */
	enum keys_severity severity;
	const char *meant;
};

static void
check(const struct sample *s)
{
	const struct keys_finding *finding;
	char text[4096];

	snprintf(text, sizeof text, "# first\n%s\n", s->text);
	judge(text);
	if (s->code == NULL) {
		if (found.count > 0)
			fail_msg("%s: %s", s->text, found.items[0].code);
		return;
	}
	finding = find(s->code);
	if (finding == NULL) {
		fail_msg("%s: no %s, but %s", s->text, s->code,
		    found.count > 0 ? found.items[0].code : "nothing");
		return;
	}
	assert_int_equal(finding->line, 2);
	assert_int_equal(finding->severity, s->severity);
	assert_true(finding->cause[0] != '\0' && finding->remedy[0] != '\0');
	if (s->meant == NULL && finding->meant != NULL)
		fail_msg("%s\nwas mended to\n%s", s->text, finding->meant);
	if (s->meant != NULL &&
	    (finding->meant == NULL || strcmp(finding->meant, s->meant) != 0))
		fail_msg("%s\nwas mended to\n%s", s->text,
		    finding->meant == NULL ? "nothing" : finding->meant);
	if (s->meant == NULL)
		return;
	/* What is proposed must not have the same fault. */
	snprintf(text, sizeof text, "%s\n", s->meant);
	judge(text);
	if (find(s->code) != NULL)
		fail_msg("%s has %s still", s->meant, s->code);
}

#define CHECK(samples)                                                         \
	for (size_t i_ = 0; i_ < sizeof(samples) / sizeof((samples)[0]); i_++) \
	check(&(samples)[i_])

static void
test_a_tight_line_is_not_blamed(void **state)
{
	static const struct sample samples[] = {
	    {TIGHT " " KEY_ED " c", NULL},
	    {KEY_ED " me@here", NULL},
	    {"restrict,port-forwarding,environment=\"KAYA_ID=a\" " KEY_ED,
		NULL},
	    {"restrict,command=\"rsync\" " KEY_ED, NULL},
	    {"cert-authority " KEY_ED, NULL},
	    {"from=\"10.0.0.0/8,!10.1.2.3,192.168.1.*,2001:db8::/"
	     "32,::1\" " KEY_ED,
		NULL},
	};

	CHECK(samples);
}

static void
test_an_authority_leaves_the_names_to_its_certificates(void **state)
{
	static const struct sample samples[] = {
	    {"cert-authority,environment=\"KAYA_ID=a\" " KEY_ED,
		"authority-name", KEYS_ERROR, NULL},
	    {"cert-authority,environment=\"KAYA_ROLE=a\" " KEY_ED, NULL},
	    {"cert-authority,principals=\"a,b-7\" " KEY_ED, NULL},
	    {"cert-authority,principals=\"\" " KEY_ED, "principals-list",
		KEYS_WARNING, NULL},
	    {"cert-authority,principals=\"a, b\" " KEY_ED, "principals-list",
		KEYS_WARNING, NULL},
	    {"cert-authority,principals=\"a,,b\" " KEY_ED, "principals-list",
		KEYS_WARNING, NULL},
	    {"cert-authority,principals=\"ann@example.com\" " KEY_ED,
		"principals-list", KEYS_WARNING, NULL},
	};

	CHECK(samples);
}

static void
test_a_void_line_is_explained_and_mended(void **state)
{
	static const struct sample samples[] = {
	    {TIGHT "," KEY_ED " c", "comma-before-key", KEYS_VOID,
		TIGHT " " KEY_ED " c"},
	    {"command=x " KEY_ED, "value-unquoted", KEYS_VOID,
		"command=\"x\" " KEY_ED},
	    {"zebra " KEY_ED, "option-unknown", KEYS_VOID, NULL},
	};

	CHECK(samples);
}

static void
test_sshd_words_stand_with_a_void_line(void **state)
{
	judge("zebra " KEY_ED "\n");
	assert_string_equal(find("option-unknown")->sshd, "unknown key option");
}

static void
test_an_expired_line(void **state)
{
	static const struct sample samples[] = {
	    {"expiry-time=\"20291231Z\" " KEY_ED, "expired", KEYS_VOID, NULL},
	    {"expiry-time=\"20300101Z\" " KEY_ED, "expires-soon", KEYS_NOTE,
		NULL},
	    {"expiry-time=\"20310101Z\" " KEY_ED, NULL},
	};

	CHECK(samples);
	judge("expiry-time=\"20300130Z\" " KEY_ED "\n");
	assert_int_equal(find("expires-soon")->severity, KEYS_NOTE);
	judge("expiry-time=\"20300201Z\" " KEY_ED "\n");
	assert_null(find("expires-soon"));
	judge("expiry-time=\"20291231Z\" " KEY_ED "\n");
	assert_null(find("expires-soon"));
	assert_string_equal(find("expired")->cause,
	    "the line expired at 2029-12-31 00:00:00 UTC");
}

static void
test_weak_keys(void **state)
{
	static const struct sample samples[] = {
	    {KEY_RSA1024, "rsa-short", KEYS_WARNING, NULL},
	    {KEY_DSA, "dsa", KEYS_VOID, NULL},
	    {KEY_RSA2048, NULL},
	};

	CHECK(samples);
}

static void
test_names_that_kayad_does_not_take(void **state)
{
	static const struct sample samples[] = {
	    {"environment=\"KAYA_ID=a/b\" " KEY_ED, "name", KEYS_ERROR, NULL},
	    {"environment=\"KAYA_ROLE=\" " KEY_ED, "name", KEYS_ERROR, NULL},
	};

	CHECK(samples);
}

static void
test_options_behind_the_key_hold_nothing(void **state)
{
	static const struct sample samples[] = {
	    {KEY_ED " no-pty,command=\"a b\" c", "options-behind-key",
		KEYS_ERROR, "no-pty,command=\"a b\" " KEY_ED " c"},
	    {"no-X11-forwarding " KEY_ED " restrict", "options-behind-key",
		KEYS_ERROR, "no-X11-forwarding,restrict " KEY_ED},
	    {KEY_ED " command=\"a", "options-behind-key", KEYS_ERROR, NULL},
	    {KEY_ED " from=\"10.0.0.1\",no-pry c", "options-behind-key",
		KEYS_ERROR, NULL},
	    {KEY_ED " from home", NULL},
	    {KEY_ED " pty", NULL},
	    {KEY_ED " command me", NULL},
	};

	CHECK(samples);
}

static void
test_two_keys_on_a_line_become_two_lines(void **state)
{
	static const struct sample samples[] = {
	    {KEY_ED " a " KEY_ED2 " b", "two-keys", KEYS_ERROR,
		KEY_ED " a\n" KEY_ED2 " b"},
	    /* The second does not get out of the first one's options. */
	    {"restrict " KEY_ED " " KEY_ED2, "two-keys", KEYS_ERROR,
		"restrict " KEY_ED "\nrestrict " KEY_ED2},
	};

	CHECK(samples);
}

static void
test_restrict_behind_port_forwarding(void **state)
{
	static const struct sample samples[] = {
	    {"port-forwarding,permitopen=\"a:1\",restrict,pty " KEY_ED " c",
		"restrict-order", KEYS_ERROR,
		"restrict,port-forwarding,permitopen=\"a:1\",pty " KEY_ED " c"},
	    /* A terminal is not given back with it. */
	    {"pty,no-user-rc,port-forwarding,permitopen=\"a:1\","
	     "restrict " KEY_ED,
		"restrict-order", KEYS_ERROR,
		"restrict,no-user-rc,port-forwarding,permitopen=\"a:"
		"1\" " KEY_ED},
	    /* Nobody knows where to. */
	    {"restrict,port-forwarding,restrict " KEY_ED, "restrict-order",
		KEYS_ERROR, NULL},
	};

	CHECK(samples);
}

static void
test_permitopen_without_forwarding(void **state)
{
	static const struct sample samples[] = {
	    {"restrict,permitopen=\"a:1\" " KEY_ED, "no-forwarding", KEYS_ERROR,
		"restrict,permitopen=\"a:1\",port-forwarding " KEY_ED},
	    {"no-port-forwarding,permitopen=\"a:1\" " KEY_ED, "no-forwarding",
		KEYS_ERROR, NULL},
	    {"restrict " KEY_ED, NULL},
	};

	CHECK(samples);
}

static void
test_permitopen_leaves_remote_forwarding_open(void **state)
{
	static const struct sample samples[] = {
	    {TIGHT_BUT("") " " KEY_ED, "remote-forwarding", KEYS_WARNING,
		TIGHT_BUT("") LISTEN " " KEY_ED},
	    {TIGHT_BUT("") ", " KEY_ED, "remote-forwarding", KEYS_WARNING,
		TIGHT_BUT("") LISTEN " " KEY_ED},
	};

	CHECK(samples);
}

static void
test_a_tunnel_key_with_a_shell(void **state)
{
	static const struct sample samples[] = {
	    {"restrict,port-forwarding,permitopen=\"a:1\"" LISTEN " " KEY_ED,
		"shell", KEYS_WARNING,
		"restrict,port-forwarding,permitopen=\"a:1\"" LISTEN
		"," KEYS_LINE_COMMAND " " KEY_ED},
	    {"no-pty,permitopen=\"a:1\"" LISTEN "," KEYS_LINE_COMMAND
	     " " KEY_ED,
		"unrestricted", KEYS_WARNING,
		"restrict,port-forwarding,no-pty,permitopen=\"a:1\"" LISTEN
		"," KEYS_LINE_COMMAND " " KEY_ED},
	    {"restrict,pty,port-forwarding,permitopen=\"a:1\"" LISTEN
	     "," KEYS_LINE_COMMAND " " KEY_ED,
		NULL},
	};

	CHECK(samples);
}

static void
test_one_spelling_of_loopback_is_not_the_others(void **state)
{
	static const struct sample samples[] = {
	    {"permitopen=\"127.0.0.1:1883\",restrict,port-forwarding" LISTEN
	     "," KEYS_LINE_COMMAND " " KEY_ED,
		"loopback-spelling", KEYS_WARNING,
		"permitopen=\"127.0.0.1:1883\",restrict,port-forwarding" LISTEN
		"," KEYS_LINE_COMMAND ",permitopen=\"localhost:1883\","
		"permitopen=\"[::1]:1883\" " KEY_ED},
	    {"restrict,port-forwarding,permitopen=\"localhost:*\"" LISTEN
	     "," KEYS_LINE_COMMAND " " KEY_ED,
		"loopback-spelling", KEYS_WARNING,
		"restrict,port-forwarding,permitopen=\"localhost:*\"" LISTEN
		"," KEYS_LINE_COMMAND ",permitopen=\"127.0.0.1:*\","
		"permitopen=\"[::1]:*\" " KEY_ED},
	    {"restrict,port-forwarding,permitopen=\"localhost:1\","
	     "permitopen=\"*:1\"" LISTEN "," KEYS_LINE_COMMAND " " KEY_ED,
		NULL},
	};

	CHECK(samples);
}

static void
test_from_lists_that_let_nobody_in(void **state)
{
	static const struct sample samples[] = {
	    {"from=\"10.1.2.3/8\" " KEY_ED, "from-block", KEYS_VOID,
		"from=\"10.0.0.0/8\" " KEY_ED},
	    {"from=\"::1,!2001:db8::1/64\" " KEY_ED, "from-block", KEYS_VOID,
		"from=\"::1,!2001:db8::/64\" " KEY_ED},
	    {"from=\"10.0.0.0/33\" " KEY_ED, "from-block", KEYS_VOID, NULL},
	    {"from=\"10.0.0.1,,10.0.0.2,\" " KEY_ED, "from-empty", KEYS_VOID,
		"from=\"10.0.0.1,10.0.0.2\" " KEY_ED},
	    {"from=\"\" " KEY_ED, "from-empty", KEYS_VOID, NULL},
	    {"from=\"!10.0.0.1,!10.0.0.2\" " KEY_ED, "from-only-negated",
		KEYS_VOID, "from=\"!10.0.0.1,!10.0.0.2,*\" " KEY_ED},
	    {"from=\" 10.0.0.1\" " KEY_ED, "from-blank", KEYS_VOID,
		"from=\"10.0.0.1\" " KEY_ED},
	};

	CHECK(samples);
}

static void
test_from_elements_that_match_nothing(void **state)
{
	static const struct sample samples[] = {
	    {"from=\"10.0.0.1, 10.0.0.2\" " KEY_ED, "from-blank", KEYS_WARNING,
		"from=\"10.0.0.1,10.0.0.2\" " KEY_ED},
	    {"from=\"10.0.0.1,host.example\" " KEY_ED, "from-name",
		KEYS_WARNING, NULL},
	    {"from=\"host.example\" " KEY_ED, "from-name", KEYS_ERROR, NULL},
	    {"from=\"10.0.0.1,192.168.1.*/24\" " KEY_ED, "from-name",
		KEYS_WARNING, NULL},
	    {"from=\"10.0.0.0/33\" " KEY_ED, "from-block", KEYS_VOID, NULL},
	    {"from=\"10.0.0.0/129\" " KEY_ED, "from-block", KEYS_ERROR, NULL},
	};

	CHECK(samples);
}

static void
test_a_port_that_has_a_name_is_told_its_number(void **state)
{
	static const struct sample samples[] = {
	    {"permitopen=\"a:ssh\",permitopen=\"[b]/ssh\",permitlisten=\"ssh\""
	     " " KEY_ED,
		"permit-service", KEYS_ERROR,
		"permitopen=\"a:22\",permitopen=\"[b]/"
		"22\",permitlisten=\"22\" " KEY_ED},
	    {"permitopen=\"a:no-such-service\" " KEY_ED, "permit-port",
		KEYS_VOID, NULL},
	    {"permitopen=\"ssh\" " KEY_ED, "permit-port", KEYS_VOID, NULL},
	    {"permitopen=\"::1:ssh\" " KEY_ED, "ipv6-brackets", KEYS_VOID,
		NULL},
	};

	CHECK(samples);
}

static void
test_a_point_beside_its_curve_lets_nobody_in(void **state)
{
	static const struct sample samples[] = {
	    {"ecdsa-sha2-nistp256 "
	     "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBPaO1OYD"
	     "Yfgm0U2S8ZQv0ws5pba5LnwkAcuv4bgVxZzndeOsemHhZkb9Ib2ENXYspvrb"
	     "35TrthNlo9DlAmI1ow8=",
		"key-malformed", KEYS_VOID, NULL},
	    {KEY_EC256, NULL},
	    {KEY_EC384, NULL},
	    {KEY_EC521, NULL},
	    {KEY_SK_EC, NULL},
	};

	CHECK(samples);
}

static void
test_a_wrapped_line_is_joined(void **state)
{
	const struct keys_finding *f;

	judge("no-pty ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN6nktejJNk5\n"
	      "YssJHz1m2+C6fuaLDx6AD/EV\n"
	      "vjOZdI5G c\n"
	      "zebra " KEY_ED2 "\n");
	assert_int_equal(found.count, 2);
	f = find("wrapped");
	assert_int_equal(f->line, 1);
	assert_int_equal(f->replaces, 3);
	assert_int_equal(f->severity, KEYS_VOID);
	assert_string_equal(f->meant, "no-pty " KEY_ED " c");
	assert_int_equal(found.items[1].line, 4);
}

static void
test_a_line_broken_behind_its_type_or_in_its_options_is_joined(void **state)
{
	judge("ssh-ed25519\n" KEY_ED_BASE64 " c\n");
	assert_string_equal(find("wrapped")->meant, KEY_ED " c");
	judge("no-pty,command=\"echo\nhello\" " KEY_ED "\n");
	assert_string_equal(
	    find("wrapped")->meant, "no-pty,command=\"echo hello\" " KEY_ED);
}

static void
test_options_that_stand_alone_are_told_as_loose(void **state)
{
	const struct keys_finding *f;

	judge("restrict,command=\"x\"\n" KEY_ED "\n");
	f = find("options-alone");
	assert_int_equal(f->severity, KEYS_ERROR);
	assert_int_equal(f->replaces, 2);
	assert_string_equal(f->meant, "restrict,command=\"x\" " KEY_ED);
}

static void
test_a_cut_off_key_does_not_swallow_the_next_line(void **state)
{
	judge(
	    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN6nktejJNk5\n" KEY_ED2 "\n");
	assert_int_equal(found.count, 1);
	assert_string_equal(found.items[0].code, "key-cut-off");
}

static void
test_an_open_quote_does_not_swallow_a_key(void **state)
{
	judge("command=\"echo\n" KEY_SK_ED " c\nhello\" " KEY_ED "\n");
	assert_int_equal(found.count, 2);
	assert_string_equal(found.items[0].code, "quote-open");
	assert_null(found.items[0].meant);
	assert_int_equal(found.items[1].line, 3);
}

static void
test_a_pasted_private_key_is_one_finding(void **state)
{
	judge("-----BEGIN OPENSSH PRIVATE KEY-----\n"
	      "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAA\n"
	      "QyNTUxOQ==\n"
	      "-----END OPENSSH PRIVATE KEY-----\n"
	      "zebra " KEY_ED "\n");
	assert_int_equal(found.count, 2);
	assert_string_equal(found.items[0].code, "private-key");
	assert_int_equal(found.items[1].line, 5);
	judge("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n"
	      "Comment: x\nPublic-Lines: 1\nAAAA\nPrivate-Lines: 1\nAAAA\n"
	      "Private-MAC: 00\n" KEY_ED "\n");
	assert_int_equal(found.count, 1);
	assert_string_equal(found.items[0].code, "private-key-putty");
}

static void
test_a_block_without_end_does_not_swallow_keys(void **state)
{
	judge("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\n" KEY_ED "\n"
	      "zebra " KEY_ED2 "\n");
	assert_int_equal(found.count, 2);
	assert_int_equal(found.items[1].line, 4);
}

static void
test_the_same_key_twice(void **state)
{
	judge("no-pty " KEY_ED "\n" KEY_ED2 "\nno-pty,no-user-rc " KEY_ED "\n");
	assert_int_equal(found.count, 1);
	assert_string_equal(found.items[0].code, "key-twice");
	assert_int_equal(found.items[0].line, 3);
	assert_int_equal(found.items[0].column, 19);
	assert_string_equal(found.items[0].cause,
	    "line 1 has the same key with other options, so that this one has "
	    "no effect");
	judge(KEY_ED "\n" KEY_ED " again\n");
	assert_string_equal(found.items[0].cause,
	    "line 1 has the same key, so that this one has no effect");
}

static void
test_a_login_key_that_another_line_restricts_in_vain(void **state)
{
	judge(KEY_ED " me\n" TIGHT " " KEY_ED "\n");
	assert_int_equal(found.count, 1);
	assert_string_equal(found.items[0].code, "login-key");
	assert_int_equal(found.items[0].severity, KEYS_ERROR);
	assert_int_equal(found.items[0].line, 2);
	/* The other way round sshd never comes to the looser one. */
	judge(TIGHT " " KEY_ED "\n" KEY_ED " me\n");
	assert_int_equal(found.count, 1);
	assert_string_equal(found.items[0].code, "key-twice");
}

static void
test_what_stands_in_two_files_that_are_read_together(void **state)
{
	const struct keys_judge_file files[] = {
	    {"a", span_of_str("environment=\"KAYA_ID=a\" " KEY_ED "\n")},
	    {"b", span_of_str("# b\nrestrict " KEY_EC256 "\n")},
	    {"c", span_of_str("restrict " KEY_ED "\n"
			      "environment=\"KAYA_ID=a\" " KEY_ED2 "\n")},
	};
	struct keys_findings findings[3];

	assert_int_equal(keys_judge_together(files, 3, NOW, findings, NULL), 0);
	assert_int_equal(findings[0].count, 0);
	assert_int_equal(findings[1].count, 0);
	assert_int_equal(findings[2].count, 2);
	assert_int_equal(findings[2].items[0].line, 1);
	assert_non_null(strstr(findings[2].items[0].cause, "a:1 "));
	assert_int_equal(findings[2].items[1].line, 2);
	assert_string_equal(findings[2].items[1].cause,
	    "a:1 gives another key the same identity, a");
	for (size_t i = 0; i < 3; i++)
		keys_findings_fini(&findings[i]);
}

static void
test_a_line_that_may_refuse_leaves_room_for_another(void **state)
{
	judge("from=\"10.0.0.1\" " KEY_ED "\nno-pty " KEY_ED
	      "\ncert-authority " KEY_ED "\n");
	assert_int_equal(found.count, 0);
	judge("cert-authority,principals=\"a\" " KEY_ED
	      "\ncert-authority,principals=\"b\" " KEY_ED
	      "\ncert-authority " KEY_ED "\n");
	assert_int_equal(found.count, 0);
	judge("cert-authority " KEY_ED "\ncert-authority " KEY_ED "\n");
	assert_int_equal(found.count, 1);
	assert_string_equal(found.items[0].code, "key-twice");
}

static void
test_the_same_identity_on_two_keys(void **state)
{
	judge("environment=\"KAYA_ID=a\" " KEY_ED "\n"
	      "environment=\"KAYA_ID=ab\" " KEY_EC256 "\n"
	      "environment=\"KAYA_ID=a\" " KEY_ED2 "\n");
	assert_int_equal(found.count, 1);
	assert_string_equal(found.items[0].code, "identity-twice");
	assert_int_equal(found.items[0].line, 3);
	assert_string_equal(found.items[0].cause,
	    "line 1 gives another key the same identity, a");
}

static void
test_line_ends_are_noted(void **state)
{
	judge("# c\r\n" KEY_ED " c\r\n\r\n");
	assert_int_equal(found.count, 1);
	assert_string_equal(found.items[0].code, "carriage-return");
	assert_int_equal(keys_findings_worst(&found), KEYS_NOTE);
	judge(KEY_ED);
	assert_int_equal(found.count, 1);
	assert_string_equal(found.items[0].code, "no-final-newline");
	judge("");
	assert_int_equal(found.count, 0);
}

static void
test_what_is_meant_has_no_carriage_return(void **state)
{
	judge("no-pty," KEY_ED " c\r\n");
	assert_string_equal(
	    find("comma-before-key")->meant, "no-pty " KEY_ED " c");
	judge(KEY_ED " no-pty,pty\r\n");
	assert_string_equal(
	    find("options-behind-key")->meant, "no-pty,pty " KEY_ED);
}

static void
test_findings_stand_in_the_order_of_lines_gravest_first(void **state)
{
	judge(KEY_ED "\nzebra " KEY_ED "\n"
		     "restrict,permitopen=\"a:1\" " KEY_ED "\n" KEY_ED2);
	assert_int_equal(found.count, 4);
	assert_string_equal(found.items[0].code, "option-unknown");
	assert_string_equal(found.items[1].code, "no-forwarding");
	assert_string_equal(found.items[2].code, "login-key");
	assert_string_equal(found.items[3].code, "no-final-newline");
	assert_int_equal(keys_findings_worst(&found), KEYS_VOID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_tight_line_is_not_blamed),
	    cmocka_unit_test(
		test_an_authority_leaves_the_names_to_its_certificates),
	    cmocka_unit_test(test_a_void_line_is_explained_and_mended),
	    cmocka_unit_test(test_sshd_words_stand_with_a_void_line),
	    cmocka_unit_test(test_an_expired_line),
	    cmocka_unit_test(test_weak_keys),
	    cmocka_unit_test(test_names_that_kayad_does_not_take),
	    cmocka_unit_test(test_options_behind_the_key_hold_nothing),
	    cmocka_unit_test(test_two_keys_on_a_line_become_two_lines),
	    cmocka_unit_test(test_restrict_behind_port_forwarding),
	    cmocka_unit_test(test_permitopen_without_forwarding),
	    cmocka_unit_test(test_permitopen_leaves_remote_forwarding_open),
	    cmocka_unit_test(test_a_tunnel_key_with_a_shell),
	    cmocka_unit_test(test_one_spelling_of_loopback_is_not_the_others),
	    cmocka_unit_test(test_from_lists_that_let_nobody_in),
	    cmocka_unit_test(test_from_elements_that_match_nothing),
	    cmocka_unit_test(test_a_port_that_has_a_name_is_told_its_number),
	    cmocka_unit_test(test_a_point_beside_its_curve_lets_nobody_in),
	    cmocka_unit_test(test_a_wrapped_line_is_joined),
	    cmocka_unit_test(
		test_a_line_broken_behind_its_type_or_in_its_options_is_joined),
	    cmocka_unit_test(test_options_that_stand_alone_are_told_as_loose),
	    cmocka_unit_test(test_a_cut_off_key_does_not_swallow_the_next_line),
	    cmocka_unit_test(test_an_open_quote_does_not_swallow_a_key),
	    cmocka_unit_test(test_a_pasted_private_key_is_one_finding),
	    cmocka_unit_test(test_a_block_without_end_does_not_swallow_keys),
	    cmocka_unit_test(test_the_same_key_twice),
	    cmocka_unit_test(
		test_a_login_key_that_another_line_restricts_in_vain),
	    cmocka_unit_test(
		test_what_stands_in_two_files_that_are_read_together),
	    cmocka_unit_test(
		test_a_line_that_may_refuse_leaves_room_for_another),
	    cmocka_unit_test(test_the_same_identity_on_two_keys),
	    cmocka_unit_test(test_line_ends_are_noted),
	    cmocka_unit_test(test_what_is_meant_has_no_carriage_return),
	    cmocka_unit_test(
		test_findings_stand_in_the_order_of_lines_gravest_first),
	};
	int failed =
	    cmocka_run_group_tests_name("keys_judge", tests, NULL, NULL);

	keys_findings_fini(&found);
	return failed;
}
