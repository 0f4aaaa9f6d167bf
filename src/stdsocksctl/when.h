/* SPDX-License-Identifier: ISC */
/* Points of time as people write them, and as they read them.
 * Knows: the local time zone. Does not know: what happens then. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define WHEN_FORMS                                                                                 \
	"2026-11-20, \"2026-11-20 14:30\", 2026-11-20T14:30:05Z, 14:30, today, yesterday, now, "   \
	"-2h, \"3d ago\" or @1795184405"

#define WHEN_TEXT_MAX 32
#define WHEN_MAX_US   (INT64_C(253402214400) * 1000000) /* the last day of the year 9999 */

/* Reads one of WHEN_FORMS, in local time unless it ends in Z; now_us is since the epoch, and so is what
 * is returned. "Moves": it passes over what has happened, as
 * time goes on; "today" does not, for it begins anew. False when it is none of these. */
bool when_read(const char *text, int64_t now_us, int64_t *ret_us, bool *ret_moves);

/* Microseconds since the epoch. */
int64_t when_now_us(void);

/* "2026-11-20T14:30:05", local time. */
void when_local(int64_t us, char text[WHEN_TEXT_MAX]);

/* "2026-11-20T14:30:05.123456Z". */
void when_utc(int64_t us, char text[WHEN_TEXT_MAX]);

/* Seconds that local time is ahead of UTC at that time. */
int64_t when_offset_s(int64_t us);
