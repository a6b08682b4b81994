/*
 * Files of revoked keys: text, and what `ssh-keygen -k` makes, held against
 * `ssh-keygen -Q`; and by hand, with each part wrong.
 */

#include "../keygen.h"
#include "keyring.h"
#include "revoked_keys.h"
#include "sample_keys.h"
#include "wire.h"

/* ---- memory that fails (--wrap) ---- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static size_t asked, fails_at; /* 0: never */

static bool
has_none(void)
{
	return fails_at != 0 && ++asked == fails_at;
}

void *
__wrap_malloc(size_t size)
{
	return has_none() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return has_none() ? NULL : __real_calloc(count, size);
}

void *
__wrap_realloc(void *memory, size_t size)
{
	return has_none() ? NULL : __real_realloc(memory, size);
}

/* ---- helpers ---- */

static struct conf_fault fault;

static struct revoked_keys *
read_bytes(struct span bytes)
{
	/* Memory of its own, for the sanitizers to guard. */
	uint8_t *copy = malloc(bytes.len + 1);
	struct revoked_keys *revoked;

	assert_non_null(copy);
	memcpy(copy, bytes.data, bytes.len);
	revoked = revoked_keys_new("f", span_of(copy, bytes.len), &fault);
	free(copy);
	if (revoked == NULL) {
		assert_string_not_equal(fault.err.what, "");
		assert_string_not_equal(fault.err.hint, "");
		assert_int_equal(strncmp(fault.err.where, "f", 1), 0);
	}
	return revoked;
}

static struct revoked_keys *
read_good(struct span bytes)
{
	struct revoked_keys *revoked = read_bytes(bytes);

	if (revoked == NULL)
		fail_msg("%s: %s", fault.err.where, fault.err.what);
	return revoked;
}

static struct revoked_key
key_of(const char *base64)
{
	uint8_t blob[PUBKEY_MAX_BYTES];
	struct revoked_key key;
	size_t len;

	assert_int_equal(
	    pubkey_decode(span_of_str(base64), blob, sizeof blob, &len),
	    PUBKEY_GOOD);
	revoked_key_init(&key, span_of(blob, len));
	return key;
}

static bool
has(const struct revoked_keys *revoked, const char *base64)
{
	const struct revoked_key key = key_of(base64);

	return revoked_keys_has(revoked, &key);
}

/* Of KEY_ED2's key, by KEY_ED's authority. */
static bool
has_certificate(
    const struct revoked_keys *revoked, uint64_t serial, const char *id)
{
	struct revoked_certificate c = {.key = key_of(KEY_ED2_BASE64),
	    .serial = serial,
	    .key_id = span_of_str(id)};
	const struct revoked_key authority = key_of(KEY_ED_BASE64);

	memcpy(c.authority, authority.sha256, sizeof c.authority);
	return revoked_keys_has_certificate(revoked, &c);
}

/* ---- text ---- */

static void
test_keys_in_a_text_are_revoked(void **state)
{
	struct revoked_keys *revoked =
	    read_good(span_of_str("# stolen\n\n  " KEY_ED " pump 7\r\n" KEY_DSA
				  "\n" KEY_RSA1024 "\n" KEY_SK_ED));

	assert_true(has(revoked, KEY_ED_BASE64));
	assert_true(has(revoked, KEY_DSA_BASE64));
	assert_true(has(revoked, KEY_SK_ED_BASE64));
	assert_false(has(revoked, KEY_ED2_BASE64));
	assert_int_equal(revoked_keys_stats(revoked).keys, 4);
	assert_false(has_certificate(revoked, 1, "x"));
	revoked_keys_free(revoked);
}

static void
test_a_certificate_in_a_text_stands_for_its_key(void **state)
{
	struct revoked_keys *revoked = read_good(span_of_str(KEY_CERT " x\n"));

	/* The samples' certificate is of KEY_ED2. */
	assert_true(has(revoked, KEY_ED2_BASE64));
	assert_true(has_certificate(revoked, 0, ""));
	assert_false(has(revoked, KEY_ED_BASE64));
	revoked_keys_free(revoked);
}

static void
test_an_empty_list_revokes_nothing(void **state)
{
	struct revoked_keys *revoked = read_good(span_of_str(""));

	assert_false(has(revoked, KEY_ED_BASE64));
	assert_false(has_certificate(revoked, 1, "x"));
	revoked_keys_free(revoked);
	assert_false(has(NULL, KEY_ED_BASE64));
	assert_false(has_certificate(NULL, 1, "x"));
}

static void
test_a_line_that_is_not_understood_is_a_fault_with_its_place(void **state)
{
	static const struct {
		const char *text;
		size_t line, column;
		const char *what;
	} rows[] = {
	    {KEY_ED "\nssh-ed25519 AAAA\n", 2, 13, ""},
	    {"\n# x\n  hello\n", 3, 1, ""},
	    {"restrict " KEY_ED "\n", 1, 1, "options stand before the key"},
	    {"cert-authority " KEY_ED "\n", 1, 1,
		"options stand before the key"},
	    {KEY_ED "\nserial: 5\n", 2, 1, "what ssh-keygen makes a KRL of"},
	    {"id: pump 7\n", 1, 1, "what ssh-keygen makes a KRL of"},
	    {KEY_ED "\nssh-ed25519-cert-v01@openssh.com AAAA\n", 2, 1,
		"the certificate is malformed"},
	    {"SHA256:2n1hF5aaUh0if/cD+hUKjsL8oNP/a5ARMFPpNTOPmQA\n", 1, 1, ""},
	    {"SSHKRL\n", 1, 1, ""},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_null(read_bytes(span_of_str(rows[i].text)));
		assert_int_equal(fault.mark.line, rows[i].line);
		if (rows[i].what[0] != '\0') {
			assert_int_equal(fault.mark.column, rows[i].column);
			assert_non_null(strstr(fault.err.what, rows[i].what));
		}
	}
}

/* ---- KRLs by ssh-keygen ---- */

static int
set_up(void **state)
{
	return keygen_begin();
}

static int
tear_down(void **state)
{
	return keygen_end();
}

/* Certificates by `ca` and `other`, and keys, to be asked about. */
static void
make_subjects(void)
{
	static const char *const authorities[] = {"ca", "other"};
	static const unsigned long serials[] = {
	    0, 1, 5, 9, 10, 15, 20, 21, 63, 64, 65, 1000, 1063, 1064};

	for (size_t a = 0; a < 2; a++) {
		make_key_file(authorities[a], "-N '' -t ed25519");
		for (size_t i = 0; i < sizeof serials / sizeof serials[0]; i++)
			assert_int_equal(
			    run("cp user.pub %s-%zu.pub && ssh-keygen -q -s "
				"%s -I id-%zu -n p -z %lu %s-%zu.pub && rm "
				"%s-%zu.pub",
				authorities[a], i, authorities[a], i,
				serials[i], authorities[a], i, authorities[a],
				i),
			    0);
	}
}

/* Its answer to all of them, a line each: "NAME (comment): REVOKED". */
static void
ask_ssh_keygen(void)
{
	run("ssh-keygen -Q -f krl *.pub > answers");
}

static bool
is_revoked_to_ssh_keygen(const char *name)
{
	static char answers[KEYGEN_FILE_MAX + 1];
	struct span text = read_file("answers");
	const char *line, *end;
	char begin[64];

	memcpy(answers, text.data, text.len);
	answers[text.len] = '\0';
	snprintf(begin, sizeof begin, "%s (", name);
	line = strstr(answers, begin);
	assert_non_null(line);
	end = strchr(line, '\n');
	assert_non_null(end);
	return strncmp(end - 7, "REVOKED", 7) == 0;
}

/* Ask ourselves about what is in that .pub file. */
static void
assert_agreed(const struct revoked_keys *revoked, const char *name)
{
	bool is_certificate = strstr(name, "-cert.pub") != NULL;
	bool theirs = is_revoked_to_ssh_keygen(name);
	struct revoked_certificate c = {.serial = 0};
	struct span blob = blob_of(read_file(name)), in = blob, skipped;
	struct span ca = {0};
	struct buf key;
	bool ours;

	buf_init(&key, PUBKEY_MAX_BYTES);
	if (!is_certificate) {
		revoked_key_init(&c.key, blob);
		ours = revoked_keys_has(revoked, &c.key);
	} else {
		struct revoked_key authority;
		uint32_t type;

		assert_true(pubkey_certified(blob, &key));
		revoked_key_init(&c.key, buf_span(&key));
		assert_true(wire_take_string32(&in, &skipped) &&
			    wire_take_string32(&in, &skipped) &&
			    wire_take_string32(&in, &skipped) &&
			    wire_take_u64(&in, &c.serial) &&
			    wire_take_u32(&in, &type) &&
			    wire_take_string32(&in, &c.key_id) &&
			    wire_take_string32(&in, &skipped) &&
			    wire_take_bytes(&in, 16, &skipped) &&
			    wire_take_string32(&in, &skipped) &&
			    wire_take_string32(&in, &skipped) &&
			    wire_take_string32(&in, &skipped) &&
			    wire_take_string32(&in, &ca));
		revoked_key_init(&authority, ca);
		memcpy(c.authority, authority.sha256, sizeof c.authority);
		ours = revoked_keys_has(revoked, &authority) ||
		       revoked_keys_has_certificate(revoked, &c);
	}
	buf_fini(&key);
	if (ours != theirs)
		fail_msg("%s: %s revoked to ssh-keygen", name,
		    theirs ? "is" : "is not");
}

static void
test_what_ssh_keygen_revokes_is_revoked(void **state)
{
	static const char *const specifications[] = {
	    /* options, a bar, lines */
	    "-s ca.pub|serial: 5\n",
	    "-s ca.pub|serial: 5\nserial: 10-20\nserial: 1064\n",
	    "-s ca.pub|serial: 1-18446744073709551615\n",
	    /* So many, so near each other, that they become a bitmap. */
	    "-s ca.pub|serial: 1000\nserial: 1002\nserial: 1004\n"
	    "serial: 1006\nserial: 1008\nserial: 1010\nserial: 1012\n"
	    "serial: 1014\nserial: 1016\nserial: 1018\nserial: 1063\n",
	    "-s ca.pub|serial: 1\nserial: 9\nserial: 64-65\n",
	    "-s ca.pub|id: id-3\nid: id-4\n",
	    "-s none|id: id-3\nserial: 5\n",
	    "|key: $(cat user.pub)\n",
	    "|key: $(cat ca.pub)\n",
	    "|sha1: $(cat user.pub)\n",
	    "|sha256: $(cat other.pub)\n",
	    "|sha1: $(cat ca.pub)\n",
	    "|hash: $(ssh-keygen -lf user.pub | cut -d' ' -f2)\n",
	    "-s ca.pub|serial: 5\nkey: $(cat other.pub)\nid: id-9\n",
	    "-z 7|",
	};

	need_ssh_keygen();
	make_key_file("user", "-N '' -t ed25519");
	make_subjects();
	for (size_t i = 0; i < sizeof specifications / sizeof specifications[0];
	     i++) {
		const char *bar = strchr(specifications[i], '|');
		struct revoked_keys *revoked;
		char name[32];

		assert_int_equal(
		    run("cat > spec <<END\n%sEND\nssh-keygen -q -k -f krl %.*s "
			"spec",
			bar + 1, (int)(bar - specifications[i]),
			specifications[i]),
		    0);
		revoked = read_good(read_file("krl"));
		ask_ssh_keygen();
		assert_agreed(revoked, "user.pub");
		assert_agreed(revoked, "ca.pub");
		assert_agreed(revoked, "other.pub");
		for (size_t n = 0; n < 14; n++) {
			snprintf(name, sizeof name, "ca-%zu-cert.pub", n);
			assert_agreed(revoked, name);
			snprintf(name, sizeof name, "other-%zu-cert.pub", n);
			assert_agreed(revoked, name);
		}
		revoked_keys_free(revoked);
	}
}

static void
test_serials_that_touch_are_one_range(void **state)
{
	struct revoked_keys *revoked;

	need_ssh_keygen();
	make_key_file("ca", "-N '' -t ed25519");
	assert_int_equal(run("printf 'serial: 5-9\\nserial: 10\\nserial: 3\\n"
			     "serial: 8-20\\n' > spec && ssh-keygen -q -k -f "
			     "krl -s ca.pub spec"),
	    0);
	revoked = read_good(read_file("krl"));
	assert_int_equal(revoked_keys_stats(revoked).ranges, 2);
	revoked_keys_free(revoked);
}

static void
test_a_krl_that_is_cut_off_is_none(void **state)
{
	uint8_t copy[KEYGEN_FILE_MAX];
	struct span bytes;
	int sound = 0;

	need_ssh_keygen();
	make_key_file("ca", "-N '' -t ed25519");
	assert_int_equal(
	    run("printf 'serial: 5\\nserial: 100-300\\nserial: 1000\\nserial: "
		"1002\\nserial: 1004\\nserial: 1006\\nid: x\\n' > spec && "
		"ssh-keygen -q -k -f krl -s ca.pub spec ca.pub"),
	    0);
	bytes = read_file("krl");
	memcpy(copy, bytes.data, bytes.len);
	revoked_keys_free(read_good(span_of(copy, bytes.len)));
	for (size_t len = 0; len < bytes.len; len++) {
		struct revoked_keys *revoked = read_bytes(span_of(copy, len));

		/* Nothing at all is an empty text. */
		sound += revoked != NULL && len > 0;
		revoked_keys_free(revoked);
	}
	/* Where its header ends, and its first section. */
	assert_int_equal(sound, 2);
}

/* ---- KRLs by hand ---- */

static struct buf krl;

static void
begin(void)
{
	buf_init(&krl, 1 << 20);
	wire_put_bytes(&krl, span_of("SSHKRL\n\0\0\0\0\1", 12));
	wire_put_u64(&krl, 1);
	wire_put_u64(&krl, 2);
	wire_put_u64(&krl, 0);
	wire_put_cstring32(&krl, "");
	wire_put_cstring32(&krl, "by hand");
}

static void
put_section(uint8_t type, struct span content)
{
	wire_put_u8(&krl, type);
	wire_put_string32(&krl, content);
}

static void
put_certificates(uint8_t type, struct span content)
{
	struct buf section;

	buf_init(&section, 1 << 16);
	wire_put_cstring32(&section, "");
	wire_put_cstring32(&section, "");
	wire_put_u8(&section, type);
	wire_put_string32(&section, content);
	put_section(1, buf_span(&section));
	buf_fini(&section);
}

static struct revoked_keys *
end(void)
{
	struct revoked_keys *revoked = read_bytes(buf_span(&krl));

	buf_fini(&krl);
	return revoked;
}

#define BYTES(text) span_of(text, sizeof text - 1)

static void
test_what_a_krl_must_not_hold_voids_it(void **state)
{
	static const struct {
		uint8_t type, inner; /* inner 0: not of certificates */
		const char *content;
		size_t len;
		const char *what; /* NULL: it is good */
	} rows[] = {
	    {4, 0, "", 0, "a signature within"},
	    {6, 0, "", 0, "a section of type 6"},
	    {0, 0, "", 0, "a section of type 0"},
	    {255, 0, "\0\0\0\1x\0\0\0\0\1y", 11, NULL},
	    {255, 0, "\0\0\0\1x\1\0\0\0\1y", 11, "critical extension"},
	    {255, 0, "\0\0\0\1x\0\0\0\0\1yz", 12, "malformed extension"},
	    {255, 0, "\0\0\0\1x\0\0\0\0\1", 10, "malformed extension"},
	    {3, 0, "\0\0\0\1x", 5, "malformed list of fingerprints"},
	    {5, 0, "\0\0\0\1x", 5, "malformed list of fingerprints"},
	    {2, 0, "\0\0\0\1", 4, "malformed list of keys"},
	    {1, 0, "\0\0\0\0", 4, "malformed section of certificates"},
	    {1, 0, "\0\0\0\0\0\0\0\0", 8, NULL},
	    {1, 0, "\0\0\0\0\0\0\0\0\x20", 9,
		"malformed section of certificates"},
	    {1, 0x24, "", 0, "a certificate section of type 36"},
	    {1, 0x39, "\0\0\0\1x\0\0\0\0\0", 10, NULL},
	    {1, 0x39, "\0\0\0\1x\1\0\0\0\0", 10, "critical extension"},
	    {1, 0x20, "", 0, NULL},
	    {1, 0x20, "\0\0\0\0\0\0\0\1", 8, NULL},
	    {1, 0x20, "\0\0\0\0\0\0\0\0", 8, "malformed list of serials"},
	    {1, 0x20, "\0\0\0\0\0\0\0\1\0", 9, "malformed list of serials"},
	    {1, 0x21, "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1", 16, NULL},
	    {1, 0x21, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16,
		"malformed range"},
	    {1, 0x21, "\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\1", 16,
		"malformed range"},
	    {1, 0x21, "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0", 17,
		"malformed range"},
	    {1, 0x22, "\0\0\0\0\0\0\0\1\0\0\0\1\1", 13, NULL},
	    {1, 0x22, "\0\0\0\0\0\0\0\0\0\0\0\1\2", 13, NULL},
	    {1, 0x22, "\0\0\0\0\0\0\0\0\0\0\0\1\1", 13, "malformed bitmap"},
	    {1, 0x22, "\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\1\1", 13, NULL},
	    {1, 0x22, "\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\1\2", 13,
		"malformed bitmap"},
	    {1, 0x22, "\0\0\0\0\0\0\0\1\0\0\0\1\x80", 13, "malformed bitmap"},
	    {1, 0x22, "\0\0\0\0\0\0\0\1\0\0\0\0", 12, NULL},
	    {1, 0x23, "\0\0\0\1x\0\0\0\1", 9, "malformed list of key ids"},
	    {1, 0x23, "\0\0\0\3x\0y", 7, "malformed list of key ids"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct span content =
		    span_of(rows[i].content, rows[i].len);
		struct revoked_keys *revoked;

		begin();
		if (rows[i].inner == 0)
			put_section(rows[i].type, content);
		else
			put_certificates(rows[i].inner, content);
		revoked = end();
		if ((revoked != NULL) != (rows[i].what == NULL))
			fail_msg("row %zu", i);
		if (revoked == NULL &&
		    strstr(fault.err.what, rows[i].what) == NULL)
			fail_msg("row %zu: %s", i, fault.err.what);
		revoked_keys_free(revoked);
	}
	assert_null(read_bytes(BYTES("SSHKRL\n\0\0\0\0\2")));
	assert_non_null(strstr(fault.err.what, "a format of type 2"));
}

static void
test_the_highest_serial_and_the_bits_of_a_bitmap_are_found(void **state)
{
	struct revoked_keys *revoked;

	begin();
	put_certificates(0x20, BYTES("\xff\xff\xff\xff\xff\xff\xff\xff"));
	/* 100 + bits 0, 1, 8 and 14. */
	put_certificates(0x22, BYTES("\0\0\0\0\0\0\0\144\0\0\0\2\x41\3"));
	revoked = end();
	assert_non_null(revoked);
	assert_true(has_certificate(revoked, UINT64_MAX, ""));
	assert_false(has_certificate(revoked, UINT64_MAX - 1, ""));
	for (uint64_t serial = 98; serial < 118; serial++)
		assert_int_equal(has_certificate(revoked, serial, ""),
		    serial == 100 || serial == 101 || serial == 108 ||
			serial == 114);
	assert_false(has_certificate(revoked, 0, ""));
	revoked_keys_free(revoked);
}

/* ---- with a keyring ---- */

static void
count_revoked(void *arg, const struct keyring_fault *told)
{
	size_t *count = arg;

	assert_string_equal(told->code, "revoked");
	++*count;
}

static void
test_a_keyring_admits_nobody_by_a_revoked_key(void **state)
{
	const struct keyring_file file = {"keys",
	    span_of_str(KEY_ED "\ncert-authority " KEY_ED "\n" KEY_ED2 "\n")};
	const struct netaddr client = {.family = 4};
	struct keyring_certificate certificate = {
	    .principals = BYTES("\0\0\0\1a"), .user = span_of_str("a")};
	const struct revoked_key key = key_of(KEY_ED_BASE64),
				 other = key_of(KEY_ED2_BASE64);
	struct revoked_keys *revoked = read_good(span_of_str(KEY_ED));
	struct keyring_verdict v;
	struct keyring *ring;
	size_t told = 0;

	ring = keyring_new(&(struct keyring_source){.files = &file,
			       .count = 1,
			       .revoked = revoked,
			       .report = count_revoked,
			       .arg = &told},
	    NULL);
	assert_non_null(ring);
	revoked_keys_free(revoked);
	assert_int_equal(told, 2);
	assert_int_equal(keyring_admit_digest(ring, key.sha256, &client, 0, &v),
	    KEYRING_REFUSED);
	assert_string_equal(v.why, "the key is revoked");
	memcpy(certificate.authority, key.sha256, sizeof key.sha256);
	assert_int_equal(
	    keyring_admit_certificate(ring, &certificate, &client, 0, &v),
	    KEYRING_REFUSED);
	assert_string_equal(v.why, "the certificate's authority is revoked");
	assert_int_equal(
	    keyring_admit_digest(ring, other.sha256, &client, 0, &v),
	    KEYRING_ADMITTED);
	keyring_unref(ring);
}

static void
test_without_memory_there_is_no_list(void **state)
{
	const struct span text = span_of_str(KEY_ED "\n" KEY_CERT "\n");
	struct revoked_keys *revoked;
	size_t rounds = 0;

	begin();
	put_section(2, BYTES("\0\0\0\1k"));
	put_section(3, BYTES("\0\0\0\x14"
			     "01234567890123456789"));
	put_certificates(0x20, BYTES("\0\0\0\0\0\0\0\1"));
	put_certificates(0x23, BYTES("\0\0\0\1x"));
	for (int i = 0; i < 2; i++) {
		do {
			asked = 0;
			fails_at = ++rounds;
			revoked = revoked_keys_new(
			    "f", i == 0 ? text : buf_span(&krl), &fault);
			fails_at = 0;
			assert_int_equal(revoked != NULL, asked < rounds);
			revoked_keys_free(revoked);
		} while (revoked == NULL);
		assert_in_range(rounds, 4, 100);
		rounds = 0;
	}
	buf_fini(&krl);
}

#define TEST(name) cmocka_unit_test(test_##name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(keys_in_a_text_are_revoked),
	    TEST(a_certificate_in_a_text_stands_for_its_key),
	    TEST(an_empty_list_revokes_nothing),
	    TEST(a_line_that_is_not_understood_is_a_fault_with_its_place),
	    TEST(what_ssh_keygen_revokes_is_revoked),
	    TEST(serials_that_touch_are_one_range),
	    TEST(a_krl_that_is_cut_off_is_none),
	    TEST(what_a_krl_must_not_hold_voids_it),
	    TEST(the_highest_serial_and_the_bits_of_a_bitmap_are_found),
	    TEST(a_keyring_admits_nobody_by_a_revoked_key),
	    TEST(without_memory_there_is_no_list),
	};

	return cmocka_run_group_tests_name(
	    "revoked_keys", tests, set_up, tear_down);
}
