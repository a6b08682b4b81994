#ifndef KAYA_FUZZ_POLICY_H
#define KAYA_FUZZ_POLICY_H

/* fuzz: what the targets of this room share. */

#include "policy_check.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition))                                              \
			abort();                                               \
	} while (0)

static inline void
on_fault(const struct conf_fault *fault, void *arg)
{
	size_t *count = arg;

	MUST(fault->err.what[0] != '\0' && fault->err.where[0] != '\0');
	++*count;
}

static inline void
on_finding(const struct policy_finding *finding, void *arg)
{
	MUST(finding->cause[0] != '\0' && finding->remedy[0] != '\0');
}

/* What is before the next line feed; `in` moves behind it. */
static inline struct span
take_line(struct span *in)
{
	size_t len = 0;
	struct span line;

	while (len < in->len && in->data[len] != '\n')
		len++;
	line = span_of(in->data, len);
	len += len < in->len;
	*in = span_of(in->data + len, in->len - len);
	return line;
}

#endif
