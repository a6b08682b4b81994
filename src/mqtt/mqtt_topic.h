#ifndef KAYA_MQTT_TOPIC_H
#define KAYA_MQTT_TOPIC_H

/*
 * mqtt_topic: topic names, topic filters, and what a filter reaches (3.1.1
 * section 4.7, 5.0 sections 4.7 and 4.8).
 *
 * Levels are what stands between slashes and may be empty: "/a" has two.
 * Bytes are compared as they are; nothing is normalised (MQTT-4.7.3-4).
 */

#include <stdbool.h>

#include "mqtt_rule.h"
#include "span.h"

/*
 * A topic name to publish to: not empty, well-formed, no wildcard.  Says which
 * rule is broken, else MQTT_RULE_NONE.  Where UTF-8 is ill-formed the rule is
 * `ill_formed` (it differs for PUBLISH and for the will).
 */
enum mqtt_rule mqtt_topic_check_name(
    struct span name, enum mqtt_rule ill_formed);

/*
 * A topic filter as SUBSCRIBE and UNSUBSCRIBE have it.  In 5.0 (`level` 5) one
 * that begins with "$share/" must be whole; before, that is a broker's own
 * extension and left to it.
 */
enum mqtt_rule mqtt_topic_check_filter(
    struct span filter, uint8_t level, enum mqtt_rule ill_formed);

enum mqtt_share_result {
	MQTT_SHARE_NONE, /* a plain filter: `*filter` is all of it */
	MQTT_SHARE_GROUP, /* group and filter were taken apart */
	MQTT_SHARE_BROKEN /* begins with "$share/", but names no group or no
			     filter, or a group with a wildcard */
};

/*
 * Take "$share/GROUP/FILTER" apart, whatever the level: brokers know it from
 * 3.1 clients too.  The outputs point into `text`.
 */
enum mqtt_share_result mqtt_topic_share(
    struct span text, struct span *group, struct span *filter);

/*
 * Does the topic `name` match `filter`?  Both must be valid, the filter plain.
 * "a/#" matches "a"; a filter that begins with a wildcard matches no name that
 * begins with $ (MQTT-4.7.2-1).
 */
bool mqtt_topic_matches(struct span filter, struct span name);

/*
 * Is every topic name that `inner` matches matched by `outer` too?  This is
 * what makes a subscription to `inner` harmless for who may read `outer`.
 *
 * "+/#" covers "#"; "+/a" does not cover "b/#"; "#" does not cover "$SYS/a".
 * A shared `inner` counts as the filter within it; a shared `outer` covers
 * only subscriptions that share with the same group.  What is broken (see
 * mqtt_topic_share) covers nothing and is covered by nothing.
 */
bool mqtt_topic_covers(struct span outer, struct span inner);

/* Is there a topic name that both match?  Both must be valid and plain. */
bool mqtt_topic_overlaps(struct span a, struct span b);

#endif
