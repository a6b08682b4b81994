#ifndef KAYA_ACCESS_PRIVATE_H
#define KAYA_ACCESS_PRIVATE_H

/*
 * What the modules behind access.h share.  Nobody else includes it.
 *
 *	access            the connection: CONNECT, masks, our own packets
 *	access_publish    PUBLISH, either way
 *	access_subscribe  SUBSCRIBE and its SUBACK
 *	access_acks       the order of acknowledgements; sets of packet ids
 *	access_alias      topic aliases of one direction
 */

#include "access.h"
#include "buf.h"
#include "mqtt_encode.h"

/* ---- aliases ---- */

struct access_alias {
	uint16_t number;
	bool is_known; /* the receiver has seen this topic with it */
	uint16_t len;
	uint8_t *topic;
};

/* All zero is empty. */
struct access_aliases {
	struct access_alias *list;
	uint16_t count;
	uint32_t bytes;
};

/*
 * The alias of a PUBLISH that has one, learned where a topic stands beside it.
 * NULL where it stands for nothing, there are too many, or memory fails
 * (`*no_memory`).
 */
struct access_alias *access_alias_follow(struct access_aliases *aliases,
    const struct mqtt_publish *publish, bool *no_memory);
void access_aliases_fini(struct access_aliases *aliases);

/* ---- acknowledgements ---- */

enum access_ack_state {
	ACCESS_ACK_AT_BROKER, /* the broker has still to answer */
	ACCESS_ACK_READY /* `bytes` are the answer */
};

struct access_ack {
	uint16_t packet_id;
	uint8_t type; /* MQTT_PUBACK or MQTT_PUBREC, for a PUBLISH */
	uint8_t state; /* enum access_ack_state */
	uint32_t len;
	uint8_t *bytes;
};

/* In the order of the PUBLISHes; all zero is empty. */
struct access_acks {
	struct access_ack *list;
	uint32_t first, count, room;
	size_t bytes; /* of answers that wait */
};

/* A PUBLISH goes on; one that is sent again stays where it is. */
bool access_acks_expect(
    struct access_acks *acks, uint16_t packet_id, uint8_t type);
/* Whether the broker has still to answer one. */
bool access_acks_is_expected(
    const struct access_acks *acks, uint16_t packet_id, uint8_t type);
/* A PUBLISH was answered by us; behind those before it. */
bool access_acks_answer(struct access_acks *acks, uint16_t packet_id,
    uint8_t type, struct span bytes);
/* The broker answered: may it go out now, must it wait (it is kept)? */
enum access_turn { ACCESS_TURN_NOW, ACCESS_TURN_LATER, ACCESS_TURN_NO_MEMORY };
enum access_turn access_acks_arrived(struct access_acks *acks,
    uint16_t packet_id, uint8_t type, struct span bytes);
/* The answer that may go out next; good until access_acks_pop. */
bool access_acks_next(const struct access_acks *acks, struct span *bytes);
void access_acks_pop(struct access_acks *acks);
void access_acks_fini(struct access_acks *acks);

/* Packet ids; all zero is empty. */
struct access_ids {
	uint64_t *bits;
	uint32_t count;
};
bool access_ids_add(struct access_ids *ids, uint16_t packet_id);
bool access_ids_take(struct access_ids *ids, uint16_t packet_id);

/* ---- subscriptions under way ---- */

/* A SUBSCRIBE that went on with filters taken out. */
struct access_pending {
	struct access_pending *next;
	uint16_t packet_id;
	uint16_t count;
	uint8_t codes[]; /* ACCESS_ASKED: the broker's to say */
};
enum { ACCESS_ASKED = 0xff };

struct access {
	struct policy_who who;
	struct access_events events;
	struct policy_rate *rate;
	struct access_aliases from_client, from_broker;
	struct access_acks acks;
	struct access_ids refused; /* before 5.0, at QoS 2: PUBREL will come */
	struct access_ids withheld; /* of the broker's: the same */
	struct access_pending *pending;
	struct buf to_client, to_broker; /* our own, that wait */
	uint32_t client_packet_max;
	uint8_t level;
	bool no_reasons; /* the client wants no reason strings */
	bool has_connack; /* one that lets the client in */
	char *client_id;
	size_t client_id_len;
	size_t identity_len, role_len;
	char names[]; /* identity and role */
};

/* A packet of our own; it goes out at the next place between two frames. */
bool access_say_client(struct access *access, const struct mqtt_answer *answer);
bool access_say_broker(struct access *access, const struct mqtt_answer *answer);

/* The text of an answer to this client, where it wants one. */
struct span access_reason(const struct access *access, const char *text);
uint8_t access_code(enum policy_verdict verdict);

enum access_result access_publish(struct access *access,
    enum mqtt_walk_result result, const struct mqtt_walk_item *item,
    uint64_t now_ms);
enum access_result access_deliver(struct access *access,
    enum mqtt_walk_result result, const struct mqtt_walk_item *item);
enum access_result access_subscribe(
    struct access *access, const struct mqtt_walk_item *item);
enum access_result access_suback(
    struct access *access, const struct mqtt_walk_item *item);

#endif
