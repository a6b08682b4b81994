#ifndef KAYA_ACCESS_PRIVATE_H
#define KAYA_ACCESS_PRIVATE_H

/*
 * What the modules behind access.h share.  Nobody else includes it.
 *
 *	access            the connection: CONNECT, masks, our own packets
 *	access_busy       what is under way, and its memory
 *	access_publish    PUBLISH, either way
 *	access_hold       PUBLISHes that wait for a decision
 *	access_own        the gateway's own topics
 *	access_subscribe  SUBSCRIBE and its SUBACK
 *	access_acks       the order of acknowledgements
 *	access_will       the will, now and by the next policy
 */

#include "access.h"
#include "access_alias.h"
#include "access_ids.h"
#include "buf.h"
#include "mqtt_encode.h"

/* ---- acknowledgements ---- */

enum access_ack_state {
	ACCESS_ACK_AT_BROKER, /* the broker has still to answer */
	ACCESS_ACK_HELD, /* it is not decided who will */
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
/* A PUBLISH is held; it will go on after all. */
bool access_acks_hold(
    struct access_acks *acks, uint16_t packet_id, uint8_t type);
void access_acks_let_go(
    struct access_acks *acks, uint16_t packet_id, uint8_t type);
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

/* ---- subscriptions under way ---- */

/* A SUBSCRIBE that went on with filters taken out. */
struct access_pending {
	struct access_pending *next;
	uint16_t packet_id;
	uint16_t count;
	uint8_t codes[]; /* ACCESS_ASKED: the broker's to say */
};
enum { ACCESS_ASKED = 0xff };

/* ---- the will ---- */

/* As far as another policy may be asked about it. */
struct access_will {
	uint8_t qos;
	bool is_retained;
	bool has_payload; /* else it is too long to be of a safe state */
	uint16_t topic_len;
	uint32_t size;
	uint8_t bytes[]; /* the topic, the payload */
};

/* False: no memory. */
bool access_will_keep(
    struct access *access, const struct mqtt_connect *connect);

/* Whether it may be published, where there is one; a refusal is told. */
bool access_will_may_stay(struct access *access);

/* ---- what waits for a decision ---- */

struct access_held {
	struct access_held *next;
	uint32_t number;
	uint8_t asking; /* enum access_asking */
	uint8_t qos;
	bool waits; /* for a person, or until time is over */
	bool may_go;
	uint16_t packet_id, alias; /* 0: none */
	uint32_t topic_len, payload_len;
	uint32_t len; /* of the packet */
	uint8_t bytes[]; /* the topic, the packet with its topic */
};

/* A subscription to one of the gateway's own topics. */
struct access_own_sub {
	bool is_on;
	uint32_t id; /* 5.0: Subscription Identifier; 0: none */
};

/*
 * What is under way, and what was agreed on for the connection: most have none
 * of it most of the time.
 */
struct access_busy {
	struct access_aliases from_client, from_broker;
	struct access_acks acks;
	struct access_ids refused; /* before 5.0, at QoS 2: PUBREL will come */
	struct access_ids withheld; /* of the broker's: the same */
	struct access_pending *pending;
	struct access_held *held; /* the oldest first */
	struct access_own_sub own[ACCESS_OWN_COUNT];
	struct buf to_client, to_broker; /* our own, that wait */
};

struct access {
	struct policy_who who;
	const struct access_events *events;
	void *arg;
	struct access_busy *busy; /* NULL: access_idle */
	struct access_will *will; /* NULL: none */
	char *client_id;
	uint32_t client_packet_max;
	uint32_t last_number;
	uint32_t identity_len, role_len;
	uint16_t client_id_len;
	uint8_t level;
	bool no_reasons; /* the client wants no reason strings */
	bool has_connack; /* one that lets the client in */
	char names[]; /* identity and role */
};

/* Nothing is under way. */
extern const struct access_busy access_idle;

/* To look at. */
static inline const struct access_busy *
access_see(const struct access *access)
{
	return access->busy != NULL ? access->busy : &access_idle;
}

/* To change; NULL where memory fails. */
struct access_busy *access_begin(struct access *access);

/* Give it back: where nothing is under way any more, or whatever is. */
void access_rest(struct access *access);
void access_end(struct access *access);

/* A set of packet ids, where there is one: see access_ids_take. */
bool access_take_refused(struct access *access, uint16_t packet_id);
bool access_take_withheld(struct access *access, uint16_t packet_id);

/* A packet of our own; it goes out at the next place between two frames. */
bool access_say_client(struct access *access, const struct mqtt_answer *answer);
bool access_say_broker(struct access *access, const struct mqtt_answer *answer);

/*
 * Answer a PUBLISH in the broker's place, behind those before it; of QoS 0
 * there is no answer.  Before 5.0 it can only be thanked.
 */
bool access_acknowledge(struct access *access, uint8_t qos, uint16_t packet_id,
    const struct access_answer *answer);

uint8_t access_code(const struct access_refusal *refusal);

/* Tell of a refusal, answer the client; what is left of it is skipped. */
enum access_result access_refuse(struct access *access,
    enum mqtt_walk_result result, const struct mqtt_publish *publish,
    const struct access_refusal *refusal);

/* What stands behind a PUBLISH's head, where all of it is there. */
struct span access_payload(
    enum mqtt_walk_result result, const struct mqtt_walk_item *item);

/* One more, of so many that the role permits; that the gateway does. */
bool access_is_too_many(struct access *access, uint64_t now_ms);
bool access_asks_too_often(struct access *access, uint64_t now_ms);

/* ---- access_hold ---- */

/* A PUBLISH while it is judged. */
struct access_publishing {
	enum mqtt_walk_result result;
	const struct mqtt_walk_item *item;
	struct access_alias *alias; /* NULL: none */
	struct access_refusal refusal; /* with its topic */
	struct span payload;
	uint64_t now_ms;
};

/* Hold it, and ask; or refuse it. */
enum access_result access_hold(
    struct access *access, struct access_publishing *publishing);

/* Ask without holding anything: the answer is all that is wanted. */
enum access_result access_ask(struct access *access,
    struct access_publishing *publishing, enum access_asking asking);

/* The packet id of what is held: the same again, which is nothing new? */
enum access_result access_hold_again(
    struct access *access, const struct access_publishing *publishing);
bool access_holds_id(const struct access *access, uint16_t packet_id);

/* Give out what may go; we stand between two frames.  False: no memory. */
bool access_hold_settle(struct access *access);

/* The client leaves. */
void access_hold_lose(struct access *access);
void access_hold_fini(struct access_busy *busy);

/* ---- access_own ---- */

/* Whether a topic, or a filter, is the gateway's. */
bool access_own_is(struct span topic);

enum access_result access_own_publish(
    struct access *access, struct access_publishing *publishing);

/*
 * A filter of a SUBSCRIBE with these properties: the code that it gets, or
 * ACCESS_ASKED where it is none of ours.
 */
uint8_t access_own_subscribe(
    struct access *access, struct span filter, struct span properties);
void access_own_unsubscribe(
    struct access *access, const struct mqtt_walk_item *item);

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
