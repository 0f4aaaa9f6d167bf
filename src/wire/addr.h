/* SPDX-License-Identifier: ISC */
/* Where somebody is or wants to go: an IPv4 or IPv6 address or a name, and a port.
 * Knows: how each form is written and which names can be host names.
 * Does not know: the resolver, sockets, or whether one may go there. */
#pragma once

#include "wire/reader.h"
#include "wire/writer.h"

enum addr_kind { ADDR_NONE, ADDR_IPV4, ADDR_IPV6, ADDR_NAME };

/* RFC 1928 s5: a name's length is one octet, so 255; a host name has at most 253 (RFC 1035 s2.3.4:
 * 255 octets on the wire, less the first label's length octet and the root's), a label at most 63.
 */
#define ADDR_NAME_MAX     255
#define ADDR_HOSTNAME_MAX 253
#define ADDR_LABEL_MAX    63

/* A plain value. All zero is ADDR_NONE. */
struct addr {
	enum addr_kind kind;
	uint16_t port;                    /* host order */
	uint8_t len;                      /* of bytes: 4, 16, or the name's length */
	uint8_t bytes[ADDR_NAME_MAX + 1]; /* network order; a name as it was given, and a NUL */
};

/* An address from its 4 or 16 bytes, or a name from its len bytes, whatever they are. */
struct addr addr_of(enum addr_kind kind, const void *bytes, uint8_t len, uint16_t port);

/* 127.0.0.1, without a port. */
extern const struct addr addr_loopback;

/* Whether both are the same address, or the same bytes as a name, whatever the ports. */
bool addr_is_same_host(const struct addr *a, const struct addr *b);

/* Whether it is the address 0.0.0.0 or ::, whatever the port. */
bool addr_is_unspecified(const struct addr *a);

/* The name in a as the address that it spells ("192.0.2.1", "2001:db8::1"), else a itself.
 * Some clients send every address as a name. Only the strict forms of inet_pton(3) count. */
struct addr addr_from_literal(const struct addr *a);

/* An IPv4-mapped IPv6 address (RFC 4291 s2.5.5.2) as the IPv4 address that it stands for. */
struct addr addr_unmapped(const struct addr *a);

/* Whether the name in a could be a host name (RFC 952, 1123 s2.1, and '_', which is in use):
 * labels of 1 to 63 letters, digits, '-' or '_', joined by dots, perhaps one dot at the end, at
 * most 253 bytes without it. A name that ends in a number is none: resolvers take
 * "127.1", "0x7f000001" and "2130706433" for addresses (RFC 1123 s2.1 wants a last label that no
 * address has). */
bool addr_is_hostname(const struct addr *a);

/* "192.0.2.1", "2001:db8::1" (RFC 5952), or the name, escaped; nothing for ADDR_NONE. */
void addr_put_host(struct writer *w, const struct addr *a);

/* The same and the port: "192.0.2.1:80", "[2001:db8::1]:80", "example.com:80". */
void addr_put(struct writer *w, const struct addr *a);
