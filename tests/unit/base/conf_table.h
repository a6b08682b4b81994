#ifndef KAYA_CONF_TABLE_H
#define KAYA_CONF_TABLE_H

/* conf_table: a table to test conf with, and its faults as one text. */

#include "conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* ---- a small table with one key of each kind ---- */

enum colour { RED, GREEN, BLUE };

struct item {
	const char *name;
	uint32_t weight;
};

struct target {
	bool flag;
	uint32_t count;
	uint64_t wait_ms;
	uint32_t room_bytes;
	enum colour colour;
	const char *text;
	const char *file;
	struct conf_address address;
	struct conf_address *listen;
	size_t listen_count;
	const char *broker;
	const char **words;
	size_t word_count;
	struct item *items;
	size_t item_count;
	uint64_t inner_ms;
	uint32_t inner_count;
};

static const char *const colours[] = {"red", "green", "blue", NULL};
static const struct conf_key item_keys[] = {
    {"name", CONF_STRING, CONF_REQUIRED | CONF_NAME,
	.CONF_AT(struct item, name), .doc = "Name."},
    {"weight", CONF_INT, 0, .CONF_AT(struct item, weight), .min = 1, .max = 10,
	.fallback = "5", .doc = "Weight."},
    {.name = NULL},
};
static const struct conf_key inner_keys[] = {
    {"wait", CONF_DURATION, CONF_NEVER, .CONF_AT(struct target, inner_ms),
	.min = 1, .max = 86400000, .fallback = "never", .doc = "Inner."},
    {"login_grace", CONF_INT, 0, .CONF_AT(struct target, inner_count), .max = 1,
	.doc = "Only to be found elsewhere."},
    {.name = NULL},
};
static const struct conf_key keys[] = {
    {"flag", CONF_BOOL, 0, .CONF_AT(struct target, flag), .fallback = "yes",
	.doc = "Flag."},
    {"count", CONF_INT, 0, .CONF_AT(struct target, count), .min = 1, .max = 64,
	.fallback = "4", .doc = "Count."},
    {"wait", CONF_DURATION, 0, .CONF_AT(struct target, wait_ms), .min = 1000,
	.max = 600000, .fallback = "30s", .doc = "Wait."},
    {"room", CONF_SIZE, 0, .CONF_AT(struct target, room_bytes), .min = 1024,
	.max = 1 << 30, .fallback = "64KiB", .doc = "Room."},
    {"colour", CONF_WORD, 0, .CONF_AT(struct target, colour), .words = colours,
	.fallback = "green", .doc = "Colour."},
    {"text", CONF_STRING, 0, .CONF_AT(struct target, text), .doc = "Text."},
    {"file", CONF_PATH, 0, .CONF_AT(struct target, file), .doc = "File."},
    {"address", CONF_ADDRESS, 0, .CONF_AT(struct target, address),
	.doc = "Address."},
    {"listen", CONF_ADDRESS, CONF_LIST | CONF_PORT_ALONE,
	.CONF_LIST_AT(struct target, listen, listen_count), .fallback = "2222",
	.doc = "Listen."},
    {"broker", CONF_ADDRESS, CONF_SOCKET | CONF_TEXT,
	.CONF_AT(struct target, broker), .doc = "Broker."},
    {"words", CONF_STRING, CONF_LIST,
	.CONF_LIST_AT(struct target, words, word_count), .doc = "Words."},
    {"items", CONF_MAPPING, CONF_LIST,
	.CONF_LIST_AT(struct target, items, item_count), .keys = item_keys,
	.doc = "Items."},
    {"inner", CONF_MAPPING, 0, .keys = inner_keys, .doc = "Section."},
    {.name = NULL},
};

/* ---- faults as one text ---- */

struct read {
	struct conf conf;
	struct target target;
	char faults[8192];
	int result;
};

static inline void
keep_fault(const struct conf_fault *fault, void *arg)
{
	struct read *r = arg;
	size_t len = strlen(r->faults);

	assert_true(fault->err.what[0] != '\0');
	assert_true(fault->err.hint[0] != '\0');
	snprintf(r->faults + len, sizeof r->faults - len, "%s: %s [%s]\n",
	    fault->err.where, fault->err.what, fault->err.hint);
}

static inline void
read_named(struct read *r, const char *file, struct span text)
{
	struct conf_input input = {.file = file,
	    .bytes = text,
	    .keys = keys,
	    .target = &r->target,
	    .on_fault = keep_fault,
	    .arg = r};

	memset(r, 0, sizeof *r);
	assert_int_equal(conf_defaults(&r->conf, keys, &r->target), 0);
	r->result = conf_load(&r->conf, &input);
	assert_int_equal(r->result, r->faults[0] == '\0' ? 0 : -1);
}

static inline void
read_text(struct read *r, const char *text)
{
	read_named(r, "f", span_of_str(text));
}

static inline void
check_fault(const char *text, const char *fault)
{
	struct read r;

	read_text(&r, text);
	assert_string_equal(r.faults, fault);
	conf_fini(&r.conf);
}

/* Only place and cause. */
static inline void
check_begins(struct span text, const char *begin)
{
	struct read r;

	read_named(&r, "f", text);
	r.faults[strlen(begin)] = '\0';
	assert_string_equal(r.faults, begin);
	conf_fini(&r.conf);
}

#endif
