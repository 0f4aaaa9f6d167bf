/* SPDX-License-Identifier: ISC */
/* Prints texts in aligned columns. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 16

struct table_column {
	const char *title;
	bool is_right; /* aligned to the right: a number */
};

/* If it is all zero but columns and count, it has no rows. */
struct table {
	const struct table_column *columns;
	size_t count; /* of columns */
	char **cells; /* rows times count; owned */
	size_t rows, cap;
};

/* Appends a row of copies of `count` texts. NULL and "" are shown as "-". */
void table_add(struct table *t, const char *const *cells);

/* Prints the titles, bold on a terminal, and the rows. No line ends in a blank. */
void table_print(const struct table *t, FILE *to);

/* Removes and frees the rows. */
void table_clear(struct table *t);
