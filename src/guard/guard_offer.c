#include "guard_offer.h"

#include "guard_message.h"

#include <stdlib.h>

static struct span
text_of(const json_t *message, const char *name)
{
	const json_t *value = json_object_get(message, name);

	if (!json_is_string(value))
		return span_of(NULL, 0);
	return span_of(json_string_value(value), json_string_length(value));
}

static uint64_t
left_of(const json_t *message, const char *name)
{
	json_int_t number = json_integer_value(json_object_get(message, name));

	if (number < 0)
		return 0;
	return number < GUARD_LEFT_MAX_MS ? (uint64_t)number
					  : GUARD_LEFT_MAX_MS;
}

static bool
take_challenge(struct span hex, uint8_t bytes[GUARD_CHALLENGE_BYTES])
{
	static const char digits[] = "0123456789abcdef";

	if (hex.len != 2 * GUARD_CHALLENGE_BYTES)
		return false;
	for (size_t i = 0; i < hex.len; i++) {
		const char *at = memchr(digits, hex.data[i], 16);

		if (at == NULL)
			return false;
		bytes[i / 2] = (uint8_t)(bytes[i / 2] << 4 | (at - digits));
	}
	return true;
}

bool
guard_offer_take(const json_t *message, const struct span *topic,
    const struct span *payload, struct guard_offer *offer)
{
	uint8_t challenge[GUARD_CHALLENGE_BYTES] = {0};
	struct guard_statement statement;
	struct span id = text_of(message, "id"), actuator;
	char made[GUARD_ID_SIZE];

	*offer = (struct guard_offer){0};
	buf_init(&offer->statement, GUARD_STATEMENT_MAX);
	if (!guard_id_actuator(id, &actuator) ||
	    !take_challenge(text_of(message, "challenge"), challenge))
		return false;
	span_to_str(id, offer->id, sizeof offer->id);
	span_to_str(actuator, offer->actuator, sizeof offer->actuator);
	span_to_str(text_of(message, "by"), offer->by, sizeof offer->by);
	offer->left_ms =
	    left_of(message, topic != NULL ? "expires_in_ms" : "left_ms");
	offer->topic = topic != NULL ? *topic : text_of(message, "topic");
	if (payload != NULL)
		offer->payload = *payload;
	else if (!guard_payload_take(message, &offer->payload, &offer->bytes))
		return false;
	statement = (struct guard_statement){
	    .actuator = actuator,
	    .topic = offer->topic,
	    .payload = offer->payload,
	    .challenge = span_of(challenge, sizeof challenge),
	};
	return guard_statement_put(&statement, &offer->statement, made) &&
	       strcmp(made, offer->id) == 0;
}

void
guard_offer_fini(struct guard_offer *offer)
{
	buf_fini(&offer->statement);
	free(offer->bytes);
	*offer = (struct guard_offer){0};
}
