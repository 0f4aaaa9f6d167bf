/* SPDX-License-Identifier: ISC */
/* A report as tables for people.
 * Knows: the tables. Does not know: how it was counted. */
#include <string.h>

#include "stdsocksctl/command.h"
#include "stdsocksctl/report.h"
#include "stdsocksctl/table.h"
#include "stdsocksctl/when.h"
#include "text/amount.h"

enum { CELL = 64, KEY_SHOWN = 48 };

static const char *grouped(char text[CELL], uint64_t value)
{
	struct writer w = writer_on(text, CELL - 1);

	amount_put_grouped(&w, value);
	text[w.len] = '\0';
	return text;
}

static const char *bytes(char text[CELL], uint64_t value)
{
	struct writer w = writer_on(text, CELL - 1);

	amount_put_bytes(&w, value);
	text[w.len] = '\0';
	return text;
}

static const char *percent(char text[CELL], uint64_t part, uint64_t whole)
{
	snprintf(text, CELL, "%.1f%%", whole ? 100.0 * (double)part / (double)whole : 0.0);
	return text;
}

static void print_head(const struct report *r, FILE *to)
{
	const struct figures *f = r->figures;
	char count[CELL], up[CELL], down[CELL], first[WHEN_TEXT_MAX], last[WHEN_TEXT_MAX];

	fprintf(to, "%s connections", grouped(count, f->records));
	if (f->records > 0) {
		when_local(f->first_us, first);
		when_local(f->last_us, last);
		fprintf(to, " that ended from %s to %s", first, last);
	}
	fprintf(to, "; %s bytes up, %s down\n\n", bytes(up, f->up), bytes(down, f->down));
}

static void print_table(struct table *t, FILE *to)
{
	if (t->rows > 0) {
		table_print(t, to);
		fputc('\n', to);
	}
	table_clear(t);
}

static void add_count(
	struct table *t, const char *name, uint64_t count, uint64_t all, const char *note)
{
	char number[CELL], part[CELL];

	table_add(t,
		(const char *const[]){
			name, grouped(number, count), percent(part, count, all), note});
}

static void print_outcomes(const struct figures *f, FILE *to)
{
	static const struct table_column columns[] = {
		{"OUTCOME", false}, {"CONNECTIONS", true}, {"PART", true}, {"", false}};
	struct table t = {.columns = columns, .count = 4};

	for (size_t i = 0; i < FIGURES_OUTCOMES_COUNT; i++)
		add_count(&t, figures_outcome_words[i], f->outcomes[i], f->records,
			figures_outcome_means[i]);
	print_table(&t, to);
}

static void print_replies(const struct figures *f, FILE *to)
{
	static const struct table_column columns[] = {
		{"REPLY", false}, {"CONNECTIONS", true}, {"PART", true}, {"", false}};
	struct table t = {.columns = columns, .count = 4};
	char number[CELL];

	for (unsigned i = 0; i < FIGURES_REPLIES; i++) {
		snprintf(number, sizeof number, "%u", i);
		if (f->replies[i] > 0)
			add_count(&t, i < FIGURES_REPLIES - 1 ? number : "other", f->replies[i],
				f->records, figures_reply_text(i));
	}
	if (f->no_reply > 0)
		add_count(&t, "none", f->no_reply, f->records, "it did not come to that");
	print_table(&t, to);
}

static void print_ends(const struct figures *f, FILE *to)
{
	static const struct table_column columns[] = {
		{"END", false}, {"CONNECTIONS", true}, {"PART", true}};
	struct table t = {.columns = columns, .count = 3};

	for (size_t i = 0; i < FIGURES_ENDS; i++)
		if (f->ends[i] > 0)
			add_count(&t, figures_end_words[i], f->ends[i], f->records, NULL);
	print_table(&t, to);
}

static void print_spans(const struct figures *f, FILE *to)
{
	static const struct table_column columns[] = {{"TIME TO", false}, {"CONNECTIONS", true},
		{"P50", true}, {"P90", true}, {"P99", true}, {"MAX", true}};
	struct table t = {.columns = columns, .count = 6};

	for (size_t i = 0; i < FIGURES_SPANS; i++) {
		const struct histogram *h = &f->spans[i];
		char count[CELL], p50[CELL], p90[CELL], p99[CELL], max[CELL];
		if (h->count == 0)
			continue;
		report_put_span(p50, CELL, histogram_quantile(h, 500));
		report_put_span(p90, CELL, histogram_quantile(h, 900));
		report_put_span(p99, CELL, histogram_quantile(h, 990));
		report_put_span(max, CELL, h->max);
		table_add(&t,
			(const char *const[]){i == FIGURES_TOTAL ? "end" : figures_span_words[i],
				grouped(count, h->count), p50, p90, p99, max});
	}
	print_table(&t, to);
}

static void add_party(struct table *t, const char *key, const struct heavy_counts *counts)
{
	char name[KEY_SHOWN + 1], connections[CELL], failed[CELL], up[CELL], down[CELL];

	if (snprintf(name, sizeof name, "%s", key) >= (int)sizeof name)
		memcpy(name + KEY_SHOWN - 3, "...", 4);
	table_add(t,
		(const char *const[]){name, grouped(connections, counts->connections),
			grouped(failed, counts->failed), bytes(up, counts->up),
			bytes(down, counts->down)});
}

static void print_top(const struct report *r, const struct heavy *top, const char *title, FILE *to)
{
	static struct report_top shown;
	const struct table_column columns[] = {{title, false}, {"CONNECTIONS", true},
		{"FAILED", true}, {"UP", true}, {"DOWN", true}};
	struct table t = {.columns = columns, .count = 5};
	char number[CELL];

	report_top(r, top, &shown);
	for (size_t i = 0; i < shown.count; i++)
		add_party(&t, shown.items[i]->key, &shown.items[i]->counts);
	if (shown.others.connections > 0)
		add_party(&t, "(others)", &shown.others);
	if (t.rows > 0 && top->dropped) {
		table_print(&t, to);
		fprintf(to, "(approximate: there are more than %d", HEAVY_KEYS);
		if (heavy_short_by(top) > 0)
			fprintf(to, "; what ranks them may be up to %s too small",
				grouped(number, heavy_short_by(top)));
		fputs(")\n\n", to);
		table_clear(&t);
	}
	print_table(&t, to);
}

int report_text(const struct report *r, FILE *to)
{
	static const char *const by_connections[] = {"USER", "DESTINATION", "CLIENT"};
	static const char *const by_bytes[] = {
		"USER BY BYTES", "DESTINATION BY BYTES", "CLIENT BY BYTES"};
	const struct figures *f = r->figures;

	print_head(r, to);
	if (f->records == 0)
		return EX_OK;
	print_outcomes(f, to);
	print_replies(f, to);
	print_ends(f, to);
	print_top(r, &f->rules, "DENIED BY RULE", to);
	print_spans(f, to);
	for (size_t i = 0; i < FIGURES_PARTIES; i++) {
		print_top(r, &f->by_connections[i], by_connections[i], to);
		/* Where all of them have been told, the order by bytes says nothing more. */
		if (f->by_connections[i].count > r->top)
			print_top(r, &f->by_bytes[i], by_bytes[i], to);
	}
	return EX_OK;
}
