/* SPDX-License-Identifier: ISC */
/* A histogram: counts values in bins, so that quantiles can be found in a fixed amount of memory.
 */
#pragma once

#include <stdint.h>

/* From 64 on, the range between two powers of two has 64 bins of equal width. A quantile is the
 * middle of a bin, so its error is at most 1/128 of the value. Each value below 64 has a bin of its
 * own. */
#define HISTOGRAM_BINS_LOG2 6
#define HISTOGRAM_BINS      ((63 - HISTOGRAM_BINS_LOG2 + 1) << HISTOGRAM_BINS_LOG2)

/* All zero is an empty histogram. */
struct histogram {
	uint64_t bins[HISTOGRAM_BINS];
	uint64_t count, sum; /* of the values; the sum saturates at UINT64_MAX */
	int64_t max;         /* the greatest value */
};

/* Adds a value, which must not be negative. */
void histogram_add(struct histogram *h, int64_t value);

/* Returns a quantile: the value that per_mille of 1000 values do not exceed. For example, 500 gives
 * the median. Returns 0 if the histogram is empty. */
int64_t histogram_quantile(const struct histogram *h, unsigned per_mille);

/* Returns the smallest value that is counted in a bin. */
int64_t histogram_bin_start(unsigned bin);
