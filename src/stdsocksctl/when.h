/* SPDX-License-Identifier: ISC */
/* Reads and writes points in time. Microseconds are since the epoch. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define WHEN_FORMS                                                                                 \
	"2026-11-20, \"2026-11-20 14:30\", 2026-11-20T14:30:05Z, 14:30, today, yesterday, now, "   \
	"-2h, \"3d ago\" or @1795184405"

#define WHEN_TEXT_MAX 32
#define WHEN_MAX_US   (INT64_C(253402214400) * 1000000) /* the last day of the year 9999 */

/* Reads one of WHEN_FORMS, in local time unless it ends in "Z". Sets *ret_moves if the point moves
 * past records as time goes on, as "-2h" does; "today" does not. Returns false if the text has
 * another form. */
bool when_read(const char *text, int64_t now_us, int64_t *ret_us, bool *ret_moves);

int64_t when_clock_us(clockid_t clock);

/* Writes "2026-11-20T14:30:05", local time. */
void when_local(int64_t us, char text[WHEN_TEXT_MAX]);

/* Writes "2026-11-20T14:30:05.123456Z". */
void when_utc(int64_t us, char text[WHEN_TEXT_MAX]);

/* Returns the seconds that local time was ahead of UTC. */
int64_t when_offset_s(int64_t us);
