/* SPDX-License-Identifier: ISC */
/* The monotonic clock, for deadlines and durations. */
#pragma once

#include <stdint.h>

/* Returns CLOCK_MONOTONIC in microseconds. Setting the system time does not change it. */
int64_t clock_now_us(void);

/* Returns now_us + timeout_us, or INT64_MAX (never) if timeout_us is INT64_MAX. */
int64_t clock_after(int64_t now_us, int64_t timeout_us);
