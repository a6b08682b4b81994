/* The committed documents say what the table says. */

#include "documents.h"
#include "settings_doc.h"

static void
test_the_sample_is_what_the_table_makes(void **state)
{
	struct buf sample;

	buf_init(&sample, DOCUMENT_MAX);
	settings_doc_sample(&sample);
	assert_false(sample.failed);
	document_check(SOURCE_ROOT "/packaging/kayad.conf.sample",
	    buf_span(&sample), "settings-doc");
	buf_fini(&sample);
}

static void
test_the_manual_is_what_the_table_makes(void **state)
{
	document_check_manual(SOURCE_ROOT "/doc/kayad.conf.5.scd",
	    settings_doc_manual, "settings-doc");
}

static void
test_a_manual_without_the_two_lines_is_no_manual(void **state)
{
	struct buf out;

	buf_init(&out, DOCUMENT_MAX);
	assert_false(settings_doc_manual(span_of_str("# NAME\n"), &out));
	assert_false(
	    settings_doc_manual(span_of_str(SETTINGS_DOC_BEGIN), &out));
	assert_false(settings_doc_manual(
	    span_of_str(SETTINGS_DOC_END SETTINGS_DOC_BEGIN), &out));
	assert_int_equal(buf_len(&out), 0);
}

/* ---- the sample as a file ---- */

static void
on_fault(const struct conf_fault *fault, void *arg)
{
	fail_msg("%s: %s", fault->err.where, fault->err.what);
}

static void
load_conf(struct settings *s, struct span text)
{
	struct conf_input input = {.file = "/etc/kaya/kayad.conf",
	    .bytes = text,
	    .keys = settings_keys,
	    .target = s,
	    .on_fault = on_fault};

	assert_int_equal(settings_defaults(s, NULL), 0);
	assert_int_equal(conf_load(&s->conf, &input), 0);
}

/* Take the # from lines that set something: "#word:", "#  word:", "#  - ". */
static struct buf
uncommented(struct span sample)
{
	struct buf out;
	bool is_first = true;

	buf_init(&out, DOCUMENT_MAX);
	for (size_t i = 0; i < sample.len; i++) {
		bool is_setting = is_first && sample.data[i] == '#' &&
				  i + 2 < sample.len &&
				  (sample.data[i + 1] > ' ' ||
				      (sample.data[i + 1] == ' ' &&
					  sample.data[i + 2] == ' '));

		is_first = sample.data[i] == '\n';
		if (!is_setting)
			buf_append(&out, sample.data + i, 1);
	}
	return out;
}

static size_t
count_keys(const struct conf_key *keys)
{
	size_t count = 0;

	for (; keys->name != NULL; keys++)
		count += 1 + (keys->keys == NULL ? 0 : count_keys(keys->keys));
	return count;
}

static void
test_the_sample_as_it_is_sets_nothing(void **state)
{
	struct buf sample;
	struct settings s;

	buf_init(&sample, DOCUMENT_MAX);
	settings_doc_sample(&sample);
	load_conf(&s, buf_span(&sample));
	assert_int_equal(s.broker_count, 0);
	assert_int_equal(conf_mark_of(&s.conf, "listen").line, 0);
	settings_fini(&s);
	buf_fini(&sample);
}

static void
test_the_sample_with_all_words_taken_in_sets_every_word(void **state)
{
	struct buf sample, text;
	struct settings s, bare;
	size_t colons = 0;

	buf_init(&sample, DOCUMENT_MAX);
	settings_doc_sample(&sample);
	text = uncommented(buf_span(&sample));
	load_conf(&s, buf_span(&text));
	assert_int_equal(settings_defaults(&bare, NULL), 0);
	assert_int_equal(s.broker_count, 1);
	assert_memory_equal(&s.limits, &bare.limits, sizeof s.limits);
	assert_memory_equal(&s.rekey, &bare.rekey, sizeof s.rekey);
	assert_true(conf_mark_of(&s.conf, "listen").line > 0);
	assert_true(conf_mark_of(&s.conf, "shutdown.drain").line > 0);
	assert_true(conf_mark_of(&s.conf, "brokers[0].open_as").line > 0);
	for (size_t i = 1; i < buf_len(&text); i++) {
		const uint8_t *p = buf_span(&text).data + i;

		/* One line for each key, and only one that begins with it. */
		if (p[-1] != '\n' || *p == '#')
			continue;
		while (*p == ' ' || *p == '-')
			p++;
		colons += *p >= 'a' && *p <= 'z';
	}
	assert_int_equal(colons, count_keys(settings_keys));
	settings_fini(&bare);
	settings_fini(&s);
	buf_fini(&text);
	buf_fini(&sample);
}

static void
check_words(const struct conf_key *keys)
{
	char allowed[256];

	for (; keys->name != NULL; keys++) {
		assert_true(strlen(keys->doc) > 5);
		assert_int_equal(keys->doc[strlen(keys->doc) - 1], '.');
		conf_allowed_text(keys, allowed, sizeof allowed);
		assert_true(strlen(allowed) < 160);
		if (keys->keys != NULL) {
			check_words(keys->keys);
			continue;
		}
		/* Whoever leaves it out can read what then is. */
		assert_true((keys->flags & CONF_REQUIRED) != 0 ||
			    keys->fallback != NULL ||
			    keys->fallback_doc != NULL);
		assert_true(keys->fallback != NULL || keys->example != NULL);
		assert_true(keys->max >= keys->min);
	}
}

static void
test_every_word_has_a_sentence_and_a_default_or_an_example(void **state)
{
	check_words(settings_keys);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_sample_is_what_the_table_makes),
	    cmocka_unit_test(test_the_manual_is_what_the_table_makes),
	    cmocka_unit_test(test_a_manual_without_the_two_lines_is_no_manual),
	    cmocka_unit_test(test_the_sample_as_it_is_sets_nothing),
	    cmocka_unit_test(
		test_the_sample_with_all_words_taken_in_sets_every_word),
	    cmocka_unit_test(
		test_every_word_has_a_sentence_and_a_default_or_an_example),
	};

	return cmocka_run_group_tests_name("settings_doc", tests, NULL, NULL);
}
