/* SPDX-License-Identifier: ISC */
/* How long it takes to get a connection, and how many a second can be had.
 * Measured from connect() until the SOCKS reply has arrived; without a proxy, until one byte has
 * come back from the echo, since a bare connect() returns before anybody has accepted. */
#include <err.h>
#include <unistd.h>

#include "bench.h"

static int setup_once(struct plan *plan, const struct contestant *c)
{
	char byte = 'x';
	int fd = client_open(c, plan->upstream->echo_port);

	if (fd < 0)
		return -1;
	if (c->port == 0 && (client_send(fd, &byte, 1) < 0 || client_receive(fd, &byte, 1) < 0)) {
		warn("%s: echo", c->label);
		close(fd);
		return -1;
	}
	return fd;
}

/* The pause between two samples lets the last process end; otherwise its end would be measured as
 * part of the next one's beginning. What ending costs is in the rate, where nobody pauses. */
int setup_slice(struct plan *plan, struct contestant *c, double ret_figure[FIGURES_MAX])
{
	size_t first = c->samples.len;
	struct series round;

	for (int i = 0; i < plan->count; i++) {
		int64_t start_us;
		int fd;

		sleep_us(plan->gap_us);
		start_us = now_us();
		fd = setup_once(plan, c);
		if (fd < 0)
			return -1;
		series_add(&c->samples, (double)(now_us() - start_us));
		close(fd);
	}
	round = (struct series){c->samples.value + first, c->samples.len - first, 0};
	ret_figure[0] = series_percentile(&round, 50);
	return 0;
}

struct worker {
	pthread_t thread;
	struct plan *plan;
	const struct contestant *c;
	int64_t deadline_us;
	int done;
	bool failed;
};

static void *rate_thread(void *arg)
{
	struct worker *w = arg;

	while (now_us() < w->deadline_us) {
		int fd = setup_once(w->plan, w->c);

		if (fd < 0) {
			w->failed = true;
			break;
		}
		close(fd);
		w->done++;
	}
	return NULL;
}

/* Rounds and slices must stay few and short: see upstream_renew(); the proxy's own port stays. */
int rate_slice(struct plan *plan, struct contestant *c, double ret_figure[FIGURES_MAX])
{
	struct worker workers[plan->streams];
	int64_t start_us = now_us();
	int done = 0;
	bool failed = false;

	for (int i = 0; i < plan->streams; i++) {
		workers[i] = (struct worker){.plan = plan,
			.c = c,
			.deadline_us = start_us + plan->slice_ms * INT64_C(1000)};
		if (pthread_create(&workers[i].thread, NULL, rate_thread, &workers[i]) != 0)
			errx(1, "pthread_create failed");
	}
	for (int i = 0; i < plan->streams; i++) {
		pthread_join(workers[i].thread, NULL);
		done += workers[i].done;
		failed |= workers[i].failed;
	}
	ret_figure[0] = done * 1e6 / (double)(now_us() - start_us);
	return failed ? -1 : 0;
}
