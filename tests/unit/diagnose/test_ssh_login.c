#include "ssh_login.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define PRINT_A "SHA256:4yhpzJKuTKY2dqjft06RteGf/AAaqTYzl+vO3ImEqsk"
#define PRINT_B "SHA256:onr/NaDBhAxLAGtQEMm0uSRnkG40lBDetZSGqBuVBtQ"

static struct ssh_login login;

static void
take(const char *text)
{
	ssh_login_read(&login, span_of_str(text));
}

static const char carries[] =
    "debug1: Offering public key: dan at home ED25519 " PRINT_B " agent\r\n"
    "debug1: Offering public key: /k RSA " PRINT_A " explicit\r\n"
    "debug1: Server accepts key: /k RSA " PRINT_A " explicit\r\n"
    "Authenticated to broker ([192.0.2.7]:22) using \"publickey\".\r\n"
    "debug1: Remote: /home/dan/.ssh/authorized_keys:12: key options: "
    "permitopen port-forwarding\r\n"
    "debug2: channel 0: open confirm rwindow 2097152 rmax 32768\r\n";

static void
test_a_login_that_carries_names_key_and_line(void **state)
{
	take(carries);
	assert_int_equal(login.outcome, SSH_LOGIN_CARRIES);
	assert_int_equal(login.offered_count, 2);
	assert_string_equal(login.offered[0].name, "dan at home");
	assert_true(login.offered[0].in_agent);
	assert_string_equal(login.key.name, "/k");
	assert_string_equal(login.key.type, "RSA");
	assert_string_equal(login.key.fingerprint, PRINT_A);
	assert_false(login.key.in_agent);
	assert_string_equal(login.address, "192.0.2.7");
	assert_string_equal(login.file, "/home/dan/.ssh/authorized_keys");
	assert_int_equal(login.line, 12);
	assert_string_equal(login.permits, "permitopen port-forwarding");
}

static void
test_a_prohibited_target_is_told_from_one_that_is_not_there(void **state)
{
	take("Authenticated to h ([::1]:22) using \"publickey\".\n"
	     "channel 0: open failed: administratively prohibited: open "
	     "failed\nstdio forwarding failed\n");
	assert_int_equal(login.outcome, SSH_LOGIN_PROHIBITED);
	take("Authenticated to h ([::1]:22) using \"publickey\".\n"
	     "channel 0: open failed: connect failed: Connection refused\n");
	assert_int_equal(login.outcome, SSH_LOGIN_NO_TARGET);
}

static void
test_a_refusal_keeps_ssh_s_last_words(void **state)
{
	take("debug1: Offering public key: /h ED25519 " PRINT_B "\n"
	     "debug1: No more authentication methods to try.\n"
	     "root@h: Permission denied (publickey).\n");
	assert_int_equal(login.outcome, SSH_LOGIN_REFUSED);
	assert_string_equal(
	    login.said, "root@h: Permission denied (publickey).");
	assert_string_equal(login.key.fingerprint, "");
}

static void
test_what_never_came_to_a_login_is_told(void **state)
{
	take("ssh: connect to host h port 22: Connection refused\n");
	assert_int_equal(login.outcome, SSH_LOGIN_UNREACHABLE);
	take("@@@@\nHost key verification failed.\n");
	assert_int_equal(login.outcome, SSH_LOGIN_HOST_KEY);
	take("Bad configuration option: x\n");
	assert_int_equal(login.outcome, SSH_LOGIN_FAILED);
	take("");
	assert_int_equal(login.outcome, SSH_LOGIN_FAILED);
}

static void
test_a_login_by_password_names_no_key(void **state)
{
	take("debug1: Server accepts key: /k RSA " PRINT_A "\n"
	     "Authenticated to h ([::1]:22) using \"password\".\n");
	assert_string_equal(login.method, "password");
	assert_string_equal(login.key.fingerprint, "");
}

static void
test_a_banner_that_is_like_ssh_s_words_draws_nothing(void **state)
{
	take("debug1: Server accepts key: k RSA SHA256:\b\b\r\033[2J x\n"
	     "Authenticated to h ([\b1.2.3.4]:22) using \"\bpublickey\".\n");
	assert_string_equal(login.address, "\\x081.2.3.4");
	assert_string_equal(login.method, "\\x08publickey");
	take("debug1: Server accepts key: k RSA SHA256:\b\033[2J x\n"
	     "Authenticated to h ([1.2.3.4]:22) using \"publickey\".\n");
	assert_string_equal(login.key.fingerprint, "SHA256:\\x08\\x1b[2J");
}

static void
test_no_cut_of_it_is_read_behind_its_end(void **state)
{
	char copy[sizeof carries];

	for (size_t len = 0; len < sizeof carries; len++) {
		memcpy(copy, carries, len);
		ssh_login_read(&login, span_of(copy, len));
		assert_true(login.offered_count <= 2);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_login_that_carries_names_key_and_line),
	    cmocka_unit_test(
		test_a_prohibited_target_is_told_from_one_that_is_not_there),
	    cmocka_unit_test(test_a_refusal_keeps_ssh_s_last_words),
	    cmocka_unit_test(test_what_never_came_to_a_login_is_told),
	    cmocka_unit_test(test_a_login_by_password_names_no_key),
	    cmocka_unit_test(
		test_a_banner_that_is_like_ssh_s_words_draws_nothing),
	    cmocka_unit_test(test_no_cut_of_it_is_read_behind_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
