/* SPDX-License-Identifier: ISC */
/* Where the proxies connect to: an echo, a sink and a source.
 * Knows nothing of proxies; the same for all contestants. */
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench.h"

#define EVENTS_MAX 64

static void watch(struct upstream *up, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(up->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		err(1, "epoll_ctl");
}

/* Messages are small and their sender waits for the echo, so this write never blocks. */
static void echo_answer(struct upstream *up, int fd)
{
	char bytes[4096];
	ssize_t n = recv(fd, bytes, sizeof bytes, 0);

	if (n > 0 && send(fd, bytes, (size_t)n, MSG_NOSIGNAL) == n)
		return;
	close(fd);
	atomic_fetch_sub(&up->open_count, 1);
}

struct bulk {
	struct upstream *up;
	int fd;
	bool is_source;
};

static void *bulk_thread(void *arg)
{
	struct bulk *bulk = arg;

	client_pump(bulk->fd, bulk->is_source, &bulk->up->received_bytes);
	close(bulk->fd);
	atomic_fetch_sub(&bulk->up->open_count, 1);
	free(bulk);
	return NULL;
}

/* The echo has one thread for all of it; a sink or source has one a connection. */
static void accept_one(struct upstream *up, int listen_fd)
{
	static const int on = 1;
	struct bulk *bulk;
	pthread_t thread;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return; /* gone again before we came to it */
	atomic_fetch_add(&up->open_count, 1);
	if (listen_fd == up->echo_fd) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		watch(up, fd);
		return;
	}
	bulk = malloc(sizeof *bulk);
	if (!bulk)
		err(1, "malloc");
	*bulk = (struct bulk){up, fd, listen_fd == up->source_fd};
	thread_start(&thread, bulk_thread, bulk);
	pthread_detach(thread);
}

static void *tcp_thread(void *arg)
{
	struct upstream *up = arg;
	struct epoll_event events[EVENTS_MAX];

	for (;;) {
		int n = epoll_wait(up->epoll_fd, events, EVENTS_MAX, -1);

		if (n < 0 && errno != EINTR)
			err(1, "epoll_wait");
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (fd == up->echo_fd || fd == up->sink_fd || fd == up->source_fd)
				accept_one(up, fd);
			else
				echo_answer(up, fd);
		}
	}
}

void upstream_start(struct upstream *up)
{
	pthread_t thread;

	up->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (up->epoll_fd < 0)
		err(1, "epoll_create1");
	up->echo_fd = client_listen(SOCK_STREAM, &up->echo_port);
	up->sink_fd = client_listen(SOCK_STREAM, &up->sink_port);
	up->source_fd = client_listen(SOCK_STREAM, &up->source_port);
	watch(up, up->echo_fd);
	watch(up, up->sink_fd);
	watch(up, up->source_fd);
	thread_start(&thread, tcp_thread, up);
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
