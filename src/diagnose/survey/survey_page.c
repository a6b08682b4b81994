#include "survey_private.h"

#include "clock.h"
#include "greeting.h"
#include "str.h"

#include <stdlib.h>

/* ---- HTTP ---- */

static bool
ask_for_page(const struct survey *survey, int fd, uint64_t until_ms)
{
	struct buf request;
	bool sent;

	buf_init(&request, 1024);
	buf_append_str(&request, "GET / HTTP/1.1\r\nHost: ");
	buf_append_str(&request, survey->host);
	buf_append_str(&request,
	    "\r\nUser-Agent: kaya_survey\r\nAccept: */*\r\n"
	    "Connection: close\r\n\r\n");
	sent =
	    !request.failed && survey_write(fd, buf_span(&request), until_ms);
	buf_fini(&request);
	return sent;
}

static enum http_page
read_page(const struct survey *survey, int fd, struct buf *bytes,
    struct http_answer *answer)
{
	uint64_t until_ms = clock_monotonic_ms() + survey->timeout_ms;
	enum http_page page = HTTP_NEED_MORE;
	enum tcp_read end = TCP_READ_DATA;
	uint8_t piece[2048];
	size_t len;

	while (page == HTTP_NEED_MORE) {
		end = survey_read(fd, piece, sizeof piece, &len, until_ms);
		if (end == TCP_READ_DATA && !buf_append(bytes, piece, len))
			end = TCP_READ_END;
		page = survey_http_read(buf_span(bytes), survey->host,
		    end == TCP_READ_DATA ? HTTP_MAY_GO_ON : HTTP_IS_ALL,
		    answer);
	}
	return page;
}

bool
survey_page(struct survey *survey, struct survey_way *way, int fd)
{
	uint64_t until_ms = clock_monotonic_ms() + survey->timeout_ms;
	struct http_answer answer;
	enum http_page page;
	struct buf bytes;

	if (!ask_for_page(survey, fd, until_ms))
		return false;
	buf_init(&bytes, HTTP_PAGE_MAX + 4096);
	page = read_page(survey, fd, &bytes, &answer);
	if (page != HTTP_IS_NONE) {
		way->fact = WAY_HTTP;
		way->page = page;
		str_escape(answer.line, way->line, sizeof way->line);
		str_escape(
		    answer.location, way->location, sizeof way->location);
	}
	buf_fini(&bytes);
	return page != HTTP_IS_NONE;
}

/* ---- MQTT ---- */

bool
survey_mqtt(struct survey *survey, struct survey_way *way, int fd)
{
	/* 3.1.1, clean session, 60 s, client id "kaya-survey". */
	static const uint8_t connect[] = {0x10, 23, 0, 4, 'M', 'Q', 'T', 'T', 4,
	    2, 0, 60, 0, 11, 'k', 'a', 'y', 'a', '-', 's', 'u', 'r', 'v', 'e',
	    'y'};
	uint64_t until_ms = clock_monotonic_ms() + survey->timeout_ms;
	struct greeted *greeted = malloc(sizeof *greeted);
	bool found =
	    greeted != NULL &&
	    survey_write(fd, span_of(connect, sizeof connect), until_ms) &&
	    survey_greeting(fd, greeted, until_ms) == GREETING_MQTT;

	if (found) {
		way->fact = WAY_MQTT;
		way->line[0] = '\0';
	}
	free(greeted);
	return found;
}
