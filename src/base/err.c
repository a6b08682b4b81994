#include "err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
	int status;
	const char *name;
	const char *hint;
} codes[ERR_CODES_COUNT] = {
#define X(code, status, name, hint) [code] = {status, name, hint},
    ERR_CODES(X)
#undef X
};

static void
fill(struct err *err, enum err_code code, int os_errno, const char *format,
    va_list args)
{
	err_clear(err);
	err->code = code;
	err->os_errno = os_errno;
	vsnprintf(err->what, sizeof err->what, format, args);
	snprintf(err->hint, sizeof err->hint, "%s", codes[code].hint);
}

int
err_set(struct err *err, enum err_code code, const char *format, ...)
{
	va_list args;

	if (err == NULL)
		return -1;
	va_start(args, format);
	fill(err, code, 0, format, args);
	va_end(args);
	return -1;
}

int
err_set_errno(struct err *err, enum err_code code, const char *format, ...)
{
	int saved = errno;
	va_list args;
	size_t used;

	if (err == NULL)
		return -1;
	va_start(args, format);
	fill(err, code, saved, format, args);
	va_end(args);
	used = strlen(err->what);
	snprintf(
	    err->what + used, sizeof err->what - used, ": %s", strerror(saved));
	return -1;
}

int
err_where(struct err *err, const char *format, ...)
{
	va_list args;

	if (err == NULL || err->where[0] != '\0')
		return -1;
	va_start(args, format);
	vsnprintf(err->where, sizeof err->where, format, args);
	va_end(args);
	return -1;
}

int
err_hint(struct err *err, const char *format, ...)
{
	va_list args;

	if (err == NULL)
		return -1;
	va_start(args, format);
	vsnprintf(err->hint, sizeof err->hint, format, args);
	va_end(args);
	return -1;
}

int
err_wrap(struct err *err, const char *format, ...)
{
	char inner[sizeof err->what];
	size_t used;
	va_list args;

	if (err == NULL)
		return -1;
	memcpy(inner, err->what, sizeof inner);
	va_start(args, format);
	vsnprintf(err->what, sizeof err->what, format, args);
	va_end(args);
	used = strlen(err->what);
	snprintf(err->what + used, sizeof err->what - used, ": %s", inner);
	return -1;
}

void
err_clear(struct err *err)
{
	err->code = ERR_NONE;
	err->os_errno = 0;
	err->what[0] = err->where[0] = err->hint[0] = '\0';
}

int
err_exit_status(enum err_code code)
{
	return codes[code].status;
}

const char *
err_name(enum err_code code)
{
	return codes[code].name;
}

const char *
err_default_hint(enum err_code code)
{
	return codes[code].hint;
}

const char *
err_text(const struct err *err, char *text, size_t size)
{
	const char *colon = err->where[0] != '\0' ? ": " : "";

	if (err->hint[0] != '\0')
		snprintf(text, size, "%s%s%s\n  remedy: %s", err->where, colon,
		    err->what, err->hint);
	else
		snprintf(text, size, "%s%s%s", err->where, colon, err->what);
	return text;
}
