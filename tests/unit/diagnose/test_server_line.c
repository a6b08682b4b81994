#include "server_line.h"

#include "str.h"
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define BASE64                                                                 \
	"AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
#define KEY "ssh-ed25519 " BASE64 " dan\n"
#define OTHER                                                                  \
	"ssh-ed25519 "                                                         \
	"AAAAC3NzaC1lZDI1NTE5AAAAIB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgEA" \
	" other\n"

enum { NOW_S = 1700000000 };

static uint8_t blob[51];

static int
decode(void **state)
{
	return str_base64_decode(span_of_str(BASE64), blob, sizeof blob) ==
		       sizeof blob
		   ? 0
		   : -1;
}

static struct server_line
find(const char *file, const struct server_line_certificate *certificate)
{
	struct server_line_asker asker = {
	    .blob = span_of(blob, sizeof blob),
	    .now_s = NOW_S,
	    .certificate = certificate,
	};
	struct server_line found;

	assert_true(netaddr_parse(span_of_str("192.0.2.7"), &asker.client));
	server_line_find(span_of_str(file), &asker, &found);
	return found;
}

static void
assert_fact(const char *file, enum server_line_fact fact, size_t line)
{
	struct server_line found = find(file, NULL);

	if (found.fact != fact || found.line != line)
		fail_msg("%s: %d at %zu", file, (int)found.fact, found.line);
}

static void
test_a_key_is_found_where_it_stands(void **state)
{
	assert_fact("", SERVER_LINE_ABSENT, 0);
	assert_fact(OTHER, SERVER_LINE_ABSENT, 0);
	assert_fact("# " KEY OTHER "\n" KEY, SERVER_LINE_ADMITS, 4);
	assert_fact("restrict," KEY, SERVER_LINE_VOID, 1);
	assert_fact("cert-authority " KEY, SERVER_LINE_AUTHORITY, 1);
	assert_fact("expiry-time=\"20200101Z\" " KEY, SERVER_LINE_EXPIRED, 1);
	assert_fact("from=\"10.0.0.0/8\" " KEY, SERVER_LINE_FROM, 1);
	assert_fact("from=\"192.0.2.0/24\" " KEY, SERVER_LINE_ADMITS, 1);
}

static void
test_the_first_that_admits_decides_else_the_first_in_the_way(void **state)
{
	assert_fact(
	    "from=\"10.0.0.1\" " KEY "restrict," KEY, SERVER_LINE_FROM, 1);
	assert_fact("from=\"10.0.0.1\" " KEY KEY, SERVER_LINE_ADMITS, 2);
}

/* ---- certificates, whose authority it is ---- */

/* "a,b" as SSH strings. */
static struct server_line_certificate
names(const char *list, enum server_line_names who, struct buf *out)
{
	struct span rest = span_of_str(list);

	buf_init(out, 256);
	while (rest.len > 0) {
		const uint8_t *comma = memchr(rest.data, ',', rest.len);
		size_t len =
		    comma != NULL ? (size_t)(comma - rest.data) : rest.len;

		wire_put_string32(out, span_of(rest.data, len));
		len += comma != NULL;
		rest = span_of(rest.data + len, rest.len - len);
	}
	return (struct server_line_certificate){.principals = buf_span(out),
	    .user = span_of_str("dan"),
	    .names = who};
}

static void
assert_named(const char *options, const char *list, enum server_line_fact sshd,
    enum server_line_fact kayad)
{
	const enum server_line_fact facts[] = {
	    [SERVER_LINE_SSHD] = sshd, [SERVER_LINE_KAYAD] = kayad};
	char file[300];

	snprintf(file, sizeof file, "%s" KEY, options);
	for (int who = SERVER_LINE_SSHD; who <= SERVER_LINE_KAYAD; who++) {
		struct buf out;
		struct server_line_certificate certificate =
		    names(list, (enum server_line_names)who, &out);
		struct server_line found = find(file, &certificate);

		if (found.fact != facts[who])
			fail_msg("%s for %s at %d: %d", options, list, who,
			    (int)found.fact);
		buf_fini(&out);
	}
}

static void
test_an_authority_lets_in_whom_its_line_or_the_user_name_says(void **state)
{
	assert_named("", "dan", SERVER_LINE_PLAIN, SERVER_LINE_PLAIN);
	assert_named(
	    "cert-authority ", "dan", SERVER_LINE_ADMITS, SERVER_LINE_ADMITS);
	assert_named("cert-authority ", "ann,dan", SERVER_LINE_ADMITS,
	    SERVER_LINE_ADMITS);
	/* To kayad the user name proves nothing. */
	assert_named(
	    "cert-authority ", "ann", SERVER_LINE_USER, SERVER_LINE_ADMITS);
	assert_named(
	    "cert-authority ", "ann,bob", SERVER_LINE_USER, SERVER_LINE_USER);
	/* Without a name it is anybody's to sshd, and nobody's to kayad. */
	assert_named(
	    "cert-authority ", "", SERVER_LINE_ADMITS, SERVER_LINE_USER);
}

static void
test_principals_of_a_line_stand_for_the_user_name(void **state)
{
	assert_named("cert-authority,principals=\"ann,bob\" ", "bob",
	    SERVER_LINE_ADMITS, SERVER_LINE_ADMITS);
	assert_named("cert-authority,principals=\"ann,bob\" ", "dan",
	    SERVER_LINE_PRINCIPALS, SERVER_LINE_PRINCIPALS);
	/* Of two that are meant the user name has to say which. */
	assert_named("cert-authority,principals=\"ann,bob\" ", "ann,bob",
	    SERVER_LINE_ADMITS, SERVER_LINE_USER);
	assert_named("cert-authority,principals=\"ann,dan\" ", "ann,dan,eve",
	    SERVER_LINE_ADMITS, SERVER_LINE_ADMITS);
	assert_named("cert-authority,principals=\"an\" ", "ann",
	    SERVER_LINE_PRINCIPALS, SERVER_LINE_PRINCIPALS);
}

/* ---- what kayad alone passes over ---- */

static void
test_a_line_that_sshd_takes_may_be_void_to_kayad(void **state)
{
	static const char file[] = OTHER "environment=\"KAYA_ID=a/b\" " KEY;
	struct server_line found = find(file, NULL);

	assert_int_equal(found.fact, SERVER_LINE_ADMITS);
	server_line_judge_here(span_of_str(file), &found);
	assert_int_equal(found.fact, SERVER_LINE_VOID_HERE);
	assert_int_equal(found.line, 2);
	assert_non_null(strstr(found.cause, "KAYA_ID"));
	assert_non_null(strstr(found.remedy, "A-Z a-z 0-9"));
}

static void
test_a_fault_of_another_line_is_not_this_ones(void **state)
{
	static const char file[] =
	    "environment=\"KAYA_ID=a/b\" " OTHER KEY "nonsense\n";
	struct server_line found = find(file, NULL);

	server_line_judge_here(span_of_str(file), &found);
	assert_int_equal(found.fact, SERVER_LINE_ADMITS);
	assert_int_equal(found.line, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_key_is_found_where_it_stands),
	    cmocka_unit_test(
		test_the_first_that_admits_decides_else_the_first_in_the_way),
	    cmocka_unit_test(
		test_an_authority_lets_in_whom_its_line_or_the_user_name_says),
	    cmocka_unit_test(test_principals_of_a_line_stand_for_the_user_name),
	    cmocka_unit_test(test_a_line_that_sshd_takes_may_be_void_to_kayad),
	    cmocka_unit_test(test_a_fault_of_another_line_is_not_this_ones),
	};

	return cmocka_run_group_tests_name("server_line", tests, decode, NULL);
}
