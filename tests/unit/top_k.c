/* SPDX-License-Identifier: ISC */
/* stdsocksctl/top_k: counts keys, also if there are many more keys than the table has items. */
#include "stdsocksctl/top_k.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

enum { DISTINCT = 100000, FREQUENT = 20, ROUNDS = 100 };

static struct top_k keys;
static const struct top_k_item *items[TOP_K_KEYS + 1];

static void add(const char *prefix, unsigned number, uint64_t weight)
{
	const struct top_k_counts counts = {.connections = 1, .up = weight};
	char key[64];

	snprintf(key, sizeof key, "%s%u", prefix, number);
	top_k_add(&keys, key, weight, &counts);
}

/* As long as all keys fit, all counts are exact. */
static void exact(void)
{
	top_k_clear(&keys);
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < TOP_K_KEYS; i++)
			add("key", i, i);
	CHECK(!keys.dropped);
	CHECK(top_k_error(&keys) == 0);
	CHECK(top_k_find(&keys, items, TOP_K_KEYS + 1) == TOP_K_KEYS);
	for (unsigned i = 0; i < TOP_K_KEYS; i++) {
		CHECK(items[i]->counts.connections == 3);
		CHECK(items[i]->weight == UINT64_C(3) * (TOP_K_KEYS - 1 - i));
	}
}

/* Twenty keys are frequent, and a hundred thousand other keys are added once. */
static void many(void)
{
	uint64_t weight = 0, certain = 0;

	top_k_clear(&keys);
	for (unsigned i = 0; i < DISTINCT; i++) {
		add("once", i, 1);
		if (i % (DISTINCT / ROUNDS) == 0)
			for (unsigned frequent = 0; frequent < FREQUENT; frequent++)
				add("frequent", frequent, 1);
	}
	CHECK(keys.dropped);
	CHECK(keys.all.connections == DISTINCT + FREQUENT * ROUNDS);
	CHECK(top_k_error(&keys) <= keys.all.connections / TOP_K_KEYS);
	CHECK(top_k_find(&keys, items, TOP_K_KEYS) == TOP_K_KEYS);
	for (size_t i = 0; i < TOP_K_KEYS; i++) {
		weight += items[i]->weight;
		certain += items[i]->counts.connections;
		CHECK(items[i]->inherited <= top_k_error(&keys));
	}
	CHECK(weight == keys.all.connections); /* the sum of all weights is exact */
	CHECK(certain < weight);
	for (size_t i = 0; i < FREQUENT; i++) {
		CHECK(strncmp(items[i]->key, "frequent", 8) == 0);
		CHECK(items[i]->counts.connections <= ROUNDS);
		CHECK(items[i]->weight >= ROUNDS);
	}
}

/* A key without weight replaces no other key. Sums saturate. Long keys are compared whole. */
static void limits(void)
{
	char key[1024];
	uint64_t sum = UINT64_MAX - 1;

	top_k_clear(&keys);
	for (unsigned i = 0; i < TOP_K_KEYS; i++)
		add("key", i, 1);
	add("light", 0, 0);
	CHECK(keys.dropped);
	CHECK(top_k_find(&keys, items, TOP_K_KEYS) == TOP_K_KEYS);
	for (size_t i = 0; i < TOP_K_KEYS; i++)
		CHECK(strncmp(items[i]->key, "key", 3) == 0);
	top_k_sum(&sum, 2);
	CHECK(sum == UINT64_MAX);
	top_k_clear(&keys);
	memset(key, 'x', sizeof key - 1);
	key[sizeof key - 1] = '\0';
	for (const char *suffix = "aab"; *suffix; suffix++) {
		key[sizeof key - 2] = *suffix; /* the only byte in which the keys differ */
		CHECK(top_k_add(&keys, key, 1, &(struct top_k_counts){.connections = 1}) == 0);
	}
	CHECK(keys.count == 2);
	CHECK(top_k_find(&keys, items, 2) == 2);
	CHECK(items[0]->counts.connections == 2);
	CHECK(strlen(items[0]->key) == sizeof key - 1);
	top_k_clear(&keys);
	CHECK(keys.count == 0);
}

int main(void)
{
	return CHECK_ALL(exact, many, limits);
}
