/* SPDX-License-Identifier: ISC */
/* policy/special: classifies the first and last address of each row of IANA's special-purpose
 * registries, and finds embedded addresses. */
#include "policy/special.h"

#include "check.h"

#define PORT 443

static struct addr address(const char *text)
{
	struct addr a = fuzz_address(text, PORT);
	CHECK(a.kind != ADDR_NAME);
	return a;
}

/* Sets *a to the next or previous address. Returns false if there is none. */
static bool step(struct addr *a, int by)
{
	for (size_t i = a->len; i-- > 0;) {
		a->bytes[i] = (uint8_t)(a->bytes[i] + by);
		if (a->bytes[i] != (by > 0 ? 0 : 255))
			return true;
	}
	return false;
}

static void is_of_class(const struct addr *a, const char *want)
{
	if (CHECK_STRING(special_class_text(special_class_of(a)), want))
		return;
	addr_put(check_writer(), a);
	printf("\t%.*s\n", (int)check_written.len, check_written.bytes);
}

/* The first and last address of a block, and the classes of the addresses before, in and after it;
 * NULL: there is no such address. */
struct block {
	const char *first, *last, *class, *before, *behind;
};

static void is_exactly(const struct block *block)
{
	struct addr first = address(block->first), last = address(block->last);
	is_of_class(&first, block->class);
	is_of_class(&last, block->class);
	if (CHECK(step(&first, -1) == (block->before != NULL)) && block->before)
		is_of_class(&first, block->before);
	if (CHECK(step(&last, 1) == (block->behind != NULL)) && block->behind)
		is_of_class(&last, block->behind);
}

/* https://www.iana.org/assignments/iana-ipv4-special-registry, in its order, and multicast. */
static void classifies_each_row_of_ipv4(void)
{
	static const struct block rows[] = {
		{"0.0.0.0", "0.255.255.255", "special", NULL, "public"},
		{"10.0.0.0", "10.255.255.255", "private", "public", "public"},
		{"100.64.0.0", "100.127.255.255", "private", "public", "public"},
		{"127.0.0.0", "127.255.255.255", "loopback", "public", "public"},
		{"169.254.0.0", "169.254.255.255", "link-local", "public", "public"},
		{"172.16.0.0", "172.31.255.255", "private", "public", "public"},
		{"192.0.0.0", "192.0.0.255", "special", "public", "public"},
		{"192.0.0.0", "192.0.0.7", "special", "public", "special"}, /* DS-Lite */
		{"192.0.0.8", "192.0.0.8", "special", "special", "special"},
		{"192.0.0.9", "192.0.0.10", "special", "special", "special"}, /* PCP, TURN */
		{"192.0.0.170", "192.0.0.171", "special", "special", "special"},
		{"192.0.2.0", "192.0.2.255", "special", "public", "public"},
		{"192.31.196.0", "192.31.196.255", "public", "public", "public"}, /* AS112 */
		{"192.52.193.0", "192.52.193.255", "public", "public", "public"}, /* AMT */
		{"192.88.99.0", "192.88.99.255", "special", "public", "public"},
		{"192.168.0.0", "192.168.255.255", "private", "public", "public"},
		{"192.175.48.0", "192.175.48.255", "public", "public", "public"}, /* AS112 */
		{"198.18.0.0", "198.19.255.255", "special", "public", "public"},
		{"198.51.100.0", "198.51.100.255", "special", "public", "public"},
		{"203.0.113.0", "203.0.113.255", "special", "public", "public"},
		{"224.0.0.0", "239.255.255.255", "special", "public", "special"},
		{"240.0.0.0", "255.255.255.254", "special", "special", "special"},
		{"255.255.255.255", "255.255.255.255", "special", "special", NULL},
	};
	EACH_ROW(row, rows, first)
		is_exactly(row);
}

/* https://www.iana.org/assignments/iana-ipv6-special-registry, in its order; other
 * prefixes of RFC 4291; and 2000::/3. The classes are those of the addresses themselves, not of
 * embedded ones. */
static void classifies_each_row_of_ipv6(void)
{
#define F5 "ffff:ffff:ffff:ffff:ffff"
#define F6 F5 ":ffff"
#define F7 F6 ":ffff"
	static const struct block rows[] = {
		{"::1", "::1", "loopback", "special", "special"},
		{"::", "::", "special", NULL, "loopback"},
		{"::ffff:0:0", "::ffff:ffff:ffff", "special", "special", "special"},
		{"64:ff9b::", "64:ff9b::ffff:ffff", "special", "special", "special"},
		{"64:ff9b:1::", "64:ff9b:1:" F5, "special", "special", "special"},
		{"100::", "100::ffff:ffff:ffff:ffff", "special", "special", "special"},
		{"100:0:0:1::", "100::1:ffff:ffff:ffff:ffff", "special", "special", "special"},
		{"2001::", "2001:1ff:" F6, "special", "public", "public"},
		{"2001::", "2001:0:" F6, "special", "public", "special"}, /* Teredo */
		{"2001:1::1", "2001:1::3", "special", "special", "special"},
		{"2001:2::", "2001:2:0:" F5, "special", "special", "special"},
		{"2001:3::", "2001:3:" F6, "special", "special", "special"},
		{"2001:4:112::", "2001:4:112:" F5, "special", "special", "special"},
		{"2001:10::", "2001:3f:" F6, "special", "special", "special"}, /* ORCHID, DRIP */
		{"2001:db8::", "2001:db8:" F6, "special", "public", "public"},
		{"2002::", "2002:" F7, "public", "public", "public"},                 /* 6to4 */
		{"2620:4f:8000::", "2620:4f:8000:" F5, "public", "public", "public"}, /* AS112 */
		{"3fff::", "3fff:fff:" F6, "special", "public", "public"},
		{"5f00::", "5f00:" F7, "special", "special", "special"}, /* SRv6 */
		{"fc00::", "fdff:" F7, "private", "special", "special"},
		{"fe80::", "febf:" F7, "link-local", "special", "private"},
		{"fec0::", "feff:" F7, "private", "link-local", "special"},
		{"ff00::", "ffff:" F7, "special", "private", NULL},
		{"2000::", "2000:" F7, "public", "special", "special"},
		{"3fff:1000::", "3fff:" F7, "public", "special", "special"},
	};
	EACH_ROW(row, rows, first)
		is_exactly(row);
}

/* Addresses that are not next to a row. */
static void other_addresses_are_public(void)
{
	static const char *const rows[] = {"8.8.8.8", "191.255.255.255", "2001:4860::8888",
		"2001:db7::1", "2001:db9::1", "2600::", "2a00::", "3ffe::1", "3fff:ffff::"};
	EACH_TEXT(text, rows) {
		struct addr a = address(text);
		is_of_class(&a, "public");
	}
}

/* -- Embedded addresses */

static void is_embedded(const char *text, const char *want)
{
	static const uint16_t ports[] = {0, 1, 443, 65535};
	for (size_t i = 0; i < COUNT(ports); i++) {
		struct addr a = address(text), want_addr = address(want);
		a.port = want_addr.port = ports[i];
		struct addr embedded = special_embedded(&a, 0);
		CHECK_BYTES(&embedded, sizeof embedded, &want_addr, sizeof want_addr);
	}
}

/* Tests each kind of embedding with a private, a public, the first and the last address. */
static void finds_the_embedded_ipv4_address(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"::ffff:10.0.0.1", "10.0.0.1"}, /* RFC 4291 s2.5.5.2: IPv4-mapped */
		{"::ffff:127.0.0.1", "127.0.0.1"},
		{"::ffff:8.8.8.8", "8.8.8.8"},
		{"::ffff:0.0.0.1", "0.0.0.1"},
		{"::ffff:255.255.255.255", "255.255.255.255"},
		{"::10.0.0.1", "10.0.0.1"}, /* s2.5.5.1: IPv4-compatible */
		{"::127.0.0.1", "127.0.0.1"},
		{"::8.8.8.8", "8.8.8.8"},
		{"::2", "0.0.0.2"},
		{"::255.255.255.255", "255.255.255.255"},
		{"64:ff9b::10.0.0.1", "10.0.0.1"}, /* RFC 6052 s2.1: NAT64 */
		{"64:ff9b::169.254.169.254", "169.254.169.254"},
		{"64:ff9b::8.8.8.8", "8.8.8.8"},
		{"64:ff9b::255.255.255.255", "255.255.255.255"},
		{"2002:a00:1::", "10.0.0.1"}, /* RFC 3056 s2: 6to4 */
		{"2002:a00:1:ffff:ffff:ffff:ffff:ffff", "10.0.0.1"},
		{"2002:808:808::1", "8.8.8.8"},
		{"2002:7f00:1::1", "127.0.0.1"},
		{"2002:ffff:ffff::1", "255.255.255.255"},
		{"2002:0:1::1", "0.0.0.1"},
		{"2002:808:808::5efe:10.0.0.1", "8.8.8.8"}, /* only the outer one */
		{"2001::f5ff:fffe", "10.0.0.1"},            /* RFC 4380 s4: Teredo, inverted */
		{"2001:0:a00:1:8000:ffff:f5ff:fffe", "10.0.0.1"},
		{"2001:0:a00:1::f7f7:f7f7", "8.8.8.8"},
		{"2001::80ff:fffe", "127.0.0.1"},
		{"2001::", "255.255.255.255"},
		{"2001::ffff:fffe", "0.0.0.1"},
		{"2600::5efe:10.0.0.1", "10.0.0.1"}, /* RFC 5214 s6.1: ISATAP */
		{"2600::200:5efe:10.0.0.1", "10.0.0.1"},
		{"2600:1:2:3:0:5efe:7f00:1", "127.0.0.1"},
		{"2600:1:2:3:200:5efe:808:808", "8.8.8.8"},
		{"fe80::5efe:10.0.0.1", "10.0.0.1"},
		{"fe80::200:5efe:192.168.0.1", "192.168.0.1"},
		{"fd00::5efe:127.0.0.1", "127.0.0.1"},
		{"2001:db8::5efe:10.0.0.1", "10.0.0.1"},
		{"64:ff9b:1:808:8:800::", "8.8.8.8"}, /* RFC 8215: local NAT64, in each layout */
		{"64:ff9b:1:8:8:808::", "8.8.8.8"},
		{"64:ff9b:1:0:8:808:800:0", "8.8.8.8"},
		{"64:ff9b:1::8.8.8.8", "8.8.8.8"},
		{"64:ff9b:1::10.0.0.1", "10.0.0.1"},
		{"::", "::1"},
		{"::1", "::1"},
	};
	EACH_ROW(row, rows, text)
		is_embedded(row->text, row->want);
}

/* When a process connects to one of these addresses, the kernel connects to this host. */
static void unspecified_addresses_are_loopback(void)
{
	static const char *const ipv4[] = {"0.0.0.0", "::ffff:0.0.0.0",
		"64:ff9b::", "64:ff9b:1::", "2002::", "2002:0:0:1:2:3:4:5", "2001::ffff:ffff",
		"2001:0:1:2:3:4:ffff:ffff", "2600::5efe:0.0.0.0", "2600::200:5efe:0:0"};
	EACH_TEXT(text, ipv4)
		is_embedded(text, "127.0.0.1");
}

/* Ordinary addresses, and addresses that differ from each embedding in one bit or position. */
static void other_addresses_embed_no_address(void)
{
	static const char *const rows[] = {"0.0.0.1", "1.0.0.0", "8.8.8.8", "10.0.0.1", "127.0.0.1",
		"127.0.0.0", "255.255.255.255", "2001:4860::8888", "fc00::1", "fe80::1", "ff02::1",
		"::1:0:0", "::fffe:10.0.0.1", "::1:ffff:10.0.0.1", "::ffff:0:10.0.0.1",
		"8000::ffff:10.0.0.1", "::1:10.0.0.1", "8000::10.0.0.1", "64:ff9a::10.0.0.1",
		"64:ff9c::10.0.0.1", "65:ff9b::10.0.0.1", "64:ff9b::1:10.0.0.1",
		"64:ff9b:0:1::10.0.0.1", "64:ff9b:2::10.0.0.1", "64:ff9b:8001::10.0.0.1",
		"2003:a00:1::1", "2000:a00:1::1", "2001:1::f5ff:fffe", "2001:8000::f5ff:fffe",
		"2600::100:5efe:10.0.0.1", "2600::300:5efe:10.0.0.1", "2600::400:5efe:10.0.0.1",
		"2600::8000:5efe:10.0.0.1", "2600::1:5efe:10.0.0.1", "2600::5eff:10.0.0.1",
		"2600::5ffe:10.0.0.1", "2600::5efe:0:10.0.0.1", "2600::10.0.0.1",
		"2600::ffff:10.0.0.1"};
	EACH_TEXT(text, rows)
		is_embedded(text, text);
}

/* RFC 6052 s2.2: the positions of the four bytes after a prefix of this length; octet 8 is zero. */
static const unsigned layouts[][5] = {
	{48, 6, 7, 9, 10}, {56, 7, 9, 10, 11}, {64, 9, 10, 11, 12}, {96, 12, 13, 14, 15}};

/* Embeds the address in a local prefix; `fill` is the value of the other octets of the prefix. */
static struct addr in_nat64_local(const unsigned *layout, const char *ipv4, uint8_t fill)
{
	struct addr a = address("64:ff9b:1::"), inner = address(ipv4);
	for (size_t i = 6; i < layout[0] / 8; i++)
		a.bytes[i] = i == 8 ? 0 : fill;
	for (size_t i = 0; i < 4; i++)
		a.bytes[layout[1 + i]] = inner.bytes[i];
	return a;
}

static void isatap_is_also_itself(void)
{
	static const struct {
		const char *text, *embedded;
	} rows[] = {{"2600::5efe:10.0.0.1", "10.0.0.1"}, {"2600::200:5efe:8.8.8.8", "8.8.8.8"},
		{"fd00::5efe:8.8.8.8", "8.8.8.8"}, {"fe80::5efe:0.0.0.0", "127.0.0.1"}};
	EACH_ROW(row, rows, text) {
		struct addr a = address(row->text), want = address(row->embedded);
		struct addr first = special_embedded(&a, 0), second = special_embedded(&a, 1);
		CHECK_BYTES(&first, sizeof first, &want, sizeof want);
		CHECK_BYTES(&second, sizeof second, &a, sizeof a);
		CHECK_NUMBER(special_embedded(&a, 2).kind, ADDR_NONE);
	}
}

/* Returns true if want is an embedded address of *a. Checks that all embedded addresses have the
 * port of *a. */
static bool embeds(const struct addr *a, const struct addr *want)
{
	struct addr embedded = special_embedded(a, 0);
	bool found = false;
	for (unsigned n = 1; embedded.kind != ADDR_NONE; n++) {
		CHECK_NUMBER(embedded.kind, ADDR_IPV4);
		CHECK_NUMBER(embedded.port, a->port);
		CHECK(n <= 4);
		found |= memcmp(embedded.bytes, want->bytes, 4) == 0;
		embedded = special_embedded(a, n);
	}
	return found;
}

/* RFC 8215 does not specify the position: if the other octets are zero, the address is found;
 * otherwise it is not public. */
static void finds_private_addresses_in_every_nat64_layout(void)
{
	static const char *const rows[] = {"10.0.0.1", "10.255.255.255", "100.64.0.1", "127.0.0.1",
		"127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1",
		"192.0.2.1", "192.168.0.1", "192.168.255.255", "198.18.0.1", "203.0.113.1",
		"224.0.0.1", "240.0.0.1", "255.255.255.255"};
	EACH_TEXT(text, rows)
		for (size_t j = 0; j < COUNT(layouts); j++) {
			struct addr a = in_nat64_local(layouts[j], text, 0), want = address(text);
			CHECK(embeds(&a, &want));
			for (unsigned fill = 1; fill < 256; fill++) {
				a = in_nat64_local(layouts[j], text, (uint8_t)fill);
				if (!CHECK(embeds(&a, &want)))
					printf("\t/%u, fill %u\n", layouts[j][0], fill);
			}
		}
}

/* -- Prefixes and names of classes */

static bool has_prefix(const struct addr *a, const struct addr *of, unsigned bits)
{
	struct special_prefix prefix = {.kind = (uint8_t)of->kind, .bits = (uint8_t)bits};
	memcpy(prefix.bytes, of->bytes, of->len);
	return special_has_prefix(a, &prefix);
}

/* Changes each bit of an address, for each length: only the bits of the prefix are compared. */
static void counts_the_bits_of_a_prefix(void)
{
	static const char *const rows[] = {"0.0.0.0", "170.85.15.240", "255.255.255.255",
		"::", "aa55:ff0:f00f:3cc3::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};
	EACH_TEXT(text, rows) {
		struct addr prefix = address(text);
		for (unsigned changed = 0; changed < prefix.len * 8U; changed++) {
			struct addr a = prefix;
			a.bytes[changed / 8] ^= (uint8_t)(0x80 >> changed % 8);
			for (unsigned bits = 0; bits <= prefix.len * 8U; bits++)
				CHECK(has_prefix(&a, &prefix, bits) == (bits <= changed));
		}
		CHECK(has_prefix(&prefix, &prefix, prefix.len * 8U));
	}
}

static void a_prefix_is_of_one_family(void)
{
	struct addr ipv4 = address("10.0.0.1"), ipv6 = address("::"),
		    mapped = address("::ffff:10.0.0.1"),
		    name = addr_of(ADDR_NAME, "\n\0\0\1", 4, 0);
	const struct addr none = {.kind = ADDR_NONE};
	CHECK(!has_prefix(&ipv4, &ipv6, 0));
	CHECK(!has_prefix(&ipv6, &ipv4, 0));
	CHECK(!has_prefix(&mapped, &ipv4, 0));
	CHECK(!has_prefix(&mapped, &ipv4, 32));
	CHECK(!has_prefix(&name, &ipv4, 32));
	CHECK(!has_prefix(&none, &ipv4, 0));
	CHECK(!has_prefix(&none, &ipv6, 0));
}

static void a_route_has_precedence_over_the_number(void)
{
	static const char *const rows[] = {
		"8.8.4.4", "10.0.0.1", "127.0.0.1", "224.0.0.1", "2600::1"};
	EACH_TEXT(text, rows) {
		const struct addr a = address(text);
		CHECK_NUMBER(special_class_by(&a, SPECIAL_ROUTE_LOCAL), SPECIAL_LOOPBACK);
		CHECK_NUMBER(special_class_by(&a, SPECIAL_ROUTE_BROADCAST), SPECIAL_OTHER);
		CHECK_NUMBER(special_class_by(&a, SPECIAL_ROUTE_OTHER), special_class_of(&a));
		CHECK_NUMBER(special_class_by(&a, SPECIAL_ROUTE_UNKNOWN), special_class_of(&a));
	}
}

/* An address with three readings of NAT64's local prefix and an ISATAP identifier. */
static void an_address_reaches_at_most_five_addresses(void)
{
	const struct addr a = address("64:ff9b:1:101:0:5efe:101:101");
	unsigned n = 0;

	while (special_embedded(&a, n).kind != ADDR_NONE)
		n++;
	CHECK_NUMBER(n, SPECIAL_EMBEDDED_MAX);
}

static void names_the_classes(void)
{
	CHECK_STRING(special_class_text(SPECIAL_LOOPBACK), "loopback");
	CHECK_STRING(special_class_text(SPECIAL_PRIVATE), "private");
	CHECK_STRING(special_class_text(SPECIAL_LINK_LOCAL), "link-local");
	CHECK_STRING(special_class_text(SPECIAL_PUBLIC), "public");
	CHECK_STRING(special_class_text(SPECIAL_OTHER), "special");
}

int main(void)
{
	return CHECK_ALL(classifies_each_row_of_ipv4, classifies_each_row_of_ipv6,
		other_addresses_are_public, finds_the_embedded_ipv4_address,
		unspecified_addresses_are_loopback, other_addresses_embed_no_address,
		isatap_is_also_itself, finds_private_addresses_in_every_nat64_layout,
		counts_the_bits_of_a_prefix, a_prefix_is_of_one_family,
		a_route_has_precedence_over_the_number, an_address_reaches_at_most_five_addresses,
		names_the_classes);
}
