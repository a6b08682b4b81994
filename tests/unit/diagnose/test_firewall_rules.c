#include "firewall_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* ---- nft ---- */

#define CHAIN(family, table, policy)                                           \
	"{\"chain\": {\"family\": \"" family "\", \"table\": \"" table         \
	"\", \"name\": \"input\", \"hook\": \"input\", \"policy\": \"" policy  \
	"\"}}"
#define RULE(chain, expressions)                                               \
	"{\"rule\": {\"family\": \"inet\", \"table\": \"f\", \"chain\": "      \
	"\"" chain "\", \"expr\": [" expressions "]}}"
#define DPORT(value)                                                           \
	"{\"match\": {\"op\": \"==\", \"left\": {\"payload\": {\"protocol\": " \
	"\"tcp\", \"field\": \"dport\"}}, \"right\": " value "}}"
#define META(op, key, value)                                                   \
	"{\"match\": {\"op\": \"" op                                           \
	"\", \"left\": {\"meta\": {\"key\": \"" key                            \
	"\"}}, \"right\": \"" value "\"}}"
#define SADDR                                                                  \
	"{\"match\": {\"op\": \"==\", \"left\": {\"payload\": {\"protocol\": " \
	"\"ip\", \"field\": \"saddr\"}}, \"right\": \"192.0.2.1\"}}"
#define STATE(words)                                                           \
	"{\"match\": {\"op\": \"in\", \"left\": {\"ct\": {\"key\": "           \
	"\"state\"}}, \"right\": [" words "]}}"
#define ACCEPT	    "{\"accept\": null}"
#define DROP	    "{\"drop\": null}"
#define JUMP(chain) "{\"jump\": {\"target\": \"" chain "\"}}"

static enum firewall_verdict
judge_family(const char *items, enum firewall_family family, uint16_t port)
{
	char text[4096];
	json_error_t error;
	json_t *ruleset;
	enum firewall_verdict verdict;

	snprintf(text, sizeof text, "{\"nftables\": [%s]}", items);
	ruleset = json_loads(text, 0, &error);
	assert_non_null(ruleset);
	verdict = firewall_judge_nft(ruleset, FIREWALL_ALL_TABLES,
	    &(struct firewall_connection){.family = family, .port = port},
	    NULL);
	json_decref(ruleset);
	return verdict;
}

static enum firewall_verdict
judge(const char *items, uint16_t port)
{
	return judge_family(items, FIREWALL_IPV4, port);
}

static void
test_without_a_chain_nothing_filters(void **state)
{
	assert_int_equal(judge("", 22), FIREWALL_NO_RULES);
}

static void
test_the_policy_decides_what_no_rule_does(void **state)
{
	assert_int_equal(
	    judge(CHAIN("inet", "f", "drop"), 22), FIREWALL_CLOSED);
	assert_int_equal(
	    judge(CHAIN("inet", "f", "accept"), 22), FIREWALL_OPEN);
}

static void
test_a_port_may_be_a_number_a_set_or_a_range(void **state)
{
	static const char number[] = CHAIN("inet", "f", "drop") "," RULE(
	    "input", DPORT("22") "," ACCEPT);
	static const char set[] = CHAIN("inet", "f", "drop") "," RULE("input",
	    DPORT("{\"set\": [80, {\"range\": [20, 25]}]}") "," ACCEPT);

	assert_int_equal(judge(number, 22), FIREWALL_OPEN);
	assert_int_equal(judge(number, 23), FIREWALL_CLOSED);
	assert_int_equal(judge(set, 22), FIREWALL_OPEN);
	assert_int_equal(judge(set, 80), FIREWALL_OPEN);
	assert_int_equal(judge(set, 26), FIREWALL_CLOSED);
}

static void
test_what_is_for_known_connections_lets_no_new_one_in(void **state)
{
	assert_int_equal(
	    judge(CHAIN("inet", "f", "drop") "," RULE("input",
		      STATE("\"established\", \"related\"") "," ACCEPT),
		22),
	    FIREWALL_CLOSED);
}

static void
test_loopback_s_rules_are_not_for_others(void **state)
{
	assert_int_equal(judge(CHAIN("inet", "f", "drop") "," RULE("input",
				   META("==", "iifname", "lo") "," ACCEPT),
			     22),
	    FIREWALL_CLOSED);
	assert_int_equal(judge(CHAIN("inet", "f", "accept") "," RULE("input",
				   META("!=", "iifname", "lo") "," DROP),
			     22),
	    FIREWALL_CLOSED);
}

static void
test_what_goes_by_addresses_depends(void **state)
{
	static const char some[] = CHAIN("inet", "f", "drop") "," RULE(
	    "input", SADDR "," DPORT("22") "," ACCEPT);

	assert_int_equal(judge(some, 22), FIREWALL_DEPENDS);
	assert_int_equal(judge(some, 23), FIREWALL_CLOSED);
	assert_int_equal(judge(CHAIN("inet", "f", "accept") "," RULE(
				   "input", SADDR "," DROP),
			     22),
	    FIREWALL_DEPENDS);
}

static void
test_the_first_rule_that_decides_wins(void **state)
{
	assert_int_equal(judge(CHAIN("inet", "f", "accept") "," RULE("input",
				   DPORT("22") "," DROP) "," RULE("input",
				   DPORT("22") "," ACCEPT),
			     22),
	    FIREWALL_CLOSED);
}

static void
test_jumps_are_followed_and_come_back(void **state)
{
	static const char jumps[] = CHAIN("inet", "f", "drop") "," RULE(
	    "input", JUMP("own")) "," RULE("input",
	    DPORT("80") "," ACCEPT) "," RULE("own", DPORT("22") "," ACCEPT);

	assert_int_equal(judge(jumps, 22), FIREWALL_OPEN);
	assert_int_equal(judge(jumps, 80), FIREWALL_OPEN);
	assert_int_equal(judge(jumps, 81), FIREWALL_CLOSED);
}

static void
test_a_chain_that_jumps_to_itself_ends(void **state)
{
	assert_int_equal(judge(CHAIN("inet", "f", "drop") "," RULE("input",
				   JUMP("own")) "," RULE("own", JUMP("own")),
			     22),
	    FIREWALL_DEPENDS);
}

static void
test_one_chain_s_drop_beats_another_s_accept(void **state)
{
	assert_int_equal(
	    judge(
		CHAIN("ip", "a", "accept") "," CHAIN("inet", "f", "drop"), 22),
	    FIREWALL_CLOSED);
}

static void
test_tables_of_the_other_family_do_not_count(void **state)
{
	assert_int_equal(
	    judge_family(CHAIN("ip", "f", "drop"), FIREWALL_IPV6, 22),
	    FIREWALL_NO_RULES);
}

static void
test_a_map_gives_the_verdict_of_its_key(void **state)
{
	static const char map[] = CHAIN("inet", "f", "drop") "," RULE("input",
	    "{\"vmap\": {\"key\": {\"ct\": {\"key\": \"state\"}}, "
	    "\"data\": {\"set\": [[\"established\", {\"accept\": null}], "
	    "[\"invalid\", {\"drop\": null}]]}}}") "," RULE("input",
	    "{\"vmap\": {\"key\": {\"payload\": {\"protocol\": \"tcp\", "
	    "\"field\": \"dport\"}}, \"data\": {\"set\": [[22, "
	    "{\"accept\": null}]]}}}");

	assert_int_equal(judge(map, 22), FIREWALL_OPEN);
	assert_int_equal(judge(map, 23), FIREWALL_CLOSED);
}

/* ---- iptables-save ---- */

static const char saved[] =
    "*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n"
    "*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n:own - [0:0]\n"
    "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
    "-A INPUT -i lo -j ACCEPT\n"
    "-A INPUT -p udp -m udp --dport 53 -j ACCEPT\n"
    "-A INPUT -p tcp -m tcp --dport 22 -m comment --comment \"the way in\" "
    "-j ACCEPT\n"
    "-A INPUT -s 192.0.2.0/24 -p tcp -m tcp --dport 8883 -j ACCEPT\n"
    "-A INPUT -p tcp -m multiport --dports 80,2222:2224 -j own\n"
    "-A own -j ACCEPT\nCOMMIT\n";

static enum firewall_verdict
judge_saved(struct span text, uint16_t port)
{
	return firewall_judge_iptables(
	    text, &(struct firewall_connection){.port = port}, NULL);
}

static void
test_rules_of_iptables_are_read(void **state)
{
	const struct span text = span_of_str(saved);

	assert_int_equal(judge_saved(text, 22), FIREWALL_OPEN);
	assert_int_equal(judge_saved(text, 53), FIREWALL_CLOSED);
	assert_int_equal(judge_saved(text, 80), FIREWALL_OPEN);
	assert_int_equal(judge_saved(text, 2223), FIREWALL_OPEN);
	assert_int_equal(judge_saved(text, 1883), FIREWALL_CLOSED);
	assert_int_equal(judge_saved(text, 8883), FIREWALL_DEPENDS);
}

static void
test_no_rules_of_iptables_filter_nothing(void **state)
{
	assert_int_equal(
	    judge_saved(
		span_of_str("*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"), 22),
	    FIREWALL_NO_RULES);
	assert_int_equal(judge_saved(span_of_str(""), 22), FIREWALL_NO_RULES);
}

static void
test_inverted_conditions_are_read(void **state)
{
	assert_int_equal(
	    judge_saved(
		span_of_str("*filter\n:INPUT ACCEPT [0:0]\n-A INPUT ! -i lo -p "
			    "tcp -m tcp --dport 1883 -j DROP\nCOMMIT\n"),
		1883),
	    FIREWALL_CLOSED);
}

/* ---- what goes out ---- */

#define OUT_CHAIN(hook, policy)                                                \
	"{\"chain\": {\"family\": \"inet\", \"table\": \"f\", \"name\": "      \
	"\"input\", \"hook\": \"" hook "\", \"policy\": \"" policy "\"}}"

static struct firewall_connection
to_192_0_2_7(void)
{
	struct firewall_connection out = {
	    .direction = FIREWALL_OUT, .port = 22, .interface = "eth0"};

	assert_true(netaddr_parse(span_of_str("192.0.2.7"), &out.to));
	return out;
}

static enum firewall_verdict
judge_out(const char *items, struct firewall_place *place)
{
	const struct firewall_connection out = to_192_0_2_7();
	char text[4096];
	json_error_t error;
	json_t *ruleset;
	enum firewall_verdict verdict;

	snprintf(text, sizeof text, "{\"nftables\": [%s]}", items);
	ruleset = json_loads(text, 0, &error);
	assert_non_null(ruleset);
	verdict = firewall_judge_nft(ruleset, FIREWALL_ALL_TABLES, &out, place);
	json_decref(ruleset);
	return verdict;
}

static void
test_what_goes_out_passes_other_chains_than_what_comes_in(void **state)
{
	assert_int_equal(
	    judge_out(OUT_CHAIN("input", "drop"), NULL), FIREWALL_NO_RULES);
	assert_int_equal(
	    judge_out(OUT_CHAIN("output", "drop"), NULL), FIREWALL_CLOSED);
	assert_int_equal(judge_out(OUT_CHAIN("output", "accept") "," OUT_CHAIN(
				       "postrouting", "drop"),
			     NULL),
	    FIREWALL_CLOSED);
}

static void
test_addresses_it_goes_to_are_compared(void **state)
{
	static const struct {
		const char *value;
		enum firewall_verdict verdict;
	} cases[] = {
	    {"\"192.0.2.7\"", FIREWALL_CLOSED},
	    {"\"192.0.2.8\"", FIREWALL_OPEN},
	    {"{\"prefix\": {\"addr\": \"192.0.2.0\", \"len\": 24}}",
		FIREWALL_CLOSED},
	    {"{\"prefix\": {\"addr\": \"192.0.3.0\", \"len\": 24}}",
		FIREWALL_OPEN},
	    {"{\"range\": [\"192.0.2.7\", \"192.0.2.9\"]}", FIREWALL_CLOSED},
	    {"{\"range\": [\"192.0.2.8\", \"192.0.2.9\"]}", FIREWALL_OPEN},
	    {"{\"range\": [\"192.0.2.1\", \"192.0.2.6\"]}", FIREWALL_OPEN},
	    {"{\"set\": [\"10.0.0.1\", {\"prefix\": {\"addr\": "
	     "\"192.0.2.0\", \"len\": 24}}]}",
		FIREWALL_CLOSED},
	    {"{\"set\": [{\"elem\": {\"val\": \"192.0.2.7\", \"timeout\": "
	     "3}}]}",
		FIREWALL_CLOSED},
	    {"{\"set\": [\"10.0.0.1\"]}", FIREWALL_OPEN},
	    {"\"@banned\"", FIREWALL_DEPENDS},
	    {"\"broker.test\"", FIREWALL_DEPENDS},
	    {"7", FIREWALL_DEPENDS},
	};
	char items[1024];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		snprintf(items, sizeof items, "%s, %s%s%s%s",
		    OUT_CHAIN("output", "accept"),
		    "{\"rule\": {\"family\": \"inet\", \"table\": \"f\", "
		    "\"chain\": \"input\", \"expr\": [{\"match\": {\"op\": "
		    "\"==\", \"left\": {\"payload\": {\"protocol\": \"ip\", "
		    "\"field\": \"daddr\"}}, \"right\": ",
		    cases[i].value, "}}, ", DROP "]}}");
		assert_int_equal(judge_out(items, NULL), cases[i].verdict);
	}
}

static void
test_the_interface_it_leaves_by_is_compared(void **state)
{
#define BY(name)                                                               \
	OUT_CHAIN("output", "accept")                                          \
	"," RULE("input", META("==", "oifname", name) "," DROP)
	assert_int_equal(judge_out(BY("eth0"), NULL), FIREWALL_CLOSED);
	assert_int_equal(judge_out(BY("eth*"), NULL), FIREWALL_CLOSED);
	assert_int_equal(judge_out(BY("eth1"), NULL), FIREWALL_OPEN);
	assert_int_equal(judge_out(BY("wlan*"), NULL), FIREWALL_OPEN);
	assert_int_equal(judge_out(BY("@mine"), NULL), FIREWALL_DEPENDS);
	assert_int_equal(
	    judge_out(OUT_CHAIN("output", "accept") "," RULE(
			  "input", META("!=", "oifname", "lo") "," DROP),
		NULL),
	    FIREWALL_CLOSED);
}

static void
test_the_rule_that_closes_is_told(void **state)
{
	struct firewall_place place = {0};

	judge_out(OUT_CHAIN("output", "accept") "," RULE("input",
		      JUMP("mine")) ", "
				    "{\"rule\": {\"family\": \"inet\", "
				    "\"table\": \"f\", \"chain\": "
				    "\"mine\", \"handle\": 17, \"expr\": "
				    "[" DROP "]}}",
	    &place);
	assert_string_equal(place.family, "inet");
	assert_string_equal(place.table, "f");
	assert_string_equal(place.base, "input");
	assert_string_equal(place.chain, "mine");
	assert_int_equal(place.number, 17);
	judge_out(OUT_CHAIN("output", "drop"), &place);
	assert_string_equal(place.chain, "input");
	assert_int_equal(place.number, 0);
}

static void
test_what_iptables_lets_out_is_read(void **state)
{
	static const char rules[] =
	    "*filter\n:INPUT DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n"
	    "-A OUTPUT -o lo -j ACCEPT\n"
	    "-A OUTPUT -d 198.51.100.0/24 -p tcp -j DROP\n"
	    "-A OUTPUT -d 192.0.2.0/24 -o eth+ -p tcp -m tcp --dport 22 -j "
	    "DROP\n"
	    "-A OUTPUT -o wlan0 -j DROP\nCOMMIT\n";
	struct firewall_connection out = to_192_0_2_7();
	struct firewall_place place;

	assert_int_equal(
	    firewall_judge_iptables(span_of_str(rules), &out, &place),
	    FIREWALL_CLOSED);
	assert_string_equal(place.base, "OUTPUT");
	assert_int_equal(place.number, 6);
	out.port = 443;
	assert_int_equal(
	    firewall_judge_iptables(span_of_str(rules), &out, NULL),
	    FIREWALL_OPEN);
	out.interface = NULL;
	assert_int_equal(
	    firewall_judge_iptables(span_of_str(rules), &out, NULL),
	    FIREWALL_DEPENDS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_without_a_chain_nothing_filters),
	    cmocka_unit_test(test_the_policy_decides_what_no_rule_does),
	    cmocka_unit_test(test_a_port_may_be_a_number_a_set_or_a_range),
	    cmocka_unit_test(
		test_what_is_for_known_connections_lets_no_new_one_in),
	    cmocka_unit_test(test_loopback_s_rules_are_not_for_others),
	    cmocka_unit_test(test_what_goes_by_addresses_depends),
	    cmocka_unit_test(test_the_first_rule_that_decides_wins),
	    cmocka_unit_test(test_jumps_are_followed_and_come_back),
	    cmocka_unit_test(test_a_chain_that_jumps_to_itself_ends),
	    cmocka_unit_test(test_one_chain_s_drop_beats_another_s_accept),
	    cmocka_unit_test(test_tables_of_the_other_family_do_not_count),
	    cmocka_unit_test(test_a_map_gives_the_verdict_of_its_key),
	    cmocka_unit_test(test_rules_of_iptables_are_read),
	    cmocka_unit_test(test_no_rules_of_iptables_filter_nothing),
	    cmocka_unit_test(test_inverted_conditions_are_read),
	    cmocka_unit_test(
		test_what_goes_out_passes_other_chains_than_what_comes_in),
	    cmocka_unit_test(test_addresses_it_goes_to_are_compared),
	    cmocka_unit_test(test_the_interface_it_leaves_by_is_compared),
	    cmocka_unit_test(test_the_rule_that_closes_is_told),
	    cmocka_unit_test(test_what_iptables_lets_out_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
