#include "load.h"

#include <stdio.h>
#include <stdlib.h>

static int
compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
report(uint64_t *ns, unsigned count)
{
	double sum = 0;

	qsort(ns, count, sizeof(*ns), compare);
	for (unsigned i = 0; i < count; i++)
		sum += (double)ns[i];
	printf("{\"messages\":%u,\"p50_us\":%.1f,\"p99_us\":%.1f,"
	       "\"mean_us\":%.1f}\n",
	    count, (double)ns[count / 2] / 1e3,
	    (double)ns[(uint64_t)count * 99 / 100] / 1e3, sum / count / 1e3);
}

static int
go_round(struct load_way *way, const struct load_options *options, uint64_t *ns,
    struct err *err)
{
	uint64_t started = load_now_ns();
	size_t len;
	uint8_t *packet = load_way_mqtt_publish(0, options->size, 1, &len);

	if (packet == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	for (unsigned i = 0; i < options->messages; i++) {
		uint64_t before;

		if (options->rate > 0)
			load_sleep_until(started + (uint64_t)i * 1000000000u /
						       options->rate);
		before = load_now_ns();
		if (load_way_write(way, span_of(packet, len), err) == -1 ||
		    load_way_mqtt_puback(way, 1, err) == -1) {
			free(packet);
			return -1;
		}
		ns[i] = load_now_ns() - before;
	}
	free(packet);
	return 0;
}

int
load_trip(const struct load_options *options, struct err *err)
{
	uint64_t *ns = calloc(options->messages, sizeof(*ns));
	struct load_way_common *common =
	    load_way_common_new(&options->way, err);
	struct load_way *way = NULL;
	int result = -1;

	if (ns == NULL || common == NULL)
		goto out;
	way = load_way_open(common, 0, err);
	if (way == NULL || load_way_mqtt_connect(way, 0, err) == -1 ||
	    load_wait_for_word() == -1 || go_round(way, options, ns, err) == -1)
		goto out;
	report(ns, options->messages);
	load_wait_for_end();
	result = 0;
out:
	load_way_close(way);
	load_way_common_free(common);
	free(ns);
	return result;
}
