/* SPDX-License-Identifier: ISC */
/* stdsocksctl/histogram: the error of quantiles, and their ranks. */
#include "stdsocksctl/histogram.h"

#include <string.h>

#include "check.h"

static struct histogram h;

static int64_t read_back(int64_t value)
{
	memset(&h, 0, sizeof h);
	histogram_add(&h, value);
	h.max = INT64_MAX; /* otherwise it would limit the result and hide an error */
	return histogram_quantile(&h, 500);
}

static void values(void)
{
	for (int64_t value = 0; value < 128; value++)
		CHECK(read_back(value) == value);
	for (unsigned shift = 7; shift < 63; shift++) {
		const int64_t around[] = {(INT64_C(1) << shift) - 1, INT64_C(1) << shift,
			(INT64_C(1) << shift) + 1, (INT64_C(3) << (shift - 1)) - 1,
			INT64_C(3) << (shift - 1)};
		for (size_t i = 0; i < COUNT(around); i++) {
			int64_t error = read_back(around[i]) - around[i];
			CHECK((error < 0 ? -error : error) <= around[i] / 128 + 1);
		}
	}
	CHECK(read_back(INT64_MAX) > INT64_MAX - (INT64_MAX >> 6));
}

static void ranks(void)
{
	memset(&h, 0, sizeof h);
	CHECK(histogram_quantile(&h, 500) == 0);
	for (int64_t value = 1; value <= 100; value++)
		histogram_add(&h, value);
	CHECK(histogram_quantile(&h, 500) == 50);
	CHECK(histogram_quantile(&h, 900) == 90);
	CHECK(histogram_quantile(&h, 990) == 99);
	CHECK(histogram_quantile(&h, 1000) == 100);
	CHECK(h.count == 100 && h.sum == 5050 && h.max == 100);
	histogram_add(&h, 1);
	CHECK(histogram_quantile(&h, 500) == 50); /* rank 51 of 101 */
}

int main(void)
{
	return CHECK_ALL(values, ranks);
}
