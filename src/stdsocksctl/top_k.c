/* SPDX-License-Identifier: ISC */
#include "stdsocksctl/top_k.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void top_k_sum(uint64_t *sum, uint64_t value)
{
	if (__builtin_add_overflow(*sum, value, sum))
		*sum = UINT64_MAX;
}

/* Clients choose the keys. So that they cannot choose keys of one bucket, each process uses random
 * factors. */
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
	return (uint32_t)(h % TOP_K_BUCKETS);
}

static bool is_less(const struct top_k *t, uint32_t a, uint32_t b)
{
	return t->items[t->heap[a]].weight < t->items[t->heap[b]].weight;
}

static void swap(struct top_k *t, uint32_t a, uint32_t b)
{
	uint32_t item = t->heap[a];

	t->heap[a] = t->heap[b];
	t->heap[b] = item;
	t->items[t->heap[a]].at_heap = a;
	t->items[t->heap[b]].at_heap = b;
}

/* Restores the heap below an item whose weight has grown. */
static void sink(struct top_k *t, uint32_t at)
{
	for (;;) {
		uint32_t least = at;
		for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < t->count; child++)
			least = is_less(t, child, least) ? child : least;
		if (least == at)
			return;
		swap(t, at, least);
		at = least;
	}
}

static void unlink_item(struct top_k *t, uint32_t item)
{
	uint32_t *link = &t->buckets[t->items[item].bucket];

	while (*link != item + 1)
		link = &t->items[*link - 1].next;
	*link = t->items[item].next;
}

/* Returns a free item, or frees the item of least weight. */
static struct top_k_item *allocate(struct top_k *t)
{
	if (t->count < TOP_K_KEYS) {
		struct top_k_item *item = &t->items[t->count];
		item->at_heap = t->count;
		t->heap[t->count] = t->count;
		t->count++;
		return item;
	}
	if (!t->is_heap)
		for (uint32_t at = TOP_K_KEYS / 2; at > 0; at--)
			sink(t, at - 1);
	t->is_heap = t->dropped = true;
	struct top_k_item *item = &t->items[t->heap[0]];
	unlink_item(t, t->heap[0]);
	item->inherited = item->weight;
	item->counts = (struct top_k_counts){0};
	return item;
}

/* Sets *ret_item to NULL if a key without weight would replace another. Returns 0 or -ENOMEM. */
static int find_or_allocate(
	struct top_k *t, const char *key, uint64_t weight, struct top_k_item **ret_item)
{
	uint32_t bucket = bucket_of(key);

	for (uint32_t next = t->buckets[bucket]; next; next = t->items[next - 1].next) {
		*ret_item = &t->items[next - 1];
		if (strcmp((*ret_item)->key, key) == 0)
			return 0;
	}
	*ret_item = NULL;
	if (t->count == TOP_K_KEYS && weight == 0)
		return 0;
	char *copy = strdup(key);
	if (!copy)
		return -ENOMEM;
	struct top_k_item *item = allocate(t);
	free(item->key);
	item->key = copy;
	item->bucket = bucket;
	item->next = t->buckets[bucket];
	t->buckets[bucket] = (uint32_t)(item - t->items) + 1;
	*ret_item = item;
	return 0;
}

static void add_counts(struct top_k_counts *to, const struct top_k_counts *counts)
{
	top_k_sum(&to->connections, counts->connections);
	top_k_sum(&to->failed, counts->failed);
	top_k_sum(&to->up, counts->up);
	top_k_sum(&to->down, counts->down);
}

void top_k_clear(struct top_k *t)
{
	for (uint32_t i = 0; i < t->count; i++)
		free(t->items[i].key);
	memset(t, 0, sizeof *t);
}

int top_k_add(struct top_k *t, const char *key, uint64_t weight, const struct top_k_counts *counts)
{
	struct top_k_item *item;

	if (find_or_allocate(t, key, weight, &item) < 0)
		return -ENOMEM;
	add_counts(&t->all, counts);
	if (!item) {
		t->dropped = true;
		return 0;
	}
	top_k_sum(&item->weight, weight);
	add_counts(&item->counts, counts);
	if (t->is_heap)
		sink(t, item->at_heap);
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct top_k_item *x = *(const struct top_k_item *const *)a;
	const struct top_k_item *y = *(const struct top_k_item *const *)b;
	const uint64_t x_own = x->weight - x->inherited, y_own = y->weight - y->inherited;

	return x_own != y_own ? (x_own < y_own) - (x_own > y_own) : strcmp(x->key, y->key);
}

size_t top_k_find(const struct top_k *t, const struct top_k_item **ret_items, size_t n)
{
	static const struct top_k_item *all[TOP_K_KEYS];

	for (uint32_t i = 0; i < t->count; i++)
		all[i] = &t->items[i];
	qsort(all, t->count, sizeof(struct top_k_item *), compare);
	if (n > t->count)
		n = t->count;
	memcpy(ret_items, all, n * sizeof(struct top_k_item *));
	return n;
}

uint64_t top_k_error(const struct top_k *t)
{
	return t->is_heap ? t->items[t->heap[0]].weight : 0;
}
