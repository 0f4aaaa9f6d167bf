/* SPDX-License-Identifier: ISC */
/* A table of the destinations to which an association (UDP ASSOCIATE) sends datagrams. */
#include "stdsocks/dst_table.h"

/* FNV-1a. A client that provokes collisions slows down only itself. */
static uint16_t bucket_of(const struct addr *a)
{
	uint32_t hash = UINT32_C(2166136261) ^ a->port;

	hash *= UINT32_C(16777619);
	for (unsigned i = 0; i < a->len; i++)
		hash = (hash ^ a->bytes[i]) * UINT32_C(16777619);
	return (uint16_t)((hash ^ hash >> 16) % DST_TABLE_MAX);
}

static bool is_equal(const struct addr *a, const struct addr *b)
{
	return a->port == b->port && addr_is_same_host(a, b);
}

static void unlink_used(struct dst_table *t, uint16_t at)
{
	const struct dst *dst = &t->all[at];

	*(dst->newer ? &t->all[dst->newer].older : &t->newest) = dst->older;
	*(dst->older ? &t->all[dst->older].newer : &t->oldest) = dst->newer;
}

static void make_newest(struct dst_table *t, uint16_t at)
{
	struct dst *dst = &t->all[at];

	dst->newer = 0;
	dst->older = t->newest;
	*(t->newest ? &t->all[t->newest].newer : &t->oldest) = at;
	t->newest = at;
}

/* Removes the least recently used destination. Returns its index. */
static uint16_t remove_oldest(struct dst_table *t)
{
	const uint16_t at = t->oldest;
	uint16_t *link = &t->buckets[bucket_of(&t->all[at].requested)];

	while (*link != at)
		link = &t->all[*link].next;
	*link = t->all[at].next;
	unlink_used(t, at);
	return at;
}

struct dst *dst_table_find(struct dst_table *t, const struct addr *requested)
{
	uint16_t at = t->buckets[bucket_of(requested)];

	while (at && !is_equal(&t->all[at].requested, requested))
		at = t->all[at].next;
	if (!at)
		return NULL;
	unlink_used(t, at);
	make_newest(t, at);
	return &t->all[at];
}

struct dst *dst_table_get(struct dst_table *t, const struct addr *requested)
{
	struct dst *dst = dst_table_find(t, requested);
	if (dst)
		return dst;

	uint16_t at = t->count < DST_TABLE_MAX ? ++t->count : remove_oldest(t);
	uint16_t *bucket = &t->buckets[bucket_of(requested)];
	dst = &t->all[at];
	*dst = (struct dst){.requested = *requested, .state = DST_NEW, .next = *bucket};
	*bucket = at;
	make_newest(t, at);
	return dst;
}
