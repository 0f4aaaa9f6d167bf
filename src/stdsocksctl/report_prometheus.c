/* SPDX-License-Identifier: ISC */
/* A report as counters in Prometheus' text format.
 * Knows: that format (https://prometheus.io/docs/instrumenting/exposition_formats/). Does not know: how
 * it was counted. */
#include <string.h>

#include "stdsocksctl/command.h"
#include "stdsocksctl/report.h"

static void put_head(FILE *to, const char *name, const char *type, const char *help)
{
	fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value: a backslash, a quote and a newline have a backslash before them. */
static void put_label(FILE *to, const char *value)
{
	fputc('"', to);
	for (; *value; value++) {
		if (*value == '\\' || *value == '"' || *value == '\n')
			fputc('\\', to);
		fputc(*value == '\n' ? 'n' : *value, to);
	}
	fputc('"', to);
}

static void put_value(
	FILE *to, const char *name, const char *label, const char *text, uint64_t value)
{
	fprintf(to, "%s{%s=", name, label);
	put_label(to, text);
	fprintf(to, "} %llu\n", (unsigned long long)value);
}

static void put_replies(const struct figures *f, FILE *to)
{
	const char *name = "stdsocks_replies_total";

	put_head(to, name, "counter", "Replies of RFC 1928 that clients got.");
	for (unsigned i = 0; i < FIGURES_REPLIES; i++) {
		fprintf(to,
			i < FIGURES_REPLIES - 1 ? "%s{reply=\"%u\",text="
						: "%s{reply=\"other\",text=",
			name, i);
		put_label(to, figures_reply_text(i));
		fprintf(to, "} %llu\n", (unsigned long long)f->replies[i]);
	}
}

/* All rules that have been counted, and for the rest "other", as a forged record could call one, too. */
static void put_rules(const struct heavy *rules, FILE *to)
{
	static const struct heavy_item *items[HEAVY_KEYS];
	const char *name = "stdsocks_denied_by_rule_total";
	size_t count = heavy_heaviest(rules, items, HEAVY_KEYS);
	uint64_t other = rules->all.connections;

	put_head(to, name, "counter",
		"Connections that an access rule did not allow, or datagrams of theirs.");
	for (size_t i = 0; i < count; i++) {
		if (strcmp(items[i]->key, "other") == 0)
			continue;
		other -= items[i]->counts.connections;
		put_value(to, name, "rule", items[i]->key, items[i]->counts.connections);
	}
	put_value(to, name, "rule", "other", other);
}

static void put_histogram(const struct figures *f, enum figures_span span, FILE *to)
{
	static const char *const names[] = {
		"stdsocks_resolve_seconds", "stdsocks_connect_seconds", "stdsocks_session_seconds"};
	static const char *const helps[] = {"How long lookups took.", "How long connects took.",
		"How long connections lasted, from the start of the process to its end."};
	const struct histogram *h = &f->spans[span];
	uint64_t up_to = 0;

	put_head(to, names[span], "histogram", helps[span]);
	for (size_t i = 0; i < FIGURES_LE; i++) {
		up_to += f->le[span][i];
		if (figures_le_us[i] == INT64_MAX)
			fprintf(to, "%s_bucket{le=\"+Inf\"} %llu\n", names[span],
				(unsigned long long)up_to);
		else
			fprintf(to, "%s_bucket{le=\"%g\"} %llu\n", names[span],
				(double)figures_le_us[i] / 1e6, (unsigned long long)up_to);
	}
	fprintf(to, "%s_sum %llu.%06llu\n%s_count %llu\n", names[span],
		(unsigned long long)(h->sum / 1000000), (unsigned long long)(h->sum % 1000000),
		names[span], (unsigned long long)h->count);
}

int report_prometheus(const struct report *r, FILE *to)
{
	const struct figures *f = r->figures;

	put_head(to, "stdsocks_connections_total", "counter",
		"Connections that have ended, by what became of them.");
	for (size_t i = 0; i < FIGURES_OUTCOMES_COUNT; i++)
		put_value(to, "stdsocks_connections_total", "outcome", figures_outcome_words[i],
			f->outcomes[i]);
	put_head(to, "stdsocks_ends_total", "counter", "Connections that have ended, by how.");
	for (size_t i = 0; i < FIGURES_ENDS; i++)
		put_value(to, "stdsocks_ends_total", "end", figures_end_words[i], f->ends[i]);
	put_replies(f, to);
	put_rules(&f->rules, to);
	put_head(to, "stdsocks_bytes_total", "counter",
		"Bytes relayed to destinations (up) and to clients (down).");
	put_value(to, "stdsocks_bytes_total", "direction", "up", f->up);
	put_value(to, "stdsocks_bytes_total", "direction", "down", f->down);
	put_histogram(f, FIGURES_RESOLVE, to);
	put_histogram(f, FIGURES_CONNECT, to);
	put_histogram(f, FIGURES_TOTAL, to);
	put_head(to, "stdsocks_report_since_timestamp_seconds", "gauge",
		"From when on records were counted.");
	fprintf(to, "stdsocks_report_since_timestamp_seconds %lld\n",
		(long long)(r->since_us / 1000000));
	return EX_OK;
}
