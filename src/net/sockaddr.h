/* SPDX-License-Identifier: ISC */
/* Between the kernel's form of an address and ours. Knows: struct sockaddr_in and _in6. */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "wire/addr.h"

union sockaddr_any {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage room; /* for what the kernel writes, whatever the family */
};

/* ADDR_NONE for any family but these two. */
struct addr sockaddr_read(const union sockaddr_any *from);

/* Fills *ret_to from an IPv4 or IPv6 address; its length, or 0 for a name or nothing. */
socklen_t sockaddr_write(union sockaddr_any *ret_to, const struct addr *from);

/* Whether a connection to the address stays on this host. */
bool sockaddr_is_own(const struct addr *a);

/* Whether it is the broadcast address of a network next to this host. The kernel lets a socket have
 * it, and sends from another. */
bool sockaddr_is_broadcast(const struct addr *a);

/* The address of this end, or of the other one. ADDR_NONE when it has none. */
struct addr sockaddr_local(int fd);
struct addr sockaddr_remote(int fd);
