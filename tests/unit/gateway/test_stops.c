#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stops.h"

#include <pthread.h>

static void
test_a_stop_is_seen_by_what_is_held_for_its_topic(void **state)
{
	struct stops *stops = stops_new();
	struct stops_node one = {.topic = span_of_str("a")};
	struct stops_node two = {.topic = span_of_str("a")};
	struct stops_node other = {.topic = span_of_str("b")};

	assert_int_equal(stops_hit(stops, span_of_str("a")), 0);
	stops_enter(stops, &one);
	stops_enter(stops, &two);
	stops_enter(stops, &other);
	assert_int_equal(stops_hit(stops, span_of_str("a")), 2);
	assert_true(stops_is_stopped(stops, &one));
	assert_true(stops_is_stopped(stops, &two));
	assert_false(stops_is_stopped(stops, &other));
	stops_leave(stops, &two);
	stops_leave(stops, &one);
	stops_leave(stops, &other);
	stops_free(stops);
}

static void
test_who_was_stopped_is_not_counted_again(void **state)
{
	struct stops *stops = stops_new();
	struct stops_node one = {.topic = span_of_str("a")};

	stops_enter(stops, &one);
	assert_int_equal(stops_hit(stops, span_of_str("a")), 1);
	assert_int_equal(stops_hit(stops, span_of_str("a")), 0);
	assert_true(stops_is_stopped(stops, &one));
	stops_leave(stops, &one);
	stops_free(stops);
}

static void
test_what_comes_after_a_stop_is_not_stopped(void **state)
{
	struct stops *stops = stops_new();
	struct stops_node node = {.topic = span_of_str("a")};

	stops_enter(stops, &node);
	assert_int_equal(stops_hit(stops, span_of_str("a")), 1);
	stops_leave(stops, &node);
	stops_leave(stops, &node);
	stops_enter(stops, &node);
	assert_false(stops_is_stopped(stops, &node));
	stops_leave(stops, &node);
	stops_free(stops);
}

enum { TURNS = 20000 };

static void *
come_and_go(void *arg)
{
	struct stops_node node = {.topic = span_of_str("a")};

	for (int i = 0; i < TURNS; i++) {
		stops_enter(arg, &node);
		(void)stops_is_stopped(arg, &node);
		stops_leave(arg, &node);
	}
	return NULL;
}

static void
test_threads_come_and_go_while_others_stop(void **state)
{
	struct stops *stops = stops_new();
	pthread_t threads[3];

	for (size_t i = 0; i < 3; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, come_and_go, stops), 0);
	for (int i = 0; i < TURNS; i++)
		assert_true(stops_hit(stops, span_of_str("a")) <= 3);
	for (size_t i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	stops_free(stops);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_stop_is_seen_by_what_is_held_for_its_topic),
	    cmocka_unit_test(test_who_was_stopped_is_not_counted_again),
	    cmocka_unit_test(test_what_comes_after_a_stop_is_not_stopped),
	    cmocka_unit_test(test_threads_come_and_go_while_others_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
