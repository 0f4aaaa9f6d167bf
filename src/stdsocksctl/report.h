/* SPDX-License-Identifier: ISC */
/* The output formats of a report. */
#pragma once

#include <stdio.h>

#include "stdsocksctl/statistics.h"

#define REPORT_TOP_MAX     1000
#define REPORT_COLUMNS_MAX 5

struct report {
	const struct statistics *statistics;
	int64_t since_us, until_us; /* INT64_MIN, INT64_MAX: not given */
	size_t top;                 /* number of users, destinations, ... shown by name */
};

/* The items of greatest weight, and the sum of the others. */
struct report_top {
	const struct top_k_item *items[REPORT_TOP_MAX];
	size_t count;
	struct top_k_counts others;
};

void report_top(const struct report *r, const struct top_k *t, struct report_top *ret_top);

/* Tables for people, which report_text() and report_html() show. */
/* REPORT_PER_MILLE is shown as a percentage. */
enum report_kind { REPORT_COUNT, REPORT_BYTES, REPORT_SPAN_US, REPORT_PER_MILLE };

struct report_column {
	const char *title;
	enum report_kind kind;
};

struct report_table {
	const char *title;
	const struct report_column *columns;
	size_t columns_count;
	const char *note_title;     /* of a last column of texts; NULL: none */
	const struct top_k *source; /* of a table that may be approximate, or NULL */
};

struct report_row {
	const char *name, *note;
	uint64_t values[REPORT_COLUMNS_MAX];
	double percent; /* of the longest bar */
	bool is_rest;   /* all items that have no row */
};

struct report_format {
	void (*begin)(const struct report_table *table, void *state);
	void (*row)(const struct report_table *table, const struct report_row *row, void *state);
	void (*end)(const struct report_table *table, void *state);
};

/* Calls the functions of the format for all tables that are not empty. */
void report_tables(const struct report *r, const struct report_format *format, void *state);

#define REPORT_TEXT_MAX 96

/* Writes a value: "1,234", "12.1M", "1.2 ms", "99.9%". */
void report_value(char text[REPORT_TEXT_MAX], enum report_kind kind, uint64_t value);

/* Writes a remark on the table; "" if there is none. */
void report_remark(char text[REPORT_TEXT_MAX], const struct report_table *table);

/* Write a report. Return EX_OK, or print an error and return its exit status. The caller checks the
 * stream for errors. */
int report_text(const struct report *r, FILE *to);
int report_json(const struct report *r, FILE *to);
int report_prometheus(const struct report *r, FILE *to);
int report_html(const struct report *r, FILE *to);
