/* SPDX-License-Identifier: ISC */
/* Which keys weigh most, among any number of them, in bounded memory.
 * Knows: texts and weights. Does not know: what they are. */
#include "stdsocksctl/heavy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void heavy_sum(uint64_t *sum, uint64_t value)
{
	if (__builtin_add_overflow(*sum, value, sum))
		*sum = UINT64_MAX;
}

/* Strangers choose the keys, and shall not know which ones meet in a bucket: each process multiplies
 * by another number. */
static uint32_t bucket_of(const char *key)
{
	static uint64_t random[2];
	uint64_t h;

	if (random[0] == 0)
		(void)!getrandom(random, sizeof random, GRND_NONBLOCK);
	h = random[1];
	for (; *key; key++) {
		h = (h ^ (uint8_t)*key) * (random[0] | 1);
		h ^= h >> 32;
	}
	return (uint32_t)(h % HEAVY_BUCKETS);
}

static bool is_lighter(const struct heavy *t, uint32_t a, uint32_t b)
{
	return t->items[t->heap[a]].weight < t->items[t->heap[b]].weight;
}

static void swap(struct heavy *t, uint32_t a, uint32_t b)
{
	uint32_t item = t->heap[a];

	t->heap[a] = t->heap[b];
	t->heap[b] = item;
	t->items[t->heap[a]].at_heap = a;
	t->items[t->heap[b]].at_heap = b;
}

/* Weights only grow, so an item only moves away from the lightest. */
static void sink(struct heavy *t, uint32_t at)
{
	for (;;) {
		uint32_t lightest = at;
		for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < t->count; child++)
			lightest = is_lighter(t, child, lightest) ? child : lightest;
		if (lightest == at)
			return;
		swap(t, at, lightest);
		at = lightest;
	}
}

static void unlink_item(struct heavy *t, uint32_t item)
{
	uint32_t *link = &t->buckets[t->items[item].bucket];

	while (*link != item + 1)
		link = &t->items[*link - 1].next;
	*link = t->items[item].next;
}

/* The place for a new key: a free one, or that of the lightest. */
static struct heavy_item *place(struct heavy *t)
{
	if (t->count < HEAVY_KEYS) {
		struct heavy_item *item = &t->items[t->count];
		item->at_heap = t->count;
		t->heap[t->count] = t->count;
		t->count++;
		return item;
	}
	if (!t->is_heap)
		for (uint32_t at = HEAVY_KEYS / 2; at > 0; at--)
			sink(t, at - 1);
	t->is_heap = t->dropped = true;
	struct heavy_item *item = &t->items[t->heap[0]];
	unlink_item(t, t->heap[0]);
	item->inherited = item->weight;
	item->counts = (struct heavy_counts){0};
	return item;
}

/* *ret_item is NULL where a key of no weight would take the place of another. 0 or -ENOMEM. */
static int find_or_place(
	struct heavy *t, const char *key, uint64_t weight, struct heavy_item **ret_item)
{
	uint32_t bucket = bucket_of(key);

	for (uint32_t next = t->buckets[bucket]; next; next = t->items[next - 1].next) {
		*ret_item = &t->items[next - 1];
		if (strcmp((*ret_item)->key, key) == 0)
			return 0;
	}
	*ret_item = NULL;
	if (t->count == HEAVY_KEYS && weight == 0)
		return 0;
	char *copy = strdup(key);
	if (!copy)
		return -ENOMEM;
	struct heavy_item *item = place(t);
	free(item->key);
	item->key = copy;
	item->bucket = bucket;
	item->next = t->buckets[bucket];
	t->buckets[bucket] = (uint32_t)(item - t->items) + 1;
	*ret_item = item;
	return 0;
}

static void add_counts(struct heavy_counts *to, const struct heavy_counts *counts)
{
	heavy_sum(&to->connections, counts->connections);
	heavy_sum(&to->failed, counts->failed);
	heavy_sum(&to->up, counts->up);
	heavy_sum(&to->down, counts->down);
}

void heavy_clear(struct heavy *t)
{
	for (uint32_t i = 0; i < t->count; i++)
		free(t->items[i].key);
	memset(t, 0, sizeof *t);
}

int heavy_add(struct heavy *t, const char *key, uint64_t weight, const struct heavy_counts *counts)
{
	struct heavy_item *item;

	if (find_or_place(t, key, weight, &item) < 0)
		return -ENOMEM;
	add_counts(&t->all, counts);
	if (!item) {
		t->dropped = true;
		return 0;
	}
	heavy_sum(&item->weight, weight);
	add_counts(&item->counts, counts);
	if (t->is_heap)
		sink(t, item->at_heap);
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct heavy_item *x = *(const struct heavy_item *const *)a;
	const struct heavy_item *y = *(const struct heavy_item *const *)b;
	uint64_t of_x = x->weight - x->inherited, of_y = y->weight - y->inherited;

	return of_x != of_y ? (of_x < of_y) - (of_x > of_y) : strcmp(x->key, y->key);
}

size_t heavy_heaviest(const struct heavy *t, const struct heavy_item **ret_items, size_t n)
{
	static const struct heavy_item *all[HEAVY_KEYS];

	for (uint32_t i = 0; i < t->count; i++)
		all[i] = &t->items[i];
	qsort(all, t->count, sizeof(struct heavy_item *), compare);
	if (n > t->count)
		n = t->count;
	memcpy(ret_items, all, n * sizeof(struct heavy_item *));
	return n;
}

uint64_t heavy_short_by(const struct heavy *t)
{
	return t->is_heap ? t->items[t->heap[0]].weight : 0;
}
