/* SPDX-License-Identifier: ISC */
/* Rows of texts in columns that are as wide as they have to be; colour only on a terminal.
 * Knows: widths. Does not know: what is in the cells. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 16

struct table_column {
	const char *title;
	bool right; /* aligned at the right: a number */
};

/* Grows with its rows, which are copies. All zero but columns and count is an empty one. */
struct table {
	const struct table_column *columns;
	size_t count; /* of columns */
	char **cells; /* rows times count */
	size_t rows, cap;
};

/* Cells are count texts; NULL or "" is shown as "-". The process ends where memory does. */
void table_add(struct table *t, const char *const *cells);

/* The titles and all rows, one a line; the titles are bold on a terminal. No blanks are
 * at the end of a line. */
void table_print(const struct table *t, FILE *to);

/* Without rows again. */
void table_clear(struct table *t);
