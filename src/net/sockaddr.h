/* SPDX-License-Identifier: ISC */
/* Converts between struct addr and the kernel's struct sockaddr, and asks the kernel about
 * addresses. */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "wire/addr.h"

/* The address of a socket of any family. */
union sockaddr_any {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage storage; /* makes the union large enough for every family */
};

/* Returns the address, or ADDR_NONE if the family is not AF_INET or AF_INET6. */
struct addr sockaddr_read(const union sockaddr_any *from);

/* Converts an IPv4 or IPv6 address. Returns the length of the result, for bind(2) or connect(2).
 * Returns 0 for ADDR_NAME and ADDR_NONE; then *ret_to is unchanged. */
socklen_t sockaddr_write(union sockaddr_any *ret_to, const struct addr *from);

/* Returns true if an address is the broadcast address of a network to which this host is connected.
 * The kernel allows bind(2) to such an address, but sends from another address. */
bool sockaddr_is_broadcast(const struct addr *a);

/* Return the local or the remote address of a socket, or ADDR_NONE if it has no IPv4 or IPv6
 * address. */
struct addr sockaddr_local(int fd);
struct addr sockaddr_remote(int fd);
