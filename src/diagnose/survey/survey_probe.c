#include "survey_private.h"

#include "clock.h"
#include "greeting.h"
#include "str.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- who greets ---- */

int
survey_greeting(int fd, struct greeted *greeted, uint64_t until_ms)
{
	enum greeting found = GREETING_NEED_MORE;
	size_t len;

	greeted->len = 0;
	greeted->end = TCP_READ_DATA;
	while (found == GREETING_NEED_MORE && greeted->end == TCP_READ_DATA) {
		greeted->end = survey_read(fd, greeted->bytes + greeted->len,
		    sizeof greeted->bytes - greeted->len, &len, until_ms);
		greeted->len += len;
		found = greeting_read(span_of(greeted->bytes, greeted->len),
		    greeted->end == TCP_READ_DATA ? GREETING_MAY_GO_ON
						  : GREETING_IS_ALL,
		    &greeted->line);
	}
	if (greeted->len == 0)
		found = GREETING_NEED_MORE;
	return (int)found;
}

static enum way_fact
fact_of_greeting(enum greeting greeting, const struct greeted *greeted)
{
	static const enum way_fact facts[] = {
	    [GREETING_SSH] = WAY_SSH,
	    [GREETING_SSH_1] = WAY_SSH_1,
	    [GREETING_TOO_MANY] = WAY_TOO_MANY,
	    [GREETING_LOCKED_OUT] = WAY_LOCKED_OUT,
	    [GREETING_HTTP] = WAY_HTTP,
	    [GREETING_TLS] = WAY_TLS,
	    [GREETING_MQTT] = WAY_MQTT,
	    [GREETING_MAIL] = WAY_OTHER,
	    [GREETING_OTHER] = WAY_OTHER,
	};

	if (greeting != GREETING_NEED_MORE)
		return facts[greeting];
	if (greeted->end == TCP_READ_LATE)
		return WAY_SILENT;
	return greeted->end == TCP_READ_RESET ? WAY_CUT : WAY_CLOSED;
}

static void
add_time(struct way_times *times, uint64_t ms)
{
	if (times->count < SURVEY_TRIES)
		times->ms[times->count++] = ms;
}

/* A connection on which our identification has been sent. */
static int
call(struct survey *survey, struct survey_way *way, uint64_t *connected_ms)
{
	struct way_dial dial = {
	    .until_ms = clock_monotonic_ms() + survey->timeout_ms};
	uint64_t took;
	int fd = survey_dial(survey, way, &dial, &took);

	if (fd < 0)
		return -1;
	*connected_ms = clock_monotonic_ms();
	add_time(&way->connect, took);
	/* Where it cannot be sent the answer tells why. */
	(void)survey_write(fd, span_of_str(survey_identification),
	    *connected_ms + survey->timeout_ms);
	return fd;
}

/* ---- where it is SSH ---- */

/* Once more, for the time it takes. */
static void
time_again(
    struct survey *survey, struct survey_way *way, struct greeted *greeted)
{
	struct survey_way again = *way;
	uint64_t since = 0;
	int fd = call(survey, &again, &since);

	if (fd < 0)
		return;
	if (survey_greeting(fd, greeted, since + survey->timeout_ms) ==
	    GREETING_SSH) {
		add_time(&again.banner, clock_monotonic_ms() - since);
		way->connect = again.connect;
		way->banner = again.banner;
	}
	close(fd);
}

static void
look_at_ssh(struct survey *survey, struct survey_way *way, int fd,
    struct greeted *greeted)
{
	way->mtu = survey_large_packet(
	    fd, greeted, clock_monotonic_ms() + survey->timeout_ms);
	for (int i = 1; i < SURVEY_TRIES; i++)
		time_again(survey, way, greeted);
	survey_host_key(survey, way);
}

/* ---- where it is not ---- */

typedef bool look_fn(struct survey *survey, struct survey_way *way, int fd);

/* What else might speak on a port, the likeliest first. */
static const struct {
	uint16_t port; /* 0: any other */
	look_fn *looks[2];
} others[] = {
    {22, {survey_page}},
    {2222, {survey_page}},
    {80, {survey_page}},
    {1883, {survey_mqtt, survey_page}},
    {443, {survey_tls, survey_page}},
    {8883, {survey_tls, survey_page}},
    {0, {survey_tls, survey_page}},
};

static bool
look_by(struct survey *survey, struct survey_way *way, look_fn *look)
{
	struct survey_way copy = *way;
	struct way_dial dial = {
	    .until_ms = clock_monotonic_ms() + survey->timeout_ms};
	int fd = survey_dial(survey, &copy, &dial, NULL);
	bool found;

	if (fd < 0)
		return false;
	found = look(survey, way, fd);
	close(fd);
	return found;
}

/* By what the answer to our identification was, and by what is usual there. */
static void
look_at_other(struct survey *survey, struct survey_way *way)
{
	size_t i = 0;

	if (way->fact == WAY_MQTT)
		return;
	if (way->fact == WAY_TLS && look_by(survey, way, survey_tls))
		return;
	while (others[i].port != 0 && others[i].port != way->port)
		i++;
	for (size_t k = 0; k < 2 && others[i].looks[k] != NULL; k++)
		if (look_by(survey, way, others[i].looks[k]))
			return;
	if (way->fact == WAY_HTTP)
		look_by(survey, way, survey_page);
}

void
survey_probe(struct survey *survey, struct survey_way *way)
{
	struct greeted *greeted = malloc(sizeof *greeted);
	uint64_t since = 0;
	enum greeting greeting;
	int fd;

	if (greeted == NULL) {
		way->fact = WAY_FAILED;
		return;
	}
	fd = call(survey, way, &since);
	if (fd >= 0) {
		greeting = (enum greeting)survey_greeting(
		    fd, greeted, since + survey->timeout_ms);
		way->fact = fact_of_greeting(greeting, greeted);
		if (greeted->len > 0 && way->fact != WAY_TLS)
			str_escape(greeted->line, way->line, sizeof way->line);
		if (way->fact == WAY_SSH) {
			add_time(&way->banner, clock_monotonic_ms() - since);
			look_at_ssh(survey, way, fd, greeted);
		}
		close(fd);
		if (way->fact >= WAY_TLS && way->fact <= WAY_CUT)
			look_at_other(survey, way);
	}
	free(greeted);
}
