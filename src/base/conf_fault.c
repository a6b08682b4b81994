#include "conf_fault.h"

#include <stdio.h>

struct conf_place {
	struct conf_place *next;
	const char *path;
	struct conf_mark mark;
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

bool
conf_fault_keep_place(
    struct conf *conf, const char *path, struct conf_mark mark)
{
	struct conf_place *place = arena_alloc(&conf->arena, sizeof *place);

	if (place != NULL)
		place->path = arena_str(&conf->arena, span_of_str(path));
	if (place == NULL || place->path == NULL)
		return false;
	place->mark = mark;
	place->next = conf->places;
	conf->places = place;
	return true;
}

struct conf_mark
conf_mark_of(const struct conf *conf, const char *path)
{
	for (struct conf_place *p = conf->places; p != NULL; p = p->next)
		if (strcmp(p->path, path) == 0)
			return p->mark;
	return (struct conf_mark){0, 0};
}

void
conf_forget(struct conf *conf, const char *path)
{
	size_t len = strlen(path);

	for (struct conf_place **p = &conf->places; *p != NULL;) {
		if (strncmp((*p)->path, path, len) == 0 &&
		    strchr(".[", (*p)->path[len]) != NULL)
			*p = (*p)->next;
		else
			p = &(*p)->next;
	}
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
