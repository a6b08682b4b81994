#include "conf_fault.h"

#include <stdio.h>

struct conf_place {
	struct conf_place *next;
	const char *path;
	struct conf_mark mark;
};

/* A hash table: a list of thousands of names has as many places. */
struct conf_places {
	struct conf_place *heads[4096];
};

/* ---- telling ---- */

void
conf_where(struct conf_mark mark, const char *file, char *text, size_t size)
{
	char place[48] = "";
	size_t room, len = strlen(file);

	if (mark.line > 0)
		snprintf(
		    place, sizeof place, ":%zu:%zu", mark.line, mark.column);
	room = size > strlen(place) + 1 ? size - strlen(place) - 1 : 0;
	if (len > room && room > 3)
		snprintf(text, size, "...%s%s", file + len - (room - 3), place);
	else
		snprintf(text, size, "%s%s", file, place);
}

void
conf_fault_pass(struct conf_listener *listener, struct conf_mark mark,
    const struct err *err)
{
	struct conf_fault fault = {
	    .file = listener->file, .mark = mark, .err = *err};

	conf_where(
	    mark, listener->file, fault.err.where, sizeof fault.err.where);
	listener->count++;
	if (listener->on_fault != NULL)
		listener->on_fault(&fault, listener->arg);
}

void
conf_fault_tell(struct conf_listener *listener, struct conf_mark mark,
    const char *hint, const char *format, va_list args)
{
	struct err err = ERR_INIT;
	char what[sizeof err.what];

	vsnprintf(what, sizeof what, format, args);
	err_set(&err, ERR_CONFIG, "%s", what);
	err_hint(&err, "%s", hint);
	conf_fault_pass(listener, mark, &err);
}

void
conf_tell(struct conf_teller *teller, const char *path, const char *hint,
    const char *format, ...)
{
	const char *file = teller->conf->file;
	struct conf_listener listener = {
	    file == NULL ? "settings" : file, teller->on_fault, teller->arg, 0};
	struct err err = ERR_INIT;
	char what[sizeof err.what];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);
	err_set(&err, ERR_CONFIG, "%s: %s", path, what);
	err_hint(&err, "%s", hint);
	conf_fault_pass(&listener, conf_mark_of(teller->conf, path), &err);
	teller->count++;
}

/* ---- places ---- */

static struct conf_place **
head_of(struct conf_places *places, const char *path)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (; *path != '\0'; path++)
		hash = (hash ^ (uint8_t)*path) * 16777619u;
	hash ^= hash >> 16;
	return &places->heads[hash %
			      (sizeof places->heads / sizeof places->heads[0])];
}

bool
conf_fault_keep_place(
    struct conf *conf, const char *path, struct conf_mark mark)
{
	struct conf_place *place, **head;

	if (conf->places == NULL)
		conf->places = arena_alloc(&conf->arena, sizeof *conf->places);
	place = arena_alloc(&conf->arena, sizeof *place);
	if (place != NULL)
		place->path = arena_str(&conf->arena, span_of_str(path));
	if (conf->places == NULL || place == NULL || place->path == NULL)
		return false;
	head = head_of(conf->places, path);
	place->mark = mark;
	place->next = *head;
	*head = place;
	return true;
}

struct conf_mark
conf_mark_of(const struct conf *conf, const char *path)
{
	const struct conf_place *place =
	    conf->places == NULL ? NULL : *head_of(conf->places, path);

	for (; place != NULL; place = place->next)
		if (strcmp(place->path, path) == 0)
			return place->mark;
	return (struct conf_mark){0, 0};
}

static void
forget_in(struct conf_place **place, const char *path)
{
	size_t len = strlen(path);

	while (*place != NULL) {
		if (strncmp((*place)->path, path, len) == 0 &&
		    strchr(".[", (*place)->path[len]) != NULL)
			*place = (*place)->next;
		else
			place = &(*place)->next;
	}
}

void
conf_forget(struct conf *conf, const char *path)
{
	for (size_t i = 0;
	     conf->places != NULL &&
	     i < sizeof conf->places->heads / sizeof conf->places->heads[0];
	     i++)
		forget_in(&conf->places->heads[i], path);
}

void
conf_where_of(
    const struct conf *conf, const char *path, char *text, size_t size)
{
	struct conf_mark mark = conf_mark_of(conf, path);

	if (mark.line == 0)
		text[0] = '\0';
	else
		conf_where(mark, conf->file, text, size);
}
