/* SPDX-License-Identifier: ISC */
/* The class of an address, from IANA's registries of special-purpose addresses (RFC 6890), and the
 * IPv4 addresses that are embedded in an IPv6 address. */
#pragma once

#include "wire/addr.h"

/* Every address is in exactly one class. */
enum special_class {
	SPECIAL_LOOPBACK,
	SPECIAL_PRIVATE, /* RFC 1918, RFC 4193, and the shared address space of RFC 6598 */
	SPECIAL_LINK_LOCAL,
	SPECIAL_PUBLIC, /* global unicast */
	SPECIAL_OTHER   /* multicast, documentation, benchmarking, reserved, unspecified, ... */
};

/* Returns an address that a connection to `a` may reach, with the port of `a`:
 * - the IPv4 address that is embedded in an IPv4-mapped, IPv4-compatible, NAT64, 6to4, Teredo or
 *   ISATAP address;
 * - the loopback address for 0.0.0.0 and ::, as in the kernel;
 * - otherwise `a` itself.
 * An address of NAT64's local prefix (RFC 8215) or with an ISATAP identifier has several: n is 0
 * for the first one; returns ADDR_NONE if n is too large. `a` is an IPv4 or IPv6 address of a
 * destination. (A client can choose the address that is embedded in its own.) */
struct addr special_embedded(const struct addr *a, unsigned n);

/* Returns the class of an IPv4 or IPv6 address itself. */
enum special_class special_class_of(const struct addr *a);

/* Returns "loopback", "private", "link-local", "public" or "special": a static string. */
const char *special_class_text(enum special_class c);

/* The addresses that begin with these bits. */
struct special_prefix {
	uint8_t kind; /* ADDR_IPV4 or ADDR_IPV6 */
	uint8_t bits;
	uint8_t bytes[16]; /* 4 of them are used for IPv4 */
};

/* Returns true if the address itself has the prefix. */
bool special_has_prefix(const struct addr *a, const struct special_prefix *prefix);
