#ifndef KAYA_TEST_MQTT_MAKE_H
#define KAYA_TEST_MQTT_MAKE_H

/*
 * make: MQTT packets for the tests, put together field by field.  A `struct
 * make` is a small fixed buffer; every function returns it, so that calls nest.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "mqtt_frame.h"
#include "span.h"

struct make {
	uint8_t data[4096];
	size_t len;
};

static inline struct span
make_span(const struct make *m)
{
	return span_of(m->data, m->len);
}

static inline struct make *
make_bytes(struct make *m, struct span bytes)
{
	assert_true(m->len + bytes.len <= sizeof m->data);
	if (bytes.len > 0)
		memcpy(m->data + m->len, bytes.data, bytes.len);
	m->len += bytes.len;
	return m;
}

static inline struct make *
make_u8(struct make *m, unsigned value)
{
	uint8_t byte = (uint8_t)value;

	return make_bytes(m, span_of(&byte, 1));
}

static inline struct make *
make_u16(struct make *m, unsigned value)
{
	return make_u8(make_u8(m, value >> 8), value & 0xff);
}

/* A string with its length before it. */
static inline struct make *
make_text(struct make *m, const char *text)
{
	return make_bytes(
	    make_u16(m, (unsigned)strlen(text)), span_of_str(text));
}

/* A fixed header (type and flags in `first`) before `body`. */
static inline struct make *
make_frame(struct make *m, unsigned first, const struct make *body)
{
	uint8_t length[4];

	make_u8(m, first);
	make_bytes(
	    m, span_of(length, mqtt_varint_put(length, (uint32_t)body->len)));
	return make_bytes(m, make_span(body));
}

/* A CONNECT of `level` with this client id, a clean session and no more. */
static inline struct make *
make_connect(struct make *m, unsigned level, const char *client_id)
{
	struct make body = {.len = 0};

	make_text(&body, level == 3 ? "MQIsdp" : "MQTT");
	make_u16(make_u8(make_u8(&body, level), 0x02), 60);
	if (level == 5)
		make_u8(&body, 0);
	return make_frame(m, 0x10, make_text(&body, client_id));
}

/* A CONNACK that accepts. */
static inline struct make *
make_connack(struct make *m, unsigned level)
{
	struct make body = {.len = 0};

	make_u16(&body, 0);
	if (level == 5)
		make_u8(&body, 0);
	return make_frame(m, 0x20, &body);
}

/* A PUBLISH; packet id 7 where the QoS is not 0. */
static inline struct make *
make_publish(struct make *m, unsigned level, unsigned flags, const char *topic,
    const char *payload)
{
	struct make body = {.len = 0};

	make_text(&body, topic);
	if ((flags & 6) != 0)
		make_u16(&body, 7);
	if (level == 5)
		make_u8(&body, 0);
	return make_frame(
	    m, 0x30 | flags, make_bytes(&body, span_of_str(payload)));
}

#endif
