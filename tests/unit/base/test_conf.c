#include "conf_table.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- what is right ---- */

static void
test_every_kind_of_value_arrives(void **state)
{
	struct read r;

	read_named(&r, "etc/f",
	    span_of_str("flag: off\ncount: 64\nwait: 10m\nroom: 1MiB\n"
			"colour: blue\ntext: 'a: b'\nfile: keys/a\n"
			"address: '[::1]:1883'\nlisten: [22, 127.0.0.1:0]\n"
			"broker: /run/b.sock\nwords:\n- x\n- \"y z\"\n"
			"items:\n- name: a\n- name: b\n  weight: 10\n"
			"inner:\n  wait: 1d\n"));
	assert_string_equal(r.faults, "");
	assert_false(r.target.flag);
	assert_int_equal(r.target.count, 64);
	assert_int_equal(r.target.wait_ms, 600000);
	assert_int_equal(r.target.room_bytes, 1 << 20);
	assert_int_equal(r.target.colour, BLUE);
	assert_string_equal(r.target.text, "a: b");
	assert_string_equal(r.target.file, "etc/keys/a");
	assert_string_equal(r.target.address.host, "::1");
	assert_int_equal(r.target.address.port, 1883);
	assert_int_equal(r.target.listen_count, 2);
	assert_null(r.target.listen[0].host);
	assert_int_equal(r.target.listen[0].port, 22);
	assert_string_equal(r.target.listen[1].host, "127.0.0.1");
	assert_int_equal(r.target.listen[1].port, 0);
	assert_string_equal(r.target.broker, "/run/b.sock");
	assert_int_equal(r.target.word_count, 2);
	assert_string_equal(r.target.words[1], "y z");
	assert_int_equal(r.target.item_count, 2);
	assert_string_equal(r.target.items[0].name, "a");
	assert_int_equal(r.target.items[0].weight, 5);
	assert_int_equal(r.target.items[1].weight, 10);
	assert_int_equal(r.target.inner_ms, 86400000);
	conf_fini(&r.conf);
}

static void
test_what_the_file_leaves_out_is_as_the_table_says(void **state)
{
	static const char *const empty[] = {
	    "", "# nothing\n", "---\n", "inner:\n", "inner: {}\n"};
	struct read r;

	for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
		read_text(&r, empty[i]);
		assert_string_equal(r.faults, "");
		assert_true(r.target.flag);
		assert_int_equal(r.target.count, 4);
		assert_int_equal(r.target.wait_ms, 30000);
		assert_int_equal(r.target.room_bytes, 65536);
		assert_int_equal(r.target.colour, GREEN);
		assert_null(r.target.text);
		assert_int_equal(r.target.listen_count, 1);
		assert_int_equal(r.target.listen[0].port, 2222);
		assert_int_equal(r.target.inner_ms, 0);
		conf_fini(&r.conf);
	}
}

static void
test_one_value_stands_for_a_list_of_one(void **state)
{
	struct read r;

	read_text(&r, "words: x\nitems: {name: a}\n");
	assert_string_equal(r.faults, "");
	assert_int_equal(r.target.word_count, 1);
	assert_string_equal(r.target.words[0], "x");
	assert_int_equal(r.target.item_count, 1);
	assert_string_equal(r.target.items[0].name, "a");
	conf_fini(&r.conf);
}

static void
test_windows_line_ends_and_a_byte_order_mark_are_no_fault(void **state)
{
	struct read r;

	read_text(&r, "\xef\xbb\xbf"
		      "count: 7\r\ntext: a\r\n");
	assert_string_equal(r.faults, "");
	assert_int_equal(r.target.count, 7);
	assert_string_equal(r.target.text, "a");
	conf_fini(&r.conf);
	check_begins(span_of_str("\xef\xbb\xbf"
				 "cuont: 7\n"),
	    "f:1:1: unknown");
}

static void
test_absolute_paths_and_files_without_a_folder_stay_as_they_are(void **state)
{
	struct read r;

	read_named(&r, "etc/f", span_of_str("file: /a/b\n"));
	assert_string_equal(r.target.file, "/a/b");
	conf_fini(&r.conf);
	read_named(&r, "f", span_of_str("file: a/b\n"));
	assert_string_equal(r.target.file, "a/b");
	conf_fini(&r.conf);
}

/* ---- what is wrong ---- */

static void
test_unknown_words_get_the_nearest_known_one(void **state)
{
	check_fault("lisen: 2222\n",
	    "f:1:1: unknown word `lisen` [did you mean `listen`?]\n");
	check_fault("count: 3\ninner:\n  wiat: 1s\n",
	    "f:3:3: unknown word `wiat` in inner [did you mean `wait`?]\n");
	check_fault("items:\n- name: a\n  wieght: 1\n",
	    "f:3:3: unknown word `wieght` in items[0] [did you mean "
	    "`weight`?]\n");
	check_fault("login_grace: 1\n",
	    "f:1:1: unknown word `login_grace` [its place is "
	    "`inner.login_grace`]\n");
	check_fault("inner:\n  xyzzy: 1\n",
	    "f:2:3: unknown word `xyzzy` in inner [known here: wait, "
	    "login_grace]\n");
	check_fault("<<: 1\n",
	    "f:1:1: unknown word `<<` [known here: flag, count, wait, room, "
	    "colour, text, file, address, listen, broker, words, items, "
	    "inner]\n");
}

static void
test_all_faults_are_told_in_the_order_of_the_file(void **state)
{
	check_fault("cuont: 3\ncount: 65\nwords: [a, *b]\nwait: 30\n"
		    "colour: gren\n",
	    "f:1:1: unknown word `cuont` [did you mean `count`?]\n"
	    "f:2:8: count: 65 is too much [write a number from 1 to 64]\n"
	    "f:3:12: an alias (`*`) is not taken here [write the value out, "
	    "or put it in quotes]\n"
	    "f:4:7: wait: the unit of 30 is missing (ms, s, m, h or d) "
	    "[write a duration from 1s to 10m]\n"
	    "f:5:9: colour: \"gren\" is not a word known here [did you mean "
	    "`green`?  Allowed: `red`, `green` or `blue`]\n");
}

static void
test_bad_values_say_what_is_allowed(void **state)
{
	check_fault("flag: maybe\n",
	    "f:1:7: flag: \"maybe\" is not yes or no [write `yes` or `no`]\n");
	check_fault("count: 0\n",
	    "f:1:8: count: 0 is too little [write a number from 1 to 64]\n");
	check_fault("count: 0x1\n",
	    "f:1:8: count: \"0x1\" is not a whole number [write a number from "
	    "1 to 64]\n");
	check_fault("count: -1\n",
	    "f:1:8: count: \"-1\" is not a whole number [write a number from 1 "
	    "to 64]\n");
	check_fault("wait: 999ms\n",
	    "f:1:7: wait: 999ms is too little [write a duration from 1s to "
	    "10m]\n");
	check_fault("wait: 1w\n",
	    "f:1:7: wait: \"1w\" is not a duration [write a duration from 1s "
	    "to 10m]\n");
	check_fault("wait: never\n",
	    "f:1:7: wait: \"never\" is not a duration [write a duration from "
	    "1s to 10m]\n");
	check_fault("inner: {wait: 2d}\n",
	    "f:1:15: inner.wait: 2d is too much [write a duration from 1ms to "
	    "1d, or `never`]\n");
	check_fault("room: 64kb\n",
	    "f:1:7: room: \"64kb\" is not a size [write a size from 1KiB to "
	    "1GiB]\n");
	check_fault("room: 4096\n",
	    "f:1:7: room: the unit of 4096 is missing (B, KiB, MiB or GiB) "
	    "[write a size from 1KiB to 1GiB]\n");
	check_fault("room: 18014398509481984KiB\n",
	    "f:1:7: room: \"18014398509481984KiB\" is not a size [write a size "
	    "from 1KiB to 1GiB]\n");
	check_fault("text: ''\n",
	    "f:1:7: text: the value is empty [write a text in one line]\n");
	check_fault("text: \"a\\nb\"\n",
	    "f:1:7: text: \"a\\nb\" is not in one line of plain text [write a "
	    "text in one line]\n");
	check_fault("text: \"a\\0b\"\n",
	    "f:1:7: text: \"a\\x00b\" is not in one line of plain text [write "
	    "a text in one line]\n");
	check_fault("items: [{name: a/b}]\n",
	    "f:1:16: items[0].name: \"a/b\" is not a name [write 1 to 64 of "
	    "A-Z a-z 0-9 . _ -]\n");
}

static void
test_bad_addresses_say_what_is_allowed(void **state)
{
	check_fault("address: a\n",
	    "f:1:10: address: \"a\" is not an address with a port [write "
	    "HOST:PORT or [IPV6]:PORT]\n");
	check_fault("address: /run/x\n",
	    "f:1:10: address: \"/run/x\" is not an address with a port [write "
	    "HOST:PORT or [IPV6]:PORT]\n");
	check_fault("address: a b:1\n",
	    "f:1:10: address: \"a b:1\" is not an address [write HOST:PORT or "
	    "[IPV6]:PORT]\n");
	check_fault("address: a:0\n",
	    "f:1:10: address: \"a:0\" is not an address [write HOST:PORT or "
	    "[IPV6]:PORT]\n");
	check_fault("listen: [a:65536]\n",
	    "f:1:10: listen[0]: \"a:65536\" is not an address [write HOST:PORT "
	    "or [IPV6]:PORT, or PORT alone for all addresses]\n");
	check_fault("broker: 1883\n",
	    "f:1:9: broker: \"1883\" is not an address with a port [write "
	    "HOST:PORT or [IPV6]:PORT, or the /PATH of a UNIX socket]\n");
}

static void
test_a_word_set_twice_names_the_first_line(void **state)
{
	check_fault("count: 1\nflag: yes\ncount: 2\n",
	    "f:3:1: `count` is set twice [keep one of them; the first is in "
	    "line 1]\n");
	check_fault("items:\n- name: a\n  name: a\n",
	    "f:3:3: `name` is set twice [keep one of them; the first is in "
	    "line 2]\n");
}

static void
test_what_must_be_there_is_missed_where_it_belongs(void **state)
{
	check_fault("items:\n- name: a\n- weight: 3\n",
	    "f:3:3: items[1].name is missing [add `name:` and 1 to 64 of A-Z "
	    "a-z 0-9 . _ -]\n");
}

static void
test_the_wrong_kind_of_value_is_told(void **state)
{
	check_fault("count: [1]\n",
	    "f:1:8: count: a list stands where a single value is wanted "
	    "[write a number from 1 to 64]\n");
	check_fault("count:\n",
	    "f:1:7: count: nothing stands where a single value is wanted "
	    "[write a number from 1 to 64]\n");
	check_fault("text: ~\n",
	    "f:1:7: text: nothing stands where a single value is wanted "
	    "[write a text in one line]\n");
	check_fault("words:\n",
	    "f:1:7: words: nothing stands where a single value is wanted "
	    "[write a text in one line]\n");
	check_fault("inner: 5\n",
	    "f:1:8: inner: a single value stands where a section is wanted "
	    "[write a section of `key: value` lines]\n");
	check_fault("words: [[a]]\n",
	    "f:1:9: words[0]: a list stands where a single value is wanted "
	    "[write a text in one line]\n");
	check_fault("items: [a]\n",
	    "f:1:9: items[0]: a single value stands where a section is wanted "
	    "[write a section of `key: value` lines]\n");
	check_fault("[a]: 1\n",
	    "f:1:1: a key is one word, not this [write `key: value`]\n");
}

/* ---- places, setting, printing ---- */

static void
test_places_are_known_until_they_are_forgotten(void **state)
{
	struct read r;
	char where[64];

	read_text(&r, "count: 3\nitems:\n- name: a\n- weight: 2\n  name: b\n");
	assert_int_equal(r.result, 0);
	conf_where_of(&r.conf, "count", where, sizeof where);
	assert_string_equal(where, "f:1:8");
	conf_where_of(&r.conf, "items[1].weight", where, sizeof where);
	assert_string_equal(where, "f:4:11");
	conf_where_of(&r.conf, "items", where, sizeof where);
	assert_string_equal(where, "f:3:1");
	conf_where_of(&r.conf, "flag", where, sizeof where);
	assert_string_equal(where, "");
	conf_forget(&r.conf, "items");
	assert_int_equal(conf_mark_of(&r.conf, "items").line, 0);
	assert_int_equal(conf_mark_of(&r.conf, "items[1].weight").line, 0);
	assert_int_equal(conf_mark_of(&r.conf, "count").line, 1);
	conf_fini(&r.conf);
}

static void
test_faults_of_meaning_stand_where_the_value_stood(void **state)
{
	struct conf_teller teller;
	struct read r;

	read_text(&r, "inner:\n  wait: 3s\n");
	teller = (struct conf_teller){
	    .conf = &r.conf, .on_fault = keep_fault, .arg = &r};
	conf_tell(&teller, "inner.wait", "do", "is %d", 1);
	conf_tell(&teller, "count", "do", "is %d", 2);
	assert_int_equal(teller.count, 2);
	assert_string_equal(
	    r.faults, "f:2:9: inner.wait: is 1 [do]\nf: count: is 2 [do]\n");
	conf_fini(&r.conf);
}

static void
test_values_are_set_from_a_command_line_by_the_same_rules(void **state)
{
	static const char *const good[] = {"22", "[::1]:23", NULL};
	static const char *const bad[] = {"22", "x", NULL};
	static const char *const count[] = {"9", NULL};
	struct err err = ERR_INIT;
	struct read r;

	read_text(&r, "");
	assert_int_equal(
	    conf_set(&r.conf, conf_find(keys, "listen"), &r.target, good, &err),
	    0);
	assert_int_equal(r.target.listen_count, 2);
	assert_string_equal(r.target.listen[1].host, "::1");
	assert_int_equal(
	    conf_set(&r.conf, conf_find(keys, "count"), &r.target, count, &err),
	    0);
	assert_int_equal(r.target.count, 9);
	assert_int_equal(
	    conf_set(&r.conf, conf_find(keys, "listen"), &r.target, bad, &err),
	    -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_string_equal(err.where, "");
	assert_int_equal(r.target.listen_count, 2);
	conf_fini(&r.conf);
}

static void
test_what_is_printed_reads_back_as_the_same(void **state)
{
	static const char written[] =
	    "flag: yes\ncount: 4\nwait: 90s\nroom: 1025KiB\ncolour: green\n"
	    "text: \"# \\\"a\\\\ 'b\"\naddress: \"[::1]:5\"\nlisten:\n"
	    "  - 2222\n  - 127.0.0.1:0\nbroker: a:1\nwords:\n  - \" x\"\n"
	    "  - y\nitems:\n  -\n    name: a\n    weight: 5\ninner:\n"
	    "  wait: never\n  login_grace: 0\n";
	struct buf out;
	struct read r;

	read_text(&r, written);
	assert_string_equal(r.faults, "");
	assert_string_equal(r.target.text, "# \"a\\ 'b");
	buf_init(&out, 1 << 16);
	conf_dump(keys, &r.target, CONF_FORM_YAML, &out);
	buf_append(&out, "", 1);
	assert_string_equal((const char *)buf_span(&out).data, written);
	buf_fini(&out);
	conf_fini(&r.conf);
}

static void
test_json_has_numbers_and_truths_of_its_own(void **state)
{
	struct buf out;
	struct read r;

	read_text(&r, "text: 'a\"b'\nitems: [{name: a}]\n");
	buf_init(&out, 1 << 16);
	conf_dump(keys, &r.target, CONF_FORM_JSON, &out);
	buf_append(&out, "", 1);
	assert_string_equal((const char *)buf_span(&out).data,
	    "{\"flag\":true,\"count\":4,\"wait\":\"30s\",\"room\":"
	    "\"64KiB\",\"colour\":\"green\",\"text\":\"a\\\"b\","
	    "\"listen\":[\"2222\"],\"items\":[{\"name\":\"a\",\"weight\":5}],"
	    "\"inner\":{\"wait\":\"never\",\"login_grace\":0}}\n");
	buf_fini(&out);
	conf_fini(&r.conf);
}

/* ---- memory ---- */

static size_t calloc_limit = SIZE_MAX; /* calls that still succeed */

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *
__wrap_calloc(size_t count, size_t size)
{
	if (calloc_limit == 0)
		return NULL;
	if (calloc_limit != SIZE_MAX)
		calloc_limit--;
	return __real_calloc(count, size);
}

static void
keep_code(const struct conf_fault *fault, void *arg)
{
	assert_int_equal(fault->err.code, ERR_NOMEM);
	++*(size_t *)arg;
}

static void
test_every_allocation_may_fail_and_is_told(void **state)
{
	size_t faults, failing = 0;
	int result;

	do {
		struct target target = {0};
		struct conf conf = {0};
		struct conf_input input = {.file = "etc/f",
		    .bytes = span_of_str("file: a\nwords: [a]\n"
					 "items: [{name: a}]\nbroker: a:1\n"
					 "address: b:1\nlisten: [1]\n"),
		    .keys = keys,
		    .target = &target,
		    .on_fault = keep_code,
		    .arg = &faults};

		faults = 0;
		calloc_limit = failing++;
		result = conf_defaults(&conf, keys, &target);
		if (result == 0) {
			result = conf_load(&conf, &input);
			assert_true((result == 0) == (faults == 0));
		}
		calloc_limit = SIZE_MAX;
		conf_fini(&conf);
	} while (result != 0);
	assert_true(failing > 40);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_kind_of_value_arrives),
	    cmocka_unit_test(
		test_what_the_file_leaves_out_is_as_the_table_says),
	    cmocka_unit_test(test_one_value_stands_for_a_list_of_one),
	    cmocka_unit_test(
		test_windows_line_ends_and_a_byte_order_mark_are_no_fault),
	    cmocka_unit_test(
		test_absolute_paths_and_files_without_a_folder_stay_as_they_are),
	    cmocka_unit_test(test_unknown_words_get_the_nearest_known_one),
	    cmocka_unit_test(test_all_faults_are_told_in_the_order_of_the_file),
	    cmocka_unit_test(test_bad_values_say_what_is_allowed),
	    cmocka_unit_test(test_bad_addresses_say_what_is_allowed),
	    cmocka_unit_test(test_a_word_set_twice_names_the_first_line),
	    cmocka_unit_test(
		test_what_must_be_there_is_missed_where_it_belongs),
	    cmocka_unit_test(test_the_wrong_kind_of_value_is_told),
	    cmocka_unit_test(test_places_are_known_until_they_are_forgotten),
	    cmocka_unit_test(
		test_faults_of_meaning_stand_where_the_value_stood),
	    cmocka_unit_test(
		test_values_are_set_from_a_command_line_by_the_same_rules),
	    cmocka_unit_test(test_what_is_printed_reads_back_as_the_same),
	    cmocka_unit_test(test_json_has_numbers_and_truths_of_its_own),
	    cmocka_unit_test(test_every_allocation_may_fail_and_is_told),
	};

	return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
