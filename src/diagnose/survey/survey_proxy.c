#include "survey_proxy.h"

#include "str.h"
#include "survey_http.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { DEFAULT_PORT = 80, HEAD_MAX = 8192 };

/* Of names and addresses: it is typed in a command that a shell runs. */
#define HOST_LETTERS                                                           \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:_-%"

/* ---- its URL ---- */

static int
hex_digit(uint8_t c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c != 0 ? strchr(digits, c | 0x20) : NULL;

	if (c >= '0' && c <= '9')
		return c - '0';
	return at != NULL && c > '9' ? (int)(at - digits) : -1;
}

/* "%40" is "@". */
static void
put_decoded(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		bool may_be = text.data[i] == '%' && i + 2 < text.len;
		int high = may_be ? hex_digit(text.data[i + 1]) : -1;
		int low = may_be ? hex_digit(text.data[i + 2]) : -1;
		uint8_t byte = text.data[i];

		if (high >= 0 && low >= 0) {
			byte = (uint8_t)(high * 16 + low);
			i += 2;
		}
		buf_append(out, &byte, 1);
	}
}

static enum proxy_url
keep_login(struct survey_proxy *proxy, struct span login)
{
	const uint8_t *colon = memchr(login.data, ':', login.len);
	struct span user = login, password = {0};
	enum proxy_url result = PROXY_URL_OK;
	struct buf plain;

	if (colon != NULL) {
		user.len = (size_t)(colon - login.data);
		password = span_of(colon + 1, login.len - user.len - 1);
	}
	buf_init(&plain, 2 * PROXY_WORD_MAX);
	put_decoded(&plain, user);
	buf_append(&plain, ":", 1);
	put_decoded(&plain, password);
	if (plain.failed)
		result = PROXY_URL_WRONG;
	else
		str_base64_encode(buf_span(&plain), proxy->basic);
	buf_fini_wipe(&plain);
	return result;
}

enum proxy_url
survey_proxy_parse(const char *url, struct survey_proxy *proxy)
{
	const char *scheme = strstr(url, "://"), *at, *end;
	struct span where;

	*proxy = (struct survey_proxy){0};
	if (url[0] == '\0')
		return PROXY_URL_EMPTY;
	if (scheme != NULL &&
	    (scheme - url != 4 || strncasecmp(url, "http", 4) != 0))
		return PROXY_URL_NO_HTTP;
	if (scheme != NULL)
		url = scheme + 3;
	end = url + strcspn(url, "/?#");
	at = memrchr(url, '@', (size_t)(end - url));
	if (at != NULL &&
	    keep_login(proxy, span_of(url, (size_t)(at - url))) != PROXY_URL_OK)
		return PROXY_URL_WRONG;
	if (at != NULL)
		url = at + 1;
	where = span_of(url, (size_t)(end - url));
	if (!str_split_host_port(
		where, proxy->host, sizeof proxy->host, &proxy->port) ||
	    proxy->host[strspn(proxy->host, HOST_LETTERS)] != '\0' ||
	    proxy->host[0] == '\0' || proxy->host[0] == '-')
		return PROXY_URL_WRONG;
	if (proxy->port == 0)
		proxy->port = DEFAULT_PORT;
	snprintf(proxy->name, sizeof proxy->name,
	    strchr(proxy->host, ':') != NULL ? "[%s]:%u" : "%s:%u", proxy->host,
	    proxy->port);
	return PROXY_URL_OK;
}

const char *
survey_proxy_variable(proxy_getenv_fn *getenv_fn)
{
	static const char *const names[] = {"https_proxy", "HTTPS_PROXY",
	    "http_proxy", "ALL_PROXY", "all_proxy"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *value = getenv_fn(names[i]);

		if (value != NULL && value[0] != '\0')
			return names[i];
	}
	return NULL;
}

/* ---- who goes without it ---- */

static int
address_of(const char *text, uint8_t bytes[16])
{
	if (inet_pton(AF_INET, text, bytes) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, text, bytes) == 1 ? AF_INET6 : 0;
}

static bool
is_in_block(const char *block, const char *host)
{
	const char *slash = strchr(block, '/');
	uint8_t base[16], own[16];
	char text[PROXY_WORD_MAX];
	uint64_t bits;
	int family;

	snprintf(text, sizeof text, "%.*s", (int)(slash - block), block);
	family = address_of(text, base);
	if (family == 0 || address_of(host, own) != family ||
	    !str_to_u64(
		span_of_str(slash + 1), 0, family == AF_INET ? 32 : 128, &bits))
		return false;
	for (size_t i = 0; i < bits; i++)
		if (((base[i / 8] ^ own[i / 8]) >> (7 - i % 8) & 1) != 0)
			return false;
	return true;
}

static bool
ends_with(const char *host, const char *end)
{
	size_t host_len = strlen(host), end_len = strlen(end);

	if (end_len == 0 || host_len < end_len ||
	    strcasecmp(host + host_len - end_len, end) != 0)
		return false;
	return host_len == end_len || host[host_len - end_len - 1] == '.';
}

/* One word of the list. */
static bool
exempts(struct span word, const char *host, uint16_t port)
{
	char text[PROXY_WORD_MAX], name[PROXY_WORD_MAX];
	const char *begin = name;
	uint16_t wanted = 0;

	if (!span_to_str(word, text, sizeof text) || text[0] == '\0')
		return false;
	if (strcmp(text, "*") == 0)
		return true;
	if (strchr(text, '/') != NULL)
		return is_in_block(text, host);
	if (!str_split_host_port(word, name, sizeof name, &wanted))
		snprintf(name, sizeof name, "%s", text);
	if (wanted != 0 && wanted != port)
		return false;
	if (strncmp(begin, "*.", 2) == 0)
		begin++;
	if (*begin == '.')
		begin++;
	return ends_with(host, begin);
}

bool
survey_proxy_is_exempt(const char *no_proxy, const char *host, uint16_t port)
{
	while (no_proxy != NULL && *no_proxy != '\0') {
		size_t blanks = strspn(no_proxy, " \t,");
		size_t len = strcspn(no_proxy + blanks, " \t,");

		if (exempts(span_of(no_proxy + blanks, len), host, port))
			return true;
		no_proxy += blanks + len;
	}
	return false;
}

/* ---- asking it ---- */

void
survey_proxy_ask(struct buf *out, const struct survey_proxy *proxy,
    const char *host, uint16_t port)
{
	char where[PROXY_WORD_MAX + 16];

	snprintf(where, sizeof where,
	    strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, port);
	buf_append_str(out, "CONNECT ");
	buf_append_str(out, where);
	buf_append_str(out, " HTTP/1.1\r\nHost: ");
	buf_append_str(out, where);
	if (proxy->basic[0] != '\0') {
		buf_append_str(out, "\r\nProxy-Authorization: Basic ");
		buf_append_str(out, proxy->basic);
	}
	buf_append_str(out, "\r\n\r\n");
}

enum proxy_answer
survey_proxy_read(struct span bytes, struct span *line)
{
	const uint8_t *end =
	    bytes.len > 0 ? memmem(bytes.data, bytes.len, "\r\n\r\n", 4) : NULL;
	const uint8_t *lf;
	unsigned status;

	*line = bytes;
	if (bytes.len >= 5 && memcmp(bytes.data, "HTTP/", 5) != 0)
		return PROXY_IS_NONE;
	if (end == NULL)
		return bytes.len < HEAD_MAX ? PROXY_NEED_MORE : PROXY_IS_NONE;
	lf = memchr(bytes.data, '\r', bytes.len);
	line->len = (size_t)(lf - bytes.data);
	status = survey_http_status(*line);
	if (status >= 200 && status < 300)
		return PROXY_CONNECTED;
	/* 401 is for servers; tinyproxy says it where a password is wrong. */
	if (status == 407 || status == 401)
		return PROXY_WANTS_LOGIN;
	if (status >= 400 && status < 500)
		return PROXY_FORBIDS;
	return status >= 500 && status < 600 ? PROXY_CANNOT : PROXY_IS_NONE;
}
