#ifndef KAYA_MQTT_RULE_H
#define KAYA_MQTT_RULE_H

/*
 * mqtt_rule: every rule of the standards that this room checks, in one table.
 *
 * A check returns the rule that is broken, or MQTT_RULE_NONE.  What goes into
 * a log is the rule's id as the standard of that connection numbers it:
 * "MQTT-3.1.2-3" is a normative statement (its section is 3.1.2), "section
 * 2.2.3" a requirement without a number.  MQTT 3.1 (level 3) numbers nothing;
 * the ids of 3.1.1, which restates it, stand for it, but where the two differ.
 */

#include <stdint.h>

/* name, id in 3.1.1, id in 5.0, reason code of 5.0 for it, sentence */
#define MQTT_RULES(X)                                                          \
	X(NONE, "", "", 0x00, "no rule is broken")                             \
	/* any packet */                                                       \
	X(TYPE_RESERVED, "section 2.2.1", "section 2.1.2", 0x81,               \
	    "the packet type is reserved")                                     \
	X(TYPE_SENDER, "section 2.2.1", "section 2.1.2", 0x82,                 \
	    "this side must not send this type of packet")                     \
	X(FLAGS, "MQTT-2.2.2-2", "MQTT-2.1.3-1", 0x81,                         \
	    "reserved flags of the fixed header are set")                      \
	X(FLAGS_PUBREL, "MQTT-3.6.1-1", "MQTT-3.6.1-1", 0x81,                  \
	    "the flags of PUBREL's fixed header are not 0010")                 \
	X(FLAGS_SUBSCRIBE, "MQTT-3.8.1-1", "MQTT-3.8.1-1", 0x81,               \
	    "the flags of SUBSCRIBE's fixed header are not 0010")              \
	X(FLAGS_UNSUBSCRIBE, "MQTT-3.10.1-1", "MQTT-3.10.1-1", 0x81,           \
	    "the flags of UNSUBSCRIBE's fixed header are not 0010")            \
	X(FLAGS_DISCONNECT, "MQTT-3.14.1-1", "MQTT-3.14.1-1", 0x81,            \
	    "reserved flags of DISCONNECT's fixed header are set")             \
	X(FLAGS_AUTH, "", "MQTT-3.15.1-1", 0x81,                               \
	    "reserved flags of AUTH's fixed header are set")                   \
	X(REMAINING_LENGTH, "section 2.2.3", "section 2.1.4", 0x81,            \
	    "the remaining length takes more than four bytes")                 \
	X(VARINT_LONG, "", "MQTT-1.5.5-1", 0x81,                               \
	    "a variable byte integer takes more bytes than it needs")          \
	X(TOO_LARGE, "local limit", "local limit", 0x95,                       \
	    "the part of the packet that must be seen whole is too large")     \
	X(PACKET_SIZE, "local limit", "local limit", 0x95,                     \
	    "the packet is larger than the gateway lets pass")                 \
	X(LENGTH, "section 2.2.3", "section 2.1.4", 0x81,                      \
	    "a field goes past the end of its packet")                         \
	X(SURPLUS, "section 2.2.3", "section 2.1.4", 0x81,                     \
	    "bytes are left over behind the packet's last field")              \
	X(TEXT_NULL, "MQTT-1.5.3-2", "MQTT-1.5.4-2", 0x81,                     \
	    "a string holds the character U+0000")                             \
	X(PACKET_ID_ZERO, "MQTT-2.3.1-1", "MQTT-2.2.1-3", 0x82,                \
	    "the packet identifier is zero")                                   \
	/* order */                                                            \
	X(FIRST_CONNECT, "MQTT-3.1.0-1", "MQTT-3.1.0-1", 0x82,                 \
	    "the client's first packet is not CONNECT")                        \
	X(SECOND_CONNECT, "MQTT-3.1.0-2", "MQTT-3.1.0-2", 0x82,                \
	    "a second CONNECT on one connection")                              \
	X(BROKER_FIRST, "section 3.2", "section 3.2", 0x82,                    \
	    "the broker sent a packet before it had a CONNECT")                \
	X(FIRST_CONNACK, "MQTT-3.2.0-1", "MQTT-3.2.0-1", 0x82,                 \
	    "the broker's first packet is not CONNACK")                        \
	X(SECOND_CONNACK, "section 3.2", "MQTT-3.2.0-2", 0x82,                 \
	    "a second CONNACK on one connection")                              \
	X(AFTER_REFUSAL, "MQTT-3.2.2-5", "MQTT-3.2.2-7", 0x82,                 \
	    "a packet follows a CONNACK that refused")                         \
	X(AFTER_DISCONNECT, "MQTT-3.14.4-2", "MQTT-3.14.4-1", 0x82,            \
	    "a packet follows DISCONNECT")                                     \
	X(AUTH_UNASKED, "", "section 3.15", 0x82,                              \
	    "AUTH, but CONNECT named no authentication method")                \
	/* CONNECT */                                                          \
	X(PROTOCOL_NAME, "MQTT-3.1.2-1", "MQTT-3.1.2-1", 0x84,                 \
	    "the protocol name is neither MQTT nor MQIsdp")                    \
	X(PROTOCOL_LEVEL, "MQTT-3.1.2-2", "MQTT-3.1.2-2", 0x84,                \
	    "the protocol level is none of 3.1, 3.1.1 and 5.0")                \
	X(CONNECT_RESERVED, "MQTT-3.1.2-3", "MQTT-3.1.2-3", 0x81,              \
	    "the reserved bit of the connect flags is set")                    \
	X(WILL_QOS_ALONE, "MQTT-3.1.2-13", "MQTT-3.1.2-11", 0x81,              \
	    "a will QoS without a will")                                       \
	X(WILL_QOS_3, "MQTT-3.1.2-14", "MQTT-3.1.2-12", 0x81,                  \
	    "the will's QoS is 3")                                             \
	X(WILL_RETAIN_ALONE, "MQTT-3.1.2-15", "MQTT-3.1.2-13", 0x81,           \
	    "will retain without a will")                                      \
	X(PASSWORD_ALONE, "MQTT-3.1.2-22", "", 0x81,                           \
	    "a password without a user name")                                  \
	X(CLIENT_ID_MISSING, "MQTT-3.1.3-3", "MQTT-3.1.3-3", 0x81,             \
	    "the client identifier is missing or cut off")                     \
	X(CLIENT_ID_TEXT, "MQTT-3.1.3-4", "MQTT-3.1.3-4", 0x81,                \
	    "the client identifier is not well-formed UTF-8")                  \
	X(CLIENT_ID_EMPTY, "MQTT-3.1.3-8", "", 0x85,                           \
	    "an empty client identifier without a clean session")              \
	X(CLIENT_ID_EMPTY_31, "MQTT 3.1 section 3.1", "", 0x85,                \
	    "an empty client identifier, which MQTT 3.1 does not allow")       \
	X(WILL_MISSING, "MQTT-3.1.2-9", "MQTT-3.1.2-9", 0x81,                  \
	    "the will flag is set, but the will is missing or cut off")        \
	X(WILL_TOPIC_TEXT, "MQTT-3.1.3-10", "MQTT-3.1.3-11", 0x81,             \
	    "the will topic is not well-formed UTF-8")                         \
	X(WILL_TOPIC_EMPTY, "MQTT-4.7.3-1", "MQTT-4.7.3-1", 0x90,              \
	    "the will topic is empty")                                         \
	X(WILL_TOPIC_WILDCARD, "MQTT-4.7.1-1", "MQTT-4.7.0-1", 0x90,           \
	    "the will topic holds a wildcard")                                 \
	X(USER_NAME_MISSING, "MQTT-3.1.2-19", "MQTT-3.1.2-17", 0x81,           \
	    "the user name flag is set, but the name is missing or cut off")   \
	X(USER_NAME_TEXT, "MQTT-3.1.3-11", "MQTT-3.1.3-12", 0x81,              \
	    "the user name is not well-formed UTF-8")                          \
	X(PASSWORD_MISSING, "MQTT-3.1.2-21", "MQTT-3.1.2-19", 0x81,            \
	    "the password flag is set, but it is missing or cut off")          \
	/* CONNACK */                                                          \
	X(CONNACK_FLAGS, "section 3.2.2.1", "MQTT-3.2.2-1", 0x81,              \
	    "reserved bits of the connect acknowledge flags are set")          \
	X(CONNACK_SESSION, "MQTT-3.2.2-4", "MQTT-3.2.2-6", 0x82,               \
	    "a CONNACK that refuses claims a session")                         \
	X(CONNACK_CODE, "section 3.2.2.3", "MQTT-3.2.2-8", 0x82,               \
	    "the code is none of CONNACK's")                                   \
	/* PUBLISH */                                                          \
	X(DUP_QOS_0, "MQTT-3.3.1-2", "MQTT-3.3.1-2", 0x81,                     \
	    "DUP is set at QoS 0")                                             \
	X(QOS_3, "MQTT-3.3.1-4", "MQTT-3.3.1-4", 0x81, "the QoS is 3")         \
	X(TOPIC_TEXT, "MQTT-3.3.2-1", "MQTT-3.3.2-1", 0x81,                    \
	    "the topic name is not well-formed UTF-8")                         \
	X(TOPIC_WILDCARD, "MQTT-3.3.2-2", "MQTT-3.3.2-2", 0x90,                \
	    "the topic name holds a wildcard")                                 \
	X(TOPIC_EMPTY, "MQTT-4.7.3-1", "section 3.3.2.1", 0x82,                \
	    "the topic name is empty")                                         \
	X(TOPIC_ALIAS_ZERO, "", "MQTT-3.3.2-8", 0x94,                          \
	    "the topic alias is zero")                                         \
	X(RESPONSE_TOPIC_WILDCARD, "", "MQTT-3.3.2-14", 0x82,                  \
	    "the response topic holds a wildcard")                             \
	X(SUBSCRIPTION_ID_SENDER, "", "MQTT-3.3.4-6", 0x82,                    \
	    "a client's PUBLISH carries a subscription identifier")            \
	/* reason codes of 5.0 */                                              \
	X(PUBACK_CODE, "", "MQTT-3.4.2-1", 0x82,                               \
	    "the reason code is none of PUBACK's")                             \
	X(PUBREC_CODE, "", "MQTT-3.5.2-1", 0x82,                               \
	    "the reason code is none of PUBREC's")                             \
	X(PUBREL_CODE, "", "MQTT-3.6.2-1", 0x82,                               \
	    "the reason code is none of PUBREL's")                             \
	X(PUBCOMP_CODE, "", "MQTT-3.7.2-1", 0x82,                              \
	    "the reason code is none of PUBCOMP's")                            \
	X(DISCONNECT_CODE, "", "MQTT-3.14.2-1", 0x82,                          \
	    "the reason code is none of DISCONNECT's")                         \
	X(AUTH_CODE, "", "MQTT-3.15.2-1", 0x82,                                \
	    "the reason code is none of AUTH's")                               \
	/* SUBSCRIBE, UNSUBSCRIBE and their answers */                         \
	X(SUBSCRIBE_EMPTY, "MQTT-3.8.3-3", "MQTT-3.8.3-2", 0x82,               \
	    "SUBSCRIBE without a topic filter")                                \
	X(SUBSCRIBE_TEXT, "MQTT-3.8.3-1", "MQTT-3.8.3-1", 0x81,                \
	    "a topic filter is not well-formed UTF-8")                         \
	X(SUBSCRIBE_OPTIONS, "MQTT-3.8.3-4", "MQTT-3.8.3-5", 0x81,             \
	    "reserved bits of the subscription options are set")               \
	X(SUBSCRIBE_QOS_3, "MQTT-3.8.3-4", "section 3.8.3.1", 0x82,            \
	    "the QoS that is asked for is 3")                                  \
	X(RETAIN_HANDLING_3, "", "section 3.8.3.1", 0x82,                      \
	    "the retain handling option is 3")                                 \
	X(NO_LOCAL_SHARED, "", "MQTT-3.8.3-4", 0x82,                           \
	    "no local on a shared subscription")                               \
	X(UNSUBSCRIBE_EMPTY, "MQTT-3.10.3-2", "MQTT-3.10.3-2", 0x82,           \
	    "UNSUBSCRIBE without a topic filter")                              \
	X(UNSUBSCRIBE_TEXT, "MQTT-3.10.3-1", "MQTT-3.10.3-1", 0x81,            \
	    "a topic filter is not well-formed UTF-8")                         \
	X(SUBACK_EMPTY, "section 3.9.3", "section 3.9.3", 0x82,                \
	    "SUBACK without a code")                                           \
	X(SUBACK_CODE, "MQTT-3.9.3-2", "MQTT-3.9.3-2", 0x82,                   \
	    "the code is none of SUBACK's")                                    \
	X(UNSUBACK_EMPTY, "", "section 3.11.3", 0x82,                          \
	    "UNSUBACK without a reason code")                                  \
	X(UNSUBACK_CODE, "", "MQTT-3.11.3-2", 0x82,                            \
	    "the reason code is none of UNSUBACK's")                           \
	/* topic filters */                                                    \
	X(FILTER_EMPTY, "MQTT-4.7.3-1", "MQTT-4.7.3-1", 0x8f,                  \
	    "a topic filter is empty")                                         \
	X(FILTER_HASH, "MQTT-4.7.1-2", "MQTT-4.7.1-1", 0x8f,                   \
	    "# is not the last level of its topic filter")                     \
	X(FILTER_PLUS, "MQTT-4.7.1-3", "MQTT-4.7.1-2", 0x8f,                   \
	    "+ does not fill its level of the topic filter")                   \
	X(SHARE_NAME, "", "MQTT-4.8.2-1", 0x8f,                                \
	    "a shared subscription names no group")                            \
	X(SHARE_FILTER, "", "MQTT-4.8.2-2", 0x8f,                              \
	    "a shared subscription's group holds a wildcard, or no filter "    \
	    "follows it")                                                      \
	/* properties of 5.0 */                                                \
	X(PROPERTY_LENGTH, "", "section 2.2.2.1", 0x81,                        \
	    "the properties are cut off or longer than they say")              \
	X(PROPERTY_UNKNOWN, "", "section 2.2.2.2", 0x81,                       \
	    "a property has an unknown identifier")                            \
	X(PROPERTY_PACKET, "", "section 2.2.2.2", 0x81,                        \
	    "a property that does not belong into this packet")                \
	X(PROPERTY_TWICE, "", "section 2.2.2.2", 0x82,                         \
	    "a property stands twice")                                         \
	X(PROPERTY_VALUE, "", "section 2.2.2.2", 0x82,                         \
	    "a property has a value that it must not have")                    \
	X(PROPERTY_TEXT, "", "MQTT-1.5.4-1", 0x81,                             \
	    "a property's string is not well-formed UTF-8")                    \
	X(PROPERTY_PAIR, "", "MQTT-1.5.7-1", 0x81,                             \
	    "a user property is not two strings of well-formed UTF-8")         \
	X(AUTH_DATA_ALONE, "", "section 3.1.2.11.10", 0x82,                    \
	    "authentication data without an authentication method")            \
	X(AUTH_METHOD_MISSING, "", "section 3.15.2.2.2", 0x82,                 \
	    "AUTH without an authentication method")                           \
	X(SESSION_EXPIRY_SENDER, "", "MQTT-3.14.2-2", 0x82,                    \
	    "a broker's DISCONNECT carries a session expiry interval")

enum mqtt_rule {
#define X(name, id_311, id_50, reason, sentence) MQTT_RULE_##name,
	MQTT_RULES(X)
#undef X
	    MQTT_RULE_COUNT
};

/*
 * The id of a rule as the standard of `level` (3, 4, 5; 0 where it is not
 * known yet: as 4) has it; "" where that standard has no such rule.
 */
const char *mqtt_rule_id(enum mqtt_rule rule, uint8_t level);

/* What is wrong, one sentence without a full stop. */
const char *mqtt_rule_text(enum mqtt_rule rule);

/* The reason code of MQTT 5.0 for CONNACK or DISCONNECT: 0x80 and above. */
uint8_t mqtt_rule_reason(enum mqtt_rule rule);

#endif
