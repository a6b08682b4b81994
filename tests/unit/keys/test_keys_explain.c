#include "keys_explain.h"
#include "sample_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct authorized_keys_line line;

struct sample {
	const char *text;
	const char *code;
	const char *meant; /* NULL: nobody can know */
};

static void
check(const struct sample *s)
{
	struct keys_reason reason;
	const char *told;
	struct buf meant;
	bool mended;

	if (authorized_keys_parse(span_of_str(s->text), &line) !=
	    AUTHORIZED_KEYS_VOID)
		fail_msg("%s: not void", s->text);
	keys_explain(&line, &reason, NULL);
	if (strcmp(reason.code, s->code) != 0)
		fail_msg("%s\n%s, not %s", s->text, reason.code, s->code);
	assert_true(reason.cause[0] != '\0' && reason.remedy[0] != '\0');
	assert_true(reason.column <= strlen(s->text) + 1);
	buf_init(&meant, 1 << 16);
	mended = keys_repair(&line, &meant);
	buf_append(&meant, "", 1);
	told = (const char *)buf_span(&meant).data;
	if (told == NULL || s->meant == NULL) {
		if (mended)
			fail_msg("%s\nwas mended", s->text);
	} else if (!mended || strcmp(told, s->meant) != 0) {
		fail_msg("%s\nwas mended to\n%s", s->text,
		    mended ? told : "nothing");
	}
	buf_fini(&meant);
}

#define CHECK(samples)                                                         \
	for (size_t i_ = 0; i_ < sizeof(samples) / sizeof((samples)[0]); i_++) \
	check(&(samples)[i_])

static void
test_a_comma_before_the_key_is_a_blank(void **state)
{
	static const struct sample samples[] = {
	    {"from=\"192.168.1.*\",command=\"/bin/false\"," KEY_ED " c",
		"comma-before-key",
		"from=\"192.168.1.*\",command=\"/bin/false\" " KEY_ED " c"},
	    {"no-pty," KEY_ED, "comma-before-key", "no-pty " KEY_ED},
	    {"no-pty;" KEY_RSA2048, "comma-before-key", "no-pty " KEY_RSA2048},
	    {"no-pty," KEY_SK_ED, "comma-before-key", "no-pty " KEY_SK_ED},
	    {"no-pty ," KEY_ED, "comma-before-key", "no-pty  " KEY_ED},
	};

	CHECK(samples);
}

static void
test_a_missing_blank_is_put_in(void **state)
{
	static const struct sample samples[] = {
	    {"command=\"x\"" KEY_ED, "blank-missing", "command=\"x\" " KEY_ED},
	    {"no-pty" KEY_ED, "blank-missing", "no-pty " KEY_ED},
	    {"ssh-ed25519," KEY_ED_BASE64, "blank-missing", KEY_ED},
	    {"ssh-ed25519" KEY_ED_BASE64 " c", "blank-missing", KEY_ED " c"},
	    {"no-pty ssh-ed25519:" KEY_ED_BASE64, "blank-missing",
		"no-pty " KEY_ED},
	};

	CHECK(samples);
}

static void
test_blanks_among_the_options_are_taken_out(void **state)
{
	static const struct sample samples[] = {
	    {"no-pty, no-user-rc " KEY_ED, "blank-after-comma",
		"no-pty,no-user-rc " KEY_ED},
	    {"no-pty,  command=\"a, b\",\tpty " KEY_ED, "blank-after-comma",
		"no-pty,command=\"a, b\",pty " KEY_ED},
	    {"no-pty ,pty " KEY_ED, "blank-before-comma", "no-pty,pty " KEY_ED},
	    {"no-pty , pty " KEY_ED, "blank-before-comma",
		"no-pty,pty " KEY_ED},
	    {"command =\"x\" " KEY_ED, "blank-around-equals",
		"command=\"x\" " KEY_ED},
	    {"command= \"x\" " KEY_ED, "blank-around-equals",
		"command=\"x\" " KEY_ED},
	    {"no-pty command=\"x\" " KEY_ED, "blank-between-options",
		"no-pty,command=\"x\" " KEY_ED},
	};

	CHECK(samples);
}

static void
test_quotes_are_made_whole(void **state)
{
	static const struct sample samples[] = {
	    {"command=/bin/false,no-pty " KEY_ED, "value-unquoted",
		"command=\"/bin/false\",no-pty " KEY_ED},
	    {"command='/bin/false',no-pty " KEY_ED, "value-unquoted",
		"command=\"/bin/false\",no-pty " KEY_ED},
	    {"command=echo hello, you " KEY_ED, "value-unquoted",
		"command=\"echo hello, you\" " KEY_ED},
	    {"command=\"/bin/false " KEY_ED, "quote-open",
		"command=\"/bin/false\" " KEY_ED},
	    {"command=/bin/false\" " KEY_ED, "quote-missing",
		"command=\"/bin/false\" " KEY_ED},
	    {"from=\"10.0.0.1,no-pty " KEY_ED, "quote-open",
		"from=\"10.0.0.1\",no-pty " KEY_ED},
	    {"command=\"echo hi,pty " KEY_ED, "quote-open", NULL},
	    {"command=echo hi,restrict,no-pty " KEY_ED, "value-unquoted",
		"command=\"echo hi\",restrict,no-pty " KEY_ED},
	    {"command=echo hi,no-touch-required " KEY_ED, "value-unquoted",
		NULL},
	    {"command\"x\" " KEY_ED, "value-missing", "command=\"x\" " KEY_ED},
	    {"command " KEY_ED, "value-missing", NULL},
	    {"command=\"x", "quote-open", NULL},
	    /* A key within quotes, and a = without any behind it. */
	    {"no\"ty,command=\"x\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA"
	     "environment=\"KAYA_ID=aC1 b",
		"key-type", NULL},
	};

	CHECK(samples);
}

static void
test_look_alikes_are_told_by_name_and_written_plainly(void **state)
{
	static const struct sample samples[] = {
	    {"command=\xe2\x80\x9c"
	     "echo hi\xe2\x80\x9d,no-pty " KEY_ED,
		"curly-quote", "command=\"echo hi\",no-pty " KEY_ED},
	    {"no\xe2\x80\x93pty " KEY_ED, "dash", "no-pty " KEY_ED},
	    {"no-pty\xc2\xa0" KEY_ED, "no-break-space", "no-pty " KEY_ED},
	    {"ssh-ed25519\xe3\x80\x80" KEY_ED_BASE64, "no-break-space", KEY_ED},
	    {"no-pty,\xe2\x80\x8bpty " KEY_ED, "invisible",
		"no-pty,pty " KEY_ED},
	    {"no-pty\xef\xbc\x8cpty " KEY_ED, "fullwidth",
		"no-pty,pty " KEY_ED},
	    {"\xef\xbb\xbf" KEY_ED, "byte-order-mark", KEY_ED},
	};

	CHECK(samples);
}

static void
test_a_foreign_letter_in_the_comment_is_not_blamed(void **state)
{
	static const struct sample samples[] = {
	    {"no-ptty " KEY_ED " \xe2\x80\x9cme\xe2\x80\x9d", "option-unknown",
		"no-pty " KEY_ED " \xe2\x80\x9cme\xe2\x80\x9d"},
	};

	CHECK(samples);
}

static void
test_misspelt_options_become_the_nearest(void **state)
{
	static const struct sample samples[] = {
	    {"restrict,-forwarding " KEY_ED, "option-unknown", NULL},
	    {"permit-open=\"h:1\",no-tty " KEY_ED, "option-unknown",
		"permitopen=\"h:1\",no-pty " KEY_ED},
	    {"restricted " KEY_ED, "option-unknown", "restrict " KEY_ED},
	    /* Its opposite must not be what is proposed. */
	    {"no-restrict " KEY_ED, "option-unknown", NULL},
	    {"zebra " KEY_ED, "option-unknown", NULL},
	    {"command=\"x\"no-pty " KEY_ED, "comma-missing",
		"command=\"x\",no-pty " KEY_ED},
	    {"command=\"x\";no-pty " KEY_ED, "comma-missing",
		"command=\"x\",no-pty " KEY_ED},
	    {"command=\"x\"y " KEY_ED, "option-tail", NULL},
	};

	CHECK(samples);
}

static void
test_doubled_options(void **state)
{
	static const struct sample samples[] = {
	    {"from=\"10.0.0.1\",no-pty,from=\"10.0.0.2\",pty " KEY_ED,
		"option-double",
		"from=\"10.0.0.1,10.0.0.2\",no-pty,pty " KEY_ED},
	    {"command=\"a\",command=\"b\" " KEY_ED, "option-double", NULL},
	};

	CHECK(samples);
}

static void
test_options_behind_the_type_are_moved_before_it(void **state)
{
	static const struct sample samples[] = {
	    {"ssh-ed25519 no-pty,command=\"a b\" " KEY_ED_BASE64 " c",
		"options-behind-type", "no-pty,command=\"a b\" " KEY_ED " c"},
	    {"ssh-ed25519 no-pty", "options-behind-type", NULL},
	};

	CHECK(samples);
}

static void
test_the_type_is_read_from_the_key(void **state)
{
	static const struct sample samples[] = {
	    {"ssh-rsa " KEY_ED_BASE64 " c", "key-type", KEY_ED " c"},
	    {"ed25519 " KEY_ED_BASE64 " c", "key-type", KEY_ED " c"},
	    {"no-pty,rsa " KEY_ED_BASE64, "key-type", "no-pty " KEY_ED},
	    {KEY_ED_BASE64, "type-missing", KEY_ED},
	    {KEY_ED_BASE64 " me@here", "type-missing", KEY_ED " me@here"},
	    {"no-pty " KEY_ED_BASE64, "type-missing", "no-pty " KEY_ED},
	    {"no-pty ed25519 " KEY_ED_BASE64, "key-type", "no-pty " KEY_ED},
	    {"no-pty ed25519\r", "key-type", NULL},
	};

	CHECK(samples);
}

static void
test_damaged_keys_cannot_be_mended(void **state)
{
	static const struct sample samples[] = {
	    {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN6nktejJNk5YssJHz1m2+C6",
		"key-cut-off", NULL},
	    {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN6n?tejJNk5YssJHz1m2+C6",
		"key-base64", NULL},
	    {"H5YssJHz1m2+C6fuaLDx6AD/EVvjOZdI5G", "wrapped", NULL},
	    {"YssJHz1m2+C6fuaLDx6AD/EVvjOZdI5G== me@here", "wrapped", NULL},
	    {"nothing here", "key-type", NULL},
	    {"no-pty", "no-key", NULL},
	    {KEY_CERT, "certificate", NULL},
	};

	CHECK(samples);
}

static void
test_permits_and_times_are_written_out(void **state)
{
	static const struct sample samples[] = {
	    {"permitopen=\"::1:1883\" " KEY_ED, "ipv6-brackets",
		"permitopen=\"[::1]:1883\" " KEY_ED},
	    {"permitopen=\"a:1, b:2\",pty " KEY_ED, "permit-list",
		"permitopen=\"a:1\",permitopen=\"b:2\",pty " KEY_ED},
	    {"permitopen=\"a\" " KEY_ED, "permit-port", NULL},
	    {"permitopen=\"a:99999\" " KEY_ED, "permit-port", NULL},
	    {"permitopen=\"none\" " KEY_ED, "permit-none", NULL},
	    {"permitlisten=\"none\" " KEY_ED, "permit-none",
		"permitlisten=\"localhost:1\" " KEY_ED},
	    {"expiry-time=\"2030-01-31 12:00\" " KEY_ED, "expiry-time",
		"expiry-time=\"203001311200\" " KEY_ED},
	    {"expiry-time=\"2030-1-5T9:00:00\" " KEY_ED, "expiry-time",
		"expiry-time=\"20300105090000\" " KEY_ED},
	    {"expiry-time=\"2030/1/5\" " KEY_ED, "expiry-time",
		"expiry-time=\"20300105\" " KEY_ED},
	    {"expiry-time=\"2030-01-31 12:00-05\" " KEY_ED, "expiry-time",
		NULL},
	    {"expiry-time=\"2030-13-31\" " KEY_ED, "expiry-time", NULL},
	    {"expiry-time=\"20301331\" " KEY_ED, "expiry-time", NULL},
	    {"environment=\"A B=c\" " KEY_ED, "environment", NULL},
	    {"principals=\"a\" " KEY_ED, "principals", NULL},
	};

	CHECK(samples);
}

static void
test_several_faults_are_mended_in_turn(void **state)
{
	static const struct sample samples[] = {
	    {"from=192.168.1.*, no-tty,permitopen=\xe2\x80\x9d"
	     "127.0.0.1:1883\xe2\x80\x9d," KEY_RSA2048 " c",
		"curly-quote",
		"from=\"192.168.1.*\",no-pty,permitopen=\"127.0.0.1:"
		"1883\" " KEY_RSA2048 " c"},
	};

	CHECK(samples);
}

static void
test_foreign_blocks_are_known_by_their_first_line(void **state)
{
	static const struct sample samples[] = {
	    {"-----BEGIN OPENSSH PRIVATE KEY-----", "private-key", NULL},
	    {"-----BEGIN RSA PRIVATE KEY-----", "private-key", NULL},
	    {"PuTTY-User-Key-File-3: ssh-ed25519", "private-key-putty", NULL},
	    {"---- BEGIN SSH2 PUBLIC KEY ----", "ssh2-key", NULL},
	    {"-----BEGIN PUBLIC KEY-----", "pem-key", NULL},
	    {"-----BEGIN CERTIFICATE-----", "pem-block", NULL},
	};

	CHECK(samples);
}

static void
test_utf16_is_known_by_its_zero_bytes(void **state)
{
	static const char le[] = "s\0s\0h\0-\0", bom[] = "\xff\xfes\0s\0";
	struct keys_reason reason;

	assert_int_equal(
	    authorized_keys_parse(span_of(le, 8), &line), AUTHORIZED_KEYS_VOID);
	keys_explain(&line, &reason, NULL);
	assert_string_equal(reason.code, "utf-16");
	assert_int_equal(authorized_keys_parse(span_of(bom, 6), &line),
	    AUTHORIZED_KEYS_VOID);
	keys_explain(&line, &reason, NULL);
	assert_string_equal(reason.code, "utf-16");
}

static void
test_no_piece_of_a_key_gets_into_a_sentence(void **state)
{
	/* As the inner lines of a pasted private key would be. */
	static const char *const texts[] = {
	    "QyNTUxOQAAACDep5LXoyTZOWLLCR89ZtvgunB3b2n5X9mXvYk1eS2Yx5G",
	    "no-pty QyNTUxOQAAACDep5LXoyTZOWLLCR89ZtvgunB3b2n5X9mXvYk1eS2",
	    "QyNTUxOQAAACDep5LXoyTZOWLLCR89ZtvgunB3b2n5X9mXvYk1eS2 ssh x",
	    "command=QyNTUxOQAAACDep5LXoyTZOWLLCR89ZtvgunB3b2n5X9 " KEY_ED,
	    "QyNTUxOQAAACDep5LXoyTZOWLLCR89ZtvgunB3b2n5X9 " KEY_ED,
	};
	struct keys_reason reason;

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		assert_int_equal(
		    authorized_keys_parse(span_of_str(texts[i]), &line),
		    AUTHORIZED_KEYS_VOID);
		keys_explain(&line, &reason, NULL);
		assert_null(strstr(reason.cause, "QyNTUxOQ"));
		assert_null(strstr(reason.remedy, "QyNTUxOQ"));
	}
}

static void
test_any_piece_of_any_line_is_explained_within_its_bounds(void **state)
{
	static const char *const texts[] = {
	    "from=192.168.1.*, no-tty,permitopen=\xe2\x80\x9d"
	    "::1:1883\xe2\x80\x9d," KEY_ED " c",
	    "ssh-ed25519,AAAAC3NzaC1lZDI1NTE5AAAAIN6nktejJNk5YssJHz1m2+C6fua",
	    "command='a', expiry-time=\"2030-1-1\" ed25519 " KEY_ED_BASE64,
	    "permitopen=\"a:1,b:2\",from=\"a\",from=\"b\" " KEY_ED,
	    "ssh-ed25519 no-pty,command=\"a b\" " KEY_ED_BASE64 " c",
	};
	struct keys_reason reason;

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		size_t whole = strlen(texts[i]);

		for (size_t a = 0; a < whole; a++) {
			for (size_t b = a; b <= whole; b += 1 + b % 3) {
				char *copy = malloc(b - a + 1);
				struct buf meant;

				memcpy(copy, texts[i] + a, b - a);
				buf_init(&meant, 1 << 16);
				if (authorized_keys_parse(span_of(copy, b - a),
					&line) == AUTHORIZED_KEYS_VOID) {
					keys_explain(&line, &reason, NULL);
					assert_true(reason.column <= b - a + 1);
					keys_repair(&line, &meant);
				}
				buf_fini(&meant);
				free(copy);
			}
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_comma_before_the_key_is_a_blank),
	    cmocka_unit_test(test_a_missing_blank_is_put_in),
	    cmocka_unit_test(test_blanks_among_the_options_are_taken_out),
	    cmocka_unit_test(test_quotes_are_made_whole),
	    cmocka_unit_test(
		test_look_alikes_are_told_by_name_and_written_plainly),
	    cmocka_unit_test(
		test_a_foreign_letter_in_the_comment_is_not_blamed),
	    cmocka_unit_test(test_misspelt_options_become_the_nearest),
	    cmocka_unit_test(test_doubled_options),
	    cmocka_unit_test(test_options_behind_the_type_are_moved_before_it),
	    cmocka_unit_test(test_the_type_is_read_from_the_key),
	    cmocka_unit_test(test_damaged_keys_cannot_be_mended),
	    cmocka_unit_test(test_permits_and_times_are_written_out),
	    cmocka_unit_test(test_several_faults_are_mended_in_turn),
	    cmocka_unit_test(test_foreign_blocks_are_known_by_their_first_line),
	    cmocka_unit_test(test_utf16_is_known_by_its_zero_bytes),
	    cmocka_unit_test(test_no_piece_of_a_key_gets_into_a_sentence),
	    cmocka_unit_test(
		test_any_piece_of_any_line_is_explained_within_its_bounds),
	};

	return cmocka_run_group_tests_name("keys_explain", tests, NULL, NULL);
}
