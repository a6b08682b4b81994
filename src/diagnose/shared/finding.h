#ifndef KAYA_FINDING_H
#define KAYA_FINDING_H

/*
 * finding: what a look at one thing brought, and how people and programs read
 * a list of them.
 *
 *	ok       dns         broker.example is 192.0.2.7
 *	fault    tcp         192.0.2.7 port 22: no answer within 5 s
 *
 *	cause:  ...
 *	remedy: ...
 */

#include "err.h"

#include <stdbool.h>
#include <stdio.h>

enum finding_state {
	FINDING_OK,
	FINDING_WARNING, /* works, and will not for ever or not for all */
	FINDING_FAULT,
	FINDING_NOT_KNOWN /* could not be looked at; `seen` says why */
};

/* "ok", "warning", "fault", "not-known" (in text: "not known"). */
const char *finding_state_name(enum finding_state state);

enum { FINDING_TEXT = 2048 };

struct finding {
	const char *layer; /* "dns", "tcp" ...; static */
	enum finding_state state;
	const char *code; /* a word: "port-closed"; static; "" where ok */
	enum err_code status; /* what a fault makes of the exit status */
	/* Each one sentence without full stop; what peers sent is escaped. */
	char seen[FINDING_TEXT];
	char cause[FINDING_TEXT]; /* "" where nothing is wrong */
	char remedy[FINDING_TEXT]; /* a command to type, if there is one */
};

/* Append it as a JSON object, on lines that are indented by four. */
struct buf;
void finding_put_json(struct buf *out, const struct finding *finding);

enum findings_form { FINDINGS_AS_TEXT, FINDINGS_AS_JSON };

/* Which causes are told: the first one at the end, or each below its line. */
enum findings_causes { FINDINGS_FIRST_CAUSE, FINDINGS_EVERY_CAUSE };

/* A list that prints itself as it grows. */
struct findings {
	FILE *out;
	enum findings_form form;
	enum findings_causes causes;
	struct finding *items;
	size_t count;
	size_t cap;
	bool failed; /* no memory: the list is not whole */
};

/* An empty list that prints to `out` (borrowed; with colours on a terminal). */
void findings_init(struct findings *findings, FILE *out,
    enum findings_form form, enum findings_causes causes);
void findings_fini(struct findings *findings);

/* Append a copy; as text it is printed at once. */
void findings_add(struct findings *findings, const struct finding *finding);

/* The first fault, else the first warning, else NULL. */
const struct finding *findings_first(const struct findings *findings);

/*
 * Print what remains: the first cause and its remedy, or, as JSON, all of it:
 *
 *	{"ok": false, "status": 4, "layer": "forwarding", "code": "...",
 *	 "cause": "...", "remedy": "...", "findings": [{"layer": ..., "state":
 *	 ..., "code": ..., "seen": ..., "cause": ..., "remedy": ...}, ...]}
 *
 * The exit status: 0 where there is no fault, else the first fault's.
 */
int findings_end(struct findings *findings);

#endif
