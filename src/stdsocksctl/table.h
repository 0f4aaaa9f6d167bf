/* SPDX-License-Identifier: ISC */
/* Prints texts in aligned columns. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 16 /* upper limit of table.count */

struct table_column {
	const char *title;
	bool is_right; /* align the cells to the right, because they are numbers */
};

/* A table. If only columns and count are set, it is an empty table. */
struct table {
	const struct table_column *columns;
	size_t count; /* of columns */
	/* The texts of all cells, row by row: rows * count strings, which the table owns. */
	char **cells;
	size_t rows, cap; /* the number of rows, and for how many there is memory */
};

/* Appends a row. Its cells are copies of t->count texts. A text that is NULL or "" is shown as "-".
 */
void table_add(struct table *t, const char *const *cells);

/* Prints the titles, which are bold on a terminal, and the rows. No line ends with a space. */
void table_print(const struct table *t, FILE *to);

/* Removes and frees the rows. */
void table_clear(struct table *t);
