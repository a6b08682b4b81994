/* What somebody may have done to an audit file, and that it is found. */

#include "audit_verify.h"
#include "made_log.h"

static struct span
line_of(const struct log *log, size_t i)
{
	return span_of(buf_span(&log->bytes).data + log->begin[i],
	    log->begin[i + 1] - log->begin[i]);
}

/* What is said of the bytes with `head` noted, or with none. */
static struct audit_report
report_of(struct span bytes, const struct audit_mark *head)
{
	struct audit_report report;

	audit_verify(bytes, NULL, head, &report);
	return report;
}

static void
assert_finding(struct span bytes, const struct audit_mark *head,
    enum audit_finding finding, size_t line)
{
	struct audit_report report = report_of(bytes, head);

	assert_string_equal(
	    audit_finding_word(report.finding), audit_finding_word(finding));
	assert_int_equal(report.line, line);
}

static void
test_a_log_as_it_was_written_is_whole(void **state)
{
	struct audit_report report;
	struct log log;

	make(&log);
	report = report_of(buf_span(&log.bytes), &log.after[LINES]);
	assert_int_equal(report.finding, AUDIT_WHOLE);
	assert_int_equal(report.line, 0);
	assert_int_equal(report.count, LINES);
	assert_int_equal(report.first_seq, 1);
	assert_int_equal(report.good_bytes, log.begin[LINES]);
	assert_true(report.has_head);
	assert_true(audit_mark_is_same(&report.last, &log.after[LINES]));
	assert_true(span_is(report.last_time, "2026-03-01T12:00:00.123Z"));
	buf_fini(&log.bytes);
}

static void
test_each_bit_of_each_byte_that_is_altered_is_found(void **state)
{
	struct log log;
	struct span bytes;
	uint8_t *copy;

	make(&log);
	bytes = buf_span(&log.bytes);
	copy = malloc(bytes.len);
	assert_non_null(copy);
	memcpy(copy, bytes.data, bytes.len);
	for (size_t i = 0, line = 1; i < bytes.len; i++) {
		if (i == log.begin[line])
			line++;
		for (int bit = 0; bit < 8; bit++) {
			struct audit_report report;

			copy[i] ^= (uint8_t)(1 << bit);
			report = report_of(span_of(copy, bytes.len), NULL);
			assert_int_not_equal(report.finding, AUDIT_WHOLE);
			assert_int_equal(report.line, line);
			assert_int_equal(report.count, line - 1);
			copy[i] = bytes.data[i];
		}
	}
	free(copy);
	buf_fini(&log.bytes);
}

/* The log with `order` lines, by number from 0; -1 ends it. */
static struct span
arrange(const struct log *log, const int *order, struct buf *bytes)
{
	buf_init(bytes, 1 << 16);
	for (size_t i = 0; order[i] >= 0; i++) {
		struct span line = line_of(log, (size_t)order[i]);

		assert_true(buf_append(bytes, line.data, line.len));
	}
	return buf_span(bytes);
}

static void
test_each_line_that_is_removed_is_found(void **state)
{
	struct buf bytes;
	struct log log;

	make(&log);
	for (int gone = 0; gone < LINES; gone++) {
		int order[LINES + 1], n = 0;

		for (int i = 0; i < LINES; i++)
			if (i != gone)
				order[n++] = i;
		order[n] = -1;
		arrange(&log, order, &bytes);
		/* The last one is missed by whoever knows the head. */
		if (gone == LINES - 1)
			assert_finding(buf_span(&bytes), NULL, AUDIT_WHOLE, 0);
		assert_finding(buf_span(&bytes), &log.after[LINES],
		    gone == LINES - 1 ? AUDIT_CUT : AUDIT_REMOVED,
		    (size_t)gone + 1);
		buf_fini(&bytes);
	}
	buf_fini(&log.bytes);
}

static void
test_each_two_lines_that_are_swapped_are_found(void **state)
{
	struct buf bytes;
	struct log log;

	make(&log);
	for (int a = 0; a < LINES; a++)
		for (int b = a + 1; b < LINES; b++) {
			int order[LINES + 1];

			for (int i = 0; i < LINES; i++)
				order[i] = i == a ? b : i == b ? a : i;
			order[LINES] = -1;
			arrange(&log, order, &bytes);
			/* A file that does not begin as one lacks its front. */
			assert_finding(buf_span(&bytes), NULL,
			    a == 0 ? AUDIT_REMOVED : AUDIT_REORDERED,
			    (size_t)a + 1);
			buf_fini(&bytes);
		}
	buf_fini(&log.bytes);
}

static void
test_each_line_that_stands_twice_is_found(void **state)
{
	struct buf bytes;
	struct log log;

	make(&log);
	for (int twice = 0; twice < LINES; twice++)
		for (int at = twice; at < LINES; at++) {
			int order[LINES + 2], n = 0;

			for (int i = 0; i < LINES; i++) {
				order[n++] = i;
				if (i == at)
					order[n++] = twice;
			}
			order[n] = -1;
			arrange(&log, order, &bytes);
			assert_finding(buf_span(&bytes), NULL, AUDIT_REORDERED,
			    (size_t)at + 2);
			buf_fini(&bytes);
		}
	buf_fini(&log.bytes);
}

static void
test_a_cut_at_each_byte_is_found_by_the_head(void **state)
{
	struct log log;
	struct span bytes;

	make(&log);
	bytes = buf_span(&log.bytes);
	for (size_t len = 0, line = 0; len < bytes.len; len++) {
		if (len == log.begin[line + 1])
			line++;
		assert_finding(span_of(bytes.data, len), &log.after[LINES],
		    AUDIT_CUT, line + 1);
	}
	buf_fini(&log.bytes);
}

static void
test_a_cut_inside_a_line_is_found_without_a_head(void **state)
{
	struct log log;
	struct span bytes;

	make(&log);
	bytes = buf_span(&log.bytes);
	for (size_t len = 1, line = 0; len < bytes.len; len++) {
		if (len == log.begin[line + 1])
			line++;
		else
			assert_finding(span_of(bytes.data, len), NULL,
			    AUDIT_TORN, line + 1);
	}
	buf_fini(&log.bytes);
}

static void
test_a_line_that_was_written_anew_with_its_hash_is_found(void **state)
{
	struct log log;

	make(&log);
	for (size_t i = 0; i + 1 < LINES; i++) {
		struct audit_mark mark = log.after[i];
		struct buf bytes;
		size_t rest = log.begin[LINES] - log.begin[i + 1];

		buf_init(&bytes, 1 << 16);
		buf_append(&bytes, buf_span(&log.bytes).data, log.begin[i]);
		append(&bytes,
		    i == 0 ? "\"event\":\"log-begins\",\"why\":\"forged\""
			   : "\"event\":\"approve\"",
		    &mark);
		buf_append(
		    &bytes, buf_span(&log.bytes).data + log.begin[i + 1], rest);
		assert_finding(buf_span(&bytes), NULL, AUDIT_ALTERED, i + 2);
		buf_fini(&bytes);
	}
	buf_fini(&log.bytes);
}

/* Whoever can write the file can write all of its end anew. */
static void
test_an_end_that_was_written_anew_is_found_by_a_head_alone(void **state)
{
	struct audit_mark mark;
	struct buf bytes;
	struct log log;

	make(&log);
	mark = log.after[3];
	buf_init(&bytes, 1 << 16);
	buf_append(&bytes, buf_span(&log.bytes).data, log.begin[3]);
	for (size_t i = 3; i < LINES; i++)
		append(&bytes, "\"event\":\"forged\"", &mark);
	assert_finding(buf_span(&bytes), NULL, AUDIT_WHOLE, 0);
	assert_finding(buf_span(&bytes), &log.after[3], AUDIT_WHOLE, 0);
	assert_finding(buf_span(&bytes), &log.after[5], AUDIT_ALTERED, 5);
	buf_fini(&bytes);
	buf_fini(&log.bytes);
}

static void
test_a_head_of_a_hash_alone_is_looked_for(void **state)
{
	struct audit_mark head;
	struct log log;

	make(&log);
	for (size_t i = 1; i <= LINES; i++) {
		head = log.after[i];
		head.seq = 0;
		assert_finding(buf_span(&log.bytes), &head, AUDIT_WHOLE, 0);
	}
	head.hash[0] = head.hash[0] == '0' ? '1' : '0';
	assert_finding(buf_span(&log.bytes), &head, AUDIT_CUT, LINES + 1);
	buf_fini(&log.bytes);
}

static void
test_a_file_goes_on_where_the_one_before_ended(void **state)
{
	struct audit_report report;
	struct log first, second, gap;

	make(&first);
	make_after(&second, first.after[LINES]);
	audit_verify(
	    buf_span(&second.bytes), &first.after[LINES], NULL, &report);
	assert_int_equal(report.finding, AUDIT_WHOLE);
	assert_int_equal(report.first_seq, LINES + 1);

	/* Lines were cut from the end of the first. */
	audit_verify(
	    buf_span(&second.bytes), &first.after[LINES - 1], NULL, &report);
	assert_int_equal(report.finding, AUDIT_REMOVED);
	assert_int_equal(report.line, 1);

	/* The first one was written anew. */
	gap = first;
	gap.after[LINES].hash[5] ^= 1;
	audit_verify(buf_span(&second.bytes), &gap.after[LINES], NULL, &report);
	assert_int_equal(report.finding, AUDIT_ALTERED);

	/* Alone, it says what it follows, and is whole. */
	assert_finding(buf_span(&second.bytes), NULL, AUDIT_WHOLE, 0);
	/* A head from before its time says nothing of it. */
	assert_finding(
	    buf_span(&second.bytes), &first.after[2], AUDIT_WHOLE, 0);
	buf_fini(&first.bytes);
	buf_fini(&second.bytes);
}

static void
test_a_first_line_that_follows_something_unseen_is_found(void **state)
{
	struct audit_mark mark = audit_mark_begin;
	struct buf bytes;

	mark.hash[7] = 'f';
	buf_init(&bytes, 4096);
	append(&bytes, "\"event\":\"log-begins\"", &mark);
	assert_finding(buf_span(&bytes), NULL, AUDIT_ALTERED, 1);
	buf_fini(&bytes);
}

static void
test_lines_of_another_form_are_altered(void **state)
{
	static const char *const texts[] = {"", "{}", "{\"seq\":1}", "\xff\xfe",
	    "null", "{\"seq\":01,\"time\":\"2026-03-01T12:00:00.123Z\"}"};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		char text[128];
		int len = snprintf(text, sizeof text, "%s\n", texts[i]);

		assert_finding(
		    span_of(text, (size_t)len), NULL, AUDIT_ALTERED, 1);
	}
}

static void
test_each_finding_has_a_word_and_a_sentence(void **state)
{
	for (int i = 0; i < AUDIT_FINDINGS_COUNT; i++) {
		assert_true(strlen(audit_finding_word(i)) > 2);
		assert_true(strlen(audit_finding_text(i)) > 10);
	}
}

/* ---- members ---- */

static void
test_a_text_that_does_not_stand_whole_is_told_by_its_digest(void **state)
{
	char text[2 * AUDIT_VALUE_MAX];
	struct audit_entry entry;
	struct span fields;

	memset(text, 'a', sizeof text);
	audit_begin(&entry, "hold");
	audit_put_span(&entry, "short", span_of(text, AUDIT_VALUE_MAX));
	audit_put_span(&entry, "long", span_of(text, AUDIT_VALUE_MAX + 1));
	audit_put_span(&entry, "bad",
	    span_of("a\xff"
		    "b",
		3));
	audit_put_str(&entry, "none", NULL);
	audit_put_u64(&entry, "n", UINT64_MAX);
	audit_put_hex(&entry, "id", span_of("\x01\xfe", 2));
	assert_false(entry.fields.failed);
	assert_true(buf_append(&entry.fields, "", 1));
	fields = buf_span(&entry.fields);
	assert_null(strstr((const char *)fields.data, "short_bytes"));
	assert_non_null(strstr((const char *)fields.data,
	    ",\"long_bytes\":513,\"long_sha256\":\""));
	assert_non_null(strstr((const char *)fields.data,
	    ",\"bad\":\"a\",\"bad_bytes\":3,\"bad_sha256\":\""));
	assert_null(strstr((const char *)fields.data, "none"));
	assert_non_null(strstr((const char *)fields.data,
	    ",\"n\":18446744073709551615,\"id\":\"01fe\""));
	audit_drop(&entry);
}

/* However hostile: twelve texts have their place in a line. */
static void
test_hostile_texts_do_not_fill_a_line(void **state)
{
	char text[4096];
	struct audit_entry entry;

	memset(text, 1, sizeof text);
	audit_begin(&entry, "refuse");
	for (int i = 0; i < 12; i++)
		audit_put_span(&entry, "text", span_of(text, sizeof text));
	assert_false(entry.fields.failed);
	audit_drop(&entry);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test(test_##name)
	const struct CMUnitTest tests[] = {
	    TEST(a_log_as_it_was_written_is_whole),
	    TEST(each_bit_of_each_byte_that_is_altered_is_found),
	    TEST(each_line_that_is_removed_is_found),
	    TEST(each_two_lines_that_are_swapped_are_found),
	    TEST(each_line_that_stands_twice_is_found),
	    TEST(a_cut_at_each_byte_is_found_by_the_head),
	    TEST(a_cut_inside_a_line_is_found_without_a_head),
	    TEST(a_line_that_was_written_anew_with_its_hash_is_found),
	    TEST(an_end_that_was_written_anew_is_found_by_a_head_alone),
	    TEST(a_head_of_a_hash_alone_is_looked_for),
	    TEST(a_file_goes_on_where_the_one_before_ended),
	    TEST(a_first_line_that_follows_something_unseen_is_found),
	    TEST(lines_of_another_form_are_altered),
	    TEST(each_finding_has_a_word_and_a_sentence),
	    TEST(a_text_that_does_not_stand_whole_is_told_by_its_digest),
	    TEST(hostile_texts_do_not_fill_a_line),
	};
#undef TEST
	return cmocka_run_group_tests(tests, NULL, NULL);
}
