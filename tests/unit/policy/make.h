#ifndef KAYA_TEST_POLICY_MAKE_H
#define KAYA_TEST_POLICY_MAKE_H

/* make: policies from text, and questions in one line each. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "policy.h"

/* What was told of a file's faults. */
struct told {
	size_t count;
	char where[192], what[320], hint[1024]; /* of the first */
};

static inline void
told_fault(const struct conf_fault *fault, void *arg)
{
	struct told *told = arg;

	if (told->count++ > 0)
		return;
	snprintf(told->where, sizeof told->where, "%s", fault->err.where);
	snprintf(told->what, sizeof told->what, "%s", fault->err.what);
	snprintf(told->hint, sizeof told->hint, "%s", fault->err.hint);
}

static inline struct policy *
make_try(const char *text, enum policy_format format, struct told *told)
{
	struct policy_source source = {.file = "p.yaml",
	    .bytes = span_of_str(text),
	    .format = format,
	    .on_fault = told_fault,
	    .arg = told};

	*told = (struct told){.count = 0};
	return policy_new(&source);
}

static inline struct policy *
make_policy(const char *text)
{
	struct told told;
	struct policy *policy = make_try(text, POLICY_YAML, &told);

	if (policy == NULL)
		fail_msg("%s: %s", told.where, told.what);
	return policy;
}

static inline struct policy *
make_acl(const char *text)
{
	struct told told;
	struct policy *policy = make_try(text, POLICY_ACL, &told);

	if (policy == NULL)
		fail_msg("%s: %s", told.where, told.what);
	return policy;
}

/* `identity` by `client_id`, which must be allowed. */
static inline struct policy_who
make_who(
    const struct policy *policy, const char *identity, const char *client_id)
{
	struct policy_who who;

	policy_who_init(&who, policy, span_of_str(identity), (struct span){0});
	assert_int_equal(
	    policy_client_id(&who, span_of_str(client_id), NULL, NULL),
	    POLICY_CLIENT_ID_ALLOWED);
	return who;
}

static inline enum policy_verdict
may_publish(const struct policy_who *who, const char *topic)
{
	struct policy_message message = {.topic = span_of_str(topic)};

	return policy_publish(who, &message, NULL);
}

static inline enum policy_verdict
may_subscribe(const struct policy_who *who, const char *filter)
{
	uint8_t qos = 0;

	return policy_subscribe(who, span_of_str(filter), &qos, NULL);
}

static inline enum policy_verdict
may_read(const struct policy_who *who, const char *topic)
{
	return policy_deliver(who, span_of_str(topic), NULL);
}

#endif
