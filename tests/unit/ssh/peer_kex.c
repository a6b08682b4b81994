#include "peer.h"

#include "sha256.h"

enum { TEXT_MAX = 1024 * 1024 };

static void
check_host_signature(struct peer *p, struct span signature)
{
	struct span algorithm, raw;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert_true(wire_take_string32(&signature, &algorithm));
	assert_true(span_is(algorithm, "ssh-ed25519"));
	assert_true(wire_take_string32(&signature, &raw));
	assert_int_equal(signature.len, 0);
	assert_int_equal(
	    EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, p->host_pkey), 1);
	assert_int_equal(
	    EVP_DigestVerify(ctx, raw.data, raw.len, p->hash, sizeof p->hash),
	    1);
	EVP_MD_CTX_free(ctx);
}

static const char *
or_default(const char *text, const char *otherwise)
{
	return text == NULL ? otherwise : text;
}

void
peer_say_version(struct peer *p)
{
	peer_say_raw(p, span_of_str(or_default(p->options.version,
			    "SSH-2.0-peer_1 \"test\"\r\n")));
}

void
peer_read_version(struct peer *p)
{
	struct span from = buf_span(&p->from_server);
	const uint8_t *end = memchr(from.data, '\n', from.len);
	size_t len;

	assert_non_null(end);
	len = (size_t)(end - from.data) + 1;
	assert_true(len > 2 && end[-1] == '\r');
	wire_put_bytes(&p->server_version, span_of(from.data, len - 2));
	buf_consume(&p->from_server, len);
}

static void
put_kexinit(struct peer *p, struct buf *out)
{
	static const uint8_t cookie[16] = "sixteen of them";
	static const char ciphers[] =
	    "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,"
	    "aes128-gcm@openssh.com,aes256-ctr,aes128-ctr";
	static const char macs[] =
	    "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,"
	    "hmac-sha2-256,hmac-sha2-512";
	const struct peer_options *o = &p->options;

	wire_put_u8(out, SSH_MSG_KEXINIT);
	wire_put_bytes(out, span_of(cookie, sizeof cookie));
	wire_put_cstring32(out, or_default(o->kex, PEER_DEFAULT_KEX));
	wire_put_cstring32(out, or_default(o->host_key, "ssh-ed25519"));
	wire_put_cstring32(out, or_default(o->cipher_in, ciphers));
	wire_put_cstring32(out, or_default(o->cipher_out, ciphers));
	wire_put_cstring32(out, or_default(o->mac_in, macs));
	wire_put_cstring32(out, or_default(o->mac_out, macs));
	wire_put_cstring32(out, or_default(o->compression, "none"));
	wire_put_cstring32(out, or_default(o->compression, "none,zlib"));
	wire_put_cstring32(out, "");
	wire_put_cstring32(out, "");
	wire_put_u8(out, o->first_follows);
	wire_put_u32(out, 0);
}

void
peer_say_kexinit(struct peer *p)
{
	buf_fini(&p->client_init);
	put_kexinit(p, &p->client_init);
	peer_say(p, buf_span(&p->client_init));
}

void
peer_say_ecdh_init(struct peer *p)
{
	struct buf *payload;
	uint8_t raw[32];
	size_t len = sizeof raw;

	EVP_PKEY_free(p->share);
	p->share = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	assert_non_null(p->share);
	assert_int_equal(EVP_PKEY_get_raw_public_key(p->share, raw, &len), 1);
	payload = peer_begin(p, SSH_MSG_KEX_ECDH_INIT);
	wire_put_string32(payload, span_of(raw, len));
	peer_say(p, buf_span(payload));
}

void
peer_say_newkeys(struct peer *p)
{
	static const uint8_t newkeys = SSH_MSG_NEWKEYS;

	peer_say(p, span_of(&newkeys, 1));
	assert_true(p->has_next);
	p->next_out.sequence = p->is_strict ? 0 : p->out.sequence;
	p->out = p->next_out;
}

static void
put_secret(struct peer *p, struct span server_share, struct buf *secret)
{
	EVP_PKEY *theirs = EVP_PKEY_new_raw_public_key(
	    EVP_PKEY_X25519, NULL, server_share.data, server_share.len);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(p->share, NULL);
	uint8_t raw[32];
	size_t len = sizeof raw;

	assert_non_null(theirs);
	assert_int_equal(EVP_PKEY_derive_init(ctx), 1);
	assert_int_equal(EVP_PKEY_derive_set_peer(ctx, theirs), 1);
	assert_int_equal(EVP_PKEY_derive(ctx, raw, &len), 1);
	wire_put_mpint(secret, span_of(raw, len));
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(theirs);
}

static void
make_hash(struct peer *p, struct span server_share, struct span secret)
{
	struct buf text;
	struct span version;
	uint8_t raw[32];
	size_t len = sizeof raw;

	version = span_of_str(
	    or_default(p->options.version, "SSH-2.0-peer_1 \"test\"\r\n"));
	while (version.len > 0 && (version.data[version.len - 1] == '\n' ||
				      version.data[version.len - 1] == '\r'))
		version.len--;
	assert_int_equal(EVP_PKEY_get_raw_public_key(p->share, raw, &len), 1);
	buf_init(&text, TEXT_MAX);
	wire_put_string32(&text, version);
	wire_put_string32(&text, buf_span(&p->server_version));
	wire_put_string32(&text, buf_span(&p->client_init));
	wire_put_string32(&text, buf_span(&p->server_init));
	wire_put_string32(&text, buf_span(&p->host_blob));
	wire_put_string32(&text, span_of(raw, len));
	wire_put_string32(&text, server_share);
	wire_put_bytes(&text, secret);
	assert_int_equal(sha256_of(buf_span(&text), p->hash), 0);
	buf_fini(&text);
}

static void
derive(struct peer *p, struct span secret, enum ssh_cipher cipher,
    enum ssh_mac mac, const char letters[3], struct ssh_direction *d)
{
	struct span session = span_of(p->session_id, 32);
	const struct ssh_cipher_facts *facts = ssh_cipher_facts(cipher);

	*d = (struct ssh_direction){
	    .cipher = (uint8_t)cipher, .mac = (uint8_t)mac};
	assert_int_equal(ssh_kex_derive(secret, p->hash, session, letters[0],
			     d->iv, facts->iv_bytes),
	    0);
	assert_int_equal(ssh_kex_derive(secret, p->hash, session, letters[1],
			     d->key, facts->key_bytes),
	    0);
	if (mac != SSH_MAC_NONE)
		assert_int_equal(
		    ssh_kex_derive(secret, p->hash, session, letters[2],
			d->mac_key, ssh_mac_facts(mac)->key_bytes),
		    0);
}

/* What the first name of a list that the client gave stands for. */
static bool
begins_with_name(const char *list, const char *name)
{
	size_t len = strlen(name);

	return strncmp(list, name, len) == 0 &&
	       (list[len] == ',' || list[len] == '\0');
}

static enum ssh_cipher
first_cipher(const char *list)
{
	if (list == NULL)
		return SSH_CIPHER_CHACHA20_POLY1305;
	for (enum ssh_cipher c = SSH_CIPHER_NONE + 1; c < SSH_CIPHER_COUNT; c++)
		if (begins_with_name(list, ssh_cipher_facts(c)->name))
			return c;
	fail_msg("no cipher in %s", list);
	return SSH_CIPHER_NONE;
}

static enum ssh_mac
first_mac(const char *list, enum ssh_cipher cipher)
{
	if (ssh_cipher_facts(cipher)->is_aead)
		return SSH_MAC_NONE;
	if (list == NULL)
		return SSH_MAC_SHA2_256_ETM;
	for (enum ssh_mac m = SSH_MAC_NONE + 1; m < SSH_MAC_COUNT; m++)
		if (begins_with_name(list, ssh_mac_facts(m)->name))
			return m;
	fail_msg("no MAC in %s", list);
	return SSH_MAC_NONE;
}

void
peer_on_reply(struct peer *p)
{
	struct span body = buf_span(&p->message), blob, share, signature;
	enum ssh_cipher out = first_cipher(p->options.cipher_in);
	enum ssh_cipher in = first_cipher(p->options.cipher_out);
	struct buf secret;
	uint8_t number;

	assert_true(wire_take_u8(&body, &number));
	assert_true(wire_take_string32(&body, &blob));
	assert_true(span_equal(blob, buf_span(&p->host_blob)));
	assert_true(wire_take_string32(&body, &share));
	assert_true(wire_take_string32(&body, &signature));
	assert_int_equal(body.len, 0);
	buf_init(&secret, 1000);
	put_secret(p, share, &secret);
	make_hash(p, share, buf_span(&secret));
	check_host_signature(p, signature);
	if (!p->has_session_id)
		memcpy(p->session_id, p->hash, sizeof p->hash);
	p->has_session_id = true;
	derive(p, buf_span(&secret), out, first_mac(p->options.mac_in, out),
	    "ACE", &p->next_out);
	derive(p, buf_span(&secret), in, first_mac(p->options.mac_out, in),
	    "BDF", &p->next_in);
	p->has_next = true;
	buf_fini(&secret);
}

/* Whether both said "strict" in their first KEXINIT. */
void
peer_on_kexinit(struct peer *p)
{
	const char *kex = or_default(p->options.kex, PEER_DEFAULT_KEX);
	struct span theirs = buf_span(&p->message);

	buf_fini(&p->server_init);
	wire_put_bytes(&p->server_init, theirs);
	if (p->has_session_id)
		return;
	p->is_strict =
	    strstr(kex, "kex-strict-c-v00@openssh.com") != NULL &&
	    memmem(theirs.data, theirs.len, "kex-strict-s-v00@openssh.com",
		strlen("kex-strict-s-v00@openssh.com")) != NULL;
}
