/* SPDX-License-Identifier: ISC */
/* A report as one JSON object.
 * Knows: its members (stdsocksctl(8), report). Does not know: how it was counted. */
#include <jansson.h>
#include <stdlib.h>

#include "stdsocksctl/command.h"
#include "stdsocksctl/memory.h"
#include "stdsocksctl/report.h"
#include "stdsocksctl/when.h"

/* A value that there was no memory for is NULL, and cannot be put anywhere. */
static void set(json_t *object, const char *name, json_t *value)
{
	if (json_object_set_new(object, name, value) < 0)
		memory_or_end(NULL);
}

static void append(json_t *list, json_t *value)
{
	if (json_array_append_new(list, value) < 0)
		memory_or_end(NULL);
}

static json_t *number(uint64_t value)
{
	return json_integer(value < INT64_MAX ? (json_int_t)value : INT64_MAX);
}

static json_t *time_text(int64_t us)
{
	char text[WHEN_TEXT_MAX];

	when_utc(us, text);
	return json_string(text);
}

static json_t *words(const char *const *names, const uint64_t *counts, size_t n)
{
	json_t *object = json_object();

	for (size_t i = 0; i < n; i++)
		set(object, names[i], number(counts[i]));
	return object;
}

static json_t *replies(const struct figures *f)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < FIGURES_REPLIES; i++) {
		json_t *one = json_object();
		if (i < FIGURES_REPLIES - 1)
			set(one, "reply", number(i));
		set(one, "text", json_string(figures_reply_text(i)));
		set(one, "connections", number(f->replies[i]));
		append(list, one);
	}
	return list;
}

static json_t *counts(const char *name, struct heavy_counts c)
{
	json_t *one = json_object();

	if (name)
		set(one, "name", json_string(name));
	set(one, "connections", number(c.connections));
	set(one, "failed", number(c.failed));
	set(one, "bytes_up", number(c.up));
	set(one, "bytes_down", number(c.down));
	return one;
}

static json_t *heaviest(const struct report *r, const struct heavy *t)
{
	static struct report_top shown;
	json_t *object = json_object(), *list = json_array();

	report_top(r, t, &shown);
	for (size_t i = 0; i < shown.count; i++)
		append(list, counts(shown.items[i]->key, shown.items[i]->counts));
	set(object, "exact", json_boolean(!t->dropped));
	set(object, "short_by_at_most", number(heavy_short_by(t)));
	set(object, "top", list);
	set(object, "others", counts(NULL, shown.others));
	return object;
}

static json_t *span(const struct histogram *h)
{
	json_t *object = json_object();

	set(object, "connections", number(h->count));
	if (h->count == 0)
		return object;
	set(object, "p50_usec", json_integer(histogram_quantile(h, 500)));
	set(object, "p90_usec", json_integer(histogram_quantile(h, 900)));
	set(object, "p99_usec", json_integer(histogram_quantile(h, 990)));
	set(object, "max_usec", json_integer(h->max));
	set(object, "sum_usec", number(h->sum));
	return object;
}

static json_t *timeline(const struct timeline *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->count; i++) {
		const struct timeline_stretch *s = &t->stretches[i];
		json_t *one = words(figures_outcome_words, s->counts, FIGURES_OUTCOMES_COUNT);
		set(one, "start", time_text(timeline_start_s(t, i) * 1000000));
		set(one, "bytes_up", number(s->up));
		set(one, "bytes_down", number(s->down));
		append(list, one);
	}
	return list;
}

static void set_parties(json_t *object, const struct report *r)
{
	for (size_t i = 0; i < FIGURES_PARTIES; i++) {
		json_t *party = json_object();
		set(party, "by_connections", heaviest(r, &r->figures->by_connections[i]));
		set(party, "by_bytes", heaviest(r, &r->figures->by_bytes[i]));
		set(object, figures_party_words[i], party);
	}
	set(object, "rules", heaviest(r, &r->figures->rules));
}

int report_json(const struct report *r, FILE *to)
{
	const struct figures *f = r->figures;
	json_t *object = json_object();

	if (r->since_us != INT64_MIN)
		set(object, "since", time_text(r->since_us));
	if (r->until_us != INT64_MAX)
		set(object, "until", time_text(r->until_us));
	if (f->records > 0) {
		set(object, "first", time_text(f->first_us));
		set(object, "last", time_text(f->last_us));
	}
	set(object, "connections", number(f->records));
	set(object, "bytes_up", number(f->up));
	set(object, "bytes_down", number(f->down));
	set(object, "outcomes", words(figures_outcome_words, f->outcomes, FIGURES_OUTCOMES_COUNT));
	set(object, "replies", replies(f));
	set(object, "no_reply", number(f->no_reply));
	set(object, "ends", words(figures_end_words, f->ends, FIGURES_ENDS));
	for (size_t i = 0; i < FIGURES_SPANS; i++)
		set(object, figures_span_words[i], span(&f->spans[i]));
	set_parties(object, r);
	set(object, "stretch_s", json_integer(f->timeline.width_s));
	set(object, "timeline", timeline(&f->timeline));
	char *text = memory_or_end(json_dumps(object, JSON_COMPACT));
	json_decref(object);
	fprintf(to, "%s\n", text);
	free(text);
	return EX_OK;
}
