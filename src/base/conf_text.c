/* What conf's table and values look like as text. */

#include "conf.h"
#include "str.h"

#include <stdarg.h>
#include <stdio.h>

enum { TEXT_MAX = 4200 };

__attribute__((format(printf, 2, 3))) static void
put(struct buf *out, const char *format, ...)
{
	char text[TEXT_MAX * 2];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= sizeof text)
		out->failed = true;
	else
		buf_append(out, text, (size_t)len);
}

static void
indent(struct buf *out, size_t depth)
{
	for (size_t i = 0; i < depth; i++)
		put(out, "  ");
}

/* ---- values in force ---- */

/* A list's pointer and count, or a single value as a list of one. */
struct items {
	const uint8_t *first;
	size_t count;
};

static struct items
items_of(const struct conf_key *key, const uint8_t *target)
{
	struct items items = {target + key->offset, 1};

	if ((key->flags & CONF_LIST) != 0) {
		memcpy(&items.first, target + key->offset, sizeof items.first);
		memcpy(
		    &items.count, target + key->count_offset, sizeof(size_t));
	}
	return items;
}

/* Whether YAML would read the text as it is, as that very text. */
static bool
is_plain(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || strchr(" -?:,[]{}#&*!|>'\"%@`~", text[0]) != NULL ||
	    text[len - 1] == ' ' || text[len - 1] == ':' ||
	    strcmp(text, "null") == 0)
		return false;
	return strstr(text, ": ") == NULL && strstr(text, " #") == NULL &&
	       strpbrk(text, ",[]{}\\\"") == NULL;
}

static void
put_scalar(struct buf *out, const struct conf_key *key, const void *value,
    enum conf_form form)
{
	char text[TEXT_MAX], quoted[TEXT_MAX + 64];
	bool is_literal;

	conf_value_text(key, value, text, sizeof text);
	is_literal =
	    form == CONF_FORM_JSON ? key->type == CONF_INT : is_plain(text);
	if (form == CONF_FORM_JSON && key->type == CONF_BOOL) {
		put(out, "%s", strcmp(text, "yes") == 0 ? "true" : "false");
	} else if (is_literal) {
		put(out, "%s", text);
	} else {
		str_escape(span_of_str(text), quoted, sizeof quoted);
		put(out, "\"%s\"", quoted);
	}
}

/* What nobody set and has no default has no text: it is left out. */
static bool
is_unset(const struct conf_key *key, const uint8_t *target)
{
	char text[2];

	if ((key->flags & CONF_LIST) != 0)
		return items_of(key, target).count == 0;
	if (key->type == CONF_MAPPING)
		return false;
	conf_value_text(key, target + key->offset, text, sizeof text);
	return text[0] == '\0';
}

static void dump_yaml(const struct conf_key *keys, const uint8_t *target,
    size_t depth, struct buf *out);

static void
dump_yaml_list(
    const struct conf_key *key, struct items items, size_t depth, struct buf *o)
{
	put(o, "\n");
	for (size_t i = 0; i < items.count; i++) {
		const uint8_t *item = items.first + i * key->size;

		indent(o, depth);
		if (key->type == CONF_MAPPING) {
			put(o, "-\n");
			dump_yaml(key->keys, item, depth + 1, o);
		} else {
			put(o, "- ");
			put_scalar(o, key, item, CONF_FORM_YAML);
			put(o, "\n");
		}
	}
}

static void
dump_yaml(const struct conf_key *keys, const uint8_t *target, size_t depth,
    struct buf *out)
{
	for (; keys->name != NULL; keys++) {
		if (is_unset(keys, target))
			continue;
		indent(out, depth);
		put(out, "%s:", keys->name);
		if ((keys->flags & CONF_LIST) != 0) {
			dump_yaml_list(
			    keys, items_of(keys, target), depth + 1, out);
		} else if (keys->type == CONF_MAPPING) {
			put(out, "\n");
			dump_yaml(
			    keys->keys, target + keys->offset, depth + 1, out);
		} else {
			put(out, " ");
			put_scalar(
			    out, keys, target + keys->offset, CONF_FORM_YAML);
			put(out, "\n");
		}
	}
}

static void
dump_json(const struct conf_key *keys, const uint8_t *target, struct buf *out)
{
	const char *comma = "";

	put(out, "{");
	for (; keys->name != NULL; keys++) {
		bool is_list = (keys->flags & CONF_LIST) != 0;
		struct items items = items_of(keys, target);

		if (is_unset(keys, target))
			continue;
		put(out, "%s\"%s\":%s", comma, keys->name, is_list ? "[" : "");
		for (size_t i = 0; i < items.count; i++) {
			const uint8_t *item = items.first + i * keys->size;

			put(out, "%s", i == 0 ? "" : ",");
			if (keys->type == CONF_MAPPING)
				dump_json(keys->keys, item, out);
			else
				put_scalar(out, keys, item, CONF_FORM_JSON);
		}
		put(out, "%s", is_list ? "]" : "");
		comma = ",";
	}
	put(out, "}");
}

void
conf_dump(const struct conf_key *keys, const void *target, enum conf_form form,
    struct buf *out)
{
	if (form == CONF_FORM_YAML) {
		dump_yaml(keys, target, 0, out);
	} else {
		dump_json(keys, target, out);
		put(out, "\n");
	}
}
