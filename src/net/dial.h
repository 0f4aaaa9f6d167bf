/* SPDX-License-Identifier: ISC */
/* Connects to whichever of several addresses accepts first (RFC 8305, Happy Eyeballs). */
#pragma once

#include <stdbool.h>

#include "net/resolve.h"

/* The time between the starts of two attempts: the Connection Attempt Delay that RFC 8305 s8
 * recommends. */
#define DIAL_DELAY_US INT64_C(250000)

/* Upper limits of the addresses to which dial() tries to connect: of one family, and of both. If
 * this host does not have a family, many addresses of it cannot hide those of the other. */
#define DIAL_FAMILY_MAX 32
#define DIAL_MAX        64

/* The source of connections and datagrams. All zero: the kernel chooses it. */
struct dial_source {
	/* The source addresses for the two families. If both are NULL, the kernel chooses. If only
	 * one of them is NULL, its family is not used. */
	const struct addr *ipv4, *ipv6;
	const char *device; /* for SO_BINDTODEVICE; NULL: none */
	uint32_t mark;      /* for SO_MARK; 0: none */
	/* The kernel chooses nevertheless, but only among the families that are used. */
	bool is_not_set;
};

/* Opens a non-blocking socket of a family, ADDR_IPV4 or ADDR_IPV6, with the type and protocol of
 * socket(2), and sets its source. An IPv6 socket cannot send to IPv4-mapped addresses
 * (IPV6_V6ONLY), because the access rules treat them as IPv4. Returns a descriptor that the caller
 * owns; -ENETUNREACH if the kernel does not have the family, or if *source has an address for the
 * other family only; -EADDRNOTAVAIL if *source cannot be used; or another -errno. */
int dial_socket(enum addr_kind kind, int type, int protocol, const struct dial_source *source);

/* Sorts count addresses so that the families alternate, as long as both have addresses (RFC 8305
 * s4). The first address stays the first one. The order within a family is unchanged. */
void dial_order(struct addr *addrs, size_t count);

/* The remote and the local address of a connection. */
struct dial_ends {
	struct addr remote, local;
};

/* A lookup that may find more addresses while others are tried (RFC 8305 s3). */
struct dial_lookup {
	struct resolve *resolve; /* may have ended; NULL: there is no lookup */
	/* Called after the lookup has appended addresses, the first of which has the index `first`.
	 * Removes those that must not be tried. */
	void (*permit)(void *context, struct resolve_list *list, size_t first);
	void *context; /* the first argument of permit() */
};

/* Connects to the addresses of the list, which is not empty and was sorted by dial_order(). Tries
 * the first DIAL_MAX of them, and keeps the connection that is established first. Starts the next
 * attempt DIAL_DELAY_US after the previous one, or as soon as one fails. Continues *lookup
 * meanwhile, and adds the addresses that it finds to the list. The caller calls resolve_stop() for
 * it.
 *
 * Returns a non-blocking descriptor that the caller owns, and sets *ret_ends. On error returns
 * -ECANCELED if a signal that ends the process has arrived (wait_prepare()); -ENOTCONN if a watched
 * connection has ended (wait_watch()); -EMFILE or -ENFILE if addresses were not tried for lack of
 * descriptors; or the -errno of the attempt that got furthest.
 * From the least far to the furthest, these are for example -EADDRNOTAVAIL (*source cannot be
 * used), -ENETUNREACH, -ETIMEDOUT and -ECONNREFUSED. At deadline_us, the pending attempts fail with
 * -ETIMEDOUT.
 *
 * If the kernel chooses the destination, address and port, as the source, the socket connects to
 * itself (simultaneous open, RFC 9293 s3.5). That is treated as -ECONNREFUSED. */
int dial(struct resolve_list *list, const struct dial_source *source,
	const struct dial_lookup *lookup, int64_t deadline_us, struct dial_ends *ret_ends);

/* Sets *ret_local to the local address, with port 0, that a connection to the address `to` would
 * have. No packet is sent. Returns 0, or -errno; on error *ret_local is unchanged. */
int dial_local_address_for(
	const struct addr *to, const struct dial_source *source, struct addr *ret_local);

/* Sets the source of a new TCP or UDP socket of a family, ADDR_IPV4 or ADDR_IPV6. Returns false if
 * that fails; then a part of *source may be set. */
bool dial_from(int fd, enum addr_kind kind, const struct dial_source *source);

/* Sets *ret_local to the local address, with port 0, that a connection to an address of the list
 * would have: the first one to which there is a route. The list is not empty. No packet is sent. If
 * there is no route to any, returns the -errno of the attempt that got furthest, as dial() does;
 * then *ret_local is undefined. Otherwise returns 0. */
int dial_local_address(
	const struct resolve_list *list, const struct dial_source *source, struct addr *ret_local);
