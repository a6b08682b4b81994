/*
 * What OpenSSH's ssh-keygen makes is read and verified here, and what is made
 * here is read and verified by it.
 */

#include "../keygen.h"
#include "ssh_armor.h"
#include "ssh_host_key.h"
#include "ssh_sig.h"

/* One of each type, made once: RSA's take long. */
static struct ssh_host_key *keys[2];

static int
set_up(void **state)
{
	for (int i = 0; i < 2; i++) {
		keys[i] =
		    ssh_host_key_generate((enum ssh_host_key_type)i, NULL);
		if (keys[i] == NULL)
			return -1;
	}
	return keygen_begin();
}

static int
tear_down(void **state)
{
	ssh_host_key_free(keys[0]);
	ssh_host_key_free(keys[1]);
	return keygen_end();
}

static void
test_keys_by_ssh_keygen_are_read(void **state)
{
	static const struct {
		const char *options;
		enum ssh_host_key_type type;
	} rows[] = {
	    {"-N '' -t ed25519", SSH_HOST_KEY_ED25519},
	    {"-N '' -t rsa -b 2048", SSH_HOST_KEY_RSA},
	    {"-N '' -t rsa -b 2048 -m PEM", SSH_HOST_KEY_RSA},
	    {"-N '' -t rsa -b 2048 -m PKCS8", SSH_HOST_KEY_RSA},
	};

	need_ssh_keygen();
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err err = ERR_INIT;
		struct ssh_host_key *key;

		make_key_file("key", rows[i].options);
		key = ssh_host_key_parse(read_file("key"), &err);
		if (key == NULL)
			fail_msg("%s: %s", rows[i].options, err.what);
		assert_int_equal(ssh_host_key_type(key), rows[i].type);
		assert_true(span_equal(
		    ssh_host_key_blob(key), blob_of(read_file("key.pub"))));
		ssh_host_key_free(key);
	}
}

static void
test_keys_that_cannot_serve_are_refused_with_a_remedy(void **state)
{
	static const struct {
		const char *options, *what, *hint;
	} rows[] = {
	    {"-N secret -t ed25519", "encrypted", "ssh-keygen -p"},
	    {"-N secret -t rsa -b 2048", "encrypted", "ssh-keygen -p"},
	    {"-N secret -t rsa -b 2048 -m PEM", "encrypted", "openssl pkey"},
	    {"-N secret -t rsa -b 2048 -m PKCS8", "encrypted", "openssl pkey"},
	    {"-N '' -t rsa -b 1024", "1024 bits", "ssh-keygen -t ed25519"},
	    {"-N '' -t rsa -b 1024 -m PEM", "1024 bits",
		"ssh-keygen -t ed25519"},
	    {"-N '' -t ecdsa", "ecdsa-sha2-nistp256", "ssh-keygen -t ed25519"},
	    {"-N '' -t ecdsa -m PKCS8", "EC", "ssh-keygen -t ed25519"},
	};

	need_ssh_keygen();
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err err = ERR_INIT;

		make_key_file("key", rows[i].options);
		assert_null(ssh_host_key_parse(read_file("key"), &err));
		if (strstr(err.what, rows[i].what) == NULL ||
		    strstr(err.hint, rows[i].hint) == NULL)
			fail_msg("%s: \"%s\", remedy \"%s\"", rows[i].options,
			    err.what, err.hint);
		err_clear(&err);
		assert_null(ssh_host_key_parse(read_file("key.pub"), &err));
		assert_non_null(strstr(err.what, "public key"));
	}
}

static void
test_our_files_are_read_by_ssh_keygen(void **state)
{
	need_ssh_keygen();
	for (int type = 0; type < 2; type++) {
		struct ssh_host_key *key;
		struct buf file;

		buf_init(&file, KEYGEN_FILE_MAX);
		assert_int_equal(
		    ssh_host_key_encode(keys[type], "pump@plant", &file, NULL),
		    0);
		write_file("ours", buf_span(&file));
		assert_int_equal(run("ssh-keygen -y -f ours > ours.pub"), 0);
		assert_true(span_equal(ssh_host_key_blob(keys[type]),
		    blob_of(read_file("ours.pub"))));
		assert_int_equal(
		    run("ssh-keygen -l -f ours | grep -q '^%s SHA256:.* "
			"pump@plant (%s)$'",
			type == SSH_HOST_KEY_ED25519 ? "256" : "3072",
			type == SSH_HOST_KEY_ED25519 ? "ED25519" : "RSA"),
		    0);
		/* To change the comment it has to read and write all of it. */
		assert_int_equal(
		    run("ssh-keygen -q -c -C another -f ours >/dev/null"), 0);
		key = ssh_host_key_parse(read_file("ours"), NULL);
		assert_non_null(key);
		ssh_host_key_free(key);
		buf_fini_wipe(&file);
	}
}

/* ---- ssh-keygen -Y signs and verifies ---- */

static void
test_signatures_by_ssh_keygen_are_good(void **state)
{
	static const struct {
		const char *options, *sign;
	} rows[] = {
	    {"-N '' -t ed25519", ""},
	    {"-N '' -t ed25519", "-O hashalg=sha256"},
	    {"-N '' -t ecdsa -b 256", ""},
	    {"-N '' -t ecdsa -b 384", ""},
	    {"-N '' -t ecdsa -b 521", ""},
	    {"-N '' -t rsa -b 2048", ""},
	};
	const struct span message = span_of_str("a message\n");

	need_ssh_keygen();
	write_file("message", message);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct ssh_key_presence presence;
		struct ssh_sig sig;
		struct buf blob;

		make_key_file("key", rows[i].options);
		assert_int_equal(
		    run("rm -f message.sig && ssh-keygen -q -Y sign -f key "
			"-n test %s message 2>/dev/null",
			rows[i].sign),
		    0);
		buf_init(&blob, SSH_SIG_BLOB_MAX);
		assert_int_equal(
		    ssh_sig_parse_file(read_file("message.sig"), &blob, &sig),
		    SSH_SIG_GOOD);
		assert_true(span_equal(sig.key, blob_of(read_file("key.pub"))));
		assert_int_equal(
		    ssh_sig_verify(&sig, "test", message, &presence),
		    SSH_SIG_GOOD);
		assert_int_equal(ssh_sig_verify(&sig, "test",
				     span_of_str("a message"), &presence),
		    SSH_SIG_BAD);
		assert_int_equal(
		    ssh_sig_verify(&sig, "tests", message, &presence),
		    SSH_SIG_OTHER_NAMESPACE);
		buf_fini(&blob);
	}
}

static void
test_our_signatures_are_good_to_ssh_keygen(void **state)
{
	const struct span message = span_of_str("a message\n");

	need_ssh_keygen();
	write_file("message", message);
	for (size_t i = 0; i < 2; i++) {
		struct buf blob, armour;

		buf_init(&blob, SSH_SIG_BLOB_MAX);
		buf_init(&armour, SSH_SIG_FILE_MAX);
		assert_int_equal(
		    ssh_sig_sign(keys[i], "test", message, &blob, NULL), 0);
		ssh_armor_close(buf_span(&blob), SSH_SIG_ARMOR, &armour);
		write_file("ours.sig", buf_span(&armour));
		assert_int_equal(run("ssh-keygen -q -Y check-novalidate -n "
				     "test -s ours.sig < message"),
		    0);
		assert_int_not_equal(run("ssh-keygen -q -Y check-novalidate -n "
					 "test -s ours.sig < ours.sig "
					 "2>/dev/null"),
		    0);
		assert_int_not_equal(run("ssh-keygen -q -Y check-novalidate -n "
					 "tests -s ours.sig < message "
					 "2>/dev/null"),
		    0);
		buf_fini(&blob);
		buf_fini(&armour);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_keys_by_ssh_keygen_are_read),
	    cmocka_unit_test(
		test_keys_that_cannot_serve_are_refused_with_a_remedy),
	    cmocka_unit_test(test_our_files_are_read_by_ssh_keygen),
	    cmocka_unit_test(test_signatures_by_ssh_keygen_are_good),
	    cmocka_unit_test(test_our_signatures_are_good_to_ssh_keygen),
	};

	return cmocka_run_group_tests_name(
	    "ssh_keygen", tests, set_up, tear_down);
}
