/* SPDX-License-Identifier: ISC */
/* Counts events per interval of time. The memory is bounded: if there are too many intervals, they
 * become wider. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TIMELINE_INTERVALS_MAX 120
#define TIMELINE_KINDS_MAX     8 /* upper limit of the kinds of events */

struct timeline_interval {
	uint64_t counts[TIMELINE_KINDS_MAX]; /* of events, by kind */
	uint64_t up, down;                   /* bytes */
};

/* All zero is an empty timeline. All intervals have the same width, from one second on. They begin
 * at multiples of this width in local time, for example at full minutes, hours or days. */
struct timeline {
	int64_t width_s;  /* of an interval, in seconds */
	int64_t offset_s; /* seconds that local time is ahead of UTC, at the first event added */
	/* The start of the first interval, in widths since the epoch, which is counted in local
	 * time. */
	int64_t first;
	size_t count; /* of intervals */
	struct timeline_interval intervals[TIMELINE_INTERVALS_MAX];
};

/* Returns the interval that contains time_us, in microseconds since the epoch. Adds the interval,
 * and makes all intervals wider, if necessary. The caller increases its counts. The pointer is
 * valid until the next call. */
struct timeline_interval *timeline_at(struct timeline *t, int64_t time_us);

/* Returns the start of intervals[i], in seconds since the epoch (UTC). */
int64_t timeline_start_s(const struct timeline *t, size_t i);
