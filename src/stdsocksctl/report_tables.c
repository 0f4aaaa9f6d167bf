/* SPDX-License-Identifier: ISC */
/* The tables of a report for people: their order, titles and rows. */
#include "stdsocksctl/column.h"
#include "stdsocksctl/entry.h"
#include "stdsocksctl/report.h"
#include "text/amount.h"

static void put_span(char text[REPORT_TEXT_MAX], uint64_t us)
{
	if (us < 1000)
		snprintf(text, REPORT_TEXT_MAX, "%llu us", (unsigned long long)us);
	else if (us < 1000000)
		snprintf(text, REPORT_TEXT_MAX, us < 100000 ? "%.1f ms" : "%.0f ms",
			(double)us / 1e3);
	else
		snprintf(text, REPORT_TEXT_MAX, us < 100000000 ? "%.1f s" : "%.0f s",
			(double)us / 1e6);
}

void report_value(char text[REPORT_TEXT_MAX], enum report_kind kind, uint64_t value)
{
	struct writer w = writer_on(text, REPORT_TEXT_MAX - 1);

	switch (kind) {
	case REPORT_SPAN_US:
		put_span(text, value);
		return;
	case REPORT_PER_MILLE:
		snprintf(text, REPORT_TEXT_MAX, "%.1f%%", (double)value / 10);
		return;
	case REPORT_COUNT:
		amount_put_grouped(&w, value);
		break;
	case REPORT_BYTES:
		amount_put_bytes(&w, value);
	}
	text[w.len] = '\0';
}

void report_remark(char text[REPORT_TEXT_MAX], const struct report_table *table)
{
	char error[REPORT_TEXT_MAX];
	const struct top_k *source = table->source;

	text[0] = '\0';
	if (!source || !source->dropped)
		return;
	report_value(error, REPORT_COUNT, top_k_error(source));
	if (top_k_error(source) > 0)
		snprintf(text, REPORT_TEXT_MAX,
			"approximate: more than %d; values may be up to %.32s too small",
			TOP_K_KEYS, error);
	else
		snprintf(text, REPORT_TEXT_MAX, "approximate: more than %d", TOP_K_KEYS);
}

struct output {
	const struct report *report;
	const struct report_format *format;
	void *state;
};

static const struct report_column share_columns[] = {
	{"connections", REPORT_COUNT}, {"share", REPORT_PER_MILLE}};

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100 * (double)part / (double)whole : 0;
}

/* Adds a row to a table of share_columns. */
static void put_share(const struct output *o, const struct report_table *t, const char *name,
	uint64_t count, const char *note)
{
	const double part = percent(count, o->report->statistics->records);
	const struct report_row row = {.name = name,
		.note = note,
		.values = {count, (uint64_t)(10 * part + 0.5)},
		.percent = part};

	o->format->row(t, &row, o->state);
}

static void put_outcomes(const struct output *o)
{
	static const struct report_table t = {"Outcomes", share_columns, 2, "meaning", NULL};

	o->format->begin(&t, o->state);
	for (size_t i = 0; i < STATISTICS_OUTCOMES; i++)
		put_share(o, &t, statistics_outcome_words[i], o->report->statistics->outcomes[i],
			statistics_outcome_meanings[i]);
	o->format->end(&t, o->state);
}

static void put_replies(const struct output *o)
{
	static const struct report_table t = {"Replies", share_columns, 2, "RFC 1928", NULL};
	const struct statistics *s = o->report->statistics;
	char number[16];

	o->format->begin(&t, o->state);
	for (unsigned i = 0; i < STATISTICS_REPLIES; i++) {
		snprintf(number, sizeof number, "%u", i);
		if (s->replies[i] > 0)
			put_share(o, &t, i < STATISTICS_REPLIES - 1 ? number : "other",
				s->replies[i], statistics_reply_text(i));
	}
	if (s->no_reply > 0)
		put_share(o, &t, "none", s->no_reply, "no reply was sent");
	o->format->end(&t, o->state);
}

static void put_ends(const struct output *o)
{
	static const struct report_table t = {"End reasons", share_columns, 2, NULL, NULL};

	o->format->begin(&t, o->state);
	for (size_t i = 0; i < STATISTICS_ENDS; i++)
		if (o->report->statistics->ends[i] > 0)
			put_share(o, &t, entry_ends[i], o->report->statistics->ends[i], NULL);
	o->format->end(&t, o->state);
}

static void put_spans(const struct output *o)
{
	static const struct report_column columns[] = {{"connections", REPORT_COUNT},
		{"p50", REPORT_SPAN_US}, {"p90", REPORT_SPAN_US}, {"p99", REPORT_SPAN_US},
		{"max", REPORT_SPAN_US}};
	static const struct report_table t = {"Durations", columns, 5, NULL, NULL};

	o->format->begin(&t, o->state);
	for (size_t i = 0; i < STATISTICS_SPANS; i++) {
		const struct histogram *h = &o->report->statistics->spans[i];
		const struct report_row row = {.name = statistics_span_words[i],
			.values = {h->count, (uint64_t)histogram_quantile(h, 500),
				(uint64_t)histogram_quantile(h, 900),
				(uint64_t)histogram_quantile(h, 990), (uint64_t)h->max}};
		if (h->count > 0)
			o->format->row(&t, &row, o->state);
	}
	o->format->end(&t, o->state);
}

static void put_party(const struct output *o, const struct report_table *t, const char *name,
	const struct top_k_counts *c, double part)
{
	const struct report_row row = {.name = name ? name : "all others",
		.values = {c->connections, c->failed, c->up, c->down},
		.percent = part,
		.is_rest = !name};

	o->format->row(t, &row, o->state);
}

static void put_host(struct writer *w, const char *host)
{
	column_put_destination(w, host, -1);
}

/* put_key writes a key of the table, such as the name of a user. */
static void put_top(const struct output *o, const char *title, const struct top_k *source,
	void (*put_key)(struct writer *w, const char *key))
{
	static const struct report_column columns[] = {{"connections", REPORT_COUNT},
		{"failed", REPORT_COUNT}, {"up", REPORT_BYTES}, {"down", REPORT_BYTES}};
	const struct report_table t = {title, columns, 4, NULL, source};
	static struct report_top top;
	static char name[4 * (size_t)ENTRY_TEXT_MAX + sizeof "\"\""];
	uint64_t most = 0;

	report_top(o->report, source, &top);
	if (top.count == 0)
		return;
	o->format->begin(&t, o->state);
	for (size_t i = 0; i < top.count; i++) {
		const struct top_k_item *item = top.items[i];
		const uint64_t weight = item->weight - item->inherited;
		struct writer w = writer_on(name, sizeof name - 1);
		put_key(&w, item->key);
		name[w.len] = '\0';
		most = i == 0 ? weight : most;
		put_party(o, &t, name, &item->counts, percent(weight, most));
	}
	if (top.others.connections > 0)
		put_party(o, &t, NULL, &top.others, 0);
	o->format->end(&t, o->state);
}

void report_tables(const struct report *r, const struct report_format *format, void *state)
{
	static const char *const by_connections[] = {"Users", "Destinations", "Clients"};
	static const char *const by_bytes[] = {
		"Users by bytes", "Destinations by bytes", "Clients by bytes"};
	static void (*const put_key[])(struct writer *, const char *) = {
		column_put_name, put_host, writer_str};
	const struct statistics *s = r->statistics;
	const struct output o = {r, format, state};

	if (s->records == 0)
		return;
	put_outcomes(&o);
	put_replies(&o);
	put_ends(&o);
	put_top(&o, "Denied by rule", &s->rules, writer_str);
	put_spans(&o);
	for (size_t i = 0; i < STATISTICS_PARTIES; i++) {
		put_top(&o, by_connections[i], &s->by_connections[i], put_key[i]);
		/* If all are shown, a different order adds nothing. */
		if (s->by_connections[i].count > r->top)
			put_top(&o, by_bytes[i], &s->by_bytes[i], put_key[i]);
	}
}
