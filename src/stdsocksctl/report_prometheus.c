/* SPDX-License-Identifier: ISC */
/* Writes a report in the text format of Prometheus
 * (https://prometheus.io/docs/instrumenting/exposition_formats/). */
#include <string.h>

#include "stdsocksctl/command.h"
#include "stdsocksctl/report.h"

static void put_head(FILE *to, const char *name, const char *type, const char *help)
{
	fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Writes the value of a label, in which backslash, quote and newline are escaped. */
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

static void put_replies(const struct statistics *s, FILE *to)
{
	const char *name = "stdsocks_replies_total";

	put_head(to, name, "counter", "Replies of RFC 1928 sent to clients.");
	for (unsigned i = 0; i < STATISTICS_REPLIES; i++) {
		fprintf(to,
			i < STATISTICS_REPLIES - 1 ? "%s{reply=\"%u\",text="
						   : "%s{reply=\"other\",text=",
			name, i);
		put_label(to, statistics_reply_text(i));
		fprintf(to, "} %llu\n", (unsigned long long)s->replies[i]);
	}
}

/* A rule "other" of a forged record is added to the sum of the rules that are not counted. */
static void put_rules(const struct top_k *rules, FILE *to)
{
	static const struct top_k_item *items[TOP_K_KEYS];
	const char *name = "stdsocks_denied_by_rule_total";
	size_t count = top_k_find(rules, items, TOP_K_KEYS);
	uint64_t other = rules->all.connections;

	put_head(to, name, "counter",
		"Connections that an access rule denied, or of which it denied datagrams.");
	for (size_t i = 0; i < count; i++) {
		if (strcmp(items[i]->key, "other") == 0)
			continue;
		other -= items[i]->counts.connections;
		put_value(to, name, "rule", items[i]->key, items[i]->counts.connections);
	}
	put_value(to, name, "rule", "other", other);
}

static void put_histogram(const struct statistics *s, size_t span, FILE *to)
{
	static const char *const names[] = {
		"stdsocks_resolve_seconds", "stdsocks_connect_seconds", "stdsocks_session_seconds"};
	static const char *const helps[] = {"Duration of lookups.", "Duration of connects.",
		"Duration of connections, from the start of the process to its end."};
	const struct histogram *h = &s->spans[span];
	uint64_t up_to = 0;

	put_head(to, names[span], "histogram", helps[span]);
	for (size_t i = 0; i < STATISTICS_LE; i++) {
		up_to += s->le[span][i];
		if (statistics_le_us[i] == INT64_MAX)
			fprintf(to, "%s_bucket{le=\"+Inf\"} %llu\n", names[span],
				(unsigned long long)up_to);
		else
			fprintf(to, "%s_bucket{le=\"%g\"} %llu\n", names[span],
				(double)statistics_le_us[i] / 1e6, (unsigned long long)up_to);
	}
	fprintf(to, "%s_sum %llu.%06llu\n%s_count %llu\n", names[span],
		(unsigned long long)(h->sum / 1000000), (unsigned long long)(h->sum % 1000000),
		names[span], (unsigned long long)h->count);
}

int report_prometheus(const struct report *r, FILE *to)
{
	const struct statistics *s = r->statistics;

	put_head(to, "stdsocks_connections_total", "counter", "Ended connections by outcome.");
	for (size_t i = 0; i < STATISTICS_OUTCOMES; i++)
		put_value(to, "stdsocks_connections_total", "outcome", statistics_outcome_words[i],
			s->outcomes[i]);
	put_head(to, "stdsocks_ends_total", "counter", "Ended connections by end reason.");
	for (size_t i = 0; i < STATISTICS_ENDS; i++)
		put_value(to, "stdsocks_ends_total", "end", entry_ends[i], s->ends[i]);
	put_replies(s, to);
	put_rules(&s->rules, to);
	put_head(to, "stdsocks_bytes_total", "counter",
		"Bytes relayed to destinations (up) and to clients (down).");
	put_value(to, "stdsocks_bytes_total", "direction", "up", s->up);
	put_value(to, "stdsocks_bytes_total", "direction", "down", s->down);
	put_histogram(s, STATISTICS_RESOLVE, to);
	put_histogram(s, STATISTICS_CONNECT, to);
	put_histogram(s, STATISTICS_TOTAL, to);
	put_head(to, "stdsocks_report_since_timestamp_seconds", "gauge",
		"Start of the time in which records are counted.");
	fprintf(to, "stdsocks_report_since_timestamp_seconds %lld\n",
		(long long)(r->since_us / 1000000));
	return EX_OK;
}
