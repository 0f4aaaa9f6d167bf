/* SPDX-License-Identifier: ISC */
/* Writes a report as one JSON object (stdsocksctl(8)). */
#include <jansson.h>
#include <stdlib.h>

#include "stdsocksctl/command.h"
#include "stdsocksctl/memory.h"
#include "stdsocksctl/report.h"
#include "stdsocksctl/when.h"

/* Also fails if the value is NULL because there was no memory for it. */
static void set(json_t *object, const char *name, json_t *value)
{
	if (json_object_set_new(object, name, value) < 0)
		memory_or_exit(NULL);
}

static void append(json_t *list, json_t *value)
{
	if (json_array_append_new(list, value) < 0)
		memory_or_exit(NULL);
}

static json_int_t clamped(uint64_t value)
{
	return value < INT64_MAX ? (json_int_t)value : INT64_MAX;
}

static json_t *time_text(int64_t us)
{
	char text[WHEN_TEXT_MAX];

	when_utc(us, text);
	return json_string(text);
}

static json_t *by_word(const char *const *words, const uint64_t *counts, size_t n)
{
	json_t *object = json_object();

	for (size_t i = 0; i < n; i++)
		set(object, words[i], json_integer(clamped(counts[i])));
	return object;
}

static json_t *replies(const struct statistics *s)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < STATISTICS_REPLIES; i++) {
		json_t *reply = json_object();
		if (i < STATISTICS_REPLIES - 1)
			set(reply, "reply", json_integer(i));
		set(reply, "text", json_string(statistics_reply_text(i)));
		set(reply, "connections", json_integer(clamped(s->replies[i])));
		append(list, reply);
	}
	return list;
}

/* The name may be NULL. */
static json_t *counts(const char *name, const struct top_k_counts *c)
{
	return json_pack("{ss* sI sI sI sI}", "name", name, "connections", clamped(c->connections),
		"failed", clamped(c->failed), "bytes_up", clamped(c->up), "bytes_down",
		clamped(c->down));
}

static json_t *top(const struct report *r, const struct top_k *t)
{
	static struct report_top found;
	json_t *list = json_array();

	report_top(r, t, &found);
	for (size_t i = 0; i < found.count; i++)
		append(list, counts(found.items[i]->key, &found.items[i]->counts));
	return json_pack("{sb sI so so}", "exact", !t->dropped, "short_by_at_most",
		clamped(top_k_error(t)), "top", list, "others", counts(NULL, &found.others));
}

static json_t *span(const struct histogram *h)
{
	if (h->count == 0)
		return json_pack("{si}", "connections", 0);
	return json_pack("{sI sI sI sI sI sI}", "connections", clamped(h->count), "p50_usec",
		(json_int_t)histogram_quantile(h, 500), "p90_usec",
		(json_int_t)histogram_quantile(h, 900), "p99_usec",
		(json_int_t)histogram_quantile(h, 990), "max_usec", (json_int_t)h->max, "sum_usec",
		clamped(h->sum));
}

static json_t *timeline(const struct timeline *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->count; i++) {
		const struct timeline_interval *interval = &t->intervals[i];
		json_t *object =
			by_word(statistics_outcome_words, interval->counts, STATISTICS_OUTCOMES);
		set(object, "start", time_text(timeline_start_s(t, i) * 1000000));
		set(object, "bytes_up", json_integer(clamped(interval->up)));
		set(object, "bytes_down", json_integer(clamped(interval->down)));
		append(list, object);
	}
	return list;
}

int report_json(const struct report *r, FILE *to)
{
	const struct statistics *s = r->statistics;
	json_t *object = json_object();

	if (r->since_us != INT64_MIN)
		set(object, "since", time_text(r->since_us));
	if (r->until_us != INT64_MAX)
		set(object, "until", time_text(r->until_us));
	if (s->records > 0) {
		set(object, "first", time_text(s->first_us));
		set(object, "last", time_text(s->last_us));
	}
	set(object, "connections", json_integer(clamped(s->records)));
	set(object, "bytes_up", json_integer(clamped(s->up)));
	set(object, "bytes_down", json_integer(clamped(s->down)));
	set(object, "outcomes",
		by_word(statistics_outcome_words, s->outcomes, STATISTICS_OUTCOMES));
	set(object, "replies", replies(s));
	set(object, "no_reply", json_integer(clamped(s->no_reply)));
	set(object, "ends", by_word(entry_ends, s->ends, STATISTICS_ENDS));
	for (size_t i = 0; i < STATISTICS_SPANS; i++)
		set(object, statistics_span_words[i], span(&s->spans[i]));
	for (size_t i = 0; i < STATISTICS_PARTIES; i++)
		set(object, statistics_party_words[i],
			json_pack("{so so}", "by_connections", top(r, &s->by_connections[i]),
				"by_bytes", top(r, &s->by_bytes[i])));
	set(object, "rules", top(r, &s->rules));
	set(object, "stretch_s", json_integer(s->timeline.width_s));
	set(object, "timeline", timeline(&s->timeline));
	char *text = memory_or_exit(json_dumps(object, JSON_COMPACT));
	json_decref(object);
	fprintf(to, "%s\n", text);
	free(text);
	return EX_OK;
}
