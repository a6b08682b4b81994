/* Every word of kaya-policy(5): where it goes, what it may be, its sentences.
 */

#include "policy_private.h"

#define KIB    1024ull
#define MIB    (1024 * KIB)
#define SECOND 1000ull
#define DAY    (24 * 3600 * SECOND)

/* In the order of enum policy_approval_mode. */
static const char *const mode_words[] = {"hold", "twice", "permissive", NULL};

/* In the order of enum policy_control. */
static const char *const control_words[] = {"status", "invite", "revoke", NULL};

#define ROLE_AT(field) CONF_AT(struct policy_role, field)
#define ROLE_FILTERS(set)                                                      \
	CONF_LIST_AT(struct policy_role, filters[set], filter_counts[set])

static const struct conf_key role_keys[] = {
    {"name", CONF_STRING, CONF_NAME | CONF_REQUIRED, .ROLE_AT(name),
	.example = "sensor",
	.doc =
	    "What `identities`, `approval` and the line of a key (KAYA_ROLE) "
	    "call it."},
    {"publish", CONF_STRING, CONF_LIST, .ROLE_FILTERS(POLICY_PUBLISH),
	.fallback_doc = "none", .example = "[\"sensors/%i/#\"]",
	.doc = "Topic filters: topics that may be published to, and be a "
	       "will's."},
    {"subscribe", CONF_STRING, CONF_LIST, .ROLE_FILTERS(POLICY_SUBSCRIBE),
	.fallback_doc = "none", .example = "[\"commands/%i/#\"]",
	.doc = "Topic filters: topics that may be read."},
    {"qos", CONF_INT, 0, .ROLE_AT(qos), .min = 0, .max = 2, .fallback = "2",
	.doc = "The highest QoS of a publish. A subscription that asks for "
	       "more gets this."},
    {"retain", CONF_BOOL, 0, .ROLE_AT(retain), .fallback = "no",
	.doc = "Whether publishes and the will may be retained."},
    {"payload", CONF_SIZE, 0, .ROLE_AT(payload_bytes), .min = 0,
	.max = 256 * MIB, .fallback = "256MiB",
	.doc = "The largest payload of a publish. 256MiB, more than MQTT can "
	       "carry, is no limit."},
    {"rate", CONF_INT, 0, .ROLE_AT(rate), .min = 1, .max = 1000000,
	.fallback_doc = "no limit", .example = "10",
	.doc = "How many messages may be published in each `rate_interval`, "
	       "by all connections of an identity to one gateway together. All "
	       "of them may come at once."},
    {"rate_interval", CONF_DURATION, 0, .ROLE_AT(rate_interval_ms),
	.min = SECOND, .max = DAY, .fallback = "1s",
	.doc = "The time that `rate` is counted in."},
    {"client_ids", CONF_STRING, CONF_LIST,
	.CONF_LIST_AT(struct policy_role, client_ids, client_id_count),
	.fallback_doc = "any that belongs to no other identity",
	.example = "[\"%i\", \"%i-*\"]",
	.doc = "Patterns for the client id: `%i` is the identity, `*` any run "
	       "of characters. An id that belongs to another identity is "
	       "refused all the same, and an empty one is allowed."},
    {"control", CONF_WORD, CONF_LIST,
	.CONF_LIST_AT(struct policy_role, control, control_count),
	.words = control_words, .fallback_doc = "none",
	.example = "[status, invite]",
	.doc = "What may be asked of the gateway itself through SSH, as in "
	       "`kaya status DEST`: how it is and who is connected; "
	       "invitations, made, listed and cancelled; keys taken out. "
	       "Whoever may agree to a command by a rule under `approval` may "
	       "ask for those that wait without this. See CONTROL in "
	       "kayad(8)."},
    {.name = NULL},
};

#define MEMBER_LIST(field, count)                                              \
	CONF_LIST_AT(struct policy_member, field, count)

static const struct conf_key member_keys[] = {
    {"names", CONF_STRING, CONF_LIST | CONF_REQUIRED,
	.MEMBER_LIST(names, name_count), .example = "[pump-7, \"meter-*\"]",
	.doc = "Identities; `*` stands for any run of characters."},
    {"roles", CONF_STRING, CONF_LIST | CONF_NAME | CONF_REQUIRED,
	.MEMBER_LIST(roles, role_count), .example = "[sensor]",
	.doc = "The roles that they have, besides the one in their key's "
	       "line."},
    {.name = NULL},
};

#define APPROVAL_AT(field) CONF_AT(struct policy_approval, field)
#define APPROVAL_LIST(field, count)                                            \
	CONF_LIST_AT(struct policy_approval, field, count)

static const struct conf_key approval_keys[] = {
    {"name", CONF_STRING, CONF_NAME | CONF_REQUIRED, .APPROVAL_AT(name),
	.example = "valves", .doc = "What logs and the audit call this rule."},
    {"topics", CONF_STRING, CONF_LIST | CONF_REQUIRED,
	.APPROVAL_LIST(topics, topic_count), .example = "[\"plant/+/valve\"]",
	.doc = "Topic filters: the topics that are protected. A topic may be "
	       "protected by one rule only. `%i` and `%c` have no meaning "
	       "here."},
    {"from", CONF_STRING, CONF_LIST | CONF_NAME,
	.APPROVAL_LIST(from, from_count),
	.fallback_doc = "whoever may publish there", .example = "[operator]",
	.doc = "The roles that may ask. Others are refused, even where their "
	       "role lets them publish to the topic."},
    {"by", CONF_STRING, CONF_LIST | CONF_NAME | CONF_REQUIRED,
	.APPROVAL_LIST(by, by_count), .example = "[supervisor]",
	.doc = "The roles that may agree."},
    {"within", CONF_DURATION, 0, .APPROVAL_AT(within_ms), .min = SECOND,
	.max = DAY, .fallback = "30s",
	.doc = "How long agreement may take; of a permit, how long it lives."},
    {"mode", CONF_WORD, 0, .APPROVAL_AT(mode), .words = mode_words,
	.fallback = "hold",
	.doc = "`hold`: a publish waits until a different identity agrees. "
	       "`twice`: two identities publish the same topic and payload. "
	       "`permissive`: it passes while another identity's permit is "
	       "live."},
    {"permit_topic", CONF_STRING, 0, .APPROVAL_AT(permit_topic),
	.fallback_doc = "none", .example = "plant/permit/valve",
	.doc = "With `mode: permissive`: the topic that gives the permit."},
    {"permit_value", CONF_STRING, 0, .APPROVAL_AT(permit_value),
	.fallback = "\"on\"",
	.doc = "The payload that gives it; any other takes it back."},
    {"safe_state", CONF_STRING, CONF_LIST,
	.APPROVAL_LIST(safe_state, safe_state_count), .fallback_doc = "none",
	.example = "[\"off\", \"0\", close]",
	.doc = "Payloads that pass at once, byte for byte: a stop never needs "
	       "approval."},
    {"break_glass", CONF_STRING, CONF_LIST | CONF_NAME,
	.APPROVAL_LIST(break_glass, break_glass_count), .fallback_doc = "none",
	.example = "[chief]",
	.doc = "Roles whose publishes pass without approval, and are told "
	       "loudly."},
    {.name = NULL},
};

const struct conf_key policy_keys[] = {
    {"roles", CONF_MAPPING, CONF_LIST,
	.CONF_LIST_AT(struct policy, roles, role_count), .keys = role_keys,
	.fallback_doc = "none: nothing is permitted",
	.doc = "What a set of identities may do."},
    {"identities", CONF_MAPPING, CONF_LIST,
	.CONF_LIST_AT(struct policy, members, member_count),
	.keys = member_keys,
	.fallback_doc = "none: roles come from the keys' lines alone",
	.doc = "Who has which roles. An identity has the roles of every entry "
	       "that names it or that has a pattern which fits."},
    {"approval", CONF_MAPPING, CONF_LIST,
	.CONF_LIST_AT(struct policy, approvals, approval_count),
	.keys = approval_keys, .fallback_doc = "none",
	.doc = "Topics where a publish needs somebody else's consent, besides "
	       "a role that permits it."},
    {.name = NULL},
};
