/* SPDX-License-Identifier: ISC */
/* Counts values in bins, to find quantiles in a fixed amount of memory. */
#pragma once

#include <stdint.h>

/* There are 64 bins of equal width between two powers of two. A quantile is the middle of a bin, so
 * its error is at most 1/128 of the value. Values below 64 have a bin each. */
#define HISTOGRAM_BINS_LOG2 6
#define HISTOGRAM_BINS      ((63 - HISTOGRAM_BINS_LOG2 + 1) << HISTOGRAM_BINS_LOG2)

/* If it is all zero, it is empty. */
struct histogram {
	uint64_t bins[HISTOGRAM_BINS];
	uint64_t count, sum; /* the sum saturates at UINT64_MAX */
	int64_t max;
};

/* The value must not be negative. */
void histogram_add(struct histogram *h, int64_t value);

/* Returns the smallest value that per_mille of 1000 values do not exceed; 0 if there are none. */
int64_t histogram_quantile(const struct histogram *h, unsigned per_mille);

/* Returns the smallest value of a bin. */
int64_t histogram_bin_start(unsigned bin);
