/* What the child says for the audit log, and that it cannot say just anything.
 */

#include "witness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { MINUTE_MS = 60000 };

static struct span
bytes_of(const struct witness *witness)
{
	return span_of(witness->bytes, witness->len);
}

static void
begin(struct witness *witness)
{
	witness_begin(
	    witness, WITNESS_REFUSE, LOG_LEVEL_DEBUG, "test", "refuse");
}

static bool
entry_has(struct audit_entry *entry, const char *text)
{
	struct span fields = buf_span(&entry->fields);

	return memmem(fields.data, fields.len, text, strlen(text)) != NULL;
}

static void
test_what_is_said_arrives(void **state)
{
	struct audit_entry entry;
	struct witness witness;

	begin(&witness);
	witness_str(&witness, "identity", "pump-7");
	witness_u64(&witness, "port", 4242);
	witness_str(&witness, "kex", "not for the audit log");
	witness_str(&witness, "why", "");
	assert_true(witness_read(WITNESS_REFUSE, bytes_of(&witness), &entry));
	assert_true(entry_has(&entry,
	    "\"event\":\"refuse\",\"identity\":\"pump-7\",\"port\":4242,"
	    "\"why\":\"\""));
	assert_false(entry_has(&entry, "kex"));
	audit_drop(&entry);
}

static void
test_the_front_of_what_is_long_arrives(void **state)
{
	char text[3 * WITNESS_MAX_BYTES];
	struct audit_entry entry;
	struct witness witness;

	memset(text, 'x', sizeof text);
	begin(&witness);
	for (int i = 0; i < 8; i++)
		witness_span(&witness, i == 0 ? "topic" : "why",
		    span_of(text, sizeof text));
	assert_true(witness.len <= WITNESS_MAX_BYTES);
	/* The second "why" makes it none of ours. */
	assert_false(witness_read(WITNESS_REFUSE, bytes_of(&witness), &entry));
	begin(&witness);
	witness_span(&witness, "topic", span_of(text, sizeof text));
	assert_true(witness_read(WITNESS_REFUSE, bytes_of(&witness), &entry));
	audit_drop(&entry);
}

static void
test_what_is_cut_or_of_no_kind_is_refused(void **state)
{
	struct audit_entry entry;
	struct witness witness;

	begin(&witness);
	witness_u64(&witness, "port", 4242);
	for (size_t len = 1; len < witness.len; len++)
		assert_false(witness_read(
		    WITNESS_REFUSE, span_of(witness.bytes, len), &entry));
	assert_false(witness_read(-1, bytes_of(&witness), &entry));
	assert_false(witness_read(WITNESS_CONTROL, bytes_of(&witness), &entry));
	/* A number that is too short, a word that is none. */
	assert_false(
	    witness_read(WITNESS_REFUSE, span_of("\2\0\1x", 4), &entry));
	assert_false(
	    witness_read(WITNESS_REFUSE, span_of("\xff\0\1x", 4), &entry));
	assert_true(witness_read(WITNESS_REFUSE, span_of("", 0), &entry));
	audit_drop(&entry);
}

static void
test_any_bytes_are_an_entry_or_none(void **state)
{
	struct audit_entry entry;
	uint32_t seed = 1;
	uint8_t bytes[64];

	for (int i = 0; i < 20000; i++) {
		for (size_t k = 0; k < sizeof bytes; k++) {
			seed = seed * 1664525 + 1013904223;
			bytes[k] = k % 3 == 1 ? 0 : (seed >> 24) % 30 & 0xff;
		}
		if (witness_read(i % 8, span_of(bytes, seed % 64), &entry)) {
			assert_false(entry.fields.failed);
			audit_drop(&entry);
		}
	}
}

/* Lines that may be written at `now_ms`, until one may not. */
static uint64_t
take_all(struct witness_bounds *bounds, uint64_t now_ms)
{
	uint64_t count = 0;

	while (witness_may(bounds, WITNESS_REFUSE, now_ms))
		count++;
	return count;
}

static void
test_a_flood_is_bounded_and_comes_back_evenly(void **state)
{
	struct witness_bounds bounds = {.of = {{0}}};
	struct audit_entry entry;

	assert_int_equal(take_all(&bounds, 5), 1000);
	assert_int_equal(take_all(&bounds, 5), 0);
	assert_int_equal(take_all(&bounds, 5 + 999), 0);
	assert_int_equal(take_all(&bounds, 5 + 1000), 1);
	assert_int_equal(take_all(&bounds, 5 + 1000 + MINUTE_MS), 60);
	/* The others are not touched. */
	assert_true(witness_may(&bounds, WITNESS_CONNECT, 6));
	assert_true(witness_take_lost(&bounds, WITNESS_REFUSE, &entry));
	assert_true(entry_has(&entry,
	    "\"event\":\"not-logged\",\"what\":\"refuse\",\"lines\":5"));
	audit_drop(&entry);
	assert_false(witness_take_lost(&bounds, WITNESS_REFUSE, &entry));
	/* After a long time it is full, and no fuller. */
	assert_int_equal(take_all(&bounds, UINT64_MAX), 1000);
	/* A clock that goes back gives nothing. */
	assert_int_equal(take_all(&bounds, 7), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test(test_##name)
	const struct CMUnitTest tests[] = {
	    TEST(what_is_said_arrives),
	    TEST(the_front_of_what_is_long_arrives),
	    TEST(what_is_cut_or_of_no_kind_is_refused),
	    TEST(any_bytes_are_an_entry_or_none),
	    TEST(a_flood_is_bounded_and_comes_back_evenly),
	};
#undef TEST
	return cmocka_run_group_tests(tests, NULL, NULL);
}
