#include "policy_explain.h"

#include "policy_private.h"

#include "mqtt_topic.h"
#include "str.h"

#include <stdio.h>

enum { TOPIC_SHOWN_MAX = 160, ROLES_SHOWN_MAX = 200, FILTER_MAX = 1024 };

const char *
policy_roles_text(const struct policy_who *who, char *text, size_t size)
{
	size_t len = 0;

	snprintf(text, size, "none");
	for (int i = policy_roles_next(&who->roles, 0); i >= 0 && len < size;
	     i = policy_roles_next(&who->roles, (size_t)i + 1))
		len += (size_t)snprintf(text + len, size - len, "%s%s",
		    len == 0 ? "" : ", ", who->policy->roles[i].name);
	return text;
}

const char *
policy_rule_text(const struct policy_rule *rule, char *text, size_t size)
{
	char shown[TOPIC_SHOWN_MAX];

	str_escape(span_of_str(rule->text), shown, sizeof shown);
	switch (rule->kind) {
	case POLICY_RULE_PUBLISH:
		snprintf(text, size, "publish: %s", shown);
		break;
	case POLICY_RULE_SUBSCRIBE:
		snprintf(text, size, "subscribe: %s", shown);
		break;
	case POLICY_RULE_PROTECT:
		snprintf(text, size, "topics: %s", shown);
		break;
	case POLICY_RULE_TOPIC:
		snprintf(text, size, "topic %s %s", rule->access, shown);
		break;
	case POLICY_RULE_PATTERN:
		snprintf(text, size, "pattern %s %s", rule->access, shown);
		break;
	}
	return text;
}

/* ---- sentences ---- */

struct words {
	const char *identity, *action, *topic, *roles;
	const struct policy_rule *why;
};

static void
explain_allowed(const struct policy_question *q, const struct words *w,
    char *text, size_t size)
{
	if (w->why == NULL)
		snprintf(text, size,
		    "an acl_file grants every subscription, and what %s may "
		    "not read is left out when it is delivered",
		    w->identity);
	else if (w->why->approval != NULL)
		snprintf(text, size,
		    "%s is protected by approval %s, and this is a safe state",
		    w->topic, w->why->approval->name);
	else if (w->why->role != NULL)
		snprintf(text, size, "role %s lets %s %s %s", w->why->role,
		    w->identity, w->action, w->topic);
	else
		snprintf(text, size, "the acl_file lets %s %s %s", w->identity,
		    w->action, w->topic);
}

static void
explain_refused(const struct policy_question *q, const struct words *w,
    char *text, size_t size)
{
	if (q->who->names.identity.len == 0)
		snprintf(text, size,
		    "that is no name of an identity (1 to 64 of A-Z a-z 0-9 . "
		    "_ -)");
	else if (q->who->policy->format == POLICY_ACL)
		snprintf(text, size, "no line of the acl_file lets %s %s %s",
		    w->identity, w->action, w->topic);
	else if (policy_roles_next(&q->who->roles, 0) < 0)
		snprintf(text, size,
		    "%s has no role: neither the policy nor the line of its "
		    "key gives it one",
		    w->identity);
	else
		snprintf(text, size, "no rule lets %s %s %s%s (its roles: %s)",
		    w->identity, w->action,
		    q->action == POLICY_SUBSCRIBE ? "all of " : "", w->topic,
		    w->roles);
}

static void
explain_limit(const struct policy_question *q, const struct words *w,
    char *text, size_t size)
{
	const struct policy_role *role = &q->who->policy->roles[w->why->owner];

	if (q->verdict == POLICY_QOS)
		snprintf(text, size, "role %s permits QoS %u at most",
		    role->name, role->qos);
	else if (q->verdict == POLICY_RETAIN)
		snprintf(text, size, "role %s does not permit to retain",
		    role->name);
	else
		snprintf(text, size,
		    "role %s permits payloads of %ju bytes at most", role->name,
		    (uintmax_t)role->payload_bytes);
}

static void
explain_protected(const struct policy_question *q, const struct words *w,
    char *text, size_t size)
{
	snprintf(text, size, "%s is protected by approval %s: %s", w->topic,
	    w->why->approval->name, policy_verdict_text(q->verdict));
}

static void
explain_denied(const struct policy_question *q, const struct words *w,
    char *text, size_t size)
{
	if (w->why == NULL)
		snprintf(text, size,
		    "mosquitto keeps such topics for itself, whatever the "
		    "acl_file says");
	else
		snprintf(text, size, "the acl_file denies %s to %s", w->topic,
		    w->identity);
}

static void
explain_invalid(const struct policy_question *q, const struct words *w,
    char *text, size_t size)
{
	snprintf(text, size, "\"%s\" is no topic %s of MQTT", w->topic,
	    q->action == POLICY_SUBSCRIBE ? "filter" : "name");
}

const char *
policy_explain(const struct policy_question *question, char *text, size_t size)
{
	static const char *const actions[] = {
	    [POLICY_PUBLISH] = "publish to",
	    [POLICY_SUBSCRIBE] = "subscribe to",
	    [POLICY_DELIVER] = "read",
	};
	static void (*const explainers[POLICY_VERDICT_COUNT])(
	    const struct policy_question *, const struct words *, char *,
	    size_t) = {
	    [POLICY_REFUSED] = explain_refused,
	    [POLICY_ALLOWED] = explain_allowed,
	    [POLICY_DENIED] = explain_denied,
	    [POLICY_TOPIC_INVALID] = explain_invalid,
	    [POLICY_QOS] = explain_limit,
	    [POLICY_RETAIN] = explain_limit,
	    [POLICY_SIZE] = explain_limit,
	    [POLICY_PROTECTED_RETAIN] = explain_protected,
	    [POLICY_PROTECTED_FROM] = explain_protected,
	    [POLICY_APPROVAL] = explain_protected,
	    [POLICY_BREAK_GLASS] = explain_protected,
	};
	char topic[TOPIC_SHOWN_MAX], roles[ROLES_SHOWN_MAX];
	char identity[STR_NAME_MAX + 1];
	struct words words = {.identity = identity,
	    .action = actions[question->action],
	    .topic = str_escape(question->topic, topic, sizeof topic),
	    .roles = policy_roles_text(question->who, roles, sizeof roles),
	    .why = question->why};

	span_to_str(question->who->names.identity, identity, sizeof identity);
	explainers[question->verdict](question, &words, text, size);
	return text;
}

/* ---- parts ---- */

/* The rule's filter with %i and %c replaced; empty where it cannot be. */
static struct span
filled(const struct policy_who *who, const char *text, uint8_t *room)
{
	size_t len = 0;

	while (*text != '\0') {
		struct span part = span_of(text, 1);

		if (*text == '%') {
			part = text[1] == 'i' ? who->names.identity
					      : who->names.client_id;
			text++;
			if (part.len == 0)
				return (struct span){0};
		}
		text++;
		if (len + part.len > FILTER_MAX)
			return (struct span){0};
		memcpy(room + len, part.data, part.len);
		len += part.len;
	}
	return span_of(room, len);
}

size_t
policy_partial(const struct policy_who *who, struct span filter,
    const struct policy_rule **rules, size_t max)
{
	const struct policy *p = who->policy;
	uint8_t room[FILTER_MAX];
	size_t count = 0;
	struct span group;

	mqtt_topic_share(filter, &group, &filter);
	for (uint32_t i = 0; i < p->rule_count && count < max; i++) {
		struct span mine;

		if (p->rules[i].kind != POLICY_RULE_SUBSCRIBE ||
		    !policy_roles_has(&who->roles, p->rules[i].owner))
			continue;
		mine = filled(who, p->rules[i].text, room);
		if (mine.len > 0 && mqtt_topic_overlaps(mine, filter))
			rules[count++] = &p->rules[i];
	}
	return count;
}
