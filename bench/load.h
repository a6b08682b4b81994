#ifndef KAYA_LOAD_H
#define KAYA_LOAD_H

/*
 * load: the devices of `make bench`: many MQTT clients in one process, each
 * on a way of its own to a broker (load_way.h).  bench.py starts it and reads
 * the servers' counters while it stands still:
 *
 *	load MODE [OPTION]...
 *	-> "ready"              on stdout: what is needed beforehand is done
 *	<- a line               on stdin: the work begins
 *	-> one JSON object      the work is done, everything is still open
 *	<- end of file          close all, end
 */

#include "err.h"
#include "load_way.h"

struct load_options {
	struct load_way_options way;
	unsigned count; /* devices */
	unsigned concurrency; /* devices that connect at a time */
	unsigned messages;
	unsigned rate; /* messages per second, of all together; 0: no limit */
	unsigned size; /* bytes of payload */
};

/* Say "ready" and wait for the word to go on.  -1 where none comes. */
int load_wait_for_word(void);

/* The result is out: wait until everything may be closed. */
void load_wait_for_end(void);

/* Nanoseconds that never go back. */
uint64_t load_now_ns(void);

/* Sleep until then; returns at once where it has passed. */
void load_sleep_until(uint64_t ns);

/*
 * The modes.  Each prints its result as JSON; -1 and `err` where the measuring
 * itself failed.
 */

/*
 * Make `count` keys of ed25519, files 0, 1, 2 ... in the folder `way.key`, and
 * print their public halves, a line each.  No word is waited for.
 */
int load_keys(const struct load_options *options, struct err *err);

/* `count` devices that connect, then do nothing. */
int load_devices(const struct load_options *options, struct err *err);

/* `messages` at QoS 0 from `count` devices in turn, at `rate`. */
int load_publish(const struct load_options *options, struct err *err);

/* `messages` at QoS 1 from one device, each after the last one's PUBACK. */
int load_trip(const struct load_options *options, struct err *err);

#endif
