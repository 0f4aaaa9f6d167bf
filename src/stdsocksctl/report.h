/* SPDX-License-Identifier: ISC */
/* A report: statistics of records in one of several output formats. */
#pragma once

#include <stdio.h>

#include "stdsocksctl/statistics.h"

#define REPORT_TOP_MAX     1000 /* upper limit of report.top */
#define REPORT_COLUMNS_MAX 5    /* upper limit of report_table.columns_count */

struct report {
	const struct statistics *statistics;
	int64_t since_us, until_us; /* of --since and --until; INT64_MIN, INT64_MAX: not given */
	size_t top;                 /* how many users, destinations, ... are shown by name */
};

/* The items of greatest weight, and the sum of the counts of all others. */
struct report_top {
	const struct top_k_item *items[REPORT_TOP_MAX];
	size_t count;
	struct top_k_counts others;
};

/* Finds the r->top items of greatest weight in *t, in descending order. */
void report_top(const struct report *r, const struct top_k *t, struct report_top *ret_top);

/* The declarations from here to report_remark() are for the tables that report_text() and
 * report_html() show. */

/* The kind of a value: a number, bytes, microseconds, or thousandths, which are shown as a
 * percentage. */
enum report_kind { REPORT_COUNT, REPORT_BYTES, REPORT_SPAN_US, REPORT_PER_MILLE };

/* A column of values. */
struct report_column {
	const char *title;
	enum report_kind kind;
};

/* A table. Its first column has the names of the rows. */
struct report_table {
	const char *title;
	const struct report_column *columns; /* the columns of numbers */
	size_t columns_count;
	const char *note_title; /* the title of a last column, of texts; NULL: there is none */
	/* The origin of counts that may be approximate. NULL: all are exact. */
	const struct top_k *source;
};

struct report_row {
	const char *name;
	const char *note; /* the text in the last column, if the table has note_title */
	uint64_t values[REPORT_COLUMNS_MAX];
	double percent; /* the length of the row's bar in HTML, 0 to 100 */
	bool is_rest;   /* the row is the sum of all items that have no row of their own */
};

/* An output format: functions that write the start of a table, a row, and the end of a table. */
struct report_format {
	void (*begin)(const struct report_table *table, void *state);
	void (*row)(const struct report_table *table, const struct report_row *row, void *state);
	void (*end)(const struct report_table *table, void *state);
};

/* Calls the functions of a format for each table that is not empty. `state` is passed to them. */
void report_tables(const struct report *r, const struct report_format *format, void *state);

#define REPORT_TEXT_MAX 96 /* bytes of a value or a remark, with its NUL */

/* Writes a value of a kind: "1,234", "12.1M", "1.2 ms" or "99.9%". */
void report_value(char text[REPORT_TEXT_MAX], enum report_kind kind, uint64_t value);

/* Writes a remark on the table, which says how approximate its values are; "" if they are exact. */
void report_remark(char text[REPORT_TEXT_MAX], const struct report_table *table);

/* Write a report in one of the output formats. Return EX_OK; or print an error and return the exit
 * status for it. They do not check for errors of the stream, which the caller has to do. */
int report_text(const struct report *r, FILE *to);
int report_json(const struct report *r, FILE *to);
int report_prometheus(const struct report *r, FILE *to);
int report_html(const struct report *r, FILE *to);
