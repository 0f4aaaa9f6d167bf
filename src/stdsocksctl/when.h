/* SPDX-License-Identifier: ISC */
/* Reads and writes points in time, which are in microseconds since the epoch. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

/* Examples of all forms that when_read() accepts, for error messages. */
#define WHEN_FORMS                                                                                 \
	"2026-11-20, \"2026-11-20 14:30\", 2026-11-20T14:30:05Z, 14:30, today, yesterday, now, "   \
	"-2h, \"3d ago\" or @1795184405"

#define WHEN_TEXT_MAX 32                                /* bytes of a text, with its NUL */
#define WHEN_MAX_US   (INT64_C(253402214400) * 1000000) /* the last day of the year 9999 */

/* Reads a point in time in one of WHEN_FORMS. now_us is the current time. A date and time is local
 * time unless it ends with "Z". Sets *ret_moves to true if the text will mean a later point when it
 * is read again later, as "-2h" will. ("today" is treated as a fixed point.) Returns false if the
 * text has another form; then both outputs are undefined. */
bool when_read(const char *text, int64_t now_us, int64_t *ret_us, bool *ret_moves);

/* Returns the time of a clock, CLOCK_REALTIME or CLOCK_MONOTONIC, in microseconds. */
int64_t when_clock_us(clockid_t clock);

/* Writes a point in time, in local time and without fractions: "2026-11-20T14:30:05". */
void when_local(int64_t us, char text[WHEN_TEXT_MAX]);

/* Writes a point in time, in UTC: "2026-11-20T14:30:05.123456Z". */
void when_utc(int64_t us, char text[WHEN_TEXT_MAX]);

/* Returns the number of seconds by which local time is ahead of UTC at a point in time. */
int64_t when_offset_s(int64_t us);
