#ifndef KAYA_TEST_ACCESS_WORLD_PRIVATE_H
#define KAYA_TEST_ACCESS_WORLD_PRIVATE_H

/*
 * What the modules behind access_world.h share.
 *
 *	access_world         the access, the walks, the script
 *	access_world_client  what the client sends, and is to be given
 *	access_world_broker  the same of the broker
 *	access_world_hold    what waits for a decision, and who decides
 *	access_world_packet  packets, and queues of them
 */

#include "access.h"
#include "access_world.h"
#include "mqtt_packet.h"

#include <stdlib.h>

#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition))                                              \
			abort();                                               \
	} while (0)

enum { IDS = 12, ALIASES = 4, PACKET_MAX = 512, FILTERS_MAX = 6 };
/* A script is cut where it could lead to more. */
enum { SCRIPT_MAX_BYTES = 4096, DEBTS_MAX = 4096, WIRE_MAX = 1 << 18 };

/* ---- packets ---- */

struct packet {
	struct packet *next;
	uint8_t type;
	uint8_t topic; /* of a PUBLISH, its alias followed */
	uint16_t id;
	size_t len;
	uint8_t bytes[PACKET_MAX];
};

struct queue {
	struct packet *first, **last;
};

void queue_init(struct queue *queue);
void queue_put(struct queue *queue, const struct packet *packet);
void queue_put_first(struct queue *queue, const struct packet *packet);
struct packet *queue_take(struct queue *queue); /* the caller's to free */
void queue_fini(struct queue *queue);

/* A packet grows from its body; packet_end puts its fixed header before it. */
void packet_u8(struct packet *packet, unsigned value);
void packet_u16(struct packet *packet, unsigned value);
void packet_text(struct packet *packet, const char *text);
void packet_fill(struct packet *packet, size_t len, uint8_t fill);
void packet_end(struct packet *packet, unsigned first);

/* PUBACK and its like, SUBACK and its like, with a code where 5.0 has it. */
void packet_ack(struct packet *packet, uint8_t level, uint8_t type, uint16_t id,
    uint8_t code);
void packet_codes(struct packet *packet, uint8_t level, uint8_t type,
    uint16_t id, struct span codes);

struct sent_publish {
	const char *topic; /* empty: by its alias */
	uint8_t qos, alias;
	bool dup, retain;
	uint16_t id;
	size_t size;
	uint8_t fill;
};
void packet_publish(
    struct packet *packet, uint8_t level, const struct sent_publish *publish);

/* ---- the two ends ---- */

enum id_state { ID_FREE, ID_PUBLISHED, ID_RECEIVED, ID_RELEASED };

struct id {
	uint8_t state; /* enum id_state */
	uint8_t qos;
	bool is_refused; /* of the client's: by the access; of the broker's:
			    withheld */
	bool is_held; /* it is not decided which */
	unsigned acks; /* still to come */
	struct sent_publish sent;
	uint8_t topic;
};

/* An answer that somebody owes, or is owed. */
struct debt {
	uint8_t type;
	uint16_t id;
	bool is_refused, is_held;
	uint8_t code;
};

struct debts {
	struct debt list[DEBTS_MAX];
	unsigned first, count;
};
void debts_put(struct debts *debts, const struct debt *debt);
struct debt debts_take(struct debts *debts);
struct debt debts_take_id(struct debts *debts, uint16_t id); /* its first */

struct subscription {
	bool is_open;
	bool is_refused[FILTERS_MAX], is_own[FILTERS_MAX];
	uint16_t count, granted;
	uint8_t filters[FILTERS_MAX], asked[FILTERS_MAX];
	uint8_t codes[FILTERS_MAX]; /* that the client is to be given */
};

struct side {
	struct id ids[IDS + 1]; /* of the messages that it sends */
	int16_t sent_alias[ALIASES + 1], got_alias[ALIASES + 1]; /* topics */
	struct debts owes; /* answers to what it was sent, in order */
	struct queue expected; /* what it is to be given, in order */
	uint8_t wire[WIRE_MAX]; /* what it sent, and did not arrive */
	size_t wire_len;
};

/* A PUBLISH that the access has asked about. */
struct asked {
	uint32_t number;
	bool waits; /* there is one such at most */
	struct packet packet;
};

struct world {
	struct span script;
	uint8_t level;
	unsigned policy; /* 0 or 1 */
	struct access_events events;
	struct access *access;
	struct mqtt_walk up, down; /* before the access */
	struct mqtt_walk check_up, check_down; /* behind it */
	struct side client, broker;
	struct debts acks; /* PUBACK, PUBREC: the client is owed, in order */
	struct debts broker_codes; /* of those that the broker gave */
	struct subscription subscriptions[IDS + 1];
	struct access_world_count *count;
	unsigned refusals; /* that are to be told */
	bool has_connack, is_let_in; /* it was sent; it arrived */
	bool is_hostile;
	bool is_finishing;
	struct asked asked[ACCESS_QUESTIONS_MAX]; /* wait for a decision */
	unsigned asked_count;
	const struct packet *sending; /* that is to be asked about now */
	unsigned told; /* on topics of the gateway's own, not given yet */
};

unsigned world_choose(struct world *world, unsigned below);
void world_send(struct side *from, const struct packet *packet);
uint16_t world_free_id(struct world *world, const struct side *side);
void feed_from_client(struct world *world);

/* ---- what may be said: known here by itself ---- */

enum asks {
	ASKS_NOTHING,
	ASKS_AND_WAITS, /* for a person: held */
	ASKS_TO_GO, /* held until it is known whether there is a permit */
	ASKS_ALONE /* the gateway's own: goes nowhere */
};

struct topic {
	const char *name;
	bool is_read; /* else it is published */
	uint8_t policies; /* bit 0, bit 1: under which it may */
	uint8_t qos_max;
	bool may_retain;
	size_t size_max;
	enum asks asks;
};
extern const struct topic topics[];
extern const size_t topic_count;

struct filter {
	const char *text;
	uint8_t policies, qos_max;
	bool is_own; /* the gateway's: no broker sees it */
};
extern const struct filter filters[];
extern const size_t filter_count;

/* ---- steps of the script ---- */

void client_publish(struct world *world);
void client_send_again(struct world *world);
void client_subscribe(struct world *world);
void client_unsubscribe(struct world *world);
void client_ping(struct world *world);
void client_answer(struct world *world);
void client_release(struct world *world);
void broker_connack(struct world *world);
void broker_publish(struct world *world);
void broker_answer(struct world *world);
void broker_release(struct world *world);
void somebody_decides(struct world *world);

/* ---- what waits for a decision ---- */

void world_hold_events(struct access_events *events);
/* What the access does with a publish of a topic that asks. */
enum fate { FATE_PASSES, FATE_REFUSED, FATE_ASKED };
enum fate world_fate(const struct world *world,
    const struct sent_publish *publish, const struct topic *topic,
    const struct packet *packet, uint8_t *code);
void everything_is_decided(struct world *world);
/* The same of hostile scripts.  False: no memory. */
bool world_decide(struct world *world);

/* Something arrived behind the access. */
void client_get(struct world *world, const struct mqtt_walk_item *item);
void broker_get(struct world *world, const struct mqtt_walk_item *item);

/* It must be the next that `side` is to be given, byte for byte. */
void side_expect(struct side *side, const struct mqtt_walk_item *item);
/* The same of a PUBLISH, but that its topic may have been written out. */
void side_get_publish(struct side *side, const struct mqtt_walk_item *item);

#endif
