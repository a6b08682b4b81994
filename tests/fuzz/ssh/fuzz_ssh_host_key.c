/*
 * Hostile private key files.  Input: 't' and a file's text, or 'e' and what
 * stands in its base64.  A key that is read is written, and read again.
 */

#include "ssh_host_key.h"
#include "str.h"
#include "wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_MAX = 65536 };

static void
armour(struct span envelope, struct buf *file)
{
	char *digits = malloc(4 * ((envelope.len + 2) / 3) + 1);

	if (digits == NULL)
		abort();
	str_base64_encode(envelope, digits);
	wire_put_bytes(
	    file, span_of_str("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
	wire_put_bytes(file, span_of_str(digits));
	wire_put_bytes(
	    file, span_of_str("\n-----END OPENSSH PRIVATE KEY-----\n"));
	free(digits);
}

static void
go_round(const struct ssh_host_key *key)
{
	struct ssh_host_key *again;
	struct buf file;

	buf_init(&file, FILE_MAX);
	if (ssh_host_key_encode(key, "", &file, NULL) != 0)
		abort();
	again = ssh_host_key_parse(buf_span(&file), NULL);
	if (again == NULL ||
	    !span_equal(ssh_host_key_blob(again), ssh_host_key_blob(key)))
		abort();
	ssh_host_key_free(again);
	buf_fini_wipe(&file);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct err err = ERR_INIT;
	struct ssh_host_key *key;
	struct buf file;
	uint8_t kind;

	if (!wire_take_u8(&in, &kind))
		return 0;
	buf_init(&file, 2 * FILE_MAX);
	if (kind == 'e')
		armour(in, &file);
	else
		wire_put_bytes(&file, in);
	key = ssh_host_key_parse(buf_span(&file), &err);
	if (key == NULL && (err.what[0] == '\0' || err.hint[0] == '\0'))
		abort();
	if (key != NULL)
		go_round(key);
	ssh_host_key_free(key);
	buf_fini(&file);
	return 0;
}
