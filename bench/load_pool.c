#include "load_pool.h"

#include <stdio.h>
#include <stdlib.h>

int
load_pool_init(
    struct load_pool *pool, const struct load_options *options, struct err *err)
{
	*pool = (struct load_pool){
	    .options = options, .lock = PTHREAD_MUTEX_INITIALIZER};
	pool->ways = calloc(options->count, sizeof(struct load_way *));
	if (pool->ways == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	pool->common = load_way_common_new(&options->way, err);
	return pool->common == NULL ? -1 : 0;
}

static void *
connect_some(void *arg)
{
	struct load_pool *pool = arg;
	unsigned i;

	while ((i = atomic_fetch_add(&pool->next, 1)) < pool->options->count) {
		struct err err = ERR_INIT;
		struct load_way *way = load_way_open(pool->common, i, &err);

		if (way != NULL && load_way_mqtt_connect(way, i, &err) == 0) {
			pool->ways[i] = way;
			continue;
		}
		load_way_close(way);
		if (atomic_fetch_add(&pool->failed, 1) == 0) {
			pthread_mutex_lock(&pool->lock);
			pool->first = err;
			pthread_mutex_unlock(&pool->lock);
		}
	}
	return NULL;
}

int
load_pool_open(struct load_pool *pool, struct err *err)
{
	unsigned count = pool->options->concurrency, started = 0;
	pthread_t *threads = calloc(count, sizeof(*threads));
	char text[700];

	if (threads == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	while (started < count &&
	       pthread_create(&threads[started], NULL, connect_some, pool) == 0)
		started++;
	for (unsigned i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	free(threads);
	if (started < count)
		return err_set(err, ERR_SYSTEM, "a thread cannot be started");
	if (pool->failed > 0)
		fprintf(stderr, "load: %u of %u failed, the first: %s\n",
		    pool->failed, pool->options->count,
		    err_text(&pool->first, text, sizeof(text)));
	return 0;
}

void
load_pool_close(struct load_pool *pool)
{
	for (unsigned i = 0; pool->ways != NULL && i < pool->options->count;
	     i++)
		load_way_close(pool->ways[i]);
	free(pool->ways);
	load_way_common_free(pool->common);
}
