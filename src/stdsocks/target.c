/* SPDX-License-Identifier: ISC */
/* The destinations of an association, and what is known of each: so many, and the one unused for
 * longest goes. Knows: how to find them. Does not know: sockets, rules. */
#include "stdsocks/target.h"

/* FNV-1a. Only the client puts destinations in: long buckets would be its own loss. */
static uint16_t bucket_of(const struct addr *a)
{
	uint32_t hash = UINT32_C(2166136261) ^ a->port;

	hash *= UINT32_C(16777619);
	for (unsigned i = 0; i < a->len; i++)
		hash = (hash ^ a->bytes[i]) * UINT32_C(16777619);
	return (uint16_t)((hash ^ hash >> 16) % TARGETS_MAX);
}

static bool is_same(const struct addr *a, const struct addr *b)
{
	return a->port == b->port && addr_is_same_host(a, b);
}

static void unlink_age(struct targets *t, uint16_t at)
{
	const struct target *one = &t->all[at];

	*(one->newer ? &t->all[one->newer].older : &t->newest) = one->older;
	*(one->older ? &t->all[one->older].newer : &t->oldest) = one->newer;
}

static void make_newest(struct targets *t, uint16_t at)
{
	struct target *one = &t->all[at];

	one->newer = 0;
	one->older = t->newest;
	*(t->newest ? &t->all[t->newest].newer : &t->oldest) = at;
	t->newest = at;
}

/* Makes room: the number of the one that has to go. */
static uint16_t forget_oldest(struct targets *t)
{
	const uint16_t at = t->oldest;
	uint16_t *link = &t->buckets[bucket_of(&t->all[at].requested)];

	while (*link != at)
		link = &t->all[*link].next;
	*link = t->all[at].next;
	unlink_age(t, at);
	return at;
}

struct target *target_find(struct targets *t, const struct addr *asked)
{
	uint16_t at = t->buckets[bucket_of(asked)];

	while (at && !is_same(&t->all[at].requested, asked))
		at = t->all[at].next;
	if (!at)
		return NULL;
	if (at != t->newest) {
		unlink_age(t, at);
		make_newest(t, at);
	}
	return &t->all[at];
}

struct target *target_take(struct targets *t, const struct addr *asked)
{
	struct target *one = target_find(t, asked);
	if (one)
		return one;

	uint16_t at = t->count < TARGETS_MAX ? ++t->count : forget_oldest(t);
	uint16_t *bucket = &t->buckets[bucket_of(asked)];
	one = &t->all[at];
	one->requested = *asked;
	one->state = TARGET_NEW;
	one->until_us = 0;
	one->was_sent_to = false;
	one->next = *bucket;
	*bucket = at;
	make_newest(t, at);
	return one;
}
