#include "load_pool.h"

#include <stdio.h>

int
load_devices(const struct load_options *options, struct err *err)
{
	struct load_pool pool;
	uint64_t started;
	int result = -1;

	if (load_pool_init(&pool, options, err) == -1 ||
	    load_wait_for_word() == -1)
		goto out;
	started = load_now_ns();
	if (load_pool_open(&pool, err) == -1)
		goto out;
	printf("{\"connected\":%u,\"failed\":%u,\"seconds\":%.3f,"
	       "\"cipher\":\"%s\"}\n",
	    options->count - pool.failed, pool.failed,
	    (double)(load_now_ns() - started) / 1e9,
	    pool.ways[0] == NULL ? "" : load_way_cipher(pool.ways[0]));
	load_wait_for_end();
	result = 0;
out:
	load_pool_close(&pool);
	return result;
}
