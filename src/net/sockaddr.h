/* SPDX-License-Identifier: ISC */
/* Conversion between struct addr and the kernel's struct sockaddr, and questions about addresses
 * that only the kernel can answer. */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "wire/addr.h"

union sockaddr_any {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage storage; /* large enough for every address family */
};

/* Returns the address, or ADDR_NONE if the family is not AF_INET or AF_INET6. */
struct addr sockaddr_read(const union sockaddr_any *from);

/* Sets *ret_to to an IPv4 or IPv6 address. Returns its length, or 0 for ADDR_NAME and ADDR_NONE. */
socklen_t sockaddr_write(union sockaddr_any *ret_to, const struct addr *from);

/* Returns true if a connection to the address would not leave this host. */
bool sockaddr_is_own(const struct addr *a);

/* Returns true for the broadcast address of a directly connected network. The kernel allows a
 * socket to be bound to it, but sends from another address. */
bool sockaddr_is_broadcast(const struct addr *a);

/* Return the local and the remote address of a socket, or ADDR_NONE if it has none. */
struct addr sockaddr_local(int fd);
struct addr sockaddr_remote(int fd);
