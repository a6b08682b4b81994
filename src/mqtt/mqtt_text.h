#ifndef KAYA_MQTT_TEXT_H
#define KAYA_MQTT_TEXT_H

/*
 * mqtt_text: what MQTT asks of a string (3.1.1 section 1.5.3, 5.0 section
 * 1.5.4): well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms,
 * nothing above U+10FFFF), and no U+0000.  Control characters and
 * non-characters are only advised against there, so they pass.
 */

#include "mqtt_rule.h"
#include "span.h"

enum {
	MQTT_TEXT_NULL = 1, /* holds U+0000 */
	MQTT_TEXT_WILDCARD = 2, /* holds + or # */
	MQTT_TEXT_ILL_FORMED = 4 /* not UTF-8; the other bits may be missing */
};

/* One pass over `text`: which of the above are true of it. */
unsigned mqtt_text_scan(struct span text);

/* MQTT_RULE_TEXT_NULL, `ill_formed`, or MQTT_RULE_NONE. */
enum mqtt_rule mqtt_text_check(struct span text, enum mqtt_rule ill_formed);

#endif
