#ifndef KAYA_PIPE_FACTS_H
#define KAYA_PIPE_FACTS_H

/*
 * pipe_facts: what status and log tell of an MQTT client, besides its bytes:
 * its client id and user name, what it subscribed to, which topics it
 * published to last, how many messages went either way.
 *
 * All of it is bounded, and no more memory is taken than it has: a client that
 * neither publishes nor subscribes costs its names.  What no memory is left
 * for is not told; that is never a failure.
 */

#include "buf.h"
#include "log.h"

enum {
	PIPE_FACTS_NAME_MAX = 128, /* bytes; longer ones are cut */
	PIPE_FACTS_TOPIC_MAX = 255, /* longer ones are counted alone */
	PIPE_FACTS_FILTERS_MAX_BYTES = 1024, /* and 16 of them */
	PIPE_FACTS_FILTERS_MAX = 16,
	PIPE_FACTS_TOPICS_MAX_BYTES = 192,
	PIPE_FACTS_TOPICS_MAX = 4
};

struct pipe_facts_names;
struct pipe_facts_list;

/* All zero: nothing is known. */
struct pipe_facts {
	uint64_t messages_in, messages_out; /* PUBLISHes; `in`: of the device */
	uint32_t refused; /* of those in */
	struct pipe_facts_names *names;
	struct pipe_facts_list *subscribed;
	struct pipe_facts_list *published; /* the last one first */
};
void pipe_facts_fini(struct pipe_facts *facts);

/* As CONNECT has them; an empty one is none. */
void pipe_facts_set_names(
    struct pipe_facts *facts, struct span client_id, struct span user);
struct span pipe_facts_client_id(const struct pipe_facts *facts);
struct span pipe_facts_user(const struct pipe_facts *facts);

/* The body of a SUBSCRIBE or UNSUBSCRIBE (`type`) of this level. */
void pipe_facts_note_filters(
    struct pipe_facts *facts, uint8_t type, uint8_t level, struct span body);

/* It was not granted. */
void pipe_facts_forget_filter(struct pipe_facts *facts, struct span filter);

/* The topic of a PUBLISH; empty: an alias stood in its place. */
void pipe_facts_note_topic(struct pipe_facts *facts, struct span topic);

/* `,"subscribed":[...],"subscribed_more":0,"published":[...]` and counts. */
void pipe_facts_put_json(const struct pipe_facts *facts, struct buf *json);

/* The same as words of a log line, lists with blanks between. */
void pipe_facts_log(const struct pipe_facts *facts, struct log_line *line);

#endif
