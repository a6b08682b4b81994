#include "survey_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ---- a survey that has been made ---- */

static struct survey_options options;
static struct survey survey;

static int
begin(void **state)
{
	static const uint16_t ports[] = {22, 2222, 443};

	memset(&options, 0, sizeof options);
	memset(&survey, 0, sizeof survey);
	options.link.dest = "dan@broker.example";
	survey.options = &options;
	survey.own_port = 22;
	memcpy(survey.ports, ports, sizeof ports);
	survey.port_count = 3;
	snprintf(survey.proxy.name, sizeof survey.proxy.name, "proxy:3128");
	return 0;
}

static struct survey_way *
add(uint16_t port, const char *address, enum way_fact fact,
    enum way_trust trust)
{
	struct survey_way *way = &survey.ways[survey.way_count++];

	way->port = port;
	way->fact = fact;
	way->trust = trust;
	way->name.ss_family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET;
	snprintf(way->address, sizeof way->address, "%s", address);
	snprintf(way->fingerprint, sizeof way->fingerprint, "SHA256:right");
	way->connect = (struct way_times){1, {10}};
	return way;
}

static struct survey_way *
add_proxied(uint16_t port)
{
	struct survey_way *way = add(port, "proxy:3128", WAY_SSH, TRUST_KNOWN);

	way->proxy = &survey.proxy;
	return way;
}

typedef void command_fn(const struct survey *survey,
    const struct survey_way *best, struct buf *command);

static void
assert_written(command_fn *write, const char *wanted)
{
	struct survey_way *best = survey_best(&survey);
	struct buf command;

	assert_non_null(best);
	buf_init(&command, 4096);
	write(&survey, best, &command);
	buf_append(&command, "", 1);
	assert_string_equal((const char *)buf_span(&command).data, wanted);
	buf_fini(&command);
}

static void
assert_command(const char *wanted)
{
	assert_written(survey_command, wanted);
}

/* ---- which is best ---- */

static void
test_nothing_is_best_where_nothing_passes(void **state)
{
	assert_null(survey_best(&survey));
	add(22, "10.0.0.1", WAY_FILTERED, TRUST_NOT_SEEN);
	add(443, "10.0.0.1", WAY_TLS, TRUST_NOT_SEEN);
	add(2222, "10.0.0.1", WAY_SSH_STALLS, TRUST_NOT_SEEN);
	assert_null(survey_best(&survey));
}

static void
test_a_way_with_a_wrong_host_key_is_none(void **state)
{
	static const enum way_trust wrong[] = {TRUST_CHANGED, TRUST_OTHER_TYPE,
	    TRUST_NOT_THE_ONE, TRUST_NOT_KNOWABLE, TRUST_NOT_SEEN};

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		add(22, "10.0.0.1", WAY_SSH, wrong[i]);
	assert_null(survey_best(&survey));
}

static void
test_a_known_key_weighs_more_than_anything_else(void **state)
{
	struct survey_way *known;

	add(22, "10.0.0.1", WAY_SSH, TRUST_UNKNOWN);
	known = add_proxied(443);
	known->mtu = MTU_STALLS;
	known->connect.ms[0] = 900;
	assert_ptr_equal(survey_best(&survey), known);
}

static void
test_large_packets_weigh_more_than_a_proxy(void **state)
{
	struct survey_way *proxied = add_proxied(443);

	add(22, "10.0.0.1", WAY_SSH, TRUST_KNOWN)->mtu = MTU_STALLS;
	assert_ptr_equal(survey_best(&survey), proxied);
}

static void
test_a_proxy_weighs_more_than_the_port(void **state)
{
	struct survey_way *direct;

	add_proxied(22);
	direct = add(443, "10.0.0.1", WAY_SSH, TRUST_KNOWN);
	assert_ptr_equal(survey_best(&survey), direct);
}

static void
test_the_servers_own_port_comes_first_then_their_order(void **state)
{
	struct survey_way *ways[3];

	survey.own_port = 443;
	ways[0] = add(22, "10.0.0.1", WAY_SSH, TRUST_KNOWN);
	ways[1] = add(2222, "10.0.0.1", WAY_SSH, TRUST_ELSEWHERE);
	ways[2] = add(443, "10.0.0.1", WAY_SSH, TRUST_PINNED);
	assert_ptr_equal(survey_best(&survey), ways[2]);
	ways[2]->fact = WAY_FILTERED;
	assert_ptr_equal(survey_best(&survey), ways[0]);
	ways[0]->fact = WAY_FILTERED;
	assert_ptr_equal(survey_best(&survey), ways[1]);
}

static void
test_among_addresses_the_nearer_one_is_best(void **state)
{
	struct survey_way *near;

	add(22, "10.0.0.1", WAY_SSH, TRUST_KNOWN);
	near = add(22, "10.0.0.2", WAY_SSH, TRUST_KNOWN);
	near->connect.ms[0] = 3;
	assert_ptr_equal(survey_best(&survey), near);
}

/* ---- times ---- */

static void
test_the_median_is_the_middle_one(void **state)
{
	const struct way_times none = {0}, one = {1, {7}}, two = {2, {9, 4}};
	const struct way_times three = {3, {9, 4, 7}}, same = {3, {5, 5, 1}};

	assert_int_equal(way_median(&none), 0);
	assert_int_equal(way_median(&one), 7);
	assert_int_equal(way_median(&two), 9);
	assert_int_equal(way_median(&three), 7);
	assert_int_equal(way_median(&same), 5);
	assert_int_equal(way_least(&none), 0);
	assert_int_equal(way_least(&three), 4);
}

/* ---- the command ---- */

static void
test_the_usual_way_needs_no_words(void **state)
{
	add(22, "10.0.0.1", WAY_SSH, TRUST_KNOWN);
	assert_command("kaya tunnel dan@broker.example");
}

static void
test_another_port_is_named_and_its_key_pinned(void **state)
{
	add(22, "10.0.0.1", WAY_FILTERED, TRUST_NOT_SEEN);
	add(443, "10.0.0.1", WAY_SSH, TRUST_ELSEWHERE);
	assert_command("kaya tunnel -p 443 --host-key SHA256:right "
		       "dan@broker.example");
}

static void
test_a_port_that_the_user_named_is_named(void **state)
{
	options.link.port = survey.own_port = 2222;
	add(2222, "10.0.0.1", WAY_SSH, TRUST_KNOWN);
	assert_command("kaya tunnel -p 2222 dan@broker.example");
}

static void
test_what_the_user_said_is_said_again(void **state)
{
	options.link.ssh_config = "my config";
	options.link.user = "eve";
	options.link.state_dir = "/s";
	options.link.keys[0] = "it's";
	options.link.key_count = 1;
	options.link.words[0] = "Compression=yes";
	options.link.word_count = 1;
	add(22, "10.0.0.1", WAY_SSH, TRUST_KNOWN);
	assert_command("kaya tunnel --state /s -F 'my config' -l eve -i "
		       "'it'\\''s' -o Compression=yes dan@broker.example");
}

static void
test_it_asks_sooner_where_a_connection_is_forgotten_before(void **state)
{
	survey.own_keepalive_s = 15;
	survey.idle_keepalive_s = 11;
	options.link.words[0] = "ServerAliveInterval=60";
	options.link.word_count = 1;
	add(22, "10.0.0.1", WAY_SSH, TRUST_KNOWN);
	survey.idle_died_ms = 15000;
	assert_command("kaya tunnel -o ServerAliveInterval=11 -o "
		       "ServerAliveInterval=60 dan@broker.example");
	survey.idle_died_ms = 15001;
	assert_command(
	    "kaya tunnel -o ServerAliveInterval=60 dan@broker.example");
}

static void
test_ssh_is_told_the_way_in_its_own_words(void **state)
{
	survey.idle_keepalive_s = 11;
	options.link.dest = "ssh://dan@broker.example:2222";
	snprintf(survey.key_file, sizeof survey.key_file, "/s/key");
	options.link.state_dir = "/s";
	add(2222, "10.0.0.1", WAY_SSH, TRUST_KNOWN);
	assert_written(survey_ssh_command,
	    "ssh -N -L 22883:127.0.0.1:1883 -o ServerAliveInterval=11 -i "
	    "/s/key -p 2222 -l dan broker.example");
	add(2222, "fd00::1", WAY_FILTERED, TRUST_NOT_SEEN);
	assert_written(survey_ssh_command,
	    "ssh -N -L 22883:127.0.0.1:1883 -o ServerAliveInterval=11 -4 -i "
	    "/s/key -p 2222 -l dan broker.example");
}

static void
test_a_proxy_is_named_and_its_credentials_are_not(void **state)
{
	struct survey_way *way = add_proxied(443);

	assert_command("kaya tunnel -o 'ProxyCommand=kaya survey --proxy "
		       "http://proxy:3128 --relay %h %p' -p 443 "
		       "dan@broker.example");
	snprintf(survey.proxy.basic, sizeof survey.proxy.basic, "c2VjcmV0");
	assert_command("kaya tunnel -o 'ProxyCommand=kaya survey --relay %h "
		       "%p' -p 443 dan@broker.example");
	assert_non_null(way);
}

static void
test_a_proxy_of_ssh_config_is_passed_by(void **state)
{
	survey.is_proxied = true;
	add(22, "10.0.0.1", WAY_SSH, TRUST_KNOWN);
	assert_command("kaya tunnel -o ProxyCommand=none dan@broker.example");
}

static void
test_the_address_is_named_where_the_name_leads_astray(void **state)
{
	add(22, "fd00::1", WAY_HTTP, TRUST_NOT_SEEN);
	add(22, "10.0.0.1", WAY_SSH, TRUST_KNOWN);
	assert_command("kaya tunnel -p 22 --host-key SHA256:right "
		       "dan@10.0.0.1");
	survey.ways[1].fact = WAY_HTTP;
	survey.ways[0].fact = WAY_SSH;
	survey.ways[0].trust = TRUST_KNOWN;
	assert_command("kaya tunnel -p 22 --host-key SHA256:right "
		       "dan@[fd00::1]");
}

static void
test_what_enrolment_knows_by_name_is_named_with_the_address(void **state)
{
	options.link.dest = "broker";
	snprintf(survey.user, sizeof survey.user, "pump");
	snprintf(survey.key_file, sizeof survey.key_file, "/s/key");
	add(22, "10.0.0.2", WAY_SSH, TRUST_CHANGED);
	add(22, "10.0.0.1", WAY_SSH, TRUST_KNOWN);
	assert_command("kaya tunnel -l pump -i /s/key -p 22 --host-key "
		       "SHA256:right 10.0.0.1");
}

static void
test_an_address_that_does_not_answer_misleads_nobody(void **state)
{
	add(22, "fd00::1", WAY_FILTERED, TRUST_NOT_SEEN);
	add(443, "fd00::1", WAY_HTTP, TRUST_NOT_SEEN);
	add(22, "10.0.0.1", WAY_SSH, TRUST_KNOWN);
	assert_command("kaya tunnel dan@broker.example");
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_nothing_is_best_where_nothing_passes),
	    TEST(test_a_way_with_a_wrong_host_key_is_none),
	    TEST(test_a_known_key_weighs_more_than_anything_else),
	    TEST(test_large_packets_weigh_more_than_a_proxy),
	    TEST(test_a_proxy_weighs_more_than_the_port),
	    TEST(test_the_servers_own_port_comes_first_then_their_order),
	    TEST(test_among_addresses_the_nearer_one_is_best),
	    TEST(test_the_median_is_the_middle_one),
	    TEST(test_the_usual_way_needs_no_words),
	    TEST(test_another_port_is_named_and_its_key_pinned),
	    TEST(test_a_port_that_the_user_named_is_named),
	    TEST(test_what_the_user_said_is_said_again),
	    TEST(test_it_asks_sooner_where_a_connection_is_forgotten_before),
	    TEST(test_ssh_is_told_the_way_in_its_own_words),
	    TEST(test_a_proxy_is_named_and_its_credentials_are_not),
	    TEST(test_a_proxy_of_ssh_config_is_passed_by),
	    TEST(test_the_address_is_named_where_the_name_leads_astray),
	    TEST(test_what_enrolment_knows_by_name_is_named_with_the_address),
	    TEST(test_an_address_that_does_not_answer_misleads_nobody),
	};

	return cmocka_run_group_tests_name("survey_rank", tests, NULL, NULL);
}
