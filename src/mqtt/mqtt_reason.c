#include "mqtt_reason.h"

#define M(type) MQTT_MASK(MQTT_##type)

enum {
	CONN = M(CONNACK),
	PUB = M(PUBACK) | M(PUBREC),
	REL = M(PUBREL) | M(PUBCOMP),
	SUB = M(SUBACK),
	UNSUB = M(UNSUBACK),
	DISC = M(DISCONNECT),
	AUTH = M(AUTH),
	FEW = CONN | DISC,
	MOST = CONN | PUB | SUB | UNSUB | DISC,
};

/* code, packets, name, cause */
#define REASONS(X)                                                             \
	X(0x00, CONN | PUB | REL | UNSUB | AUTH, "Success", "it was accepted") \
	X(0x00, DISC, "Normal disconnection", "the other side was done")       \
	X(0x00, SUB, "Granted QoS 0", "the subscription stands at QoS 0")      \
	X(0x01, SUB, "Granted QoS 1", "the subscription stands at QoS 1")      \
	X(0x02, SUB, "Granted QoS 2", "the subscription stands at QoS 2")      \
	X(0x04, DISC, "Disconnect with Will Message",                          \
	    "the client left and wants its will published")                    \
	X(0x10, PUB, "No matching subscribers",                                \
	    "the message was taken, but nobody subscribes to its topic")       \
	X(0x11, UNSUB, "No subscription existed",                              \
	    "the filter differs from the one subscribed to, or the session "   \
	    "was new")                                                         \
	X(0x18, AUTH, "Continue authentication",                               \
	    "the authentication has another step")                             \
	X(0x19, AUTH, "Re-authenticate", "the client authenticates again")     \
	X(0x80, MOST, "Unspecified error",                                     \
	    "the broker does not want to say; its log does")                   \
	X(0x81, FEW, "Malformed Packet",                                       \
	    "the sender does not encode its packets as the standard says")     \
	X(0x82, FEW, "Protocol Error",                                         \
	    "a packet came that must not come then or there")                  \
	X(0x83, MOST, "Implementation specific error",                         \
	    "something of the broker's own; its log tells what")               \
	X(0x84, CONN, "Unsupported Protocol Version",                          \
	    "the broker does not speak this version of MQTT: try 3.1.1")       \
	X(0x85, CONN, "Client Identifier not valid",                           \
	    "the broker does not allow this client id, or an empty one")       \
	X(0x86, CONN, "Bad User Name or Password",                             \
	    "the broker does not know this user name with this password")      \
	X(0x87, MOST, "Not authorized",                                        \
	    "the broker's access rules do not allow it to this user")          \
	X(0x88, CONN, "Server unavailable",                                    \
	    "the broker runs, but cannot serve now")                           \
	X(0x89, FEW, "Server busy", "the broker is overloaded: try later")     \
	X(0x8a, CONN, "Banned", "an administrator has shut this client out")   \
	X(0x8b, DISC, "Server shutting down",                                  \
	    "the broker is being stopped or restarted")                        \
	X(0x8c, FEW, "Bad authentication method",                              \
	    "the broker does not offer this authentication method")            \
	X(0x8d, DISC, "Keep Alive timeout",                                    \
	    "nothing came for one and a half times the keep alive: the "       \
	    "network, or a client that does not ping")                         \
	X(0x8e, DISC, "Session taken over",                                    \
	    "another connection came with the same client id")                 \
	X(0x8f, SUB | UNSUB | DISC, "Topic Filter invalid",                    \
	    "the filter is not allowed here, or its wildcards are misplaced")  \
	X(0x90, FEW | PUB, "Topic Name invalid",                               \
	    "the topic is not allowed here, or holds a wildcard")              \
	X(0x91, PUB | SUB | UNSUB, "Packet Identifier in use",                 \
	    "the client and the broker disagree about the session: connect "   \
	    "with clean start once")                                           \
	X(0x92, REL, "Packet Identifier not found",                            \
	    "the client and the broker disagree about the session")            \
	X(0x93, DISC, "Receive Maximum exceeded",                              \
	    "more messages were in flight than the receiver allowed")          \
	X(0x94, DISC, "Topic Alias invalid",                                   \
	    "a topic alias was used that was never set or is too high")        \
	X(0x95, FEW, "Packet too large",                                       \
	    "a packet was larger than the receiver accepts")                   \
	X(0x96, DISC, "Message rate too high",                                 \
	    "more messages came than the broker's limit allows")               \
	X(0x97, CONN | PUB | SUB | DISC, "Quota exceeded",                     \
	    "a limit that the administrator set was reached")                  \
	X(0x98, DISC, "Administrative action",                                 \
	    "an administrator closed the connection")                          \
	X(0x99, FEW | PUB, "Payload format invalid",                           \
	    "the payload is said to be text, but is not UTF-8")                \
	X(0x9a, FEW, "Retain not supported",                                   \
	    "the broker keeps no retained messages")                           \
	X(0x9b, FEW, "QoS not supported",                                      \
	    "the broker does not do this QoS: use a lower one")                \
	X(0x9c, FEW, "Use another server",                                     \
	    "the broker sends its clients elsewhere for now")                  \
	X(0x9d, FEW, "Server moved", "the broker has another address now")     \
	X(0x9e, SUB | DISC, "Shared Subscriptions not supported",              \
	    "the broker does not know $share")                                 \
	X(0x9f, FEW, "Connection rate exceeded",                               \
	    "too many connections came at once: try later")                    \
	X(0xa0, DISC, "Maximum connect time",                                  \
	    "the connection was as old as the broker lets it become")          \
	X(0xa1, SUB | DISC, "Subscription Identifiers not supported",          \
	    "the broker does not know subscription identifiers")               \
	X(0xa2, SUB | DISC, "Wildcard Subscriptions not supported",            \
	    "the broker allows no + and no # in filters")

static const struct mqtt_reason reasons[] = {
#define X(code, packets, name, cause) {code, packets, name, cause},
    REASONS(X)
#undef X
};

/* CONNACK's return codes before 5.0; SUBACK has 0, 1, 2 and 0x80. */
static const struct mqtt_reason return_codes[] = {
    {0, CONN, "Connection Accepted", "it was accepted"},
    {1, CONN, "unacceptable protocol version",
	"the broker does not speak this version of MQTT: try 3.1.1"},
    {2, CONN, "identifier rejected",
	"the broker does not allow this client id, or an empty one without "
	"a clean session"},
    {3, CONN, "Server unavailable", "the broker runs, but cannot serve now"},
    {4, CONN, "bad user name or password",
	"the broker does not know this user name with this password"},
    {5, CONN, "not authorized",
	"the broker wants a user name and password, or does not know these"},
    {0, SUB, "Maximum QoS 0", "the subscription stands at QoS 0"},
    {1, SUB, "Maximum QoS 1", "the subscription stands at QoS 1"},
    {2, SUB, "Maximum QoS 2", "the subscription stands at QoS 2"},
    {0x80, SUB, "Failure",
	"the broker's access rules do not allow this filter to this user"},
};

static const struct mqtt_reason *
find(const struct mqtt_reason *rows, size_t count, uint8_t code, uint8_t type)
{
	for (size_t i = 0; i < count; i++) {
		if (rows[i].code == code &&
		    (rows[i].packets & MQTT_MASK(type)) != 0)
			return &rows[i];
	}
	return NULL;
}

const struct mqtt_reason *
mqtt_reason_find(uint8_t code, uint8_t type, uint8_t level)
{
	if (level == MQTT_50)
		return find(
		    reasons, sizeof reasons / sizeof reasons[0], code, type);
	return find(return_codes, sizeof return_codes / sizeof return_codes[0],
	    code, type);
}

bool
mqtt_reason_fits(uint8_t code, uint8_t type)
{
	/* Nearly all answers are plain successes. */
	if (code == MQTT_SUCCESS)
		return (reasons[0].packets & MQTT_MASK(type)) != 0 ||
		       type == MQTT_DISCONNECT || type == MQTT_SUBACK;
	return mqtt_reason_find(code, type, MQTT_50) != NULL;
}

uint8_t
mqtt_reason_to_return_code(uint8_t reason)
{
	static const struct {
		uint8_t reason;
		uint8_t return_code;
	} rows[] = {
	    {MQTT_UNSUPPORTED_VERSION, 1},
	    {MQTT_CLIENT_ID_NOT_VALID, 2},
	    {MQTT_SERVER_UNAVAILABLE, 3},
	    {MQTT_SERVER_BUSY, 3},
	    {MQTT_SERVER_SHUTTING_DOWN, 3},
	    {MQTT_QUOTA_EXCEEDED, 3},
	    {0x9c, 3},
	    {0x9d, 3},
	    {0x9f, 3},
	    {MQTT_BAD_USER_NAME_OR_PASSWORD, 4},
	    {MQTT_NOT_AUTHORIZED, 5},
	    {MQTT_BANNED, 5},
	    {0x8c, 5},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (rows[i].reason == reason)
			return rows[i].return_code;
	}
	return 0;
}
