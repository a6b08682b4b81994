#ifndef KAYA_MQTT_LEVELS_H
#define KAYA_MQTT_LEVELS_H

/*
 * mqtt_levels: the levels of a topic name or filter, one after the other (5.0
 * section 4.7.1.1).
 *
 *	struct mqtt_levels levels = mqtt_levels_of(topic);
 *
 *	while (mqtt_levels_next(&levels))
 *		look at levels.level
 */

#include "lanes.h"

struct mqtt_levels {
	struct span rest; /* behind `level` and its slash */
	struct span level; /* borrowed from the whole */
	bool has_more;
};

static inline struct mqtt_levels
mqtt_levels_of(struct span text)
{
	return (struct mqtt_levels){.rest = text, .has_more = true};
}

/* Move to the next level; false behind the last. */
static inline bool
mqtt_levels_next(struct mqtt_levels *levels)
{
	struct span rest = levels->rest;
	size_t len;

	if (!levels->has_more)
		return false;
	len = lanes_index(rest, 0, '/');
	levels->level = span_of(rest.data, len);
	levels->has_more = len < rest.len;
	if (levels->has_more)
		levels->rest = span_of(rest.data + len + 1, rest.len - len - 1);
	return true;
}

#endif
