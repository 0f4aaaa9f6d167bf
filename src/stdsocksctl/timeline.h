/* SPDX-License-Identifier: ISC */
/* What happened when, in a fixed number of stretches of time that grow as they have to.
 * Knows: local time. Does not know: what is counted. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TIMELINE_STRETCHES_MAX 120
#define TIMELINE_KINDS_MAX     8

struct timeline_stretch {
	uint64_t counts[TIMELINE_KINDS_MAX];
	uint64_t up, down;
};

/* All zero is empty. Stretches are of one width, which begins at a second and is always a round one: they
 * start on whole minutes, hours, days of local time. */
struct timeline {
	int64_t width_s, offset_s; /* local time ahead of UTC, at the first record */
	int64_t first;             /* number of the first stretch, counted in widths */
	size_t count;              /* of stretches */
	struct timeline_stretch stretches[TIMELINE_STRETCHES_MAX];
};

/* The stretch of that time, for the caller to count in; valid until the next call. */
struct timeline_stretch *timeline_at(struct timeline *t, int64_t time_us);

/* When stretch i began, in seconds since the epoch. */
int64_t timeline_start_s(const struct timeline *t, size_t i);
