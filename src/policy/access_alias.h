#ifndef KAYA_ACCESS_ALIAS_H
#define KAYA_ACCESS_ALIAS_H

/*
 * access_alias: the topic aliases of one direction of a connection (MQTT 5.0
 * section 3.3.2.3.4), for whoever does not give every PUBLISH on: the receiver
 * has then never heard what a later alias stands for.
 */

#include "mqtt_walk.h"

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

/*
 * Give a PUBLISH on: as it is, or with its topic written out where the
 * receiver does not know what the alias stands for.  `alias` is what
 * access_alias_follow said, NULL where it has none.  False where `to` says so,
 * or memory fails.
 */
bool access_alias_give(bool (*to)(void *arg, struct span bytes), void *arg,
    const struct mqtt_walk_item *item, struct access_alias *alias);

#endif
