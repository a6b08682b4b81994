#include "guard_desk.h"

#include "clock.h"
#include "guard_offer.h"
#include "ssh_sig.h"

#include <stdio.h>

enum { ALL_MS = 1000, GRACE_MS = 5000 };

void
guard_desk_init(struct guard_desk *desk)
{
	*desk = (struct guard_desk){.is_wanted = false};
	client_options_init(&desk->client);
}

bool
guard_desk_take(const struct cmd_reader *reader, int id,
    struct guard_desk *desk, int *status)
{
	switch (id) {
	case CMD_BROKER:
		*status = cmd_take_broker(reader, &desk->client.broker);
		return true;
	case GUARD_DESK_USER:
		desk->client.user = reader->argument;
		return true;
	case GUARD_DESK_PASSWORD:
		desk->client.password = reader->argument;
		return true;
	case GUARD_DESK_ALL:
		desk->is_wanted = true;
		return true;
	case GUARD_DESK_ACTUATOR:
		desk->is_wanted = true;
		desk->actuator = reader->argument;
		if (!str_is_name(span_of_str(reader->argument)))
			*status = cmd_misuse(reader->cmd,
			    "\"%s\" is no actuator's name", reader->argument);
		return true;
	}
	return guard_hand_take(reader, id, &desk->hand);
}

bool
guard_desk_is_id(const char *id)
{
	struct span actuator;

	return guard_id_actuator(span_of_str(id), &actuator);
}

/* ---- what waits ---- */

/* The value of a line of the statement, as JSON. */
static json_t *
line_of(const struct guard_offer *offer, const char *name)
{
	struct span text = buf_span(&offer->statement);
	const uint8_t *at = NULL;
	size_t len = 0;

	if (text.len > 0)
		at = memmem(text.data, text.len, name, strlen(name));

	if (at == NULL)
		return json_null();
	at += strlen(name);
	while (at + len < text.data + text.len && at[len] != '\n')
		len++;
	return json_stringn((const char *)at, len);
}

/* As a gateway tells of what it holds. */
static json_t *
as_gateways(const json_t *item, const struct guard_offer *offer)
{
	json_t *payload = json_object_get(item, "payload");

	return json_pack("{s:s, s:O?, s:O?, s:O?, s:o, s:I, s:s, s:I, s:s}",
	    "id", offer->id, "rule", json_object_get(item, "rule"), "topic",
	    json_object_get(item, "topic"), "payload", payload,
	    "payload_sha256", line_of(offer, "\npayload-sha256: "), "bytes",
	    (json_int_t)offer->payload.len, "publisher", offer->by, "left_ms",
	    (json_int_t)offer->left_ms, "actuator", offer->actuator);
}

static void
take_pending(const json_t *answer, json_t *all)
{
	const json_t *list = json_object_get(answer, "pending"), *item;
	struct guard_offer offer;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (guard_offer_take(item, NULL, NULL, &offer))
			json_array_append_new(all, as_gateways(item, &offer));
		else
			fprintf(stderr, "kaya: a command does not fit its id, "
					"and is left out\n");
		guard_offer_fini(&offer);
	}
}

static int
gather(
    struct guard_talk *talk, const char *actuator, json_t *all, struct err *err)
{
	struct guard_ask ask = {.what = GUARD_DO_LIST};
	uint64_t until;
	json_t *answer;

	if (actuator != NULL) {
		answer = guard_talk_do(talk, &ask, err);
		if (answer == NULL)
			return -1;
		take_pending(answer, all);
		json_decref(answer);
		return 0;
	}
	if (guard_talk_ask(talk, &ask, err) != 0)
		return -1;
	/* Nobody knows how many guards there are. */
	until = clock_monotonic_ms() + ALL_MS;
	while ((answer = guard_talk_next(
		    talk, GUARD_HEARD_ANSWER, until, err)) != NULL) {
		take_pending(answer, all);
		json_decref(answer);
	}
	return err->code == ERR_NONE ? 0 : -1;
}

json_t *
guard_desk_pending(const struct guard_desk *desk, struct err *err)
{
	struct guard_talk talk;
	json_t *all = json_array();

	mosquitto_lib_init();
	if (guard_talk_start(&talk, &desk->client, desk->actuator, err) != 0 ||
	    gather(&talk, desk->actuator, all, err) != 0) {
		json_decref(all);
		all = NULL;
	}
	guard_talk_stop(&talk);
	mosquitto_lib_cleanup();
	return all;
}

/* ---- to agree, or not ---- */

/* The command of that id, shown. */
static json_t *
fetch(struct guard_talk *talk, const char *id, struct guard_offer *offer,
    struct err *err)
{
	struct guard_ask ask = {.what = GUARD_DO_LIST, .id = span_of_str(id)};
	json_t *answer = guard_talk_do(talk, &ask, err), *list, *item = NULL;

	*offer = (struct guard_offer){0};
	if (answer == NULL)
		return NULL;
	list = json_object_get(answer, "pending");
	if (json_array_size(list) == 0) {
		err_set(err, ERR_FAILED,
		    "%s does not wait for a signature: it is done, over, or "
		    "was never asked for",
		    id);
		err_hint(err, "kaya pending lists what waits");
	} else if (!guard_offer_take(
		       json_array_get(list, 0), NULL, NULL, offer) ||
		   strcmp(offer->id, id) != 0) {
		err_set(err, ERR_PROTOCOL,
		    "what is shown as %s is another command", id);
		err_hint(err, "somebody may stand between: sign nothing");
	} else {
		item = json_incref(json_array_get(list, 0));
	}
	json_decref(answer);
	return item;
}

static void
show(const struct guard_offer *offer, enum guard_do what)
{
	char by[4 * sizeof offer->by + 8];

	fprintf(stderr, "kaya: %s has signed; %s:\n%.*s",
	    offer->by[0] != '\0'
		? str_escape(span_of_str(offer->by), by, sizeof by)
		: "nobody",
	    what == GUARD_DO_SIGN ? "you sign the same"
				  : "you sign that it is denied",
	    (int)buf_len(&offer->statement),
	    (const char *)buf_span(&offer->statement).data);
}

/* The guard's word on what was signed just now. */
static json_t *
await(struct guard_talk *talk, const struct guard_offer *offer,
    uint64_t until_ms, struct err *err)
{
	json_t *result;

	while ((result = guard_talk_next(
		    talk, GUARD_HEARD_RESULT, until_ms, err)) != NULL) {
		if (strcmp(guard_talk_text(result, "id"), offer->id) == 0)
			return result;
		json_decref(result);
	}
	if (err->code == ERR_NONE) {
		err_set(err, ERR_TIMEOUT,
		    "the guard does not say what became of %s", offer->id);
		err_hint(err, "see its log and its audit");
	}
	return NULL;
}

static json_t *
sign(struct guard_talk *talk, const struct guard_desk *desk,
    const struct guard_offer *offer, enum guard_do what, struct err *err)
{
	uint64_t until = clock_monotonic_ms() + offer->left_ms;
	struct guard_ask ask = {.what = what, .id = span_of_str(offer->id)};
	json_t *answer = NULL, *result = NULL;
	struct buf text;

	buf_init(&text, SSH_SIG_FILE_MAX);
	if (guard_hand_sign(&desk->hand, &desk->client,
		what == GUARD_DO_SIGN ? GUARD_SIGNS : GUARD_DENIES,
		buf_span(&offer->statement), until, &text, err) == 0) {
		ask.signature = buf_span(&text);
		answer = guard_talk_do(talk, &ask, err);
	}
	if (answer != NULL)
		result =
		    await(talk, offer, clock_monotonic_ms() + GRACE_MS, err);
	json_decref(answer);
	buf_fini(&text);
	return result;
}

json_t *
guard_desk_decide(const struct guard_desk *desk, const char *id,
    enum guard_do what, struct err *err)
{
	char actuator[STR_NAME_MAX + 1] = "";
	json_t *item = NULL, *outcome = NULL;
	struct guard_offer offer = {0};
	struct guard_talk talk;
	struct span name;

	if (guard_id_actuator(span_of_str(id), &name))
		span_to_str(name, actuator, sizeof actuator);
	mosquitto_lib_init();
	if (guard_talk_start(&talk, &desk->client, actuator, err) == 0)
		item = fetch(&talk, id, &offer, err);
	if (item != NULL) {
		show(&offer, what);
		outcome = sign(&talk, desk, &offer, what, err);
	}
	guard_offer_fini(&offer);
	json_decref(item);
	guard_talk_stop(&talk);
	mosquitto_lib_cleanup();
	return outcome;
}
