/*
 * Any bytes as a guard's file; behind a zero byte a topic and, behind another,
 * a payload.  It is taken, or its faults are told with place and remedy; what
 * is of the safe state is of a protected topic, and stands in the file.
 */

#include "guard_rules.h"
#include "mqtt_frame.h"
#include "mqtt_topic.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
on_fault(const struct conf_fault *fault, void *arg)
{
	if (fault->err.what[0] == '\0' || fault->err.hint[0] == '\0')
		abort();
	++*(size_t *)arg;
}

static struct span
take_part(struct span *in)
{
	const uint8_t *end = in->len == 0 ? NULL : memchr(in->data, 0, in->len);
	struct span part = *in;

	if (end == NULL) {
		*in = span_of(NULL, 0);
		return part;
	}
	part.len = (size_t)(end - in->data);
	*in = span_of(end + 1, in->len - part.len - 1);
	return part;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size), file = take_part(&in);
	struct span topic = take_part(&in), payload = take_part(&in);
	const struct guard_rule *rule;
	struct guard_rules *rules;
	enum guard_judgement whole, part;
	size_t faults = 0;

	rules = guard_rules_new("g.yaml", file, on_fault, &faults);
	if ((rules == NULL) != (faults > 0))
		abort();
	if (rules != NULL && mqtt_topic_check_name(topic,
				 MQTT_RULE_TOPIC_TEXT) == MQTT_RULE_NONE) {
		part = guard_rules_judge(rules, topic, NULL, &rule);
		whole = guard_rules_judge(rules, topic, &payload, &rule);
		if (part == GUARD_SAFE ||
		    (part == GUARD_OPEN) != (whole == GUARD_OPEN) ||
		    (whole == GUARD_OPEN) != (rule == NULL))
			abort();
		if (rule != NULL)
			guard_rules_may(rules, rule, GUARD_REQUEST, payload);
	}
	guard_rules_free(rules);
	return 0;
}
