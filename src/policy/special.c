/* SPDX-License-Identifier: ISC */
#include "policy/special.h"

#include <string.h>

/* If a prefix contains another one, the longer one comes first. */
static const struct block {
	struct special_prefix prefix;
	enum special_class class;
} blocks[] = {
	/* https://www.iana.org/assignments/iana-ipv4-special-registry, and multicast. An IPv4
	 * address in no row is public. */
	{{ADDR_IPV4, 8, {0}}, SPECIAL_OTHER},              /* RFC 791 s3.2: "this network" */
	{{ADDR_IPV4, 8, {10}}, SPECIAL_PRIVATE},           /* RFC 1918 */
	{{ADDR_IPV4, 10, {100, 64}}, SPECIAL_PRIVATE},     /* RFC 6598: shared address space */
	{{ADDR_IPV4, 8, {127}}, SPECIAL_LOOPBACK},         /* RFC 1122 s3.2.1.3 */
	{{ADDR_IPV4, 16, {169, 254}}, SPECIAL_LINK_LOCAL}, /* RFC 3927: also cloud metadata */
	{{ADDR_IPV4, 12, {172, 16}}, SPECIAL_PRIVATE},     /* RFC 1918 */
	{{ADDR_IPV4, 24, {192, 0, 0}}, SPECIAL_OTHER},     /* RFC 6890 s2.1: protocol assignments */
	{{ADDR_IPV4, 24, {192, 0, 2}}, SPECIAL_OTHER},     /* RFC 5737: documentation */
	{{ADDR_IPV4, 24, {192, 88, 99}}, SPECIAL_OTHER},   /* RFC 7526: 6to4 anycast, deprecated */
	{{ADDR_IPV4, 16, {192, 168}}, SPECIAL_PRIVATE},    /* RFC 1918 */
	{{ADDR_IPV4, 15, {198, 18}}, SPECIAL_OTHER},       /* RFC 2544: benchmarking */
	{{ADDR_IPV4, 24, {198, 51, 100}}, SPECIAL_OTHER},  /* RFC 5737: documentation */
	{{ADDR_IPV4, 24, {203, 0, 113}}, SPECIAL_OTHER},   /* RFC 5737: documentation */
	{{ADDR_IPV4, 4, {224}}, SPECIAL_OTHER},            /* RFC 5771: multicast */
	{{ADDR_IPV4, 4, {240}}, SPECIAL_OTHER}, /* RFC 1112 s4: reserved; 255.255.255.255 */
	/* https://www.iana.org/assignments/iana-ipv6-special-registry. The assigned part of global
	 * unicast (RFC 4291 s2.4) is 2000::/3. An IPv6 address in no row is SPECIAL_OTHER. */
	{{ADDR_IPV6, 128, {[15] = 1}}, SPECIAL_LOOPBACK}, /* RFC 4291 s2.5.3 */
	{{ADDR_IPV6, 23, {0x20, 0x01}}, SPECIAL_OTHER},   /* RFC 2928: protocol assignments */
	{{ADDR_IPV6, 32, {0x20, 0x01, 0x0d, 0xb8}}, SPECIAL_OTHER}, /* RFC 3849: documentation */
	{{ADDR_IPV6, 20, {0x3f, 0xff}}, SPECIAL_OTHER},             /* RFC 9637: documentation */
	{{ADDR_IPV6, 7, {0xfc}}, SPECIAL_PRIVATE},                  /* RFC 4193: unique local */
	{{ADDR_IPV6, 10, {0xfe, 0x80}}, SPECIAL_LINK_LOCAL},        /* RFC 4291 s2.5.6 */
	{{ADDR_IPV6, 10, {0xfe, 0xc0}}, SPECIAL_PRIVATE}, /* RFC 3879: site-local, deprecated */
	{{ADDR_IPV6, 3, {0x20}}, SPECIAL_PUBLIC},         /* RFC 4291 s2.5.4 */
};

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;
	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

bool special_has_prefix(const struct addr *a, const struct special_prefix *prefix)
{
	return a->kind == prefix->kind && same_bits(a->bytes, prefix->bytes, prefix->bits);
}

/* The IPv4 addresses that may be embedded in an IPv6 address. */
struct embedded {
	unsigned count;
	uint8_t at[5][4];
};

static void add(struct embedded *embedded, const uint8_t ip[4])
{
	memcpy(embedded->at[embedded->count++], ip, 4);
}

/* RFC 8215: a network chooses its NAT64 prefix in this one. The length of that prefix is unknown to
 * other hosts; it is one of RFC 6052's. RFC 6052 s2.2 has the position of the IPv4 address for each
 * length; bits 64 to 71 are skipped. A reading with a wrong length begins with zero padding. */
static void add_nat64_local(struct embedded *embedded, const uint8_t *ip)
{
	const uint8_t readings[][4] = {
		{ip[6], ip[7], ip[9], ip[10]},   /* /48 */
		{ip[7], ip[9], ip[10], ip[11]},  /* /56 */
		{ip[9], ip[10], ip[11], ip[12]}, /* /64 */
		{ip[12], ip[13], ip[14], ip[15]} /* /96 */
	};
	for (unsigned i = 0; i < 4; i++)
		if (readings[i][0] != 0 || (i == 3 && embedded->count == 0))
			add(embedded, readings[i]);
}

/* RFC 5214 s6.1: an interface identifier, in any network. */
static bool is_isatap(const uint8_t *ip)
{
	return (ip[8] & 0xfd) == 0 && ip[9] == 0 && ip[10] == 0x5e && ip[11] == 0xfe;
}

static const uint8_t zero[16], loopback[16] = {[15] = 1};

static struct embedded embedded_in(const struct addr *a)
{
	static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff},
			     nat64[16] = {0x00, 0x64, 0xff, 0x9b},
			     nat64_local[16] = {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01},
			     six_to_four[16] = {0x20, 0x02}, teredo[16] = {0x20, 0x01};
	const uint8_t *ip = a->bytes;
	const uint8_t inverted[4] = {
		(uint8_t)~ip[12], (uint8_t)~ip[13], (uint8_t)~ip[14], (uint8_t)~ip[15]};
	struct embedded embedded = {0};

	if (a->kind != ADDR_IPV6 || addr_is_unspecified(a) || same_bits(ip, loopback, 128))
		return embedded;
	if (same_bits(ip, zero, 96) || same_bits(ip, mapped, 96) || same_bits(ip, nat64, 96))
		add(&embedded, ip + 12); /* RFC 4291 s2.5.5.1, s2.5.5.2; RFC 6052 s2.1 */
	else if (same_bits(ip, nat64_local, 48))
		add_nat64_local(&embedded, ip);
	else if (same_bits(ip, six_to_four, 16))
		add(&embedded, ip + 2); /* RFC 3056 s2 */
	else if (same_bits(ip, teredo, 32))
		add(&embedded, inverted); /* RFC 4380 s4: the Teredo client */
	if (is_isatap(ip))
		add(&embedded, ip + 12);
	return embedded;
}

struct addr special_embedded(const struct addr *a, unsigned n)
{
	const struct embedded embedded = embedded_in(a);
	const uint8_t *ip = n < embedded.count ? embedded.at[n] : a->bytes;

	if (n < embedded.count || (n == 0 && a->kind == ADDR_IPV4))
		return addr_of(
			ADDR_IPV4, same_bits(ip, zero, 32) ? addr_loopback.bytes : ip, 4, a->port);
	/* The owner of a network can choose an ISATAP identifier for any host: the address may also
	 * be reached itself. */
	if (n > 0 && !(n == embedded.count && is_isatap(ip)))
		return (struct addr){.kind = ADDR_NONE};
	return same_bits(ip, zero, 128) ? addr_of(ADDR_IPV6, loopback, 16, a->port) : *a;
}

enum special_class special_class_of(const struct addr *a)
{
	for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
		if (special_has_prefix(a, &blocks[i].prefix))
			return blocks[i].class;
	return a->kind == ADDR_IPV4 ? SPECIAL_PUBLIC : SPECIAL_OTHER;
}

enum special_class special_class_by(const struct addr *a, enum special_route route)
{
	if (route == SPECIAL_ROUTE_LOCAL)
		return SPECIAL_LOOPBACK;
	return route == SPECIAL_ROUTE_BROADCAST ? SPECIAL_OTHER : special_class_of(a);
}

const char *special_class_text(enum special_class c)
{
	static const char *const texts[] = {[SPECIAL_LOOPBACK] = "loopback",
		[SPECIAL_PRIVATE] = "private",
		[SPECIAL_LINK_LOCAL] = "link-local",
		[SPECIAL_PUBLIC] = "public",
		[SPECIAL_OTHER] = "special"};
	return texts[c];
}
