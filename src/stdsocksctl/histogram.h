/* SPDX-License-Identifier: ISC */
/* How values are spread, in a fixed amount of memory.
 * Knows: numbers. Does not know: what they measure. */
#pragma once

#include <stdint.h>

/* Between two powers of two there are 64 bins of equal width: what is read from one is the middle of
 * a bin, at most 1/128 of the value away from it. Values below 64 have a bin each. */
#define HISTOGRAM_BINS_LOG2 6
#define HISTOGRAM_BINS      ((63 - HISTOGRAM_BINS_LOG2 + 1) << HISTOGRAM_BINS_LOG2)

/* All zero is empty. */
struct histogram {
	uint64_t bins[HISTOGRAM_BINS];
	uint64_t count, sum; /* the sum stops at UINT64_MAX */
	int64_t max;
};

/* A value of 0 or more. */
void histogram_add(struct histogram *h, int64_t value);

/* The smallest value that per_mille of 1000 values do not exceed, to 1/128; 0 when it is empty. */
int64_t histogram_quantile(const struct histogram *h, unsigned per_mille);

/* The smallest value of a bin. */
int64_t histogram_bin_start(unsigned bin);
