/* SPDX-License-Identifier: ISC */
/* Counts the connections that ended before a valid greeting, whose records the units drop. */
#pragma once

#include <stdint.h>

/* The time between two reports of the supervisor, and the value of MESSAGE_ID in them. */
#define PREFORK_STRANGERS_US INT64_C(60000000)
#define PREFORK_STRANGERS_ID "9ce4f6e7e9b34520b5e1d0bc916eeaac"

/* If all members are zero, none was counted. */
struct prefork_strangers {
	uint64_t count;   /* since the last report */
	int64_t first_us; /* when count became greater than 0 */
};

/* Counts more connections, at now_us. */
void prefork_strangers_add(struct prefork_strangers *s, uint64_t more, int64_t now_us);

/* Returns when the next report is due: PREFORK_STRANGERS_US after the first connection that it
 * counts; INT64_MAX if there was none. */
int64_t prefork_strangers_due_us(const struct prefork_strangers *s);
