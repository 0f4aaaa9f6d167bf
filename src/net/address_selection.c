/* SPDX-License-Identifier: ISC */
/* The order in which the addresses of a name are tried (RFC 6724). */
#include "net/address_selection.h"

#include <string.h>

/* RFC 6724 s2.1, without the default row. IPv4 addresses are looked up as IPv4-mapped ones. */
static const struct policy {
	uint8_t prefix[16];
	unsigned bits, precedence, label;
} policies[] = {
	{{[15] = 1}, 128, 50, 0},                /* ::1 */
	{{[10] = 0xff, [11] = 0xff}, 96, 35, 4}, /* ::ffff:0:0/96, IPv4 */
	{{0}, 96, 1, 3},                         /* ::/96, IPv4-compatible */
	{{0x20, 0x01}, 32, 5, 5},                /* 2001::/32, Teredo */
	{{0x20, 0x02}, 16, 30, 2},               /* 2002::/16, 6to4 */
	{{0x3f, 0xfe}, 16, 1, 12},               /* 3ffe::/16, 6bone */
	{{0xfe, 0xc0}, 10, 1, 11},               /* fec0::/10, site-local */
	{{0xfc}, 7, 3, 13},                      /* fc00::/7, unique local */
};
static const struct policy other = {.precedence = 40, .label = 1};

/* RFC 4291 s2.7. */
enum scope { LINK_LOCAL = 2, SITE_LOCAL = 5, GLOBAL = 14 };

struct candidate {
	const struct policy *policy;
	enum addr_kind kind;
	unsigned scope;
	unsigned common_bits; /* of IPv6: with the source */
	bool has_source, has_source_scope, has_source_label;
};

static void map(const struct addr *a, uint8_t ret_bytes[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	memcpy(ret_bytes, mapped, sizeof mapped);
	memcpy(ret_bytes + 16 - a->len, a->bytes, a->len);
}

static unsigned common_bits(const uint8_t a[16], const uint8_t b[16])
{
	unsigned bits = 0;

	while (bits < 128 && ((a[bits / 8] ^ b[bits / 8]) & 0x80 >> bits % 8) == 0)
		bits++;
	return bits;
}

static const struct policy *policy_of(const uint8_t bytes[16])
{
	for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++)
		if (common_bits(policies[i].prefix, bytes) >= policies[i].bits)
			return &policies[i];
	return &other;
}

/* RFC 6724 s3.1, s3.2. */
static unsigned scope_of(const struct addr *a)
{
	const uint8_t *b = a->bytes;

	if (a->kind == ADDR_IPV4)
		return b[0] == 127 || (b[0] == 169 && b[1] == 254) ? LINK_LOCAL : GLOBAL;
	if (b[0] == 0xff)
		return b[1] & 0x0f;
	if (b[0] == 0xfe && (b[1] & 0xc0) == 0x80)
		return LINK_LOCAL;
	if (b[0] == 0xfe && (b[1] & 0xc0) == 0xc0)
		return SITE_LOCAL;
	return addr_is_same_host(a, &addr_loopback_ipv6) ? LINK_LOCAL : GLOBAL;
}

static struct candidate candidate_of(const struct addr *a, const struct dial_source *source)
{
	struct candidate c = {.kind = a->kind, .scope = scope_of(a)};
	struct addr local;
	uint8_t bytes[16], local_bytes[16];

	map(a, bytes);
	c.policy = policy_of(bytes);
	if (dial_local_address_for(a, source, &local) < 0)
		return c;
	map(&local, local_bytes);
	c.has_source = true;
	c.has_source_scope = scope_of(&local) == c.scope;
	c.has_source_label = policy_of(local_bytes)->label == c.policy->label;
	c.common_bits = a->kind == ADDR_IPV6 ? common_bits(bytes, local_bytes) : 0;
	return c;
}

/* Returns true if a is to be tried before b (RFC 6724 s6, rules 1, 2, 5, 6, 8 and 9). */
static bool is_better(const struct candidate *a, const struct candidate *b)
{
	if (a->has_source != b->has_source)
		return a->has_source;
	if (a->has_source_scope != b->has_source_scope)
		return a->has_source_scope;
	if (a->has_source_label != b->has_source_label)
		return a->has_source_label;
	if (a->policy->precedence != b->policy->precedence)
		return a->policy->precedence > b->policy->precedence;
	if (a->scope != b->scope)
		return a->scope < b->scope;
	return a->kind == b->kind && a->common_bits > b->common_bits;
}

void address_selection_sort(struct addr *addrs, size_t count, const struct dial_source *source)
{
	struct candidate sorted[ADDRESS_SELECTION_MAX];

	if (count == 1)
		return;
	for (size_t i = 0; i < count && i < ADDRESS_SELECTION_MAX; i++) {
		const struct addr addr = addrs[i];
		const struct candidate candidate = candidate_of(&addr, source);
		size_t at = i;
		for (; at > 0 && is_better(&candidate, &sorted[at - 1]); at--) {
			sorted[at] = sorted[at - 1];
			addrs[at] = addrs[at - 1];
		}
		sorted[at] = candidate;
		addrs[at] = addr;
	}
}

bool address_selection_has_route(
	const struct addr *addrs, size_t count, const struct dial_source *source)
{
	struct addr local;

	for (size_t i = 0; i < count; i++)
		if (dial_local_address_for(&addrs[i], source, &local) == 0)
			return true;
	return false;
}
