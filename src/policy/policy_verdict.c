#include "policy_private.h"

#include "mqtt_frame.h"
#include "mqtt_topic.h"

const char *
policy_verdict_name(enum policy_verdict verdict)
{
	static const char *const names[] = {
#define X(verdict, name, text) [verdict] = (name),
	    POLICY_VERDICTS(X)
#undef X
	};

	return names[verdict];
}

const char *
policy_verdict_text(enum policy_verdict verdict)
{
	static const char *const texts[] = {
#define X(verdict, name, text) [verdict] = (text),
	    POLICY_VERDICTS(X)
#undef X
	};

	return texts[verdict];
}

static void
answer(
    const struct policy *policy, uint32_t rule, const struct policy_rule **why)
{
	if (why != NULL)
		*why = rule == POLICY_NO_RULE ? NULL : &policy->rules[rule];
}

static bool
is_name(struct span topic)
{
	return mqtt_topic_check_name(topic, MQTT_RULE_TOPIC_TEXT) ==
	       MQTT_RULE_NONE;
}

static bool
is_reserved(struct span topic)
{
	const size_t len = sizeof POLICY_RESERVED_TOPIC - 1;

	return topic.len >= len &&
	       memcmp(topic.data, POLICY_RESERVED_TOPIC, len) == 0 &&
	       (topic.len == len || topic.data[len] == '/');
}

/* ---- publish ---- */

static enum policy_verdict
limits_of(const struct policy_role *role, const struct policy_message *message)
{
	if (message->qos > role->qos)
		return POLICY_QOS;
	if (message->is_retained && !role->retain)
		return POLICY_RETAIN;
	return message->size > role->payload_bytes ? POLICY_SIZE
						   : POLICY_ALLOWED;
}

static bool
is_safe_state(const struct policy_approval *approval,
    const struct policy_message *message)
{
	for (size_t i = 0; i < approval->safe_state_count; i++)
		if (message->payload.data != NULL &&
		    message->payload.len == message->size &&
		    span_is(message->payload, approval->safe_state[i]))
			return true;
	return false;
}

/* Of two that publish the same, the one that agrees publishes, too. */
static bool
may_ask(const struct policy_who *who, const struct policy_approval *approval)
{
	return approval->from_count == 0 ||
	       policy_approval_has(who, approval, POLICY_PART_FROM) ||
	       (approval->mode == POLICY_TWICE &&
		   policy_approval_has(who, approval, POLICY_PART_BY));
}

/* What a role permits, where the topic is protected. */
static enum policy_verdict
protection_of(const struct policy_who *who,
    const struct policy_approval *approval,
    const struct policy_message *message)
{
	if (is_safe_state(approval, message))
		return POLICY_ALLOWED;
	if (message->is_retained)
		return POLICY_PROTECTED_RETAIN;
	if (policy_approval_has(who, approval, POLICY_PART_BREAK_GLASS))
		return POLICY_BREAK_GLASS;
	return may_ask(who, approval) ? POLICY_APPROVAL : POLICY_PROTECTED_FROM;
}

static enum policy_verdict
protect(const struct policy_who *who, struct policy_look *look,
    const struct policy_message *message, const struct policy_rule **why)
{
	const struct policy *p = who->policy;
	enum policy_verdict verdict;

	for (size_t i = 0; i < p->approval_count; i++) {
		uint32_t rule =
		    policy_trie_match(&p->trie, p->approvals[i].root, look);

		if (rule == POLICY_NO_RULE)
			continue;
		verdict = protection_of(who, &p->approvals[i], message);
		answer(p, rule, why);
		return verdict;
	}
	return POLICY_ALLOWED;
}

enum policy_verdict
policy_publish(const struct policy_who *who,
    const struct policy_message *message, const struct policy_rule **why)
{
	const struct policy *p = who->policy;
	enum policy_verdict verdict = POLICY_REFUSED;
	struct policy_look look;

	answer(p, POLICY_NO_RULE, why);
	if (!is_name(message->topic))
		return POLICY_TOPIC_INVALID;
	if (is_reserved(message->topic))
		return POLICY_RESERVED;
	if (p->format == POLICY_ACL)
		return policy_acl_verdict(
		    who, message->topic, POLICY_ACL_WRITE, why);
	policy_trie_look(&p->trie, message->topic, &who->names, &look);
	for (int i = policy_roles_next(&who->roles, 0); i >= 0;
	     i = policy_roles_next(&who->roles, (size_t)i + 1)) {
		const struct policy_role *role = &p->roles[i];
		uint32_t rule = policy_trie_match(
		    &p->trie, role->roots[POLICY_PUBLISH], &look);

		if (rule == POLICY_NO_RULE)
			continue;
		verdict = limits_of(role, message);
		answer(p, rule, why);
		if (verdict == POLICY_ALLOWED)
			return protect(who, &look, message, why);
	}
	return verdict;
}

/* ---- subscribe ---- */

/* The sets of the roles that permit this QoS. */
static size_t
readable(const struct policy_who *who, uint8_t qos, uint32_t *roots)
{
	size_t count = 0;

	for (int i = policy_roles_next(&who->roles, 0); i >= 0;
	     i = policy_roles_next(&who->roles, (size_t)i + 1))
		if (who->policy->roles[i].qos >= qos)
			roots[count++] =
			    who->policy->roles[i].roots[POLICY_SUBSCRIBE];
	return count;
}

enum policy_verdict
policy_subscribe(const struct policy_who *who, struct span filter, uint8_t *qos,
    const struct policy_rule **why)
{
	const struct policy *p = who->policy;
	uint32_t roots[POLICY_ROLES_MAX], rule = POLICY_NO_RULE;
	struct policy_look look;
	struct span group;

	answer(p, POLICY_NO_RULE, why);
	if (mqtt_topic_check_filter(
		filter, MQTT_50, MQTT_RULE_SUBSCRIBE_TEXT) != MQTT_RULE_NONE ||
	    mqtt_topic_share(filter, &group, &filter) == MQTT_SHARE_BROKEN)
		return POLICY_TOPIC_INVALID;
	if (is_reserved(filter))
		return POLICY_RESERVED;
	if (p->format == POLICY_ACL)
		return POLICY_ALLOWED;
	for (int most = *qos; most >= 0 && rule == POLICY_NO_RULE; most--) {
		/* policy_trie_covers changes it. */
		policy_trie_look_filter(&p->trie, filter, &who->names, &look);
		*qos = (uint8_t)most;
		rule = policy_trie_covers(
		    &p->trie, roots, readable(who, *qos, roots), &look);
	}
	answer(p, rule, why);
	return rule == POLICY_NO_RULE ? POLICY_REFUSED : POLICY_ALLOWED;
}

enum policy_verdict
policy_deliver(const struct policy_who *who, struct span topic,
    const struct policy_rule **why)
{
	const struct policy *p = who->policy;
	uint32_t rule = POLICY_NO_RULE;
	struct policy_look look;

	answer(p, rule, why);
	if (!is_name(topic))
		return POLICY_TOPIC_INVALID;
	if (is_reserved(topic))
		return POLICY_RESERVED;
	if (p->format == POLICY_ACL)
		return policy_acl_verdict(who, topic, POLICY_ACL_READ, why);
	policy_trie_look(&p->trie, topic, &who->names, &look);
	for (int i = policy_roles_next(&who->roles, 0);
	     i >= 0 && rule == POLICY_NO_RULE;
	     i = policy_roles_next(&who->roles, (size_t)i + 1))
		rule = policy_trie_match(
		    &p->trie, p->roles[i].roots[POLICY_SUBSCRIBE], &look);
	answer(p, rule, why);
	return rule == POLICY_NO_RULE ? POLICY_REFUSED : POLICY_ALLOWED;
}

/* ---- approval ---- */

bool
policy_approval_has(const struct policy_who *who,
    const struct policy_approval *approval, enum policy_approval_part part)
{
	const struct {
		const char **names;
		size_t count;
	} parts[] = {
	    [POLICY_PART_FROM] = {approval->from, approval->from_count},
	    [POLICY_PART_BY] = {approval->by, approval->by_count},
	    [POLICY_PART_BREAK_GLASS] = {approval->break_glass,
		approval->break_glass_count},
	};

	for (size_t i = 0; i < parts[part].count; i++) {
		int index = policy_role_index(
		    who->policy, span_of_str(parts[part].names[i]));

		if (index >= 0 && policy_roles_has(&who->roles, (size_t)index))
			return true;
	}
	return false;
}

const struct policy_approval *
policy_approval_of(const struct policy *policy, struct span topic)
{
	const struct policy_names nobody = {.identity = {0}};
	struct policy_look look;

	if (!is_name(topic))
		return NULL;
	policy_trie_look(&policy->trie, topic, &nobody, &look);
	for (size_t i = 0; i < policy->approval_count; i++)
		if (policy_trie_match(&policy->trie, policy->approvals[i].root,
			&look) != POLICY_NO_RULE)
			return &policy->approvals[i];
	return NULL;
}

const struct policy_approval *
policy_approval_named(const struct policy *policy, struct span name)
{
	for (size_t i = 0; i < policy->approval_count; i++)
		if (span_is(name, policy->approvals[i].name))
			return &policy->approvals[i];
	return NULL;
}

const struct policy_approval *
policy_permit_next(
    const struct policy *policy, struct span topic, size_t *place)
{
	while (*place < policy->approval_count) {
		const struct policy_approval *approval =
		    &policy->approvals[(*place)++];

		if (approval->mode == POLICY_PERMISSIVE &&
		    span_is(topic, approval->permit_topic))
			return approval;
	}
	return NULL;
}
