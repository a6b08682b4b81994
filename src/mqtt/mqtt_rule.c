#include "mqtt_rule.h"

static const struct {
	const char *id_311;
	const char *id_50;
	const char *text;
	uint8_t reason;
} rules[] = {
#define X(name, id_311, id_50, reason, sentence)                               \
	{id_311, id_50, sentence, reason},
    MQTT_RULES(X)
#undef X
};

const char *
mqtt_rule_id(enum mqtt_rule rule, uint8_t level)
{
	return level == 5 ? rules[rule].id_50 : rules[rule].id_311;
}

const char *
mqtt_rule_text(enum mqtt_rule rule)
{
	return rules[rule].text;
}

uint8_t
mqtt_rule_reason(enum mqtt_rule rule)
{
	return rules[rule].reason;
}
