#include "witness.h"

#include "wire.h"

#include <assert.h>

enum { MINUTE_MS = 60000 };

static const struct {
	const char *event;
	uint64_t burst, minute;
} kinds[] = {
#define X(kind, event, burst, minute) [kind] = {event, burst, minute},
    WITNESS_KINDS(X)
#undef X
};

enum type { TEXT, NUMBER };

/* What the audit log takes of what the log is told. */
static const struct {
	const char *key;
	enum type type;
} words[] = {
    {"session", NUMBER},
    {"from", TEXT},
    {"port", NUMBER},
    {"identity", TEXT},
    {"key", TEXT},
    {"offered", TEXT},
    {"algorithm", TEXT},
    {"user", TEXT},
    {"client", TEXT},
    {"key_id", TEXT},
    {"serial", NUMBER},
    {"authority", TEXT},
    {"channel", NUMBER},
    {"client_id", TEXT},
    {"target", TEXT},
    {"action", TEXT},
    {"topic", TEXT},
    {"qos", NUMBER},
    {"why", TEXT},
    {"line", NUMBER},
    {"rule", TEXT},
    {"more_before", NUMBER},
};

enum { WORDS = sizeof words / sizeof words[0] };

static size_t
word_of(const char *key)
{
	size_t i = 0;

	while (i < WORDS && strcmp(words[i].key, key) != 0)
		i++;
	return i;
}

/* ---- the child's side ---- */

void
witness_begin(struct witness *witness, enum witness_kind kind,
    enum log_level level, const char *module, const char *event)
{
	witness->kind = kind;
	witness->len = 0;
	witness->is_logged = log_begin(&witness->line, level, module, event);
}

/* A word's number, a length, a value; what has no room is left out. */
static void
put(struct witness *witness, const char *key, struct span value)
{
	size_t word = word_of(key);
	uint8_t *at = witness->bytes + witness->len;

	if (value.len > WITNESS_VALUE_MAX)
		value.len = WITNESS_VALUE_MAX;
	if (word == WORDS || WITNESS_MAX_BYTES - witness->len < 3 + value.len)
		return;
	*at++ = (uint8_t)word;
	*at++ = (uint8_t)(value.len >> 8);
	*at++ = (uint8_t)value.len;
	if (value.len > 0)
		memcpy(at, value.data, value.len);
	witness->len += 3 + value.len;
}

void
witness_span(struct witness *witness, const char *key, struct span value)
{
	if (witness->is_logged)
		log_span(&witness->line, key, value);
	put(witness, key, value);
}

void
witness_str(struct witness *witness, const char *key, const char *value)
{
	witness_span(witness, key, span_of_str(value));
}

void
witness_u64(struct witness *witness, const char *key, uint64_t value)
{
	uint8_t bytes[8];

	if (witness->is_logged)
		log_u64(&witness->line, key, value);
	wire_poke_u64(bytes, value);
	put(witness, key, span_of(bytes, sizeof bytes));
}

void
witness_send(struct witness *witness, struct monitor *monitor)
{
	if (witness->is_logged)
		log_end(&witness->line);
	monitor_send(monitor, MONITOR_WITNESS, (int32_t)witness->kind, 0,
	    span_of(witness->bytes, witness->len), -1);
}

/* ---- the parent's side ---- */

/* Each word once, whatever the child says. */
static bool
put_entry(struct span *payload, uint32_t *seen, struct audit_entry *entry)
{
	struct span value;
	uint64_t number;
	uint8_t word;

	if (!wire_take_u8(payload, &word) ||
	    !wire_take_string16(payload, &value) || word >= WORDS ||
	    value.len > WITNESS_VALUE_MAX || (*seen >> word & 1) != 0)
		return false;
	*seen |= UINT32_C(1) << word;
	if (words[word].type == TEXT) {
		audit_put_span(entry, words[word].key, value);
		return true;
	}
	if (!wire_take_u64(&value, &number) || value.len > 0)
		return false;
	audit_put_u64(entry, words[word].key, number);
	return true;
}

bool
witness_read(int32_t kind, struct span payload, struct audit_entry *entry)
{
	uint32_t seen = 0;

	static_assert(WORDS <= 32, "a bit for each");
	if (kind < 0 || kind >= WITNESS_CONTROL)
		return false;
	audit_begin(entry, kinds[kind].event);
	while (payload.len > 0)
		if (!put_entry(&payload, &seen, entry)) {
			audit_drop(entry);
			return false;
		}
	return true;
}

/*
 * A bucket of `burst` lines, each of MINUTE_MS shares, of which `minute` come
 * back in each millisecond.
 */
bool
witness_may(
    struct witness_bounds *bounds, enum witness_kind kind, uint64_t now_ms)
{
	struct witness_bound *bound = &bounds->of[kind];
	uint64_t passed = now_ms > bound->at_ms ? now_ms - bound->at_ms : 0;
	uint64_t room = kinds[kind].burst * MINUTE_MS, back;

	if (passed > room / kinds[kind].minute)
		passed = room / kinds[kind].minute + 1;
	back = passed * kinds[kind].minute;
	bound->at_ms = now_ms;
	bound->spent = bound->spent > back ? bound->spent - back : 0;
	if (bound->spent + MINUTE_MS > room) {
		bound->lost++;
		return false;
	}
	bound->spent += MINUTE_MS;
	return true;
}

bool
witness_take_lost(struct witness_bounds *bounds, enum witness_kind kind,
    struct audit_entry *entry)
{
	uint64_t lost = bounds->of[kind].lost;

	if (lost == 0)
		return false;
	bounds->of[kind].lost = 0;
	audit_begin(entry, "not-logged");
	audit_put_str(entry, "what", kinds[kind].event);
	audit_put_u64(entry, "lines", lost);
	return true;
}
