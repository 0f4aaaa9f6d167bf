/* SPDX-License-Identifier: ISC */
/* One side of the conversation: the client, or the upstream server.
 * Knows: the system calls that move bytes and end a connection, for sockets, pipes and files.
 * Does not know: which side it is, or what the bytes mean. */
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

/* Bytes of a paced connection that may wait in the kernel, however fast it is. */
#define UNSENT_MAX      (1 << 20)
/* Below this the send buffer is made so small: else one send(2) hands over seconds of it, and its
 * first segments are not paced. Above it the kernel's own size is better. */
#define SEND_BUFFER_MAX (1 << 17)

/* What a call that moves bytes answers: its result, -EAGAIN to try later, or the end of the peer.
 */
static int moved(struct endpoint *peer, ssize_t result)
{
	if (result >= 0)
		return (int)result;
	int error = errno;
	if (error == EAGAIN || error == EINTR)
		return -EAGAIN;
	if (!peer->error) /* the first one says why */
		peer->error = error;
	return -error;
}

int endpoint_read(struct endpoint *peer, struct buffer *to)
{
	if (to->start == to->end)
		to->start = to->end = 0;
	void *at = to->bytes + to->end;
	size_t room = sizeof to->bytes - to->end;
	if (room == 0)
		return -EAGAIN;
	int n = moved(peer,
		peer->in_socket ? recv(peer->in, at, room, MSG_DONTWAIT)
				: read(peer->in, at, room));
	if (n > 0)
		to->end += (size_t)n;
	return n;
}

/* Writes what of the bytes can be written now. */
static int put(struct endpoint *peer, const void *bytes, size_t len)
{
	if (peer->out_socket)
		return moved(peer, send(peer->out, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL));
	/* poll(2) promises room for PIPE_BUF bytes in a pipe; more could block. */
	return moved(peer, write(peer->out, bytes, len < PIPE_BUF ? len : PIPE_BUF));
}

int endpoint_write(struct endpoint *peer, struct buffer *from)
{
	int n = put(peer, from->bytes + from->start, from->end - from->start);
	if (n > 0)
		from->start += (size_t)n;
	return n;
}

int endpoint_read_by(struct endpoint *peer, struct buffer *to, int64_t deadline_us)
{
	int n = -EAGAIN;
	while (n == -EAGAIN) {
		n = wait_for(peer->in, POLLIN, deadline_us);
		if (n > 0)
			n = endpoint_read(peer, to);
	}
	return n;
}

int endpoint_send_by(struct endpoint *peer, const void *bytes, size_t len, int64_t deadline_us)
{
	bool ready = peer->out_socket; /* a pipe might block */
	for (const char *at = bytes; len > 0;) {
		int n = ready ? put(peer, at, len) : -EAGAIN;
		if (n > 0) {
			at += n;
			len -= (size_t)n;
			continue;
		}
		if (n == -EAGAIN)
			n = wait_for(peer->out, POLLOUT, deadline_us);
		if (n < 0)
			return n;
		ready = true;
	}
	return 0;
}

bool endpoint_error_is_local(int error)
{
	switch (error) {
	case EAGAIN: /* of fork(2) and connect(2) */
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

void endpoint_check_hangup(struct endpoint *peer)
{
	int error = EPIPE; /* of a pipe without a reader */
	socklen_t len = sizeof error;
	getsockopt(peer->out, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error == 0)
		peer->write_closed = true;
	else if (!peer->error)
		peer->error = error;
}

void endpoint_shutdown(struct endpoint *peer)
{
	if (peer->out_socket) {
		shutdown(peer->out, SHUT_WR); /* close() says nothing while PID 1 has a duplicate */
	} else {
		close(peer->out);
		peer->out = -1;
	}
}

void endpoint_reset(struct endpoint *peer)
{
	/* Its family and no more: so short it can connect to nothing, and the lock lets it be. */
	const sa_family_t unspec = AF_UNSPEC;
	const int fds[] = {peer->in, peer->out};

	/* connect(AF_UNSPEC) sends RST at once, duplicates or not; SO_LINGER and close() would not.
	 * Where there is no TCP, nothing is stronger than an end of both directions. */
	for (size_t i = 0; i < 2; i++)
		if (connect(fds[i], (const struct sockaddr *)&unspec, sizeof unspec) < 0)
			shutdown(fds[i], SHUT_RDWR);
	if (!peer->out_socket)
		endpoint_shutdown(peer);
}

static bool is_closed(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof info;
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
		info.tcpi_state == TCP_CLOSE;
}

void endpoint_flush(struct endpoint *peer, int64_t deadline_us)
{
	int unsent = 0;
	for (int64_t pause_us = 1000; ioctl(peer->out, TIOCOUTQ, &unsent) == 0 && unsent > 0;) {
		int64_t next_us = clock_after(clock_now_us(), pause_us);
		/* Nothing tells when a queue is empty; poll(2) of an ended socket only says so at
		 * once. */
		int ready = wait_for(-1, 0, next_us < deadline_us ? next_us : deadline_us);
		if (ready != -ETIMEDOUT || next_us >= deadline_us || is_closed(peer->out))
			break;
		if (pause_us < 100000)
			pause_us *= 2;
	}
}

void endpoint_linger(struct endpoint *peer, struct buffer *scratch)
{
	int64_t deadline_us = clock_after(clock_now_us(), ENDPOINT_LINGER_US);
	size_t left = ENDPOINT_LINGER_MAX;

	endpoint_shutdown(peer);
	if (!peer->in_socket)
		return;
	for (int n = 1; n > 0 && left > 0; left -= (size_t)n < left ? (size_t)n : left) {
		scratch->start = scratch->end = 0;
		n = endpoint_read_by(peer, scratch, deadline_us);
	}
}

void endpoint_set_oob_inline(int fd)
{
	const int on = 1;
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
}

void endpoint_set_options(const struct endpoint *peer)
{
	const int fd = peer->in_socket ? peer->in : peer->out, on = 1;
	const int idle_s = ENDPOINT_KEEPALIVE_S, probes = 2;
	endpoint_set_oob_inline(fd);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &idle_s, sizeof idle_s);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

void endpoint_set_rate(const struct endpoint *peer, uint64_t rate)
{
	/* About a quarter of a second waits in the kernel: what has been handed over counts as
	 * delivered, and a timer must not see stillness where the kernel takes its time. */
	const int unsent_max = rate / 4 < UNSENT_MAX ? (int)(rate / 4) : UNSENT_MAX;

	if (rate == 0)
		return;
	setsockopt(peer->out, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof rate);
	setsockopt(peer->out, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_max, sizeof unsent_max);
	if (unsent_max < SEND_BUFFER_MAX)
		setsockopt(peer->out, SOL_SOCKET, SO_SNDBUF, &unsent_max, sizeof unsent_max);
}
