/* Several files of one log. */

#include "audit_chain.h"
#include "made_log.h"

enum { FILES = 3 };

struct chain {
	struct log logs[FILES];
	struct audit_chain_file files[FILES];
	struct audit_chain_head head;
	struct audit_chain chain;
};

/* Given in the wrong order. */
static void
begin(struct chain *c)
{
	*c = (struct chain){.chain = {.file_count = FILES}};
	c->chain.files = c->files;
	c->chain.heads = &c->head;
	make(&c->logs[0]);
	for (size_t i = 1; i < FILES; i++)
		make_after(&c->logs[i], c->logs[i - 1].after[LINES]);
	for (size_t i = 0; i < FILES; i++)
		c->files[i] = (struct audit_chain_file){.name = i == 0	 ? "c"
								: i == 1 ? "b"
									 : "a",
		    .bytes = buf_span(&c->logs[FILES - 1 - i].bytes)};
}

static void
end(struct chain *c)
{
	for (size_t i = 0; i < FILES; i++)
		buf_fini(&c->logs[i].bytes);
}

static void
assert_found(
    struct chain *c, enum audit_finding finding, size_t file, size_t line)
{
	audit_chain_verify(&c->chain);
	assert_string_equal(
	    audit_finding_word(c->chain.finding), audit_finding_word(finding));
	assert_int_equal(c->chain.file, file);
	assert_int_equal(c->chain.line, line);
}

static void
test_files_in_any_order_are_one_chain(void **state)
{
	struct chain c;

	begin(&c);
	assert_found(&c, AUDIT_WHOLE, FILES - 1, 0);
	assert_int_equal(c.chain.count, FILES * LINES);
	assert_string_equal(c.files[0].name, "a");
	end(&c);
}

static void
test_a_file_that_is_missing_is_found(void **state)
{
	struct chain c;

	begin(&c);
	c.files[1] = c.files[2];
	c.chain.file_count = 2;
	assert_found(&c, AUDIT_REMOVED, 1, 1);
	end(&c);
}

static void
test_a_cut_at_the_end_of_an_earlier_file_is_found(void **state)
{
	struct chain c;

	begin(&c);
	c.files[2].bytes.len = c.logs[0].begin[LINES - 1];
	assert_found(&c, AUDIT_REMOVED, 1, 1);
	end(&c);
}

/* Whichever file it is in. */
static void
test_a_head_is_looked_for_in_all_files(void **state)
{
	struct chain c;

	for (size_t file = 0; file < FILES; file++)
		for (size_t line = 1; line <= LINES; line++)
			for (int named = 0; named < 2; named++) {
				begin(&c);
				c.chain.head_count = 1;
				c.head.mark = c.logs[file].after[line];
				if (!named)
					c.head.mark.seq = 0;
				assert_found(&c, AUDIT_WHOLE, FILES - 1, 0);
				assert_int_equal(
				    c.head.seen, AUDIT_CHAIN_HEAD_THERE);
				end(&c);
			}
}

static void
test_a_head_that_is_gone_is_found(void **state)
{
	struct chain c;

	/* Cut off. */
	begin(&c);
	c.chain.head_count = 1;
	c.head.mark = c.logs[2].after[LINES];
	c.files[0].bytes.len = c.logs[2].begin[LINES - 2];
	assert_found(&c, AUDIT_CUT, 2, LINES - 1);
	end(&c);
	/* Cut off, and torn. */
	begin(&c);
	c.chain.head_count = 1;
	c.head.mark = c.logs[2].after[LINES];
	c.files[0].bytes.len = c.logs[2].begin[LINES] - 9;
	assert_found(&c, AUDIT_CUT, 2, LINES);
	end(&c);
	/* A whole file gone. */
	begin(&c);
	c.chain.head_count = 1;
	c.head.mark = c.logs[2].after[1];
	c.files[0] = c.files[2];
	c.chain.file_count = 2;
	assert_found(&c, AUDIT_CUT, 1, LINES + 1);
	end(&c);
	/* Written anew, in the second file. */
	begin(&c);
	c.chain.head_count = 1;
	c.head.mark = c.logs[1].after[3];
	c.head.mark.hash[0] ^= 1;
	assert_found(&c, AUDIT_ALTERED, 1, 3);
	assert_int_equal(c.head.seen, AUDIT_CHAIN_HEAD_GONE);
	end(&c);
}

static void
test_a_head_from_before_the_oldest_file_says_nothing(void **state)
{
	struct chain c;

	begin(&c);
	c.chain.head_count = 1;
	c.head.mark = c.logs[0].after[2];
	c.chain.file_count = 2; /* b and c */
	assert_found(&c, AUDIT_WHOLE, 1, 0);
	assert_int_equal(c.head.seen, AUDIT_CHAIN_HEAD_OLDER);
	end(&c);
}

static void
test_the_file_before_is_named_in_the_first_line(void **state)
{
	struct audit_mark mark = audit_mark_begin;
	struct buf bytes;
	struct log log;

	buf_init(&bytes, 4096);
	append(&bytes,
	    "\"event\":\"log-begins\",\"file\":\"a\",\"from\":\"a.7\"", &mark);
	assert_true(span_is(audit_chain_from(buf_span(&bytes)), "a.7"));
	assert_int_equal(audit_chain_first(buf_span(&bytes)), 1);
	buf_fini(&bytes);
	/* Nobody else says so. */
	buf_init(&bytes, 4096);
	append(&bytes, "\"event\":\"x\",\"from\":\"/etc/passwd\"", &mark);
	assert_int_equal(audit_chain_from(buf_span(&bytes)).len, 0);
	buf_fini(&bytes);
	make(&log);
	assert_int_equal(audit_chain_from(buf_span(&log.bytes)).len, 0);
	buf_fini(&log.bytes);
	assert_int_equal(audit_chain_first(span_of("x", 1)), 0);
}

static void
test_a_head_file_is_read_as_it_is_written_alone(void **state)
{
	static const char good[] = "00000000000000000042 "
				   "0123456789abcdef0123456789abcdef0123456789a"
				   "bcdef0123456789abcdef\n";
	char text[sizeof good];
	struct audit_mark mark;

	assert_true(audit_chain_read_head(span_of_str(good), &mark));
	assert_int_equal(mark.seq, 42);
	for (size_t i = 0; i < sizeof good - 1; i++) {
		assert_false(audit_chain_read_head(span_of(good, i), &mark));
		memcpy(text, good, sizeof good);
		text[i] = 'Z';
		assert_false(audit_chain_read_head(span_of_str(text), &mark));
	}
}

int
main(void)
{
#define TEST(name) cmocka_unit_test(test_##name)
	const struct CMUnitTest tests[] = {
	    TEST(files_in_any_order_are_one_chain),
	    TEST(a_file_that_is_missing_is_found),
	    TEST(a_cut_at_the_end_of_an_earlier_file_is_found),
	    TEST(a_head_is_looked_for_in_all_files),
	    TEST(a_head_that_is_gone_is_found),
	    TEST(a_head_from_before_the_oldest_file_says_nothing),
	    TEST(the_file_before_is_named_in_the_first_line),
	    TEST(a_head_file_is_read_as_it_is_written_alone),
	};
#undef TEST
	return cmocka_run_group_tests(tests, NULL, NULL);
}
