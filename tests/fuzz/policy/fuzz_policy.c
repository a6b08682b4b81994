/*
 * Any bytes as a policy, and behind a zero byte lines with an identity, a
 * client id, a topic and two filters.  A file is taken, or its faults are
 * told.  What is promised must hold for those that are taken:
 *
 *	a filter that was granted leads to no topic that may not be read
 *	what one filter covers of another that was granted is granted
 *	without a role nothing is permitted
 *	who has more roles may do no less
 */

#include "fuzz.h"

#include "mqtt_frame.h"
#include "mqtt_topic.h"
#include "policy_explain.h"

#include <stdlib.h>

static bool
is_filter(struct span text)
{
	return mqtt_topic_check_filter(text, MQTT_50, MQTT_RULE_TOPIC_TEXT) ==
	       MQTT_RULE_NONE;
}

static bool
is_topic(struct span text)
{
	return mqtt_topic_check_name(text, MQTT_RULE_TOPIC_TEXT) ==
	       MQTT_RULE_NONE;
}

static enum policy_verdict
subscribe(const struct policy_who *who, struct span filter)
{
	uint8_t qos = 2;
	enum policy_verdict verdict = policy_subscribe(who, filter, &qos, NULL);

	MUST(qos <= 2);
	return verdict;
}

static void
explain(
    const struct policy_who *who, enum policy_action action, struct span topic)
{
	struct policy_question question = {
	    .who = who, .action = action, .topic = topic};
	struct policy_message message = {.topic = topic, .payload = topic};
	const struct policy_rule *rules[4];
	uint8_t qos = 1;
	char text[256];

	if (action == POLICY_PUBLISH)
		question.verdict = policy_publish(who, &message, &question.why);
	else if (action == POLICY_SUBSCRIBE)
		question.verdict =
		    policy_subscribe(who, topic, &qos, &question.why);
	else
		question.verdict = policy_deliver(who, topic, &question.why);
	MUST(policy_explain(&question, text, sizeof text)[0] != '\0');
	if (question.why != NULL)
		MUST(question.why->line > 0 &&
		     policy_rule_text(question.why, text, sizeof text)[0] !=
			 '\0');
	else
		MUST(question.verdict != POLICY_ALLOWED);
	policy_partial(who, topic, rules, 4);
}

/* ---- what is promised ---- */

static void
ask(const struct policy_who *who, struct span topic, struct span filter,
    struct span other)
{
	enum policy_verdict granted = subscribe(who, filter);
	struct span group, plain = filter;

	explain(who, POLICY_PUBLISH, topic);
	explain(who, POLICY_DELIVER, topic);
	explain(who, POLICY_SUBSCRIBE, filter);
	if (!is_filter(filter))
		MUST(granted == POLICY_TOPIC_INVALID);
	if (granted != POLICY_ALLOWED)
		return;
	mqtt_topic_share(filter, &group, &plain);
	if (is_topic(topic) && mqtt_topic_matches(plain, topic))
		MUST(policy_deliver(who, topic, NULL) == POLICY_ALLOWED);
	if (is_filter(other) && mqtt_topic_covers(plain, other))
		MUST(subscribe(who, other) == POLICY_ALLOWED);
}

static void
ask_nobody(const struct policy *policy, struct span topic, struct span filter)
{
	struct policy_who who;
	struct policy_message message = {.topic = topic};

	policy_who_init(&who, policy, span_of_str("no/name"), span_of_str("a"));
	MUST(policy_publish(&who, &message, NULL) != POLICY_ALLOWED);
	MUST(policy_deliver(&who, topic, NULL) != POLICY_ALLOWED);
	MUST(subscribe(&who, filter) != POLICY_ALLOWED);
}

static void
use(const struct policy *policy, struct span in)
{
	struct span identity = take_line(&in), id = take_line(&in);
	struct span role = take_line(&in), topic = take_line(&in);
	struct span filter = take_line(&in), other = take_line(&in), owner;
	struct policy_known known = {identity, role};
	struct policy_check check = {.policy = policy,
	    .known = &known,
	    .known_count = 1,
	    .on_finding = on_finding};
	struct policy_who who, more;

	policy_who_init(&who, policy, identity, (struct span){0});
	policy_who_init(&more, policy, identity, role);
	if (policy_client_id(&who, id, NULL, &owner) ==
	    POLICY_CLIENT_ID_OF_ANOTHER)
		MUST(owner.len > 0 && owner.len <= id.len);
	policy_client_id(&more, id, NULL, NULL);
	ask(&who, topic, filter, other);
	ask(&more, topic, filter, other);
	/* A further role may ask for another client id. */
	if (span_equal(who.client_id, more.client_id)) {
		if (subscribe(&who, filter) == POLICY_ALLOWED)
			MUST(subscribe(&more, filter) == POLICY_ALLOWED);
		if (policy_deliver(&who, topic, NULL) == POLICY_ALLOWED)
			MUST(policy_deliver(&more, topic, NULL) ==
			     POLICY_ALLOWED);
	}
	ask_nobody(policy, topic, filter);
	MUST(policy_check(&check) >= 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *zero = size == 0 ? NULL : memchr(data, 0, size);
	size_t len = zero == NULL ? size : (size_t)(zero - data), faults = 0;
	struct policy_source source = {.file = "fuzz",
	    .bytes = span_of(data, len),
	    .format = POLICY_YAML,
	    .on_fault = on_fault,
	    .arg = &faults};
	struct policy *policy = policy_new(&source);

	MUST((policy == NULL) == (faults > 0));
	policy_guess_format(source.bytes);
	len += zero != NULL;
	if (policy != NULL)
		use(policy, span_of(data + len, size - len));
	policy_free(policy);
	return 0;
}
