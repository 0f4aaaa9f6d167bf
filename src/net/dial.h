/* SPDX-License-Identifier: ISC */
/* Connects to the first of several addresses that answers (RFC 8305, Happy Eyeballs). */
#pragma once

#include <stdbool.h>

#include "net/resolve.h"

/* RFC 8305 s8: Connection Attempt Delay, the recommended value. */
#define DIAL_DELAY_US INT64_C(250000)

/* Upper limits of the addresses of one family, and of both families, that are tried. Many addresses
 * of a family that this host does not have cannot hide those of the other. */
#define DIAL_FAMILY_MAX 32
#define DIAL_MAX        64

/* The source of connections. All zero: the kernel chooses. */
struct dial_source {
	/* NULL: any. If only one is set, the other family is not used. */
	const struct addr *ipv4, *ipv6;
	const char *device; /* SO_BINDTODEVICE; NULL: any */
	uint32_t mark;      /* SO_MARK; 0: none */
	/* The kernel chooses nevertheless, but only among the families that are used. */
	bool is_not_set;
};

/* Opens a non-blocking socket of this family and sets its source. With IPv6 it rejects IPv4-mapped
 * addresses, which the access rules see as IPv4. Returns a descriptor that the caller owns;
 * -ENETUNREACH if this host has no such family, or only the other one has a source address;
 * -EADDRNOTAVAIL if *source cannot be used; or another -errno. */
int dial_socket(enum addr_kind kind, int type, int protocol, const struct dial_source *source);

/* Sorts count addresses so that the families alternate, beginning with
 * the family of the first address; the order within a family is unchanged (RFC 8305 s4). */
void dial_order(struct addr *addrs, size_t count);

/* The addresses of a connection. */
struct dial_ends {
	struct addr remote, local;
};

/* A lookup that goes on while addresses are tried (RFC 8305 s3). */
struct dial_lookup {
	struct resolve *resolve; /* NULL: there is none */
	/* Removes from the list the addresses from index `first` on that must not be tried. */
	void (*permit)(void *context, struct resolve_list *list, size_t first);
	void *context;
};

/* Connects to the first of the addresses that answers. They are in the order of dial_order().
 * Starts the next attempt DIAL_DELAY_US after the previous one, or as soon as one fails. Tries at
 * most DIAL_MAX addresses. Addresses that *lookup finds are added to the list; the lookup may have
 * ended, and the caller stops it. Returns a non-blocking descriptor that the caller owns, and sets
 * *ret_ends to the addresses of the connection. Returns -ETIMEDOUT if deadline_us has passed,
 * -ECANCELED if a signal ends the process, or the -errno of the attempt that got furthest:
 * -EADDRNOTAVAIL, *source cannot be used, is the least of them. A connection of the socket to
 * itself (simultaneous open, if the kernel chooses the destination as the source) counts as
 * refused. */
int dial(struct resolve_list *list, const struct dial_source *source,
	const struct dial_lookup *lookup, int64_t deadline_us, struct dial_ends *ret_ends);

/* Sets *ret_local to the local address that a connection to this address would have. Sends no
 * packet. Returns 0 or -errno. */
int dial_local_address_for(
	const struct addr *to, const struct dial_source *source, struct addr *ret_local);

/* Sets the source of a new TCP or UDP socket of this family. Returns false if that fails. */
bool dial_from(int fd, enum addr_kind kind, const struct dial_source *source);

/* Sets *ret_local to the local address, with port 0, that connections to the first reachable
 * address of the list would have. Sends no packet. Returns 0, or -errno as dial() does if no
 * address is reachable. */
int dial_local_address(
	const struct resolve_list *list, const struct dial_source *source, struct addr *ret_local);
