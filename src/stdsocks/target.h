/* SPDX-License-Identifier: ISC */
/* The destinations of an association, and what is known of each: so many, and the one unused for
 * longest goes. Knows: how to find them. Does not know: sockets, rules. */
#pragma once

#include "wire/addr.h"

/* At a time. What comes from a destination that was forgotten is not passed on. */
#define TARGETS_MAX 1024

enum target_state {
	TARGET_NEW,
	TARGET_ALLOWED,
	TARGET_DENIED,
	TARGET_UNRESOLVED /* a name without an address */
};

struct target {
	struct addr requested; /* an address or a name, and the port */
	struct addr found;     /* of a name that is allowed: its address, and the port */
	enum target_state state;
	int64_t until_us; /* of a name: when it has to be looked up again */
	bool was_sent_to; /* of an address: answers are taken */
	uint16_t next;    /* in its bucket; 0: it is the last one. Likewise: */
	uint16_t newer, older;
};

/* All zero is an empty one. */
struct targets {
	uint16_t count, newest, oldest;
	uint16_t buckets[TARGETS_MAX];
	struct target all[1 + TARGETS_MAX]; /* the first one is none */
};

/* The one with this address or name, and port, which is now the newest; or NULL. */
struct target *target_find(struct targets *targets, const struct addr *asked);

/* The same, or else a new one, perhaps in the place of the oldest. */
struct target *target_take(struct targets *targets, const struct addr *asked);
