/*
 * What stock clients and a stock broker really said to each other (in data,
 * recorded by data/record) goes through the walks verbatim, however it is cut.
 */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "make.h"
#include "mqtt_walk.h"

enum { CAPTURE_MAX = 64 * 1024, EVERY_TYPE = 0xffff };

struct capture {
	char name[100];
	uint8_t level;
	uint8_t up[CAPTURE_MAX], down[CAPTURE_MAX];
	size_t up_len, down_len;
};

static size_t
load(const char *name, const char *suffix, uint8_t *bytes)
{
	char path[512];
	size_t len;
	FILE *f;

	snprintf(path, sizeof path, "%s/%s.%s", MQTT_DATA, name, suffix);
	f = fopen(path, "rb");
	assert_non_null(f);
	len = fread(bytes, 1, CAPTURE_MAX, f);
	assert_true(feof(f));
	fclose(f);
	return len;
}

/* The level is the number in the file's name. */
static uint8_t
level_of(const char *name)
{
	const char *digit = strpbrk(name, "0123456789");

	assert_non_null(digit);
	return digit[0] == '5'		       ? MQTT_50
	       : strncmp(digit, "311", 3) == 0 ? MQTT_311
					       : MQTT_31;
}

/* Run `test` over every capture; how many there were. */
static int
each_capture(void (*test)(const struct capture *c))
{
	static struct capture c;
	DIR *dir = opendir(MQTT_DATA);
	struct dirent *e;
	int count = 0;

	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL) {
		char *suffix = strrchr(e->d_name, '.');

		if (suffix == NULL || strcmp(suffix, ".up") != 0)
			continue;
		*suffix = '\0';
		snprintf(c.name, sizeof c.name, "%.99s", e->d_name);
		c.level = level_of(c.name);
		c.up_len = load(c.name, "up", c.up);
		c.down_len = load(c.name, "down", c.down);
		test(&c);
		count++;
	}
	closedir(dir);
	return count;
}

/* Frames in `bytes`, counted by their lengths alone. */
static unsigned
count_frames(struct span bytes)
{
	unsigned count = 0;

	while (bytes.len > 0) {
		size_t at = 1, len = 0, shift = 0;

		do
			len |= (size_t)(bytes.data[at] & 0x7f) << shift;
		while (shift += 7, (bytes.data[at++] & 0x80) != 0);
		assert_true(at + len <= bytes.len);
		bytes = span_of(bytes.data + at + len, bytes.len - at - len);
		count++;
	}
	return count;
}

/* How far a walk has come in `whole`, of which it gets `part`. */
struct progress {
	struct span whole;
	size_t out;
	unsigned frames;
	unsigned packets;
};

static void
feed(struct mqtt_walk *w, struct span part, struct progress *p)
{
	struct mqtt_walk_item item;
	enum mqtt_walk_result r;

	while ((r = mqtt_walk_next(w, &part, &item)) != MQTT_WALK_NEED_MORE) {
		if (r == MQTT_WALK_MALFORMED)
			fail_msg("%s (%s)", mqtt_rule_text(item.fault.rule),
			    mqtt_type_name(item.fault.type));
		assert_true(p->out + item.bytes.len <= p->whole.len);
		assert_memory_equal(
		    item.bytes.data, p->whole.data + p->out, item.bytes.len);
		p->out += item.bytes.len;
		p->frames += item.frames;
		p->packets += r == MQTT_WALK_PACKET;
	}
}

/* Walk `whole` in pieces of `step` bytes, the first one of `first`. */
static struct progress
walk(struct mqtt_walk *w, struct span whole, size_t first, size_t step)
{
	struct progress p = {.whole = whole};
	size_t at = 0, len = first;

	while (at < whole.len) {
		if (len > whole.len - at)
			len = whole.len - at;
		feed(w, span_of(whole.data + at, len), &p);
		at += len;
		len = step;
	}
	assert_int_equal(p.out, whole.len);
	assert_int_equal(mqtt_walk_held(w), 0);
	assert_true(mqtt_walk_is_between(w));
	mqtt_walk_fini(w);
	return p;
}

static void
check_cut(const struct capture *c, size_t first, size_t step, uint16_t mask)
{
	struct mqtt_walk up, down;
	struct span sent = span_of(c->up, c->up_len);
	struct span answered = span_of(c->down, c->down_len);
	struct progress p;

	mqtt_walk_init(&up, MQTT_FROM_CLIENT, &mqtt_limits_default);
	mqtt_walk_init(&down, MQTT_FROM_BROKER, &mqtt_limits_default);
	mqtt_walk_set_mask(&up, mask);
	mqtt_walk_set_mask(&down, mask);
	p = walk(&up, sent, first, step);
	assert_int_equal(p.frames, count_frames(sent));
	assert_int_equal(p.packets, mask == 0 ? 1 : p.frames);
	assert_int_equal(mqtt_walk_level(&up), c->level);
	mqtt_walk_learn(&down, &up);
	p = walk(&down, answered, first, step);
	assert_int_equal(p.frames, count_frames(answered));
	assert_int_equal(p.packets, mask == 0 ? 0 : p.frames);
}

static void
check_every_cut(const struct capture *c)
{
	size_t len = c->up_len > c->down_len ? c->up_len : c->down_len;

	for (size_t first = 1; first <= len; first++)
		check_cut(c, first, CAPTURE_MAX, 0);
}

static void
check_every_step(const struct capture *c)
{
	for (size_t step = 1; step <= 200; step++)
		check_cut(c, step, step, 0);
}

static void
check_all_packets(const struct capture *c)
{
	for (size_t step = 1; step <= 200; step++)
		check_cut(c, step, step, EVERY_TYPE);
}

static void
test_captures_pass_verbatim_at_every_cut(void **state)
{
	assert_true(each_capture(check_every_cut) >= 19);
}

static void
test_captures_pass_verbatim_in_pieces_of_every_size(void **state)
{
	assert_true(each_capture(check_every_step) >= 19);
}

static void
test_captures_come_packet_by_packet_where_all_is_asked_for(void **state)
{
	assert_true(each_capture(check_all_packets) >= 19);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_captures_pass_verbatim_at_every_cut),
	    cmocka_unit_test(
		test_captures_pass_verbatim_in_pieces_of_every_size),
	    cmocka_unit_test(
		test_captures_come_packet_by_packet_where_all_is_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
