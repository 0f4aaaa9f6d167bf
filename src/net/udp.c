/* SPDX-License-Identifier: ISC */
/* UDP sockets that receive and send many datagrams per system call. A message, which is one element
 * for recvmmsg(2) or sendmmsg(2), can consist of several datagrams (UDP_GRO, UDP_SEGMENT). */
#include "net/udp.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <linux/udp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/wait.h"
#include "wire/large.h"

static void set_options(int fd)
{
	const int size = UDP_KERNEL_BUFFER, on = 1;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on); /* since Linux 5.0 */
}

/* Sets *ret_end to the local address of connection fd, with port 0, or to 127.0.0.1 if it has none.
 * Returns its length. A link-local address keeps its interface (sin6_scope_id). */
static socklen_t local_address_of(int fd, union sockaddr_any *ret_end)
{
	socklen_t len = sizeof *ret_end;

	ret_end->sa.sa_family = AF_UNSPEC;
	getsockname(fd, &ret_end->sa, &len); /* if it fails, *ret_end stays AF_UNSPEC */
	const struct addr end = sockaddr_read(ret_end), plain = addr_unmapped(&end);
	if (plain.kind == ADDR_NONE)
		return sockaddr_write(ret_end, &addr_loopback);
	if (plain.kind != end.kind)
		len = sockaddr_write(ret_end, &plain);
	if (plain.kind == ADDR_IPV4)
		ret_end->in.sin_port = 0;
	else
		ret_end->in6.sin6_port = 0;
	return len;
}

int udp_open_local(int connection, struct addr *ret_local)
{
	union sockaddr_any end;
	socklen_t len = local_address_of(connection, &end);
	int fd = socket(end.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	set_options(fd);
	if (bind(fd, &end.sa, len) < 0) {
		int error = errno;
		close(fd);
		return -error;
	}
	*ret_local = sockaddr_local(fd);
	return fd;
}

int udp_from(enum addr_kind kind, const struct dial_source *source)
{
	const struct addr *from = kind == ADDR_IPV4 ? source->ipv4 : source->ipv6;

	if (from && sockaddr_is_broadcast(from))
		return -EADDRNOTAVAIL;
	int fd = dial_socket(kind, SOCK_DGRAM, 0, source);
	if (fd >= 0)
		set_options(fd);
	return fd;
}

/* Space for the control message UDP_GRO or UDP_SEGMENT: the length of each datagram in a coalesced
 * message. It has the alignment that the kernel requires. */
struct control {
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))];
};

/* Returns the length of each datagram in a message; len if the message is one datagram. */
static size_t segment_size(struct msghdr *m, size_t len)
{
	const struct cmsghdr *header = CMSG_FIRSTHDR(m);
	int each;

	if (!header || header->cmsg_level != IPPROTO_UDP || header->cmsg_type != UDP_GRO)
		return len;
	memcpy(&each, CMSG_DATA(header), sizeof each);
	return each > 0 ? (size_t)each : len;
}

/* Adds the datagrams of a message to the batch. An empty message is one empty datagram. */
static void split_message(struct udp_batch *batch, unsigned message, size_t len, struct msghdr *m)
{
	const size_t each = segment_size(m, len);
	uint8_t *const start = batch->buffers[message] + UDP_HEADER_MAX;
	size_t at = 0;

	for (unsigned n = 0; n == 0 || (at < len && n < UDP_GRO_MAX); n++) {
		batch->datagrams[batch->count++] = (struct udp_datagram){.bytes = start + at,
			.len = len - at < each ? len - at : each,
			.is_truncated = m->msg_flags & MSG_TRUNC,
			.header_end = start,
			.from = &batch->from[message]};
		at += each;
	}
}

int udp_receive(int fd, struct udp_batch *batch)
{
	static struct mmsghdr messages[UDP_BATCH_MAX] LARGE;
	static struct iovec vectors[UDP_BATCH_MAX] LARGE;
	static struct control controls[UDP_BATCH_MAX] LARGE;

	for (unsigned i = 0; i < UDP_BATCH_MAX; i++) {
		vectors[i] = (struct iovec){.iov_base = batch->buffers[i] + UDP_HEADER_MAX,
			.iov_len = UDP_DATAGRAM_MAX};
		messages[i].msg_hdr = (struct msghdr){.msg_name = &batch->from[i],
			.msg_namelen = sizeof batch->from[i],
			.msg_iov = &vectors[i],
			.msg_iovlen = 1,
			.msg_control = &controls[i],
			.msg_controllen = sizeof controls[i]};
	}
	int n = recvmmsg(fd, messages, UDP_BATCH_MAX, MSG_DONTWAIT, NULL);
	batch->count = 0;
	for (int i = 0; i < n; i++)
		split_message(batch, (unsigned)i, messages[i].msg_len, &messages[i].msg_hdr);
	return n < 0 ? -errno : (int)batch->count;
}

unsigned udp_overflowed(int fd)
{
	uint32_t counts[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof counts;

	getsockopt(fd, SOL_SOCKET, SO_MEMINFO, counts, &len); /* since Linux 4.12 */
	return counts[SK_MEMINFO_DROPS];
}

bool udp_write(
	struct udp_queue *queue, const union sockaddr_any *to, const struct udp_payload *payload)
{
	if (queue->count == UDP_DATAGRAMS_MAX)
		return false;
	struct udp_outgoing *datagram = &queue->datagrams[queue->count++];
	datagram->to_len = to->sa.sa_family == AF_INET ? sizeof to->in : sizeof to->in6;
	memcpy(&datagram->to, to, datagram->to_len);
	datagram->payload = *payload;
	return true;
}

static size_t outgoing_len(const struct udp_outgoing *datagram)
{
	return datagram->payload.header_len + datagram->payload.len;
}

/* GSO (UDP_SEGMENT): the kernel accepts several datagrams as one message and splits it late. All
 * have one destination and one length that fits into a packet; only the last may be shorter. */

/* Bytes of a datagram: Ethernet's 1500 less the headers of IPv6 and UDP. */
#define SEGMENT_MAX  1452
#define SEGMENTS_MAX 60000 /* bytes of all datagrams of a message */
#define GROUP_MAX    64    /* datagrams of a message: UDP_MAX_SEGMENTS before Linux 6.12 */

/* Returns how many datagrams, from index first on, can be one message. */
static unsigned gso_count(const struct udp_queue *queue, unsigned first)
{
	const struct udp_outgoing *head = &queue->datagrams[first];
	const size_t len = outgoing_len(head);
	size_t together = len;
	unsigned n = 1;

	if (len == 0 || len > SEGMENT_MAX)
		return 1;
	for (; n < GROUP_MAX && first + n < queue->count; n++) {
		const struct udp_outgoing *next = &queue->datagrams[first + n];
		const size_t next_len = outgoing_len(next);
		together += next_len;
		if (outgoing_len(next - 1) != len || next_len == 0 || next_len > len ||
			together > SEGMENTS_MAX || next->to_len != head->to_len ||
			memcmp(&next->to, &head->to, head->to_len) != 0)
			break;
	}
	return n;
}

/* Fills the vector with the headers and data of the datagrams. Returns the number of its elements.
 */
static unsigned fill_vector(
	struct iovec *vector, const struct udp_outgoing *datagrams, unsigned count)
{
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct udp_payload *payload = &datagrams[i].payload;
		if (payload->header_len > 0)
			vector[n++] = (struct iovec){.iov_base = (void *)payload->header,
				.iov_len = payload->header_len};
		vector[n++] =
			(struct iovec){.iov_base = (void *)payload->bytes, .iov_len = payload->len};
	}
	return n;
}

/* Makes one message of consecutive datagrams. */
static void fill_message(struct msghdr *m, struct iovec *vector, struct udp_outgoing *datagrams,
	unsigned count, struct control *segment)
{
	*m = (struct msghdr){.msg_name = &datagrams[0].to,
		.msg_namelen = datagrams[0].to_len,
		.msg_iov = vector,
		.msg_iovlen = (__typeof__(m->msg_iovlen))fill_vector(vector, datagrams, count)};
	if (count == 1)
		return;
	const uint16_t size = (uint16_t)outgoing_len(datagrams);
	struct cmsghdr *header = (struct cmsghdr *)segment->room;
	header->cmsg_level = IPPROTO_UDP;
	header->cmsg_type = UDP_SEGMENT;
	header->cmsg_len = CMSG_LEN(sizeof size);
	memcpy(CMSG_DATA(header), &size, sizeof size);
	m->msg_control = segment;
	m->msg_controllen = CMSG_SPACE(sizeof size);
}

/* Messages, and the number of datagrams in each. */
struct sending {
	unsigned count, counts[UDP_BATCH_MAX];
	struct mmsghdr messages[UDP_BATCH_MAX];
};

/* Makes messages of the datagrams from index first on. Those below index single_until are not
 * combined. */
static void fill_messages(
	struct sending *s, struct udp_queue *queue, unsigned first, unsigned single_until)
{
	static struct iovec vector[2 * UDP_DATAGRAMS_MAX] LARGE;
	static struct control segments[UDP_BATCH_MAX] LARGE;

	s->count = 0;
	for (unsigned at = first; at < queue->count && s->count < UDP_BATCH_MAX;) {
		const unsigned n = at < single_until ? 1 : gso_count(queue, at);
		fill_message(&s->messages[s->count].msg_hdr, &vector[2 * (size_t)at],
			&queue->datagrams[at], n, &segments[s->count]);
		s->counts[s->count++] = n;
		at += n;
	}
}

/* Sends the messages from index first on. Returns how many were sent, or -errno of the first. */
static int send_some(int fd, struct sending *s, unsigned first)
{
	/* Not sendmmsg(3): musl's makes a system call for each message, because its lengths are int
	 * and the kernel's are size_t. The padding must be 0, as it is here. */
	long n = syscall(SYS_sendmmsg, fd, s->messages + first, s->count - first,
		MSG_DONTWAIT | MSG_NOSIGNAL);

	return n < 0 ? -errno : (int)n;
}

/* Waits until the socket has room, at most UDP_SEND_WAIT_US for the whole queue. *deadline_us is 0
 * before the first wait. Returns false if there is no room. */
static bool wait_for_room(int fd, int64_t *deadline_us)
{
	if (*deadline_us == 0)
		*deadline_us = clock_after(clock_now_us(), UDP_SEND_WAIT_US);
	if (clock_now_us() < *deadline_us && wait_for(fd, POLLOUT, *deadline_us) > 0)
		return true;
	*deadline_us = 1; /* do not wait again: the other direction waits, too */
	return false;
}

/* Counts the datagrams of one message by the result n of send_some(). */
static void count_sent(
	struct udp_sent *result, struct udp_outgoing *datagrams, unsigned count, int n)
{
	for (unsigned i = 0; i < count; i++) {
		datagrams[i].was_sent = n > 0;
		result->sent_bytes += n > 0 ? outgoing_len(&datagrams[i]) : 0;
	}
	*(n > 0 ? &result->sent : n == -EMSGSIZE ? &result->oversized : &result->failed) += count;
}

struct udp_sent udp_send(int fd, struct udp_queue *queue)
{
	static struct sending s LARGE;
	struct udp_sent result = {0};
	int64_t deadline_us = 0;
	unsigned at = 0, single_until = 0;

	while (at < queue->count) {
		fill_messages(&s, queue, at, single_until);
		for (unsigned i = 0; i < s.count;) {
			int n = fd < 0 ? -ENETUNREACH : send_some(fd, &s, i);
			if (n == -EINTR || (n == -EAGAIN && wait_for_room(fd, &deadline_us)))
				continue;
			/* The path has a smaller MTU or does not support GSO: send them singly. */
			if (s.counts[i] > 1 && (n == -EINVAL || n == -EMSGSIZE || n == -EIO)) {
				single_until = at + s.counts[i];
				break;
			}
			for (unsigned end = i + (n > 0 ? (unsigned)n : 1); i < end; i++) {
				count_sent(&result, &queue->datagrams[at], s.counts[i], n);
				at += s.counts[i];
			}
		}
	}
	queue->count = 0;
	return result;
}
