#include "allowed_signers.h"
#include "authorized_keys.h"
#include "keys_pattern.h"
#include "sample_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define NAMESPACE "kaya-command"

static struct err last;
static size_t faults;

static void
note(const struct err *fault, void *arg)
{
	if (faults++ == 0)
		last = *fault;
}

static int
parse(struct allowed_signers *signers, const char *text)
{
	faults = 0;
	err_clear(&last);
	return allowed_signers_parse(
	    signers, span_of_str(text), "signers", note, NULL);
}

static struct span
blob_of(const char *key)
{
	static struct authorized_keys_line line;

	assert_int_equal(authorized_keys_parse(span_of_str(key), &line),
	    AUTHORIZED_KEYS_KEY);
	return span_of(line.blob, line.blob_len);
}

static enum allowed_signers_result
find_at(const struct allowed_signers *signers, const char *key, int64_t now_s,
    const struct allowed_signer **signer)
{
	return allowed_signers_find(
	    signers, blob_of(key), NAMESPACE, now_s, signer);
}

static void
test_the_first_line_that_lets_a_key_sign_counts(void **state)
{
	const struct allowed_signer *signer;
	struct allowed_signers signers;

	assert_int_equal(
	    parse(&signers, "# who may\n\n"
			    "ann namespaces=\"file,git\" " KEY_ED "\n"
			    "ann@home " KEY_ED " a comment\r\n"
			    "ann@work " KEY_ED "\n"
			    "\t\"bob smith\" " KEY_ED2 "\n"),
	    0);
	assert_int_equal(signers.count, 4);
	assert_int_equal(
	    find_at(&signers, KEY_ED, 1, &signer), ALLOWED_SIGNERS_FOUND);
	assert_true(span_is(signer->principals, "ann@home"));
	assert_int_equal(signer->line, 4);
	assert_int_equal(
	    find_at(&signers, KEY_ED2, 1, &signer), ALLOWED_SIGNERS_FOUND);
	assert_true(span_is(signer->principals, "bob smith"));
	assert_int_equal(
	    find_at(&signers, KEY_EC256, 1, &signer), ALLOWED_SIGNERS_UNKNOWN);
	assert_null(signer);
	allowed_signers_fini(&signers);
}

static void
test_times_and_namespaces_bound_a_key(void **state)
{
	static const struct {
		const char *options;
		int64_t now_s;
		enum allowed_signers_result result;
	} rows[] = {
	    {"namespaces=\"" NAMESPACE "\"", 1, ALLOWED_SIGNERS_FOUND},
	    {"namespaces=\"git,kaya-*\"", 1, ALLOWED_SIGNERS_FOUND},
	    {"NAMESPACES=\"git,kaya-c?mmand\"", 1, ALLOWED_SIGNERS_FOUND},
	    {"namespaces=\"git\"", 1, ALLOWED_SIGNERS_NAMESPACE},
	    {"namespaces=\"*,!kaya-*\"", 1, ALLOWED_SIGNERS_NAMESPACE},
	    {"namespaces=\"Kaya-Command\"", 1, ALLOWED_SIGNERS_NAMESPACE},
	    {"namespaces=\"\"", 1, ALLOWED_SIGNERS_NAMESPACE},
	    {"valid-after=\"20200101Z\"", 1577836799, ALLOWED_SIGNERS_NOT_YET},
	    {"valid-after=\"20200101Z\"", 1577836800, ALLOWED_SIGNERS_FOUND},
	    {"valid-before=\"20200101Z\"", 1577836800, ALLOWED_SIGNERS_FOUND},
	    {"valid-before=\"20200101Z\"", 1577836801, ALLOWED_SIGNERS_OVER},
	    {"cert-authority", 1, ALLOWED_SIGNERS_UNKNOWN},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct allowed_signer *signer;
		struct allowed_signers signers;
		char text[512];

		snprintf(text, sizeof text, "ann %s " KEY_ED, rows[i].options);
		assert_int_equal(parse(&signers, text), 0);
		assert_int_equal(
		    find_at(&signers, KEY_ED, rows[i].now_s, &signer),
		    rows[i].result);
		allowed_signers_fini(&signers);
	}
}

static void
test_a_line_that_cannot_be_read_is_told_with_its_place(void **state)
{
	static const char *const lines[] = {
	    "ann",
	    "ann ",
	    "\"ann " KEY_ED,
	    KEY_ED,
	    "ann ssh-ed25519 AAAA",
	    "ann ssh-ed25519",
	    "ann restrict " KEY_ED,
	    "ann cert-authority, " KEY_ED,
	    "ann cert-authorityx " KEY_ED,
	    "ann namespaces=git " KEY_ED,
	    "ann namespaces=\"git " KEY_ED,
	    "ann namespaces=\"a\",namespaces=\"b\" " KEY_ED,
	    "ann valid-after=\"yesterday\" " KEY_ED,
	    "ann valid-after=\"20200101Z\",valid-before=\"20200101Z\" " KEY_ED,
	    "ann valid-before=\"20200101\",valid-before=\"20210101\" " KEY_ED,
	    "ann namespaces=\"a\" restrict " KEY_ED,
	};

	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct allowed_signers signers;
		char text[512];

		snprintf(text, sizeof text, "bob " KEY_ED2 "\n%s\n", lines[i]);
		if (parse(&signers, text) != -1)
			fail_msg("taken: %s", lines[i]);
		assert_int_equal(faults, 1);
		assert_int_equal(signers.count, 0);
		assert_string_equal(last.where, "signers:2");
		assert_string_not_equal(last.hint, "");
	}
}

static void
test_patterns_are_ssh_s(void **state)
{
	static const struct {
		const char *text, *list;
		enum keys_pattern_result result;
	} rows[] = {
	    {"ann", "ann", KEYS_PATTERN_MATCH},
	    {"ann", "Ann", KEYS_PATTERN_NO_MATCH},
	    {"ann", "bob,a*", KEYS_PATTERN_MATCH},
	    {"ann", "*,!ann", KEYS_PATTERN_DENIED},
	    {"ann", "!ann,*", KEYS_PATTERN_DENIED},
	    {"ann", "!bob", KEYS_PATTERN_NO_MATCH},
	    {"ann", "a?n,", KEYS_PATTERN_MATCH},
	    {"", "", KEYS_PATTERN_MATCH},
	    {"ann", "", KEYS_PATTERN_NO_MATCH},
	    {"ann@x.plant", "*@*.plant", KEYS_PATTERN_MATCH},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(keys_pattern_list(span_of_str(rows[i].text),
				     span_of_str(rows[i].list)),
		    rows[i].result);
}

/* ---- the same, as ssh-keygen says it ---- */

static char folder[] = "/tmp/kaya-test-XXXXXX";

static struct span
read_key(char line[1024])
{
	FILE *file = fopen("key.pub", "r");

	assert_non_null(file);
	assert_non_null(fgets(line, 1024, file));
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	return blob_of(line);
}

static bool
ssh_keygen_agrees(const char *line)
{
	FILE *file = fopen("signers", "w");

	assert_non_null(file);
	fputs(line, file);
	fclose(file);
	return system("ssh-keygen -q -Y verify -f signers -I ann -n " NAMESPACE
		      " -s message.sig <message >/dev/null 2>&1") == 0;
}

static bool
we_agree(const char *line, struct span key)
{
	const struct allowed_signer *signer;
	struct allowed_signers signers;
	bool agrees;

	agrees = parse(&signers, line) == 0 &&
		 allowed_signers_find(&signers, key, NAMESPACE,
		     (int64_t)time(NULL), &signer) == ALLOWED_SIGNERS_FOUND &&
		 keys_pattern_list(span_of_str("ann"), signer->principals) ==
		     KEYS_PATTERN_MATCH;
	allowed_signers_fini(&signers);
	return agrees;
}

static void
test_ssh_keygen_says_the_same_of_each_line(void **state)
{
	static const char *const fronts[] = {"", "ann", "Ann", "a*", "bob,ann",
	    "*,!ann", "bob", "\"ann\"", "\"ann", "#ann", " ann", "\tann"};
	static const char *const options[] = {"", "namespaces=\"kaya-command\"",
	    "namespaces=\"kaya-*\"", "namespaces=\"git\"",
	    "namespaces=\"*,!kaya-command\"", "Namespaces=\"git,kaya-?ommand\"",
	    "namespaces=kaya-command", "namespaces=\"\"",
	    "namespaces=\"kaya-command\",namespaces=\"kaya-command\"",
	    "valid-after=\"20200101\"", "valid-after=\"29990101\"",
	    "valid-before=\"29990101Z\"", "valid-before=\"20200101120000\"",
	    "valid-after=\"20200101\",valid-before=\"29990101\"",
	    "valid-after=\"29990101\",valid-before=\"20200101\"",
	    "valid-after=\"2020\"", "valid-after=\"20201301\"",
	    "cert-authority", "restrict", "no-touch-required",
	    "namespaces=\"kaya-command\",", ",namespaces=\"kaya-command\"",
	    "namespaces=\"kaya-command\",,cert-authority", ","};
	char key[1024], line[2048];
	struct span blob;
	size_t good = 0;

	if (system("command -v ssh-keygen >/dev/null") != 0) {
		print_message("ssh-keygen is not installed\n");
		skip();
	}
	assert_int_equal(system("ssh-keygen -q -t ed25519 -N '' -f key && "
				"echo hello >message && ssh-keygen -q -Y sign "
				"-f key -n " NAMESPACE " message 2>/dev/null"),
	    0);
	blob = read_key(key);
	for (size_t f = 0; f < sizeof fronts / sizeof fronts[0]; f++) {
		for (size_t o = 0; o < sizeof options / sizeof options[0];
		     o++) {
			bool theirs;

			snprintf(line, sizeof line, "%s%s%s%s%s\n", fronts[f],
			    fronts[f][0] != '\0' ? " " : "", options[o],
			    options[o][0] != '\0' ? " " : "", key);
			theirs = ssh_keygen_agrees(line);
			if (we_agree(line, blob) != theirs)
				fail_msg("ssh-keygen %s: %s",
				    theirs ? "agrees" : "does not", line);
			good += theirs;
		}
	}
	assert_in_range(good, 20, 60);
}

static int
set_up(void **state)
{
	return mkdtemp(folder) == NULL || chdir(folder) != 0 ? -1 : 0;
}

static int
tear_down(void **state)
{
	char command[64];

	snprintf(command, sizeof command, "rm -r '%s'", folder);
	return chdir("/") != 0 ? -1 : system(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_first_line_that_lets_a_key_sign_counts),
	    cmocka_unit_test(test_times_and_namespaces_bound_a_key),
	    cmocka_unit_test(
		test_a_line_that_cannot_be_read_is_told_with_its_place),
	    cmocka_unit_test(test_patterns_are_ssh_s),
	    cmocka_unit_test(test_ssh_keygen_says_the_same_of_each_line),
	};

	return cmocka_run_group_tests_name(
	    "allowed_signers", tests, set_up, tear_down);
}
