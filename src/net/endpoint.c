/* SPDX-License-Identifier: ISC */
/* An endpoint of the relay, which is the client or the upstream: moves bytes and ends the
 * connection. The endpoint can be a socket, pipes or files. */
#include "net/endpoint.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/wait.h"

/* Upper limit of unsent bytes in the kernel for a connection with a rate. */
#define UNSENT_MAX      (1 << 20)
/* If the limit of unsent bytes is below this, the send buffer is set to it: otherwise one send(2)
 * passes several seconds of data to the kernel, which does not pace the first segments. Above it
 * the kernel's own size is better. */
#define SEND_BUFFER_MAX (1 << 17)

/* Returns the result of read(2) or write(2), -EAGAIN, or another -errno that is stored in e->error.
 */
static int moved(struct endpoint *e, ssize_t result)
{
	if (result >= 0)
		return (int)result;
	int error = errno;
	if (error == EAGAIN || error == EINTR)
		return -EAGAIN;
	if (!e->error) /* keep the first error */
		e->error = error;
	return -error;
}

int endpoint_read(struct endpoint *e, struct buffer *to)
{
	if (to->start == to->end)
		to->start = to->end = 0;
	void *at = to->bytes + to->end;
	size_t room = sizeof to->bytes - to->end;
	if (room == 0)
		return -EAGAIN;
	int n = moved(
		e, e->in_socket ? recv(e->in, at, room, MSG_DONTWAIT) : read(e->in, at, room));
	if (n > 0)
		to->end += (size_t)n;
	return n;
}

/* Writes as many bytes as possible without blocking. */
static int put(struct endpoint *e, const void *bytes, size_t len)
{
	if (e->out_socket)
		return moved(e, send(e->out, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL));
	/* After poll(2) a pipe has room for PIPE_BUF bytes; a longer write could block. */
	return moved(e, write(e->out, bytes, len < PIPE_BUF ? len : PIPE_BUF));
}

int endpoint_write(struct endpoint *e, struct buffer *from)
{
	int n = put(e, from->bytes + from->start, from->end - from->start);
	if (n > 0)
		from->start += (size_t)n;
	return n;
}

int endpoint_read_by(struct endpoint *e, struct buffer *to, int64_t deadline_us)
{
	int n = -EAGAIN;
	while (n == -EAGAIN) {
		n = wait_for(e->in, POLLIN, deadline_us);
		if (n > 0)
			n = endpoint_read(e, to);
	}
	return n;
}

int endpoint_send_by(struct endpoint *e, const void *bytes, size_t len, int64_t deadline_us)
{
	bool ready = e->out_socket; /* a pipe must be polled first */
	for (const char *at = bytes; len > 0;) {
		int n = ready ? put(e, at, len) : -EAGAIN;
		if (n > 0) {
			at += n;
			len -= (size_t)n;
			continue;
		}
		if (n == -EAGAIN)
			n = wait_for(e->out, POLLOUT, deadline_us);
		if (n < 0)
			return n;
		ready = true;
	}
	return 0;
}

bool endpoint_error_is_local(int error)
{
	switch (error) {
	case EAGAIN: /* fork(2), connect(2) */
	case EINTR:
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		return true;
	default:
		return false;
	}
}

void endpoint_check_hangup(struct endpoint *e)
{
	int error = EPIPE; /* a pipe without a reader has no SO_ERROR */
	socklen_t len = sizeof error;
	getsockopt(e->out, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error == 0)
		e->write_closed = true;
	else if (!e->error)
		e->error = error;
}

void endpoint_shutdown(struct endpoint *e)
{
	if (e->out_socket) {
		/* close(2) would send no FIN while PID 1 has a duplicate. */
		shutdown(e->out, SHUT_WR);
	} else {
		close(e->out);
		e->out = -1;
	}
}

void endpoint_reset(struct endpoint *e)
{
	/* An address this short can only be AF_UNSPEC, so that the sandbox can allow the call. */
	const sa_family_t unspec = AF_UNSPEC;
	const int fds[] = {e->in, e->out};

	/* connect(2) to AF_UNSPEC sends a RST even if other processes have duplicates of the
	 * socket; SO_LINGER and close(2) do not. If it is not TCP, both directions are shut down.
	 */
	for (size_t i = 0; i < 2; i++)
		if (connect(fds[i], (const struct sockaddr *)&unspec, sizeof unspec) < 0)
			shutdown(fds[i], SHUT_RDWR);
	if (!e->out_socket)
		endpoint_shutdown(e);
}

static bool is_closed(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof info;
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
		info.tcpi_state == TCP_CLOSE;
}

void endpoint_flush(struct endpoint *e, int64_t deadline_us)
{
	int unsent = 0;
	for (int64_t pause_us = 1000; ioctl(e->out, TIOCOUTQ, &unsent) == 0 && unsent > 0;) {
		int64_t next_us = clock_after(clock_now_us(), pause_us);
		/* No event reports an empty queue, so the loop checks it at growing intervals. */
		int ready = wait_for(-1, 0, next_us < deadline_us ? next_us : deadline_us);
		if (ready != -ETIMEDOUT || next_us >= deadline_us || is_closed(e->out))
			break;
		if (pause_us < 100000)
			pause_us *= 2;
	}
}

void endpoint_linger(struct endpoint *e, struct buffer *scratch)
{
	int64_t deadline_us = clock_after(clock_now_us(), ENDPOINT_LINGER_US);
	size_t left = ENDPOINT_LINGER_MAX;

	endpoint_shutdown(e);
	if (!e->in_socket)
		return;
	for (int n = 1; n > 0 && left > 0; left -= (size_t)n < left ? (size_t)n : left) {
		scratch->start = scratch->end = 0;
		n = endpoint_read_by(e, scratch, deadline_us);
	}
}

void endpoint_set_oob_inline(int fd)
{
	const int on = 1;
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
}

void endpoint_set_options(const struct endpoint *e)
{
	const int fd = e->in_socket ? e->in : e->out, on = 1;
	const int idle_s = ENDPOINT_KEEPALIVE_S, probes = 2;
	endpoint_set_oob_inline(fd);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &idle_s, sizeof idle_s);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

void endpoint_set_rate(const struct endpoint *e, uint64_t rate)
{
	/* A quarter of a second: bytes in the kernel's queue count as delivered, and the idle
	 * timeout must not expire while the kernel sends a long queue slowly. */
	const int unsent_max = rate / 4 < UNSENT_MAX ? (int)(rate / 4) : UNSENT_MAX;

	if (rate == 0)
		return;
	setsockopt(e->out, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof rate);
	setsockopt(e->out, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_max, sizeof unsent_max);
	if (unsent_max < SEND_BUFFER_MAX)
		setsockopt(e->out, SOL_SOCKET, SO_SNDBUF, &unsent_max, sizeof unsent_max);
}
