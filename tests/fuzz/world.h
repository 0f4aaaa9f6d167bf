/* SPDX-License-Identifier: ISC */
/* A simulated environment of one session: a client, an upstream, the clock, and a script of their
 * actions. Their descriptors are real. The system calls of net/ go through the functions here,
 * which shorten them, let them fail, or advance the simulated clock instead of waiting. */
#pragma once

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

/* The maximum number of bytes that a side sends. It receives this number and a handshake. */
#define WORLD_BYTES_MAX 4096

/* The descriptor of the simulated listening socket, and the state of its inbound connection. */
#define WORLD_LISTENING 1001
enum inbound { INBOUND_NONE, INBOUND_EXPECTED, INBOUND_OTHER };

enum fault { FAULT_NONE, FAULT_AGAIN, FAULT_INTR, FAULT_SHORT };

/* One side, connected by two pipes or by one socketpair. With a socketpair, in and out are the same
 * descriptor. */
struct side {
	bool is_socket, is_open;
	int in, out;           /* the handler's ends: it reads from in */
	int write_fd, read_fd; /* this side's ends; -1 once closed */
	const uint8_t *bytes;  /* the bytes that it sends */
	size_t len, sent;      /* number of bytes to send, and sent */
	size_t received;
	size_t window;        /* maximum of unread bytes */
	bool gone, was_reset; /* it has closed both directions; the handler has reset it */
	int broken, error;    /* the errno that broke it; error is 0 after it was reported */
	bool polled;          /* poll(2) has reported that it is writable */
	enum fault fault;     /* of the next call */
	size_t got_len;       /* bytes that the handler has written */
	uint8_t *got;         /* 2 * WORLD_BYTES_MAX */
};

static struct world {
	struct side client, upstream;
	const uint8_t *script, *script_end;
	int64_t now_us;
	bool stopped;   /* SIGTERM was sent */
	bool continued; /* SIGCONT was sent and not read yet */
	int poll_error; /* of the next ppoll(2) */
	bool is_listening, has_no_inbound;
	enum inbound inbound;
	bool has_failed; /* a call has failed with an errno other than EINTR */
	unsigned polls;
} world;

static void pair(int fds[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		abort();
}

/* A pipe is simulated by one direction of a socketpair; is_socket is false for net/endpoint. */
static void side_open(struct side *s, bool is_socket)
{
	static uint8_t got[2][2 * WORLD_BYTES_MAX];
	int fds[2];
	pair(fds);
	s->is_socket = is_socket;
	s->is_open = true;
	s->got = got[s == &world.upstream];
	s->in = s->out = fds[0];
	s->write_fd = s->read_fd = fds[1];
	if (!is_socket) {
		pair(fds);
		s->out = fds[0];
		s->read_fd = fds[1];
	}
}

static void close_both(int *a, int *b)
{
	if (*a >= 0)
		close(*a);
	if (*b >= 0 && *b != *a)
		close(*b);
	*a = *b = -1;
}

static void side_close(struct side *s)
{
	if (!s->is_open)
		return;
	close_both(&s->in, &s->out);
	close_both(&s->write_fd, &s->read_fd);
}

/* -- Actions of a side. */

static void side_send(struct side *s, size_t n)
{
	if (!s->is_open || s->write_fd < 0 || n == 0)
		return;
	if (n > s->len - s->sent)
		n = s->len - s->sent;
	ssize_t sent = send(s->write_fd, s->bytes + s->sent, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent > 0)
		s->sent += (size_t)sent;
}

static void side_receive(struct side *s, size_t n)
{
	static uint8_t bytes[2 * WORLD_BYTES_MAX];
	if (!s->is_open || s->read_fd < 0)
		return;
	ssize_t some = recv(s->read_fd, bytes, n < sizeof bytes ? n : sizeof bytes, MSG_DONTWAIT);
	if (some <= 0)
		return;
	INVARIANT(memcmp(bytes, s->got + s->received, (size_t)some) == 0);
	s->received += (size_t)some;
}

static void side_end(struct side *s, bool whole)
{
	if (!s->is_open || s->write_fd < 0)
		return;
	if (whole) {
		s->gone = true;
		close_both(&s->write_fd, &s->read_fd);
	} else {
		shutdown(s->write_fd, SHUT_WR);
		s->len = s->sent;
	}
}

/* As with a TCP reset or timeout, unread bytes are lost. */
static void side_break(struct side *s, int error)
{
	if (s->is_open && s->is_socket && !s->broken)
		s->broken = s->error = error;
}

/* -- The script. */

static void event(unsigned n)
{
	static const int errors[] = {ECONNRESET, ETIMEDOUT, EHOSTUNREACH, EPIPE};
	switch (n / 4 % 4) {
	case 0:
		side_break(&world.client, errors[n % 4]);
		break;
	case 1:
		side_break(&world.upstream, errors[n % 4]);
		break;
	case 2:
		world.stopped = world.stopped || n % 4 == 0;
		world.continued = world.continued || n % 4 == 3;
		world.poll_error = n % 4 == 1 ? ENOMEM : n % 4 == 2 ? EINTR : 0;
		break;
	default:
		if (n % 4 == 1)
			world.inbound = n < 16 ? INBOUND_EXPECTED : INBOUND_OTHER;
		else
			world.now_us += n;
	}
}

/* Executes one byte: the action in its low three bits, its amount in the others. */
static void act(uint8_t byte)
{
	static const int64_t pauses_us[] = {
		1, 1000, 1000000, 9999999, 300000000, INT64_C(7200000000)};
	const unsigned n = byte >> 3;
	const size_t amount = n == 31 ? SIZE_MAX : n + 1;
	struct side *side = n % 2 ? &world.upstream : &world.client;
	struct side *named = byte & 1 ? &world.upstream : &world.client;

	switch (byte & 7) {
	case 0:
	case 1:
		side_send(named, amount);
		break;
	case 2:
	case 3:
		side_receive(named, amount);
		break;
	case 4:
		side_end(side, n >= 16);
		break;
	case 5:
		side->fault = n / 2 % 4;
		break;
	case 6:
		event(n);
		break;
	default:
		world.now_us += pauses_us[n % (sizeof pauses_us / sizeof pauses_us[0])];
	}
}

/* After the script, a side sends the rest, ends its direction and receives everything. */
static void finish(struct side *s)
{
	s->fault = FAULT_NONE;
	s->window = SIZE_MAX;
	side_send(s, SIZE_MAX);
	side_end(s, false);
	side_receive(s, SIZE_MAX);
}

/* -- The calls of net/. */

static struct side *side_of(int fd)
{
	struct side *s =
		fd == world.client.in || fd == world.client.out ? &world.client : &world.upstream;
	INVARIANT(s->is_open && (fd == s->in || fd == s->out));
	return s;
}

/* Applies the fault of a call that would move n bytes. Returns true if it fails, with errno. */
static bool takes_fault(struct side *s, size_t *n)
{
	enum fault fault = s->fault;
	s->fault = FAULT_NONE;
	if (fault == FAULT_SHORT)
		*n = *n < 3 ? 1 : *n / 3;
	errno = fault == FAULT_AGAIN && s->is_socket ? EAGAIN : EINTR;
	return fault == FAULT_AGAIN || fault == FAULT_INTR;
}

static bool takes_error(struct side *s)
{
	errno = s->error;
	s->error = 0;
	return errno != 0;
}

/* Simulates a read from signalfd(2), whose descriptor is -1. */
static ssize_t take_signal(void *bytes, size_t n)
{
	const struct signalfd_siginfo info = {.ssi_signo = world.stopped ? SIGTERM : SIGCONT};
	INVARIANT(n == sizeof info && (world.stopped || world.continued));
	memcpy(bytes, &info, n);
	world.continued = false;
	return (ssize_t)n;
}

static inline ssize_t world_read(int fd, void *bytes, size_t n)
{
	if (fd < 0)
		return take_signal(bytes, n);
	struct side *s = side_of(fd);
	if (takes_fault(s, &n) || takes_error(s))
		return -1;
	return s->broken ? 0 : recv(fd, bytes, n, MSG_DONTWAIT);
}

static bool has_room(const struct side *s)
{
	return s->got_len - s->received < s->window;
}

static inline ssize_t world_write(int fd, const void *bytes, size_t n)
{
	struct side *s = side_of(fd);
	INVARIANT(n > 0);
	INVARIANT(s->is_socket || s->polled); /* otherwise it could block */
	s->polled = false;
	size_t some = n;
	if (takes_fault(s, &some) || takes_error(s))
		return -1;
	if (s->is_socket) /* a write this short to a pipe is never partial (PIPE_BUF) */
		n = some;
	errno = s->broken ? EPIPE : EAGAIN;
	if (s->broken || !has_room(s))
		return -1;
	if (s->is_socket && n > s->window - (s->got_len - s->received))
		n = s->window - (s->got_len - s->received);
	ssize_t sent = send(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent > 0) {
		INVARIANT((size_t)sent <= 2 * WORLD_BYTES_MAX - s->got_len);
		memcpy(s->got + s->got_len, bytes, (size_t)sent);
		s->got_len += (size_t)sent;
	}
	return sent;
}

static inline int world_connect(int fd)
{
	struct side *s = side_of(fd);
	s->was_reset = true;
	errno = s->is_socket ? EINVAL : ENOTSOCK;
	return -1;
}

static inline int world_shutdown(int fd, int how)
{
	struct side *s = side_of(fd);
	errno = ENOTSOCK;
	return s->is_socket ? shutdown(fd, how) : -1;
}

static inline int world_close(int fd)
{
	if (fd == WORLD_LISTENING) {
		INVARIANT(world.is_listening);
		world.is_listening = false;
		return 0;
	}
	struct side *s = side_of(fd);
	INVARIANT(!s->is_socket && fd == s->out); /* other descriptors stay open until the end */
	s->out = -1;
	return close(fd);
}

static inline int world_getsockopt(int fd, int level, void *value, socklen_t *len)
{
	struct side *s = side_of(fd);
	if (!s->is_socket || level != SOL_SOCKET)
		return -1;
	if (s->error == 0)
		return getsockopt(fd, SOL_SOCKET, SO_ERROR, value, len);
	*(int *)value = s->error;
	s->error = 0;
	return 0;
}

static inline int world_ioctl(int fd, int *ret_unsent)
{
	struct side *s = side_of(fd);
	*ret_unsent = s->broken || s->gone ? 0 : (int)(s->got_len - s->received);
	return s->is_socket ? 0 : -1;
}

static inline int world_clock(struct timespec *ret_now)
{
	*ret_now = (struct timespec){
		.tv_sec = world.now_us / 1000000, .tv_nsec = world.now_us % 1000000 * 1000};
	return 0;
}

/* Polls without waiting. Changes the result for a side that is broken or has a full window. */
static int look(struct pollfd *fds, nfds_t count)
{
	int ready = 0;
	for (nfds_t i = 0; i < count; i++)
		if (fds[i].fd == WORLD_LISTENING)
			fds[i].fd = -WORLD_LISTENING;
	while (poll(fds, count, 0) < 0) /* the fuzzer's timer may interrupt it */
		INVARIANT(errno == EINTR);
	for (nfds_t i = 0; i < count; i++) {
		if (fds[i].fd == -WORLD_LISTENING) {
			INVARIANT(world.is_listening && fds[i].events == POLLIN);
			fds[i].fd = WORLD_LISTENING;
			fds[i].revents = world.inbound ? POLLIN : 0;
			ready += world.inbound != INBOUND_NONE;
			continue;
		}
		struct side *s = fds[i].fd >= 0 ? side_of(fds[i].fd) : NULL;
		if (s && s->broken)
			fds[i].revents = (short)((fds[i].events & (POLLIN | POLLOUT)) | POLLHUP |
				(s->error ? POLLERR : 0));
		else if (s && !has_room(s))
			fds[i].revents &= (short)~POLLOUT;
		if (s && fds[i].revents & (POLLOUT | POLLHUP | POLLERR))
			s->polled = true;
		ready += fds[i].revents != 0;
	}
	return ready;
}

/* The last entry is for signals. When ppoll(2) would sleep, the next action of the script is
 * executed. After the end of the script, the clock advances to the deadline. */
static inline int world_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *left)
{
	const int64_t deadline_us = left
		? world.now_us + (int64_t)left->tv_sec * 1000000 + left->tv_nsec / 1000
		: INT64_MAX;

	INVARIANT(world.polls++ < 1000); /* each poll consumes an action, of which there are 255 */
	fds[count - 1].revents = 0;
	for (;;) {
		const bool over = world.script == world.script_end;
		if (!over)
			act(*world.script++);
		if (world.poll_error) {
			errno = world.poll_error;
			world.poll_error = 0;
			world.has_failed = world.has_failed || errno != EINTR;
			return -1;
		}
		if (over) {
			finish(&world.client);
			finish(&world.upstream);
			world.inbound = world.has_no_inbound ? INBOUND_NONE : INBOUND_EXPECTED;
		}
		int ready = look(fds, count - 1);
		if (world.stopped || world.continued) {
			fds[count - 1].revents = POLLIN;
			ready++;
		}
		if (ready > 0)
			return ready;
		if (over && deadline_us > world.now_us) {
			INVARIANT(deadline_us != INT64_MAX); /* otherwise it would never return */
			world.now_us = deadline_us;
		}
		if (world.now_us >= deadline_us)
			return 0;
	}
}
