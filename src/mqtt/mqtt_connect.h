#ifndef KAYA_MQTT_CONNECT_H
#define KAYA_MQTT_CONNECT_H

/*
 * mqtt_connect: the packet that opens an MQTT connection (3.1.1 and 5.0
 * section 3.1), read, and written again with another user name, password or
 * client id in it.
 */

#include "buf.h"
#include "mqtt_frame.h"

/* What a client sent.  Every span points into its packet. */
struct mqtt_connect {
	uint8_t level; /* enum mqtt_level */
	uint8_t flags; /* the connect flags as sent */
	uint8_t will_qos;
	bool bridge; /* the client is another broker (see below) */
	bool clean; /* clean session, clean start */
	bool has_will;
	bool will_retain;
	bool has_user_name;
	bool has_password;
	bool has_auth_method; /* 5.0's extended authentication */
	bool no_problem_information; /* 5.0: reason strings only in CONNACK
					and DISCONNECT */
	uint32_t packet_max; /* 5.0: Maximum Packet Size; 0: none given */
	uint16_t keep_alive_s;
	struct span properties; /* 5.0; without the length before them */
	struct span client_id; /* may be empty */
	struct span will_properties;
	struct span will_topic;
	struct span will_payload;
	struct span user_name;
	struct span password;
	/* The packet in pieces, for mqtt_connect_rewrite. */
	uint8_t header_flags;
	struct span protocol; /* name and level */
	struct span settings; /* keep alive, properties with their length */
	struct span will; /* properties, topic, payload, with lengths */
};

/*
 * Read and check a whole CONNECT: its fixed header and what stands behind it.
 * The rule that is broken, or MQTT_RULE_NONE.  Where one is broken, `level`
 * is set as soon as it was understood and 0 before, so that the refusal can be
 * written as that level has it.
 *
 * Where we are as lenient as the brokers are:
 * - Bit 0x80 of the protocol level is how mosquitto's bridges say that they
 *   are bridges (0x83, 0x84; mosquitto 2.0 does not take 0x85).  It is read as
 *   `bridge` and passed on untouched: a broker that does not know it refuses
 *   the level by itself.
 * - In MQTT 3.1 a client id may be longer than 23 bytes, but not empty; a user
 *   name or password flag without the field behind it means that there is
 *   none (3.1 asks servers to accept that); reserved bits are free.
 */
enum mqtt_rule mqtt_connect_decode(const struct mqtt_frame *frame,
    struct span body, struct mqtt_connect *connect);

enum mqtt_edit_kind {
	MQTT_KEEP, /* as the client sent it, if it did */
	MQTT_DROP, /* take the field and its flag out */
	MQTT_SET /* put `value` in */
};

struct mqtt_edit {
	enum mqtt_edit_kind kind;
	struct span value;
};

/* Zeroed: nothing is changed. */
struct mqtt_connect_edits {
	struct mqtt_edit client_id; /* cannot be dropped */
	struct mqtt_edit user_name;
	struct mqtt_edit password;
};

/*
 * Append the packet that `connect` was read from to `out`, edited; everything
 * else in it is byte for byte what came in (the remaining length is always
 * written in the fewest bytes).  The packet must still be in memory.
 *
 * False, and nothing appended, where a value is longer than 65,535 bytes, the
 * packet would be larger than MQTT allows, the result would break
 * MQTT-3.1.2-22 (a password without a user name, before 5.0), or `out` cannot
 * take it.
 */
bool mqtt_connect_rewrite(const struct mqtt_connect *connect,
    const struct mqtt_connect_edits *edits, struct buf *out);

#endif
