/* SPDX-License-Identifier: ISC */
/* A report as one JSON object.
 * Knows: its members (stdsocksctl(8), report). Does not know: how it was counted. */
#include <jansson.h>

#include "stdsocksctl/command.h"
#include "stdsocksctl/report.h"
#include "stdsocksctl/when.h"

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
		json_object_set_new(object, names[i], number(counts[i]));
	return object;
}

static json_t *replies(const struct figures *f)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < FIGURES_REPLIES; i++) {
		json_t *one = json_object();
		if (i < FIGURES_REPLIES - 1)
			json_object_set_new(one, "reply", number(i));
		json_object_set_new(one, "text", json_string(figures_reply_text(i)));
		json_object_set_new(one, "connections", number(f->replies[i]));
		json_array_append_new(list, one);
	}
	return list;
}

static json_t *counts(const char *name, struct heavy_counts c)
{
	json_t *one = json_object();

	if (name)
		json_object_set_new(one, "name", json_string(name));
	json_object_set_new(one, "connections", number(c.connections));
	json_object_set_new(one, "failed", number(c.failed));
	json_object_set_new(one, "bytes_up", number(c.up));
	json_object_set_new(one, "bytes_down", number(c.down));
	return one;
}

static json_t *heaviest(const struct report *r, const struct heavy *t)
{
	static struct report_top shown;
	json_t *object = json_object(), *list = json_array();

	report_top(r, t, &shown);
	for (size_t i = 0; i < shown.count; i++)
		json_array_append_new(list, counts(shown.items[i]->key, shown.items[i]->counts));
	json_object_set_new(object, "exact", json_boolean(!t->dropped));
	json_object_set_new(object, "short_by_at_most", number(heavy_short_by(t)));
	json_object_set_new(object, "top", list);
	json_object_set_new(object, "others", counts(NULL, shown.others));
	return object;
}

static json_t *span(const struct histogram *h)
{
	json_t *object = json_object();

	json_object_set_new(object, "connections", number(h->count));
	json_object_set_new(object, "p50_usec", json_integer(histogram_quantile(h, 500)));
	json_object_set_new(object, "p90_usec", json_integer(histogram_quantile(h, 900)));
	json_object_set_new(object, "p99_usec", json_integer(histogram_quantile(h, 990)));
	json_object_set_new(object, "max_usec", json_integer(h->max));
	json_object_set_new(object, "sum_usec", number(h->sum));
	return object;
}

static json_t *timeline(const struct timeline *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->count; i++) {
		const struct timeline_stretch *s = &t->stretches[i];
		json_t *one = words(figures_outcome_words, s->counts, FIGURES_OUTCOMES_COUNT);
		json_object_set_new(one, "start", time_text(timeline_start_s(t, i) * 1000000));
		json_object_set_new(one, "bytes_up", number(s->up));
		json_object_set_new(one, "bytes_down", number(s->down));
		json_array_append_new(list, one);
	}
	return list;
}

static void set_parties(json_t *object, const struct report *r)
{
	for (size_t i = 0; i < FIGURES_PARTIES; i++) {
		json_t *party = json_object();
		json_object_set_new(
			party, "by_connections", heaviest(r, &r->figures->by_connections[i]));
		json_object_set_new(party, "by_bytes", heaviest(r, &r->figures->by_bytes[i]));
		json_object_set_new(object, figures_party_words[i], party);
	}
	json_object_set_new(object, "rules", heaviest(r, &r->figures->rules));
}

int report_json(const struct report *r, FILE *to)
{
	const struct figures *f = r->figures;
	json_t *object = json_object();

	if (r->since_us)
		json_object_set_new(object, "since", time_text(r->since_us));
	if (r->until_us)
		json_object_set_new(object, "until", time_text(r->until_us));
	if (f->records > 0) {
		json_object_set_new(object, "first", time_text(f->first_us));
		json_object_set_new(object, "last", time_text(f->last_us));
	}
	json_object_set_new(object, "connections", number(f->records));
	json_object_set_new(object, "bytes_up", number(f->up));
	json_object_set_new(object, "bytes_down", number(f->down));
	json_object_set_new(object, "outcomes",
		words(figures_outcome_words, f->outcomes, FIGURES_OUTCOMES_COUNT));
	json_object_set_new(object, "replies", replies(f));
	json_object_set_new(object, "no_reply", number(f->no_reply));
	json_object_set_new(object, "ends", words(figures_end_words, f->ends, FIGURES_ENDS));
	for (size_t i = 0; i < FIGURES_SPANS; i++)
		json_object_set_new(object, figures_span_words[i], span(&f->spans[i]));
	set_parties(object, r);
	json_object_set_new(object, "stretch_s", json_integer(f->timeline.width_s));
	json_object_set_new(object, "timeline", timeline(&f->timeline));
	if (json_dumpf(object, to, JSON_COMPACT) == 0)
		fputc('\n', to);
	json_decref(object);
	return EX_OK;
}
