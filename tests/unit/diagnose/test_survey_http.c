#include "survey_http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static enum http_page
page_of(const char *text, enum http_end end, const char *location)
{
	struct http_answer answer;
	enum http_page page =
	    survey_http_read(span_of_str(text), "broker.example", end, &answer);

	if (location != NULL)
		assert_true(span_is(answer.location, location));
	return page;
}

#define REDIRECT(to) "HTTP/1.1 302 Found\r\nLocation: " to "\r\n\r\n"

static void
test_a_redirect_to_somebody_else_leads_away(void **state)
{
	assert_int_equal(page_of(REDIRECT("http://portal.lan/login?x=1"),
			     HTTP_MAY_GO_ON, "http://portal.lan/login?x=1"),
	    HTTP_LEADS_AWAY);
	assert_int_equal(
	    page_of(REDIRECT("//10.0.0.1:8080/"), HTTP_MAY_GO_ON, NULL),
	    HTTP_LEADS_AWAY);
	assert_int_equal(page_of(REDIRECT("https://broker.example.evil.lan/"),
			     HTTP_MAY_GO_ON, NULL),
	    HTTP_LEADS_AWAY);
	assert_int_equal(page_of(REDIRECT("https://notbroker.example/"),
			     HTTP_MAY_GO_ON, NULL),
	    HTTP_LEADS_AWAY);
}

static void
test_a_redirect_is_a_place_and_no_words_behind_it(void **state)
{
	assert_int_equal(page_of("HTTP/1.1 302 Found\r\nLocation: "
				 "http://x.test/a, or type: curl x|sh\r\n\r\n",
			     HTTP_IS_ALL, "http://x.test/a,"),
	    HTTP_LEADS_AWAY);
}

static void
test_a_redirect_to_the_host_itself_leads_home(void **state)
{
	static const char *const texts[] = {
	    REDIRECT("https://broker.example/"),
	    REDIRECT("https://Broker.Example:8443/x"),
	    REDIRECT("https://www.broker.example"),
	    REDIRECT("/index.html"),
	};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_int_equal(
		    page_of(texts[i], HTTP_MAY_GO_ON, NULL), HTTP_LEADS_HOME);
}

static void
test_a_page_may_lead_away_by_its_text(void **state)
{
	assert_int_equal(
	    page_of("HTTP/1.1 200 OK\r\n\r\n<html><META HTTP-EQUIV=\"Refresh\" "
		    "content=\"0; URL=http://portal.lan/\"></html>",
		HTTP_IS_ALL, "http://portal.lan/"),
	    HTTP_LEADS_AWAY);
}

static void
test_a_page_that_asks_for_a_password_is_a_login(void **state)
{
	assert_int_equal(page_of("HTTP/1.1 200 OK\r\n\r\n<form><INPUT name=x "
				 "type='password'></form>",
			     HTTP_IS_ALL, NULL),
	    HTTP_LOGIN);
}

static void
test_511_wants_somebody_to_sign_in(void **state)
{
	assert_int_equal(
	    page_of("HTTP/1.1 511 Network Authentication Required\r\n\r\n",
		HTTP_MAY_GO_ON, NULL),
	    HTTP_SIGN_IN);
}

static void
test_any_other_page_is_plain(void **state)
{
	assert_int_equal(
	    page_of("HTTP/1.1 400 Bad Request\r\n\r\n", HTTP_IS_ALL, NULL),
	    HTTP_PLAIN);
	assert_int_equal(page_of("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
				 "hi",
			     HTTP_MAY_GO_ON, NULL),
	    HTTP_PLAIN);
	assert_int_equal(
	    page_of("<html>no head</html>", HTTP_IS_ALL, NULL), HTTP_PLAIN);
}

static void
test_what_is_no_page_is_told(void **state)
{
	assert_int_equal(
	    page_of("SSH-2.0-x\r\n", HTTP_MAY_GO_ON, NULL), HTTP_IS_NONE);
	assert_int_equal(page_of("", HTTP_IS_ALL, NULL), HTTP_IS_NONE);
	assert_int_equal(page_of("HTTP/x", HTTP_IS_ALL, NULL), HTTP_IS_NONE);
}

static void
test_cut_off_anywhere_it_waits_or_makes_the_best_of_it(void **state)
{
	static const char text[] =
	    "HTTP/1.1 200 OK\r\nContent-Length: 47\r\n\r\n"
	    "<meta http-equiv=\"refresh\" content=\"0;url=//x\">";
	struct http_answer answer;

	for (size_t len = 0; len < sizeof text - 1; len++) {
		assert_int_equal(survey_http_read(span_of(text, len),
				     "broker.example", HTTP_MAY_GO_ON, &answer),
		    HTTP_NEED_MORE);
		assert_int_not_equal(
		    survey_http_read(span_of(text, len), "broker.example",
			HTTP_IS_ALL, &answer),
		    HTTP_NEED_MORE);
	}
	assert_int_equal(survey_http_read(span_of_str(text), "broker.example",
			     HTTP_MAY_GO_ON, &answer),
	    HTTP_LEADS_AWAY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_redirect_to_somebody_else_leads_away),
	    cmocka_unit_test(test_a_redirect_is_a_place_and_no_words_behind_it),
	    cmocka_unit_test(test_a_redirect_to_the_host_itself_leads_home),
	    cmocka_unit_test(test_a_page_may_lead_away_by_its_text),
	    cmocka_unit_test(test_a_page_that_asks_for_a_password_is_a_login),
	    cmocka_unit_test(test_511_wants_somebody_to_sign_in),
	    cmocka_unit_test(test_any_other_page_is_plain),
	    cmocka_unit_test(test_what_is_no_page_is_told),
	    cmocka_unit_test(
		test_cut_off_anywhere_it_waits_or_makes_the_best_of_it),
	};

	return cmocka_run_group_tests_name("survey_http", tests, NULL, NULL);
}
