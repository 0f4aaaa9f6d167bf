/* SPDX-License-Identifier: ISC */
/* Counts any number of keys in bounded memory, and finds those with the greatest weight. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Up to TOP_K_KEYS keys are counted exactly. After that, a new key replaces the key with the least
 * weight and inherits that weight (the Space-Saving algorithm: Metwally, Agrawal, El Abbadi,
 * "Efficient Computation of Frequent and Top-k Elements in Data Streams", 2005). So a key with more
 * than 1/TOP_K_KEYS of the total weight is never missing, and a count is too small by the inherited
 * weight at most, which is at most 1/TOP_K_KEYS of the total. */
#define TOP_K_KEYS    4096
#define TOP_K_BUCKETS 8192

struct top_k_counts {
	uint64_t connections, failed, up, down;
};

struct top_k_item {
	char *key;
	uint32_t bucket, next, at_heap;
	uint64_t weight;            /* including the inherited weight */
	uint64_t inherited;         /* weight of replaced keys */
	struct top_k_counts counts; /* without those of replaced keys */
};

/* If it is all zero, it is empty. */
struct top_k {
	struct top_k_item items[TOP_K_KEYS];
	uint32_t buckets[TOP_K_BUCKETS]; /* 1 + the index of the first item, or 0 */
	uint32_t heap[TOP_K_KEYS]; /* indices; if is_heap, the item of least weight is first */
	struct top_k_counts all;   /* including those of replaced keys */
	uint32_t count;
	bool is_heap;
	bool dropped; /* a key was replaced or not counted */
};

/* Removes and frees all keys. */
void top_k_clear(struct top_k *t);

/* Adds weight and counts to those of a key, which is copied. Returns 0 or -ENOMEM. */
int top_k_add(struct top_k *t, const char *key, uint64_t weight, const struct top_k_counts *counts);

/* Returns the number of items found, up to n: those with the greatest weight that is not inherited,
 * in descending order. */
size_t top_k_find(const struct top_k *t, const struct top_k_item **ret_items, size_t n);

/* Returns the greatest amount by which a count can be too small. */
uint64_t top_k_error(const struct top_k *t);

/* Adds, and saturates at UINT64_MAX. */
void top_k_sum(uint64_t *sum, uint64_t value);
