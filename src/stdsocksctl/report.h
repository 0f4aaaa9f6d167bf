/* SPDX-License-Identifier: ISC */
/* The forms that a report can have.
 * Knows: what all of them are told. Does not know: how it was counted. */
#pragma once

#include <stdio.h>

#include "stdsocksctl/figures.h"

#define REPORT_TOP_MAX 1000

struct report {
	const struct figures *figures;
	int64_t since_us, until_us; /* what was asked for; INT64_MIN, INT64_MAX: nothing */
	size_t top;                 /* how many users, destinations, ... are told by name */
};

/* The heaviest of a party, and the rest of it as one. */
struct report_top {
	const struct heavy_item *items[REPORT_TOP_MAX];
	size_t count;
	struct heavy_counts others;
};

/* What is shown of t. */
void report_top(const struct report *r, const struct heavy *t, struct report_top *ret_top);

/* "350 us", "1.2 ms", "12 s". */
void report_put_span(char *text, size_t cap, int64_t us);

/* One report, written to the stream. Returns the exit status; what is wrong has been said. Whether it
 * could be written is the stream's to tell. */
int report_text(const struct report *r, FILE *to);
int report_json(const struct report *r, FILE *to);
int report_prometheus(const struct report *r, FILE *to);
int report_html(const struct report *r, FILE *to);
