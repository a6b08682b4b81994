#include "survey_proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ---- URLs ---- */

static void
assert_url(const char *url, const char *name, const char *basic)
{
	struct survey_proxy proxy;

	assert_int_equal(survey_proxy_parse(url, &proxy), PROXY_URL_OK);
	assert_string_equal(proxy.name, name);
	assert_string_equal(proxy.basic, basic);
}

static void
test_a_proxy_is_a_host_and_a_port(void **state)
{
	assert_url("http://proxy.example:3128", "proxy.example:3128", "");
	assert_url("http://proxy.example:3128/", "proxy.example:3128", "");
	assert_url("HTTP://proxy.example:3128/?x", "proxy.example:3128", "");
	assert_url("proxy.example:3128", "proxy.example:3128", "");
	assert_url("http://[fd00::1]:3128", "[fd00::1]:3128", "");
}

static void
test_a_host_that_a_shell_would_read_is_none(void **state)
{
	struct survey_proxy proxy;
	static const char *const hosts[] = {
	    "http://a;id:3128", "http://$(id):3128", "http://-x:3128", "a b:1"};

	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
		assert_int_equal(
		    survey_proxy_parse(hosts[i], &proxy), PROXY_URL_WRONG);
}

static void
test_without_a_port_it_is_80(void **state)
{
	assert_url("http://proxy.example", "proxy.example:80", "");
}

static void
test_credentials_become_basic_and_are_in_no_name(void **state)
{
	/* RFC 7617 section 2: Aladdin, open sesame. */
	assert_url("http://Aladdin:open%20sesame@proxy:3128", "proxy:3128",
	    "QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
	assert_url("http://u:p%40s%3a@proxy:3128", "proxy:3128", "dTpwQHM6");
	assert_url("http://u:p@ss@proxy:3128", "proxy:3128", "dTpwQHNz");
	assert_url("http://u@proxy:3128", "proxy:3128", "dTo=");
}

static void
test_a_percent_sign_without_digits_is_itself(void **state)
{
	assert_url("http://u:1%2@proxy", "proxy:80", "dToxJTI=");
	assert_url("http://u:%zz@proxy", "proxy:80", "dToleno=");
	assert_url("http://u:%@proxy", "proxy:80", "dTol");
}

static void
test_other_kinds_of_proxy_are_told_apart(void **state)
{
	static const char *const urls[] = {"socks5://proxy:1080",
	    "socks5h://u:p@proxy:1080", "https://proxy:3129", "htt://x"};
	struct survey_proxy proxy;

	for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
		assert_int_equal(
		    survey_proxy_parse(urls[i], &proxy), PROXY_URL_NO_HTTP);
}

static void
test_what_is_no_url_is_refused(void **state)
{
	static const char *const urls[] = {"http://", "http://:3128",
	    "http://proxy:0", "http://proxy:65536", "http://proxy:x",
	    "http://u:p@", "http://[fd00::1", "/"};
	struct survey_proxy proxy;

	for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
		assert_int_equal(
		    survey_proxy_parse(urls[i], &proxy), PROXY_URL_WRONG);
	assert_int_equal(survey_proxy_parse("", &proxy), PROXY_URL_EMPTY);
}

static void
test_credentials_of_any_length_fit_or_are_refused(void **state)
{
	char url[2000];

	for (size_t len = 1; len < 1500; len += 7) {
		struct survey_proxy proxy;
		size_t used = (size_t)snprintf(url, sizeof url, "http://");

		memset(url + used, 'x', len);
		snprintf(url + used + len, sizeof url - used - len, "@proxy");
		if (survey_proxy_parse(url, &proxy) == PROXY_URL_OK)
			assert_true(strlen(proxy.basic) >= len);
		else
			assert_true(len > 500);
	}
}

/* ---- the environment ---- */

static const char *environment[8][2];

static char *
fake_getenv(const char *name)
{
	static char value[512];

	for (size_t i = 0; i < 8 && environment[i][0] != NULL; i++)
		if (strcmp(environment[i][0], name) == 0) {
			snprintf(value, sizeof value, "%s", environment[i][1]);
			return value;
		}
	return NULL;
}

static void
test_https_proxy_comes_before_http_proxy_before_all_proxy(void **state)
{
	memset(environment, 0, sizeof environment);
	assert_null(survey_proxy_variable(fake_getenv));
	environment[0][0] = "ALL_PROXY";
	environment[0][1] = "http://a";
	assert_string_equal(survey_proxy_variable(fake_getenv), "ALL_PROXY");
	environment[1][0] = "http_proxy";
	environment[1][1] = "http://b";
	assert_string_equal(survey_proxy_variable(fake_getenv), "http_proxy");
	environment[2][0] = "HTTPS_PROXY";
	environment[2][1] = "http://c";
	assert_string_equal(survey_proxy_variable(fake_getenv), "HTTPS_PROXY");
	environment[3][0] = "https_proxy";
	environment[3][1] = "";
	assert_string_equal(survey_proxy_variable(fake_getenv), "HTTPS_PROXY");
}

static void
test_http_proxy_in_capitals_does_not_count(void **state)
{
	memset(environment, 0, sizeof environment);
	environment[0][0] = "HTTP_PROXY";
	environment[0][1] = "http://from-a-request";
	assert_null(survey_proxy_variable(fake_getenv));
}

static void
test_no_proxy_exempts(void **state)
{
	static const struct {
		const char *list, *host;
		uint16_t port;
	} yes[] = {
	    {"*", "broker.example", 22},
	    {"broker.example", "broker.example", 22},
	    {"Broker.Example", "broker.example", 22},
	    {"example", "broker.example", 22},
	    {".example", "broker.example", 22},
	    {"*.example", "broker.example", 22},
	    {"a.example,broker.example", "broker.example", 22},
	    {"a.example, broker.example", "broker.example", 22},
	    {" , ,broker.example", "broker.example", 22},
	    {"broker.example:22", "broker.example", 22},
	    {"10.0.0.0/8", "10.200.3.4", 22},
	    {"10.1.2.3", "10.1.2.3", 22},
	    {"fd00::/8", "fd12::1", 22},
	    {"0.0.0.0/0", "192.0.2.1", 22},
	};

	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
		assert_true(survey_proxy_is_exempt(
		    yes[i].list, yes[i].host, yes[i].port));
}

static void
test_no_proxy_exempts_nobody_else(void **state)
{
	static const struct {
		const char *list, *host;
		uint16_t port;
	} no[] = {
	    {NULL, "broker.example", 22},
	    {"", "broker.example", 22},
	    {",", "broker.example", 22},
	    {"roker.example", "broker.example", 22},
	    {"broker.example.com", "broker.example", 22},
	    {"broker.example:443", "broker.example", 22},
	    {"10.0.0.0/8", "11.0.0.1", 22},
	    {"10.0.0.0/8", "broker.example", 22},
	    {"10.0.0.0/33", "10.0.0.1", 22},
	    {"10.0.0.0/", "10.0.0.1", 22},
	    {"10.0.0.0/8", "fd00::1", 22},
	    {"0.0.0.1", "10.0.0.1", 22},
	};

	for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
		assert_false(
		    survey_proxy_is_exempt(no[i].list, no[i].host, no[i].port));
}

/* ---- asking, and the answer ---- */

static void
assert_asks(const char *url, const char *host, const char *wanted)
{
	struct survey_proxy proxy;
	struct buf out;

	assert_int_equal(survey_proxy_parse(url, &proxy), PROXY_URL_OK);
	buf_init(&out, 4096);
	survey_proxy_ask(&out, &proxy, host, 443);
	assert_true(span_is(buf_span(&out), wanted));
	buf_fini(&out);
}

static void
test_it_is_asked_for_the_host_by_its_name(void **state)
{
	assert_asks("http://proxy:1", "broker.example",
	    "CONNECT broker.example:443 HTTP/1.1\r\n"
	    "Host: broker.example:443\r\n\r\n");
	assert_asks("http://u:p@proxy:1", "fd00::1",
	    "CONNECT [fd00::1]:443 HTTP/1.1\r\nHost: [fd00::1]:443\r\n"
	    "Proxy-Authorization: Basic dTpw\r\n\r\n");
}

static enum proxy_answer
answer(const char *text, const char *first_line)
{
	struct span line;
	enum proxy_answer answer = survey_proxy_read(span_of_str(text), &line);

	if (first_line != NULL)
		assert_true(span_is(line, first_line));
	return answer;
}

static void
test_its_answers_are_told_apart(void **state)
{
	assert_int_equal(answer("HTTP/1.1 200 Connection established\r\n\r\n",
			     "HTTP/1.1 200 Connection established"),
	    PROXY_CONNECTED);
	assert_int_equal(
	    answer("HTTP/1.0 200 OK\r\nVia: x\r\n\r\nSSH-2.0-x\r\n", NULL),
	    PROXY_CONNECTED);
	assert_int_equal(
	    answer("HTTP/1.1 407 Who?\r\n\r\n", NULL), PROXY_WANTS_LOGIN);
	assert_int_equal(
	    answer("HTTP/1.1 401 Who?\r\n\r\n", NULL), PROXY_WANTS_LOGIN);
	assert_int_equal(
	    answer("HTTP/1.1 403 No\r\n\r\n", NULL), PROXY_FORBIDS);
	assert_int_equal(
	    answer("HTTP/1.1 502 Bad\r\n\r\n", NULL), PROXY_CANNOT);
	assert_int_equal(
	    answer("HTTP/1.1 302 Go\r\n\r\n", NULL), PROXY_IS_NONE);
	assert_int_equal(
	    answer("SSH-2.0-OpenSSH_9.2p1\r\n", NULL), PROXY_IS_NONE);
	assert_int_equal(
	    answer("HTTP/1.1 2x0 OK\r\n\r\n", NULL), PROXY_IS_NONE);
}

static void
test_an_answer_that_is_cut_off_anywhere_waits_for_more(void **state)
{
	static const char text[] = "HTTP/1.1 403 No\r\nVia: x\r\n\r\n";
	struct span line;

	for (size_t len = 0; len < sizeof text - 1; len++)
		assert_int_equal(survey_proxy_read(span_of(text, len), &line),
		    PROXY_NEED_MORE);
}

static void
test_a_head_without_end_is_no_proxys(void **state)
{
	static char text[9000];
	struct span line;

	memset(text, 'x', sizeof text);
	memcpy(text, "HTTP/1.1 200 ", 13);
	assert_int_equal(survey_proxy_read(span_of(text, sizeof text), &line),
	    PROXY_IS_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_proxy_is_a_host_and_a_port),
	    cmocka_unit_test(test_a_host_that_a_shell_would_read_is_none),
	    cmocka_unit_test(test_without_a_port_it_is_80),
	    cmocka_unit_test(test_credentials_become_basic_and_are_in_no_name),
	    cmocka_unit_test(test_a_percent_sign_without_digits_is_itself),
	    cmocka_unit_test(test_other_kinds_of_proxy_are_told_apart),
	    cmocka_unit_test(test_what_is_no_url_is_refused),
	    cmocka_unit_test(test_credentials_of_any_length_fit_or_are_refused),
	    cmocka_unit_test(
		test_https_proxy_comes_before_http_proxy_before_all_proxy),
	    cmocka_unit_test(test_http_proxy_in_capitals_does_not_count),
	    cmocka_unit_test(test_no_proxy_exempts),
	    cmocka_unit_test(test_no_proxy_exempts_nobody_else),
	    cmocka_unit_test(test_it_is_asked_for_the_host_by_its_name),
	    cmocka_unit_test(test_its_answers_are_told_apart),
	    cmocka_unit_test(
		test_an_answer_that_is_cut_off_anywhere_waits_for_more),
	    cmocka_unit_test(test_a_head_without_end_is_no_proxys),
	};

	return cmocka_run_group_tests_name("survey_proxy", tests, NULL, NULL);
}
