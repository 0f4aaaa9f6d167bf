/* SPDX-License-Identifier: ISC */
#include "stdsocksctl/table.h"

#include <stdlib.h>
#include <string.h>

#include "stdsocksctl/memory.h"
#include "stdsocksctl/screen.h"

void table_add(struct table *t, const char *const *cells)
{
	if (t->rows == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 64;
		t->cells = memory_or_exit(
			reallocarray(t->cells, t->cap * t->count, sizeof t->cells[0]));
	}
	for (size_t i = 0; i < t->count; i++)
		t->cells[t->rows * t->count + i] =
			memory_or_exit(strdup(cells[i] && cells[i][0] ? cells[i] : "-"));
	t->rows++;
}

static void print_row(const struct table *t, const int *widths, char *const *cells, FILE *to)
{
	int gap = 0; /* blanks before the next text */

	for (size_t i = 0; i < t->count; i++) {
		int len = (int)strlen(cells[i]), rest = widths[i] - len;
		gap += t->columns[i].is_right ? rest : 0;
		if (len > 0) {
			fprintf(to, "%*s%s", gap, "", cells[i]);
			gap = 0;
		}
		gap += (t->columns[i].is_right ? 0 : rest) + 2;
	}
}

void table_print(const struct table *t, FILE *to)
{
	bool bold = screen_is_terminal(fileno(to));
	int widths[TABLE_COLUMNS_MAX] = {0};
	char *titles[TABLE_COLUMNS_MAX] = {NULL};

	for (size_t i = 0; i < t->count; i++) {
		titles[i] = (char *)t->columns[i].title;
		size_t width = strlen(titles[i]);
		for (size_t row = 0; row < t->rows; row++) {
			size_t len = strlen(t->cells[row * t->count + i]);
			width = len > width ? len : width;
		}
		widths[i] = (int)width;
	}
	fputs(bold ? "\033[1m" : "", to);
	print_row(t, widths, titles, to);
	fputs(bold ? "\033[0m\n" : "\n", to);
	for (size_t row = 0; row < t->rows; row++) {
		print_row(t, widths, t->cells + row * t->count, to);
		fputc('\n', to);
	}
}

void table_clear(struct table *t)
{
	for (size_t i = 0; i < t->rows * t->count; i++)
		free(t->cells[i]);
	free(t->cells);
	t->cells = NULL;
	t->rows = t->cap = 0;
}
