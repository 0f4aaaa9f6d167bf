/* SPDX-License-Identifier: ISC */
/* What kind of place an address is: the special-purpose registries of IANA.
 * Knows: RFC 6890's registries, and which addresses carry another one inside.
 * Does not know: rules. */
#include "policy/special.h"

#include <string.h>

struct block {
	uint8_t bytes[16]; /* 4 used for IPv4 */
	uint8_t bits;
	enum special_class class;
};

/* https://www.iana.org/assignments/iana-ipv4-special-registry, and multicast. The longest prefix
 * comes first where one is inside another. What is in no row is public. */
static const struct block ipv4_blocks[] = {
	{{0}, 8, SPECIAL_OTHER},              /* RFC 791 s3.2: "this network" */
	{{10}, 8, SPECIAL_PRIVATE},           /* RFC 1918 */
	{{100, 64}, 10, SPECIAL_PRIVATE},     /* RFC 6598: shared address space */
	{{127}, 8, SPECIAL_LOOPBACK},         /* RFC 1122 s3.2.1.3 */
	{{169, 254}, 16, SPECIAL_LINK_LOCAL}, /* RFC 3927: also where clouds keep metadata */
	{{172, 16}, 12, SPECIAL_PRIVATE},     /* RFC 1918 */
	{{192, 0, 0}, 24, SPECIAL_OTHER},     /* RFC 6890 s2.1: protocol assignments */
	{{192, 0, 2}, 24, SPECIAL_OTHER},     /* RFC 5737: documentation */
	{{192, 88, 99}, 24, SPECIAL_OTHER},   /* RFC 7526: 6to4 relay anycast, deprecated */
	{{192, 168}, 16, SPECIAL_PRIVATE},    /* RFC 1918 */
	{{198, 18}, 15, SPECIAL_OTHER},       /* RFC 2544: benchmarking */
	{{198, 51, 100}, 24, SPECIAL_OTHER},  /* RFC 5737: documentation */
	{{203, 0, 113}, 24, SPECIAL_OTHER},   /* RFC 5737: documentation */
	{{224}, 4, SPECIAL_OTHER},            /* RFC 5771: multicast */
	{{240}, 4, SPECIAL_OTHER},            /* RFC 1112 s4: reserved; 255.255.255.255 */
};

/* https://www.iana.org/assignments/iana-ipv6-special-registry. Global unicast is 2000::/3 (RFC 4291
 * s2.4, as far as it is assigned): what is in no row and not in there is special. */
static const struct block ipv6_blocks[] = {
	{{[15] = 1}, 128, SPECIAL_LOOPBACK},           /* RFC 4291 s2.5.3 */
	{{0x20, 0x01}, 23, SPECIAL_OTHER},             /* RFC 2928: protocol assignments */
	{{0x20, 0x01, 0x0d, 0xb8}, 32, SPECIAL_OTHER}, /* RFC 3849: documentation */
	{{0x3f, 0xff}, 20, SPECIAL_OTHER},             /* RFC 9637: documentation */
	{{0xfc}, 7, SPECIAL_PRIVATE},                  /* RFC 4193: unique local */
	{{0xfe, 0x80}, 10, SPECIAL_LINK_LOCAL},        /* RFC 4291 s2.5.6 */
	{{0xfe, 0xc0}, 10, SPECIAL_PRIVATE},           /* RFC 3879: site-local, deprecated */
	{{0x20}, 3, SPECIAL_PUBLIC},                   /* RFC 4291 s2.5.4 */
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

/* IPv4 addresses that may lie inside an IPv6 one. */
struct embedded {
	unsigned count;
	uint8_t at[5][4];
};

static void add(struct embedded *insides, const uint8_t ip[4])
{
	memcpy(insides->at[insides->count++], ip, 4);
}

/* RFC 8215: a network cuts its own NAT64 prefix, of any of RFC 6052's lengths, out of this one, and
 * nobody outside can tell which; s2.2 there says where the IPv4 address lies in each, around the
 * octet "u", bits 64 to 71. Where another one is meant, a reading begins with that one's padding.
 */
static void add_nat64_local(struct embedded *insides, const uint8_t *ip)
{
	const uint8_t readings[][4] = {
		{ip[6], ip[7], ip[9], ip[10]},   /* /48 */
		{ip[7], ip[9], ip[10], ip[11]},  /* /56 */
		{ip[9], ip[10], ip[11], ip[12]}, /* /64 */
		{ip[12], ip[13], ip[14], ip[15]} /* /96 */
	};
	for (unsigned i = 0; i < 4; i++)
		if (readings[i][0] != 0 || (i == 3 && insides->count == 0))
			add(insides, readings[i]);
}

/* RFC 4380 s4: the client's address, all bits inverted. */
static void add_teredo(struct embedded *insides, const uint8_t *ip)
{
	const uint8_t client[4] = {
		(uint8_t)~ip[12], (uint8_t)~ip[13], (uint8_t)~ip[14], (uint8_t)~ip[15]};
	add(insides, client);
}

/* RFC 5214 s6.1: the interface identifier, whatever the network. */
static bool is_isatap(const uint8_t *ip)
{
	return (ip[8] & 0xfd) == 0 && ip[9] == 0 && ip[10] == 0x5e && ip[11] == 0xfe;
}

static const uint8_t zero[16], loopback[16] = {[15] = 1};

static struct embedded insides_of(const struct addr *a)
{
	static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff},
			     nat64[16] = {0x00, 0x64, 0xff, 0x9b},
			     nat64_local[16] = {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01},
			     six_to_four[16] = {0x20, 0x02}, teredo[16] = {0x20, 0x01};
	const uint8_t *ip = a->bytes;
	struct embedded insides = {0};

	if (same_bits(ip, zero, 128) || same_bits(ip, loopback, 128))
		return insides;
	if (same_bits(ip, zero, 96) || same_bits(ip, mapped, 96) || same_bits(ip, nat64, 96))
		add(&insides, ip + 12); /* RFC 4291 s2.5.5.1, s2.5.5.2; RFC 6052 s2.1 */
	else if (same_bits(ip, nat64_local, 48))
		add_nat64_local(&insides, ip);
	else if (same_bits(ip, six_to_four, 16))
		add(&insides, ip + 2); /* RFC 3056 s2 */
	else if (same_bits(ip, teredo, 32))
		add_teredo(&insides, ip);
	if (is_isatap(ip))
		add(&insides, ip + 12);
	return insides;
}

struct addr special_embedded(const struct addr *a, unsigned n)
{
	static const uint8_t loopback_ipv4[4] = {127, 0, 0, 1};
	const struct embedded insides =
		a->kind == ADDR_IPV6 ? insides_of(a) : (struct embedded){.count = 0};
	const uint8_t *ip = n < insides.count ? insides.at[n] : a->bytes;

	if (n < insides.count || (n == 0 && a->kind == ADDR_IPV4))
		return addr_of(ADDR_IPV4, same_bits(ip, zero, 32) ? loopback_ipv4 : ip, 4, a->port);
	/* Whoever has the network chooses the identifier: the address itself may be what is meant.
	 */
	if (n > 0 && !(n == insides.count && is_isatap(ip)))
		return (struct addr){.kind = ADDR_NONE};
	return same_bits(ip, zero, 128) ? addr_of(ADDR_IPV6, loopback, 16, a->port) : *a;
}

static enum special_class class_in(
	const struct addr *a, const struct block *blocks, size_t count, enum special_class other)
{
	for (size_t i = 0; i < count; i++)
		if (same_bits(a->bytes, blocks[i].bytes, blocks[i].bits))
			return blocks[i].class;
	return other;
}

static enum special_class class_of_ipv4(const struct addr *a)
{
	return class_in(a, ipv4_blocks, sizeof ipv4_blocks / sizeof ipv4_blocks[0], SPECIAL_PUBLIC);
}

enum special_class special_class_of(const struct addr *a)
{
	if (a->kind == ADDR_IPV4)
		return class_of_ipv4(a);
	return class_in(a, ipv6_blocks, sizeof ipv6_blocks / sizeof ipv6_blocks[0], SPECIAL_OTHER);
}

const char *special_class_text(enum special_class c)
{
	switch (c) {
	case SPECIAL_LOOPBACK:
		return "loopback";
	case SPECIAL_PRIVATE:
		return "private";
	case SPECIAL_LINK_LOCAL:
		return "link-local";
	case SPECIAL_PUBLIC:
		return "public";
	case SPECIAL_OTHER:
		break;
	}
	return "special";
}
