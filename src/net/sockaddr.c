/* SPDX-License-Identifier: ISC */
/* Converts between struct addr and the kernel's struct sockaddr, and asks the kernel about
 * addresses. */
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
	if (from->kind == ADDR_IPV4) {
		ret_to->in =
			(struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(from->port)};
		memcpy(&ret_to->in.sin_addr, from->bytes, 4);
		return sizeof ret_to->in;
	}
	if (from->kind != ADDR_IPV6)
		return 0;
	ret_to->in6 =
		(struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(from->port)};
	memcpy(&ret_to->in6.sin6_addr, from->bytes, 16);
	return sizeof ret_to->in6;
}

struct addr sockaddr_local(int fd)
{
	union sockaddr_any any = {.sa.sa_family = AF_UNSPEC};
	socklen_t len = sizeof any;
	getsockname(fd, &any.sa, &len); /* if it fails, any stays AF_UNSPEC */
	return sockaddr_read(&any);
}

struct addr sockaddr_remote(int fd)
{
	union sockaddr_any any = {.sa.sa_family = AF_UNSPEC};
	socklen_t len = sizeof any;
	getpeername(fd, &any.sa, &len);
	return sockaddr_read(&any);
}

/* Returns a UDP socket for questions about routes and addresses, or -1. Nothing is sent on it. */
static int probe_socket(const union sockaddr_any *of, socklen_t len)
{
	return len > 0 ? socket(of->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
}

/* Returns true if the route to the address has the address itself or a loopback address as its
 * source: this is so for addresses of this host. */
static bool is_route_source(const struct addr *a)
{
	union sockaddr_any any;
	socklen_t len = sockaddr_write(&any, a);
	int fd = probe_socket(&any, len);
	if (fd < 0)
		return false;
	bool has_route = connect(fd, &any.sa, len) == 0;
	struct addr from = sockaddr_local(fd);
	close(fd);
	if (!has_route || from.kind != a->kind)
		return false;
	return memcmp(from.bytes, a->bytes, a->len) == 0 ||
		(from.kind == ADDR_IPV4 && from.bytes[0] == 127) ||
		addr_is_same_host(&from, &addr_loopback_ipv6);
}

bool sockaddr_is_broadcast(const struct addr *a)
{
	union sockaddr_any any;
	socklen_t len = sockaddr_write(&any, a);
	int fd = probe_socket(&any, len);
	if (fd < 0)
		return false;
	/* The kernel refuses it because SO_BROADCAST is not set. */
	bool is_refused = connect(fd, &any.sa, len) < 0 && errno == EACCES;
	close(fd);
	return is_refused;
}

static bool can_bind(const struct addr *a)
{
	union sockaddr_any any;
	struct addr any_port = *a;
	any_port.port = 0;
	socklen_t len = sockaddr_write(&any, &any_port);
	int fd = probe_socket(&any, len);
	if (fd < 0)
		return false;
	bool can = bind(fd, &any.sa, len) == 0;
	close(fd);
	return can;
}

bool sockaddr_is_own(const struct addr *a)
{
	/* No host has these addresses (RFC 1112 s4, RFC 6666). If they can be bound, any address
	 * can (net.ipv4.ip_nonlocal_bind), and bind(2) proves nothing. The route alone is not
	 * enough either: it does not have a second address of an interface as its source. */
	static const uint8_t reserved_ipv4[4] = {240, 0, 0, 1}, discard_ipv6[16] = {1, [15] = 1};
	const struct addr foreign = a->kind == ADDR_IPV4 ? addr_of(ADDR_IPV4, reserved_ipv4, 4, 0)
							 : addr_of(ADDR_IPV6, discard_ipv6, 16, 0);
	return is_route_source(a) || (can_bind(a) && !can_bind(&foreign));
}
