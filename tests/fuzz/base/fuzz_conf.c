/* Any bytes as a configuration file: told or taken, never worse. */

#include "conf.h"

#include <stdlib.h>

struct item {
	const char *name;
	uint32_t weight;
};

struct target {
	bool flag;
	uint32_t word;
	uint64_t wait_ms, room_bytes;
	const char *path;
	const char *broker;
	struct conf_address *listen;
	size_t listen_count;
	struct item *items;
	size_t item_count;
};

static const char *const words[] = {"red", "green", "blue", NULL};
static const struct conf_key item_keys[] = {
    {"name", CONF_STRING, CONF_REQUIRED | CONF_NAME,
	.CONF_AT(struct item, name)},
    {"weight", CONF_INT, 0, .CONF_AT(struct item, weight), .max = 10,
	.fallback = "1"},
    {.name = NULL},
};
static const struct conf_key section_keys[] = {
    {"wait", CONF_DURATION, CONF_NEVER, .CONF_AT(struct target, wait_ms),
	.max = UINT64_MAX, .fallback = "1s"},
    {"room", CONF_SIZE, 0, .CONF_AT(struct target, room_bytes),
	.max = UINT64_MAX, .fallback = "1B"},
    {.name = NULL},
};
static const struct conf_key keys[] = {
    {"flag", CONF_BOOL, 0, .CONF_AT(struct target, flag), .fallback = "no"},
    {"word", CONF_WORD, 0, .CONF_AT(struct target, word), .words = words,
	.fallback = "red"},
    {"path", CONF_PATH, 0, .CONF_AT(struct target, path)},
    {"broker", CONF_ADDRESS, CONF_SOCKET | CONF_TEXT,
	.CONF_AT(struct target, broker)},
    {"listen", CONF_ADDRESS, CONF_LIST | CONF_PORT_ALONE,
	.CONF_LIST_AT(struct target, listen, listen_count)},
    {"items", CONF_MAPPING, CONF_LIST,
	.CONF_LIST_AT(struct target, items, item_count), .keys = item_keys},
    {"section", CONF_MAPPING, 0, .keys = section_keys},
    {.name = NULL},
};

static void
on_fault(const struct conf_fault *fault, void *arg)
{
	size_t *count = arg;

	if (fault->err.what[0] == '\0' || fault->err.where[0] == '\0')
		abort();
	++*count;
}

/* What was taken must, printed, be taken again, and print the same. */
static void
check_print(const struct target *target)
{
	struct target again = {0};
	struct conf conf = {0};
	struct buf first, second;
	size_t faults = 0;
	struct conf_input input = {.file = "f",
	    .keys = keys,
	    .target = &again,
	    .on_fault = on_fault,
	    .arg = &faults};

	buf_init(&first, 1 << 22);
	buf_init(&second, 1 << 22);
	conf_dump(keys, target, CONF_FORM_YAML, &first);
	input.bytes = buf_span(&first);
	if (!first.failed && input.bytes.len <= CONF_FILE_MAX) {
		if (conf_defaults(&conf, keys, &again) != 0 ||
		    conf_load(&conf, &input) != 0)
			abort();
		conf_dump(keys, &again, CONF_FORM_YAML, &second);
		if (!span_equal(buf_span(&first), buf_span(&second)))
			abort();
	}
	buf_fini(&first);
	buf_fini(&second);
	conf_fini(&conf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct target target = {0};
	struct conf conf = {0};
	size_t faults = 0;
	struct conf_input input = {.file = "f",
	    .bytes = span_of(data, size),
	    .keys = keys,
	    .target = &target,
	    .on_fault = on_fault,
	    .arg = &faults};
	int result;

	if (conf_defaults(&conf, keys, &target) != 0)
		abort();
	result = conf_load(&conf, &input);
	if ((result == 0) != (faults == 0))
		abort();
	if (result == 0)
		check_print(&target);
	conf_fini(&conf);
	return 0;
}
