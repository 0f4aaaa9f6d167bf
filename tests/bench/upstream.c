/* SPDX-License-Identifier: ISC */
/* The servers that the proxies connect to: an echo, a sink and a source. */
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"

#define SPARE_THREADS 8 /* for connections that a proxy closes late */

struct service {
	struct upstream *up;
	int fd; /* listens */
	void (*serve)(struct upstream *up, int fd);
};

static void echo(struct upstream *up, int fd)
{
	char bytes[4096];
	ssize_t n;

	(void)up;
	do
		n = recv(fd, bytes, sizeof bytes, 0);
	while (n > 0 && send(fd, bytes, (size_t)n, MSG_NOSIGNAL) == n);
}

static void sink(struct upstream *up, int fd)
{
	client_pump(fd, false, &up->received_bytes);
}

static void source(struct upstream *up, int fd)
{
	client_pump(fd, true, &up->received_bytes);
}

/* Accepts and serves connections, one at a time. */
static void *service_thread(void *arg)
{
	const struct service *service = arg;

	for (;;) {
		int fd = accept4(service->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue; /* the client has closed */
		atomic_fetch_add(&service->up->open_count, 1);
		service->serve(service->up, fd);
		close(fd);
		atomic_fetch_sub(&service->up->open_count, 1);
	}
	return NULL;
}

/* The threads start before the first connection, because the start of a thread takes as long as a
 * reply. Accepted sockets inherit TCP_NODELAY. */
static void service_start(struct service *service, int threads, uint16_t *ret_port)
{
	static const int on = 1;
	pthread_t thread;

	service->fd = client_listen(SOCK_STREAM, ret_port);
	setsockopt(service->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	for (int i = 0; i < threads; i++)
		thread_start(&thread, service_thread, service);
}

void upstream_start(struct upstream *up, int streams)
{
	static struct service services[] = {{.serve = echo}, {.serve = sink}, {.serve = source}};
	uint16_t *const ports[] = {&up->echo_port, &up->sink_port, &up->source_port};

	for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) {
		services[i].up = up;
		service_start(&services[i], streams + SPARE_THREADS, ports[i]);
	}
	udp_start(up);
}

int upstream_drain(struct upstream *up)
{
	int64_t deadline_us = now_us() + WAIT_TIMEOUT_MS * INT64_C(1000);

	while (atomic_load(&up->open_count) > 0) {
		if (now_us() > deadline_us)
			return -1;
		sleep_us(1000);
	}
	return 0;
}
