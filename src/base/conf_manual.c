/* Conf's table as manual and as sample file. */

#include "conf.h"

#include <stdarg.h>
#include <stdio.h>

enum { LINE_WIDTH = 78, ALLOWED_MAX = 288, NAME_MAX_BYTES = 160 };

static void
put(struct buf *out, const char *text)
{
	buf_append(out, text, strlen(text));
}

/* What may be written, with the plural that a list needs. */
static void
allowed(const struct conf_key *key, char *text, size_t size)
{
	char one[ALLOWED_MAX - 32];

	conf_allowed_text(key, one, sizeof one);
	snprintf(text, size, "%s%s",
	    (key->flags & CONF_LIST) != 0 ? "one or a list, each " : "", one);
}

static const char *
default_text(const struct conf_key *key)
{
	if (key->fallback != NULL)
		return key->fallback;
	return key->fallback_doc;
}

/* ---- sample file ---- */

/* `text` in lines of at most LINE_WIDTH, each begun by `before`. */
static void
put_filled(struct buf *out, const char *before, const char *text)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t word = strcspn(text, " ");

		if (column > 0 && column + 1 + word > LINE_WIDTH) {
			put(out, "\n");
			column = 0;
		}
		put(out, column == 0 ? before : " ");
		column += column == 0 ? strlen(before) : 1;
		buf_append(out, text, word);
		column += word;
		text += word;
		text += strspn(text, " ");
	}
	put(out, "\n");
}

static void
sample_sentences(
    const struct conf_key *key, const char *before, struct buf *out)
{
	char line[ALLOWED_MAX + 64], what[ALLOWED_MAX];

	put_filled(out, before, key->doc);
	if (key->type != CONF_MAPPING) {
		allowed(key, what, sizeof what);
		snprintf(line, sizeof line, "Allowed: %s.", what);
		put_filled(out, before, line);
	}
	if ((key->flags & CONF_REQUIRED) != 0)
		put_filled(out, before, "It must be there.");
	if (key->fallback == NULL && key->fallback_doc != NULL) {
		snprintf(line, sizeof line, "Default: %s.", key->fallback_doc);
		put_filled(out, before, line);
	}
}

/* In a list of sections the first word of one has the dash. */
enum sample_place { SAMPLE_TOP, SAMPLE_SECTION, SAMPLE_ITEM };

static void
sample_keys(
    const struct conf_key *keys, enum sample_place place, struct buf *out)
{
	static const char *const befores[] = {
	    [SAMPLE_TOP] = "# ",
	    [SAMPLE_SECTION] = "  # ",
	    [SAMPLE_ITEM] = "    # ",
	};
	static const char *const margins[] = {
	    [SAMPLE_TOP] = "#",
	    [SAMPLE_SECTION] = "#  ",
	    [SAMPLE_ITEM] = "#    ",
	};

	for (const struct conf_key *key = keys; key->name != NULL; key++) {
		const char *value =
		    key->fallback != NULL ? key->fallback : key->example;

		if (place == SAMPLE_TOP)
			put(out, "\n");
		sample_sentences(key, befores[place], out);
		put(out, place == SAMPLE_ITEM && key == keys ? "#  - "
							     : margins[place]);
		put(out, key->name);
		put(out, ":");
		if (key->type == CONF_MAPPING) {
			put(out, "\n");
			sample_keys(key->keys,
			    (key->flags & CONF_LIST) != 0 ? SAMPLE_ITEM
							  : SAMPLE_SECTION,
			    out);
			continue;
		}
		put(out, " ");
		put(out, value == NULL ? "" : value);
		put(out, "\n");
	}
}

void
conf_sample(const struct conf_key *keys, struct buf *out)
{
	sample_keys(keys, SAMPLE_TOP, out);
}

/* ---- manual ---- */

/* Words between backticks become bold; nothing else is scdoc's syntax. */
static void
put_scdoc(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '`') {
			put(out, "*");
			continue;
		}
		if (strchr("*_\\<>#", *text) != NULL)
			put(out, "\\");
		buf_append(out, text, 1);
	}
}

static void
manual_value(const struct conf_key *key, struct buf *out)
{
	char text[ALLOWED_MAX];

	allowed(key, text, sizeof text);
	put(out, "\n\n\tAllowed: ");
	put_scdoc(out, text);
	put(out, ".");
	if ((key->flags & CONF_REQUIRED) != 0)
		put(out, " It must be there.");
	if (default_text(key) != NULL) {
		put(out, " Default: ");
		put(out, key->fallback != NULL ? "*" : "");
		put_scdoc(out, default_text(key));
		put(out, key->fallback != NULL ? "*" : "");
		put(out, ".");
	}
}

static void
manual_keys(const struct conf_key *keys, const char *before, struct buf *out)
{
	char name[NAME_MAX_BYTES];

	for (; keys->name != NULL; keys++) {
		snprintf(name, sizeof name, "%s%s%s", before, keys->name,
		    keys->type == CONF_MAPPING && (keys->flags & CONF_LIST) != 0
			? "[]"
			: "");
		put(out, "\n*");
		put_scdoc(out, name);
		put(out, "*\n\t");
		put_scdoc(out, keys->doc);
		if (keys->type != CONF_MAPPING) {
			manual_value(keys, out);
			put(out, "\n");
			continue;
		}
		if (keys->fallback_doc != NULL) {
			put(out, " Default: ");
			put_scdoc(out, keys->fallback_doc);
			put(out, ".");
		}
		put(out, "\n");
		snprintf(name + strlen(name), sizeof name - strlen(name), ".");
		manual_keys(keys->keys, name, out);
	}
}

void
conf_manual(const struct conf_key *keys, struct buf *out)
{
	manual_keys(keys, "", out);
}

bool
conf_manual_renew(struct span page, const char *begin, const char *end,
    const struct conf_key *keys, struct buf *out)
{
	const uint8_t *first, *last;
	size_t head;

	first = memmem(page.data, page.len, begin, strlen(begin));
	if (first == NULL)
		return false;
	head = (size_t)(first - page.data) + strlen(begin);
	last = memmem(page.data + head, page.len - head, end, strlen(end));
	if (last == NULL)
		return false;
	buf_append(out, page.data, head);
	conf_manual(keys, out);
	buf_append(out, "\n", 1);
	buf_append(out, last, page.len - (size_t)(last - page.data));
	return true;
}
