/* SPDX-License-Identifier: ISC */
#include "stdsocksctl/histogram.h"

enum { LINEAR = 1 << HISTOGRAM_BINS_LOG2 };

static unsigned bin_of(int64_t value)
{
	unsigned log2 = 63 - (unsigned)__builtin_clzll((uint64_t)value | 1);

	if (log2 < HISTOGRAM_BINS_LOG2)
		return (unsigned)value;
	unsigned shift = log2 - HISTOGRAM_BINS_LOG2;
	return (shift << HISTOGRAM_BINS_LOG2) + (unsigned)(value >> shift);
}

int64_t histogram_bin_start(unsigned bin)
{
	if (bin < 2 * LINEAR)
		return bin;
	unsigned shift = bin / LINEAR - 1;
	return (int64_t)(bin % LINEAR + LINEAR) << shift;
}

void histogram_add(struct histogram *h, int64_t value)
{
	h->bins[bin_of(value)]++;
	h->count++;
	if (__builtin_add_overflow(h->sum, (uint64_t)value, &h->sum))
		h->sum = UINT64_MAX;
	if (value > h->max)
		h->max = value;
}

int64_t histogram_quantile(const struct histogram *h, unsigned per_mille)
{
	uint64_t rank = h->count / 1000 * per_mille + (h->count % 1000 * per_mille + 999) / 1000;
	unsigned bin = 0;

	if (h->count == 0)
		return 0;
	for (uint64_t seen = h->bins[0]; seen < rank && bin < HISTOGRAM_BINS - 1;)
		seen += h->bins[++bin];
	int64_t start = histogram_bin_start(bin);
	int64_t width = bin < 2 * LINEAR ? 1 : INT64_C(1) << (bin / LINEAR - 1);
	int64_t middle = start + width / 2;
	return middle < h->max ? middle : h->max;
}
