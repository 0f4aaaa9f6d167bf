/* SPDX-License-Identifier: ISC */
#include "stdsocksctl/timeline.h"

#include <string.h>

#include "stdsocksctl/top_k.h"
#include "stdsocksctl/when.h"

#define DAY_S INT64_C(86400)

/* Each is a multiple of the previous one, so that whole intervals are merged. */
static const int64_t widths_s[] = {1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200,
	DAY_S, DAY_S * 7, DAY_S * 28, DAY_S * 364, DAY_S * 3640, DAY_S * 36400};

static void widen(struct timeline *t)
{
	size_t i = 0;

	while (widths_s[i] <= t->width_s)
		i++;
	struct timeline old = *t;
	int64_t factor = widths_s[i] / old.width_s;
	t->width_s = widths_s[i];
	t->first = old.first / factor;
	t->count = (size_t)((old.first + (int64_t)old.count - 1) / factor - t->first + 1);
	memset(t->intervals, 0, sizeof t->intervals);
	for (size_t from = 0; from < old.count; from++) {
		struct timeline_interval *to =
			&t->intervals[(old.first + (int64_t)from) / factor - t->first];
		for (size_t kind = 0; kind < TIMELINE_KINDS_MAX; kind++)
			to->counts[kind] += old.intervals[from].counts[kind];
		top_k_sum(&to->up, old.intervals[from].up);
		top_k_sum(&to->down, old.intervals[from].down);
	}
}

struct timeline_interval *timeline_at(struct timeline *t, int64_t time_us)
{
	if (t->count == 0) {
		t->width_s = widths_s[0];
		t->offset_s = when_offset_s(time_us);
		t->first = time_us / 1000000 + t->offset_s;
		t->count = 1;
	}
	for (;;) {
		int64_t number = (time_us / 1000000 + t->offset_s) / t->width_s;
		int64_t before = number < t->first ? t->first - number : 0;
		int64_t count = before > 0 || number - t->first < (int64_t)t->count
			? (int64_t)t->count + before
			: number - t->first + 1;
		if (count > TIMELINE_INTERVALS_MAX) {
			widen(t);
			continue;
		}
		if (before > 0) { /* the clock was set back */
			memmove(t->intervals + before, t->intervals,
				t->count * sizeof t->intervals[0]);
			memset(t->intervals, 0, (size_t)before * sizeof t->intervals[0]);
			t->first -= before;
		}
		t->count = (size_t)count;
		return &t->intervals[number - t->first];
	}
}

int64_t timeline_start_s(const struct timeline *t, size_t i)
{
	return (t->first + (int64_t)i) * t->width_s - t->offset_s;
}
