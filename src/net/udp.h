/* SPDX-License-Identifier: ISC */
/* UDP sockets that receive and send many datagrams per system call. A message, which is one element
 * for recvmmsg(2) or sendmmsg(2), can consist of several datagrams (UDP_GRO, UDP_SEGMENT). */
#pragma once

#include <stdbool.h>

#include "net/dial.h"
#include "net/sockaddr.h"

/* Upper limit of the messages per system call. */
#define UDP_BATCH_MAX 32

/* Upper limit of the datagrams that the kernel combines into one received message (UDP_GRO). They
 * have one source and, except for the last, one length. From the network there are up to 64. On
 * loopback there are as many as the sender has combined: up to 128 since Linux 6.12. */
#define UDP_GRO_MAX 128

/* Upper limit of the datagrams that one system call receives. */
#define UDP_DATAGRAMS_MAX (UDP_BATCH_MAX * UDP_GRO_MAX)

/* Upper limit of the bytes of a datagram: the largest length in a UDP header (RFC 768). */
#define UDP_DATAGRAM_MAX 65535

/* Bytes of free space in front of each received message, for a SOCKS header (RFC 1928 s7). */
#define UDP_HEADER_MAX 32

/* Bytes that are requested for the kernel's receive buffer and send buffer of a socket. The kernel
 * limits them to net.core.rmem_max and net.core.wmem_max. */
#define UDP_KERNEL_BUFFER (1 << 20)

/* How long one call of udp_send() waits in total while the socket's send buffer is full. */
#define UDP_SEND_WAIT_US INT64_C(10000)

/* Bytes of the buffer for a received message. The number is not a power of two, to avoid cache-set
 * conflicts between buffers. */
#define UDP_SPAN (UDP_HEADER_MAX + UDP_DATAGRAM_MAX + 1 + 64)

/* The datagrams that one system call has received. Only pages into which bytes were received cost
 * memory. */
struct udp_batch {
	unsigned count; /* of datagrams */
	struct udp_datagram {
		size_t len;
		bool is_truncated; /* the end of the message did not fit into its buffer */
		uint8_t *bytes;
		/* The end of UDP_HEADER_MAX free bytes, in which a header can be written. All
		 * datagrams of a message share them. */
		uint8_t *header_end;
		const union sockaddr_any *from; /* the source address */
	} datagrams[UDP_DATAGRAMS_MAX];
	union sockaddr_any from[UDP_BATCH_MAX];   /* private: the source of each message */
	uint8_t buffers[UDP_BATCH_MAX][UDP_SPAN]; /* private: the bytes of each message */
};

/* Datagrams that are to be sent, in this order. */
struct udp_queue {
	unsigned count;
	struct udp_outgoing {
		union sockaddr_any to; /* the destination */
		socklen_t to_len;
		bool was_sent; /* set by udp_send() */
		/* A header, unless header_len is 0, and data behind it. The caller must keep both
		 * until udp_send() has returned. */
		struct udp_payload {
			const uint8_t *header, *bytes;
			size_t header_len, len;
		} payload;
	} datagrams[UDP_DATAGRAMS_MAX];
};

/* The result of udp_send(): numbers of datagrams, and bytes. */
struct udp_sent {
	unsigned sent;
	unsigned oversized;  /* too long for a datagram (EMSGSIZE) */
	unsigned failed;     /* not sent for another reason */
	uint64_t sent_bytes; /* of the sent datagrams, with the headers in their payload */
};

/* Opens a UDP socket. It is bound to the local address of the TCP connection fd, or to 127.0.0.1 if
 * fd is not TCP, and to a port that the kernel chooses. Returns a non-blocking descriptor that the
 * caller owns, and sets *ret_local to its address and port. On error returns -errno. */
int udp_open_local(int fd, struct addr *ret_local);

/* Opens a UDP socket for destinations of one family, ADDR_IPV4 or ADDR_IPV6. The kernel chooses its
 * port when the first datagram is sent. Returns a non-blocking descriptor that the caller owns;
 * -EADDRNOTAVAIL if *source cannot be used; -ENETUNREACH if the kernel does not have the family, or
 * if *source has an address for the other family only; or another -errno. */
int udp_from(enum addr_kind kind, const struct dial_source *source);

/* Receives datagrams that have arrived, without blocking. Returns their number, which is also
 * ret_batch->count; or -errno, -EAGAIN if there are none, and sets ret_batch->count to 0. The
 * datagrams are valid until the next call with the same batch. */
int udp_receive(int fd, struct udp_batch *ret_batch);

/* Returns the number of received messages that the kernel has dropped, since the socket was opened,
 * because its receive buffer was full. Returns 0 if fd is -1. */
unsigned udp_overflowed(int fd);

/* Appends a datagram to the queue. The destination is an IPv4 or IPv6 address. Does not copy the
 * bytes of the payload. Returns false if the queue already has UDP_DATAGRAMS_MAX datagrams, which
 * is as many as a batch can have. */
bool udp_write(
	struct udp_queue *queue, const union sockaddr_any *to, const struct udp_payload *payload);

/* Tries to send each datagram of the queue, and sets its was_sent. Waits at most UDP_SEND_WAIT_US
 * in total. If a message cannot be sent, its datagrams are dropped, and the next message is tried.
 * Afterwards queue->count is 0, but datagrams[] still has the values. If fd is -1, all datagrams
 * fail. */
struct udp_sent udp_send(int fd, struct udp_queue *queue);
