/* SPDX-License-Identifier: ISC */
/* One side of the relay, the client or the upstream: moving bytes and ending the connection, for
 * sockets, pipes and files. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes. Compared with 64 KB, 256 KB saves a sixth of the CPU time of bulk transfers (tests/bench).
 * A page of it costs memory only after bytes were read into it. */
#define BUFFER_CAP 262144

/* bytes[start] to bytes[end - 1] were read and are not used yet. */
struct buffer {
	size_t start, end;
	uint8_t bytes[BUFFER_CAP];
};

/* The descriptors stay open until the process exits. */
struct endpoint {
	int in;  /* to read from */
	int out; /* to write to; the same socket, or another file */
	/* Sockets are used with MSG_DONTWAIT. A pipe or a file must be polled first: O_NONBLOCK
	 * would also hold for other processes that have it open. */
	bool in_socket, out_socket;
	int error; /* 0, or the errno of the first failure, after which nothing can be written */
	/* The other side has closed the connection without an error and reads no more. AF_UNIX
	 * reports this, TCP does not. */
	bool write_closed;
};

/* Reads available bytes to the end of the buffer, without blocking. Returns their number; 0 at the
 * end of the stream; -EAGAIN if there are none or the buffer is full; or another -errno, which is
 * also stored in e->error. */
int endpoint_read(struct endpoint *e, struct buffer *to);

/* Writes bytes from the buffer, without blocking, and removes them from it. Returns their number;
 * -EAGAIN if none could be written; or another -errno, which is also stored in e->error. */
int endpoint_write(struct endpoint *e, struct buffer *from);

/* Waits until bytes arrive, then calls endpoint_read(). Also returns -ETIMEDOUT and -ECANCELED as
 * wait_poll() does; e->error is then unchanged. */
int endpoint_read_by(struct endpoint *e, struct buffer *to, int64_t deadline_us);

/* Writes all len bytes before deadline_us. Returns 0, or -errno as endpoint_read_by() does. */
int endpoint_send_by(struct endpoint *e, const void *bytes, size_t len, int64_t deadline_us);

/* Returns true if the errno reports a lack of resources on this host (descriptors, memory), not an
 * error of the other side or of the network. */
bool endpoint_error_is_local(int error);

/* Sets e->error or e->write_closed after poll(2) has reported POLLERR, POLLHUP or POLLNVAL for
 * e->out. */
void endpoint_check_hangup(struct endpoint *e);

/* Ends the direction to the endpoint: FIN, or end of file on a pipe. The other direction stays
 * open.
 */
void endpoint_shutdown(struct endpoint *e);

/* Aborts the connection (RST if it is TCP), so that the other side does not take the stream for
 * complete. */
void endpoint_reset(struct endpoint *e);

/* Waits until the other side has acknowledged all bytes, the connection has failed, or deadline_us
 * has passed. A reset that follows then discards no data. */
void endpoint_flush(struct endpoint *e, int64_t deadline_us);

/* Ends the direction to the endpoint after the last message. Then reads and discards input until
 * the other side closes, for at most ENDPOINT_LINGER_US microseconds and ENDPOINT_LINGER_MAX bytes:
 * if input is unread at exit, the kernel sends a RST, which can discard the last message. Nothing
 * is read from a pipe, which has no reset. */
#define ENDPOINT_LINGER_US  INT64_C(2000000)
#define ENDPOINT_LINGER_MAX ((size_t)16 * 1024 * 1024)
void endpoint_linger(struct endpoint *e, struct buffer *scratch);

/* Makes urgent data part of the stream (SO_OOBINLINE), so that no byte is lost. Call it before the
 * first read. */
void endpoint_set_oob_inline(int fd);

/* Sets the TCP options for the relay: TCP_NODELAY, urgent data in line, and keepalive. A host that
 * stopped responding is noticed after three times ENDPOINT_KEEPALIVE_S seconds, or, if data is
 * unacknowledged, after the retransmissions of the kernel (tcp_retries2, about 15 minutes). Other
 * sockets reject the options, which does no harm. TCP_USER_TIMEOUT is not set: it would also end
 * connections whose other side acknowledges probes but does not read; "timeout idle" limits those.
 */
#define ENDPOINT_KEEPALIVE_S 60
void endpoint_set_options(const struct endpoint *e);

/* Limits the rate at which the kernel sends to the endpoint, in bytes per second, by pacing packets
 * (SO_MAX_PACING_RATE). 0 sets no limit. Only TCP supports it. */
void endpoint_set_rate(const struct endpoint *e, uint64_t rate);
