/* SPDX-License-Identifier: ISC */
/* net/dial: the order of addresses (RFC 8305 s4). */
#include "net/dial.h"

#include "check.h"

/* Returns a list with an IPv4 address for each '4' and an IPv6 address for each '6'. The port of
 * each address is its index. */
static struct resolve_list list_of(const char *families)
{
	struct resolve_list list = {.count = strlen(families)};
	for (size_t i = 0; i < list.count; i++) {
		const uint8_t ip[16] = {192, 0, 2, (uint8_t)i};
		list.addrs[i] = families[i] == '4' ? addr_of(ADDR_IPV4, ip, 4, (uint16_t)i)
						   : addr_of(ADDR_IPV6, ip, 16, (uint16_t)i);
	}
	return list;
}

/* Checks that dial_order() keeps all addresses, the first address, and the order within a family,
 * and that the families alternate as long as both have addresses left. */
static void is_well_ordered(const char *families)
{
	struct resolve_list given = list_of(families), list = given;
	size_t left[2] = {0}, count = given.count;
	int last[2] = {-1, -1};
	for (size_t i = 0; i < count; i++)
		left[given.addrs[i].kind == ADDR_IPV6]++;

	dial_order(list.addrs, list.count);
	CHECK_NUMBER(list.count, count);
	CHECK_NUMBER(list.addrs[0].port, 0);
	for (size_t i = 0; i < count; i++) {
		const struct addr *a = &list.addrs[i];
		bool ipv6 = a->kind == ADDR_IPV6;
		CHECK(a->port < count);
		CHECK_BYTES(a, sizeof *a, &given.addrs[a->port], sizeof *a);
		CHECK(a->port > last[ipv6]);
		if (i > 0 && left[!ipv6] > 0)
			CHECK(a->kind != list.addrs[i - 1].kind);
		last[ipv6] = a->port;
		left[ipv6]--;
	}
}

static void orders_every_short_list(void)
{
	for (size_t count = 0; count <= 8; count++) {
		for (unsigned pattern = 0; pattern < 1U << count; pattern++) {
			char families[9] = {0};
			for (size_t i = 0; i < count; i++)
				families[i] = pattern >> i & 1 ? '6' : '4';
			check_about = families;
			is_well_ordered(families);
		}
	}
}

static void orders_the_longest_list(void)
{
	char families[DIAL_MAX + 1] = {0};
	for (size_t sixes = 0; sixes <= DIAL_MAX; sixes++) {
		memset(families, '4', DIAL_MAX);
		memset(families, '6', sixes);
		is_well_ordered(families);
	}
}

int main(void)
{
	return CHECK_ALL(orders_every_short_list, orders_the_longest_list);
}
