#include "clock.h"

#include <string.h>
#include <time.h>

static uint64_t
ms_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t
clock_monotonic_ms(void)
{
	return ms_of(CLOCK_MONOTONIC);
}

uint64_t
clock_boot_ms(void)
{
	return ms_of(CLOCK_BOOTTIME);
}

int64_t
clock_wall_s(void)
{
	return (int64_t)time(NULL);
}

void
clock_wall_text(char text[CLOCK_TEXT_SIZE])
{
	/* Made once a second: each line of the log asks. */
	static _Thread_local char made[CLOCK_TEXT_SIZE];
	static _Thread_local time_t made_for;
	struct timespec now;
	struct tm tm;
	unsigned ms;

	clock_gettime(CLOCK_REALTIME, &now);
	if (made[0] == '\0' || now.tv_sec != made_for) {
		gmtime_r(&now.tv_sec, &tm);
		strftime(made, sizeof made, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
		made_for = now.tv_sec;
	}
	memcpy(text, made, sizeof made);
	ms = (unsigned)(now.tv_nsec / 1000000);
	for (size_t i = 0; i < 3; i++) {
		text[CLOCK_TEXT_SIZE - 3 - i] = (char)('0' + ms % 10);
		ms /= 10;
	}
}
