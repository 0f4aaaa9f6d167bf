/* SPDX-License-Identifier: ISC */
/* A table of the destinations to which an association (UDP ASSOCIATE) sends datagrams. */
#pragma once

#include "wire/addr.h"

/* Upper limit of the destinations in a table. If the table is full, a new destination replaces the
 * least recently used one. Datagrams from the replaced destination are dropped from then on. */
#define DST_TABLE_MAX 1024

enum dst_state {
	DST_NEW,       /* the access rules were not evaluated yet */
	DST_ALLOWED,   /* by the access rules */
	DST_DENIED,    /* by the access rules */
	DST_UNRESOLVED /* a name without an address */
};

/* A destination. */
struct dst {
	struct addr requested; /* an address or a name, and the port */
	struct addr resolved;  /* of a name that is allowed: its address, and the port */
	enum dst_state state;
	/* If requested is a name: when it has to be looked up again, and from when on its address
	 * must not be used. */
	int64_t until_us, stale_us;
	int64_t decision_us; /* when the access rules have to be evaluated again */
	bool was_sent_to;    /* if requested is an address: datagrams from it are accepted */
	/* Indexes into dst_table.all; 0: none. `next` is the next destination in the same hash
	 * bucket. `newer` and `older` are the neighbours in the order of last use. */
	uint16_t next;
	uint16_t newer, older;
};

/* A hash table, and a list in the order of last use. All zero is an empty table. */
struct dst_table {
	uint16_t count;
	/* Indexes into `all`; 0: none. The ends of the list, and the first destination of each
	 * bucket. */
	uint16_t newest, oldest;
	uint16_t buckets[DST_TABLE_MAX];
	struct dst all[1 + DST_TABLE_MAX]; /* the first one is not used */
};

/* Finds the destination with this address or name and this port, and makes it the most recently
 * used one. Returns NULL if it is not in the table. The result is valid until dst_table_get()
 * replaces the destination. */
struct dst *dst_table_find(struct dst_table *table, const struct addr *requested);

/* Like dst_table_find(), but if the destination is not in the table, adds it with DST_NEW. Never
 * returns NULL. */
struct dst *dst_table_get(struct dst_table *table, const struct addr *requested);
