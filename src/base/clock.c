#include "clock.h"

#include <stdio.h>
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
	struct timespec now;
	struct tm tm;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	len = strftime(text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + len, CLOCK_TEXT_SIZE - len, ".%03uZ",
	    (unsigned)(now.tv_nsec / 1000000) % 1000);
}
