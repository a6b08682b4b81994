#ifndef KAYA_COMPARE_PRIVATE_H
#define KAYA_COMPARE_PRIVATE_H

/* compare_private: what compare_*.c and doctor_compare.c share. */

#include "command_forward.h"
#include "command_given.h"
#include "compare_settings.h"
#include "doctor_compare.h"
#include "ssh_login.h"

struct compare_side {
	const char *said; /* as the user wrote it */
	const char *name; /* "the command", "the alias field" */
	char name_text[300];
	struct command_given given;
	struct ssh_settings settings;
	char refused[400]; /* why ssh does not even start; "" */
	char target[320]; /* "host:port" that it asks for */
	struct ssh_login login;
	/* what the line permits, by the file; "": nobody could read it */
	char permits[512];
};

struct compare {
	const struct doctor_compare_options *options;
	struct compare_side sides[2];
	struct compare_difference *differences;
	size_t difference_count;
	char cause[2048]; /* the closing sentence */
	char remedy[2048];
	int status;
};

/* Whether the side, as it is written, brings a client to the broker. */
bool compare_works(const struct compare_side *side);

/* Find the closing sentence, the remedy and the status.  Pure. */
void compare_conclude(struct compare *compare);

/* Find what the line that let a side in permits. */
void compare_find_line(struct compare *compare, struct compare_side *side);

#endif
