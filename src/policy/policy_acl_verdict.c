/*
 * What an acl_file permits, judged as mosquitto 2.0 does.
 *
 * A client's own lines come first (those behind its `user` line), then all
 * `pattern` lines; in each of the two, deny comes before what permits.  So a
 * permit of the own lines wins over a deny by pattern.
 */

#include "policy_private.h"

#include "mqtt_topic.h"

/* ---- patterns ---- */

/* The text of a pattern with %u and %c replaced, one character at a time. */
struct expansion {
	const char *text;
	const struct policy_who *who;
	struct span part; /* what is left of a name */
};

enum { THE_END = -1 };

static int
peek(struct expansion *e)
{
	while (e->part.len == 0 && e->text[0] == '%' &&
	       (e->text[1] == 'u' || e->text[1] == 'c')) {
		e->part = e->text[1] == 'u' ? e->who->names.identity
					    : e->who->client_id;
		e->text += 2;
	}
	if (e->part.len > 0)
		return e->part.data[0];
	return e->text[0] == '\0' ? THE_END : (uint8_t)e->text[0];
}

static void
skip(struct expansion *e)
{
	if (e->part.len > 0)
		e->part = span_of(e->part.data + 1, e->part.len - 1);
	else
		e->text++;
}

/* Take a level without wildcards off both; false where they differ. */
static bool
take_level(struct expansion *e, struct span *topic)
{
	int c;

	while ((c = peek(e)) != '/' && c != THE_END) {
		if (topic->len == 0 || topic->data[0] != c)
			return false;
		skip(e);
		*topic = span_of(topic->data + 1, topic->len - 1);
	}
	return topic->len == 0 || topic->data[0] == '/';
}

static void
skip_level(struct span *topic)
{
	while (topic->len > 0 && topic->data[0] != '/')
		*topic = span_of(topic->data + 1, topic->len - 1);
}

/* "a/#" matches "a". */
static bool
is_tail_left(struct expansion *e)
{
	skip(e);
	return peek(e) == '#';
}

/*
 * A client id may have slashes in it, which then part levels: mosquitto lets
 * it.  + and # are wildcards where they come from the text alone; the caller
 * has seen to it that no name has them.
 */
static bool
pattern_fits(const char *text, const struct policy_who *who, struct span topic)
{
	struct expansion e = {.text = text, .who = who};

	if ((peek(&e) == '$') != (topic.data[0] == '$'))
		return false;
	/* Of an empty client id nobody knows what the broker makes of it. */
	if (who->client_id.len == 0 && strstr(text, "%c") != NULL)
		return false;
	for (;;) {
		if (peek(&e) == '#')
			return true;
		if (peek(&e) == '+') {
			skip(&e);
			skip_level(&topic);
		} else if (!take_level(&e, &topic)) {
			return false;
		}
		if (peek(&e) == THE_END)
			return topic.len == 0;
		if (topic.len == 0)
			return is_tail_left(&e);
		skip(&e);
		topic = span_of(topic.data + 1, topic.len - 1);
	}
}

static bool
is_dangerous(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] == '+' || name.data[i] == '#')
			return true;
	return false;
}

/* ---- verdicts ---- */

static const char bridge_state[] = "$SYS/broker/connection/+/state";

/* What mosquitto refuses whatever the file says. */
static bool
is_forbidden(struct span topic, enum policy_acl_set access)
{
	static const char share[] = "$share", system[] = "$SYS";

	if (topic.len >= strlen(share) &&
	    memcmp(topic.data, share, strlen(share)) == 0)
		return true;
	return access == POLICY_ACL_WRITE && topic.len >= strlen(system) &&
	       memcmp(topic.data, system, strlen(system)) == 0 &&
	       !mqtt_topic_matches(span_of_str(bridge_state), topic);
}

static enum policy_verdict
own_verdict(const struct policy_who *who, struct span topic,
    enum policy_acl_set access, uint32_t *rule)
{
	const struct policy *p = who->policy;
	const struct policy_acl_user *user = &p->acl_users[who->acl_user];
	struct policy_look look;

	policy_trie_look(&p->trie, topic, &who->names, &look);
	*rule =
	    policy_trie_match(&p->trie, user->roots[POLICY_ACL_DENY], &look);
	if (*rule != POLICY_NO_RULE)
		return POLICY_DENIED;
	*rule = policy_trie_match(&p->trie, user->roots[access], &look);
	return *rule != POLICY_NO_RULE ? POLICY_ALLOWED : POLICY_REFUSED;
}

static uint32_t
find_pattern(
    const struct policy_who *who, struct span topic, enum policy_acl_set access)
{
	const struct policy *p = who->policy;

	for (size_t i = 0; i < p->acl_pattern_count; i++)
		if ((p->acl_patterns[i].sets & 1u << access) != 0 &&
		    pattern_fits(p->acl_patterns[i].text, who, topic))
			return p->acl_patterns[i].rule;
	return POLICY_NO_RULE;
}

enum policy_verdict
policy_acl_verdict(const struct policy_who *who, struct span topic,
    enum policy_acl_set access, const struct policy_rule **why)
{
	enum policy_verdict verdict = POLICY_REFUSED;
	uint32_t rule = POLICY_NO_RULE;

	if (is_forbidden(topic, access))
		return POLICY_DENIED;
	if (who->acl_user != 0)
		verdict = own_verdict(who, topic, access, &rule);
	if (verdict == POLICY_REFUSED && !is_dangerous(who->client_id)) {
		rule = find_pattern(who, topic, POLICY_ACL_DENY);
		if (rule != POLICY_NO_RULE) {
			verdict = POLICY_DENIED;
		} else {
			rule = find_pattern(who, topic, access);
			if (rule != POLICY_NO_RULE)
				verdict = POLICY_ALLOWED;
		}
	}
	if (why != NULL)
		*why =
		    rule == POLICY_NO_RULE ? NULL : &who->policy->rules[rule];
	return verdict;
}
