#include "clock.h"

#include <stdio.h>
#include <time.h>

uint64_t
clock_monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
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
