#include "access_alias.h"

#include <stdlib.h>

enum { ALIASES_MAX = 4096, BYTES_MAX = 256 * 1024 };

static struct access_alias *
find(struct access_aliases *aliases, uint16_t number)
{
	for (uint16_t i = 0; i < aliases->count; i++)
		if (aliases->list[i].number == number)
			return &aliases->list[i];
	return NULL;
}

static struct access_alias *
add(struct access_aliases *aliases, uint16_t number)
{
	struct access_alias *list;

	if (aliases->count == ALIASES_MAX)
		return NULL;
	/* By powers of two: each time that the count is one. */
	if ((aliases->count & (aliases->count - 1u)) == 0) {
		size_t room = aliases->count == 0 ? 1 : 2u * aliases->count;

		list = realloc(aliases->list, room * sizeof *list);
		if (list == NULL)
			return NULL;
		aliases->list = list;
	}
	aliases->list[aliases->count] = (struct access_alias){.number = number};
	return &aliases->list[aliases->count++];
}

static bool
set_topic(struct access_aliases *aliases, struct access_alias *alias,
    struct span topic, bool *no_memory)
{
	uint8_t *copy;

	if (aliases->bytes - alias->len + topic.len > BYTES_MAX)
		return false;
	copy = malloc(topic.len);
	if (copy == NULL) {
		*no_memory = true;
		return false;
	}
	memcpy(copy, topic.data, topic.len);
	aliases->bytes -= alias->len;
	aliases->bytes += (uint32_t)topic.len;
	free(alias->topic);
	alias->topic = copy;
	alias->len = (uint16_t)topic.len;
	alias->is_known = false;
	return true;
}

struct access_alias *
access_alias_follow(struct access_aliases *aliases,
    const struct mqtt_publish *publish, bool *no_memory)
{
	struct access_alias *alias = find(aliases, publish->topic_alias);

	*no_memory = false;
	if (publish->topic.len == 0)
		return alias == NULL || alias->topic == NULL ? NULL : alias;
	if (alias == NULL)
		alias = add(aliases, publish->topic_alias);
	if (alias == NULL) {
		*no_memory = aliases->count < ALIASES_MAX;
		return NULL;
	}
	if (alias->topic != NULL &&
	    span_equal(span_of(alias->topic, alias->len), publish->topic))
		return alias;
	return set_topic(aliases, alias, publish->topic, no_memory) ? alias
								    : NULL;
}

bool
access_alias_give(bool (*to)(void *arg, struct span bytes), void *arg,
    const struct mqtt_walk_item *item, struct access_alias *alias)
{
	struct buf out;
	bool done;

	if (alias == NULL || alias->is_known || item->publish.topic.len > 0) {
		if (alias != NULL)
			alias->is_known = true;
		return to(arg, item->bytes);
	}
	buf_init(&out, item->bytes.len + alias->len + MQTT_HEADER_MAX);
	done = mqtt_publish_put_topic(&item->frame, &item->publish, item->bytes,
		   span_of(alias->topic, alias->len), &out) &&
	       to(arg, buf_span(&out));
	buf_fini(&out);
	alias->is_known = done;
	return done;
}

void
access_aliases_fini(struct access_aliases *aliases)
{
	for (uint16_t i = 0; i < aliases->count; i++)
		free(aliases->list[i].topic);
	free(aliases->list);
	*aliases = (struct access_aliases){0};
}
