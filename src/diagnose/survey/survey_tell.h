#ifndef KAYA_SURVEY_TELL_H
#define KAYA_SURVEY_TELL_H

/* survey_tell: what the survey's findings say; for survey_judge alone. */

#include "firewall_own.h"
#include "survey_private.h"

enum survey_fact {
	DNS_FOUND,
	DNS_NO_SUCH_NAME,
	DNS_NO_ANSWER,
	DNS_LIES,
	DNS_ANSWERS_ALL,
	DNS_BOGUS,
	DNS_BOGUS_HERE,
	DNS_PRIVATE,
	PORTAL_SURE,
	PORTAL_LIKELY,
	PORTAL_PERHAPS,
	KEY_INTERCEPTED, /* another way shows the right one */
	KEY_CHANGED,
	KEY_DIFFERS,
	KEY_UNKNOWN,
	KEY_NOT_KNOWABLE,
	TLS_INTERCEPTED,
	TLS_DOUBTFUL,
	PROXY_WRONG,
	PROXY_OTHER_KIND,
	PROXY_EXEMPT,
	PROXY_NOT_FOUND,
	PROXY_SILENT,
	PROXY_LOGIN,
	PROXY_FORBIDS_ALL,
	PATH_MTU,
	PATH_MTU_UNKNOWN,
	IDLE_LIVES,
	IDLE_FORGOTTEN,
	IDLE_FORGOTTEN_EARLY,
	IDLE_GRACE,
	IDLE_NOWHERE,
	REACH_LOCKED_OUT,
	REACH_TOO_MANY,
	REACH_NO_SSH,
	REACH_FORBIDDEN,
	REACH_DROPPED, /* the same, and it is known by which rule */
	REACH_NO_ROUTE,
	REACH_NOTHING
};

struct survey_tale {
	struct survey *survey;
	const struct survey_way *way; /* NULL: none in particular */
	const struct survey_way *other; /* for KEY_DIFFERS */
	const struct firewall_own *own; /* for REACH_DROPPED */
	const char *passing; /* for REACH_NO_SSH: "port 443, port 80" */
};

/*
 * Add the finding for `fact`; where `at_most` is FINDING_WARNING a fault
 * becomes a warning.
 */
void survey_tell(const struct survey_tale *tale, const char *layer,
    enum survey_fact fact, enum finding_state at_most);

#endif
