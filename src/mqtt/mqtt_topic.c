#include "mqtt_topic.h"

#include "mqtt_frame.h"
#include "mqtt_text.h"

static const char share_prefix[] = "$share/";

/* The levels of a name or filter, one after the other. */
struct levels {
	struct span rest;
	struct span level; /* what next_level found */
	bool more;
};

static struct levels
levels_of(struct span text)
{
	return (struct levels){.rest = text, .more = true};
}

/* Move to the next level; false behind the last. */
static bool
next_level(struct levels *l)
{
	const uint8_t *slash;
	size_t len;

	if (!l->more)
		return false;
	slash =
	    l->rest.len == 0 ? NULL : memchr(l->rest.data, '/', l->rest.len);
	if (slash == NULL) {
		l->level = l->rest;
		l->more = false;
		return true;
	}
	len = (size_t)(slash - l->rest.data);
	l->level = span_of(l->rest.data, len);
	l->rest = span_of(l->rest.data + len + 1, l->rest.len - len - 1);
	return true;
}

static bool
is_system(struct span text)
{
	return text.len > 0 && text.data[0] == '$';
}

static bool
starts_with_wildcard(struct span text)
{
	return text.len > 0 && (text.data[0] == '+' || text.data[0] == '#');
}

enum mqtt_rule
mqtt_topic_check_name(struct span name, enum mqtt_rule ill_formed)
{
	unsigned found = mqtt_text_scan(name);

	if (name.len == 0)
		return MQTT_RULE_TOPIC_EMPTY;
	if (found == 0)
		return MQTT_RULE_NONE;
	if ((found & MQTT_TEXT_ILL_FORMED) != 0)
		return ill_formed;
	return (found & MQTT_TEXT_NULL) != 0 ? MQTT_RULE_TEXT_NULL
					     : MQTT_RULE_TOPIC_WILDCARD;
}

/* Wildcards stand where they may. */
static enum mqtt_rule
check_wildcards(struct span filter)
{
	struct levels l = levels_of(filter);

	while (next_level(&l)) {
		bool alone = l.level.len == 1;

		if (l.level.len == 0)
			continue;
		if (memchr(l.level.data, '#', l.level.len) != NULL &&
		    (!alone || l.more))
			return MQTT_RULE_FILTER_HASH;
		if (memchr(l.level.data, '+', l.level.len) != NULL && !alone)
			return MQTT_RULE_FILTER_PLUS;
	}
	return MQTT_RULE_NONE;
}

enum mqtt_rule
mqtt_topic_check_filter(
    struct span filter, uint8_t level, enum mqtt_rule ill_formed)
{
	enum mqtt_rule rule = mqtt_text_check(filter, ill_formed);
	struct span group, rest;

	if (rule != MQTT_RULE_NONE)
		return rule;
	if (filter.len == 0)
		return MQTT_RULE_FILTER_EMPTY;
	if (level == MQTT_50 &&
	    mqtt_topic_share(filter, &group, &rest) == MQTT_SHARE_BROKEN)
		return group.len == 0 ? MQTT_RULE_SHARE_NAME
				      : MQTT_RULE_SHARE_FILTER;
	return check_wildcards(filter);
}

enum mqtt_share_result
mqtt_topic_share(struct span text, struct span *group, struct span *filter)
{
	const size_t prefix = sizeof share_prefix - 1;
	struct levels l;

	*group = span_of(NULL, 0);
	*filter = text;
	if (text.len < prefix || memcmp(text.data, share_prefix, prefix) != 0)
		return MQTT_SHARE_NONE;
	l = levels_of(span_of(text.data + prefix, text.len - prefix));
	next_level(&l);
	*group = l.level;
	*filter = l.more ? l.rest : span_of(NULL, 0);
	if (group->len == 0 || filter->len == 0 ||
	    (mqtt_text_scan(*group) & MQTT_TEXT_WILDCARD) != 0)
		return MQTT_SHARE_BROKEN;
	return MQTT_SHARE_GROUP;
}

bool
mqtt_topic_matches(struct span filter, struct span name)
{
	struct levels f = levels_of(filter), n = levels_of(name);

	if (is_system(name) && starts_with_wildcard(filter))
		return false;
	while (next_level(&f)) {
		if (span_is(f.level, "#"))
			return true;
		if (!next_level(&n))
			return false;
		if (!span_is(f.level, "+") && !span_equal(f.level, n.level))
			return false;
	}
	return !n.more;
}

/* What is left of `l` is exactly the levels of `text`. */
static bool
rest_is(const struct levels *l, const char *text)
{
	return l->more && span_is(l->rest, text);
}

/*
 * No name is empty.  So # alone, and # behind an empty first level, match no
 * less than one level: they are no more than +/# in their place.
 */
static bool
needs_a_level(struct span filter)
{
	return span_is(filter, "#") || span_is(filter, "/#");
}

static bool
plain_covers(struct span outer, struct span inner)
{
	struct levels o = levels_of(outer), i = levels_of(inner);

	if (is_system(inner) && starts_with_wildcard(outer))
		return false;
	while (next_level(&i)) {
		if (!next_level(&o))
			return false;
		if (span_is(o.level, "#"))
			return true;
		if (span_is(i.level, "#"))
			return needs_a_level(inner) && span_is(o.level, "+") &&
			       rest_is(&o, "#");
		if (!span_is(o.level, "+") && !span_equal(o.level, i.level))
			return false;
	}
	return !o.more || rest_is(&o, "#");
}

bool
mqtt_topic_covers(struct span outer, struct span inner)
{
	struct span outer_group, inner_group;
	enum mqtt_share_result o =
	    mqtt_topic_share(outer, &outer_group, &outer);
	enum mqtt_share_result i =
	    mqtt_topic_share(inner, &inner_group, &inner);

	if (o == MQTT_SHARE_BROKEN || i == MQTT_SHARE_BROKEN)
		return false;
	if (o == MQTT_SHARE_GROUP &&
	    (i != MQTT_SHARE_GROUP || !span_equal(outer_group, inner_group)))
		return false;
	return plain_covers(outer, inner);
}

bool
mqtt_topic_overlaps(struct span a, struct span b)
{
	struct levels x = levels_of(a), y = levels_of(b);
	bool is_empty = true; /* what both have in common so far */

	if ((is_system(a) && starts_with_wildcard(b)) ||
	    (is_system(b) && starts_with_wildcard(a)))
		return false;
	while (next_level(&x) && next_level(&y)) {
		if (span_is(x.level, "#") || span_is(y.level, "#"))
			return true;
		if (!span_is(x.level, "+") && !span_is(y.level, "+") &&
		    !span_equal(x.level, y.level))
			return false;
		is_empty = is_empty && (x.level.len == 0 || y.level.len == 0);
		if (!x.more && !y.more)
			return true;
		/* "a" and "a/#" have "a" in common; "+" and "/#" nothing. */
		if (!x.more || !y.more)
			return !is_empty &&
			       (rest_is(&x, "#") || rest_is(&y, "#"));
		is_empty = false;
	}
	return false;
}
