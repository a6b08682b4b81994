#include "mqtt_topic.h"

#include "mqtt_frame.h"
#include "mqtt_levels.h"
#include "mqtt_text.h"

static const char share_prefix[] = "$share/";

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

static size_t
next_wildcard(struct span text, size_t at)
{
	for (; at < text.len; at += LANES) {
		/* + is 2b and # is 23: they differ in the bit 08 alone. */
		uint64_t found =
		    lanes_find(lanes_at(text, at) | lanes_each(0x08), '+');

		if (found != 0)
			return at + lanes_first(found);
	}
	return text.len;
}

/* Each has a level of its own, and # the last. */
static bool
wildcards_stand_alone(struct span filter)
{
	const uint8_t *text = filter.data;

	for (size_t at = next_wildcard(filter, 0); at < filter.len;
	     at = next_wildcard(filter, at + 1)) {
		if (at > 0 && text[at - 1] != '/')
			return false;
		if (at + 1 < filter.len &&
		    (text[at] == '#' || text[at + 1] != '/'))
			return false;
	}
	return true;
}

/* Which rule the first level breaks that breaks one. */
static enum mqtt_rule
name_fault(struct span filter)
{
	struct mqtt_levels l = mqtt_levels_of(filter);

	while (mqtt_levels_next(&l)) {
		bool alone = l.level.len == 1;

		if (l.level.len == 0)
			continue;
		if (memchr(l.level.data, '#', l.level.len) != NULL &&
		    (!alone || l.has_more))
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
	unsigned found = mqtt_text_scan(filter);
	struct span group, rest;

	if ((found & MQTT_TEXT_ILL_FORMED) != 0)
		return ill_formed;
	if ((found & MQTT_TEXT_NULL) != 0)
		return MQTT_RULE_TEXT_NULL;
	if (filter.len == 0)
		return MQTT_RULE_FILTER_EMPTY;
	if (level == MQTT_50 &&
	    mqtt_topic_share(filter, &group, &rest) == MQTT_SHARE_BROKEN)
		return group.len == 0 ? MQTT_RULE_SHARE_NAME
				      : MQTT_RULE_SHARE_FILTER;
	return (found & MQTT_TEXT_WILDCARD) == 0 ||
		       wildcards_stand_alone(filter)
		   ? MQTT_RULE_NONE
		   : name_fault(filter);
}

enum mqtt_share_result
mqtt_topic_share(struct span text, struct span *group, struct span *filter)
{
	const size_t prefix = sizeof share_prefix - 1;
	struct mqtt_levels l;

	*group = span_of(NULL, 0);
	*filter = text;
	if (text.len < prefix || memcmp(text.data, share_prefix, prefix) != 0)
		return MQTT_SHARE_NONE;
	l = mqtt_levels_of(span_of(text.data + prefix, text.len - prefix));
	mqtt_levels_next(&l);
	*group = l.level;
	*filter = l.has_more ? l.rest : span_of(NULL, 0);
	if (group->len == 0 || filter->len == 0 ||
	    (mqtt_text_scan(*group) & MQTT_TEXT_WILDCARD) != 0)
		return MQTT_SHARE_BROKEN;
	return MQTT_SHARE_GROUP;
}

bool
mqtt_topic_matches(struct span filter, struct span name)
{
	struct mqtt_levels f = mqtt_levels_of(filter), n = mqtt_levels_of(name);

	if (is_system(name) && starts_with_wildcard(filter))
		return false;
	while (mqtt_levels_next(&f)) {
		if (span_is(f.level, "#"))
			return true;
		if (!mqtt_levels_next(&n))
			return false;
		if (!span_is(f.level, "+") && !span_equal(f.level, n.level))
			return false;
	}
	return !n.has_more;
}

/* What is left of `l` is exactly the levels of `text`. */
static bool
rest_is(const struct mqtt_levels *l, const char *text)
{
	return l->has_more && span_is(l->rest, text);
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
	struct mqtt_levels o = mqtt_levels_of(outer), i = mqtt_levels_of(inner);

	if (is_system(inner) && starts_with_wildcard(outer))
		return false;
	while (mqtt_levels_next(&i)) {
		if (!mqtt_levels_next(&o))
			return false;
		if (span_is(o.level, "#"))
			return true;
		if (span_is(i.level, "#"))
			return needs_a_level(inner) && span_is(o.level, "+") &&
			       rest_is(&o, "#");
		if (!span_is(o.level, "+") && !span_equal(o.level, i.level))
			return false;
	}
	return !o.has_more || rest_is(&o, "#");
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
	struct mqtt_levels x = mqtt_levels_of(a), y = mqtt_levels_of(b);
	bool is_empty = true; /* what both have in common so far */

	if ((is_system(a) && starts_with_wildcard(b)) ||
	    (is_system(b) && starts_with_wildcard(a)))
		return false;
	while (mqtt_levels_next(&x) && mqtt_levels_next(&y)) {
		if (span_is(x.level, "#") || span_is(y.level, "#"))
			return true;
		if (!span_is(x.level, "+") && !span_is(y.level, "+") &&
		    !span_equal(x.level, y.level))
			return false;
		is_empty = is_empty && (x.level.len == 0 || y.level.len == 0);
		if (!x.has_more && !y.has_more)
			return true;
		/* "a" and "a/#" have "a" in common; "+" and "/#" nothing. */
		if (!x.has_more || !y.has_more)
			return !is_empty &&
			       (rest_is(&x, "#") || rest_is(&y, "#"));
		is_empty = false;
	}
	return false;
}
