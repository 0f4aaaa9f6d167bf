/* SPDX-License-Identifier: ISC */
/* Asks the kernel for the route to an address (rtnetlink(7)). */
#include "net/route.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bytes of the attributes of a question: RTA_DST, RTA_OIF and RTA_MARK. */
#define ATTRIBUTES_MAX (RTA_SPACE(16) + 2 * RTA_SPACE(sizeof(uint32_t)))

struct question {
	struct nlmsghdr header;
	struct rtmsg route;
	_Alignas(struct rtattr) char attributes[ATTRIBUTES_MAX];
};

/* The beginning of an answer. The kernel discards the rest, the attributes. */
struct answer {
	struct nlmsghdr header;
	union {
		struct rtmsg route; /* RTM_NEWROUTE */
		int error;          /* NLMSG_ERROR: -errno */
	};
};

static int fd = -1;

void route_close(void)
{
	if (fd >= 0)
		close(fd);
	fd = -1;
}

static void put_attribute(struct question *q, unsigned short type, const void *value, size_t len)
{
	struct rtattr *a = (struct rtattr *)((char *)q + q->header.nlmsg_len);

	*a = (struct rtattr){.rta_type = type, .rta_len = (unsigned short)RTA_LENGTH(len)};
	memcpy(RTA_DATA(a), value, len);
	q->header.nlmsg_len += RTA_SPACE(len);
}

/* Returns true if connect(2) fails with this error, too, because the kernel has no route: in this
 * order, none, two types of routes that refuse, one that discards, and no IPv6. */
static bool means_no_route(int error)
{
	return error == ENETUNREACH || error == EHOSTUNREACH || error == EACCES ||
		error == EINVAL || error == EOPNOTSUPP;
}

/* Sends a question and receives its answer, which the kernel queues before send(2) returns. Returns
 * the type of the route, or -errno. */
static int ask(const struct question *q)
{
	struct answer answer;

	if (send(fd, q, q->header.nlmsg_len, 0) < 0)
		return -errno;
	const ssize_t n = recv(fd, &answer, sizeof answer, MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	if ((size_t)n < offsetof(struct answer, route) + sizeof answer.error ||
		answer.header.nlmsg_seq != q->header.nlmsg_seq)
		return -EBADMSG;
	if (answer.header.nlmsg_type == NLMSG_ERROR && means_no_route(-answer.error))
		return RTN_UNSPEC;
	if (answer.header.nlmsg_type == NLMSG_ERROR)
		return answer.error < 0 ? answer.error : -EBADMSG;
	if (answer.header.nlmsg_type != RTM_NEWROUTE || (size_t)n < sizeof answer)
		return -EBADMSG;
	/* The kernel also delivers datagrams to an anycast address of this host to itself. */
	return answer.route.rtm_type == RTN_ANYCAST ? RTN_LOCAL : answer.route.rtm_type;
}

/* Adds the device and the mark of *source. Returns false if there are none; a connection then has
 * the route that was asked for already. */
static bool add_source(struct question *q, const struct dial_source *source)
{
	struct ifreq device = {0};

	if (source->mark)
		put_attribute(q, RTA_MARK, &source->mark, sizeof source->mark);
	if (!source->device)
		return source->mark;
	strncpy(device.ifr_name, source->device, sizeof device.ifr_name - 1);
	if (ioctl(fd, SIOCGIFINDEX, &device) < 0)
		return false; /* no connection can be made */
	put_attribute(q, RTA_OIF, &device.ifr_ifindex, sizeof device.ifr_ifindex);
	return true;
}

/* Asks with the source only if the routes of the host leave the address open. */
static int ask_twice(struct question *q, const struct dial_source *source)
{
	const int type = ask(q);

	if (type < 0 || type == RTN_LOCAL || type == RTN_BROADCAST || !add_source(q, source))
		return type;
	q->header.nlmsg_seq++;
	return ask(q);
}

int route_type(const struct addr *to, const struct dial_source *source)
{
	static uint32_t number;
	struct question q = {
		.header = {.nlmsg_len = offsetof(struct question, attributes),
			.nlmsg_type = RTM_GETROUTE,
			.nlmsg_flags = NLM_F_REQUEST,
			.nlmsg_seq = number += 2},
		.route = {.rtm_family = to->kind == ADDR_IPV4 ? AF_INET : AF_INET6,
			.rtm_dst_len = (unsigned char)(8 * to->len)},
	};

	if (fd < 0)
		fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	put_attribute(&q, RTA_DST, to->bytes, to->len);
	const int type = ask_twice(&q, source);
	if (type < 0)
		route_close(); /* the next answer could be that to this question */
	return type;
}
