/* SPDX-License-Identifier: ISC */
/* What time it is, for deadlines and for the record. Knows: the monotonic clock. */
#pragma once

#include <stdint.h>

/* Microseconds of CLOCK_MONOTONIC: no step of the wall clock moves a deadline. */
int64_t clock_now_us(void);

/* now_us + timeout_us, where INT64_MAX is a time that never comes. */
int64_t clock_after(int64_t now_us, int64_t timeout_us);
