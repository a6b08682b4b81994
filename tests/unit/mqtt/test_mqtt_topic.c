#include "mqtt_topic.h"

#include <stdio.h>

#include "make.h"
#include "mqtt_frame.h"

enum { LEVELS_MAX = 4, TEXTS_MAX = 2000, FILTERS_MAX = 500, NAMES_MAX = 1400 };

static struct span
S(const char *text) {
	return span_of_str(text);
}

static enum mqtt_rule
name_rule(const char *bytes, size_t len)
{
	return mqtt_topic_check_name(span_of(bytes, len), MQTT_RULE_TOPIC_TEXT);
}

static void
test_names_are_judged(void **state)
{
	assert_int_equal(name_rule("a", 1), MQTT_RULE_NONE);
	assert_int_equal(name_rule("/", 1), MQTT_RULE_NONE);
	assert_int_equal(name_rule("$SYS/x y/\xc3\xa9", 11), MQTT_RULE_NONE);
	assert_int_equal(name_rule("", 0), MQTT_RULE_TOPIC_EMPTY);
	assert_int_equal(name_rule("a/+", 3), MQTT_RULE_TOPIC_WILDCARD);
	assert_int_equal(name_rule("a#b", 3), MQTT_RULE_TOPIC_WILDCARD);
	assert_int_equal(
	    name_rule("0123456789/+", 12), MQTT_RULE_TOPIC_WILDCARD);
	assert_int_equal(name_rule("a\0b", 3), MQTT_RULE_TEXT_NULL);
	assert_int_equal(name_rule("a\xff", 2), MQTT_RULE_TOPIC_TEXT);
}

static void
test_filters_are_judged(void **state)
{
	static const struct {
		const char *filter;
		enum mqtt_rule rule;
		enum mqtt_rule rule_50;
	} rows[] = {
	    {"a", 0, 0},
	    {"#", 0, 0},
	    {"+", 0, 0},
	    {"/", 0, 0},
	    {"//", 0, 0},
	    {"+/+/#", 0, 0},
	    {"a/+/b/#", 0, 0},
	    {"/+", 0, 0},
	    {"$SYS/#", 0, 0},
	    {"", MQTT_RULE_FILTER_EMPTY, MQTT_RULE_FILTER_EMPTY},
	    {"a#", MQTT_RULE_FILTER_HASH, MQTT_RULE_FILTER_HASH},
	    {"#a", MQTT_RULE_FILTER_HASH, MQTT_RULE_FILTER_HASH},
	    {"#/a", MQTT_RULE_FILTER_HASH, MQTT_RULE_FILTER_HASH},
	    {"a/#/", MQTT_RULE_FILTER_HASH, MQTT_RULE_FILTER_HASH},
	    {"##", MQTT_RULE_FILTER_HASH, MQTT_RULE_FILTER_HASH},
	    {"+a", MQTT_RULE_FILTER_PLUS, MQTT_RULE_FILTER_PLUS},
	    {"a/b+", MQTT_RULE_FILTER_PLUS, MQTT_RULE_FILTER_PLUS},
	    {"++/a", MQTT_RULE_FILTER_PLUS, MQTT_RULE_FILTER_PLUS},
	    {"$share/g/a/#", 0, 0},
	    {"$share", 0, 0},
	    {"$shared/x", 0, 0},
	    {"$share/", 0, MQTT_RULE_SHARE_NAME},
	    {"$share//a", 0, MQTT_RULE_SHARE_NAME},
	    {"$share/g", 0, MQTT_RULE_SHARE_FILTER},
	    {"$share/g/", 0, MQTT_RULE_SHARE_FILTER},
	    {"$share/+/a", 0, MQTT_RULE_SHARE_FILTER},
	    {"$share/g#/a", MQTT_RULE_FILTER_HASH, MQTT_RULE_SHARE_FILTER},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct span filter = S(rows[i].filter);

		assert_int_equal(mqtt_topic_check_filter(
				     filter, 4, MQTT_RULE_SUBSCRIBE_TEXT),
		    rows[i].rule);
		assert_int_equal(mqtt_topic_check_filter(
				     filter, 5, MQTT_RULE_SUBSCRIBE_TEXT),
		    rows[i].rule_50);
	}
}

/* 5.0 section 4.7.1, word by word: the first level that breaks a rule. */
static enum mqtt_rule
wildcard_rule(const char *filter)
{
	for (const char *level = filter;; level++) {
		size_t len = strcspn(level, "/");
		bool is_last = level[len] == '\0';
		bool has_hash = memchr(level, '#', len) != NULL;

		if (has_hash && (len > 1 || !is_last))
			return MQTT_RULE_FILTER_HASH;
		if (memchr(level, '+', len) != NULL && len > 1)
			return MQTT_RULE_FILTER_PLUS;
		if (is_last)
			return MQTT_RULE_NONE;
		level += len;
	}
}

/* Behind beginnings of several lengths, since eight bytes are seen at once. */
static void
test_wildcards_stand_where_the_standard_lets_them(void **state)
{
	static const char *const beginnings[] = {
	    "", "12/", "123456", "123456/", "1234567/", "12345678901/"};
	static const char letters[] = "a/+#";
	unsigned right = 0;

	for (unsigned b = 0; b < 6; b++) {
		for (unsigned code = 1; code < 1u << 14; code++) {
			char filter[32];
			size_t len = strlen(strcpy(filter, beginnings[b]));
			enum mqtt_rule rule;

			for (unsigned left = code; left > 1; left >>= 2)
				filter[len++] = letters[left & 3];
			filter[len] = '\0';
			if (len == 0)
				continue;
			rule = mqtt_topic_check_filter(
			    S(filter), 5, MQTT_RULE_SUBSCRIBE_TEXT);
			if (rule != wildcard_rule(filter))
				fail_msg("%s: %d", filter, (int)rule);
			right += rule == MQTT_RULE_NONE;
		}
	}
	assert_in_range(right, 1000, 6u << 14);
}

static void
test_matching_as_the_standard_shows_it(void **state)
{
	static const struct {
		const char *filter, *name;
		bool matches;
	} rows[] = {
	    /* 4.7.1.2 */
	    {"sport/tennis/player1/#", "sport/tennis/player1", true},
	    {"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
	    {"sport/tennis/player1/#", "sport/tennis/player1/score/x", true},
	    {"sport/#", "sport", true},
	    {"#", "a", true},
	    {"#", "/", true},
	    /* 4.7.1.3 */
	    {"sport/tennis/+", "sport/tennis/player1", true},
	    {"sport/tennis/+", "sport/tennis/player1/ranking", false},
	    {"sport/+", "sport", false},
	    {"sport/+", "sport/", true},
	    {"+/+", "/finance", true},
	    {"/+", "/finance", true},
	    {"+", "/finance", false},
	    /* 4.7.2 */
	    {"#", "$SYS/monitor", false},
	    {"+/monitor/Clients", "$SYS/monitor/Clients", false},
	    {"$SYS/#", "$SYS/monitor", true},
	    {"$SYS/monitor/+", "$SYS/monitor/Clients", true},
	    {"a/#", "a/$b", true},
	    {"a/+", "a/$b", true},
	    /* 4.7.3: case and slashes count */
	    {"ACCOUNTS", "Accounts", false},
	    {"/finance", "finance", false},
	    {"a//b", "a/b", false},
	    {"a/+/b", "a//b", true},
	    {"ab", "a", false},
	    {"a", "ab", false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(
		    mqtt_topic_matches(S(rows[i].filter), S(rows[i].name)),
		    rows[i].matches);
}

static void
test_covering_in_words(void **state)
{
	static const struct {
		const char *outer, *inner;
		bool covers;
	} rows[] = {
	    {"#", "a/b", true},
	    {"#", "#", true},
	    {"#", "+/#", true},
	    {"+/#", "#", true},
	    {"+", "#", false},
	    {"a/#", "a", true},
	    {"a/#", "a/#", true},
	    {"a/#", "#", false},
	    {"a/+", "a/#", false},
	    {"a/+/#", "a/#", false},
	    {"a/+", "a/b", true},
	    {"b/a", "+/a", false},
	    {"+/a", "b/a", true},
	    {"a/b", "a/+", false},
	    {"#", "$SYS/a", false},
	    {"+/a", "$SYS/a", false},
	    {"$SYS/#", "$SYS/a", true},
	    {"$SYS/#", "#", false},
	    /* shared */
	    {"a/#", "$share/g/a/b", true},
	    {"a/#", "$share/g/b", false},
	    {"#", "$share/g/$SYS/x", false},
	    {"#", "$share/g", false},
	    {"#", "$share//a", false},
	    {"$share/g/a/#", "$share/g/a/b", true},
	    {"$share/g/a/#", "$share/h/a/b", false},
	    {"$share/g/a/#", "a/b", false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(
		    mqtt_topic_covers(S(rows[i].outer), S(rows[i].inner)),
		    rows[i].covers);
}

static void
test_shares_are_taken_apart(void **state)
{
	struct span group, filter;

	assert_int_equal(mqtt_topic_share(S("$share/g/a/+"), &group, &filter),
	    MQTT_SHARE_GROUP);
	assert_true(span_is(group, "g"));
	assert_true(span_is(filter, "a/+"));
	assert_int_equal(
	    mqtt_topic_share(S("a/b"), &group, &filter), MQTT_SHARE_NONE);
	assert_true(span_is(filter, "a/b"));
	assert_int_equal(mqtt_topic_share(S("$share/g//"), &group, &filter),
	    MQTT_SHARE_GROUP);
	assert_true(span_is(filter, "/"));
	assert_int_equal(mqtt_topic_share(S("$share/g"), &group, &filter),
	    MQTT_SHARE_BROKEN);
}

/*
 * The reference: a filter matches by going down both texts one character at a
 * time, as written in section 4.7, with nothing of the module's in it.
 */
static bool
reference_matches(const char *f, const char *n)
{
	if (f[0] == '#' && f[1] == '\0')
		return true;
	/* "x/#" also matches "x" */
	if (n[0] == '\0')
		return f[0] == '\0' || strcmp(f, "/#") == 0 ||
		       (f[0] == '+' &&
			   (f[1] == '\0' || strcmp(f + 1, "/#") == 0));
	if (f[0] == '+') {
		size_t skip = strcspn(n, "/");

		return skip == 0 ? reference_matches(f + 1, n)
				 : reference_matches(f + 1, n + skip);
	}
	return f[0] == n[0] && reference_matches(f + 1, n + 1);
}

static bool
reference(const char *f, const char *n)
{
	if (n[0] == '$' && (f[0] == '+' || f[0] == '#'))
		return false;
	return reference_matches(f, n);
}

/* Every text of 1 to `max` levels, each one of `words`. */
struct texts {
	char text[TEXTS_MAX][32];
	size_t count;
};

static void
add_texts(struct texts *t, const char *prefix, unsigned levels,
    const char *const *words)
{
	for (size_t i = 0; words[i] != NULL; i++) {
		char text[32];

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

static struct texts names, filters;

static int
make_texts(void **state)
{
	/* z stands for every level that no filter names. */
	static const char *const name_words[] = {"", "a", "$", "z", NULL};
	static const char *const filter_words[] = {
	    "", "a", "$", "+", "#", NULL};

	names.count = filters.count = 0;
	add_texts(&names, "", LEVELS_MAX + 1, name_words);
	add_texts(&filters, "", LEVELS_MAX, filter_words);
	return 0;
}

static void
test_matching_agrees_with_the_reference(void **state)
{
	size_t matches = 0;

	for (size_t f = 0; f < filters.count; f++) {
		for (size_t n = 0; n < names.count; n++) {
			bool got = mqtt_topic_matches(
			    S(filters.text[f]), S(names.text[n]));

			if (got != reference(filters.text[f], names.text[n]))
				fail_msg("%s and %s: %d", filters.text[f],
				    names.text[n], got);
			matches += got;
		}
	}
	assert_true(matches > 1000);
}

static void
test_covering_agrees_with_every_name(void **state)
{
	static bool hit[FILTERS_MAX][NAMES_MAX];
	size_t covers = 0;

	assert_true(filters.count <= FILTERS_MAX && names.count <= NAMES_MAX);
	for (size_t f = 0; f < filters.count; f++) {
		for (size_t n = 0; n < names.count; n++)
			hit[f][n] = reference(filters.text[f], names.text[n]);
	}
	for (size_t o = 0; o < filters.count; o++) {
		for (size_t i = 0; i < filters.count; i++) {
			bool got = mqtt_topic_covers(
			    S(filters.text[o]), S(filters.text[i]));
			bool subset = true;

			for (size_t n = 0; n < names.count && subset; n++)
				subset = hit[o][n] || !hit[i][n];
			if (got != subset)
				fail_msg("%s over %s: %d", filters.text[o],
				    filters.text[i], got);
			covers += got;
		}
	}
	assert_true(covers > filters.count);
}

static void
test_overlapping_agrees_with_every_name(void **state)
{
	static bool hit[FILTERS_MAX][NAMES_MAX];
	size_t overlaps = 0;

	for (size_t f = 0; f < filters.count; f++) {
		for (size_t n = 0; n < names.count; n++)
			hit[f][n] = reference(filters.text[f], names.text[n]);
	}
	for (size_t a = 0; a < filters.count; a++) {
		for (size_t b = 0; b < filters.count; b++) {
			bool got = mqtt_topic_overlaps(
			    S(filters.text[a]), S(filters.text[b]));
			bool meet = false;

			for (size_t n = 0; n < names.count && !meet; n++)
				meet = hit[a][n] && hit[b][n];
			if (got != meet)
				fail_msg("%s and %s: %d", filters.text[a],
				    filters.text[b], got);
			overlaps += got;
		}
	}
	assert_true(overlaps > filters.count);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names_are_judged),
	    cmocka_unit_test(test_filters_are_judged),
	    cmocka_unit_test(test_wildcards_stand_where_the_standard_lets_them),
	    cmocka_unit_test(test_matching_as_the_standard_shows_it),
	    cmocka_unit_test(test_covering_in_words),
	    cmocka_unit_test(test_shares_are_taken_apart),
	    cmocka_unit_test(test_matching_agrees_with_the_reference),
	    cmocka_unit_test(test_covering_agrees_with_every_name),
	    cmocka_unit_test(test_overlapping_agrees_with_every_name),
	};

	return cmocka_run_group_tests(tests, make_texts, NULL);
}
