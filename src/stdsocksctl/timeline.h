/* SPDX-License-Identifier: ISC */
/* Counts events per interval of time. The number of intervals is bounded; their width grows. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TIMELINE_INTERVALS_MAX 120
#define TIMELINE_KINDS_MAX     8

struct timeline_interval {
	uint64_t counts[TIMELINE_KINDS_MAX];
	uint64_t up, down;
};

/* If it is all zero, it is empty. All intervals have one width, of a second or more, and start at
 * whole multiples of it in local time: minutes, hours, days. */
struct timeline {
	int64_t width_s, offset_s; /* local time ahead of UTC, at the first event */
	int64_t first;             /* number of the first interval, in widths since the epoch */
	size_t count;              /* of intervals */
	struct timeline_interval intervals[TIMELINE_INTERVALS_MAX];
};

/* Returns the interval that contains time_us. The caller adds its counts to it. The pointer is
 * valid until the next call. */
struct timeline_interval *timeline_at(struct timeline *t, int64_t time_us);

/* Returns the start of interval i, in seconds since the epoch. */
int64_t timeline_start_s(const struct timeline *t, size_t i);
