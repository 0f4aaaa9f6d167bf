/* SPDX-License-Identifier: ISC */
/* How many children the zygote needs. */
#include "stdsocks/prefork_pool.h"

#include <string.h>

struct prefork_pool prefork_pool_of(const struct config *config, unsigned orphans)
{
	return (struct prefork_pool){.base = config->prefork_ready,
		.target = config->prefork_ready,
		.connections = config->prefork_connections,
		.orphans = orphans};
}

unsigned prefork_pool_missing(const struct prefork_pool *p)
{
	const unsigned all = p->orphans + p->serving + p->ready;
	const unsigned allowed = all < p->connections ? p->connections - all : 0;
	const unsigned wanted = p->ready < p->target ? p->target - p->ready : 0;

	return wanted < allowed ? wanted : allowed;
}

void prefork_pool_add(struct prefork_pool *p, pid_t pid)
{
	p->pids[p->ready++] = pid;
}

/* Removes a ready child. Returns false if it is none. */
static bool remove_ready(struct prefork_pool *p, pid_t pid)
{
	for (unsigned i = 0; i < p->ready; i++) {
		if (p->pids[i] != pid)
			continue;
		p->ready--;
		memmove(&p->pids[i], &p->pids[i + 1], (p->ready - i) * sizeof p->pids[0]);
		return true;
	}
	return false;
}

pid_t prefork_pool_take_surplus(struct prefork_pool *p)
{
	const bool is_over = p->orphans + p->serving + p->ready > p->connections;
	const pid_t oldest = p->pids[0];

	if (p->ready == 0 || (p->ready <= p->target && !is_over))
		return 0;
	remove_ready(p, oldest);
	p->serving++;
	return oldest;
}

bool prefork_pool_accepted(struct prefork_pool *p, pid_t pid)
{
	if (!remove_ready(p, pid))
		return false;
	p->serving++;
	if (p->ready < p->least)
		p->least = p->ready;
	if (p->ready == 0)
		p->target = 2 * p->target < CONFIG_READY_MAX ? 2 * p->target : CONFIG_READY_MAX;
	return true;
}

bool prefork_pool_ended(struct prefork_pool *p, pid_t pid)
{
	const bool was_ready = remove_ready(p, pid);

	if (!was_ready && p->serving > 0)
		p->serving--;
	return was_ready;
}

void prefork_pool_tick(struct prefork_pool *p)
{
	if (p->least > p->target / 2)
		p->target = p->target / 2 > p->base ? p->target / 2 : p->base;
	p->least = p->ready;
}
