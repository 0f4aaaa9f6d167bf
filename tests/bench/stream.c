/* SPDX-License-Identifier: ISC */
/* Measures the time to set up a connection, or many at once, the number of connections per second,
 * the throughput in one direction, and round trips. */
#include <err.h>
#include <unistd.h>

#include "bench.h"

#define WARM_UP_US 200000 /* for TCP windows, buffers and the scheduler */

/* Connects, and waits for the SOCKS reply. Without a proxy, waits until the echo returns a byte,
 * because connect() returns before the upstream accepts. Returns the socket, or -1. */
static int setup_open(const struct plan *plan)
{
	char byte = 'x';
	int fd = client_open(plan, plan->upstream.echo_port);

	if (fd >= 0 && plan->port == 0 &&
		(client_send(fd, &byte, 1) < 0 || client_receive(fd, &byte, 1) < 0)) {
		warn("%s: echo", plan->label);
		close(fd);
		return -1;
	}
	return fd;
}

static int setup_once(const struct plan *plan, int64_t *ret_took_us)
{
	int64_t start_us = now_us();
	int fd = setup_open(plan);

	if (fd < 0)
		return -1;
	*ret_took_us = now_us() - start_us;
	close(fd);
	return 0;
}

/* During the pause between samples, the last process ends, so that the next sample does not include
 * this. rate_slice() includes it. The first connection is not counted, because it includes page
 * faults of this program. */
int setup_slice(struct plan *plan)
{
	int64_t took_us, start_us = now_us();

	for (int i = -1; i < plan->count; i++) {
		start_us =
			plan->interval_us ? start_us + plan->interval_us : now_us() + plan->gap_us;
		sleep_us(start_us - now_us());
		if (setup_once(plan, &took_us) < 0)
			return -1;
		if (i >= 0)
			figure((double)took_us);
	}
	return 0;
}

/* A thread of a slice. */
struct worker {
	pthread_t thread;
	const struct plan *plan;
	int64_t deadline_us; /* of setups */
	int done;
	bool failed;
	pthread_barrier_t *start; /* of a burst */
	int64_t end_us;           /* of the setup in a burst */
	int fd;                   /* of a stream, or of a burst */
	atomic_ullong *received_bytes;
};

static void *rate_thread(void *arg)
{
	struct worker *w = arg;
	int64_t took_us;

	while (!w->failed && now_us() < w->deadline_us) {
		w->failed = setup_once(w->plan, &took_us) < 0;
		w->done += !w->failed;
	}
	return NULL;
}

/* Rounds and slices must be few and short: each connection leaves a socket in TIME_WAIT, and with
 * twenty thousand of these, connect() spends its time in the search for a free local port. If the
 * user is root, tests/bench/run prevents these sockets. */
int rate_slice(struct plan *plan)
{
	struct worker workers[plan->streams];
	int64_t start_us = now_us();
	int done = 0;
	bool failed = false;

	for (int i = 0; i < plan->streams; i++) {
		workers[i] = (struct worker){
			.plan = plan, .deadline_us = start_us + plan->slice_ms * INT64_C(1000)};
		thread_start(&workers[i].thread, rate_thread, &workers[i]);
	}
	for (int i = 0; i < plan->streams; i++) {
		pthread_join(workers[i].thread, NULL);
		done += workers[i].done;
		failed |= workers[i].failed;
	}
	figure(done * 1e6 / (double)(now_us() - start_us));
	return failed ? -1 : 0;
}

static void *burst_thread(void *arg)
{
	struct worker *w = arg;

	pthread_barrier_wait(w->start);
	w->fd = setup_open(w->plan);
	w->end_us = now_us();
	return NULL;
}

/* All threads wait when the burst starts, and all connections stay open until its end. */
int burst_slice(struct plan *plan)
{
	struct worker workers[plan->streams];
	pthread_barrier_t start;
	int64_t start_us, end_us = 0;
	bool failed = false;

	pthread_barrier_init(&start, NULL, (unsigned)plan->streams + 1);
	for (int i = 0; i < plan->streams; i++) {
		workers[i] = (struct worker){.plan = plan, .start = &start};
		thread_start(&workers[i].thread, burst_thread, &workers[i]);
	}
	sleep_us(WARM_UP_US);
	start_us = now_us();
	pthread_barrier_wait(&start);
	for (int i = 0; i < plan->streams; i++) {
		pthread_join(workers[i].thread, NULL);
		failed |= workers[i].fd < 0;
		if (workers[i].end_us > end_us)
			end_us = workers[i].end_us;
	}
	for (int i = 0; i < plan->streams; i++)
		if (workers[i].fd >= 0)
			close(workers[i].fd);
	if (failed)
		return -1;
	figure((double)(end_us - start_us) / 1000);
	return 0;
}

/* Ends when streams_stop() shuts the socket down, or after WAIT_TIMEOUT_MS without data. */
static void *stream_thread(void *arg)
{
	struct worker *w = arg;

	client_pump(w->fd, w->plan->upload, w->received_bytes);
	return NULL;
}

/* Opens all streams before it starts them, so that a slow setup does not shorten the transfers. */
static int streams_start(const struct plan *plan, struct worker *streams, atomic_ullong *received)
{
	const struct upstream *up = &plan->upstream;

	for (int i = 0; i < plan->streams; i++) {
		int fd = client_open(plan, plan->upload ? up->sink_port : up->source_port);

		if (fd < 0) {
			while (i-- > 0)
				close(streams[i].fd);
			return -1;
		}
		streams[i] = (struct worker){.plan = plan, .fd = fd, .received_bytes = received};
	}
	for (int i = 0; i < plan->streams; i++)
		thread_start(&streams[i].thread, stream_thread, &streams[i]);
	return 0;
}

/* Resets the connections. A source whose window is closed would not receive a FIN, and would send
 * window probes during the next slice. */
static void streams_stop(struct worker *streams, int streams_len)
{
	static const struct linger reset = {1, 0};

	for (int i = 0; i < streams_len; i++)
		shutdown(streams[i].fd, SHUT_RDWR);
	for (int i = 0; i < streams_len; i++) {
		pthread_join(streams[i].thread, NULL);
		setsockopt(streams[i].fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		close(streams[i].fd);
	}
}

/* Counts received bytes, for a part of the transfer without its setup and its end. */
int bulk_slice(struct plan *plan)
{
	struct worker streams[plan->streams];
	atomic_ullong downloaded_bytes = 0;
	atomic_ullong *received_bytes =
		plan->upload ? &plan->upstream.received_bytes : &downloaded_bytes;
	int64_t start_us, busy_us, took_us;
	double bytes;

	if (streams_start(plan, streams, &downloaded_bytes) < 0)
		return -1;
	sleep_us(WARM_UP_US);
	bytes = -(double)atomic_load(received_bytes);
	busy_us = -system_busy_us();
	start_us = now_us();
	sleep_us(plan->slice_ms * INT64_C(1000));
	took_us = now_us() - start_us;
	busy_us += system_busy_us();
	bytes += (double)atomic_load(received_bytes);
	streams_stop(streams, plan->streams);
	if (bytes <= 0) {
		warnx("%s: no bytes arrived", plan->label);
		return -1;
	}
	figure(bytes * 8 / 1000 / (double)took_us);
	figure((double)busy_us / 1e6 / (bytes / (1 << 30)));
	return 0;
}

int pingpong_slice(struct plan *plan)
{
	size_t len = (size_t)plan->message_len;
	char message[len];
	int64_t begin_us = now_us(), start_us = begin_us, end_us = begin_us;
	int fd = client_open(plan, plan->upstream.echo_port), done = 0;

	if (fd < 0)
		return -1;
	for (size_t i = 0; i < len; i++)
		message[i] = (char)i;
	while (done == 0 || end_us - start_us < plan->slice_ms * INT64_C(1000)) {
		if (client_send(fd, message, len) < 0 || client_receive(fd, message, len) < 0) {
			warn("%s: ping-pong", plan->label);
			close(fd);
			return -1;
		}
		end_us = now_us();
		if (done == 0 && end_us - begin_us < WARM_UP_US / 4)
			start_us = end_us; /* during the warm-up */
		else
			done++;
	}
	close(fd);
	figure(done * 1e6 / (double)(end_us - start_us));
	return 0;
}
