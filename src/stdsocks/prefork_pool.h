/* SPDX-License-Identifier: ISC */
/* How many children the zygote needs. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "policy/config.h"

struct prefork_pool {
	unsigned base;        /* "prefork ready" */
	unsigned connections; /* "prefork connections" */
	unsigned orphans;     /* connections whose processes are not children of this zygote */
	unsigned target;      /* of ready children: from base to CONFIG_READY_MAX */
	unsigned least;       /* ready children at once since prefork_pool_tick() */
	unsigned serving;
	unsigned ready;
	pid_t pids[CONFIG_READY_MAX]; /* of the ready children, the oldest first */
};

struct prefork_pool prefork_pool_of(const struct config *config, unsigned orphans);

/* Returns how many children to fork: until target are ready, but no more processes than connections
 * are allowed. */
unsigned prefork_pool_missing(const struct prefork_pool *p);

/* Returns the PID of a ready child that is to end, and counts it as serving until it has ended; or
 * returns 0 if none is to end. */
pid_t prefork_pool_take_surplus(struct prefork_pool *p);

/* Adds a new child, which is ready. */
void prefork_pool_add(struct prefork_pool *p, pid_t pid);

/* To be called when a ready child has accepted a connection: counts it as serving, and doubles the
 * target if no other child is ready. Returns false, and changes nothing, if pid is not that of a
 * ready child. */
bool prefork_pool_accepted(struct prefork_pool *p, pid_t pid);

/* To be called when a child has ended. Returns true if it was ready, and false if it was serving.
 */
bool prefork_pool_ended(struct prefork_pool *p, pid_t pid);

/* Halves the target, if half of it was always enough since the previous call. To be called at
 * most once a second, and at least that often while the target is above base. */
void prefork_pool_tick(struct prefork_pool *p);
