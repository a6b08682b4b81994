#include "enroll_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	char dir[64];
	struct enroll_place place;
	struct buf line;
	struct err err;
};

static int
set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);

	assert_non_null(fixture);
	strcpy(fixture->dir, "/tmp/kaya-place-XXXXXX");
	assert_non_null(mkdtemp(fixture->dir));
	buf_init(&fixture->line, 4096);
	assert_int_equal(
	    enroll_place_find(&fixture->place, "dan@gateway.example:2222",
		fixture->dir, &fixture->err),
	    0);
	*state = fixture;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *fixture = *state;
	char command[100];

	snprintf(command, sizeof command, "rm -r %s", fixture->dir);
	buf_fini(&fixture->line);
	assert_int_equal(system(command), 0);
	free(fixture);
	return 0;
}

static const char *
read_file(const char *path)
{
	static char text[8192];
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	fclose(file);
	return text;
}

static void
test_a_key_is_made_for_the_owner_alone(void **state)
{
	struct fixture *fixture = *state;
	struct stat st;
	char text[4096];

	assert_int_equal(enroll_place_make_key(&fixture->place,
			     "pump 2026-01-02", &fixture->line, &fixture->err),
	    ENROLL_KEY_MADE);
	assert_int_equal(stat(fixture->place.key, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(span_to_str(buf_span(&fixture->line), text, sizeof text));
	assert_int_equal(strncmp(text, "ssh-ed25519 AAAA", 16), 0);
	assert_non_null(strstr(text, " pump 2026-01-02"));
	strcat(text, "\n");
	assert_string_equal(read_file(fixture->place.public_key), text);
}

static void
test_a_key_that_is_there_is_kept_with_its_comment(void **state)
{
	struct fixture *fixture = *state;
	struct buf again;
	char *before;

	buf_init(&again, 4096);
	enroll_place_make_key(
	    &fixture->place, "one", &fixture->line, &fixture->err);
	before = strdup(read_file(fixture->place.key));
	assert_int_equal(enroll_place_make_key(
			     &fixture->place, "two", &again, &fixture->err),
	    ENROLL_KEY_KEPT);
	assert_string_equal(read_file(fixture->place.key), before);
	assert_true(span_equal(buf_span(&again), buf_span(&fixture->line)));
	free(before);
	buf_fini(&again);
}

static void
test_a_public_half_that_is_lost_is_made_from_the_private_one(void **state)
{
	struct fixture *fixture = *state;
	struct buf again;

	buf_init(&again, 4096);
	enroll_place_make_key(
	    &fixture->place, "one", &fixture->line, &fixture->err);
	unlink(fixture->place.public_key);
	assert_int_equal(enroll_place_make_key(
			     &fixture->place, "one", &again, &fixture->err),
	    ENROLL_KEY_KEPT);
	assert_true(span_equal(buf_span(&again), buf_span(&fixture->line)));
	assert_int_equal(access(fixture->place.public_key, R_OK), 0);
	buf_fini(&again);
}

static void
test_a_file_that_is_no_key_is_refused_and_stays(void **state)
{
	struct fixture *fixture = *state;
	FILE *file;

	enroll_place_make_key(
	    &fixture->place, "one", &fixture->line, &fixture->err);
	file = fopen(fixture->place.key, "w");
	fputs("mine\n", file);
	fclose(file);
	assert_int_equal(enroll_place_make_key(&fixture->place, "two",
			     &fixture->line, &fixture->err),
	    ENROLL_KEY_FAILED);
	assert_string_equal(fixture->err.where, fixture->place.key);
	assert_string_equal(read_file(fixture->place.key), "mine\n");
}

static void
test_what_is_remembered_is_found(void **state)
{
	struct fixture *fixture = *state;
	struct enroll_place found;

	assert_false(fixture->place.is_enrolled);
	assert_int_equal(enroll_place_remember(&fixture->place, "192.0.2.1",
			     2222, "dan", &fixture->err),
	    0);
	assert_int_equal(enroll_place_find(&found, "gateway.example",
			     fixture->dir, &fixture->err),
	    0);
	assert_true(found.is_enrolled);
	assert_string_equal(found.enrolled.host, "192.0.2.1");
	assert_int_equal(found.enrolled.port, 2222);
	assert_string_equal(found.enrolled.user, "dan");
	assert_string_equal(found.enrolled.key_file, fixture->place.key);
	assert_string_equal(
	    found.enrolled.known_hosts, fixture->place.known_hosts);
	assert_string_equal(found.key, fixture->place.key);
}

static void
test_what_is_cleared_is_gone_but_for_the_key_aside(void **state)
{
	struct fixture *fixture = *state;
	char first[PATH_MAX], second[PATH_MAX];

	for (int i = 0; i < 2; i++) {
		enroll_place_make_key(
		    &fixture->place, "one", &fixture->line, &fixture->err);
		enroll_place_pin(
		    &fixture->place, "h ssh-ed25519 AAAA", &fixture->err);
		enroll_place_remember(
		    &fixture->place, "h", 22, "dan", &fixture->err);
		assert_int_equal(enroll_place_clear(&fixture->place,
				     i == 0 ? first : second, &fixture->err),
		    0);
		assert_int_not_equal(access(fixture->place.key, F_OK), 0);
		assert_int_not_equal(access(fixture->place.record, F_OK), 0);
		assert_int_not_equal(
		    access(fixture->place.known_hosts, F_OK), 0);
	}
	assert_string_not_equal(first, second);
	assert_int_equal(access(first, R_OK), 0);
	assert_int_equal(access(second, R_OK), 0);
}

static void
test_a_host_that_no_file_can_be_named_by_is_refused(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(enroll_place_find(&fixture->place, "..", fixture->dir,
			     &fixture->err),
	    -1);
	assert_int_equal(fixture->err.code, ERR_USAGE);
	assert_int_equal(enroll_place_find(&fixture->place, "[2001:db8::1]:22",
			     fixture->dir, &fixture->err),
	    0);
	assert_non_null(strstr(fixture->place.key, "/keys/2001_db8__1"));
}

static void
test_a_relative_state_folder_is_written_down_whole(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(enroll_place_find(
			     &fixture->place, "gateway", "kaya", &fixture->err),
	    0);
	assert_int_equal(fixture->place.key[0], '/');
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_key_is_made_for_the_owner_alone),
	    TEST(test_a_key_that_is_there_is_kept_with_its_comment),
	    TEST(test_a_public_half_that_is_lost_is_made_from_the_private_one),
	    TEST(test_a_file_that_is_no_key_is_refused_and_stays),
	    TEST(test_what_is_remembered_is_found),
	    TEST(test_what_is_cleared_is_gone_but_for_the_key_aside),
	    TEST(test_a_host_that_no_file_can_be_named_by_is_refused),
	    TEST(test_a_relative_state_folder_is_written_down_whole),
	};

	return cmocka_run_group_tests_name("enroll_place", tests, NULL, NULL);
}
