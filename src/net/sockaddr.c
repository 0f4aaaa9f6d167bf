/* SPDX-License-Identifier: ISC */
/* Between the kernel's form of an address and ours. Knows: struct sockaddr_in and _in6. */
#include "net/sockaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

struct addr sockaddr_read(const union sockaddr_any *from)
{
	if (from->sa.sa_family == AF_INET)
		return addr_of(ADDR_IPV4, &from->in.sin_addr, 4, ntohs(from->in.sin_port));
	if (from->sa.sa_family != AF_INET6)
		return (struct addr){.kind = ADDR_NONE};
	return addr_of(ADDR_IPV6, &from->in6.sin6_addr, 16, ntohs(from->in6.sin6_port));
}

socklen_t sockaddr_write(union sockaddr_any *ret_to, const struct addr *from)
{
	switch (from->kind) {
	case ADDR_IPV4:
		ret_to->in =
			(struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(from->port)};
		memcpy(&ret_to->in.sin_addr, from->bytes, 4);
		return sizeof ret_to->in;
	case ADDR_IPV6:
		ret_to->in6 = (struct sockaddr_in6){
			.sin6_family = AF_INET6, .sin6_port = htons(from->port)};
		memcpy(&ret_to->in6.sin6_addr, from->bytes, 16);
		return sizeof ret_to->in6;
	case ADDR_NONE:
	case ADDR_NAME:
		break;
	}
	return 0;
}

struct addr sockaddr_local(int fd)
{
	union sockaddr_any any = {.sa.sa_family = AF_UNSPEC};
	socklen_t len = sizeof any;
	getsockname(fd, &any.sa, &len); /* when it fails, any stays AF_UNSPEC */
	return sockaddr_read(&any);
}

struct addr sockaddr_remote(int fd)
{
	union sockaddr_any any = {.sa.sa_family = AF_UNSPEC};
	socklen_t len = sizeof any;
	getpeername(fd, &any.sa, &len);
	return sockaddr_read(&any);
}

/* A socket for looking at ways and addresses: nothing is sent. Or -1. */
static int datagram_socket(const union sockaddr_any *of, socklen_t len)
{
	return len > 0 ? socket(of->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
}

/* Whether the way to an address of one's own begins there, or at loopback. */
static bool begins_there(const struct addr *a)
{
	static const uint8_t loopback_ipv6[16] = {[15] = 1};
	union sockaddr_any any;
	socklen_t len = sockaddr_write(&any, a);
	int fd = datagram_socket(&any, len);
	if (fd < 0)
		return false;
	bool has_way = connect(fd, &any.sa, len) == 0;
	struct addr from = sockaddr_local(fd);
	close(fd);
	if (!has_way || from.kind != a->kind)
		return false;
	return memcmp(from.bytes, a->bytes, a->len) == 0 ||
		(from.kind == ADDR_IPV4 && from.bytes[0] == 127) ||
		(from.kind == ADDR_IPV6 && memcmp(from.bytes, loopback_ipv6, 16) == 0);
}

bool sockaddr_is_broadcast(const struct addr *a)
{
	union sockaddr_any any;
	socklen_t len = sockaddr_write(&any, a);
	int fd = datagram_socket(&any, len);
	if (fd < 0)
		return false;
	bool is_refused =
		connect(fd, &any.sa, len) < 0 && errno == EACCES; /* without SO_BROADCAST */
	close(fd);
	return is_refused;
}

static bool can_bind(const struct addr *a)
{
	union sockaddr_any any;
	struct addr any_port = *a;
	any_port.port = 0;
	socklen_t len = sockaddr_write(&any, &any_port);
	int fd = datagram_socket(&any, len);
	if (fd < 0)
		return false;
	bool can = bind(fd, &any.sa, len) == 0;
	close(fd);
	return can;
}

bool sockaddr_is_own(const struct addr *a)
{
	/* Nobody's, by RFC 1112 s4 and RFC 6666; where they can be bound, everything can
	 * (net.ipv4.ip_nonlocal_bind), and the way has to tell: it does not of a network's second
	 * address. */
	static const uint8_t nobodys_ipv4[4] = {240, 0, 0, 1}, nobodys_ipv6[16] = {1, [15] = 1};
	const struct addr nobodys = a->kind == ADDR_IPV4 ? addr_of(ADDR_IPV4, nobodys_ipv4, 4, 0)
							 : addr_of(ADDR_IPV6, nobodys_ipv6, 16, 0);
	return begins_there(a) || (can_bind(a) && !can_bind(&nobodys));
}
