/* SPDX-License-Identifier: ISC */
/* UDP: sockets, and many datagrams a system call.
 * Knows: recvmmsg(2), sendmmsg(2). Does not know: what is in a datagram, or who may send one. */
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

/* The family's socket, or -errno. */
static int open_socket(int family)
{
	const int size = UDP_KERNEL_BUFFER, on = 1;
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on); /* since Linux 5.0 */
	return fd;
}

static int close_with(int fd, int error)
{
	close(fd);
	return error;
}

/* The end of connection fd that is ours, without its port; loopback where there is none. As the
 * kernel says it: a link-local address has its interface. */
static socklen_t end_of(int fd, union sockaddr_any *ret_end)
{
	socklen_t len = sizeof *ret_end;

	ret_end->sa.sa_family = AF_UNSPEC;
	if (getsockname(fd, &ret_end->sa, &len) < 0)
		return sockaddr_write(ret_end, &addr_loopback);
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
	const struct addr *from = kind == ADDR_IPV4 ? source->ipv4 : source->ipv6;
	if (from && sockaddr_is_broadcast(from))
		return -EADDRNOTAVAIL;
	int fd = open_socket(kind == ADDR_IPV4 ? AF_INET : AF_INET6);
	if (fd < 0) /* a kernel without IPv6 */
		return fd == -EAFNOSUPPORT ? -ENETUNREACH : fd;
	/* An IPv4-mapped address is no IPv6 destination, as with TCP. */
	if (kind == ADDR_IPV6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
		return close_with(fd, -errno);
	return dial_from(fd, kind, source) ? fd : close_with(fd, -EADDRNOTAVAIL);
}

/* The kernel gives several datagrams as one message (UDP_GRO), and tells how long each is. */
struct note {
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))];
};

/* The length of each in a message, or of the one that it is. */
static size_t parted_at(struct msghdr *m, size_t len)
{
	const struct cmsghdr *header = CMSG_FIRSTHDR(m);
	int each;

	if (!header || header->cmsg_level != IPPROTO_UDP || header->cmsg_type != UDP_GRO)
		return len;
	memcpy(&each, CMSG_DATA(header), sizeof each);
	return each > 0 ? (size_t)each : len;
}

/* The datagrams of a message; one that is empty is one, too. */
static void part(struct udp_batch *batch, unsigned message, size_t len, struct msghdr *m)
{
	const size_t each = parted_at(m, len);
	uint8_t *const start = batch->room[message] + UDP_HEADROOM;
	size_t at = 0;

	for (unsigned n = 0; n == 0 || (at < len && n < UDP_TRAIN_MAX); n++) {
		batch->datagrams[batch->count++] = (struct udp_datagram){.bytes = start + at,
			.len = len - at < each ? len - at : each,
			.is_cut = m->msg_flags & MSG_TRUNC,
			.room_end = start,
			.from = &batch->from[message]};
		at += each;
	}
}

int udp_receive(int fd, struct udp_batch *batch)
{
	static struct mmsghdr messages[UDP_BATCH_MAX] LARGE;
	static struct iovec rooms[UDP_BATCH_MAX] LARGE;
	static struct note notes[UDP_BATCH_MAX] LARGE;

	for (unsigned i = 0; i < UDP_BATCH_MAX; i++) {
		rooms[i] = (struct iovec){
			.iov_base = batch->room[i] + UDP_HEADROOM, .iov_len = UDP_DATAGRAM_MAX};
		messages[i].msg_hdr = (struct msghdr){.msg_name = &batch->from[i],
			.msg_namelen = sizeof batch->from[i],
			.msg_iov = &rooms[i],
			.msg_iovlen = 1,
			.msg_control = &notes[i],
			.msg_controllen = sizeof notes[i]};
	}
	int n = recvmmsg(fd, messages, UDP_BATCH_MAX, MSG_DONTWAIT, NULL);
	batch->count = 0;
	for (int i = 0; i < n; i++)
		part(batch, (unsigned)i, messages[i].msg_len, &messages[i].msg_hdr);
	return n < 0 ? -errno : (int)batch->count;
}

unsigned udp_overflowed(int fd)
{
	uint32_t counts[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof counts;

	getsockopt(fd, SOL_SOCKET, SO_MEMINFO, counts, &len); /* since Linux 4.12 */
	return counts[SK_MEMINFO_DROPS];
}

void udp_write(struct udp_post *post, const union sockaddr_any *to, const struct udp_text *text)
{
	struct udp_letter *letter = &post->letters[post->count++];

	letter->to_len = to->sa.sa_family == AF_INET ? sizeof to->in : sizeof to->in6;
	memcpy(&letter->to, to, letter->to_len);
	letter->text = *text;
}

static size_t letter_len(const struct udp_letter *letter)
{
	return letter->text.header_len + letter->text.len;
}

/* The kernel takes several datagrams as one (UDP_SEGMENT, "GSO"), and parts them as late as it can:
 * to one address, of one length that fits into a packet, but that the last one may be shorter. */
#define SEGMENT_MAX  1452  /* bytes of each: what an Ethernet's 1500 leave with IPv6 */
#define SEGMENTS_MAX 60000 /* bytes together */
#define GROUP_MAX    64    /* of them, before Linux 6.12 */

/* How many letters from the first-th on can be one message. */
static unsigned group_of(const struct udp_post *post, unsigned first)
{
	const struct udp_letter *head = &post->letters[first];
	const size_t len = letter_len(head);
	size_t together = len;
	unsigned n = 1;

	if (len == 0 || len > SEGMENT_MAX)
		return 1;
	for (; n < GROUP_MAX && first + n < post->count; n++) {
		const struct udp_letter *next = &post->letters[first + n];
		const size_t next_len = letter_len(next);
		together += next_len;
		if (letter_len(next - 1) != len || next_len == 0 || next_len > len ||
			together > SEGMENTS_MAX || next->to_len != head->to_len ||
			memcmp(&next->to, &head->to, head->to_len) != 0)
			break;
	}
	return n;
}

/* Room for one UDP_SEGMENT, aligned as the kernel wants it. */
struct segment {
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(uint16_t))];
};

/* The headers and data of letters, one behind the other: how many pieces. */
static unsigned put_pieces(struct iovec *pieces, const struct udp_letter *letters, unsigned count)
{
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct udp_text *text = &letters[i].text;
		if (text->header_len > 0)
			pieces[n++] = (struct iovec){
				.iov_base = (void *)text->header, .iov_len = text->header_len};
		pieces[n++] = (struct iovec){.iov_base = (void *)text->bytes, .iov_len = text->len};
	}
	return n;
}

/* Letters that lie one behind the other as a message. */
static void put_message(struct msghdr *m, struct iovec *pieces, struct udp_letter *letters,
	unsigned count, struct segment *segment)
{
	*m = (struct msghdr){.msg_name = &letters[0].to,
		.msg_namelen = letters[0].to_len,
		.msg_iov = pieces,
		.msg_iovlen = (__typeof__(m->msg_iovlen))put_pieces(pieces, letters, count)};
	if (count == 1)
		return;
	const uint16_t size = (uint16_t)letter_len(letters);
	struct cmsghdr *header = (struct cmsghdr *)segment->room;
	header->cmsg_level = IPPROTO_UDP;
	header->cmsg_type = UDP_SEGMENT;
	header->cmsg_len = CMSG_LEN(sizeof size);
	memcpy(CMSG_DATA(header), &size, sizeof size);
	m->msg_control = segment;
	m->msg_controllen = sizeof segment->room;
}

/* Messages, and how many letters each of them is. */
struct sending {
	unsigned count, letters[UDP_BATCH_MAX];
	struct mmsghdr messages[UDP_BATCH_MAX];
};

/* Makes messages of the letters from the first-th on; those before alone_until go one by one. */
static void put_messages(
	struct sending *s, struct udp_post *post, unsigned first, unsigned alone_until)
{
	static struct iovec pieces[2 * UDP_DATAGRAMS_MAX] LARGE;
	static struct segment segments[UDP_BATCH_MAX] LARGE;

	s->count = 0;
	for (unsigned at = first; at < post->count && s->count < UDP_BATCH_MAX;) {
		const unsigned n = at < alone_until ? 1 : group_of(post, at);
		put_message(&s->messages[s->count].msg_hdr, &pieces[2 * (size_t)at],
			&post->letters[at], n, &segments[s->count]);
		s->letters[s->count++] = n;
		at += n;
	}
}

/* Hands over the messages from the first-th on: how many, or -errno of the first of them. */
static int send_some(int fd, struct sending *s, unsigned first)
{
	/* musl's sendmmsg(3) makes a call for each: its lengths are int where the kernel's are
	 * size_t, with padding that has to be 0, as it is here. */
	long n = syscall(SYS_sendmmsg, fd, s->messages + first, s->count - first,
		MSG_DONTWAIT | MSG_NOSIGNAL);

	return n < 0 ? -errno : (int)n;
}

/* Whether there is room after all; only so long is waited for it, all in all. */
static bool wait_for_room(int fd, int64_t *give_up_us)
{
	if (*give_up_us == 0)
		*give_up_us = clock_after(clock_now_us(), UDP_ROOM_US);
	if (clock_now_us() < *give_up_us && wait_for(fd, POLLOUT, *give_up_us) > 0)
		return true;
	*give_up_us = 1; /* the other direction and the client wait as well */
	return false;
}

/* What became of letters that were one message, by send_some(). */
static void note(struct udp_sent *result, struct udp_letter *letters, unsigned count, int n)
{
	for (unsigned i = 0; i < count; i++) {
		letters[i].was_sent = n > 0;
		result->sent_bytes += n > 0 ? letter_len(&letters[i]) : 0;
	}
	*(n > 0 ? &result->sent : n == -EMSGSIZE ? &result->oversized : &result->failed) += count;
}

struct udp_sent udp_send(int fd, struct udp_post *post)
{
	static struct sending s LARGE;
	struct udp_sent result = {0};
	int64_t give_up_us = 0;
	unsigned at = 0, alone_until = 0;

	while (at < post->count) {
		put_messages(&s, post, at, alone_until);
		for (unsigned i = 0; i < s.count;) {
			int n = fd < 0 ? -ENETUNREACH : send_some(fd, &s, i);
			if (n == -EINTR || (n == -EAGAIN && wait_for_room(fd, &give_up_us)))
				continue;
			/* The way takes less at a time, or has nobody to part them. */
			if (s.letters[i] > 1 && (n == -EINVAL || n == -EMSGSIZE || n == -EIO)) {
				alone_until = at + s.letters[i];
				break;
			}
			for (unsigned end = i + (n > 0 ? (unsigned)n : 1); i < end; i++) {
				note(&result, &post->letters[at], s.letters[i], n);
				at += s.letters[i];
			}
		}
	}
	post->count = 0;
	return result;
}
