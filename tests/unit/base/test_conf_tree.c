#include "conf_table.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- what is no YAML, or too much of it ---- */

static void
test_anchors_aliases_and_tags_are_refused(void **state)
{
	static const char hint[] =
	    "[write the value out, or put it in quotes]\n";
	char fault[200];

	snprintf(fault, sizeof fault,
	    "f:1:8: an anchor (`&`) is not taken here %s", hint);
	check_fault("count: &a 1\n", fault);
	check_fault("words: &a [x]\n", fault);
	check_fault("inner: &a\n  wait: 1s\n", fault);
	snprintf(fault, sizeof fault, "f:1:8: a tag (`!`) is not taken here %s",
	    hint);
	check_fault("count: !!int 1\n", fault);
	snprintf(fault, sizeof fault,
	    "f:1:1: an alias (`*`) is not taken here %s", hint);
	check_fault("*a : 1\n", fault);
	snprintf(fault, sizeof fault, "f:1:1: a tag (`!`) is not taken here %s",
	    hint);
	check_fault("!x\ncount: 1\n", fault);
}

static void
test_a_file_that_is_no_mapping_is_told_how_to_be_one(void **state)
{
	check_fault("count:3\n",
	    "f:1:1: a single value stands where `key: value` is wanted [put a "
	    "space after the colon]\n");
	check_fault("count 3\n",
	    "f:1:1: a single value stands where `key: value` is wanted [put a "
	    "colon after the key]\n");
	check_fault("- count: 3\n",
	    "f:1:1: a list stands where `key: value` is wanted [write `key: "
	    "value` in each line]\n");
}

static void
test_broken_yaml_names_place_and_mend(void **state)
{
	check_fault("inner:\n\twait: 1s\n",
	    "f:2:1: a tab stands where only spaces may [indent with "
	    "spaces]\n");
	check_fault("count: 1\n\tflag: yes\n",
	    "f:2:1: a tab stands where only spaces may [indent with "
	    "spaces]\n");
	check_fault("inner:\n  \twait: 1s\n",
	    "f:2:3: a tab stands where only spaces may [indent with "
	    "spaces]\n");
	check_begins(span_of_str("text: 'abc\ncount: 1\n"),
	    "f:1:7: quotes are opened and not closed");
	check_begins(span_of_str("count: 1\nwords: [a, b\nflag: yes\n"),
	    "f:3:5: a list in brackets is not closed");
	check_begins(span_of_str("text: a: b\n"), "f:1:8: a key cannot stand");
	check_begins(span_of_str("count: 1\nflag\n"),
	    "f:3:1: the colon after a key is missing");
	check_begins(span_of_str("text: @a\n"), "f:1:7: no value can begin");
	check_begins(span_of_str("text: \"a\\d\"\n"),
	    "f:1:9: found unknown escape character");
	check_begins(span_of_str("count: 1\n---\ncount: 2\n"),
	    "f:2:1: a second document");
	check_begins(span_of_str("inner:\n  wait: 1s\n count: 1\n"),
	    "f:3:2: did not find expected key");
}

static void
test_faults_before_broken_yaml_are_told_too(void **state)
{
	struct read r;

	read_text(&r, "cuont: 1\nitems:\n- weight: 11\n  wait: @\n");
	assert_non_null(strstr(r.faults, "f:1:1: unknown word `cuont`"));
	assert_non_null(strstr(r.faults, "f:3:11: items[0].weight: 11 is too"));
	assert_non_null(strstr(r.faults, "f:4:9: no value can begin"));
	/* Where the text broke off, nothing is known to be missing. */
	assert_null(strstr(r.faults, "missing"));
	conf_fini(&r.conf);
}

static void
test_bytes_that_are_no_text_are_refused_where_they_stand(void **state)
{
	check_begins(span_of_str("count: 1\ntext: \xe9t\xe9\n"),
	    "f:2:7: byte 0xe9 is not UTF-8 text");
	check_begins(span_of_str("text: \xc3\xa9\xc3\xa9\xff\n"),
	    "f:1:9: byte 0xff is not UTF-8 text");
	check_begins(span_of("a: b\0c\n", 7),
	    "f:1:5: control character 0x00 in the file");
	check_begins(span_of_str("\x1b[1m\n"),
	    "f:1:1: control character 0x1b in the file");
	check_begins(span_of("\xff\xfe"
			     "c\0",
			 4),
	    "f:1:1: byte 0xff is not UTF-8 text");
}

static void
test_columns_count_characters(void **state)
{
	check_begins(span_of_str("{text: \xc3\xa9\xe2\x82\xac, cuont: 1}\n"),
	    "f:1:12: unknown word");
}

static void
test_what_is_too_much_is_refused(void **state)
{
	char *text = malloc(CONF_FILE_MAX + 2);
	struct read r;
	size_t len;

	memset(text, '#', CONF_FILE_MAX + 1);
	check_begins(
	    span_of(text, CONF_FILE_MAX + 1), "f: the file is over 1 MiB");
	read_text(&r, "words: [[[[[[[[a]]]]]]]]\n");
	assert_non_null(strstr(r.faults,
	    "f:1:15: lists and sections are nested more than 8 deep"));
	conf_fini(&r.conf);
	len = (size_t)sprintf(text, "words:\n");
	for (size_t i = 0; i < CONF_NODES_MAX; i++)
		len += (size_t)sprintf(text + len, "- a\n");
	check_begins(span_of(text, len),
	    "f:19999:3: the file holds more than 20,000 values");
	free(text);
}

static void
test_a_long_file_name_never_hides_the_place(void **state)
{
	struct read r;
	char name[600];

	memset(name, 'n', sizeof name);
	memcpy(name + sizeof name - 6, "/f.yml", 6);
	name[sizeof name - 1] = '\0';
	read_named(&r, name, span_of_str("\n\n  cuont: 1\n"));
	assert_non_null(strstr(r.faults, "/f.ym:3:3: unknown word"));
	assert_memory_equal(r.faults, "...n", 4);
	conf_fini(&r.conf);
}

/* ---- every way to cut a file ---- */

static const char whole[] =
    "# caf\xc3\xa9\nflag: off\nwords: [a, 'b c', \"d\\n\"]\nitems:\n- name: a\n"
    "  weight: 3\n- {name: b}\ninner:\n  wait: 3s\nlisten:\n- 1\n- '[::]:2'\n";

static void
test_a_file_cut_at_any_byte_is_read_or_refused_with_a_place(void **state)
{
	for (size_t len = 0; len <= strlen(whole); len++) {
		char *copy = malloc(len + 1);
		struct read r;

		memcpy(copy, whole, len);
		read_named(&r, "f", span_of(copy, len));
		if (r.result != 0)
			assert_memory_equal(r.faults, "f:", 2);
		conf_fini(&r.conf);
		free(copy);
	}
}

static void
test_any_byte_may_be_any_other(void **state)
{
	static const uint8_t bytes[] =
	    "\t\n\r #&*!|>'\"%@`{}[],:-?\\0a\x80\xff";
	char copy[sizeof whole];

	for (size_t i = 0; i < strlen(whole); i++) {
		for (size_t k = 0; k < sizeof bytes; k++) {
			struct read r;

			memcpy(copy, whole, sizeof whole);
			copy[i] = (char)bytes[k];
			read_named(&r, "f", span_of(copy, strlen(whole)));
			conf_fini(&r.conf);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_anchors_aliases_and_tags_are_refused),
	    cmocka_unit_test(
		test_a_file_that_is_no_mapping_is_told_how_to_be_one),
	    cmocka_unit_test(test_broken_yaml_names_place_and_mend),
	    cmocka_unit_test(test_faults_before_broken_yaml_are_told_too),
	    cmocka_unit_test(
		test_bytes_that_are_no_text_are_refused_where_they_stand),
	    cmocka_unit_test(test_columns_count_characters),
	    cmocka_unit_test(test_what_is_too_much_is_refused),
	    cmocka_unit_test(test_a_long_file_name_never_hides_the_place),
	    cmocka_unit_test(
		test_a_file_cut_at_any_byte_is_read_or_refused_with_a_place),
	    cmocka_unit_test(test_any_byte_may_be_any_other),
	};

	return cmocka_run_group_tests_name("conf_tree", tests, NULL, NULL);
}
