/* mosquitto's acl_file, read as mosquitto 2.0 does. */

#include "policy_private.h"

#include "mqtt_frame.h"
#include "mqtt_topic.h"
#include "str.h"

#include <ctype.h>
#include <stdlib.h>

enum { SHOWN_MAX = 96, NAME_SHOWN_MAX = 48 };

struct reader {
	struct policy *policy;
	const struct policy_source *source;
	size_t line;
	const uint8_t *begin; /* of the line */
	size_t user; /* of acl_users: whose lines follow */
	size_t faults;
	bool lacks_memory;
};

static const struct {
	const char *word;
	unsigned sets;
} accesses[] = {
    {"read", 1 << POLICY_ACL_READ},
    {"write", 1 << POLICY_ACL_WRITE},
    {"readwrite", 1 << POLICY_ACL_READ | 1 << POLICY_ACL_WRITE},
    {"deny", 1 << POLICY_ACL_DENY},
};

/* ---- telling ---- */

enum telling { TELL_PLAIN, TELL_NAME };

/* With TELL_NAME what stands `at` that place is shown. */
static void
tell(struct reader *r, struct span at, enum telling telling, const char *what,
    const char *hint)
{
	struct conf_fault fault = {.file = r->source->file,
	    .mark = {r->line,
		at.data == NULL ? 1 : (size_t)(at.data - r->begin) + 1},
	    .err = ERR_INIT};
	char shown[SHOWN_MAX];

	str_escape(at, shown, sizeof shown);
	if (telling == TELL_NAME)
		err_set(&fault.err, ERR_CONFIG, "%s \"%s\"", what, shown);
	else
		err_set(&fault.err, ERR_CONFIG, "%s", what);
	err_hint(&fault.err, "%s", hint);
	conf_where(
	    fault.mark, fault.file, fault.err.where, sizeof fault.err.where);
	r->faults++;
	if (r->source->on_fault != NULL)
		r->source->on_fault(&fault, r->source->arg);
}

/* ---- lines ---- */

static struct span
trimmed(struct span text)
{
	while (text.len > 0 && isspace(text.data[text.len - 1]))
		text.len--;
	while (text.len > 0 && isspace(text.data[0]))
		text = span_of(text.data + 1, text.len - 1);
	return text;
}

/* The next word, which ends at a space: a tab does not part words. */
static struct span
take_word(struct span *rest)
{
	struct span word;
	size_t len = 0;

	while (rest->len > 0 && rest->data[0] == ' ')
		*rest = span_of(rest->data + 1, rest->len - 1);
	while (len < rest->len && rest->data[len] != ' ')
		len++;
	word = span_of(rest->data, len);
	*rest = span_of(rest->data + len, rest->len - len);
	/* strtok_r takes the space that ends a word with it. */
	if (rest->len > 0)
		*rest = span_of(rest->data + 1, rest->len - 1);
	return word;
}

/* ---- users ---- */

static bool
add_user(struct reader *r, const char *name)
{
	struct policy *p = r->policy;
	struct policy_acl_user *users = policy_grown(
	    p->acl_users, &p->acl_user_cap, p->acl_user_count, sizeof *users);
	struct policy_acl_user user = {.name = name, .line = r->line};

	if (users == NULL)
		return false;
	p->acl_users = users;
	for (size_t i = 0; i < POLICY_ACL_SETS; i++) {
		user.roots[i] = policy_trie_root(&p->trie);
		if (user.roots[i] == 0)
			return false;
	}
	p->acl_users[p->acl_user_count++] = user;
	return true;
}

static void
take_user(struct reader *r, struct span name)
{
	char *copy = arena_str(&r->policy->conf.arena, name);
	struct policy_name *place = NULL;

	if (copy != NULL)
		place = policy_add_name(r->policy, span_of(copy, name.len));
	if (place == NULL) {
		r->lacks_memory = true;
		return;
	}
	if (place->acl_user == 0) {
		if (!add_user(r, copy)) {
			r->lacks_memory = true;
			return;
		}
		place->acl_user = (uint32_t)(r->policy->acl_user_count - 1);
	}
	r->user = place->acl_user;
}

/* ---- topics ---- */

static bool
is_filter(struct reader *r, struct span topic)
{
	enum mqtt_rule broken =
	    mqtt_topic_check_filter(topic, MQTT_311, MQTT_RULE_TOPIC_TEXT);

	if (broken != MQTT_RULE_NONE) {
		tell(r, topic, TELL_PLAIN, mqtt_rule_text(broken),
		    "a wildcard fills its level, and # is the last one");
		return false;
	}
	if (topic.len > POLICY_FILTER_MAX_BYTES ||
	    policy_trie_levels(topic) > POLICY_LEVELS_MAX) {
		tell(r, topic, TELL_PLAIN, "the topic has more than 200 levels",
		    "use # for what lies deeper");
		return false;
	}
	return true;
}

static void
add_topic(
    struct reader *r, const struct policy_trie_filter *filter, unsigned sets)
{
	const struct policy_acl_user *user = &r->policy->acl_users[r->user];
	uint32_t other;

	for (size_t i = 0; i < POLICY_ACL_SETS; i++)
		if ((sets & 1u << i) != 0 &&
		    policy_trie_add(&r->policy->trie, user->roots[i], filter,
			&other) == POLICY_TRIE_NO_MEMORY)
			r->lacks_memory = true;
}

static void
add_pattern(
    struct reader *r, const struct policy_trie_filter *filter, unsigned sets)
{
	struct policy *p = r->policy;
	struct policy_acl_pattern *patterns = policy_grown(p->acl_patterns,
	    &p->acl_pattern_cap, p->acl_pattern_count, sizeof *patterns);

	if (patterns == NULL) {
		r->lacks_memory = true;
		return;
	}
	p->acl_patterns = patterns;
	patterns[p->acl_pattern_count++] =
	    (struct policy_acl_pattern){.text = (const char *)filter->text.data,
		.sets = sets,
		.rule = filter->rule};
}

enum kind { KIND_TOPIC, KIND_PATTERN };

/* "topic [ACCESS] TOPIC": a single word is the topic. */
static void
take_topic(struct reader *r, struct span rest, enum kind kind)
{
	struct span access = take_word(&rest), topic = trimmed(rest);
	unsigned sets = 1 << POLICY_ACL_READ | 1 << POLICY_ACL_WRITE;
	struct policy_rule rule = {.line = r->line, .access = "readwrite"};
	struct policy_trie_filter filter = {.kind = POLICY_TRIE_LITERAL};
	size_t i = 0, count = sizeof accesses / sizeof accesses[0];
	char *copy;

	if (access.len == 0) {
		tell(r, access, TELL_PLAIN, "the topic is missing",
		    "write one behind it");
		return;
	}
	if (topic.len > 0) {
		while (i < count && !span_is(access, accesses[i].word))
			i++;
		if (i == count) {
			tell(r, access, TELL_NAME, "unknown access",
			    "write read, write, readwrite or deny before the "
			    "topic");
			return;
		}
		sets = accesses[i].sets;
		rule.access = accesses[i].word;
	} else {
		topic = access;
	}
	if (!is_filter(r, topic))
		return;
	copy = arena_str(&r->policy->conf.arena, topic);
	rule.text = copy;
	rule.column = (size_t)(topic.data - r->begin) + 1;
	rule.kind =
	    kind == KIND_PATTERN ? POLICY_RULE_PATTERN : POLICY_RULE_TOPIC;
	rule.owner = (uint32_t)r->user;
	filter.text = span_of(copy, topic.len);
	filter.rule =
	    copy == NULL ? POLICY_NO_RULE : policy_add_rule(r->policy, &rule);
	if (filter.rule == POLICY_NO_RULE)
		r->lacks_memory = true;
	else if (kind == KIND_PATTERN)
		add_pattern(r, &filter, sets);
	else
		add_topic(r, &filter, sets);
}

static void
take_line(struct reader *r, struct span line)
{
	struct span rest = line, word, name;

	r->begin = line.data;
	if (line.len > 0 && line.data[0] == '#')
		return;
	if (line.len > 0 && memchr(line.data, 0, line.len) != NULL) {
		tell(r, line, TELL_PLAIN, "a zero byte in the line",
		    "take it out");
		return;
	}
	while (rest.len > 0 && isspace(rest.data[rest.len - 1]))
		rest.len--;
	word = take_word(&rest);
	if (word.len == 0)
		return;
	name = trimmed(rest);
	if (span_is(word, "topic"))
		take_topic(r, rest, KIND_TOPIC);
	else if (span_is(word, "pattern"))
		take_topic(r, rest, KIND_PATTERN);
	else if (!span_is(word, "user"))
		tell(r, word, TELL_NAME, "unknown word",
		    "a line begins with user, topic, pattern or #");
	else if (name.len == 0)
		tell(r, word, TELL_PLAIN, "the user's name is missing",
		    "write it behind the word");
	else
		take_user(r, name);
}

int
policy_acl_load(struct policy *policy, const struct policy_source *source)
{
	struct reader r = {.policy = policy, .source = source};
	struct span left = source->bytes;

	policy->file =
	    arena_str(&policy->conf.arena, span_of_str(source->file));
	policy->conf.file = policy->file;
	/* The first lines are of clients without a user name. */
	r.lacks_memory = policy->file == NULL || !add_user(&r, NULL);
	while (left.len > 0 && !r.lacks_memory) {
		const uint8_t *end = memchr(left.data, '\n', left.len);
		size_t len = end == NULL ? left.len : (size_t)(end - left.data);

		r.line++;
		take_line(&r, span_of(left.data, len));
		len += end != NULL;
		left = span_of(left.data + len, left.len - len);
	}
	if (r.lacks_memory)
		policy_tell_no_memory(source);
	return r.faults == 0 && !r.lacks_memory ? 0 : -1;
}
