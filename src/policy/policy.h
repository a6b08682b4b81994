#ifndef KAYA_POLICY_H
#define KAYA_POLICY_H

/*
 * policy: may this identity do this now?
 *
 *	policy_new (once for a file) -> policy_who_init (once for a session)
 *	    -> policy_client_id (CONNECT) -> policy_publish, policy_subscribe,
 *	    policy_deliver (each packet) -> policy_free
 *
 * A policy is built once and never changes, so that threads may share it
 * without a lock.  Nothing here allocates but policy_new, and nothing reads a
 * file, a clock or a socket.  What no rule permits is refused.
 *
 * A verdict takes one step for each level of the topic and role of the
 * identity.  How many identities there are does not matter, and how many
 * rules hardly.
 */

#include "conf.h"
#include "policy_approval.h"
#include "policy_trie.h"
#include "span.h"

enum {
	POLICY_ROLES_MAX = 256, /* of a file */
	POLICY_FILTER_MAX_BYTES = 65535
};

/* ---- building ---- */

struct policy;

enum policy_format {
	POLICY_YAML, /* kaya-policy(5) */
	POLICY_ACL /* mosquitto's acl_file */
};

/* What a file most likely is, by its first word. */
enum policy_format policy_guess_format(struct span bytes);

struct policy_source {
	const char *file; /* its name, for faults and explanations */
	struct span bytes; /* needed only during policy_new */
	enum policy_format format;
	conf_fault_fn on_fault; /* told of every fault; may be NULL */
	void *arg;
};

/*
 * Build one.  NULL where the file has a fault (all of them have been told) or
 * memory fails (told too).
 */
struct policy *policy_new(const struct policy_source *source);

/* NULL is fine. */
void policy_free(struct policy *policy);

/* The name of the file, as it was given. */
const char *policy_file(const struct policy *policy);

/*
 * Whether a SUBSCRIBE may be granted that reaches more than its client may
 * read, as mosquitto does with an acl_file.  Then every PUBLISH to a client
 * must go by policy_deliver.  Else policy_deliver is needed only where a
 * broker may have kept subscriptions that an earlier policy had granted
 * (clean session 0), or that the gateway never saw.
 */
bool policy_filters_at_delivery(const struct policy *policy);

/* ---- who asks ---- */

enum { POLICY_ROLE_WORDS = POLICY_ROLES_MAX / 64 };

/* A set of roles: one bit each. */
struct policy_roles {
	uint64_t bits[POLICY_ROLE_WORDS];
};

/*
 * An identity as one policy sees it.  It borrows the policy, the identity and
 * the client id: all of them must outlive it, and with another policy it must
 * be made anew (policy_who_init, policy_client_id).
 */
struct policy_who {
	const struct policy *policy;
	struct policy_names names; /* what %i and %c stand for */
	struct span client_id; /* as the client sent it */
	struct policy_roles roles;
	uint32_t acl_user; /* of an acl_file: its own lines; 0: none */
	uint32_t rate; /* messages in each interval; 0: no limit */
	uint64_t rate_interval_ms;
};

/*
 * Who `identity` is: the roles that the file gives it, and `role` as its key's
 * line has it (KAYA_ROLE; empty: none).  What is no name (see str_is_name) has
 * no role and may do nothing, and a role that the file does not have gives
 * nothing.  With several roles it may do what any of them permits.
 */
void policy_who_init(struct policy_who *who, const struct policy *policy,
    struct span identity, struct span role);

/* Whether the file has such a role. */
bool policy_has_role(const struct policy *policy, struct span role);

/* Whether there is an identity of that name, by key or certificate. */
struct policy_identities {
	bool (*has)(const void *arg, struct span name);
	const void *arg;
};

enum policy_client_id_result {
	POLICY_CLIENT_ID_ALLOWED,
	POLICY_CLIENT_ID_OF_ANOTHER, /* belongs to identity `*owner` */
	POLICY_CLIENT_ID_PATTERN /* none of its roles' client_ids fits */
};

/*
 * May `who` connect by this client id?  If so %c stands for it from now on,
 * else `who` may do nothing that depends on it.
 *
 * An id belongs to an identity where it is the name, or the name and then a
 * character that is neither letter nor digit; to the longest such name where
 * there are several.  Names are those in the policy and those that
 * `identities` knows (NULL: no more).  Roles with `client_ids` want one of
 * their patterns to fit as well.  An empty id is allowed: the broker makes one
 * up, which may be told here when CONNACK names it (MQTT 5.0).  %c stands for
 * nothing that is empty, begins with $, or holds / + # or a control character.
 * `owner` may be NULL.
 */
enum policy_client_id_result policy_client_id(struct policy_who *who,
    struct span client_id, const struct policy_identities *identities,
    struct span *owner);

/*
 * The same rule where no policy is in force (NULL), or one is: the longest name
 * of an identity that `client_id` belongs to; empty: nobody's.
 */
struct span policy_client_id_owner(const struct policy *policy,
    struct span client_id, const struct policy_identities *identities);

/* ---- the gateway itself ---- */

/* Order: policy_table.c, control_words. */
enum policy_control {
	POLICY_CONTROL_STATUS,
	POLICY_CONTROL_INVITE,
	POLICY_CONTROL_REVOKE
};

/* May `who` ask that of the gateway, through SSH? */
bool policy_may_control(const struct policy_who *who, enum policy_control what);

/* May `who` agree to anything, by whichever rule? */
bool policy_may_agree(const struct policy_who *who);

/* ---- verdicts ---- */

enum policy_action {
	POLICY_PUBLISH, /* and the will */
	POLICY_SUBSCRIBE,
	POLICY_DELIVER
};

/* verdict, its name in logs and in --json, a sentence's end */
#define POLICY_VERDICTS(X)                                                     \
	X(POLICY_REFUSED, "refused", "no rule permits it")                     \
	X(POLICY_ALLOWED, "allowed", "a rule permits it")                      \
	X(POLICY_DENIED, "denied", "a rule denies it")                         \
	X(POLICY_TOPIC_INVALID, "topic-invalid",                               \
	    "MQTT does not allow such a topic")                                \
	X(POLICY_QOS, "qos", "the role permits less QoS")                      \
	X(POLICY_RETAIN, "retain", "the role permits nothing retained")        \
	X(POLICY_SIZE, "size", "the role permits smaller payloads")            \
	X(POLICY_PROTECTED_RETAIN, "protected-retain",                         \
	    "nothing is retained on a protected topic")                        \
	X(POLICY_PROTECTED_FROM, "protected-from",                             \
	    "its roles may not ask for what is protected")                     \
	X(POLICY_RESERVED, "reserved",                                         \
	    "the topic is for what gateways say to each other")                \
	X(POLICY_APPROVAL, "approval", "somebody else has to agree")           \
	X(POLICY_BREAK_GLASS, "break-glass",                                   \
	    "it passes without approval, and must be told loudly")

/*
 * Zero is a refusal.  Whoever does not know of approvals treats all but
 * POLICY_ALLOWED as a refusal, and nothing unsafe comes of it.
 */
enum policy_verdict {
#define X(verdict, name, text) verdict,
	POLICY_VERDICTS(X)
#undef X
	    POLICY_VERDICT_COUNT
};

const char *policy_verdict_name(enum policy_verdict verdict);
const char *policy_verdict_text(enum policy_verdict verdict);

enum policy_rule_kind {
	POLICY_RULE_PUBLISH, /* of a role; in the order of policy_action */
	POLICY_RULE_SUBSCRIBE,
	POLICY_RULE_PROTECT, /* of an approval */
	POLICY_RULE_TOPIC, /* of an acl_file: a user's */
	POLICY_RULE_PATTERN /* of an acl_file: everybody's */
};

/* What gave a verdict. */
struct policy_rule {
	size_t line, column; /* of the file */
	enum policy_rule_kind kind;
	const char *text; /* the filter, as it was written */
	const char *role; /* of PUBLISH and SUBSCRIBE; else NULL */
	const struct policy_approval *approval; /* of PROTECT; else NULL */
	const char *access; /* of an acl_file, as "read"; else NULL */
	uint32_t owner; /* policy's own: index of the role, the acl_user */
};

/*
 * Topics that begin so are the gateways' own (TWO GATEWAYS in
 * kaya-policy(5)): whatever a policy permits, no client publishes there, is
 * granted a filter below it, or is given what stands there.
 */
#define POLICY_RESERVED_TOPIC "kaya/gateway"

struct policy_message {
	struct span topic; /* after its alias was followed */
	uint8_t qos;
	bool is_retained;
	uint64_t size; /* bytes of payload */
	/*
	 * All of the payload, or nothing of it (data NULL) where it is not
	 * there yet: then it is not known to be of a safe state.
	 */
	struct span payload;
};

/*
 * May `who` publish this, as PUBLISH or as its will?  `why` (may be NULL): the
 * rule that decided, or NULL where none fits; it lives as long as the policy.
 *
 * With POLICY_APPROVAL and the verdicts on protected topics it is a topic of
 * `approval`; so it is where a safe state is allowed (policy_is_safe_state).  A
 * will that needs approval is to be refused.
 */
enum policy_verdict policy_publish(const struct policy_who *who,
    const struct policy_message *message, const struct policy_rule **why);

/* Whether what policy_publish answered is that a safe state passes. */
static inline bool
policy_is_safe_state(enum policy_verdict verdict, const struct policy_rule *why)
{
	return verdict == POLICY_ALLOWED && why != NULL &&
	       why->kind == POLICY_RULE_PROTECT;
}

/*
 * May `who` subscribe to `filter`?  Only where every topic that it can reach
 * may be read: filters of all its roles count together, and the answer is
 * exact.  A shared subscription ($share/GROUP/FILTER) is judged by the filter
 * in it; # and + in front reach no topic that begins with $.  UNSUBSCRIBE
 * needs no permission.
 *
 * `*qos` is the QoS that is asked for and becomes the QoS that may be granted
 * at most (the SUBSCRIBE that goes on has to ask for no more).
 */
enum policy_verdict policy_subscribe(const struct policy_who *who,
    struct span filter, uint8_t *qos, const struct policy_rule **why);

/* May `who` be given a message with this topic? */
enum policy_verdict policy_deliver(const struct policy_who *who,
    struct span topic, const struct policy_rule **why);

#endif
