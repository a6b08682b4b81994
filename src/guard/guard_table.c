/* Every word of kaya-guard(5): where it goes, what it may be, its sentences. */

#include "guard_rules.h"

#define SECOND 1000ull
#define HOUR   (3600 * SECOND)

#define ROLE_LIST(field, count) CONF_LIST_AT(struct guard_role, field, count)

static const struct conf_key role_keys[] = {
    {"name", CONF_STRING, CONF_NAME | CONF_REQUIRED,
	.CONF_AT(struct guard_role, name), .example = "operator",
	.doc = "What `protect` calls it."},
    {"principals", CONF_STRING, CONF_LIST | CONF_REQUIRED,
	.ROLE_LIST(principals, principal_count),
	.example = "[ann@plant, \"*@control\"]",
	.doc = "Names as `allowed_signers` has them; `*` stands for any run of "
	       "characters, `?` for any one."},
    {.name = NULL},
};

#define RULE_LIST(field, count) CONF_LIST_AT(struct guard_rule, field, count)
#define RULE_ROLES(part)                                                       \
	CONF_LIST_AT(struct guard_rule, roles[part], role_counts[part])

static const struct conf_key rule_keys[] = {
    {"name", CONF_STRING, CONF_NAME | CONF_REQUIRED,
	.CONF_AT(struct guard_rule, name), .example = "valve",
	.doc = "What logs and the audit call this rule."},
    {"topics", CONF_STRING, CONF_LIST | CONF_REQUIRED,
	.RULE_LIST(topics, topic_count), .example = "[\"plant/valve-1/set\"]",
	.doc = "Topic filters: what comes on these topics reaches the "
	       "actuator only as a command that two have signed. A topic may "
	       "be protected by one rule only."},
    {"safe_state", CONF_STRING, CONF_LIST,
	.RULE_LIST(safe_state, safe_state_count), .fallback_doc = "none",
	.example = "[close, \"0\"]",
	.doc = "Payloads that pass at once and unsigned, byte for byte: a stop "
	       "never needs approval. One of them ends what is outstanding "
	       "for its topic."},
    {"request", CONF_STRING, CONF_LIST | CONF_NAME | CONF_REQUIRED,
	.RULE_ROLES(GUARD_REQUEST), .example = "[operator]",
	.doc = "The roles whose signature may be the first."},
    {"approve", CONF_STRING, CONF_LIST | CONF_NAME, .RULE_ROLES(GUARD_APPROVE),
	.fallback_doc = "nobody", .example = "[supervisor]",
	.doc = "The roles of people whose signature may be the second, and who "
	       "may deny."},
    {"permit", CONF_STRING, CONF_LIST | CONF_NAME, .RULE_ROLES(GUARD_PERMIT),
	.fallback_doc = "nobody", .example = "[interlock]",
	.doc = "The roles of devices whose signature may be the second (kaya "
	       "permit)."},
    {"within", CONF_DURATION, 0, .CONF_AT(struct guard_rule, within_ms),
	.min = SECOND, .max = HOUR, .fallback = "60s",
	.doc = "How long a challenge lives, from its issue by this machine's "
	       "clock that never goes back: both signatures must be here by "
	       "then."},
    {.name = NULL},
};

const struct conf_key guard_keys[] = {
    {"actuator", CONF_STRING, CONF_NAME | CONF_REQUIRED,
	.CONF_AT(struct guard_rules, actuator), .example = "valve-1",
	.doc = "The actuator's name: in its topics, its commands' ids, and in "
	       "what is signed, so that a signature for one actuator is none "
	       "for another. `all` is not a name."},
    {"allowed_signers", CONF_PATH, CONF_REQUIRED,
	.CONF_AT(struct guard_rules, signers_file),
	.example = "/etc/kaya/allowed_signers",
	.doc = "Whose signatures count: OpenSSH's file (ssh-keygen(1), ALLOWED "
	       "SIGNERS). A key that may sign commands stands in it under one "
	       "name. It is read anew when it changes."},
    {"revoked_keys", CONF_PATH, 0, .CONF_AT(struct guard_rules, revoked_file),
	.fallback_doc = "none", .example = "/etc/kaya/revoked_keys",
	.doc = "Whose signatures count no more, whatever `allowed_signers` "
	       "says: a file as sshd's RevokedKeys has it, public keys or a "
	       "list that `ssh-keygen -k` makes, for keys, authorities and "
	       "single certificates. It is read anew when it changes; where it "
	       "cannot be read nobody's signature counts."},
    {"audit", CONF_PATH, CONF_REQUIRED,
	.CONF_AT(struct guard_rules, audit_file),
	.example = "/var/lib/kaya/guard.log",
	.doc = "Where each decision is written, before it is acted upon: see "
	       "kaya-audit(1). Where it cannot be written nothing is let "
	       "through but the safe state."},
    {"roles", CONF_MAPPING, CONF_LIST | CONF_REQUIRED,
	.CONF_LIST_AT(struct guard_rules, roles, role_count), .keys = role_keys,
	.doc = "Sets of principals."},
    {"protect", CONF_MAPPING, CONF_LIST | CONF_REQUIRED,
	.CONF_LIST_AT(struct guard_rules, rules, rule_count), .keys = rule_keys,
	.doc = "What needs two."},
    {"broker", CONF_ADDRESS, 0, .CONF_AT(struct guard_rules, broker),
	.fallback_doc = "where the tunnel leads", .example = "127.0.0.1:1883",
	.doc = "The broker of the guard's own connection, as the server is to "
	       "reach it."},
    {"user", CONF_STRING, 0, .CONF_AT(struct guard_rules, user),
	.fallback_doc = "none", .example = "valve-1",
	.doc = "The MQTT user name of the guard's own connection, where the "
	       "broker asks for one."},
    {"password_file", CONF_PATH, 0, .CONF_AT(struct guard_rules, password_file),
	.fallback_doc = "none", .example = "/etc/kaya/guard.password",
	.doc = "A file with its password and nothing else."},
    {"client_id", CONF_STRING, 0, .CONF_AT(struct guard_rules, client_id),
	.fallback_doc = "made up", .example = "valve-1-guard",
	.doc = "Its MQTT client id."},
    {.name = NULL},
};
