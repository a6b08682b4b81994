#include "pipe_facts.h"

#include "json.h"
#include "mqtt_packet.h"

#include <stdio.h>
#include <stdlib.h>

struct pipe_facts_names {
	uint8_t client_id_len, user_len;
	char text[]; /* one behind the other */
};

/* Texts, each with a byte before it that says how long it is. */
struct pipe_facts_list {
	uint16_t len;
	uint16_t count;
	uint32_t left_out; /* of texts that there was no room for */
	uint8_t bytes[];
};

/* What a list may become. */
struct bounds {
	size_t max_bytes;
	uint16_t max_count;
};

static const struct bounds filter_bounds = {
    PIPE_FACTS_FILTERS_MAX_BYTES, PIPE_FACTS_FILTERS_MAX};
static const struct bounds topic_bounds = {
    PIPE_FACTS_TOPICS_MAX_BYTES, PIPE_FACTS_TOPICS_MAX};

void
pipe_facts_fini(struct pipe_facts *facts)
{
	free(facts->names);
	free(facts->subscribed);
	free(facts->published);
	*facts = (struct pipe_facts){0};
}

/* ---- names ---- */

static size_t
cut(struct span text)
{
	return text.len < PIPE_FACTS_NAME_MAX ? text.len : PIPE_FACTS_NAME_MAX;
}

void
pipe_facts_set_names(
    struct pipe_facts *facts, struct span client_id, struct span user)
{
	size_t id_len = cut(client_id), user_len = cut(user);
	struct pipe_facts_names *names = NULL;

	if (id_len + user_len > 0)
		names = malloc(sizeof *names + id_len + user_len);
	if (names != NULL) {
		names->client_id_len = (uint8_t)id_len;
		names->user_len = (uint8_t)user_len;
		if (id_len > 0)
			memcpy(names->text, client_id.data, id_len);
		if (user_len > 0)
			memcpy(names->text + id_len, user.data, user_len);
	}
	free(facts->names);
	facts->names = names;
}

struct span
pipe_facts_client_id(const struct pipe_facts *facts)
{
	const struct pipe_facts_names *names = facts->names;

	return names == NULL ? span_of(NULL, 0)
			     : span_of(names->text, names->client_id_len);
}

struct span
pipe_facts_user(const struct pipe_facts *facts)
{
	const struct pipe_facts_names *names = facts->names;

	return names == NULL ? span_of(NULL, 0)
			     : span_of(names->text + names->client_id_len,
				   names->user_len);
}

/* ---- lists ---- */

static bool
list_next(const struct pipe_facts_list *list, size_t *at, struct span *text)
{
	if (list == NULL || *at >= list->len)
		return false;
	*text = span_of(list->bytes + *at + 1, list->bytes[*at]);
	*at += 1 + text->len;
	return true;
}

/* Where it stands, or list->len. */
static size_t
list_find(const struct pipe_facts_list *list, struct span text)
{
	size_t at = 0, next = 0;
	struct span found;

	while (list_next(list, &next, &found)) {
		if (span_equal(found, text))
			return at;
		at = next;
	}
	return at;
}

static void
list_remove(struct pipe_facts_list *list, size_t at)
{
	size_t size = 1u + list->bytes[at];

	memmove(
	    list->bytes + at, list->bytes + at + size, list->len - at - size);
	list->len = (uint16_t)(list->len - size);
	list->count--;
}

/* Put it first, and let go of the last ones until all fits `bounds`. */
static void
list_put_first(struct pipe_facts_list **list, struct span text,
    const struct bounds *bounds)
{
	struct pipe_facts_list *old = *list, *grown;
	size_t size = 1 + text.len, len = old == NULL ? 0 : old->len;
	size_t keep = 0, next = 0;
	uint16_t count = 0;
	struct span other;

	while (list_next(old, &next, &other) &&
	       size + next <= bounds->max_bytes &&
	       count + 1 < bounds->max_count) {
		keep = next;
		count++;
	}
	grown = old;
	if (size + keep > len || old == NULL)
		grown = realloc(old, sizeof *grown + size + keep);
	if (grown == NULL)
		return;
	memmove(grown->bytes + size, grown->bytes, keep);
	grown->bytes[0] = (uint8_t)text.len;
	memcpy(grown->bytes + 1, text.data, text.len);
	grown->len = (uint16_t)(size + keep);
	grown->count = (uint16_t)(count + 1);
	grown->left_out = 0;
	*list = grown;
}

static void
list_append(struct pipe_facts_list **list, struct span text,
    const struct bounds *bounds)
{
	struct pipe_facts_list *old = *list, *grown;
	size_t len = old == NULL ? 0 : old->len;
	bool has_room = text.len <= PIPE_FACTS_TOPIC_MAX &&
			len + 1 + text.len <= bounds->max_bytes &&
			(old == NULL || old->count < bounds->max_count);

	grown =
	    realloc(old, sizeof *grown + len + (has_room ? 1 + text.len : 0));
	if (grown == NULL)
		return;
	if (old == NULL)
		*grown = (struct pipe_facts_list){.len = 0};
	*list = grown;
	if (!has_room) {
		grown->left_out++;
		return;
	}
	grown->bytes[len] = (uint8_t)text.len;
	memcpy(grown->bytes + len + 1, text.data, text.len);
	grown->len = (uint16_t)(len + 1 + text.len);
	grown->count++;
}

/* ---- filters and topics ---- */

void
pipe_facts_forget_filter(struct pipe_facts *facts, struct span filter)
{
	struct pipe_facts_list *list = facts->subscribed;
	size_t at = list_find(list, filter);

	if (list == NULL)
		return;
	if (at < list->len)
		list_remove(list, at);
	else if (list->left_out > 0)
		list->left_out--;
	if (list->count > 0 || list->left_out > 0)
		return;
	free(list);
	facts->subscribed = NULL;
}

static void
note_filter(struct pipe_facts *facts, struct span filter)
{
	if (facts->subscribed != NULL &&
	    list_find(facts->subscribed, filter) < facts->subscribed->len)
		return;
	list_append(&facts->subscribed, filter, &filter_bounds);
}

void
pipe_facts_note_filters(
    struct pipe_facts *facts, uint8_t type, uint8_t level, struct span body)
{
	const struct mqtt_sender from = {MQTT_FROM_CLIENT, level};
	struct mqtt_subscribe packet;
	struct span filter;
	uint8_t options;

	if (mqtt_subscribe_decode(type, body, from, &packet) != MQTT_RULE_NONE)
		return;
	while (mqtt_subscribe_next(type, &packet.filters, &filter, &options))
		if (type == MQTT_SUBSCRIBE)
			note_filter(facts, filter);
		else
			pipe_facts_forget_filter(facts, filter);
}

void
pipe_facts_note_topic(struct pipe_facts *facts, struct span topic)
{
	struct pipe_facts_list *list = facts->published;
	size_t at;

	/* Nearly always it is the one before. */
	if (topic.len == 0 || topic.len >= PIPE_FACTS_TOPICS_MAX_BYTES ||
	    (list != NULL && list->bytes[0] == topic.len &&
		memcmp(list->bytes + 1, topic.data, topic.len) == 0))
		return;
	at = list_find(list, topic);
	if (list != NULL && at < list->len)
		list_remove(list, at);
	list_put_first(&facts->published, topic, &topic_bounds);
}

/* ---- told ---- */

static void
put_list(const struct pipe_facts_list *list, struct buf *json)
{
	size_t at = 0;
	struct span text;
	bool is_first = true;

	buf_append_str(json, "[");
	while (list_next(list, &at, &text)) {
		if (!is_first)
			buf_append_str(json, ",");
		json_put_string(json, text);
		is_first = false;
	}
	buf_append_str(json, "]");
}

void
pipe_facts_put_json(const struct pipe_facts *facts, struct buf *json)
{
	char text[160];

	buf_append_str(json, ",\"subscribed\":");
	put_list(facts->subscribed, json);
	buf_append_str(json, ",\"published\":");
	put_list(facts->published, json);
	snprintf(text, sizeof text,
	    ",\"subscribed_more\":%u,\"messages_in\":%ju,\"messages_out\":%ju,"
	    "\"refused\":%u",
	    facts->subscribed == NULL ? 0 : facts->subscribed->left_out,
	    (uintmax_t)facts->messages_in, (uintmax_t)facts->messages_out,
	    facts->refused);
	buf_append_str(json, text);
}

static void
log_list(
    struct log_line *line, const char *key, const struct pipe_facts_list *list)
{
	char text[PIPE_FACTS_FILTERS_MAX_BYTES];
	size_t at = 0, len = 0;
	struct span each;

	/* Each has a byte of length, in whose place a blank stands here. */
	while (list_next(list, &at, &each)) {
		if (len > 0)
			text[len++] = ' ';
		memcpy(text + len, each.data, each.len);
		len += each.len;
	}
	if (len > 0)
		log_span(line, key, span_of(text, len));
}

void
pipe_facts_log(const struct pipe_facts *facts, struct log_line *line)
{
	log_u64(line, "messages_in", facts->messages_in);
	log_u64(line, "messages_out", facts->messages_out);
	if (facts->refused > 0)
		log_u64(line, "refused", facts->refused);
	log_list(line, "subscribed", facts->subscribed);
	if (facts->subscribed != NULL && facts->subscribed->left_out > 0)
		log_u64(line, "subscribed_more", facts->subscribed->left_out);
	log_list(line, "published", facts->published);
}
