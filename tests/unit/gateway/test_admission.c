/*
 * A code and a key against the two files.  The linker puts the calls below in
 * the place of the C library's (--wrap), so that each of them can fail, or be
 * the last thing that this process does.
 */

#include "admission.h"
#include "authorized_keys.h"
#include "invitations_file.h"
#include "sample_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { NOW = 1700000000, HOUR = 3600 };

/* In their order; of the list and of the keys. */
enum {
	KEYS_WRITE = 1,
	KEYS_FSYNC,
	LIST_WRITE,
	LIST_FSYNC,
	LIST_RENAME,
	LIST_FOLDER,
	KEYS_RENAME,
	KEYS_FOLDER
};

int __real_fsync(int fd);
int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
ssize_t __real_write(int fd, const void *data, size_t len);
int __wrap_fsync(int fd);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
ssize_t __wrap_write(int fd, const void *data, size_t len);

static struct {
	int steps; /* so many of the calls below were made */
	int dies_at; /* the nth: kill -9 */
	int fails_at;
} calls;

/* Whether this call is the one that fails. */
static bool
step(void)
{
	calls.steps++;
	if (calls.steps == calls.dies_at)
		raise(SIGKILL);
	if (calls.steps != calls.fails_at)
		return false;
	errno = EIO;
	return true;
}

int
__wrap_fsync(int fd)
{
	return step() ? -1 : __real_fsync(fd);
}

int
__wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	return step() ? -1 : __real_renameat(from_fd, from, to_fd, to);
}

ssize_t
__wrap_write(int fd, const void *data, size_t len)
{
	return step() ? -1 : __real_write(fd, data, len);
}

/* ---- a gateway's folder ---- */

static const uint8_t host_key[] = "\0\0\0\013ssh-ed25519 and its point";
static const uint8_t secret[INVITE_CODE_SECRET_BYTES] = "sixteen bytes !";

static struct {
	char folder[64], keys[128], list[128];
	struct settings settings;
	struct conf_address open_as;
	struct admission_request request;
	struct span host_keys[1];
	uint8_t blob[PUBKEY_MAX_BYTES];
} gateway;

static void
use_key(const char *base64)
{
	size_t len;

	assert_int_equal(pubkey_decode(span_of_str(base64), gateway.blob,
			     sizeof gateway.blob, &len),
	    PUBKEY_GOOD);
	gateway.request.blob = span_of(gateway.blob, len);
}

static void
invite(const char *name, const char *role, enum invitation_keys keys)
{
	struct invitation wish = {.until_s = NOW + HOUR, .keys = keys};
	struct invitations_file file;

	snprintf(wish.name, sizeof wish.name, "%s", name);
	snprintf(wish.role, sizeof wish.role, "%s", role);
	invitation_hash(secret, wish.hash);
	assert_int_equal(invitations_file_open(&file, gateway.folder, NULL), 0);
	assert_true(invitations_add(&file.list, &wish, NOW, NULL) >= 0);
	assert_int_equal(invitations_file_save(&file, NULL), 0);
	invitations_file_close(&file);
}

static int
make_gateway(void **state)
{
	memset(&gateway, 0, sizeof gateway);
	strcpy(gateway.folder, "/tmp/kaya-admission-XXXXXX");
	if (mkdtemp(gateway.folder) == NULL)
		return -1;
	snprintf(gateway.keys, sizeof gateway.keys, "%s/authorized_keys",
	    gateway.folder);
	snprintf(gateway.list, sizeof gateway.list, "%s/invitations",
	    gateway.folder);
	gateway.open_as = (struct conf_address){.host = "127.0.0.1"};
	gateway.open_as.port = 1883;
	gateway.settings.state = gateway.folder;
	gateway.settings.authorized_keys = gateway.keys;
	gateway.settings.private_broker.open_as = &gateway.open_as;
	gateway.host_keys[0] = span_of(host_key, sizeof host_key - 1);
	gateway.request = (struct admission_request){
	    .settings = &gateway.settings,
	    .host_keys = gateway.host_keys,
	    .host_key_count = 1,
	    .now_s = NOW,
	};
	invite_code_make(&gateway.request.code, secret, gateway.host_keys[0]);
	use_key(KEY_ED_BASE64);
	invite("pump-7", "", INVITATION_ONE_KEY);
	memset(&calls, 0, sizeof calls);
	return 0;
}

static int
remove_gateway(void **state)
{
	char command[128];

	snprintf(command, sizeof command, "rm -r '%s'", gateway.folder);
	return system(command);
}

static void
put(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(
	    __real_write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static const char *
text_of(const char *path)
{
	static char text[8192];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);

	if (fd >= 0)
		close(fd);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

static struct admission
decide(void)
{
	struct admission admission;

	memset(&calls.steps, 0, sizeof calls.steps);
	admission_decide(&gateway.request, &admission);
	return admission;
}

static void
expect_in(void)
{
	struct admission admission = decide();

	if (admission.outcome != MONITOR_ENROLLED_IN)
		fail_msg("%s; %s", admission.sentence, admission.err.what);
	assert_string_equal(admission.name, "pump-7");
}

static void
expect_out(enum monitor_enrolled outcome, const char *why)
{
	struct admission admission = decide();

	assert_int_equal(admission.outcome, outcome);
	assert_string_equal(admission.why, why);
	assert_true(admission.sentence[0] != '\0');
}

static enum invitation_state
state_of_invitation(void)
{
	struct invitations_file file;
	enum invitation_state found;

	assert_int_equal(invitations_file_open(&file, gateway.folder, NULL), 0);
	assert_int_equal(file.list.count, 1);
	found = file.list.items[0].state;
	invitations_file_close(&file);
	return found;
}

/* ---- who comes in ---- */

static void
test_the_line_is_as_tight_as_keys_add_writes_it(void **state)
{
	expect_in();
	assert_string_equal(text_of(gateway.keys),
	    "restrict,port-forwarding,permitopen=\"127.0.0.1:1883\","
	    "permitopen=\"localhost:1883\",permitopen=\"[::1]:1883\","
	    "permitlisten=\"localhost:1\","
	    "command=\"echo This key carries MQTT only\","
	    "environment=\"KAYA_ID=pump-7\" " KEY_ED " by code, 2023-11-14\n");
	assert_int_equal(state_of_invitation(), INVITATION_USED);
}

static void
test_a_role_stands_in_the_line(void **state)
{
	invite("pump-7", "valve", INVITATION_ONE_KEY);
	expect_in();
	assert_non_null(strstr(text_of(gateway.keys),
	    "\"KAYA_ID=pump-7\",environment=\"KAYA_ROLE=valve\" ssh-ed25519"));
}

static void
test_other_lines_stay_as_they_are(void **state)
{
	static const char before[] = "# a comment\n\xff odd\n" KEY_ED2 " b";

	put(gateway.keys, before, 0600);
	expect_in();
	assert_memory_equal(text_of(gateway.keys), before, sizeof before - 1);
	assert_non_null(strstr(text_of(gateway.keys), " b\nrestrict,"));
}

static void
test_in_a_folder_it_gets_a_file_of_its_own(void **state)
{
	char path[200];

	assert_int_equal(mkdir(gateway.keys, 0700), 0);
	expect_in();
	snprintf(path, sizeof path, "%s/pump-7", gateway.keys);
	assert_non_null(strstr(text_of(path), "KAYA_ID=pump-7"));
}

static void
test_a_name_that_would_not_be_read_there_leaves_the_code_good(void **state)
{
	assert_int_equal(mkdir(gateway.keys, 0700), 0);
	unlink(gateway.list);
	invite(".pump", "", INVITATION_ONE_KEY);
	expect_out(MONITOR_ENROLLED_REFUSED, "it failed, as told above");
	assert_int_equal(state_of_invitation(), INVITATION_OPEN);
}

static void
test_the_broker_that_is_configured_is_the_one_to_be_reached(void **state)
{
	struct settings_broker broker = {.open_as = &gateway.open_as};

	gateway.open_as = (struct conf_address){.host = "broker.example"};
	gateway.open_as.port = 8883;
	gateway.settings.brokers = &broker;
	gateway.settings.broker_count = 1;
	expect_in();
	assert_non_null(strstr(text_of(gateway.keys),
	    "port-forwarding,permitopen=\"broker.example:8883\",permitlisten"));
}

static void
test_every_kind_of_key_can_come_in(void **state)
{
	static const char *const keys[] = {KEY_EC256_BASE64, KEY_EC384_BASE64,
	    KEY_EC521_BASE64, KEY_RSA2048_BASE64, KEY_SK_ED_BASE64};

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		unlink(gateway.keys);
		invite("pump-7", "", INVITATION_ONE_KEY);
		use_key(keys[i]);
		expect_in();
		assert_non_null(strstr(text_of(gateway.keys), keys[i]));
	}
}

/* ---- who does not ---- */

static void
test_a_code_lets_one_key_in(void **state)
{
	expect_in();
	use_key(KEY_ED2_BASE64);
	expect_out(MONITOR_ENROLLED_WRONG_CODE, "the code has been used");
	assert_null(strstr(text_of(gateway.keys), KEY_ED2_BASE64));
}

static void
test_a_code_that_is_over_lets_nobody_in(void **state)
{
	gateway.request.now_s = NOW + HOUR;
	expect_out(MONITOR_ENROLLED_WRONG_CODE, "the code has expired");
	assert_string_equal(text_of(gateway.keys), "");
}

static void
test_what_is_wrong_with_a_code_is_told_to_the_log_alone(void **state)
{
	struct admission wrong, late, used;

	gateway.request.code.secret[0] ^= 1;
	wrong = decide();
	assert_string_equal(wrong.why, "no such code");
	gateway.request.code.secret[0] ^= 1;
	gateway.request.now_s = NOW + HOUR;
	late = decide();
	gateway.request.now_s = NOW;
	expect_in();
	used = decide();
	assert_string_equal(wrong.sentence, late.sentence);
	assert_string_equal(wrong.sentence, used.sentence);
	assert_int_equal(wrong.outcome, used.outcome);
	assert_int_equal(wrong.outcome, late.outcome);
}

static void
test_another_gateways_code_is_known_by_its_host_key(void **state)
{
	gateway.request.code.host[11] ^= 1;
	expect_out(MONITOR_ENROLLED_WRONG_CODE, "another gateway's code");
	assert_int_equal(state_of_invitation(), INVITATION_OPEN);
}

static void
test_a_key_that_is_in_leaves_the_code_good(void **state)
{
	put(gateway.keys, KEY_ED "\n", 0600);
	expect_out(MONITOR_ENROLLED_REFUSED, "the key has a line already");
	assert_int_equal(state_of_invitation(), INVITATION_OPEN);
	use_key(KEY_ED2_BASE64);
	expect_in();
}

static void
test_a_name_that_is_taken_leaves_the_code_good(void **state)
{
	put(gateway.keys, "environment=\"KAYA_ID=pump-7\" " KEY_ED2 "\n", 0600);
	expect_out(MONITOR_ENROLLED_REFUSED, "another key goes by the name");
	assert_int_equal(state_of_invitation(), INVITATION_OPEN);
	invite("pump-7", "", INVITATION_MORE_KEYS);
	memset(&calls, 0, sizeof calls);
	assert_int_equal(decide().outcome, MONITOR_ENROLLED_IN);
}

static void
test_what_is_no_key_leaves_the_code_good(void **state)
{
	gateway.request.blob.len--;
	expect_out(MONITOR_ENROLLED_REFUSED, "it failed, as told above");
	gateway.request.blob.len = 0;
	expect_out(MONITOR_ENROLLED_REFUSED, "it failed, as told above");
	use_key(KEY_RSA1024_BASE64);
	expect_out(MONITOR_ENROLLED_REFUSED, "it failed, as told above");
	assert_int_equal(state_of_invitation(), INVITATION_OPEN);
	assert_string_equal(text_of(gateway.keys), "");
}

static void
test_a_list_that_others_may_touch_invites_nobody(void **state)
{
	static const mode_t modes[] = {0620, 0602, 0640, 0604};

	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(chmod(gateway.list, modes[i]), 0);
		expect_out(
		    MONITOR_ENROLLED_REFUSED, "it failed, as told above");
	}
	assert_int_equal(chmod(gateway.list, 0600), 0);
	expect_in();
}

static void
test_a_list_cut_short_invites_nobody(void **state)
{
	struct stat st;

	assert_int_equal(stat(gateway.list, &st), 0);
	for (off_t len = st.st_size - 1; len > 0; len--) {
		assert_int_equal(truncate(gateway.list, len), 0);
		expect_out(
		    MONITOR_ENROLLED_REFUSED, "it failed, as told above");
	}
	assert_int_equal(truncate(gateway.list, 0), 0);
	expect_out(MONITOR_ENROLLED_WRONG_CODE, "no such code");
	unlink(gateway.list);
	expect_out(MONITOR_ENROLLED_WRONG_CODE, "no such code");
	assert_string_equal(text_of(gateway.keys), "");
}

static void
test_keys_that_others_may_write_leave_the_code_good(void **state)
{
	put(gateway.keys, "", 0622);
	expect_out(MONITOR_ENROLLED_REFUSED, "it failed, as told above");
	assert_string_equal(text_of(gateway.keys), "");
	assert_int_equal(state_of_invitation(), INVITATION_OPEN);
	assert_int_equal(chmod(gateway.keys, 0600), 0);
	expect_in();
}

/* ---- the disk, and death ---- */

static bool
has_key(void)
{
	const char *text = text_of(gateway.keys);
	size_t len = strlen(text);

	if (len == 0)
		return false;
	assert_int_equal(text[len - 1], '\n');
	assert_non_null(strstr(text, KEY_ED_BASE64));
	return true;
}

static void
test_the_steps_are_those_that_are_tried(void **state)
{
	expect_in();
	assert_int_equal(calls.steps, KEYS_FOLDER);
}

static void
test_at_each_step_that_fails_no_more_comes_in_than_is_told(void **state)
{
	for (int i = KEYS_WRITE; i <= KEYS_FOLDER; i++) {
		struct admission admission;

		remove_gateway(state);
		assert_int_equal(make_gateway(state), 0);
		calls.fails_at = i;
		admission = decide();
		assert_int_equal(admission.outcome, MONITOR_ENROLLED_REFUSED);
		assert_int_not_equal(admission.err.code, ERR_NONE);
		calls.fails_at = 0;
		/* The new list stands from its renaming on. */
		assert_int_equal(state_of_invitation(),
		    i <= LIST_RENAME ? INVITATION_OPEN : INVITATION_USED);
		assert_int_equal(has_key(), i == KEYS_FOLDER);
		if (i <= LIST_RENAME)
			expect_in();
		else
			expect_out(MONITOR_ENROLLED_WRONG_CODE,
			    "the code has been used");
	}
}

static void
die_at(int at)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		calls.dies_at = at;
		decide();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void
test_dying_at_any_step_leaves_each_file_old_or_new(void **state)
{
	unsigned seen = 0;

	for (int i = KEYS_WRITE; i <= KEYS_FOLDER; i++) {
		enum invitation_state invitation;

		remove_gateway(state);
		assert_int_equal(make_gateway(state), 0);
		die_at(i);
		invitation = state_of_invitation();
		/* Never both: a key that is in, and its code still good. */
		if (has_key())
			assert_int_equal(invitation, INVITATION_USED);
		seen |= 1u << (has_key() ? 2 : invitation);
		use_key(KEY_ED2_BASE64);
		if (invitation == INVITATION_OPEN)
			expect_in();
		else
			expect_out(MONITOR_ENROLLED_WRONG_CODE,
			    "the code has been used");
	}
	/* All three were met: nothing done, spent alone, both done. */
	assert_int_equal(seen, 7);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(                                       \
	    test_##name, make_gateway, remove_gateway)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_line_is_as_tight_as_keys_add_writes_it),
	    TEST(a_role_stands_in_the_line),
	    TEST(other_lines_stay_as_they_are),
	    TEST(in_a_folder_it_gets_a_file_of_its_own),
	    TEST(a_name_that_would_not_be_read_there_leaves_the_code_good),
	    TEST(the_broker_that_is_configured_is_the_one_to_be_reached),
	    TEST(every_kind_of_key_can_come_in),
	    TEST(a_code_lets_one_key_in),
	    TEST(a_code_that_is_over_lets_nobody_in),
	    TEST(what_is_wrong_with_a_code_is_told_to_the_log_alone),
	    TEST(another_gateways_code_is_known_by_its_host_key),
	    TEST(a_key_that_is_in_leaves_the_code_good),
	    TEST(a_name_that_is_taken_leaves_the_code_good),
	    TEST(what_is_no_key_leaves_the_code_good),
	    TEST(a_list_that_others_may_touch_invites_nobody),
	    TEST(a_list_cut_short_invites_nobody),
	    TEST(keys_that_others_may_write_leave_the_code_good),
	    TEST(the_steps_are_those_that_are_tried),
	    TEST(at_each_step_that_fails_no_more_comes_in_than_is_told),
	    TEST(dying_at_any_step_leaves_each_file_old_or_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
