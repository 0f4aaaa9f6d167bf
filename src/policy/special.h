/* SPDX-License-Identifier: ISC */
/* The class of an address, by IANA's registries of special-purpose addresses (RFC 6890) and by the
 * routes of this host, and the IPv4 addresses that are embedded in an IPv6 address. */
#pragma once

#include "wire/addr.h"

/* The classes. Each address has exactly one. */
enum special_class {
	SPECIAL_LOOPBACK,
	SPECIAL_PRIVATE, /* RFC 1918, RFC 4193, and the shared address space of RFC 6598 */
	SPECIAL_LINK_LOCAL,
	SPECIAL_PUBLIC, /* global unicast */
	SPECIAL_OTHER   /* multicast, documentation, benchmarking, reserved, unspecified, ... */
};

/* The type of the route to an address, as the kernel reports it. */
enum special_route {
	SPECIAL_ROUTE_OTHER,     /* nothing: the number of the address determines its class */
	SPECIAL_ROUTE_LOCAL,     /* the address is one of this host: SPECIAL_LOOPBACK */
	SPECIAL_ROUTE_BROADCAST, /* a broadcast address of a network of this host: SPECIAL_OTHER */
	SPECIAL_ROUTE_UNKNOWN    /* it is not known whether there is such a route */
};

/* Upper limit of the addresses that a connection to one address may reach. */
#define SPECIAL_EMBEDDED_MAX 5

/* Returns the nth address, counted from 0, that a connection to *a may reach, with the port of *a.
 * Returns ADDR_NONE if there are not so many. *a is the IPv4 or IPv6 address of a destination. The
 * addresses are:
 * - for an IPv4-mapped, IPv4-compatible, NAT64, 6to4 or Teredo address, the embedded IPv4 address;
 * - for an address in NAT64's local prefix (RFC 8215), up to four IPv4 addresses, because the
 *   position of the embedded one is not known;
 * - for an address with an ISATAP interface identifier, the embedded IPv4 address, and *a itself;
 * - for 0.0.0.0 and ::, the loopback address, to which the kernel connects instead;
 * - otherwise *a itself.
 *
 * Do not call this for the address of a client, because the client could choose the embedded
 * address. */
struct addr special_embedded(const struct addr *a, unsigned n);

/* Returns the class of an IPv4 or IPv6 address by its number. Embedded addresses are not
 * considered.
 */
enum special_class special_class_of(const struct addr *a);

/* Returns the class of an IPv4 or IPv6 address by its route and its number. If the route is not
 * known, returns the class by the number. */
enum special_class special_class_by(const struct addr *a, enum special_route route);

/* Returns "loopback", "private", "link-local", "public" or "special": a static string. */
const char *special_class_text(enum special_class c);

/* A prefix of addresses, such as 10.0.0.0/8. */
struct special_prefix {
	uint8_t kind;      /* ADDR_IPV4 or ADDR_IPV6 */
	uint8_t bits;      /* the length of the prefix */
	uint8_t bytes[16]; /* the address; for IPv4 only the first 4 are used */
};

/* Returns true if the address is of the prefix's family and has the prefix. Embedded addresses are
 * not considered. */
bool special_has_prefix(const struct addr *a, const struct special_prefix *prefix);
