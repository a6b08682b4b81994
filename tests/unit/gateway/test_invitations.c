#include "invitations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { NOW = 1700000000, HOUR = 3600, DAY = 24 * HOUR };

#define HASH "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static const uint8_t secret[INVITE_CODE_SECRET_BYTES] = "sixteen bytes !";
static const uint8_t other[INVITE_CODE_SECRET_BYTES] = "sixteen others!";

static struct invitation
wish_of(const char *name, const uint8_t *of_secret)
{
	struct invitation wish = {.until_s = NOW + HOUR};

	snprintf(wish.name, sizeof wish.name, "%s", name);
	invitation_hash(of_secret, wish.hash);
	return wish;
}

static void
invite(struct invitations *list, const char *name, const uint8_t *of_secret)
{
	struct invitation wish = wish_of(name, of_secret);

	assert_true(invitations_add(list, &wish, NOW, NULL) >= 0);
}

static enum invitation_verdict
find(struct invitations *list, const uint8_t *of_secret, int64_t now_s)
{
	struct invitation *found;
	enum invitation_verdict verdict =
	    invitations_find(list, of_secret, now_s, &found);

	assert_true((found == NULL) == (verdict == INVITATION_UNKNOWN));
	return verdict;
}

static int
parse(struct invitations *list, const char *text, struct err *err)
{
	return invitations_parse(list, span_of_str(text), err);
}

/* ---- bytes ---- */

static void
test_what_is_written_is_read(void **state)
{
	struct invitation wish = wish_of("pump-7", secret);
	struct invitations list = {.count = 0}, again;
	struct buf text;

	strcpy(wish.role, "valve");
	wish.keys = INVITATION_MORE_KEYS;
	assert_int_equal(invitations_add(&list, &wish, NOW, NULL), 0);
	invite(&list, "pump-8", other);
	list.items[1].state = INVITATION_USED;
	buf_init(&text, INVITATIONS_FILE_MAX);
	invitations_encode(&list, &text);
	assert_false(text.failed);
	assert_int_equal(invitations_parse(&again, buf_span(&text), NULL), 0);
	assert_int_equal(again.count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(again.items[i].name, list.items[i].name);
		assert_string_equal(again.items[i].role, list.items[i].role);
		assert_int_equal(again.items[i].state, list.items[i].state);
		assert_int_equal(again.items[i].keys, list.items[i].keys);
		assert_int_equal(again.items[i].until_s, NOW + HOUR);
		assert_memory_equal(
		    again.items[i].hash, list.items[i].hash, 32);
	}
	buf_fini(&text);
	invitations_fini(&list);
	invitations_fini(&again);
}

static void
test_the_secret_itself_is_not_written(void **state)
{
	struct invitations list = {.count = 0};
	char hex[2 * sizeof secret + 1];
	struct buf text;

	invite(&list, "pump-7", secret);
	buf_init(&text, INVITATIONS_FILE_MAX);
	invitations_encode(&list, &text);
	str_hex(span_of(secret, sizeof secret), hex);
	assert_null(memmem(
	    buf_span(&text).data, buf_len(&text), secret, sizeof secret));
	assert_null(
	    memmem(buf_span(&text).data, buf_len(&text), hex, strlen(hex)));
	buf_fini(&text);
	invitations_fini(&list);
}

static void
test_a_line_is_as_it_is_promised(void **state)
{
	struct invitations list;

	assert_int_equal(
	    parse(&list, "open pump-7 - 1700000000 one " HASH "\n", NULL), 0);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.items[0].state, INVITATION_OPEN);
	assert_string_equal(list.items[0].name, "pump-7");
	assert_string_equal(list.items[0].role, "");
	assert_int_equal(list.items[0].until_s, NOW);
	assert_int_equal(list.items[0].hash[31], 0x1f);
	invitations_fini(&list);
	assert_int_equal(parse(&list, "", NULL), 0);
	assert_int_equal(list.count, 0);
}

static void
test_any_other_line_voids_the_file(void **state)
{
	static const char good[] = "open a - 1700000000 one " HASH "\n";
	static const char *const bad[] = {
	    "\n",
	    "# a comment\n",
	    "shut a - 1700000000 one " HASH "\n",
	    "Open a - 1700000000 one " HASH "\n",
	    "open  a - 1700000000 one " HASH "\n",
	    " open a - 1700000000 one " HASH "\n",
	    "open a/b - 1700000000 one " HASH "\n",
	    "open a b/c 1700000000 one " HASH "\n",
	    "open a -  one " HASH "\n",
	    "open a - -1 one " HASH "\n",
	    "open a - 17x one " HASH "\n",
	    "open a - 1099511627777 one " HASH "\n",
	    "open a - 18446744073709551616 one " HASH "\n",
	    "open a - 1700000000 two " HASH "\n",
	    "open a - 1700000000 one " HASH "0\n",
	    "open a - 1700000000 one " HASH " \n",
	    "open a - 1700000000 one " HASH " more\n",
	    "open a - 1700000000 one " HASH "\r\n",
	    "open a - 1700000000 one 000102030405060708090A0B0C0D0E0F101112131"
	    "415161718191a1b1c1d1e1f\n",
	    "open a - 1700000000 one g"
	    "00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n",
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct invitations list;
		struct err err = ERR_INIT;
		char text[400];

		snprintf(text, sizeof text, "%s%s%s", good, bad[i], good);
		if (parse(&list, text, &err) == 0)
			fail_msg("taken: %s", bad[i]);
		assert_null(list.items);
		assert_int_equal(list.count, 0);
		assert_non_null(strstr(err.what, "line 2"));
		assert_true(err.hint[0] != '\0');
	}
}

static void
test_a_file_cut_within_a_line_invites_nobody(void **state)
{
	static const char text[] = "open a - 1700000000 one " HASH
				   "\nopen b valve 1700000000 more " HASH "\n";
	size_t first = (size_t)(strchr(text, '\n') - text) + 1;

	for (size_t len = 0; len < sizeof text; len++) {
		struct invitations list;
		int result = invitations_parse(&list, span_of(text, len), NULL);

		if (len == 0 || len == first || len == sizeof text - 1)
			assert_int_equal(result, 0);
		else
			assert_int_equal(result, -1);
		invitations_fini(&list);
	}
}

static void
test_bytes_of_zero_are_no_words(void **state)
{
	static const char text[] =
	    "open a\0b - 1700000000 one " HASH "\nopen c - 1 one " HASH "\n";
	struct invitations list;

	assert_int_equal(
	    invitations_parse(&list, span_of(text, sizeof text - 1), NULL), -1);
}

/* ---- the list ---- */

static void
test_a_code_is_good_until_its_time_is_over(void **state)
{
	struct invitations list = {.count = 0};

	invite(&list, "pump-7", secret);
	assert_int_equal(find(&list, secret, NOW), INVITATION_GOOD);
	assert_int_equal(find(&list, secret, NOW + HOUR - 1), INVITATION_GOOD);
	assert_int_equal(find(&list, secret, NOW + HOUR), INVITATION_EXPIRED);
	assert_int_equal(find(&list, secret, INT64_MAX), INVITATION_EXPIRED);
	assert_int_equal(find(&list, other, NOW), INVITATION_UNKNOWN);
	invitations_fini(&list);
}

static void
test_no_secret_fits_an_empty_list(void **state)
{
	struct invitations list = {.count = 0};

	assert_int_equal(find(&list, secret, NOW), INVITATION_UNKNOWN);
}

static void
test_each_end_of_an_invitation_has_a_verdict(void **state)
{
	struct invitations list = {.count = 0};

	invite(&list, "pump-7", secret);
	list.items[0].state = INVITATION_USED;
	assert_int_equal(find(&list, secret, NOW), INVITATION_SPENT);
	/* Used stays used, however late one looks. */
	assert_int_equal(find(&list, secret, NOW + DAY), INVITATION_SPENT);
	list.items[0].state = INVITATION_CANCELLED;
	assert_int_equal(find(&list, secret, NOW), INVITATION_WITHDRAWN);
	invitations_fini(&list);
}

static void
test_a_bit_of_the_secret_makes_it_another(void **state)
{
	struct invitations list = {.count = 0};
	uint8_t bent[sizeof secret];

	invite(&list, "pump-7", secret);
	for (size_t bit = 0; bit < 8 * sizeof secret; bit++) {
		memcpy(bent, secret, sizeof bent);
		bent[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(find(&list, bent, NOW), INVITATION_UNKNOWN);
	}
	invitations_fini(&list);
}

static void
test_a_new_one_takes_the_place_of_an_open_one_of_that_name(void **state)
{
	struct invitation wish = wish_of("pump-7", other);
	struct invitations list = {.count = 0};

	invite(&list, "pump-7", secret);
	invite(&list, "pump-8", (const uint8_t *)"sixteen for pump");
	assert_int_equal(invitations_add(&list, &wish, NOW, NULL), 1);
	assert_int_equal(find(&list, secret, NOW), INVITATION_WITHDRAWN);
	assert_int_equal(find(&list, other, NOW), INVITATION_GOOD);
	assert_int_equal(find(&list, (const uint8_t *)"sixteen for pump", NOW),
	    INVITATION_GOOD);
	invitations_fini(&list);
}

static void
test_what_is_open_can_be_cancelled_once(void **state)
{
	struct invitations list = {.count = 0};

	invite(&list, "pump-7", secret);
	assert_int_equal(invitations_cancel(&list, "pump", NOW), 0);
	assert_int_equal(invitations_cancel(&list, "pump-7", NOW + HOUR), 0);
	assert_int_equal(invitations_cancel(&list, "pump-7", NOW), 1);
	assert_int_equal(invitations_cancel(&list, "pump-7", NOW), 0);
	invitations_fini(&list);
}

static void
make_secret(unsigned i, uint8_t of[INVITE_CODE_SECRET_BYTES])
{
	memset(of, 0, INVITE_CODE_SECRET_BYTES);
	memcpy(of, &i, sizeof i);
}

static void
invite_many(struct invitations *list, unsigned from, unsigned count)
{
	for (unsigned i = from; i < from + count; i++) {
		uint8_t of[INVITE_CODE_SECRET_BYTES];
		char name[32];

		make_secret(i, of);
		snprintf(name, sizeof name, "pump-%u", i);
		invite(list, name, of);
	}
}

static void
test_there_are_no_more_open_ones_than_fit(void **state)
{
	struct invitation wish = wish_of("one-more", secret);
	struct invitations list = {.count = 0};
	struct err err = ERR_INIT;
	struct buf text;

	invite_many(&list, 0, INVITATIONS_OPEN_MAX);
	assert_int_equal(invitations_add(&list, &wish, NOW, &err), -1);
	assert_non_null(strstr(err.hint, "--list"));
	/* One that takes another's place fits. */
	invite(&list, "pump-0", secret);
	assert_int_equal(find(&list, secret, NOW), INVITATION_GOOD);
	buf_init(&text, INVITATIONS_FILE_MAX);
	invitations_encode(&list, &text);
	assert_false(text.failed);
	buf_fini(&text);
	/* When they have expired there is room again. */
	wish.until_s = NOW + 2 * HOUR;
	assert_int_equal(invitations_add(&list, &wish, NOW + HOUR, &err), 0);
	invitations_fini(&list);
}

static void
test_of_the_spent_ones_the_latest_are_kept(void **state)
{
	struct invitations list = {.count = 0};
	uint8_t of[INVITE_CODE_SECRET_BYTES];

	invite(&list, "long-open", secret);
	invite_many(&list, 0, INVITATIONS_SPENT_MAX + 50);
	for (size_t i = 1; i < list.count; i++)
		list.items[i].state = INVITATION_USED;
	invite(&list, "new", other);
	assert_int_equal(list.count, 1 + INVITATIONS_SPENT_MAX + 1);
	assert_int_equal(find(&list, secret, NOW), INVITATION_GOOD);
	make_secret(49, of);
	assert_int_equal(find(&list, of, NOW), INVITATION_UNKNOWN);
	make_secret(50, of);
	assert_int_equal(find(&list, of, NOW), INVITATION_SPENT);
	invitations_fini(&list);
}

static void
test_after_a_month_a_spent_one_is_forgotten(void **state)
{
	struct invitations list = {.count = 0};
	struct invitation wish = wish_of("new", other);

	invite(&list, "pump-7", secret);
	wish.until_s = NOW + 40 * DAY;
	assert_int_equal(
	    invitations_add(&list, &wish, NOW + HOUR + 31 * DAY, NULL), 0);
	assert_int_equal(list.count, 1);
	assert_int_equal(find(&list, secret, NOW), INVITATION_UNKNOWN);
	invitations_fini(&list);
}

#define TEST(name) cmocka_unit_test(test_##name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_is_written_is_read),
	    TEST(the_secret_itself_is_not_written),
	    TEST(a_line_is_as_it_is_promised),
	    TEST(any_other_line_voids_the_file),
	    TEST(a_file_cut_within_a_line_invites_nobody),
	    TEST(bytes_of_zero_are_no_words),
	    TEST(a_code_is_good_until_its_time_is_over),
	    TEST(no_secret_fits_an_empty_list),
	    TEST(each_end_of_an_invitation_has_a_verdict),
	    TEST(a_bit_of_the_secret_makes_it_another),
	    TEST(a_new_one_takes_the_place_of_an_open_one_of_that_name),
	    TEST(what_is_open_can_be_cancelled_once),
	    TEST(there_are_no_more_open_ones_than_fit),
	    TEST(of_the_spent_ones_the_latest_are_kept),
	    TEST(after_a_month_a_spent_one_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
