/* SPDX-License-Identifier: ISC */
/* UDP: sockets, and many datagrams a system call.
 * Knows: recvmmsg(2), sendmmsg(2). Does not know: what is in a datagram, or who may send one. */
#pragma once

#include <stdbool.h>

#include "net/dial.h"
#include "net/sockaddr.h"

/* Messages that one call takes. */
#define UDP_BATCH_MAX 32

/* Datagrams that the kernel may give as one message: from one address, of one length but for the
 * last. On loopback they are as many as the sender's kernel takes for one, 128 since Linux 6.12,
 * from elsewhere 64. */
#define UDP_TRAIN_MAX 128

/* Datagrams that one call takes, and that one may hand over. */
#define UDP_DATAGRAMS_MAX (UDP_BATCH_MAX * UDP_TRAIN_MAX)

/* Bytes of a datagram: what the length in its header has room for (RFC 768). */
#define UDP_DATAGRAM_MAX 65535

/* Bytes free before each message, for a header. */
#define UDP_HEADROOM 32

/* Bytes that the kernel is asked to keep for us, and from us; it gives as much as net.core.rmem_max
 * and wmem_max allow. */
#define UDP_KERNEL_BUFFER (1 << 20)

/* How long a full socket is waited for, all in all, before what is left of a batch is dropped. */
#define UDP_ROOM_US INT64_C(10000)

/* Where one of these begins, the next one's sets of the processor's cache do not: a size that is a
 * power of two would have all of them share a few. */
#define UDP_SPAN (UDP_HEADROOM + UDP_DATAGRAM_MAX + 1 + 64)

/* What has arrived. Its pages are touched as far as datagrams reach. */
struct udp_batch {
	unsigned count;
	struct udp_datagram {
		size_t len;
		bool is_cut; /* it was longer than there is room for */
		uint8_t *bytes;
		uint8_t *room_end; /* of the room for a header; one for all that came as one message
				    */
		const union sockaddr_any *from;
	} datagrams[UDP_DATAGRAMS_MAX];
	union sockaddr_any from[UDP_BATCH_MAX];
	uint8_t room[UDP_BATCH_MAX][UDP_SPAN];
};

/* What is to go out, in this order; the bytes are the caller's. */
struct udp_post {
	unsigned count;
	struct udp_letter {
		union sockaddr_any to;
		socklen_t to_len;
		bool was_sent; /* by udp_send() */
		struct udp_text {
			const uint8_t *header, *bytes;
			size_t header_len, len;
		} text;
	} letters[UDP_DATAGRAMS_MAX];
};

/* What came of it. */
struct udp_sent {
	unsigned sent, oversized, failed; /* datagrams */
	uint64_t sent_bytes;
};

/* A socket on the address that connection fd was made to, at a port of the kernel's choice; on
 * 127.0.0.1 where it is no TCP connection. The descriptor, or -errno; *ret_local is where. */
int udp_open_local(int fd, struct addr *ret_local);

/* A socket for datagrams to addresses of one family; its port it gets with the first of them. The
 * descriptor; -EADDRNOTAVAIL when the source cannot be had; -ENETUNREACH when there is no way to
 * that family, with this source or on this host; another -errno. */
int udp_from(enum addr_kind kind, const struct dial_source *source);

/* Takes what is there, without waiting: how many, also in ret_batch->count; or -errno. */
int udp_receive(int fd, struct udp_batch *ret_batch);

/* Messages that came so fast that the kernel had no room for them, since the socket was made. */
unsigned udp_overflowed(int fd);

/* Adds one, to an IPv4 or IPv6 address, to those that are to go out; there is room for as many as a
 * batch has. */
void udp_write(struct udp_post *post, const union sockaddr_any *to, const struct udp_text *text);

/* Hands all of them to the kernel; afterwards there is none, but for what became of each. One that
 * cannot be sent stops no other. */
struct udp_sent udp_send(int fd, struct udp_post *post);
