/* SPDX-License-Identifier: ISC */
/* Adds up the weights of any number of keys, in bounded memory, and finds the keys with the
 * greatest weights. A key is a text, such as the name of a user. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Upper limit of the keys that are kept. As long as there are no more keys, all counts are exact.
 * After that, a new key replaces the key with the least weight, and inherits its weight (the
 * Space-Saving algorithm: Metwally, Agrawal, El Abbadi, "Efficient Computation of Frequent and
 * Top-k Elements in Data Streams", 2005).
 *
 * The result is then approximate, with two bounds. A key with more than 1/TOP_K_KEYS of the total
 * weight is always kept. If the inherited weight is subtracted from the weight of a key, the result
 * is too small by at most the inherited weight, which is at most 1/TOP_K_KEYS of the total weight.
 */
#define TOP_K_KEYS    4096
#define TOP_K_BUCKETS 8192 /* of the hash table */

/* The counts of a key: connections, failed connections, and bytes in each direction. */
struct top_k_counts {
	uint64_t connections, failed, up, down;
};

/* A key that is kept. */
struct top_k_item {
	char *key;
	uint32_t bucket, next, at_heap; /* private: positions in the hash table and in the heap */
	uint64_t weight;                /* the own weight of the key, and the inherited weight */
	uint64_t inherited; /* the weight that the key had to take over from a replaced key */
	struct top_k_counts counts; /* of this key only */
};

/* All zero is empty. */
struct top_k {
	struct top_k_item items[TOP_K_KEYS];
	/* The hash table: for each bucket, 1 + the index of its first item; 0: it is empty. */
	uint32_t buckets[TOP_K_BUCKETS];
	/* The indexes of the items. If is_heap, they are a heap: the item of least weight is first.
	 */
	uint32_t heap[TOP_K_KEYS];
	struct top_k_counts all; /* the sums of the counts of all keys, even of those not kept */
	uint32_t count;          /* of items */
	bool is_heap;
	bool dropped; /* not all keys are kept: the result is approximate */
};

/* Removes and frees all keys. *t is then empty. */
void top_k_clear(struct top_k *t);

/* Adds weight and counts to those of a key, which is copied if it is new. Returns 0, or -ENOMEM; on
 * error nothing has changed. */
int top_k_add(struct top_k *t, const char *key, uint64_t weight, const struct top_k_counts *counts);

/* Finds the n items with the greatest weight, without the inherited weight, in descending order.
 * Returns their number, which is less than n if there are fewer items. They point into *t. */
size_t top_k_find(const struct top_k *t, const struct top_k_item **ret_items, size_t n);

/* Returns an upper bound of the amount by which a key's weight, without the inherited weight, can
 * be too small. */
uint64_t top_k_error(const struct top_k *t);

/* Adds value to *sum. If the result would be greater than UINT64_MAX, it is UINT64_MAX. */
void top_k_sum(uint64_t *sum, uint64_t value);
