/* SPDX-License-Identifier: ISC */
/* Writes a report as one HTML page, without scripts and other files. */
#include <stdlib.h>
#include <string.h>

#include "stdsocksctl/command.h"
#include "stdsocksctl/plot.h"
#include "stdsocksctl/report.h"
#include "stdsocksctl/when.h"

/* The Content-Security-Policy is a second line of defence after put_text(). */
static const char head[] =
	"<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	"img-src data:; style-src 'unsafe-inline'\">\n<link rel=\"icon\" href=\"data:,\">\n"
	"<title>stdsocks: connections</title>\n<style>\n"
	":root { color-scheme: light dark; --soft: #5b6672; --line: #dfe3e8; --card: #f5f7f9; "
	"--bar: #3b8fd133 }\n"
	"@media (prefers-color-scheme: dark) {\n"
	":root { --soft: #9aa5b1; --line: #343b43; --card: #1d2227; --bar: #3b8fd155 }\n}\n"
	"* { box-sizing: border-box }\n"
	"body { margin: 0 auto; max-width: 62rem; padding: 1rem; "
	"font: 16px/1.45 system-ui, sans-serif; background: Canvas; color: CanvasText }\n"
	"h1 { font-size: 1.5rem; margin: .5rem 0 0 }\n"
	"h2 { font-size: 1.1rem; margin: 2.2rem 0 .5rem }\n"
	"p { margin: .2rem 0; color: var(--soft) }\n"
	"dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); "
	"gap: .6rem; margin: 1.2rem 0 }\n"
	"dl div { background: var(--card); border-radius: .5rem; padding: .6rem .8rem }\n"
	"dt { font-size: .8rem; color: var(--soft) }\n"
	"dd { margin: 0; font-size: 1.35rem; font-weight: 600 }\n"
	"figure { margin: 0 }\nsvg { display: block; width: 100%; height: auto }\n"
	/* gnuplot draws axes in black; here they have the colour of the text. */
	"svg g[color=black] { color: inherit }\nsvg [stroke=black] { stroke: currentColor }\n"
	"svg [fill=black] { fill: currentColor }\n.narrow { display: none }\n"
	"figcaption { font-size: .85rem; color: var(--soft); display: flex; flex-wrap: wrap; "
	"gap: .2rem 1rem }\n"
	"i { display: inline-block; width: .75rem; height: .75rem; border-radius: .15rem; "
	"margin-right: .35rem }\n"
	"table { border-collapse: collapse; width: 100%; font-size: .9rem; "
	"font-variant-numeric: tabular-nums }\n"
	"th { text-align: right; color: var(--soft); font-weight: 500; font-size: .8rem }\n"
	"th, td { padding: .25rem .4rem; border-bottom: 1px solid var(--line); "
	"vertical-align: top }\n"
	"td { text-align: right; white-space: nowrap }\n"
	"td:first-child, td.text { white-space: normal }\n"
	"th:first-child, td:first-child, .text { text-align: left }\n"
	"td:first-child { overflow-wrap: anywhere; min-width: 6rem }\n"
	"td.word:first-child { white-space: nowrap }\ntr.others td { color: var(--soft) }\n"
	"@media (max-width: 640px) {\n.wide { display: none }\n.narrow { display: block }\n"
	"table { font-size: .75rem }\nth { font-size: .65rem }\n"
	"th, td { padding: .25rem .15rem }\ntd:first-child { min-width: 4.7rem }\n"
	".columns5 tr :nth-child(2) { display: none }\n}\n</style>\n";

/* Writes a text that may come from a client. */
static void put_text(FILE *to, const char *text)
{
	for (; *text; text++) {
		if (strchr("&<>\"'", *text))
			fprintf(to, "&#%d;", *text);
		else
			fputc(*text, to);
	}
}

static void put_value(FILE *to, enum report_kind kind, uint64_t value)
{
	char text[REPORT_TEXT_MAX];

	report_value(text, kind, value);
	fprintf(to, "%s%s", text, kind == REPORT_BYTES ? "B" : "");
}

static void put_tile(FILE *to, const char *name, enum report_kind kind, uint64_t value)
{
	fprintf(to, "<div><dt>%s</dt><dd>", name);
	put_value(to, kind, value);
	fputs("</dd></div>\n", to);
}

static void put_summary(const struct statistics *s, FILE *to)
{
	const uint64_t served = s->outcomes[STATISTICS_SERVED];
	char first[WHEN_TEXT_MAX], last[WHEN_TEXT_MAX];

	fputs("<h1>SOCKS connections</h1>\n", to);
	if (s->records == 0) {
		fputs("<p>No connection ended in this time.</p>\n", to);
		return;
	}
	when_local(s->first_us, first);
	when_local(s->last_us, last);
	first[10] = last[10] = ' ';
	fprintf(to, "<p>that ended from %s to %s, local time</p>\n<dl>\n", first, last);
	put_tile(to, "connections", REPORT_COUNT, s->records);
	put_tile(to, "served", REPORT_COUNT, served);
	put_tile(to, "not served", REPORT_COUNT, s->records - served);
	put_tile(to, "up to destinations", REPORT_BYTES, s->up);
	put_tile(to, "down to clients", REPORT_BYTES, s->down);
	fputs("</dl>\n", to);
}

/* Writes "10 minutes", "day". */
static void put_width(FILE *to, int64_t width_s)
{
	static const struct {
		int64_t s;
		const char *name;
	} units[] = {{7 * INT64_C(86400), "week"}, {86400, "day"}, {3600, "hour"}, {60, "minute"},
		{1, "second"}};
	size_t i = 0;

	while (width_s % units[i].s != 0)
		i++;
	if (width_s == units[i].s)
		fputs(units[i].name, to);
	else
		fprintf(to, "%lld %ss", (long long)(width_s / units[i].s), units[i].name);
}

/* Writes a plot in all sizes, and the start of its caption. If width_s is not 0, it is the width of
 * the intervals. */
static void put_plot(
	FILE *to, const struct plots *p, enum plot_kind kind, const char *caption, int64_t width_s)
{
	static const char *const titles[] = {"Connections over time", "Bytes over time", "Latency"};

	fprintf(to, "<h2>%s</h2>\n<figure>\n", titles[kind]);
	for (size_t size = 0; size < PLOT_SIZES; size++) {
		fprintf(to, "<div class=\"%s\">%s</div>\n", size == PLOT_WIDE ? "wide" : "narrow",
			p->svg[size][kind]);
	}
	fprintf(to, "<figcaption><span>%s", caption);
	if (width_s > 0)
		put_width(to, width_s);
	fputs("</span>\n", to);
}

static void put_legend(FILE *to, const char *const *colours, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fprintf(to, "<span><i style=\"background:%s\"></i>%s</span>\n", colours[i],
			names[i]);
	fputs("</figcaption></figure>\n", to);
}

static void put_plots(const struct statistics *s, const struct plots *p, FILE *to)
{
	static const char *const directions[] = {"up to destinations", "down to clients"};
	const int64_t width_s = s->timeline.width_s;

	put_plot(to, p, PLOT_CONNECTIONS, "connections in each ", width_s);
	put_legend(to, plot_outcome_colours, statistics_outcome_words, STATISTICS_OUTCOMES);
	put_plot(to, p, PLOT_BYTES, "bytes of connections that ended in each ", width_s);
	put_legend(to, plot_bytes_colours, directions, 2);
	put_plot(to, p, PLOT_LATENCY, "share of lookups and connects that took at most this time",
		0);
	put_legend(to, plot_span_colours, statistics_span_words, STATISTICS_TOTAL);
}

static void begin(const struct report_table *t, void *state)
{
	FILE *to = state;

	fprintf(to, "<h2>%s</h2>\n<table class=\"columns%zu\">\n<tr><th>", t->title,
		t->columns_count);
	for (size_t i = 0; i < t->columns_count; i++)
		fprintf(to, "<th>%s", t->columns[i].title);
	if (t->note_title)
		fprintf(to, "<th class=\"text\">%s", t->note_title);
	fputs("</tr>\n", to);
}

/* The name has a bar behind it. */
static void put_row(const struct report_table *t, const struct report_row *row, void *state)
{
	FILE *to = state;

	fprintf(to,
		"<tr%s><td%s style=\"background:linear-gradient(90deg,var(--bar) %.1f%%,"
		"transparent %.1f%%)\">",
		row->is_rest ? " class=\"others\"" : "", t->source ? "" : " class=\"word\"",
		row->percent, row->percent);
	put_text(to, row->name);
	for (size_t i = 0; i < t->columns_count; i++) {
		fputs("</td><td>", to);
		put_value(to, t->columns[i].kind, row->values[i]);
	}
	if (t->note_title)
		fprintf(to, "</td><td class=\"text\">%s", row->note);
	fputs("</td></tr>\n", to);
}

static void end(const struct report_table *t, void *state)
{
	char remark[REPORT_TEXT_MAX];

	report_remark(remark, t);
	fprintf(state, "</table>\n<p>%s</p>\n", remark);
}

int report_html(const struct report *r, FILE *to)
{
	static const struct report_format format = {begin, put_row, end};
	const struct statistics *s = r->statistics;
	struct plots plots = {NULL};
	int status = s->records > 0 ? plot_draw(r, &plots) : EX_OK;

	if (status != EX_OK)
		return status;
	fputs(head, to);
	put_summary(s, to);
	if (s->records > 0)
		put_plots(s, &plots, to);
	free(plots.memory);
	report_tables(r, &format, to);
	fputs("</html>\n", to);
	return EX_OK;
}
