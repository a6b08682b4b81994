#ifndef KAYA_ACCESS_H
#define KAYA_ACCESS_H

/*
 * access: one MQTT connection under a policy.
 *
 *	client --- PUBLISH, SUBSCRIBE, will and client id judged ---> broker
 *	       <------------- each PUBLISH judged --------------------
 *
 * It stands behind the two walks of the connection (mqtt_walk.h) and takes
 * the packets that they give out.  What is refused goes no further, and is
 * answered in the other side's place:
 *
 *	PUBLISH     QoS 0: nothing.  1: PUBACK, 2: PUBREC, with a reason code
 *	            of 5.0; before 5.0 they can only say yes, and the client
 *	            is not made to send it for ever (3.1.1 section 3.3.5.2)
 *	SUBSCRIBE   the filters that are refused are taken out, and their codes
 *	            put into the SUBACK at their place
 *	a PUBLISH to the client: acknowledged to the broker
 *	CONNECT     the caller answers with the code that access_connect gives
 *
 * What needs somebody else's consent is held: its bytes stand here, its
 * acknowledgement keeps its place, and everything else goes on (access_events,
 * ask).  Topics below $kaya/ are the gateway's own and never reach a broker,
 * nor is anything below it taken from one.
 *
 * The client's acknowledgements come in the order of what they answer
 * (MQTT-4.6.0-2, -3), whoever gives them; the broker's of what is withheld come
 * at once, which is sooner than the client's own.  Topic aliases (5.0 section
 * 3.3.2.3.4) are followed both ways, and written out again where the side that
 * would have learned one was not given the packet.
 *
 * Pure: no I/O, no time, no threads.  An idle connection owns nothing but the
 * struct itself.
 */

#include "approval.h"
#include "mqtt_connect.h"
#include "mqtt_walk.h"
#include "policy.h"

struct access;

struct access_refusal {
	enum policy_action action;
	enum policy_verdict verdict; /* ALLOWED: too many messages */
	const struct policy_rule *why; /* NULL: none */
	/* On a protected topic: why it is not held, though its role may ask. */
	enum approval_cause cause;
	struct span topic; /* or filter; good during the call */
	uint8_t qos;
};

/* ---- what is decided elsewhere ---- */

enum {
	ACCESS_HELD_MAX_BYTES = 64 * 1024, /* a packet; larger is refused */
	ACCESS_QUESTIONS_MAX = 32, /* of one connection */
	ACCESS_HELD_ALL_MAX_BYTES = 2 * ACCESS_HELD_MAX_BYTES, /* the same */
};

enum access_asking {
	ACCESS_ASKS, /* it needs consent: held, and at most one of them */
	ACCESS_BREAKS_GLASS, /* it needs none, but has to be known first */
	ACCESS_AGREES, /* $kaya/approve: the payload is an id */
	ACCESS_DENIES /* $kaya/deny: an id, and perhaps a reason */
};

struct access_question {
	uint32_t number; /* for the answer; not 0 */
	enum access_asking asking;
	const struct policy_approval *rule; /* of the first two; else NULL */
	struct span topic, payload; /* good during the call */
	uint8_t qos;
	uint64_t within_ms; /* 5.0: the message's own expiry; 0: none */
};

struct access_answer {
	uint8_t code; /* of 5.0; below 0x80: it has done its part */
	struct span text; /* for a person; good during the call */
};

/* Topics of the gateway's own that can be subscribed to. */
enum access_own {
	ACCESS_OWN_RESULT, /* $kaya/result/IDENTITY */
	ACCESS_OWN_PENDING, /* $kaya/pending */
	ACCESS_OWN_COUNT
};

/* What there may be only so many of in so much time. */
enum access_use {
	ACCESS_USES_MESSAGE, /* a publish of one whose role has a rate */
	ACCESS_USES_QUESTION
};

enum access_permit { ACCESS_PERMIT_GIVEN, ACCESS_PERMIT_TAKEN };

struct access_events {
	/* Append to what goes there.  False: no memory; the end. */
	bool (*to_broker)(void *arg, struct span bytes);
	bool (*to_client)(void *arg, struct span bytes);
	void (*refused)(void *arg, const struct access_refusal *refusal);
	/* Count one more of these; false: it is too many.  NULL: never. */
	bool (*count)(void *arg, enum access_use use,
	    const struct policy_who *who, uint64_t now_ms);
	/*
	 * Somebody else decides: answer by access_let_go or access_answer,
	 * later.  False: it cannot be asked, and is refused.
	 */
	bool (*ask)(void *arg, const struct access_question *question);
	/*
	 * Whether that one, which may go, can be settled now: it would not wait
	 * anywhere, or its time is over and let_go will not have it.  Until
	 * then it stays here, for a later access_settle.
	 */
	bool (*is_due)(void *arg, uint32_t number);
	/*
	 * What may go is about to: NONE, and it has; or why it must not after
	 * all, which its client is told.
	 */
	enum approval_cause (*let_go)(void *arg, uint32_t number);
	/* The client leaves: no answer is wanted any more. */
	void (*lost)(void *arg, uint32_t number);
	/* A safe state of a protected topic is about to go to the broker. */
	void (*stopped)(void *arg, struct span topic);
	/* The topic of a permit: given now, or taken back. */
	void (*permit)(void *arg, const struct policy_approval *rule,
	    enum access_permit permit);
};

struct access_options {
	const struct policy *policy; /* has to outlive its use here */
	struct span identity, role; /* copied */
	const struct access_events *events; /* have to outlive it */
	void *arg; /* theirs */
};

/* NULL where memory fails. */
struct access *access_new(const struct access_options *options);
void access_free(struct access *access); /* NULL is fine */

/*
 * The client's CONNECT: 0, or the reason code of 5.0 to refuse it with, and
 * `*text` why, for a person.
 */
uint8_t access_connect(struct access *access,
    const struct mqtt_connect *connect,
    const struct policy_identities *identities, const char **text);

/* Why, where the client id belongs to another identity. */
extern const char access_not_your_client_id[];

/* As the client sent it, or its broker made it up (5.0). */
struct span access_client_id(const struct access *access);

/*
 * Another policy is in force from now on.  NULL, or why the client may not
 * stay: it may not have its client id, or its will, any more.  Then its broker
 * has to be told to forget the will, by a DISCONNECT.  What it subscribed to
 * remains, and is held back packet by packet where it may not be read.
 */
const char *access_change(struct access *access, const struct policy *policy,
    const struct policy_identities *identities);

/* Whether that is the role that it was given at the start. */
bool access_is_of_role(const struct access *access, struct span role);

/* The role that it was given at the start; good as long as it is. */
struct span access_role(const struct access *access);

/* What the walks are to give out, after each packet anew. */
uint16_t access_client_mask(const struct access *access);
uint16_t access_broker_mask(const struct access *access);

enum access_result {
	ACCESS_DONE,
	ACCESS_SKIP, /* a HEAD's payload has to be skipped (mqtt_walk_skip) */
	ACCESS_NO_MEMORY,
	/* A client's alias stands for nothing, or they are too many (5.0
	 * section 3.3.4, 0x94): end it. */
	ACCESS_BAD_ALIAS,
	/* The packet id of a publish that is held (MQTT-2.2.1-3): end it. */
	ACCESS_BAD_PACKET_ID
};

/*
 * A PACKET or HEAD (`result`) of the client's, of the broker's: of any type but
 * CONNECT.  Whatever it leads to has been given to the events when this
 * returns, or waits for access_settle.
 */
enum access_result access_from_client(struct access *access,
    enum mqtt_walk_result result, const struct mqtt_walk_item *item,
    uint64_t now_ms);
enum access_result access_from_broker(struct access *access,
    enum mqtt_walk_result result, const struct mqtt_walk_item *item);

/*
 * Give out packets of our own, into each direction whose walk stands between
 * two frames; to be called when all bytes that came were walked.  False: no
 * memory.
 */
bool access_settle(struct access *access, const struct mqtt_walk *from_client,
    const struct mqtt_walk *from_broker);

/*
 * The question `number` was decided.  It may go: it does at the next place
 * between two frames (access_settle), if let_go still says so.  Or it does not,
 * and this is what its client is answered.  An unknown number is no fault: the
 * client may have left.
 */
void access_let_go(struct access *access, uint32_t number);
enum access_result access_answer(
    struct access *access, uint32_t number, const struct access_answer *answer);

/* Whether it has subscribed to any of the gateway's own topics. */
bool access_hears(const struct access *access);

/*
 * Publish on one of them, to who subscribed and may read it; PENDING only where
 * it may agree by the rule of that name.  What a slow client cannot take is
 * dropped.  It goes out by access_settle.
 */
void access_tell(struct access *access, enum access_own what, struct span rule,
    struct span payload);

/* Whether nothing of our own waits, nor is any answer still to be put in. */
bool access_is_quiet(const struct access *access);

#endif
