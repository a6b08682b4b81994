/*
 * Hostile keys and signatures.  Input: the number of an algorithm, a blob as
 * an SSH string, and the signature.
 */

#include "ssh_key.h"
#include "wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The algorithm of this number in our own list; one that is not: "none". */
static struct span
algorithm_of(uint8_t number)
{
	struct span list = span_of_str(ssh_key_signature_algorithms());

	while (list.len > 0) {
		const uint8_t *comma = memchr(list.data, ',', list.len);
		size_t len =
		    comma == NULL ? list.len : (size_t)(comma - list.data);

		if (number-- == 0)
			return span_of(list.data, len);
		len += comma == NULL ? 0 : 1;
		list.data += len;
		list.len -= len;
	}
	return span_of_str("none");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span message = span_of_str("a message");
	struct ssh_key_presence presence = {false, false, false};
	struct span in = span_of(data, size), blob, algorithm;
	enum ssh_key_verdict checked, verified;
	uint8_t number;

	if (!wire_take_u8(&in, &number) || !wire_take_string32(&in, &blob))
		return 0;
	algorithm = algorithm_of(number);
	checked = ssh_key_check(algorithm, blob);
	if (checked == SSH_KEY_BAD_SIGNATURE)
		abort();
	verified = ssh_key_verify(algorithm, blob, in, message, &presence);
	if (checked != SSH_KEY_GOOD && verified != checked)
		abort();
	/* Whoever is let in says how; nobody else says anything. */
	if (verified != SSH_KEY_GOOD &&
	    (presence.is_token || presence.touched || presence.verified))
		abort();
	return 0;
}
