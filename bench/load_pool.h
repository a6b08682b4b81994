#ifndef KAYA_LOAD_POOL_H
#define KAYA_LOAD_POOL_H

/* load_pool: devices that connect, several at a time. */

#include "load.h"

#include <pthread.h>
#include <stdatomic.h>

struct load_pool {
	const struct load_options *options;
	struct load_way_common *common;
	struct load_way **ways; /* options->count; NULL where one failed */
	atomic_uint next;
	atomic_uint failed;
	pthread_mutex_t lock;
	struct err first; /* what went wrong first */
};

/* Read the files that are needed.  -1 and `err`: load_pool_close it all the
 * same. */
int load_pool_init(struct load_pool *pool, const struct load_options *options,
    struct err *err);

/*
 * Connect all, as far as CONNACK.  Those that fail are counted and the first
 * one's reason goes to stderr; -1 only where that could not be tried.
 */
int load_pool_open(struct load_pool *pool, struct err *err);

void load_pool_close(struct load_pool *pool);

#endif
