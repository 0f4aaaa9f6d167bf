/* SPDX-License-Identifier: ISC */
/* What kind of place an address is: the special-purpose registries of IANA.
 * Knows: RFC 6890's registries, and which addresses carry another one inside.
 * Does not know: rules. */
#pragma once

#include "wire/addr.h"

/* Everything is in exactly one of these. */
enum special_class {
	SPECIAL_LOOPBACK,
	SPECIAL_PRIVATE, /* networks of one's own: RFC 1918, RFC 4193, shared address space */
	SPECIAL_LINK_LOCAL,
	SPECIAL_PUBLIC, /* global unicast */
	SPECIAL_OTHER   /* multicast, documentation, benchmarking, reserved, unspecified, ... */
};

/* The address that a connection to `a` reaches in the end, as far as `a` says: the IPv4 address
 * inside an IPv4-mapped, IPv4-compatible, NAT64 (both prefixes), 6to4, Teredo or ISATAP address;
 * loopback for the unspecified ones, 0.0.0.0 and ::, which the kernel takes for itself; else `a`.
 * The port stays. It may be one of several, in NAT64's local prefix or with an ISATAP identifier,
 * which may also be meant as it stands: n counts them from 0, and ADDR_NONE is behind the last one.
 * Only for destinations: a client chooses what lies inside the address that it comes from. `a` is
 * an IPv4 or IPv6 address. */
struct addr special_embedded(const struct addr *a, unsigned n);

/* The class of the address as it stands; an IPv6 address outside all rows is SPECIAL_OTHER. */
enum special_class special_class_of(const struct addr *a);

/* "loopback", "private", "link-local", "public", "special": a static string. */
const char *special_class_text(enum special_class c);

/* All addresses of a family that begin with these bits. */
struct special_prefix {
	enum addr_kind kind;
	unsigned bits;
	uint8_t bytes[16];
};

/* Whether the address, as it stands, is one of them. */
bool special_has_prefix(const struct addr *a, const struct special_prefix *prefix);
