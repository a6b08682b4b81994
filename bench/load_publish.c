#include "load_pool.h"

#include <stdio.h>
#include <stdlib.h>

struct packet {
	uint8_t *bytes;
	size_t len;
};

static void
packets_free(struct packet *packets, unsigned count)
{
	for (unsigned i = 0; packets != NULL && i < count; i++)
		free(packets[i].bytes);
	free(packets);
}

/* One for each device, to a topic of its own.  NULL where memory fails. */
static struct packet *
packets_new(const struct load_options *options)
{
	struct packet *packets = calloc(options->count, sizeof(*packets));

	for (unsigned i = 0; packets != NULL && i < options->count; i++) {
		packets[i].bytes =
		    load_way_mqtt_publish(i, options->size, 0, &packets[i].len);
		if (packets[i].bytes == NULL) {
			packets_free(packets, options->count);
			return NULL;
		}
	}
	return packets;
}

/* Once QoS 1 is acknowledged, what went before it has arrived. */
static int
flush(struct load_way *way, unsigned number, struct err *err)
{
	size_t len;
	uint8_t *packet = load_way_mqtt_publish(number, 1, 1, &len);
	int result;

	if (packet == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	result = load_way_write(way, span_of(packet, len), err);
	free(packet);
	return result == -1 ? -1 : load_way_mqtt_puback(way, 1, err);
}

/* Evenly spaced, by the devices in turn, each with a write of its own. */
static int
publish(
    const struct load_pool *pool, const struct packet *packets, struct err *err)
{
	const struct load_options *options = pool->options;
	uint64_t started = load_now_ns(), sent, done;

	for (unsigned i = 0; i < options->messages; i++) {
		unsigned device = i % options->count;

		if (options->rate > 0)
			load_sleep_until(started + (uint64_t)i * 1000000000u /
						       options->rate);
		if (load_way_write(pool->ways[device],
			span_of(packets[device].bytes, packets[device].len),
			err) == -1)
			return -1;
	}
	sent = load_now_ns() - started;
	for (unsigned i = 0; i < options->count; i++)
		if (flush(pool->ways[i], i, err) == -1)
			return -1;
	done = load_now_ns() - started;
	printf("{\"messages\":%u,\"seconds_sent\":%.3f,\"seconds\":%.3f,"
	       "\"cipher\":\"%s\"}\n",
	    options->messages, (double)sent / 1e9, (double)done / 1e9,
	    load_way_cipher(pool->ways[0]));
	return 0;
}

int
load_publish(const struct load_options *options, struct err *err)
{
	struct load_pool pool;
	struct packet *packets = packets_new(options);
	int result = -1;

	if (packets == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	if (load_pool_init(&pool, options, err) == -1 ||
	    load_pool_open(&pool, err) == -1)
		goto out;
	if (pool.failed > 0) {
		err_set(err, ERR_FAILED, "not all devices are connected");
		goto out;
	}
	if (load_wait_for_word() == -1 || publish(&pool, packets, err) == -1)
		goto out;
	load_wait_for_end();
	result = 0;
out:
	load_pool_close(&pool);
	packets_free(packets, options->count);
	return result;
}
