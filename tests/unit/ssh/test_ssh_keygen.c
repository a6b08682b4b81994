/*
 * What OpenSSH's ssh-keygen makes is read and verified here, and what is made
 * here is read and verified by it.
 */

#include "ssh_host_key.h"
#include "ssh_key.h"
#include "str.h"
#include "wire.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

enum { FILE_MAX = 65536 };

static char folder[] = "/tmp/kaya-test-XXXXXX";

/* Run a shell command in the folder; its exit status. */
static int run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int
run(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof command, format, args);
	va_end(args);
	return system(command);
}

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
	return mkdtemp(folder) == NULL || chdir(folder) != 0 ? -1 : 0;
}

static int
tear_down(void **state)
{
	ssh_host_key_free(keys[0]);
	ssh_host_key_free(keys[1]);
	return chdir("/") != 0 ? -1 : run("rm -r '%s'", folder);
}

static void
need_ssh_keygen(void)
{
	if (run("command -v ssh-keygen >/dev/null") != 0) {
		print_message("ssh-keygen is not installed\n");
		skip();
	}
}

/* A fresh key of these options in the file `key`. */
static void
make_key(const char *options)
{
	assert_int_equal(run("rm -f key key.pub && ssh-keygen -q -f key -C "
			     "pump %s",
			     options),
	    0);
}

static struct span
read_file(const char *name)
{
	static uint8_t bytes[FILE_MAX];
	FILE *file = fopen(name, "r");
	size_t len;

	assert_non_null(file);
	len = fread(bytes, 1, sizeof bytes, file);
	fclose(file);
	return span_of(bytes, len);
}

static void
write_file(const char *name, struct span bytes)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes.data, 1, bytes.len, file), bytes.len);
	fclose(file);
	assert_int_equal(run("chmod 600 %s", name), 0);
}

/* The blob in a line of a .pub file. */
static struct span
blob_of(struct span line)
{
	static uint8_t blob[FILE_MAX];
	const uint8_t *start = memchr(line.data, ' ', line.len), *end;
	long len;

	assert_non_null(start);
	start++;
	end = start;
	while (end < line.data + line.len && *end != ' ' && *end != '\n')
		end++;
	len = str_base64_decode(
	    span_of(start, (size_t)(end - start)), blob, sizeof blob);
	assert_true(len > 0);
	return span_of(blob, (size_t)len);
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

		make_key(rows[i].options);
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

		make_key(rows[i].options);
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

		buf_init(&file, FILE_MAX);
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

/* ---- SSHSIG (PROTOCOL.sshsig): what ssh-keygen -Y signs and verifies ---- */

static void
put_signed_data(struct buf *out, struct span hashed)
{
	uint8_t hash[64];

	EVP_Digest(hashed.data, hashed.len, hash, NULL, EVP_sha512(), NULL);
	wire_put_bytes(out, span_of_str("SSHSIG"));
	wire_put_cstring32(out, "test");
	wire_put_cstring32(out, "");
	wire_put_cstring32(out, "sha512");
	wire_put_string32(out, span_of(hash, sizeof hash));
}

/* The blob and the signature in an armoured file. */
static void
take_armour(struct span text, struct span *blob, struct span *signature)
{
	static uint8_t bytes[FILE_MAX];
	static char digits[FILE_MAX];
	size_t count = 0, start = strlen("-----BEGIN SSH SIGNATURE-----\n");
	struct span in, word;
	uint32_t version;
	long len;

	for (size_t i = start; i < text.len && text.data[i] != '-'; i++)
		if (text.data[i] != '\n')
			digits[count++] = (char)text.data[i];
	len = str_base64_decode(span_of(digits, count), bytes, sizeof bytes);
	assert_true(len > 0);
	in = span_of(bytes, (size_t)len);
	assert_true(wire_take_bytes(&in, 6, &word) && span_is(word, "SSHSIG"));
	assert_true(wire_take_u32(&in, &version) && version == 1);
	assert_true(wire_take_string32(&in, blob));
	for (size_t i = 0; i < 3; i++)
		assert_true(wire_take_string32(&in, &word));
	assert_true(span_is(word, "sha512"));
	assert_true(wire_take_string32(&in, signature));
}

static void
test_signatures_by_ssh_keygen_are_good(void **state)
{
	static const struct {
		const char *options, *algorithm;
	} rows[] = {
	    {"-N '' -t ed25519", "ssh-ed25519"},
	    {"-N '' -t ecdsa -b 256", "ecdsa-sha2-nistp256"},
	    {"-N '' -t ecdsa -b 384", "ecdsa-sha2-nistp384"},
	    {"-N '' -t ecdsa -b 521", "ecdsa-sha2-nistp521"},
	    {"-N '' -t rsa -b 2048", "rsa-sha2-512"},
	};
	const struct span hashed = span_of_str("a message\n");

	need_ssh_keygen();
	write_file("message", hashed);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct span algorithm = span_of_str(rows[i].algorithm);
		struct ssh_key_presence presence;
		struct span blob, signature;
		struct buf message;

		make_key(rows[i].options);
		assert_int_equal(run("rm -f message.sig && ssh-keygen -q -Y "
				     "sign -f key -n test message 2>/dev/null"),
		    0);
		take_armour(read_file("message.sig"), &blob, &signature);
		buf_init(&message, 1000);
		put_signed_data(&message, hashed);
		assert_int_equal(ssh_key_check(algorithm, blob), SSH_KEY_GOOD);
		assert_int_equal(ssh_key_verify(algorithm, blob, signature,
				     buf_span(&message), &presence),
		    SSH_KEY_GOOD);
		wire_put_u8(&message, 0);
		assert_int_equal(ssh_key_verify(algorithm, blob, signature,
				     buf_span(&message), &presence),
		    SSH_KEY_BAD_SIGNATURE);
		buf_fini(&message);
	}
}

static void
put_armour(struct buf *out, struct span blob, struct span signature)
{
	static char digits[FILE_MAX];
	struct buf bytes;

	buf_init(&bytes, FILE_MAX);
	wire_put_bytes(&bytes, span_of_str("SSHSIG"));
	wire_put_u32(&bytes, 1);
	wire_put_string32(&bytes, blob);
	wire_put_cstring32(&bytes, "test");
	wire_put_cstring32(&bytes, "");
	wire_put_cstring32(&bytes, "sha512");
	wire_put_string32(&bytes, signature);
	str_base64_encode(buf_span(&bytes), digits);
	wire_put_bytes(out, span_of_str("-----BEGIN SSH SIGNATURE-----\n"));
	wire_put_bytes(out, span_of_str(digits));
	wire_put_bytes(out, span_of_str("\n-----END SSH SIGNATURE-----\n"));
	buf_fini(&bytes);
}

static void
test_our_signatures_are_good_to_ssh_keygen(void **state)
{
	static const struct {
		enum ssh_host_key_type type;
		const char *algorithm;
	} rows[] = {
	    {SSH_HOST_KEY_ED25519, "ssh-ed25519"},
	    {SSH_HOST_KEY_RSA, "rsa-sha2-512"},
	    {SSH_HOST_KEY_RSA, "rsa-sha2-256"},
	};
	const struct span hashed = span_of_str("a message\n");

	need_ssh_keygen();
	write_file("message", hashed);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct ssh_host_key *key = keys[rows[i].type];
		struct buf message, signature, armour;

		buf_init(&message, 1000);
		buf_init(&signature, 4096);
		buf_init(&armour, FILE_MAX);
		put_signed_data(&message, hashed);
		assert_int_equal(ssh_host_key_sign(key, rows[i].algorithm,
				     buf_span(&message), &signature, NULL),
		    0);
		put_armour(
		    &armour, ssh_host_key_blob(key), buf_span(&signature));
		write_file("ours.sig", buf_span(&armour));
		assert_int_equal(run("ssh-keygen -q -Y check-novalidate -n "
				     "test -s ours.sig < message"),
		    0);
		assert_int_not_equal(run("ssh-keygen -q -Y check-novalidate -n "
					 "test -s ours.sig < ours.sig "
					 "2>/dev/null"),
		    0);
		buf_fini(&message);
		buf_fini(&signature);
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
