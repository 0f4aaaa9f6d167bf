/* SPDX-License-Identifier: ISC */
/* A report as one page that needs nothing else: no script, no other file.
 * Knows: HTML. Does not know: how it was counted, how plots are drawn. */
#include <stdlib.h>
#include <string.h>

#include "stdsocksctl/command.h"
#include "stdsocksctl/plot.h"
#include "stdsocksctl/report.h"
#include "stdsocksctl/when.h"
#include "text/amount.h"

/* The policy is for a browser that would be fooled all the same. gnuplot's black is the text's colour. */
static const char head[] =
	"<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
	"style-src 'unsafe-inline'\">\n"
	"<link rel=\"icon\" href=\"data:,\">\n<title>stdsocks: connections</title>\n<style>\n"
	":root { color-scheme: light dark; --soft: #5b6672; --line: #dfe3e8; --card: #f5f7f9; "
	"--bar: #3b8fd133 }\n"
	"@media (prefers-color-scheme: dark) { :root { --soft: #9aa5b1; --line: #343b43; --card: "
	"#1d2227; "
	"--bar: #3b8fd155 } }\n"
	"* { box-sizing: border-box }\n"
	"body { margin: 0 auto; max-width: 62rem; padding: 1rem; font: 16px/1.45 system-ui, "
	"sans-serif; "
	"background: Canvas; color: CanvasText }\n"
	"h1 { font-size: 1.5rem; margin: .5rem 0 0 } h2 { font-size: 1.1rem; margin: 2.2rem 0 "
	".5rem }\n"
	"p { margin: .2rem 0; color: var(--soft) }\n"
	"dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: "
	".6rem; "
	"margin: 1.2rem 0 }\n"
	"dl div { background: var(--card); border-radius: .5rem; padding: .6rem .8rem }\n"
	"dt { font-size: .8rem; color: var(--soft) } dd { margin: 0; font-size: 1.35rem; "
	"font-weight: 600 }\n"
	"figure { margin: 0 } svg { display: block; width: 100%; height: auto }\n"
	"svg g[color=black] { color: inherit } svg [stroke=black] { stroke: currentColor }\n"
	"svg [fill=black] { fill: currentColor } .narrow { display: none }\n"
	"figcaption { font-size: .85rem; color: var(--soft); display: flex; flex-wrap: wrap; gap: "
	".2rem 1rem }\n"
	"i { display: inline-block; width: .75rem; height: .75rem; border-radius: .15rem; "
	"margin-right: .35rem }\n"
	"table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: "
	"tabular-nums }\n"
	"th { text-align: right; color: var(--soft); font-weight: 500; font-size: .8rem }\n"
	"th, td { padding: .25rem .4rem; border-bottom: 1px solid var(--line); vertical-align: top "
	"}\n"
	"td { text-align: right; white-space: nowrap } td:first-child, td.text { white-space: "
	"normal } th:first-child, td:first-child, .text { text-align: left }\n"
	"td:first-child { overflow-wrap: anywhere; min-width: 6rem }\n"
	"td.word:first-child { white-space: nowrap }\n"
	"tr.others td { color: var(--soft) }\n"
	"@media (max-width: 640px) { .wide { display: none } .narrow { display: block } "
	"table { font-size: .75rem } th { font-size: .65rem } th, td { padding: .25rem .15rem } "
	"td:first-child { min-width: 4.7rem } .extra { display: none } }\n"
	"</style>\n";

/* A text of a client's, or anybody's. */
static void put_text(FILE *to, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", to);
			break;
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		case '\'':
			fputs("&#39;", to);
			break;
		default:
			fputc(*text, to);
		}
	}
}

static void put_count(FILE *to, uint64_t value)
{
	char text[32];
	struct writer w = writer_on(text, sizeof text);

	amount_put_grouped(&w, value);
	fwrite(text, 1, w.len, to);
}

/* "12.1 MB". */
static void put_bytes(FILE *to, uint64_t value)
{
	char text[32];
	struct writer w = writer_on(text, sizeof text);

	amount_put_bytes(&w, value);
	size_t digits = w.len - (value >= 1000);
	fprintf(to, "%.*s&nbsp;%.*sB", (int)digits, text, (int)(w.len - digits), text + digits);
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0.0;
}

static void put_tile(
	FILE *to, const char *name, uint64_t value, void (*put)(FILE *to, uint64_t value))
{
	fprintf(to, "<div><dt>%s</dt><dd>", name);
	put(to, value);
	fputs("</dd></div>\n", to);
}

static void put_summary(const struct figures *f, FILE *to)
{
	char first[WHEN_TEXT_MAX], last[WHEN_TEXT_MAX];

	fputs("<h1>SOCKS connections</h1>\n", to);
	if (f->records == 0) {
		fputs("<p>None has ended in that time.</p>\n", to);
		return;
	}
	when_local(f->first_us, first);
	when_local(f->last_us, last);
	first[10] = last[10] = ' ';
	fprintf(to, "<p>that ended from %s to %s, local time</p>\n<dl>\n", first, last);
	put_tile(to, "connections", f->records, put_count);
	put_tile(to, "served", f->outcomes[FIGURES_SERVED], put_count);
	put_tile(to, "not served", f->records - f->outcomes[FIGURES_SERVED], put_count);
	put_tile(to, "up to destinations", f->up, put_bytes);
	put_tile(to, "down to clients", f->down, put_bytes);
	fputs("</dl>\n", to);
}

static void put_legend(FILE *to, const char *colour, const char *name)
{
	fprintf(to, "<span><i style=\"background:%s\"></i>%s</span>\n", colour, name);
}

static void put_plot(const struct plots *p, enum plot_what what, FILE *to)
{
	for (size_t size = 0; size < PLOT_SIZES; size++) {
		fprintf(to, "<div class=\"plot %s\">", size == PLOT_WIDE ? "wide" : "narrow");
		fwrite(p->svg[size][what], 1, p->len[size][what], to);
		fputs("</div>\n", to);
	}
}

/* "10 minutes", "day". */
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

static void put_plots(const struct figures *f, const struct plots *p, FILE *to)
{
	fputs("<h2>Connections over time</h2>\n<figure>\n", to);
	put_plot(p, PLOT_CONNECTIONS, to);
	fputs("<figcaption><span>connections in each ", to);
	put_width(to, f->timeline.width_s);
	fputs("</span>\n", to);
	for (size_t i = 0; i < FIGURES_OUTCOMES_COUNT; i++)
		put_legend(to, plot_outcome_colours[i], figures_outcome_words[i]);
	fputs("</figcaption></figure>\n<h2>Bytes over time</h2>\n<figure>\n", to);
	put_plot(p, PLOT_BYTES, to);
	fputs("<figcaption><span>bytes of connections that ended in each ", to);
	put_width(to, f->timeline.width_s);
	fputs("</span>\n", to);
	put_legend(to, plot_bytes_colours[0], "up to destinations");
	put_legend(to, plot_bytes_colours[1], "down to clients");
	fputs("</figcaption></figure>\n<h2>Latency</h2>\n<figure>\n", to);
	put_plot(p, PLOT_LATENCY, to);
	fputs("<figcaption><span>how many took at most so long</span>\n", to);
	put_legend(to, plot_span_colours[FIGURES_RESOLVE], "lookup");
	put_legend(to, plot_span_colours[FIGURES_CONNECT], "connect");
	fputs("</figcaption></figure>\n", to);
}

/* A cell with a bar behind the text, so many percent long. */
static void put_bar(FILE *to, const char *kind, double percents)
{
	fprintf(to,
		"<td class=\"%s\" style=\"background:linear-gradient(90deg,var(--bar) "
		"%.1f%%,transparent "
		"%.1f%%)\">",
		kind, percents, percents);
}

static void put_row(FILE *to, const char *name, uint64_t count, uint64_t all, const char *note)
{
	fputs("<tr>", to);
	put_bar(to, "word", percent(count, all));
	put_text(to, name);
	fputs("</td><td>", to);
	put_count(to, count);
	fprintf(to, "</td><td>%.1f%%</td>", percent(count, all));
	if (note)
		fprintf(to, "<td class=\"text\">%s</td>", note);
	fputs("</tr>\n", to);
}

static void put_failures(const struct figures *f, FILE *to)
{
	char number[16];

	fputs("<h2>Outcomes</h2>\n<table>\n<tr><th>outcome<th>connections<th>part<th "
	      "class=\"text\">meaning</tr>\n",
		to);
	for (size_t i = 0; i < FIGURES_OUTCOMES_COUNT; i++)
		put_row(to, figures_outcome_words[i], f->outcomes[i], f->records,
			figures_outcome_means[i]);
	fputs("</table>\n<h2>Replies</h2>\n<table>\n<tr><th>reply<th>connections<th>part<th "
	      "class=\"text\">of RFC 1928</tr>\n",
		to);
	for (unsigned i = 0; i < FIGURES_REPLIES; i++) {
		snprintf(number, sizeof number, "%u", i);
		if (f->replies[i] > 0)
			put_row(to, i < FIGURES_REPLIES - 1 ? number : "other", f->replies[i],
				f->records, figures_reply_text(i));
	}
	if (f->no_reply > 0)
		put_row(to, "none", f->no_reply, f->records, "it did not come to that");
	fputs("</table>\n<h2>Ends</h2>\n<table>\n<tr><th>end<th>connections<th>part</tr>\n", to);
	for (size_t i = 0; i < FIGURES_ENDS; i++)
		if (f->ends[i] > 0)
			put_row(to, figures_end_words[i], f->ends[i], f->records, NULL);
	fputs("</table>\n", to);
}

static void put_spans(const struct figures *f, FILE *to)
{
	static const char *const names[] = {"lookup", "connect", "whole connection"};

	fputs("<h2>Times</h2>\n<table>\n<tr><th>of<th "
	      "class=\"extra\">connections<th>p50<th>p90<th>p99<th>max</"
	      "tr>\n",
		to);
	for (size_t i = 0; i < FIGURES_SPANS; i++) {
		const struct histogram *h = &f->spans[i];
		const int64_t values[] = {histogram_quantile(h, 500), histogram_quantile(h, 900),
			histogram_quantile(h, 990), h->max};
		if (h->count == 0)
			continue;
		fprintf(to, "<tr><td>%s</td><td class=\"extra\">", names[i]);
		put_count(to, h->count);
		for (size_t value = 0; value < 4; value++) {
			char text[32];
			report_put_span(text, sizeof text, values[value]);
			fprintf(to, "</td><td>%s", text);
		}
		fputs("</td></tr>\n", to);
	}
	fputs("</table>\n", to);
}

static void put_counts(FILE *to, const struct heavy_counts *c)
{
	fputs("</td><td>", to);
	put_count(to, c->connections);
	fputs("</td><td>", to);
	put_count(to, c->failed);
	fputs("</td><td>", to);
	put_bytes(to, c->up);
	fputs("</td><td>", to);
	put_bytes(to, c->down);
	fputs("</td></tr>\n", to);
}

static void put_top(const struct report *r, const struct heavy *t, const char *title, FILE *to)
{
	static struct report_top shown;

	report_top(r, t, &shown);
	if (shown.count == 0)
		return;
	uint64_t most = shown.items[0]->weight - shown.items[0]->inherited;
	fprintf(to, "<h2>%s</h2>\n<table>\n<tr><th><th>connections<th>failed<th>up<th>down</tr>\n",
		title);
	for (size_t i = 0; i < shown.count; i++) {
		const struct heavy_item *item = shown.items[i];
		fputs("<tr>", to);
		put_bar(to, "name", percent(item->weight - item->inherited, most));
		put_text(to, item->key);
		put_counts(to, &item->counts);
	}
	if (shown.others.connections > 0) {
		fputs("<tr class=\"others\"><td>all others", to);
		put_counts(to, &shown.others);
	}
	fputs("</table>\n", to);
	if (t->dropped) {
		fprintf(to, "<p>Approximate: there are more than %d.", HEAVY_KEYS);
		if (heavy_short_by(t) > 0) {
			fputs(" What ranks them may be up to ", to);
			put_count(to, heavy_short_by(t));
			fputs(" too small.", to);
		}
		fputs("</p>\n", to);
	}
}

int report_html(const struct report *r, FILE *to)
{
	static const char *const by_connections[] = {"Users", "Destinations", "Clients"};
	static const char *const by_bytes[] = {
		"Users by bytes", "Destinations by bytes", "Clients by bytes"};
	const struct figures *f = r->figures;
	struct plots plots = {NULL};

	if (f->records > 0) {
		int status = plot_draw(r, &plots);
		if (status != EX_OK)
			return status;
	}
	fputs(head, to);
	put_summary(f, to);
	if (f->records > 0) {
		put_plots(f, &plots, to);
		free(plots.memory);
		put_failures(f, to);
		put_top(r, &f->rules, "Denied by rule", to);
		put_spans(f, to);
	}
	for (size_t i = 0; i < FIGURES_PARTIES; i++) {
		put_top(r, &f->by_connections[i], by_connections[i], to);
		if (f->by_connections[i].count > r->top)
			put_top(r, &f->by_bytes[i], by_bytes[i], to);
	}
	fputs("</html>\n", to);
	return EX_OK;
}
