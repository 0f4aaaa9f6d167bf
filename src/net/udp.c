/* SPDX-License-Identifier: ISC */
/* UDP: sockets, and many datagrams a system call.
 * Knows: recvmmsg(2), sendmmsg(2). Does not know: what is in a datagram, or who may send one. */
#include "net/udp.h"

#include <errno.h>
#include <linux/udp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/wait.h"
#include "wire/large.h"

/* The family's socket, or -errno. */
static int open_socket(int family)
{
	const int size = UDP_KERNEL_BUFFER;
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	return fd;
}

static int close_with(int fd, int error)
{
	close(fd);
	return error;
}

/* The end of connection fd that is ours, without its port; loopback where there is none. As the kernel says it:
 * a link-local address has its interface. */
static socklen_t end_of(int fd, union sockaddr_any *ret_end)
{
	static const struct addr loopback = {.kind = ADDR_IPV4, .len = 4, .bytes = {127, 0, 0, 1}};
	socklen_t len = sizeof *ret_end;

	ret_end->sa.sa_family = AF_UNSPEC;
	if (getsockname(fd, &ret_end->sa, &len) < 0)
		return sockaddr_write(ret_end, &loopback);
	const struct addr end = sockaddr_read(ret_end), plain = addr_unmapped(&end);
	if (plain.kind == ADDR_NONE)
		return sockaddr_write(ret_end, &loopback);
	if (plain.kind != end.kind)
		len = sockaddr_write(ret_end, &plain);
	if (plain.kind == ADDR_IPV4)
		ret_end->in.sin_port = 0;
	else
		ret_end->in6.sin6_port = 0;
	return len;
}

int udp_beside(int connection, struct addr *ret_local)
{
	union sockaddr_any end;
	socklen_t len = end_of(connection, &end);
	int fd = open_socket(end.sa.sa_family);

	if (fd < 0)
		return fd;
	if (bind(fd, &end.sa, len) < 0)
		return close_with(fd, -errno);
	*ret_local = sockaddr_local(fd);
	return fd;
}

int udp_from(enum addr_kind kind, const struct dial_source *source)
{
	const int on = 1;

	if (!dial_reaches(source, kind))
		return -ENETUNREACH;
	int fd = open_socket(kind == ADDR_IPV4 ? AF_INET : AF_INET6);
	if (fd < 0) /* a kernel without IPv6 */
		return fd == -EAFNOSUPPORT ? -ENETUNREACH : fd;
	/* An IPv4-mapped address is no IPv6 destination, as with TCP. */
	if (kind == ADDR_IPV6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
		return close_with(fd, -errno);
	return dial_from(fd, kind, source) ? fd : close_with(fd, -EADDRNOTAVAIL);
}

int udp_receive(int fd, struct udp_batch *batch)
{
	static struct mmsghdr messages[UDP_BATCH_MAX] LARGE;
	static struct iovec rooms[UDP_BATCH_MAX] LARGE;

	for (unsigned i = 0; i < UDP_BATCH_MAX; i++) {
		rooms[i] = (struct iovec){
			.iov_base = batch->room[i] + UDP_HEADROOM, .iov_len = UDP_DATAGRAM_MAX};
		messages[i].msg_hdr = (struct msghdr){.msg_name = &batch->from[i],
			.msg_namelen = sizeof batch->from[i],
			.msg_iov = &rooms[i],
			.msg_iovlen = 1};
	}
	int n = recvmmsg(fd, messages, UDP_BATCH_MAX, MSG_DONTWAIT, NULL);
	batch->count = n > 0 ? (unsigned)n : 0;
	for (unsigned i = 0; i < batch->count; i++)
		batch->datagrams[i] = (struct udp_datagram){.bytes = rooms[i].iov_base,
			.len = messages[i].msg_len,
			.is_cut = messages[i].msg_hdr.msg_flags & MSG_TRUNC};
	return n < 0 ? -errno : n;
}

void udp_write(
	struct udp_post *post, const union sockaddr_any *to, const uint8_t *bytes, size_t len)
{
	struct udp_letter *letter = &post->letters[post->count++];

	letter->to_len = to->sa.sa_family == AF_INET ? sizeof to->in : sizeof to->in6;
	memcpy(&letter->to, to, letter->to_len);
	letter->bytes = bytes;
	letter->len = len;
}

/* The kernel takes several datagrams as one (UDP_SEGMENT, "GSO"), and parts them as late as it can: to one
 * address, of one length that fits into a packet, but that the last one may be shorter. */
#define SEGMENT_MAX  1452  /* bytes of each: what an Ethernet's 1500 leave with IPv6 */
#define SEGMENTS_MAX 60000 /* bytes together; there are 64 at the most, more than a batch has */

/* Some way, or the kernel, has refused it: not tried again. */
static bool has_no_segments;

/* How many letters from the first-th on can be one message. */
static unsigned group_of(const struct udp_post *post, unsigned first)
{
	const struct udp_letter *head = &post->letters[first];
	size_t together = head->len;
	unsigned n = first + 1;

	if (has_no_segments || head->len == 0 || head->len > SEGMENT_MAX)
		return 1;
	for (; n < post->count && post->letters[n - 1].len == head->len; n++) {
		const struct udp_letter *next = &post->letters[n];
		together += next->len;
		if (next->len == 0 || next->len > head->len || together > SEGMENTS_MAX ||
			next->to_len != head->to_len ||
			memcmp(&next->to, &head->to, head->to_len) != 0)
			break;
	}
	return n - first;
}

/* Room for one UDP_SEGMENT, aligned as the kernel wants it. */
struct segment {
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(uint16_t))];
};

/* Letters that lie one behind the other as a message. */
static void put_message(struct msghdr *m, struct iovec *pieces, struct udp_letter *letters,
	unsigned count, struct segment *segment)
{
	for (unsigned i = 0; i < count; i++)
		pieces[i] = (struct iovec){
			.iov_base = (void *)letters[i].bytes, .iov_len = letters[i].len};
	*m = (struct msghdr){.msg_name = &letters[0].to,
		.msg_namelen = letters[0].to_len,
		.msg_iov = pieces,
		.msg_iovlen = (__typeof__(m->msg_iovlen))count};
	if (count == 1)
		return;
	const uint16_t size = (uint16_t)letters[0].len;
	struct cmsghdr *header = (struct cmsghdr *)segment->room;
	header->cmsg_level = IPPROTO_UDP;
	header->cmsg_type = UDP_SEGMENT;
	header->cmsg_len = CMSG_LEN(sizeof size);
	memcpy(CMSG_DATA(header), &size, sizeof size);
	m->msg_control = segment;
	m->msg_controllen = sizeof segment->room;
}

/* Sends from the first-th on: how many letters, or -errno of the first of them. */
static int send_some(int fd, struct udp_post *post, unsigned first)
{
	static struct mmsghdr messages[UDP_BATCH_MAX] LARGE;
	static struct iovec pieces[UDP_BATCH_MAX] LARGE;
	static struct segment segments[UDP_BATCH_MAX] LARGE;
	unsigned ends[UDP_BATCH_MAX], count = 0;

	for (unsigned at = first; at < post->count; at = ends[count++]) {
		const unsigned n = group_of(post, at);
		put_message(&messages[count].msg_hdr, &pieces[at], &post->letters[at], n,
			&segments[count]);
		ends[count] = at + n;
	}
	/* musl's sendmmsg(3) makes a call for each: its lengths are int where the kernel's are size_t, with padding that has
	 * to be 0, as it is here. */
	long n = syscall(SYS_sendmmsg, fd, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0)
		return (int)(ends[n - 1] - first);
	/* The way takes less than SEGMENT_MAX at a time, or has nobody to part them. */
	if (n < 0 && ends[0] - first > 1 &&
		(errno == EINVAL || errno == EMSGSIZE || errno == EIO)) {
		has_no_segments = true;
		return -EINTR; /* to be sent again, one by one */
	}
	return -errno;
}

struct udp_sent udp_send(int fd, struct udp_post *post)
{
	struct udp_sent result = {0};
	bool has_waited = false;

	for (unsigned at = 0; at < post->count;) {
		int n = fd < 0 ? -ENETUNREACH : send_some(fd, post, at);
		if (n == -EAGAIN && !has_waited) {
			has_waited = true; /* the other direction and the client wait as well */
			wait_for(fd, POLLOUT, clock_after(clock_now_us(), UDP_ROOM_US));
			continue;
		}
		if (n == -EINTR)
			continue;
		for (int i = 0; i < n; i++)
			result.sent_bytes += post->letters[at + (unsigned)i].len;
		if (n > 0)
			result.sent += (unsigned)n;
		else if (n == -EMSGSIZE)
			result.oversized++;
		else
			result.failed++;
		at += n > 0 ? (unsigned)n : 1;
	}
	post->count = 0;
	return result;
}
