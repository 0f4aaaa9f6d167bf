/* SPDX-License-Identifier: ISC */
/* The monotonic clock, for deadlines and durations. */
#pragma once

#include <stdint.h>

/* Returns the time of CLOCK_MONOTONIC in microseconds. It does not jump if the system time is set.
 */
int64_t clock_now_us(void);

/* Returns the deadline now_us + timeout_us, or INT64_MAX, which means never, if the sum is greater
 * than that. */
int64_t clock_after(int64_t now_us, int64_t timeout_us);

/* Returns the earlier one of two points of time. */
int64_t clock_earlier(int64_t a_us, int64_t b_us);
