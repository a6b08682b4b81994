/*
 * Hostile certificates.  Input: the number of an algorithm, and the blob.  What
 * is found good is whole, and a key that ssh_key takes.
 */

#include "ssh_certificate.h"
#include "ssh_key.h"
#include "wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition))                                              \
			abort();                                               \
	} while (0)

/* The algorithm of this number in our own list; one that is not: "none". */
static struct span
algorithm_of(uint8_t number)
{
	const char *list = ssh_certificate_algorithms();

	while (number-- > 0 && list != NULL) {
		list = strchr(list, ',');
		list = list == NULL ? NULL : list + 1;
	}
	return list == NULL ? span_of_str("none")
			    : span_of(list, strcspn(list, ","));
}

static void
check_good(const struct ssh_certificate *c, struct span blob)
{
	struct span in = c->principals, principal;
	int count = 0;

	MUST(ssh_key_check(span_of_str(c->algorithm), buf_span(&c->key)) ==
	     SSH_KEY_GOOD);
	MUST(c->to_be_signed.len < blob.len);
	while (wire_take_string32(&in, &principal))
		count++;
	MUST(in.len == 0 && count > 0 &&
	     count <= SSH_CERTIFICATE_PRINCIPALS_MAX);
	/* It begins and ends, where it is ever good, as it says. */
	MUST(ssh_certificate_check_time(c, 0) != SSH_CERTIFICATE_GOOD ||
	     c->valid_after_s == 0);
	MUST(ssh_certificate_check_time(c, INT64_MAX) !=
		 SSH_CERTIFICATE_EXPIRED ||
	     c->valid_before_s <= INT64_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct ssh_certificate certificate;
	enum ssh_certificate_verdict verdict;
	uint8_t number;

	if (!wire_take_u8(&in, &number))
		return 0;
	verdict = ssh_certificate_parse(algorithm_of(number), in, &certificate);
	if (verdict == SSH_CERTIFICATE_GOOD)
		check_good(&certificate, in);
	if (verdict == SSH_CERTIFICATE_UNSUPPORTED ||
	    verdict == SSH_CERTIFICATE_MALFORMED)
		MUST(certificate.algorithm == NULL);
	else
		(void)ssh_certificate_verify(&certificate);
	MUST(ssh_certificate_text(verdict)[0] != '\0');
	ssh_certificate_fini(&certificate);
	return 0;
}
