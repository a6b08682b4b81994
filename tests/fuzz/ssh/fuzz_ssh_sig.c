/*
 * Hostile signatures.  Input: 't' and a file's text, or 'b' and a blob.  What
 * is taken to pieces is put together again to the same bytes; a signature of
 * one message is never one of another.
 */

#include "ssh_sig.h"
#include "wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
go_round(struct span blob, const struct ssh_sig *sig)
{
	const struct span messages[] = {
	    span_of_str("a message\n"), span_of_str("another\n")};
	struct ssh_key_presence presence;
	int good = 0;
	struct buf again;

	buf_init(&again, blob.len + 1);
	ssh_sig_encode(sig, &again);
	if (!span_equal(buf_span(&again), blob))
		abort();
	for (size_t i = 0; i < 2; i++)
		good += ssh_sig_verify(sig, "test", messages[i], &presence) ==
			SSH_SIG_GOOD;
	if (good == 2)
		abort();
	buf_fini(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct ssh_sig sig;
	struct buf blob;
	uint8_t kind;

	if (!wire_take_u8(&in, &kind))
		return 0;
	buf_init(&blob, SSH_SIG_BLOB_MAX);
	if (kind == 't') {
		if (ssh_sig_parse_file(in, &blob, &sig) == SSH_SIG_GOOD)
			go_round(buf_span(&blob), &sig);
	} else if (ssh_sig_parse(in, &sig) == SSH_SIG_GOOD) {
		go_round(in, &sig);
	}
	buf_fini(&blob);
	return 0;
}
