/* SPDX-License-Identifier: ISC */
/* The monotonic clock, for deadlines and durations. */
#include "net/clock.h"

#include <time.h>

int64_t clock_now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail: POSIX.1-2008 requires it */
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_earlier(int64_t a_us, int64_t b_us)
{
	return a_us < b_us ? a_us : b_us;
}

int64_t clock_after(int64_t now_us, int64_t timeout_us)
{
	return timeout_us > INT64_MAX - now_us ? INT64_MAX : now_us + timeout_us;
}
