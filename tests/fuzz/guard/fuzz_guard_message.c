/*
 * Any bytes as a message to a guard, or (behind an 'o') as a command that a
 * guard tells.  What is read is written, and read again as the same; what fits
 * its id is six lines.
 */

#include "guard_message.h"
#include "guard_offer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
go_round(const struct guard_ask *ask)
{
	struct guard_ask again;
	struct buf out;

	buf_init(&out, 1 << 20);
	guard_ask_put(ask, &out);
	if (out.failed)
		abort();
	/* Escapes may make it longer than a message may be. */
	if (buf_len(&out) <= GUARD_MESSAGE_MAX) {
		if (!guard_ask_parse(buf_span(&out), &again) ||
		    again.what != ask->what ||
		    !span_equal(again.request, ask->request) ||
		    !span_equal(again.topic, ask->topic) ||
		    !span_equal(again.payload, ask->payload) ||
		    !span_equal(again.signature, ask->signature))
			abort();
		guard_ask_fini(&again);
	}
	buf_fini(&out);
}

static void
take_offer(struct span text)
{
	json_t *json = json_loadb(
	    (const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
	struct guard_offer offer;
	size_t lines = 0;

	if (guard_offer_take(json, NULL, NULL, &offer)) {
		struct span statement = buf_span(&offer.statement);

		for (size_t i = 0; i < statement.len; i++)
			lines += statement.data[i] == '\n';
		if (lines != 6)
			abort();
	}
	guard_offer_fini(&offer);
	json_decref(json);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guard_ask ask;

	if (size > 0 && data[0] == 'o') {
		take_offer(span_of(data + 1, size - 1));
		return 0;
	}
	if (guard_ask_parse(span_of(data, size), &ask))
		go_round(&ask);
	else if (ask.request.len > 0 && !str_is_name(ask.request))
		abort();
	guard_ask_fini(&ask);
	return 0;
}
