#include "mqtt_text.h"

#include "lanes.h"

/*
 * How many bytes the character at the front of `text` has; 0 where none is
 * well-formed there.  The table is RFC 3629's section 4: the first byte bounds
 * the second, the rest are 80 to BF.
 */
static size_t
character_len(struct span text)
{
	static const struct {
		uint8_t first_max;
		uint8_t len;
		uint8_t second_min, second_max;
	} rows[] = {
	    {0x7f, 1, 0, 0},
	    {0xc1, 0, 0, 0},
	    {0xdf, 2, 0x80, 0xbf},
	    {0xe0, 3, 0xa0, 0xbf},
	    {0xec, 3, 0x80, 0xbf},
	    {0xed, 3, 0x80, 0x9f},
	    {0xef, 3, 0x80, 0xbf},
	    {0xf0, 4, 0x90, 0xbf},
	    {0xf3, 4, 0x80, 0xbf},
	    {0xf4, 4, 0x80, 0x8f},
	    {0xff, 0, 0, 0},
	};
	size_t row = 0;

	while (text.data[0] > rows[row].first_max)
		row++;
	if (rows[row].len <= 1)
		return rows[row].len;
	if (text.len < rows[row].len || text.data[1] < rows[row].second_min ||
	    text.data[1] > rows[row].second_max)
		return 0;
	for (size_t i = 2; i < rows[row].len; i++) {
		if ((text.data[i] & 0xc0) != 0x80)
			return 0;
	}
	return rows[row].len;
}

static unsigned
scan_bytes(struct span text)
{
	unsigned found = 0;
	size_t i = 0;

	while (i < text.len) {
		uint8_t c = text.data[i];
		size_t len = 1;

		if (c >= 0x80) {
			len =
			    character_len(span_of(text.data + i, text.len - i));
			if (len == 0)
				return found | MQTT_TEXT_ILL_FORMED;
		} else if (c == 0) {
			found |= MQTT_TEXT_NULL;
		} else if (c == '+' || c == '#') {
			found |= MQTT_TEXT_WILDCARD;
		}
		i += len;
	}
	return found;
}

/* What was seen so far, in the highest bit of some lane. */
struct seen {
	uint64_t beyond_ascii;
	uint64_t null, wildcard; /* where there is nothing beyond ASCII */
};

static inline void
see(struct seen *seen, uint64_t lanes)
{
	seen->beyond_ascii |= lanes;
	/* Less by one, of those without their highest bit only zero has it. */
	seen->null |= lanes - lanes_each(1);
	/* + is 2b and # is 23: they differ in the bit 08 alone. */
	seen->wildcard |=
	    ((lanes | lanes_each(0x08)) ^ lanes_each('+')) - lanes_each(1);
}

static bool
has_high(uint64_t lanes)
{
	return (lanes & lanes_each(0x80)) != 0;
}

unsigned
mqtt_text_scan(struct span text)
{
	struct seen seen = {0};

	if (text.len < LANES)
		return scan_bytes(text);
	for (size_t i = 0; i + LANES < text.len; i += LANES)
		see(&seen, lanes_load(text.data + i));
	/* The last ones, of which some may have been seen before. */
	see(&seen, lanes_load(text.data + text.len - LANES));
	if (has_high(seen.beyond_ascii))
		return scan_bytes(text);
	return (has_high(seen.null) ? MQTT_TEXT_NULL : 0u) |
	       (has_high(seen.wildcard) ? MQTT_TEXT_WILDCARD : 0u);
}

enum mqtt_rule
mqtt_text_check(struct span text, enum mqtt_rule ill_formed)
{
	unsigned found = mqtt_text_scan(text);

	if ((found & MQTT_TEXT_ILL_FORMED) != 0)
		return ill_formed;
	return (found & MQTT_TEXT_NULL) != 0 ? MQTT_RULE_TEXT_NULL
					     : MQTT_RULE_NONE;
}
