/* SPDX-License-Identifier: ISC */
/* stdsocksctl/heavy: what is counted of many more keys than there is room for. */
#include "stdsocksctl/heavy.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

enum { DISTINCT = 100000, OFTEN = 20, ROUNDS = 100 };

static struct heavy heavy;
static const struct heavy_item *items[HEAVY_KEYS + 1];

static void add(const char *prefix, unsigned number, uint64_t weight)
{
	const struct heavy_counts counts = {.connections = 1, .up = weight};
	char key[64];

	snprintf(key, sizeof key, "%s%u", prefix, number);
	heavy_add(&heavy, key, weight, &counts);
}

/* While there is room, all is exact. */
static void exact(void)
{
	heavy_clear(&heavy);
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < HEAVY_KEYS; i++)
			add("key", i, i);
	CHECK(!heavy.dropped);
	CHECK(heavy_short_by(&heavy) == 0);
	CHECK(heavy_heaviest(&heavy, items, HEAVY_KEYS + 1) == HEAVY_KEYS);
	for (unsigned i = 0; i < HEAVY_KEYS; i++) {
		CHECK(items[i]->counts.connections == 3);
		CHECK(items[i]->weight == UINT64_C(3) * (HEAVY_KEYS - 1 - i));
	}
}

/* Twenty keys come often, among a hundred thousand that come once. */
static void many(void)
{
	uint64_t weight = 0, certain = 0;

	heavy_clear(&heavy);
	for (unsigned i = 0; i < DISTINCT; i++) {
		add("once", i, 1);
		if (i % (DISTINCT / ROUNDS) == 0)
			for (unsigned often = 0; often < OFTEN; often++)
				add("often", often, 1);
	}
	CHECK(heavy.dropped);
	CHECK(heavy.all.connections == DISTINCT + OFTEN * ROUNDS);
	CHECK(heavy_short_by(&heavy) <= heavy.all.connections / HEAVY_KEYS);
	CHECK(heavy_heaviest(&heavy, items, HEAVY_KEYS) == HEAVY_KEYS);
	for (size_t i = 0; i < HEAVY_KEYS; i++) {
		weight += items[i]->weight;
		certain += items[i]->counts.connections;
		CHECK(items[i]->inherited <= heavy_short_by(&heavy));
	}
	CHECK(weight == heavy.all.connections); /* no weight is lost, and none made */
	CHECK(certain < weight);
	for (size_t i = 0; i < OFTEN; i++) {
		CHECK(strncmp(items[i]->key, "often", 5) == 0);
		CHECK(items[i]->counts.connections <= ROUNDS);
		CHECK(items[i]->weight >= ROUNDS);
	}
}

/* A key of no weight takes no place of another; sums and keys have their ends. */
static void ends(void)
{
	char key[1024];
	uint64_t sum = UINT64_MAX - 1;

	heavy_clear(&heavy);
	for (unsigned i = 0; i < HEAVY_KEYS; i++)
		add("key", i, 1);
	add("light", 0, 0);
	CHECK(heavy.dropped);
	CHECK(heavy_heaviest(&heavy, items, HEAVY_KEYS) == HEAVY_KEYS);
	for (size_t i = 0; i < HEAVY_KEYS; i++)
		CHECK(strncmp(items[i]->key, "key", 3) == 0);
	heavy_sum(&sum, 2);
	CHECK(sum == UINT64_MAX);
	heavy_clear(&heavy);
	memset(key, 'x', sizeof key - 1);
	key[sizeof key - 1] = '\0';
	for (const char *suffix = "aab"; *suffix; suffix++) {
		key[sizeof key - 2] = *suffix; /* which is all that parts them */
		CHECK(heavy_add(&heavy, key, 1, &(struct heavy_counts){.connections = 1}) == 0);
	}
	CHECK(heavy.count == 2);
	CHECK(heavy_heaviest(&heavy, items, 2) == 2);
	CHECK(items[0]->counts.connections == 2);
	CHECK(strlen(items[0]->key) == sizeof key - 1);
	heavy_clear(&heavy);
	CHECK(heavy.count == 0);
}

int main(void)
{
	return CHECK_ALL(exact, many, ends);
}
