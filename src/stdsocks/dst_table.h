/* SPDX-License-Identifier: ISC */
/* The destinations of an association, with the state of each. */
#pragma once

#include "wire/addr.h"

/* A new destination replaces the least recently used one if the table is full. Datagrams from a
 * destination that was replaced are dropped. */
#define DST_TABLE_MAX 1024

enum dst_state {
	DST_NEW,
	DST_ALLOWED,
	DST_DENIED,
	DST_UNRESOLVED /* a name without an address */
};

struct dst {
	struct addr requested; /* an address or a name, and the port */
	struct addr resolved;  /* of a name that is allowed: its address, and the port */
	enum dst_state state;
	/* Of a name: when it has to be looked up again, and when its address must not be used any
	 * more. */
	int64_t until_us, stale_us;
	bool was_sent_to; /* of an address: datagrams from it are accepted */
	/* Indexes into dst_table.all, 0 for none: the next one in its bucket, and its neighbours in
	 * the order of use. */
	uint16_t next;
	uint16_t newer, older;
};

/* All zero is an empty table. */
struct dst_table {
	uint16_t count, newest, oldest;
	uint16_t buckets[DST_TABLE_MAX];
	struct dst all[1 + DST_TABLE_MAX]; /* the first one is unused */
};

/* Returns the destination with this address or name, and port, and makes it the most recently used;
 * or NULL. */
struct dst *dst_table_find(struct dst_table *table, const struct addr *requested);

/* Like dst_table_find(), but adds a destination that is not in the table. */
struct dst *dst_table_get(struct dst_table *table, const struct addr *requested);
