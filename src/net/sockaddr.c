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

bool sockaddr_is_broadcast(const struct addr *a)
{
	union sockaddr_any any;
	const socklen_t len = sockaddr_write(&any, a);
	const int fd = len > 0 ? socket(any.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
	if (fd < 0)
		return false;
	/* The kernel refuses it because SO_BROADCAST is not set. Nothing is sent. */
	const bool is_refused = connect(fd, &any.sa, len) < 0 && errno == EACCES;
	close(fd);
	return is_refused;
}
