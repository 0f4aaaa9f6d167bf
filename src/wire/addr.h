/* SPDX-License-Identifier: ISC */
/* An IPv4 address, an IPv6 address or a name, with a port. */
#pragma once

#include "wire/reader.h"
#include "wire/writer.h"

enum addr_kind { ADDR_NONE, ADDR_IPV4, ADDR_IPV6, ADDR_NAME };

/* RFC 1928 s5: the length of a name is one octet. A host name has at most 253 bytes, which are 255
 * octets in DNS with the length of the first label and the root label, and a label at most 63 (RFC
 * 1035 s2.3.4). */
#define ADDR_NAME_MAX     255
#define ADDR_HOSTNAME_MAX 253
#define ADDR_LABEL_MAX    63

/* A value that can be copied. All zero is ADDR_NONE. */
struct addr {
	enum addr_kind kind;
	uint16_t port; /* host byte order */
	uint8_t len;   /* of bytes: 4, 16, or the length of the name */
	/* An address in network byte order, or a name as received and a NUL. */
	uint8_t bytes[ADDR_NAME_MAX + 1];
};

/* Returns the address with these 4 or 16 bytes, or the name with these len bytes. A name is not
 * checked. */
struct addr addr_of(enum addr_kind kind, const void *bytes, uint8_t len, uint16_t port);

/* 127.0.0.1 and ::1, port 0. */
extern const struct addr addr_loopback, addr_loopback_ipv6;

/* Returns true if both are the same address or, byte by byte, the same name. Ports are ignored. */
bool addr_is_same_host(const struct addr *a, const struct addr *b);

/* Returns true for 0.0.0.0 and ::, with any port. */
bool addr_is_unspecified(const struct addr *a);

/* Returns the address that the name in *a spells ("192.0.2.1", "2001:db8::1"), or else *a. Some
 * clients send addresses as names. Only the forms that inet_pton(3) accepts count. */
struct addr addr_from_literal(const struct addr *a);

/* Returns the IPv4 address in an IPv4-mapped IPv6 address (RFC 4291 s2.5.5.2), or else *a. */
struct addr addr_unmapped(const struct addr *a);

/* Returns true if *a is a valid host name (RFC 952, RFC 1123 s2.1, and '_', which is in use):
 * labels of 1 to 63 letters, digits, '-' or '_', separated by dots, with an optional final dot, at
 * most 253 bytes without it. A name whose last label is a number is not valid, because resolvers
 * take "127.1", "0x7f000001" and "2130706433" for addresses. */
bool addr_is_hostname(const struct addr *a);

/* Appends "192.0.2.1", "2001:db8::1" (RFC 5952) or the escaped name; nothing for ADDR_NONE. */
void addr_put_host(struct writer *w, const struct addr *a);

/* Appends the host and the port: "192.0.2.1:80", "[2001:db8::1]:80", "example.com:80". */
void addr_put(struct writer *w, const struct addr *a);
