/* SPDX-License-Identifier: ISC */
/* UDP sockets, with many datagrams per system call. */
#pragma once

#include <stdbool.h>

#include "net/dial.h"
#include "net/sockaddr.h"

/* Messages per system call. */
#define UDP_BATCH_MAX 32

/* Datagrams that the kernel may combine into one received message (UDP_GRO): from one source and of
 * one length, except the last. Up to 64 from the network; on loopback as many as a sender combines,
 * which is 128 since Linux 6.12. */
#define UDP_GRO_MAX 128

/* Datagrams of one batch. */
#define UDP_DATAGRAMS_MAX (UDP_BATCH_MAX * UDP_GRO_MAX)

/* Bytes of a datagram: the largest length in a UDP header (RFC 768). */
#define UDP_DATAGRAM_MAX 65535

/* Bytes of free space in front of each message, for a SOCKS header. */
#define UDP_HEADER_MAX 32

/* Bytes requested for the kernel's receive and send buffers. The kernel limits them to
 * net.core.rmem_max and net.core.wmem_max. */
#define UDP_KERNEL_BUFFER (1 << 20)

/* How long to wait in total if the socket is full, before the rest of a queue is dropped. */
#define UDP_SEND_WAIT_US INT64_C(10000)

/* Bytes of a message's buffer. Not a power of two, to avoid cache-set conflicts between buffers. */
#define UDP_SPAN (UDP_HEADER_MAX + UDP_DATAGRAM_MAX + 1 + 64)

/* Received datagrams. Only the pages that datagrams were written to cost memory. */
struct udp_batch {
	unsigned count;
	struct udp_datagram {
		size_t len;
		bool is_truncated;
		uint8_t *bytes;
		/* The end of the space for a header, which all datagrams of a message share. */
		uint8_t *header_end;
		const union sockaddr_any *from;
	} datagrams[UDP_DATAGRAMS_MAX];
	union sockaddr_any from[UDP_BATCH_MAX];
	uint8_t buffers[UDP_BATCH_MAX][UDP_SPAN];
};

/* Datagrams to send, in this order. The caller owns the bytes. */
struct udp_queue {
	unsigned count;
	struct udp_outgoing {
		union sockaddr_any to;
		socklen_t to_len;
		bool was_sent; /* set by udp_send() */
		struct udp_payload {
			const uint8_t *header, *bytes;
			size_t header_len, len;
		} payload;
	} datagrams[UDP_DATAGRAMS_MAX];
};

/* Counts of datagrams, and the bytes of those sent. */
struct udp_sent {
	unsigned sent, oversized, failed;
	uint64_t sent_bytes;
};

/* Opens a socket bound to the local address of the TCP connection fd, or to 127.0.0.1 if fd is not
 * TCP, on a port that the kernel chooses. Returns its descriptor and sets *ret_local, or returns
 * -errno. */
int udp_open_local(int fd, struct addr *ret_local);

/* Opens a socket for destinations of one family. The kernel chooses its port with the first
 * datagram. Returns its descriptor; -EADDRNOTAVAIL if *source cannot be used; -ENETUNREACH if the
 * family is not available on this host or with this source; or another -errno. */
int udp_from(enum addr_kind kind, const struct dial_source *source);

/* Receives queued datagrams without blocking. Returns their number, as in ret_batch->count, or
 * -errno. */
int udp_receive(int fd, struct udp_batch *ret_batch);

/* Returns the number of messages that the kernel has dropped since the socket was opened because
 * its receive buffer was full. */
unsigned udp_overflowed(int fd);

/* Appends a datagram for an IPv4 or IPv6 address to the queue. Returns false if the queue is full:
 * it has space for a whole batch. */
bool udp_write(
	struct udp_queue *queue, const union sockaddr_any *to, const struct udp_payload *payload);

/* Sends all datagrams of the queue and sets was_sent of each; the queue is then empty. A failure
 * affects only the datagrams of one message. */
struct udp_sent udp_send(int fd, struct udp_queue *queue);
