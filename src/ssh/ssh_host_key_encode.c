#include "ssh_host_key_private.h"

#include "ssh_armor.h"
#include "wire.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>

static bool
put_ed25519(const struct ssh_host_key *key, struct buf *out)
{
	enum { BYTES = SSH_HOST_KEY_ED25519_BYTES };
	uint8_t both[2 * BYTES];
	size_t seed_len = BYTES, public_len = BYTES;
	bool done;

	done = EVP_PKEY_get_raw_private_key(key->pkey, both, &seed_len) == 1 &&
	       EVP_PKEY_get_raw_public_key(
		   key->pkey, both + BYTES, &public_len) == 1;
	wire_put_cstring32(out, "ssh-ed25519");
	wire_put_string32(out, span_of(both + BYTES, BYTES));
	wire_put_string32(out, span_of(both, sizeof both));
	explicit_bzero(both, sizeof both);
	return done;
}

static bool
put_rsa(const struct ssh_host_key *key, struct buf *out)
{
	/* n, e, d, 1/q mod p, p, q */
	static const char *const names[] = {OSSL_PKEY_PARAM_RSA_N,
	    OSSL_PKEY_PARAM_RSA_E, OSSL_PKEY_PARAM_RSA_D,
	    OSSL_PKEY_PARAM_RSA_COEFFICIENT1, OSSL_PKEY_PARAM_RSA_FACTOR1,
	    OSSL_PKEY_PARAM_RSA_FACTOR2};

	wire_put_cstring32(out, "ssh-rsa");
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (!ssh_host_key_put_number(key, names[i], out))
			return false;
	return true;
}

static bool
put_private(
    const struct ssh_host_key *key, const char *comment, struct buf *out)
{
	uint8_t check[4], padding = 0;
	bool done;

	/* Twice the same, for who decrypts to see whether it was right. */
	done = RAND_bytes(check, sizeof check) == 1;
	wire_put_bytes(out, span_of(check, sizeof check));
	wire_put_bytes(out, span_of(check, sizeof check));
	done =
	    done && (key->type == SSH_HOST_KEY_ED25519 ? put_ed25519(key, out)
						       : put_rsa(key, out));
	wire_put_cstring32(out, comment);
	while (buf_len(out) % SSH_HOST_KEY_BLOCK_BYTES != 0 && !out->failed)
		wire_put_u8(out, ++padding);
	return done && !out->failed;
}

int
ssh_host_key_encode(const struct ssh_host_key *key, const char *comment,
    struct buf *file, struct err *err)
{
	struct buf private, bytes;
	int result = -1;

	buf_init(&private, SSH_HOST_KEY_FILE_MAX);
	buf_init(&bytes, SSH_HOST_KEY_FILE_MAX);
	/* As above: room at once, so that no copies stay behind. */
	if (buf_reserve(&private, SSH_HOST_KEY_FILE_MAX) == NULL ||
	    buf_reserve(&bytes, SSH_HOST_KEY_FILE_MAX) == NULL)
		goto out;
	if (!put_private(key, comment, &private))
		goto out;
	wire_put_bytes(
	    &bytes, span_of(SSH_HOST_KEY_MAGIC, sizeof SSH_HOST_KEY_MAGIC));
	wire_put_cstring32(&bytes, "none");
	wire_put_cstring32(&bytes, "none");
	wire_put_cstring32(&bytes, "");
	wire_put_u32(&bytes, 1);
	wire_put_string32(&bytes, buf_span(&key->blob));
	wire_put_string32(&bytes, buf_span(&private));
	if (bytes.failed)
		goto out;
	ssh_armor_close(buf_span(&bytes), SSH_HOST_KEY_ARMOR, file);
	result = file->failed ? -1 : 0;
out:
	if (result != 0)
		ssh_host_key_failed(err, "the key cannot be written");
	buf_fini_wipe(&private);
	buf_fini_wipe(&bytes);
	return result;
}
