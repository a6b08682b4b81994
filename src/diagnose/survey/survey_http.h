#ifndef KAYA_SURVEY_HTTP_H
#define KAYA_SURVEY_HTTP_H

/*
 * survey_http: whose page is it that answers in a host's name?  Pure.
 */

#include "span.h"

#include <stdbool.h>

enum http_page {
	HTTP_NEED_MORE,
	HTTP_IS_NONE,
	HTTP_PLAIN, /* a page or an error, nothing odd */
	HTTP_LEADS_HOME, /* redirects to the host itself */
	HTTP_LEADS_AWAY, /* redirects to somebody else */
	HTTP_LOGIN, /* a page that asks for a password */
	HTTP_SIGN_IN /* 511, Network Authentication Required */
};

enum { HTTP_PAGE_MAX = 16384 };

struct http_answer {
	unsigned status;
	struct span line; /* the first */
	struct span location; /* where it leads; empty where nowhere */
};

/*
 * Judge what came for "GET /" with `host` in it.  NEED_MORE until the page is
 * whole; at the end of the stream, or of patience, `is_all` makes the best of
 * it.
 */
enum http_end { HTTP_MAY_GO_ON, HTTP_IS_ALL };
enum http_page survey_http_read(struct span bytes, const char *host,
    enum http_end end, struct http_answer *answer);

/* "HTTP/1.1 407 ..." has 407; 0 where it is none. */
unsigned survey_http_status(struct span line);

#endif
