#include "enroll_private.h"

#include "clock.h"
#include "keys_edit.h"
#include "keys_line.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* This machine's name, as far as it is one. */
static void
host_name(char name[STR_NAME_MAX + 1])
{
	char text[256] = "";

	gethostname(text, sizeof text - 1);
	snprintf(name, STR_NAME_MAX + 1, "%.*s", STR_NAME_MAX,
	    text[0] != '\0' ? text : "device");
	for (char *p = name; *p != '\0'; p++)
		if (!str_is_name(span_of(p, 1)))
			*p = '-';
}

static int
read_public_line(struct enroll *enroll, struct err *err)
{
	if (keys_line_take_key(
		buf_span(&enroll->public_line), &enroll->key, err) != 0)
		return -1;
	if (!span_to_str(
		enroll->key.base64, enroll->base64, sizeof enroll->base64))
		return err_set(err, ERR_FAILED, "the key is too long");
	return 0;
}

int
enroll_make_key(struct enroll *enroll, struct err *err)
{
	char host[STR_NAME_MAX + 1], comment[STR_NAME_MAX + 16], date[12];
	char print[PUBKEY_FINGERPRINT_SIZE];
	time_t now = (time_t)clock_wall_s();
	enum enroll_place_key outcome;
	struct tm tm;

	host_name(host);
	localtime_r(&now, &tm);
	strftime(date, sizeof date, "%Y-%m-%d", &tm);
	snprintf(comment, sizeof comment, "%s %s", host, date);
	snprintf(enroll->identity, sizeof enroll->identity, "%s",
	    enroll->options->identity != NULL ? enroll->options->identity
					      : host);
	outcome = enroll_place_make_key(
	    &enroll->place, comment, &enroll->public_line, err);
	if (outcome == ENROLL_KEY_FAILED || read_public_line(enroll, err) != 0)
		return -1;
	enroll_tell(enroll, "key", "%s %s, %s",
	    keys_fingerprint(&enroll->key, print),
	    outcome == ENROLL_KEY_MADE ? "made" : "was there",
	    enroll->place.key);
	return 0;
}

int
enroll_read_key(struct enroll *enroll, struct err *err)
{
	if (enroll_place_read_key(&enroll->place, &enroll->public_line, err) !=
	    0)
		return -1;
	return read_public_line(enroll, err);
}
