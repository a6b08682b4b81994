#ifndef KAYA_SURVEY_PROXY_H
#define KAYA_SURVEY_PROXY_H

/*
 * survey_proxy: the HTTP proxy that the environment names, and how it is asked
 * for a connection (RFC 9110 section 9.3.6, CONNECT).  Pure.
 */

#include "buf.h"
#include "span.h"

#include <stdbool.h>

enum { PROXY_WORD_MAX = 256 };

struct survey_proxy {
	char host[PROXY_WORD_MAX];
	uint16_t port;
	char name[PROXY_WORD_MAX + 8]; /* "host:port": no credentials */
	/* of Proxy-Authorization: base64 of user:password; "" where none */
	char basic[4 * PROXY_WORD_MAX];
};

enum proxy_url {
	PROXY_URL_OK,
	PROXY_URL_EMPTY,
	PROXY_URL_WRONG,
	PROXY_URL_NO_HTTP /* socks5://, https://: not spoken here */
};

/*
 * [http://][user[:password]@]host[:port][/], %XX in user and password.  Where
 * no port is said it is 80.
 */
enum proxy_url survey_proxy_parse(const char *url, struct survey_proxy *proxy);

/* A variable's value; NULL where it is not set.  getenv is one. */
typedef char *proxy_getenv_fn(const char *name);

/*
 * The variable that says which proxy to use: https_proxy, HTTPS_PROXY,
 * http_proxy (small letters only: the other may come from a web request),
 * ALL_PROXY, all_proxy: the first that is not empty.  NULL: none.
 */
const char *survey_proxy_variable(proxy_getenv_fn *getenv_fn);

/*
 * Whether `no_proxy` (a list with commas; NULL: none) exempts the host: "*", a
 * name or the end of one (".example.com", "example.com"), an address, a block
 * of addresses ("10.0.0.0/8"); with ":port" only that port.
 */
bool survey_proxy_is_exempt(
    const char *no_proxy, const char *host, uint16_t port);

/* Append the request for a connection to `host` and `port`. */
void survey_proxy_ask(struct buf *out, const struct survey_proxy *proxy,
    const char *host, uint16_t port);

enum proxy_answer {
	PROXY_NEED_MORE,
	PROXY_CONNECTED, /* 2xx */
	PROXY_WANTS_LOGIN, /* 407, and 401 */
	PROXY_FORBIDS, /* 4xx */
	PROXY_CANNOT, /* 5xx: it does not reach the host */
	PROXY_IS_NONE /* what answers is no HTTP proxy */
};

/* Read the head of its answer; `line` becomes its first line. */
enum proxy_answer survey_proxy_read(struct span bytes, struct span *line);

#endif
