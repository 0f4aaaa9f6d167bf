/* SPDX-License-Identifier: ISC */
/* An IPv4 address, an IPv6 address or a name, with a port. */
#include "wire/addr.h"

#include <arpa/inet.h>
#include <string.h>

struct addr addr_of(enum addr_kind kind, const void *bytes, uint8_t len, uint16_t port)
{
	struct addr a = {.kind = kind, .port = port, .len = len};
	memcpy(a.bytes, bytes, len);
	return a;
}

const struct addr addr_loopback = {.kind = ADDR_IPV4, .len = 4, .bytes = {127, 0, 0, 1}};
const struct addr addr_loopback_ipv6 = {.kind = ADDR_IPV6, .len = 16, .bytes = {[15] = 1}};

bool addr_is_same_host(const struct addr *a, const struct addr *b)
{
	return a->kind == b->kind && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

bool addr_is_unspecified(const struct addr *a)
{
	static const uint8_t zeros[16];
	return (a->kind == ADDR_IPV4 || a->kind == ADDR_IPV6) &&
		memcmp(a->bytes, zeros, a->len) == 0;
}

struct addr addr_from_literal(const struct addr *a)
{
	uint8_t ip[16];

	if (a->kind != ADDR_NAME || strlen((const char *)a->bytes) != a->len)
		return *a;
	if (inet_pton(AF_INET, (const char *)a->bytes, ip) == 1)
		return addr_of(ADDR_IPV4, ip, 4, a->port);
	if (inet_pton(AF_INET6, (const char *)a->bytes, ip) == 1)
		return addr_of(ADDR_IPV6, ip, 16, a->port);
	return *a;
}

struct addr addr_unmapped(const struct addr *a)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	if (a->kind != ADDR_IPV6 || memcmp(a->bytes, prefix, sizeof prefix) != 0)
		return *a;
	return addr_of(ADDR_IPV4, a->bytes + sizeof prefix, 4, a->port);
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_label_byte(uint8_t c)
{
	uint8_t lower = c | 0x20;
	return is_digit(c) || (lower >= 'a' && lower <= 'z') || c == '-' || c == '_';
}

/* Returns true for decimal digits and for hexadecimal as inet_aton(3) accepts it, "0x" included. */
static bool is_number(const uint8_t *label, size_t len)
{
	static const char hex[] = "0123456789abcdefABCDEF";
	bool is_hex = len >= 2 && label[0] == '0' && (label[1] | 0x20) == 'x';

	for (size_t i = is_hex ? 2 : 0; i < len; i++)
		if (is_hex ? !memchr(hex, label[i], sizeof hex - 1) : !is_digit(label[i]))
			return false;
	return true;
}

bool addr_is_hostname(const struct addr *a)
{
	size_t len = a->len;
	if (len > 0 && a->bytes[len - 1] == '.')
		len--;
	if (a->kind != ADDR_NAME || len > ADDR_HOSTNAME_MAX)
		return false;

	size_t label = 0; /* start of the current label */
	for (size_t i = 0; i < len; i++) {
		if (is_label_byte(a->bytes[i]))
			continue;
		if (a->bytes[i] != '.' || i == label || i - label > ADDR_LABEL_MAX)
			return false;
		label = i + 1;
	}
	return len > label && len - label <= ADDR_LABEL_MAX &&
		!is_number(a->bytes + label, len - label);
}

/* RFC 5952 s4: lower case, no leading zeros, and "::" for the longest run of at least two zero
 * groups, the first of several equal runs. */
static void put_ipv6(struct writer *w, const uint8_t ip[16])
{
	static const char digits[] = "0123456789abcdef";
	size_t run_start = 8, run_len = 1;
	for (size_t i = 0, zeros = 0; i < 8; i++) {
		zeros = ip[2 * i] == 0 && ip[2 * i + 1] == 0 ? zeros + 1 : 0;
		if (zeros > run_len) {
			run_len = zeros;
			run_start = i + 1 - zeros;
		}
	}

	for (size_t i = 0; i < 8; i++) {
		if (i == run_start) {
			writer_str(w, "::");
			i += run_len - 1;
			continue;
		}
		if (i > 0 && i != run_start + run_len)
			writer_u8(w, ':');
		uint16_t group = (uint16_t)(ip[2 * i] << 8 | ip[2 * i + 1]);
		for (unsigned shift = 16, seen = 0; shift > 0;) {
			shift -= 4;
			unsigned digit = group >> shift & 15;
			seen |= digit;
			if (seen || shift == 0)
				writer_bytes(w, digits + digit, 1);
		}
	}
}

void addr_put_host(struct writer *w, const struct addr *a)
{
	switch (a->kind) {
	case ADDR_NONE:
		break;
	case ADDR_IPV4:
		for (unsigned i = 0; i < 4; i++) {
			if (i > 0)
				writer_u8(w, '.');
			writer_decimal(w, a->bytes[i], 1);
		}
		break;
	case ADDR_IPV6:
		put_ipv6(w, a->bytes);
		break;
	case ADDR_NAME:
		writer_escaped(w, a->bytes, a->len);
		break;
	}
}

void addr_put(struct writer *w, const struct addr *a)
{
	if (a->kind == ADDR_IPV6)
		writer_u8(w, '[');
	if (a->kind == ADDR_NAME)
		writer_quoted(w, a->bytes, a->len);
	else
		addr_put_host(w, a);
	if (a->kind == ADDR_IPV6)
		writer_u8(w, ']');
	writer_u8(w, ':');
	writer_decimal(w, a->port, 1);
}
