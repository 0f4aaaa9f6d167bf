/* SPDX-License-Identifier: ISC */
/* Which keys weigh most, among any number of them, in bounded memory.
 * Knows: texts and weights. Does not know: what they are. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* While there are not more keys than this, everything is exact. Then a new key takes the place of the
 * lightest one and inherits its weight ("Efficient Computation of Frequent and Top-k Elements in Data
 * Streams", Metwally, Agrawal, El Abbadi, 2005). So a key with more than 1/HEAVY_KEYS of all weight is
 * always there; and what has been counted for a key is at most what it inherited too little, which is at
 * most 1/HEAVY_KEYS of all weight. */
#define HEAVY_KEYS    4096
#define HEAVY_BUCKETS 8192

struct heavy_counts {
	uint64_t connections, failed, up, down;
};

struct heavy_item {
	char *key;
	uint32_t bucket, next, at_heap;
	uint64_t weight;            /* with what was inherited */
	uint64_t inherited;         /* of it: what somebody else had */
	struct heavy_counts counts; /* since it is here */
};

/* All zero is empty. */
struct heavy {
	struct heavy_item items[HEAVY_KEYS];
	uint32_t buckets[HEAVY_BUCKETS]; /* 1 + the first item, or 0 */
	uint32_t heap[HEAVY_KEYS];       /* items; with is_heap, the lightest is the first */
	struct heavy_counts all;         /* of all keys that there ever were */
	uint32_t count;
	bool is_heap;
	bool dropped; /* more keys than fit: it is not exact */
};

/* Frees what it keeps, and is empty again. */
void heavy_clear(struct heavy *t);

/* Weighs a key, of which it keeps a copy as long as it counts it; counts go to what is known of it. 0 or
 * -ENOMEM. */
int heavy_add(struct heavy *t, const char *key, uint64_t weight, const struct heavy_counts *counts);

/* Up to n items with the greatest certain weight, the greatest first: how many. */
size_t heavy_heaviest(const struct heavy *t, const struct heavy_item **ret_items, size_t n);

/* The most that a count can be too small by. */
uint64_t heavy_short_by(const struct heavy *t);

/* Adds, and stops at UINT64_MAX. */
void heavy_sum(uint64_t *sum, uint64_t value);
