/* SPDX-License-Identifier: ISC */
/* Writes a report as plain text. */
#include <ctype.h>
#include <string.h>

#include "stdsocksctl/command.h"
#include "stdsocksctl/report.h"
#include "stdsocksctl/table.h"
#include "stdsocksctl/when.h"

enum { NAME_MAX_SHOWN = 48, TITLES = REPORT_COLUMNS_MAX + 2 };

struct text {
	FILE *to;
	struct table table;
	struct table_column columns[TITLES];
	char titles[TITLES][REPORT_TEXT_MAX];
};

static void add_column(struct text *text, const char *title, bool is_right)
{
	char *upper = text->titles[text->table.count];

	for (size_t i = 0; i < REPORT_TEXT_MAX - 1 && title[i]; i++)
		upper[i] = (char)toupper((unsigned char)title[i]);
	upper[strnlen(title, REPORT_TEXT_MAX - 1)] = '\0';
	text->columns[text->table.count++] = (struct table_column){upper, is_right};
}

static void begin(const struct report_table *t, void *state)
{
	struct text *text = state;

	text->table = (struct table){.columns = text->columns};
	add_column(text, t->title, false);
	for (size_t i = 0; i < t->columns_count; i++)
		add_column(text, t->columns[i].title, true);
	if (t->note_title)
		add_column(text, t->note_title, false);
}

static void add_row(const struct report_table *t, const struct report_row *row, void *state)
{
	struct text *text = state;
	char cells[REPORT_COLUMNS_MAX][REPORT_TEXT_MAX], name[NAME_MAX_SHOWN + 1];
	const char *shown[TITLES] = {name};

	if (snprintf(name, sizeof name, "%s", row->name) >= (int)sizeof name)
		memcpy(name + NAME_MAX_SHOWN - 3, "...", 4);
	for (size_t i = 0; i < t->columns_count; i++) {
		report_value(cells[i], t->columns[i].kind, row->values[i]);
		shown[i + 1] = cells[i];
	}
	shown[t->columns_count + 1] = row->note;
	table_add(&text->table, shown);
}

static void end(const struct report_table *t, void *state)
{
	struct text *text = state;
	char remark[REPORT_TEXT_MAX];

	table_print(&text->table, text->to);
	table_clear(&text->table);
	report_remark(remark, t);
	if (remark[0])
		fprintf(text->to, "(%s)\n", remark);
	fputc('\n', text->to);
}

int report_text(const struct report *r, FILE *to)
{
	static const struct report_format format = {begin, add_row, end};
	const struct statistics *s = r->statistics;
	char count[REPORT_TEXT_MAX], up[REPORT_TEXT_MAX], down[REPORT_TEXT_MAX];
	char first[WHEN_TEXT_MAX], last[WHEN_TEXT_MAX];
	struct text text = {.to = to};

	report_value(count, REPORT_COUNT, s->records);
	report_value(up, REPORT_BYTES, s->up);
	report_value(down, REPORT_BYTES, s->down);
	fprintf(to, "%s connections", count);
	if (s->records > 0) {
		when_local(s->first_us, first);
		when_local(s->last_us, last);
		fprintf(to, " that ended from %s to %s", first, last);
	}
	fprintf(to, "; %s bytes up, %s down\n\n", up, down);
	report_tables(r, &format, &text);
	return EX_OK;
}
