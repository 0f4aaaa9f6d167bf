/* SPDX-License-Identifier: ISC */
/* An endpoint of the relay, which is the client or the upstream: moves bytes and ends the
 * connection. The endpoint can be a socket, pipes or files. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a buffer. Bulk transfers need a sixth less CPU time with 256 KB than with 64 KB
 * (tests/bench). A page of a buffer costs memory only after bytes were read into it. */
#define BUFFER_CAP 262144

/* Holds the bytes that were read and not used yet: bytes[start] to bytes[end - 1]. */
struct buffer {
	size_t start, end;
	uint8_t bytes[BUFFER_CAP];
};

/* The descriptors of an endpoint, and its first error. Sockets stay open until the process exits.
 */
struct endpoint {
	int in;  /* to read from */
	int out; /* to write to; the same socket, or another file */
	/* Whether `in` and `out` are sockets. On sockets, calls do not block because of
	 * MSG_DONTWAIT. A pipe or a file is polled first instead: O_NONBLOCK would also affect
	 * other processes that have it open. */
	bool in_socket, out_socket;
	int error; /* 0, or the errno of the first failure; nothing is written after that */
	/* The other side has closed the connection without an error, and does not read any more.
	 * AF_UNIX reports this, TCP does not. */
	bool write_closed;
};

/* Reads the bytes that are available, and appends them to the buffer. Does not block, but a pipe or
 * a file must have been polled. Returns the number of bytes; 0 at the end of the stream; -EAGAIN if
 * no bytes are available or the buffer is full; or another -errno, which is also stored in
 * e->error, unless that is set already. */
int endpoint_read(struct endpoint *e, struct buffer *to);

/* Writes as many bytes of the buffer as possible, to a pipe or a file at most PIPE_BUF, and removes
 * them from it. Does not block, but a pipe or a file must have been polled. Returns the number of
 * bytes; -EAGAIN if none can be written now; or another -errno, which is also stored in e->error,
 * unless that is set already. */
int endpoint_write(struct endpoint *e, struct buffer *from);

/* Waits until bytes arrive, and reads them with endpoint_read(). Returns their number, which is 0
 * at the end of the stream; -ETIMEDOUT if deadline_us has passed; -ECANCELED if a signal that ends
 * the process has arrived (wait_prepare()); -ENOTCONN if a watched connection has ended
 * (wait_watch()); or another -errno. */
int endpoint_read_by(struct endpoint *e, struct buffer *to, int64_t deadline_us);

/* Writes len bytes, and waits until they are written. Returns 0; or a negative value as
 * endpoint_read_by(). On error a part of the bytes may have been written. */
int endpoint_send_by(struct endpoint *e, const void *bytes, size_t len, int64_t deadline_us);

/* Returns true if an errno means that this host lacks resources, such as descriptors or memory.
 * Other values are errors of the other side or of the network. */
bool endpoint_error_is_local(int error);

/* Sets e->error or e->write_closed. Call it if poll(2) has reported POLLERR, POLLHUP or POLLNVAL
 * for e->out. */
void endpoint_check_hangup(struct endpoint *e);

/* Ends the stream to the endpoint: sends FIN on a TCP connection, and closes e->out if it is a pipe
 * or a file. The stream from the endpoint stays open. */
void endpoint_shutdown(struct endpoint *e);

/* Aborts the connection: sends RST if it is TCP. The other side thus learns that the stream is not
 * complete. */
void endpoint_reset(struct endpoint *e);

/* Waits until the other side has acknowledged all bytes that were sent, so that endpoint_reset()
 * discards none of them. Returns earlier if the connection has failed, deadline_us has passed, or a
 * signal that ends the process has arrived. */
void endpoint_flush(struct endpoint *e, int64_t deadline_us);

/* Limits of endpoint_linger(): microseconds, and bytes. */
#define ENDPOINT_LINGER_US  INT64_C(2000000)
#define ENDPOINT_LINGER_MAX ((size_t)16 * 1024 * 1024)

/* Ends the stream to the endpoint after the last message. Then reads and discards input until the
 * other side closes the connection: if some of it were unread when the process exits, the kernel
 * would send a RST, which can discard the last message. Does so for at most ENDPOINT_LINGER_US
 * microseconds and ENDPOINT_LINGER_MAX bytes, and not at all if e->in is not a socket, because only
 * sockets are reset. *scratch is overwritten. */
void endpoint_linger(struct endpoint *e, struct buffer *scratch);

/* Makes urgent data of a socket part of its stream (SO_OOBINLINE), so that no byte is lost. Call it
 * before the first read. */
void endpoint_set_oob_inline(int fd);

/* Seconds without a packet before a keepalive probe, and between two probes. */
#define ENDPOINT_KEEPALIVE_S 60

/* Sets the TCP options for the relay: TCP_NODELAY, SO_OOBINLINE, and keepalive with two probes. If
 * the other host stops responding, the connection fails after three times ENDPOINT_KEEPALIVE_S. If
 * data is unacknowledged, it fails after the kernel's last retransmission (tcp_retries2, about 15
 * minutes). Options that the endpoint does not have, because it is not TCP, are omitted.
 *
 * TCP_USER_TIMEOUT is not set: it would also end a connection whose other side acknowledges probes
 * but does not read. "timeout idle" limits such connections. */
void endpoint_set_options(const struct endpoint *e);

/* Limits the rate at which the kernel sends packets to the endpoint (SO_MAX_PACING_RATE), in bytes
 * per second. 0 sets no limit. If the endpoint is not TCP, this has no effect. */
void endpoint_set_rate(const struct endpoint *e, uint64_t rate);
