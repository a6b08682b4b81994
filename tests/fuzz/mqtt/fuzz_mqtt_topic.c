/*
 * Two filters and a name, with a line feed between them: what covers, reaches
 * all that the covered one reaches.
 */

#include <stdio.h>
#include <stdlib.h>

#include "mqtt_frame.h"
#include "mqtt_text.h"
#include "mqtt_topic.h"

static void
require(bool truth, const char *what)
{
	if (!truth) {
		fprintf(stderr, "broken: %s\n", what);
		abort();
	}
}

/* What is before the next line feed; `in` moves behind it. */
static struct span
take_line(struct span *in)
{
	size_t len = 0;
	struct span line;

	while (len < in->len && in->data[len] != '\n')
		len++;
	line = span_of(in->data, len);
	len += len < in->len;
	*in = span_of(in->data + len, in->len - len);
	return line;
}

static bool
is_filter(struct span text)
{
	return mqtt_topic_check_filter(text, MQTT_50, MQTT_RULE_TOPIC_TEXT) ==
	       MQTT_RULE_NONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size), group, plain;
	struct span outer = take_line(&in), inner = take_line(&in);
	struct span name = take_line(&in);
	bool covers;

	if (!is_filter(outer) || !is_filter(inner))
		return 0;
	require(mqtt_topic_covers(outer, outer), "a filter covers itself");
	covers = mqtt_topic_covers(outer, inner);
	if (mqtt_topic_check_name(name, MQTT_RULE_TOPIC_TEXT) != MQTT_RULE_NONE)
		return 0;
	if (mqtt_topic_share(inner, &group, &plain) == MQTT_SHARE_GROUP)
		inner = plain;
	if (mqtt_topic_share(outer, &group, &plain) == MQTT_SHARE_GROUP)
		outer = plain;
	if (covers && mqtt_topic_matches(inner, name))
		require(mqtt_topic_matches(outer, name),
		    "who covers reaches as much");
	/* A filter without wildcards is a name, and matches that alone. */
	if ((mqtt_text_scan(outer) & MQTT_TEXT_WILDCARD) == 0)
		require(
		    mqtt_topic_matches(outer, name) == span_equal(outer, name),
		    "a plain filter matches itself");
	/* A filter covers a name just where it matches it. */
	require(
	    mqtt_topic_covers(outer, name) == mqtt_topic_matches(outer, name) ||
		mqtt_topic_share(name, &group, &plain) != MQTT_SHARE_NONE ||
		mqtt_topic_share(outer, &group, &plain) != MQTT_SHARE_NONE,
	    "a name is covered where it is matched");
	return 0;
}
