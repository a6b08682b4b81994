#include "server_clock.h"

#include "clock.h"
#include "server_private.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <time.h>

enum { YEAR_S = 365 * 86400, FUTURE_YEARS = 20 };

static const struct check_row rows[] = {
    {SERVER_CLOCK_OK, FINDING_OK, ERR_NONE, NULL, "{time} UTC, synchronised",
	NULL, NULL},
    {SERVER_CLOCK_UNSYNCHRONISED, FINDING_WARNING, ERR_NONE,
	"clock-not-synchronised", "{time} UTC, not synchronised",
	"nothing keeps the clock right: keys with an expiry-time, invitations "
	"and logs go by it",
	"timedatectl set-ntp true; where there is nothing to do it: apt-get "
	"install systemd-timesyncd"},
    {SERVER_CLOCK_PAST, FINDING_FAULT, ERR_FAILED, "clock-wrong",
	"{time} UTC: that time is over",
	"the clock stands before the time at which this program was installed: "
	"keys that have expired are let in again",
	"timedatectl set-ntp true; or by hand: date -u -s 'YYYY-MM-DD HH:MM'"},
    {SERVER_CLOCK_FUTURE, FINDING_FAULT, ERR_FAILED, "clock-wrong",
	"{time} UTC: that time has not come",
	"the clock is decades ahead: keys with an expiry-time are refused",
	"timedatectl set-ntp true; or by hand: date -u -s 'YYYY-MM-DD HH:MM'"},
};

enum server_clock_fact
server_clock_judge(int64_t now_s, int64_t built_s, int state, int status)
{
	if (now_s < built_s - 86400)
		return SERVER_CLOCK_PAST;
	if (now_s > built_s + (int64_t)FUTURE_YEARS * YEAR_S)
		return SERVER_CLOCK_FUTURE;
	if (state == TIME_ERROR || (status & STA_UNSYNC) != 0)
		return SERVER_CLOCK_UNSYNCHRONISED;
	return SERVER_CLOCK_OK;
}

enum check_next
server_clock(void *arg, struct findings *findings)
{
	struct server *server = arg;
	struct timex timex = {.modes = 0};
	int state = adjtimex(&timex);
	int64_t now_s = clock_wall_s();
	time_t now = (time_t)now_s;
	struct stat own = {0};
	char text[40] = "";
	struct tm tm;

	/* When this program was made: surely in the past. */
	if (stat("/proc/self/exe", &own) != 0)
		own.st_mtim.tv_sec = now;
	if (gmtime_r(&now, &tm) != NULL)
		strftime(text, sizeof text, "%Y-%m-%d %H:%M", &tm);
	const struct check_word words[] = {{"time", text}, {0}};

	server_tell(server, "clock", SERVER_ROWS(rows),
	    (int)server_clock_judge(
		now_s, (int64_t)own.st_mtim.tv_sec, state, timex.status),
	    words);
	return CHECK_GO_ON;
}
