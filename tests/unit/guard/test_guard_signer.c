/* Whose signature it is, and what ssh-keygen says of the same. */

#include "../keygen.h"

#include "authorized_keys.h"
#include "guard_signer.h"
#include "ssh_armor.h"
#include "ssh_sig.h"
#include "wire.h"

#include <openssl/evp.h>
#include <time.h>

#define NAMESPACE "kaya-command"

static void
no_fault(const struct err *fault, void *arg)
{
	(void)arg;
	fail_msg("%s: %s", fault->where, fault->what);
}

#define MESSAGE "what is signed\n"

/* By `line` of allowed_signers; `*signer` may be filled in any case. */
static enum guard_signer_result
judge(const char *line, const struct revoked_keys *revoked,
    struct span signature, struct guard_signer *signer, const char **why)
{
	struct allowed_signers signers;
	struct guard_signed it = {.signers = &signers,
	    .revoked = revoked,
	    .namespace = NAMESPACE,
	    .message = span_of_str(MESSAGE),
	    .signature = signature,
	    .now_s = (int64_t)time(NULL)};
	enum guard_signer_result result;

	assert_int_equal(allowed_signers_parse(&signers, span_of_str(line),
			     "signers", no_fault, NULL),
	    0);
	result = guard_signer_judge(&it, signer, why);
	allowed_signers_fini(&signers);
	return result;
}

/* ---- certificates, as ssh-keygen judges them ---- */

static char signatures[32][8192], public_keys[32][4096];

static void
read_text(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	text[fread(text, 1, size - 1, file)] = '\0';
	fclose(file);
	/* Of a key: the line's end is the file's. */
	if (text[0] != '-')
		text[strcspn(text, "\n")] = '\0';
}

enum stricter { SAME, NEVER, WHERE_BOTH_FIT };

/* Who is certified, by whom; the key's options, and the authority's. */
static const struct {
	const char *key, *authority, *options;
	enum stricter stricter;
} certificates[] = {
    {"-t ed25519", "ca", "-n ann", SAME},
    {"-t ed25519", "ca", "-n ann,bob", WHERE_BOTH_FIT},
    {"-t ed25519", "ca", "", SAME},
    {"-t ed25519", "ca", "-h -n ann", SAME},
    {"-t ed25519", "ca", "-n bob", SAME},
    {"-t ed25519", "ca", "-n Ann", SAME},
    {"-t ed25519", "ca", "-n ann -V 20200101:20210101", SAME},
    {"-t ed25519", "ca", "-n ann -V 29990101:29990201", SAME},
    {"-t ed25519", "ca", "-n ann -V -1m:+1h", SAME},
    {"-t ed25519", "ca",
	"-n ann -O force-command=x -O source-address=10.0.0.0/8", SAME},
    {"-t ed25519", "ca", "-n ann -O critical:odd@example.com=1", NEVER},
    {"-t ed25519", "ca", "-n ann -O verify-required", NEVER},
    {"-t ed25519", "other", "-n ann", SAME},
    {"-t ecdsa -b 384", "ca", "-n ann", SAME},
    {"-t rsa -b 2048", "ca", "-n ann", SAME},
    {"-t rsa -b 1024", "ca", "-n ann", NEVER},
};

enum { CERTIFICATES = sizeof certificates / sizeof certificates[0] };

static void
make_certificates(void)
{
	char path[64];

	assert_int_equal(run("ssh-keygen -q -t ed25519 -N '' -f ca && "
			     "ssh-keygen -q -t ecdsa -N '' -f other && "
			     "printf 'what is signed\\n' >message"),
	    0);
	for (size_t i = 0; i <= CERTIFICATES; i++) {
		bool is_plain = i == CERTIFICATES;

		assert_int_equal(
		    run("ssh-keygen -q %s -N '' -f k%zu",
			is_plain ? "-t ed25519" : certificates[i].key, i),
		    0);
		if (!is_plain)
			assert_int_equal(run("ssh-keygen -q -s %s -I id %s "
					     "k%zu.pub 2>/dev/null",
					     certificates[i].authority,
					     certificates[i].options, i),
			    0);
		/* A key that is too weak to sign leaves an empty one. */
		run("ssh-keygen -q -Y sign -n " NAMESPACE
		    " -f k%zu%s <message >s%zu 2>/dev/null",
		    i, is_plain ? "" : "-cert.pub", i);
		snprintf(path, sizeof path, "s%zu", i);
		read_text(path, signatures[i], sizeof signatures[i]);
		snprintf(path, sizeof path, "k%zu.pub", i);
		read_text(path, public_keys[i], sizeof public_keys[i]);
	}
}

static bool
ssh_keygen_agrees(const char *line, const char *options, size_t signature)
{
	FILE *file = fopen("signers", "w");

	assert_non_null(file);
	fputs(line, file);
	fclose(file);
	return run("ssh-keygen -q -Y verify -f signers -I ann -n " NAMESPACE
		   " %s -s s%zu <message >/dev/null 2>&1",
		   options, signature) == 0;
}

static bool
we_agree(const char *line, const struct revoked_keys *revoked, size_t signature)
{
	struct guard_signer signer;
	const char *why;

	return judge(line, revoked, span_of_str(signatures[signature]), &signer,
		   &why) == GUARD_SIGNER_GOOD &&
	       strcmp(signer.principal, "ann") == 0;
}

static size_t
compare(const char *line, size_t signature, bool both_fit)
{
	bool theirs = ssh_keygen_agrees(line, "", signature);
	enum stricter stricter =
	    signature < CERTIFICATES ? certificates[signature].stricter : SAME;
	bool expected = theirs && stricter != NEVER &&
			(stricter != WHERE_BOTH_FIT || !both_fit);

	if (we_agree(line, NULL, signature) != expected)
		fail_msg("ssh-keygen %s, signature %zu: %s",
		    theirs ? "agrees" : "does not", signature, line);
	return theirs;
}

static void
test_ssh_keygen_says_the_same_of_certificates(void **state)
{
	static const struct {
		const char *text;
		bool both_fit; /* ann and bob */
	} fronts[] = {{"ann", false}, {"*", true}, {"ann,bob", true},
	    {"*,!ann", false}, {"*,!bob", false}, {"bob", false},
	    {"a?n", false}};
	static const char *const options[] = {"cert-authority ",
	    "cert-authority,namespaces=\"kaya-*\" ",
	    "namespaces=\"git\",cert-authority ",
	    "cert-authority,valid-before=\"20200101\" ",
	    "valid-after=\"20200101\",cert-authority ", ""};
	char line[16384], authority[4096];
	size_t good = 0;

	need_ssh_keygen();
	make_certificates();
	read_text("ca.pub", authority, sizeof authority);
	for (size_t s = 0; s <= CERTIFICATES; s++) {
		/* All lines for two certificates and a key, some for others. */
		bool is_all = s < 2 || s == CERTIFICATES;

		for (size_t f = 0; f < sizeof fronts / sizeof fronts[0]; f++) {
			for (size_t o = 0;
			     o < sizeof options / sizeof options[0]; o++) {
				if (!is_all && (f > 1 || o > 0))
					continue;
				snprintf(line, sizeof line, "%s %s%s\n",
				    fronts[f].text, options[o], authority);
				good += compare(line, s, fronts[f].both_fit);
			}
		}
		/* The signer's own key, in a line of a key and of an
		 * authority: a certificate is neither. */
		snprintf(line, sizeof line, "ann %s\n", public_keys[s]);
		good += compare(line, s, false);
		snprintf(line, sizeof line, "ann cert-authority %s\n",
		    public_keys[s]);
		good += compare(line, s, false);
	}
	assert_in_range(good, 40, 100);
}

static void
test_of_two_principals_the_line_has_to_say_which(void **state)
{
	struct guard_signer signer;
	char line[16384], authority[4096];
	const char *why = "";

	need_ssh_keygen();
	if (signatures[1][0] == '\0')
		make_certificates();
	read_text("ca.pub", authority, sizeof authority);
	snprintf(line, sizeof line, "a*,b* cert-authority %s\n", authority);
	assert_int_equal(
	    judge(line, NULL, span_of_str(signatures[1]), &signer, &why),
	    GUARD_SIGNER_UNKNOWN);
	assert_non_null(strstr(why, "more than one"));
	/* Nor by two lines, one for each. */
	snprintf(line, sizeof line,
	    "ann cert-authority %s\nbob cert-authority %s\n", authority,
	    authority);
	assert_int_equal(
	    judge(line, NULL, span_of_str(signatures[1]), &signer, &why),
	    GUARD_SIGNER_UNKNOWN);
}

/* ---- what is revoked ---- */

/* How to make the list; and of whom it revokes a signature: ann's certificate
 * (number 0) by the authority ca, or her key (the last one). */
static const struct {
	const char *command;
	bool certificate, key;
} revocations[] = {
    {"cat k0.pub >revoked", true, false},
    {"cat k16.pub >revoked", false, true},
    {"cat ca.pub >revoked", true, false},
    {"cat k0-cert.pub >revoked", true, false},
    {"cat other.pub >revoked", false, false},
    {": >revoked", false, false},
    {"ssh-keygen -q -k -f revoked k16.pub", false, true},
    {"ssh-keygen -q -k -f revoked ca.pub", true, false},
    {"ssh-keygen -q -k -f revoked k0-cert.pub", true, false},
    {"ssh-keygen -q -k -f revoked other.pub k4.pub", false, false},
    /* It has no serial: its id is meant, which is that of all. */
    {"ssh-keygen -q -k -f revoked k3-cert.pub", true, false},
    {"echo id: id >what; ssh-keygen -q -k -s ca.pub -f revoked what", true,
	false},
    {"echo id: id >what; ssh-keygen -q -k -s other.pub -f revoked what", false,
	false},
    {"echo serial: 40-50 >what; ssh-keygen -q -k -s ca.pub -f revoked what",
	true, false},
    {"echo serial: 43 >what; ssh-keygen -q -k -s ca.pub -f revoked what", false,
	false},
};

static void
check_revoked(size_t i, const char *line, size_t signature, bool is_revoked)
{
	struct conf_fault fault = {.file = "revoked"};
	struct revoked_keys *revoked;
	static uint8_t bytes[65536];
	FILE *file = fopen("revoked", "r");
	size_t len;

	assert_non_null(file);
	len = fread(bytes, 1, sizeof bytes, file);
	fclose(file);
	revoked = revoked_keys_new("revoked", span_of(bytes, len), &fault);
	assert_non_null(revoked);
	if (ssh_keygen_agrees(line, "-r revoked", signature) == is_revoked)
		fail_msg("ssh-keygen of signature %zu by: %s", signature,
		    revocations[i].command);
	if (we_agree(line, revoked, signature) == is_revoked)
		fail_msg(
		    "signature %zu by: %s", signature, revocations[i].command);
	revoked_keys_free(revoked);
}

static void
test_what_is_revoked_signs_nothing_as_ssh_keygen_has_it(void **state)
{
	char by_authority[8192], by_key[8192], authority[4096];

	need_ssh_keygen();
	if (signatures[0][0] == '\0')
		make_certificates();
	assert_int_equal(CERTIFICATES, 16);
	/* With a serial, which those above have none of. */
	assert_int_equal(
	    run("ssh-keygen -q -s ca -I id -z 42 -n ann k0.pub "
		"2>/dev/null && ssh-keygen -q -Y sign -n " NAMESPACE
		" -f k0-cert.pub <message >s0 "
		"2>/dev/null"),
	    0);
	read_text("s0", signatures[0], sizeof signatures[0]);
	read_text("ca.pub", authority, sizeof authority);
	snprintf(by_authority, sizeof by_authority, "ann cert-authority %s\n",
	    authority);
	snprintf(by_key, sizeof by_key, "ann %s\n", public_keys[CERTIFICATES]);
	for (size_t i = 0; i < sizeof revocations / sizeof *revocations; i++) {
		assert_int_equal(run("rm -f revoked what"), 0);
		assert_int_equal(run("%s", revocations[i].command), 0);
		check_revoked(i, by_authority, 0, revocations[i].certificate);
		check_revoked(i, by_key, CERTIFICATES, revocations[i].key);
	}
}

/* Who looks for one has to know whom: a pattern is nobody's name. */
static void
test_a_pattern_is_nobodys_name(void **state)
{
	static const char *const fronts[] = {"a*", "ann,bob", "an?", "!ann"};
	struct guard_signer signer;
	char line[8192];
	const char *why = "";

	need_ssh_keygen();
	if (signatures[CERTIFICATES][0] == '\0')
		make_certificates();
	for (size_t i = 0; i < sizeof fronts / sizeof fronts[0]; i++) {
		snprintf(line, sizeof line, "%s %s\n", fronts[i],
		    public_keys[CERTIFICATES]);
		assert_int_equal(
		    judge(line, NULL, span_of_str(signatures[CERTIFICATES]),
			&signer, &why),
		    GUARD_SIGNER_UNKNOWN);
		assert_non_null(strstr(why, "no name of one"));
	}
}

/* Bob's certificate, with ann's name written over his. */
static void
test_what_the_authority_has_not_signed_is_worth_nothing(void **state)
{
	struct buf blob = {.max = SSH_SIG_BLOB_MAX}, text = {.max = 24576};
	struct guard_signer signer;
	char line[8192], authority[4096];
	const char *why = "";
	struct ssh_sig sig;
	uint8_t *at;

	need_ssh_keygen();
	if (signatures[4][0] == '\0')
		make_certificates();
	assert_int_equal(
	    ssh_sig_parse_file(span_of_str(signatures[4]), &blob, &sig),
	    SSH_SIG_GOOD);
	at = memmem(buf_span(&blob).data, buf_len(&blob), "\0\0\0\3bob", 7);
	assert_non_null(at);
	memcpy(at + 4, "ann", 3);
	ssh_armor_close(buf_span(&blob), SSH_SIG_ARMOR, &text);
	read_text("ca.pub", authority, sizeof authority);
	snprintf(line, sizeof line, "* cert-authority %s\n", authority);
	assert_int_equal(judge(line, NULL, buf_span(&text), &signer, &why),
	    GUARD_SIGNER_UNKNOWN);
	assert_non_null(strstr(why, "signature of the certificate"));
	buf_fini(&blob);
	buf_fini(&text);
}

/* ---- tokens: a key of our own, that says what a token would ---- */

enum { TOUCHED = 1, VERIFIED = 4 };

#define TOKEN_TYPE "sk-ssh-ed25519@openssh.com"

static void
put_token_signature(EVP_PKEY *key, unsigned flags, struct buf *text)
{
	uint8_t digest[SHA256_BYTES], raw[64], point[32];
	size_t raw_len = sizeof raw, point_len = sizeof point;
	struct buf blob, data, told, signature;
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	buf_init(&blob, SSH_SIG_BLOB_MAX);
	buf_init(&data, 1000);
	buf_init(&told, 1000);
	buf_init(&signature, 1000);
	assert_true(ssh_sig_data(
	    NAMESPACE, SSH_SIG_SHA512, span_of_str(MESSAGE), &data));
	assert_int_equal(sha256_of(span_of_str("ssh:"), digest), 0);
	wire_put_bytes(&told, span_of(digest, sizeof digest));
	wire_put_u8(&told, (uint8_t)flags);
	wire_put_u32(&told, 7);
	assert_int_equal(sha256_of(buf_span(&data), digest), 0);
	wire_put_bytes(&told, span_of(digest, sizeof digest));
	assert_int_equal(EVP_DigestSignInit(context, NULL, NULL, NULL, key), 1);
	assert_int_equal(EVP_DigestSign(context, raw, &raw_len,
			     buf_span(&told).data, buf_len(&told)),
	    1);
	wire_put_cstring32(&signature, TOKEN_TYPE);
	wire_put_string32(&signature, span_of(raw, raw_len));
	wire_put_u8(&signature, (uint8_t)flags);
	wire_put_u32(&signature, 7);
	EVP_PKEY_get_raw_public_key(key, point, &point_len);
	buf_fini(&told);
	wire_put_cstring32(&told, TOKEN_TYPE);
	wire_put_string32(&told, span_of(point, point_len));
	wire_put_cstring32(&told, "ssh:");
	ssh_sig_encode(&(struct ssh_sig){.key = buf_span(&told),
			   .namespace = span_of_str(NAMESPACE),
			   .hash = SSH_SIG_SHA512,
			   .signature = buf_span(&signature)},
	    &blob);
	ssh_armor_close(buf_span(&blob), SSH_SIG_ARMOR, text);
	buf_fini(&blob);
	buf_fini(&data);
	buf_fini(&told);
	buf_fini(&signature);
	EVP_MD_CTX_free(context);
}

static void
put_token_line(EVP_PKEY *key, char line[512])
{
	char base64[256];
	uint8_t point[32];
	size_t len = sizeof point;
	struct buf blob = {.max = 200};

	EVP_PKEY_get_raw_public_key(key, point, &len);
	wire_put_cstring32(&blob, TOKEN_TYPE);
	wire_put_string32(&blob, span_of(point, len));
	wire_put_cstring32(&blob, "ssh:");
	str_base64_encode(buf_span(&blob), base64);
	snprintf(line, 512, "ann " TOKEN_TYPE " %s\n", base64);
	buf_fini(&blob);
}

static void
test_a_token_has_to_have_been_touched(void **state)
{
	static const struct {
		unsigned flags;
		enum guard_signer_result result;
	} rows[] = {
	    {0, GUARD_SIGNER_BAD},
	    {VERIFIED, GUARD_SIGNER_BAD},
	    {TOUCHED, GUARD_SIGNER_GOOD},
	    {TOUCHED | VERIFIED, GUARD_SIGNER_GOOD},
	};
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	struct guard_signer signer;
	char line[512];

	put_token_line(key, line);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buf text = {.max = SSH_SIG_FILE_MAX};
		const char *why = "";

		put_token_signature(key, rows[i].flags, &text);
		assert_int_equal(
		    judge(line, NULL, buf_span(&text), &signer, &why),
		    rows[i].result);
		assert_true(rows[i].result == GUARD_SIGNER_GOOD ||
			    strstr(why, "touched") != NULL);
		buf_fini(&text);
	}
	EVP_PKEY_free(key);
}

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ssh_keygen_says_the_same_of_certificates),
	    cmocka_unit_test(test_of_two_principals_the_line_has_to_say_which),
	    cmocka_unit_test(
		test_what_is_revoked_signs_nothing_as_ssh_keygen_has_it),
	    cmocka_unit_test(test_a_pattern_is_nobodys_name),
	    cmocka_unit_test(
		test_what_the_authority_has_not_signed_is_worth_nothing),
	    cmocka_unit_test(test_a_token_has_to_have_been_touched),
	};

	return cmocka_run_group_tests_name(
	    "guard_signer", tests, set_up, tear_down);
}
