/* SPDX-License-Identifier: ISC */
/* What an idle connection costs the whole system: process, page tables, kernel stack, sockets.
 * What the ends cost in any case is measured by the contestant without a proxy, and subtracted by
 * the table. The server must be freshly started: what it has kept from an earlier run would look
 * as if it cost nothing. */
#include <err.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"

#define SETTLE_STEP_US   100000
#define SETTLED_BYTES    (64 * 1024) /* less change than this, twice in a row, is calm */
#define SETTLE_STEPS_MAX 40

static int64_t settled_used_bytes(void)
{
	int64_t used_bytes = system_used_bytes();
	int calm = 0;

	for (int step = 0; step < SETTLE_STEPS_MAX && calm < 2; step++) {
		int64_t last_bytes = used_bytes;

		sleep_us(SETTLE_STEP_US);
		used_bytes = system_used_bytes();
		calm = llabs(used_bytes - last_bytes) < SETTLED_BYTES ? calm + 1 : 0;
	}
	if (calm < 2)
		warnx("memory does not settle: something else is running");
	return used_bytes;
}

int memory_slice(struct plan *plan, struct contestant *c, double ret_figure[FIGURES_MAX])
{
	int fds[plan->count];
	int open_count = 0;
	int64_t before_bytes = settled_used_bytes(), after_bytes;

	while (open_count < plan->count) {
		int fd = client_open(c, plan->upstream->echo_port);

		if (fd < 0)
			break;
		fds[open_count++] = fd;
	}
	after_bytes = settled_used_bytes();
	if (open_count < plan->count)
		warnx("%s: only %d of %d connections", c->label, open_count, plan->count);
	for (int i = 0; i < open_count; i++)
		close(fds[i]);
	if (open_count < plan->count)
		return -1;
	ret_figure[0] = (double)(after_bytes - before_bytes) / 1024 / plan->count;
	return 0;
}
