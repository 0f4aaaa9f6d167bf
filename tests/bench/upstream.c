/* SPDX-License-Identifier: ISC */
/* Where the proxies connect to: an echo, a sink and a source.
 * Knows nothing of proxies; the same for all contestants. */
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define BUFFER_CAP (256 * 1024)
#define EVENTS_MAX 64

static const int on = 1;

/* In an event's data, beside the descriptor: this one is for accept(). */
#define LISTENER (UINT64_C(1) << 32)

static void echo_watch(struct upstream *up, int fd, uint64_t flag)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = (unsigned)fd | flag};

	if (epoll_ctl(up->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		err(1, "epoll_ctl");
}

static void echo_accept(struct upstream *up, int listen_fd)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return; /* gone again before we came to it */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	atomic_fetch_add(&up->open_count, 1);
	echo_watch(up, fd, 0);
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

/* One thread for all of it: a thousand idle connections must not cost a thousand stacks here. */
static void *echo_thread(void *arg)
{
	struct upstream *up = arg;
	struct epoll_event events[EVENTS_MAX];

	for (;;) {
		int n = epoll_wait(up->epoll_fd, events, EVENTS_MAX, -1);

		if (n < 0 && errno != EINTR)
			err(1, "epoll_wait");
		for (int i = 0; i < n; i++) {
			int fd = (int)(uint32_t)events[i].data.u64;

			if (events[i].data.u64 & LISTENER)
				echo_accept(up, fd);
			else
				echo_answer(up, fd);
		}
	}
}

struct bulk {
	struct upstream *up;
	int fd;
	bool is_source;
};

static void *bulk_thread(void *arg)
{
	struct bulk *bulk = arg;
	char *bytes = calloc(1, BUFFER_CAP);
	ssize_t n;

	if (!bytes)
		err(1, "calloc");
	do {
		if (bulk->is_source) {
			n = send(bulk->fd, bytes, BUFFER_CAP, MSG_NOSIGNAL);
		} else {
			n = recv(bulk->fd, bytes, BUFFER_CAP, 0);
			atomic_fetch_add(
				&bulk->up->received_bytes, n > 0 ? (unsigned long long)n : 0);
		}
	} while (n > 0);
	close(bulk->fd);
	atomic_fetch_sub(&bulk->up->open_count, 1);
	free(bytes);
	free(bulk);
	return NULL;
}

static void bulk_accept(struct upstream *up, bool is_source)
{
	struct bulk *bulk;
	pthread_t thread;
	int fd = accept4(is_source ? up->source_fd : up->sink_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	bulk = malloc(sizeof *bulk);
	if (!bulk)
		err(1, "malloc");
	*bulk = (struct bulk){up, fd, is_source};
	atomic_fetch_add(&up->open_count, 1);
	if (pthread_create(&thread, NULL, bulk_thread, bulk) != 0)
		errx(1, "pthread_create failed");
	pthread_detach(thread);
}

static void *bulk_listener(void *arg)
{
	struct upstream *up = arg;
	struct pollfd fds[] = {{up->sink_fd, POLLIN, 0}, {up->source_fd, POLLIN, 0}};

	while (poll(fds, 2, -1) > 0) {
		if (fds[0].revents)
			bulk_accept(up, false);
		if (fds[1].revents)
			bulk_accept(up, true);
	}
	err(1, "poll");
}

static int listen_or_exit(uint16_t *ret_port)
{
	int fd;

	*ret_port = 0;
	fd = client_listen(ret_port);
	if (fd < 0)
		err(1, "listen");
	return fd;
}

void upstream_renew(struct upstream *up)
{
	if (up->echo_fd >= 0)
		close(up->echo_fd); /* leaves the epoll set with it */
	up->echo_fd = listen_or_exit(&up->echo_port);
	echo_watch(up, up->echo_fd, LISTENER);
}

/* Waits as long as it takes. */
static int udp_await(int fd, struct datagrams *d)
{
	int n;

	do
		n = datagrams_receive(fd, d, DATAGRAMS_MAX);
	while (n < 0 && (errno == EAGAIN || errno == EINTR));
	if (n < 0)
		err(1, "recvmmsg");
	return n;
}

static void *udp_echo_thread(void *arg)
{
	struct upstream *up = arg;
	struct datagrams *d = datagrams_new();

	for (;;) {
		int n = udp_await(up->udp_echo_fd, d);

		datagrams_send(up->udp_echo_fd, d, n, false); /* nobody there is no harm */
	}
	return NULL;
}

static void *udp_sink_thread(void *arg)
{
	struct upstream *up = arg;
	struct datagrams *d = datagrams_new();

	for (;;)
		atomic_fetch_add(
			&up->received_datagrams, (unsigned long long)udp_await(up->udp_sink_fd, d));
	return NULL;
}

static int datagrams_or_exit(uint16_t *ret_port)
{
	int fd;

	*ret_port = 0;
	fd = client_datagrams(ret_port);
	if (fd < 0)
		err(1, "a socket for datagrams");
	return fd;
}

void upstream_start(struct upstream *up)
{
	pthread_t thread;

	up->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (up->epoll_fd < 0)
		err(1, "epoll_create1");
	up->echo_fd = -1;
	upstream_renew(up);
	up->sink_fd = listen_or_exit(&up->sink_port);
	up->source_fd = listen_or_exit(&up->source_port);
	up->udp_echo_fd = datagrams_or_exit(&up->udp_echo_port);
	up->udp_sink_fd = datagrams_or_exit(&up->udp_sink_port);
	if (pthread_create(&thread, NULL, echo_thread, up) != 0 ||
		pthread_create(&thread, NULL, udp_echo_thread, up) != 0 ||
		pthread_create(&thread, NULL, udp_sink_thread, up) != 0 ||
		pthread_create(&thread, NULL, bulk_listener, up) != 0)
		errx(1, "pthread_create failed");
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
