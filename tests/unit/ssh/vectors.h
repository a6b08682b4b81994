#ifndef KAYA_TEST_VECTORS_H
#define KAYA_TEST_VECTORS_H

/* vectors: users' keys of each kind, and a signature of each. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct vector {
	const char *title;
	const char *algorithm;
	const char *message;
	const char *blob; /* hex */
	const char *signature; /* hex */
	bool is_token;
	uint8_t flags;
};

static const struct vector vectors[] = {
#include "key_vectors.h"
};

#define VECTORS (sizeof vectors / sizeof vectors[0])

enum { VECTOR_BYTES_MAX = 4096 };

static inline size_t
from_hex(const char *text, uint8_t *bytes)
{
	size_t len = strlen(text) / 2;

	assert_in_range(len, 0, VECTOR_BYTES_MAX);
	for (size_t i = 0; i < len; i++) {
		char digits[3] = {text[2 * i], text[2 * i + 1], '\0'};

		bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return len;
}

static inline const struct vector *
find_vector(const char *algorithm)
{
	for (size_t i = 0; i < VECTORS; i++)
		if (strcmp(vectors[i].algorithm, algorithm) == 0)
			return &vectors[i];
	fail_msg("no vector of %s", algorithm);
	return NULL;
}

#endif
