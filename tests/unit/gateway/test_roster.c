#include "roster.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MANY = 5000, THREADS = 4 };

struct device {
	struct roster_node node;
	uint8_t key[PUBKEY_DIGEST_BYTES];
};

static struct device
device(uint32_t number, const char *identity, uint64_t ticket)
{
	struct device d = {.node = {.identity = identity, .ticket = ticket}};

	/* As a digest is: different in every byte. */
	for (size_t i = 0; i < sizeof d.key; i++)
		d.key[i] = (uint8_t)(number * 2654435761u >> (8 * (i % 4))) ^
			   (uint8_t)(number >> (8 * (i / 8 % 4)));
	return d;
}

static size_t
enter(struct roster *roster, struct device *d, struct roster_place *others)
{
	d->node.key = d->key;
	return roster_enter(roster, &d->node, others, 4);
}

static void
test_the_next_of_a_key_finds_those_before_it(void **state)
{
	struct roster *roster = roster_new();
	struct device one = device(1, "pump", 11), two = device(1, "pump", 12);
	struct device three = device(1, "pump", 13);
	struct roster_place others[4];

	one.node.worker = 7;
	assert_int_equal(enter(roster, &one, others), 0);
	assert_int_equal(enter(roster, &two, others), 1);
	assert_int_equal(others[0].ticket, 11);
	assert_int_equal(others[0].worker, 7);
	roster_leave(roster, &one.node);
	assert_int_equal(enter(roster, &three, others), 1);
	assert_int_equal(others[0].ticket, 12);
	roster_leave(roster, &two.node);
	roster_leave(roster, &three.node);
	roster_leave(roster, &three.node);
	roster_free(roster);
}

static void
test_a_key_is_in_from_the_first_to_the_last_of_its_connections(void **state)
{
	struct roster *roster = roster_new();
	struct device one = device(1, "pump", 11), two = device(1, "pump", 12);
	struct device other = device(2, "pump", 13);
	struct roster_place others[4];

	assert_false(roster_has(roster, one.key));
	enter(roster, &one, others);
	enter(roster, &two, others);
	assert_true(roster_has(roster, one.key));
	assert_false(roster_has(roster, other.key));
	roster_leave(roster, &one.node);
	assert_true(roster_has(roster, one.key));
	roster_leave(roster, &two.node);
	assert_false(roster_has(roster, one.key));
	roster_free(roster);
}

static void
test_another_key_or_another_identity_is_somebody_else(void **state)
{
	struct roster *roster = roster_new();
	struct device one = device(1, "pump", 1), other = device(2, "pump", 2);
	struct device renamed = device(1, "valve", 3);
	struct roster_place others[4];

	enter(roster, &one, others);
	assert_int_equal(enter(roster, &other, others), 0);
	assert_int_equal(enter(roster, &renamed, others), 0);
	roster_leave(roster, &one.node);
	roster_leave(roster, &other.node);
	roster_leave(roster, &renamed.node);
	roster_free(roster);
}

static void
test_no_more_are_told_of_than_asked_for(void **state)
{
	struct roster *roster = roster_new();
	struct device devices[8];
	struct roster_place others[4];

	for (size_t i = 0; i < 8; i++) {
		devices[i] = device(1, "pump", i + 1);
		assert_int_equal(
		    enter(roster, &devices[i], others), i < 4 ? i : 4);
	}
	for (size_t i = 0; i < 8; i++)
		roster_leave(roster, &devices[i].node);
	roster_free(roster);
}

struct crowd {
	struct roster *roster;
	uint32_t first;
	size_t found;
};

/* As a thread has it: its devices come, come again, and go. */
static void *
come_and_go(void *arg)
{
	struct crowd *crowd = arg;
	struct device *devices = calloc(MANY, sizeof *devices);
	struct device *again = calloc(MANY, sizeof *again);
	struct roster_place others[4];

	for (uint32_t i = 0; i < MANY; i++) {
		devices[i] = device(crowd->first + i, "x", i + 1);
		again[i] = devices[i];
		enter(crowd->roster, &devices[i], others);
	}
	for (uint32_t i = 0; i < MANY; i++) {
		size_t n = enter(crowd->roster, &again[i], others);

		crowd->found += n == 1 && others[0].ticket == i + 1;
	}
	for (uint32_t i = 0; i < MANY; i++) {
		roster_leave(crowd->roster, &devices[i].node);
		roster_leave(crowd->roster, &again[i].node);
	}
	free(devices);
	free(again);
	return NULL;
}

static void
test_threads_come_and_go_and_all_find_their_own(void **state)
{
	struct roster *roster = roster_new();
	struct crowd crowds[THREADS];
	pthread_t threads[THREADS];

	for (uint32_t i = 0; i < THREADS; i++) {
		crowds[i] = (struct crowd){roster, i * MANY, 0};
		assert_int_equal(
		    pthread_create(&threads[i], NULL, come_and_go, &crowds[i]),
		    0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(crowds[i].found, MANY);
	}
	roster_free(roster);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_next_of_a_key_finds_those_before_it),
	    cmocka_unit_test(
		test_a_key_is_in_from_the_first_to_the_last_of_its_connections),
	    cmocka_unit_test(
		test_another_key_or_another_identity_is_somebody_else),
	    cmocka_unit_test(test_no_more_are_told_of_than_asked_for),
	    cmocka_unit_test(test_threads_come_and_go_and_all_find_their_own),
	};

	return cmocka_run_group_tests_name("roster", tests, NULL, NULL);
}
