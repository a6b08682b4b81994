/* Sets of filters against brute force: every topic over a small alphabet. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "mqtt_topic.h"
#include "policy_trie.h"

enum {
	LEVELS = 4,
	TEXTS_MAX = 2000,
	WORDS = TEXTS_MAX / 64 + 1,
	SETS = 3000,
	SET_MAX = 4
};

static struct span
S(const char *text) {
	return span_of_str(text);
}

/* ---- all names, all filters, and which matches which ---- */

struct texts {
	char text[TEXTS_MAX][24];
	size_t count;
};

static struct texts names, filters;

/* Bit n of a row: the filter matches name n. */
static uint64_t hits[TEXTS_MAX][WORDS];

static void
add_texts(struct texts *t, const char *prefix, unsigned levels,
    const char *const *words)
{
	for (size_t i = 0; words[i] != NULL; i++) {
		char text[sizeof t->text[0]];

		snprintf(text, sizeof text, "%s%s", prefix, words[i]);
		if (text[0] != '\0') {
			assert_true(t->count < TEXTS_MAX);
			strcpy(t->text[t->count++], text);
		}
		if (levels > 1 && strcmp(words[i], "#") != 0) {
			strcat(text, "/");
			add_texts(t, text, levels - 1, words);
		}
	}
}

static int
make_texts(void **state)
{
	/* z stands for every word that no filter has; one level more. */
	static const char *const name_words[] = {"", "a", "$", "z", NULL};
	static const char *const filter_words[] = {
	    "", "a", "$", "+", "#", NULL};

	names.count = filters.count = 0;
	add_texts(&names, "", LEVELS + 1, name_words);
	add_texts(&filters, "", LEVELS, filter_words);
	for (size_t f = 0; f < filters.count; f++)
		for (size_t n = 0; n < names.count; n++)
			if (mqtt_topic_matches(
				S(filters.text[f]), S(names.text[n])))
				hits[f][n / 64] |= UINT64_C(1) << n % 64;
	return 0;
}

/* ---- sets at random ---- */

struct set {
	struct policy_trie trie;
	uint32_t root;
	size_t members[SET_MAX];
	size_t count;
	uint64_t hits[WORDS];
};

static uint32_t
next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void
make_set(struct set *set, uint32_t *seed)
{
	uint32_t other;

	*set = (struct set){.count = 1 + next_random(seed) % SET_MAX};
	set->root = policy_trie_root(&set->trie);
	assert_true(set->root > 0);
	for (size_t i = 0; i < set->count; i++) {
		size_t f = next_random(seed) % filters.count;
		struct policy_trie_filter filter = {
		    .text = S(filters.text[f]), .rule = (uint32_t)i};
		enum policy_trie_result result =
		    policy_trie_add(&set->trie, set->root, &filter, &other);

		set->members[i] = f;
		if (result == POLICY_TRIE_TWICE)
			assert_int_equal(set->members[other], f);
		else
			assert_int_equal(result, POLICY_TRIE_ADDED);
		for (size_t w = 0; w < WORDS; w++)
			set->hits[w] |= hits[f][w];
	}
}

static bool
is_hit(const uint64_t *row, size_t name)
{
	return (row[name / 64] >> name % 64 & 1) != 0;
}

static void
fail_set(const struct set *set, const char *text, bool got)
{
	char all[128] = "";

	for (size_t i = 0; i < set->count; i++) {
		strcat(all, " ");
		strcat(all, filters.text[set->members[i]]);
	}
	fail_msg("%s in {%s }: %d", text, all, got);
}

static const struct policy_names nobody = {.identity = {0}};

static void
test_a_set_matches_what_one_of_its_filters_matches(void **state)
{
	static struct set set;
	static struct policy_look look;
	uint32_t seed = 1;
	size_t matches = 0;

	for (size_t round = 0; round < SETS / 10; round++) {
		make_set(&set, &seed);
		for (size_t n = 0; n < names.count; n++) {
			uint32_t rule;

			policy_trie_look(
			    &set.trie, S(names.text[n]), &nobody, &look);
			rule = policy_trie_match(&set.trie, set.root, &look);
			if ((rule != POLICY_NO_RULE) != is_hit(set.hits, n))
				fail_set(&set, names.text[n],
				    rule != POLICY_NO_RULE);
			if (rule == POLICY_NO_RULE)
				continue;
			matches++;
			/* And the rule that it names is one that matches. */
			assert_true(is_hit(hits[set.members[rule]], n));
		}
		policy_trie_fini(&set.trie);
	}
	assert_true(matches > SETS);
}

/* Every filter that may be asked for, against the names that it reaches. */
static size_t
check_covers(const struct set *set)
{
	static struct policy_look look;
	size_t granted = 0;

	for (size_t f = 0; f < filters.count; f++) {
		bool is_subset = true, got;

		for (size_t w = 0; w < WORDS && is_subset; w++)
			is_subset = (hits[f][w] & ~set->hits[w]) == 0;
		policy_trie_look_filter(
		    &set->trie, S(filters.text[f]), &nobody, &look);
		got = policy_trie_covers(&set->trie, &set->root, 1, &look) !=
		      POLICY_NO_RULE;
		if (got != is_subset)
			fail_set(set, filters.text[f], got);
		granted += got;
	}
	return granted;
}

static void
test_a_filter_is_covered_just_where_all_its_topics_are(void **state)
{
	static struct set set;
	uint32_t seed = 2;
	size_t granted = 0;

	for (size_t round = 0; round < SETS; round++) {
		make_set(&set, &seed);
		granted += check_covers(&set);
		policy_trie_fini(&set.trie);
	}
	assert_true(granted > SETS);
}

static void
test_each_single_filter_covers_as_mqtt_topic_covers_says(void **state)
{
	static struct policy_look look;
	uint32_t other;

	for (size_t o = 0; o < filters.count; o++) {
		struct policy_trie trie = {.nodes = NULL};
		uint32_t root = policy_trie_root(&trie);
		struct policy_trie_filter filter = {.text = S(filters.text[o])};

		assert_int_equal(policy_trie_add(&trie, root, &filter, &other),
		    POLICY_TRIE_ADDED);
		for (size_t i = 0; i < filters.count; i++) {
			bool got;

			policy_trie_look_filter(
			    &trie, S(filters.text[i]), &nobody, &look);
			got = policy_trie_covers(&trie, &root, 1, &look) !=
			      POLICY_NO_RULE;
			if (got != mqtt_topic_covers(
				       S(filters.text[o]), S(filters.text[i])))
				fail_msg("%s over %s: %d", filters.text[o],
				    filters.text[i], got);
		}
		policy_trie_fini(&trie);
	}
}

static void
test_two_sets_count_together(void **state)
{
	static const struct {
		const char *text;
		bool is_first;
	} rows[] = {{"a/+", true}, {"a", false}, {"a/+/+/#", false}};
	static struct policy_look look;
	struct policy_trie trie = {.nodes = NULL};
	uint32_t roots[2] = {policy_trie_root(&trie), policy_trie_root(&trie)};
	uint32_t other;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct policy_trie_filter filter = {
		    .text = S(rows[i].text), .rule = (uint32_t)i};

		assert_int_equal(
		    policy_trie_add(&trie, roots[rows[i].is_first ? 0 : 1],
			&filter, &other),
		    POLICY_TRIE_ADDED);
	}
	policy_trie_look_filter(&trie, S("a/#"), &nobody, &look);
	assert_int_not_equal(
	    policy_trie_covers(&trie, roots, 2, &look), POLICY_NO_RULE);
	policy_trie_look_filter(&trie, S("a/#"), &nobody, &look);
	assert_int_equal(
	    policy_trie_covers(&trie, roots, 1, &look), POLICY_NO_RULE);
	policy_trie_fini(&trie);
}

static void
test_a_topic_deeper_than_any_filter_is_matched_by_tails_alone(void **state)
{
	static char deep[60000];
	static struct policy_look look;
	struct policy_trie trie = {.nodes = NULL};
	uint32_t root = policy_trie_root(&trie), other;
	struct policy_trie_filter filters_here[] = {
	    {.text = S("+/+"), .rule = 1}, {.text = S("x/#"), .rule = 2}};

	for (size_t i = 0; i < 2; i++)
		assert_int_equal(
		    policy_trie_add(&trie, root, &filters_here[i], &other),
		    POLICY_TRIE_ADDED);
	memset(deep, '/', sizeof deep - 1);
	policy_trie_look(&trie, S(deep), &nobody, &look);
	assert_int_equal(policy_trie_match(&trie, root, &look), POLICY_NO_RULE);
	deep[0] = 'x';
	policy_trie_look(&trie, S(deep), &nobody, &look);
	assert_int_equal(policy_trie_match(&trie, root, &look), 2);
	policy_trie_look_filter(&trie, S(deep), &nobody, &look);
	assert_int_equal(policy_trie_covers(&trie, &root, 1, &look), 2);
	policy_trie_fini(&trie);
}

static void
test_filters_of_the_most_levels_are_matched(void **state)
{
	static char deep[POLICY_LEVELS_MAX * 2];
	static struct policy_look look;
	struct policy_trie trie = {.nodes = NULL};
	uint32_t root = policy_trie_root(&trie), other;
	struct policy_trie_filter filter = {.rule = 7};

	for (size_t i = 0; i < POLICY_LEVELS_MAX; i++)
		strcat(deep, i == 0 ? "+" : "/+");
	filter.text = S(deep);
	assert_int_equal(policy_trie_levels(filter.text), POLICY_LEVELS_MAX);
	assert_int_equal(
	    policy_trie_add(&trie, root, &filter, &other), POLICY_TRIE_ADDED);
	policy_trie_look_filter(&trie, S(deep), &nobody, &look);
	assert_int_equal(policy_trie_covers(&trie, &root, 1, &look), 7);
	deep[sizeof deep - 2] = '#';
	policy_trie_look_filter(&trie, S(deep), &nobody, &look);
	assert_int_equal(
	    policy_trie_covers(&trie, &root, 1, &look), POLICY_NO_RULE);
	policy_trie_fini(&trie);
}

/* The words of many lengths, each in a filter: a, aa, aaa ... */
enum { WORD_MAX = 40 };

static void
make_words(struct policy_trie *trie, uint32_t root, char (*texts)[WORD_MAX + 4])
{
	for (uint32_t len = 1; len <= WORD_MAX; len++) {
		struct policy_trie_filter filter = {.rule = len};
		uint32_t other;

		snprintf(texts[len], sizeof texts[len], "%.*s/#", (int)len,
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
		filter.text = S(texts[len]);
		assert_int_equal(policy_trie_add(trie, root, &filter, &other),
		    POLICY_TRIE_ADDED);
	}
}

static uint32_t
match_text(
    const struct policy_trie *trie, uint32_t root, const char *text, size_t len)
{
	static struct policy_look look;
	/* Nothing behind it may be read. */
	uint8_t *copy = malloc(len);
	uint32_t rule;

	memcpy(copy, text, len);
	policy_trie_look(trie, span_of(copy, len), &nobody, &look);
	rule = policy_trie_match(trie, root, &look);
	free(copy);
	return rule;
}

static void
test_each_byte_of_a_word_counts_whatever_its_length(void **state)
{
	static char texts[WORD_MAX + 1][WORD_MAX + 4];
	struct policy_trie trie = {.nodes = NULL};
	uint32_t root = policy_trie_root(&trie);

	make_words(&trie, root, texts);
	for (uint32_t len = 1; len <= WORD_MAX; len++) {
		/* At the end of the topic, and with a short and a long rest. */
		static const char *const rests[] = {"", "/", "/x", "/12345678"};

		for (size_t r = 0; r < 4; r++) {
			char topic[WORD_MAX + 16];
			size_t all = (size_t)snprintf(topic, sizeof topic,
			    "%.*s%s", (int)len, texts[len], rests[r]);

			assert_int_equal(
			    match_text(&trie, root, topic, all), len);
			for (size_t at = 0; at < len; at++) {
				for (char c = 'b'; c <= 'z'; c++) {
					topic[at] = c;
					assert_int_equal(
					    match_text(&trie, root, topic, all),
					    POLICY_NO_RULE);
				}
				topic[at] = 'a';
			}
		}
	}
	assert_int_equal(match_text(&trie, root, "/", 1), POLICY_NO_RULE);
	policy_trie_fini(&trie);
}

static void
test_words_of_a_large_policy_are_told_apart(void **state)
{
	enum { COUNT = 5000 };
	static char texts[COUNT][48];
	struct policy_trie trie = {.nodes = NULL};
	uint32_t root = policy_trie_root(&trie), other;

	/* They differ before, behind and within the bytes of a key. */
	for (uint32_t i = 0; i < COUNT; i++) {
		struct policy_trie_filter filter = {.rule = i};

		snprintf(texts[i], sizeof texts[i],
		    i % 3 == 0	 ? "%u"
		    : i % 3 == 1 ? "site/%u-of-the-same-long-name"
				 : "of-the-same-long-name-%u-device/x",
		    i);
		filter.text = S(texts[i]);
		assert_int_equal(policy_trie_add(&trie, root, &filter, &other),
		    POLICY_TRIE_ADDED);
	}
	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(
		    match_text(&trie, root, texts[i], strlen(texts[i])), i);
	policy_trie_fini(&trie);
}

static void
test_a_rule_that_does_not_count_is_passed_over(void **state)
{
	static struct policy_look look;
	struct policy_trie trie = {.nodes = NULL};
	uint32_t root = policy_trie_root(&trie), other;
	struct policy_trie_filter rows[] = {
	    {S("%i/+"), POLICY_TRIE_TEMPLATES, 0},
	    {S("%i/a"), POLICY_TRIE_TEMPLATES, 1}};

	for (size_t i = 0; i < 2; i++)
		assert_int_equal(policy_trie_add(&trie, root, &rows[i], &other),
		    POLICY_TRIE_ADDED);
	policy_trie_look_filter(&trie, rows[1].text, NULL, &look);
	look.skipped = (const bool[]){false, true};
	assert_int_equal(policy_trie_covers(&trie, &root, 1, &look), 0);
	policy_trie_look_filter(&trie, rows[0].text, NULL, &look);
	look.skipped = (const bool[]){true, false};
	assert_int_equal(
	    policy_trie_covers(&trie, &root, 1, &look), POLICY_NO_RULE);
	policy_trie_fini(&trie);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		test_a_set_matches_what_one_of_its_filters_matches),
	    cmocka_unit_test(
		test_a_filter_is_covered_just_where_all_its_topics_are),
	    cmocka_unit_test(
		test_each_single_filter_covers_as_mqtt_topic_covers_says),
	    cmocka_unit_test(test_two_sets_count_together),
	    cmocka_unit_test(
		test_a_topic_deeper_than_any_filter_is_matched_by_tails_alone),
	    cmocka_unit_test(test_filters_of_the_most_levels_are_matched),
	    cmocka_unit_test(
		test_each_byte_of_a_word_counts_whatever_its_length),
	    cmocka_unit_test(test_words_of_a_large_policy_are_told_apart),
	    cmocka_unit_test(test_a_rule_that_does_not_count_is_passed_over),
	};

	return cmocka_run_group_tests_name(
	    "policy_trie", tests, make_texts, NULL);
}
