/* SPDX-License-Identifier: ISC */
/* One side of the conversation: the client, or the upstream server.
 * Knows: the system calls that move bytes and end a connection, for sockets, pipes and files.
 * Does not know: which side it is, or what the bytes mean. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 256 KB: against 64 KB it saves a sixth of the CPU time of bulk transfers (tests/bench), and a
 * page is taken only when bytes reach it. */
#define BUFFER_CAP 262144

/* Bytes that were read and not yet used: bytes[start] to bytes[end - 1]. */
struct buffer {
	size_t start, end;
	uint8_t bytes[BUFFER_CAP];
};

/* Descriptors are not owned: they end with the process. */
struct endpoint {
	int in;  /* what it sends is read here */
	int out; /* what it is sent is written here; the same socket as in, or another file */
	/* A socket is tried with MSG_DONTWAIT. A pipe or file shares its flags with strangers, so
	 * O_NONBLOCK is never set and it must be polled first. */
	bool in_socket, out_socket;
	int error;         /* 0, or the errno that broke it: nothing can be sent to it any more */
	bool write_closed; /* it has ended in order, but takes nothing more: AF_UNIX tells, TCP does
			      not */
};

/* One read of what is there, into the buffer's free end. The number of bytes; 0 at the end of the
 * stream; -EAGAIN when there is nothing now or no room; another -errno, which peer->error keeps. */
int endpoint_read(struct endpoint *peer, struct buffer *to);

/* One write of what the buffer holds and the peer takes now. The number of bytes, which leave the
 * buffer; -EAGAIN when it takes none now; another -errno, which peer->error keeps. */
int endpoint_write(struct endpoint *peer, struct buffer *from);

/* Waits for bytes until deadline_us, then endpoint_read(). Also -ETIMEDOUT and -ECANCELED of
 * wait_poll(), which break nothing. */
int endpoint_read_by(struct endpoint *peer, struct buffer *to, int64_t deadline_us);

/* Sends all of it by deadline_us: 0, or -errno as above. */
int endpoint_send_by(struct endpoint *peer, const void *bytes, size_t len, int64_t deadline_us);

/* Whether an errno tells of what this host lacks, and nothing of a peer or of the network. */
bool endpoint_error_is_local(int error);

/* poll(2) reported POLLERR, POLLHUP or POLLNVAL for peer->out: sets peer->error or
 * peer->write_closed. */
void endpoint_check_hangup(struct endpoint *peer);

/* Tells the peer that nothing more will come: FIN, or the end of the pipe. It can still send. */
void endpoint_shutdown(struct endpoint *peer);

/* Ends the connection so that the peer cannot take it for a whole one: RST, where it has TCP. */
void endpoint_reset(struct endpoint *peer);

/* Waits until the peer's kernel has acknowledged all that it was sent, or the peer breaks, or the
 * deadline is past: so that a reset takes nothing away. */
void endpoint_flush(struct endpoint *peer, int64_t deadline_us);

/* The last words were sent: ends our direction and reads on for at most ENDPOINT_LINGER_US and
 * ENDPOINT_LINGER_MAX bytes until the peer ends its own. Input left unread would turn the end into
 * a reset, which can overtake the last words. A pipe knows no reset: nothing is read from it. */
#define ENDPOINT_LINGER_US  INT64_C(2000000)
#define ENDPOINT_LINGER_MAX ((size_t)16 * 1024 * 1024)
void endpoint_linger(struct endpoint *peer, struct buffer *scratch);

/* Takes out-of-band data in line, where no byte is lost: before the first read. */
void endpoint_set_oob_inline(int fd);

/* Options for a long life, if it is TCP: no delay; endpoint_set_oob_inline(); a peer that vanished
 * is noticed after ENDPOINT_KEEPALIVE_S three times, or, with data on the way to it, when the
 * kernel has retransmitted that in vain (tcp_retries2, about 15 minutes). Other sockets refuse
 * them, harmlessly. No TCP_USER_TIMEOUT: it also ends a peer that is alive and acknowledges every
 * probe, but has not read for that long. That is timeout idle's to decide. */
#define ENDPOINT_KEEPALIVE_S 60
void endpoint_set_options(const struct endpoint *peer);

/* What is sent to it goes at most at this rate, bytes a second, in packets: the kernel paces TCP.
 * 0: as fast as it goes. Only TCP has it. */
void endpoint_set_rate(const struct endpoint *peer, uint64_t rate);
