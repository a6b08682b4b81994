#include "ssh_sig.h"

#include "ssh_armor.h"
#include "wire.h"

#include <openssl/err.h>
#include <openssl/evp.h>

enum { VERSION = 1, SIGNATURE_MAX = 4096 };

static const char magic[] = {'S', 'S', 'H', 'S', 'I', 'G'};

static const struct {
	const char *name, *digest;
} hashes[] = {
    [SSH_SIG_SHA512] = {"sha512", "SHA512"},
    [SSH_SIG_SHA256] = {"sha256", "SHA256"},
};

const char *
ssh_sig_verdict_text(enum ssh_sig_verdict verdict)
{
	static const char *const texts[] = {
	    [SSH_SIG_GOOD] = "good",
	    [SSH_SIG_MALFORMED] = "damaged, or no signature at all",
	    [SSH_SIG_OTHER_VERSION] = "of a version that is not known here",
	    [SSH_SIG_OTHER_NAMESPACE] = "given for another purpose (namespace)",
	    [SSH_SIG_UNSUPPORTED] = "of a key or algorithm that is not taken",
	    [SSH_SIG_TOO_WEAK] = "by an RSA key of less than 2048 bits",
	    [SSH_SIG_BAD] = "not of these bytes by this key",
	    [SSH_SIG_NO_MEMORY] = "not judged: no memory",
	};

	return texts[verdict];
}

static bool
take_hash(struct span name, enum ssh_sig_hash *hash)
{
	for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++)
		if (span_is(name, hashes[i].name)) {
			*hash = (enum ssh_sig_hash)i;
			return true;
		}
	return false;
}

enum ssh_sig_verdict
ssh_sig_parse(struct span blob, struct ssh_sig *sig)
{
	struct span start, reserved, hash;
	uint32_t version;

	if (!wire_take_bytes(&blob, sizeof magic, &start) ||
	    memcmp(start.data, magic, sizeof magic) != 0 ||
	    !wire_take_u32(&blob, &version))
		return SSH_SIG_MALFORMED;
	if (version != VERSION)
		return SSH_SIG_OTHER_VERSION;
	if (!wire_take_string32(&blob, &sig->key) ||
	    !wire_take_string32(&blob, &sig->namespace) ||
	    !wire_take_string32(&blob, &reserved) ||
	    !wire_take_string32(&blob, &hash) ||
	    !wire_take_string32(&blob, &sig->signature) || blob.len > 0)
		return SSH_SIG_MALFORMED;
	/* Nothing is known yet that could stand there, and it is signed. */
	if (reserved.len > 0 || !take_hash(hash, &sig->hash))
		return SSH_SIG_UNSUPPORTED;
	return SSH_SIG_GOOD;
}

enum ssh_sig_verdict
ssh_sig_parse_file(struct span text, struct buf *blob, struct ssh_sig *sig)
{
	if (text.len > SSH_SIG_FILE_MAX)
		return SSH_SIG_MALFORMED;
	switch (ssh_armor_open(text, SSH_SIG_ARMOR, blob)) {
	case SSH_ARMOR_GOOD:
		return ssh_sig_parse(buf_span(blob), sig);
	case SSH_ARMOR_NO_MEMORY:
		return SSH_SIG_NO_MEMORY;
	case SSH_ARMOR_NO_BEGIN:
	case SSH_ARMOR_NO_END:
	case SSH_ARMOR_BAD_BASE64:
		break;
	}
	return SSH_SIG_MALFORMED;
}

bool
ssh_sig_data(const char *namespace, enum ssh_sig_hash hash, struct span message,
    struct buf *data)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	size_t len = sizeof digest;

	if (EVP_Q_digest(NULL, hashes[hash].digest, NULL, message.data,
		message.len, digest, &len) != 1) {
		ERR_clear_error();
		return false;
	}
	wire_put_bytes(data, span_of(magic, sizeof magic));
	wire_put_cstring32(data, namespace);
	wire_put_cstring32(data, "");
	wire_put_cstring32(data, hashes[hash].name);
	wire_put_string32(data, span_of(digest, len));
	return !data->failed;
}

static enum ssh_sig_verdict
verdict_of(enum ssh_key_verdict verdict)
{
	switch (verdict) {
	case SSH_KEY_GOOD:
		return SSH_SIG_GOOD;
	case SSH_KEY_BAD_SIGNATURE:
		return SSH_SIG_BAD;
	case SSH_KEY_UNSUPPORTED:
		return SSH_SIG_UNSUPPORTED;
	case SSH_KEY_TOO_WEAK:
		return SSH_SIG_TOO_WEAK;
	case SSH_KEY_MALFORMED:
		break;
	}
	return SSH_SIG_MALFORMED;
}

enum ssh_sig_verdict
ssh_sig_verify(const struct ssh_sig *sig, const char *namespace,
    struct span message, struct ssh_key_presence *presence)
{
	struct span in = sig->signature, algorithm;
	enum ssh_sig_verdict verdict = SSH_SIG_NO_MEMORY;
	struct buf data;

	if (!span_is(sig->namespace, namespace))
		return SSH_SIG_OTHER_NAMESPACE;
	if (!wire_take_string32(&in, &algorithm))
		return SSH_SIG_MALFORMED;
	buf_init(&data, SSH_SIG_DATA_MAX);
	if (ssh_sig_data(namespace, sig->hash, message, &data))
		verdict = verdict_of(ssh_key_verify(algorithm, sig->key,
		    sig->signature, buf_span(&data), presence));
	buf_fini(&data);
	return verdict;
}

void
ssh_sig_encode(const struct ssh_sig *sig, struct buf *blob)
{
	wire_put_bytes(blob, span_of(magic, sizeof magic));
	wire_put_u32(blob, VERSION);
	wire_put_string32(blob, sig->key);
	wire_put_string32(blob, sig->namespace);
	wire_put_cstring32(blob, "");
	wire_put_cstring32(blob, hashes[sig->hash].name);
	wire_put_string32(blob, sig->signature);
}

int
ssh_sig_sign(const struct ssh_host_key *key, const char *namespace,
    struct span message, struct buf *blob, struct err *err)
{
	const char *algorithm = ssh_host_key_type(key) == SSH_HOST_KEY_ED25519
				    ? "ssh-ed25519"
				    : "rsa-sha2-512";
	struct buf data, signature;
	int result = -1;

	buf_init(&data, SSH_SIG_DATA_MAX);
	buf_init(&signature, SIGNATURE_MAX);
	if (!ssh_sig_data(namespace, SSH_SIG_SHA512, message, &data)) {
		err_set(err, ERR_NOMEM, "no memory for a signature");
		goto out;
	}
	if (ssh_host_key_sign(
		key, algorithm, buf_span(&data), &signature, err) != 0)
		goto out;
	ssh_sig_encode(
	    &(struct ssh_sig){
		.key = ssh_host_key_blob(key),
		.namespace = span_of_str(namespace),
		.hash = SSH_SIG_SHA512,
		.signature = buf_span(&signature),
	    },
	    blob);
	result = blob->failed
		     ? err_set(err, ERR_NOMEM, "no room for a signature")
		     : 0;
out:
	buf_fini(&data);
	buf_fini(&signature);
	return result;
}
