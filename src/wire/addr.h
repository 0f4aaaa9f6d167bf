/* SPDX-License-Identifier: ISC */
/* An IPv4 address, an IPv6 address or a name, with a port. */
#pragma once

#include "wire/reader.h"
#include "wire/writer.h"

enum addr_kind { ADDR_NONE, ADDR_IPV4, ADDR_IPV6, ADDR_NAME };

/* Limits, in bytes. In a SOCKS message the length of a name is one octet (RFC 1928 s5). In DNS a
 * name has at most 255 octets (RFC 1035 s2.3.4). Two of them, the length of the first label and the
 * root label, are not in the text of a host name. A label is the text between two dots. */
#define ADDR_NAME_MAX     255
#define ADDR_HOSTNAME_MAX 253
#define ADDR_LABEL_MAX    63

/* Has no pointers, and can therefore be copied by assignment. All zero is ADDR_NONE. */
struct addr {
	enum addr_kind kind;
	uint16_t port; /* host byte order */
	uint8_t len;   /* bytes of the address, 4 or 16, or of the name */
	/* An address in network byte order; or a name as it was received, and a NUL. */
	uint8_t bytes[ADDR_NAME_MAX + 1];
};

/* Returns an address or a name that consists of these len bytes: 4 for ADDR_IPV4, 16 for ADDR_IPV6.
 * A name is not checked. */
struct addr addr_of(enum addr_kind kind, const void *bytes, uint8_t len, uint16_t port);

/* 127.0.0.1 and ::1, port 0. */
extern const struct addr addr_loopback, addr_loopback_ipv6;

/* Returns true if both are the same address or the same name. Ports are ignored. Names are compared
 * byte by byte: "a.example" and "A.example" differ. */
bool addr_is_same_host(const struct addr *a, const struct addr *b);

/* Returns true for 0.0.0.0 and ::, with any port. */
bool addr_is_unspecified(const struct addr *a);

/* If *a is a name that inet_pton(3) accepts as an address, such as "192.0.2.1" or "2001:db8::1",
 * returns that address, with the port of *a. Otherwise returns *a. Some clients send addresses as
 * names. */
struct addr addr_from_literal(const struct addr *a);

/* If *a is an IPv4-mapped IPv6 address (RFC 4291 s2.5.5.2), returns the IPv4 address in it, with
 * the port of *a. Otherwise returns *a. */
struct addr addr_unmapped(const struct addr *a);

/* Returns true if *a is a valid host name (RFC 952, RFC 1123 s2.1): labels of 1 to 63 letters,
 * digits, '-' or '_', separated by dots. The RFCs exclude '_', but it is in use. A final dot is
 * optional; without it, the name has at most 253 bytes. A name whose last label is a number is not
 * valid, because resolvers take "127.1", "0x7f000001" and "2130706433" for addresses. */
bool addr_is_hostname(const struct addr *a);

/* Appends "192.0.2.1", "2001:db8::1" (RFC 5952), or the name as writer_escaped() writes it. Appends
 * nothing for ADDR_NONE. */
void addr_put_host(struct writer *w, const struct addr *a);

/* Appends the host and the port: "192.0.2.1:80", "[2001:db8::1]:80", "example.com:80". A name is
 * written as writer_quoted() does, also one that spells an IPv6 address. */
void addr_put(struct writer *w, const struct addr *a);
