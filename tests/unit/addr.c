/* SPDX-License-Identifier: ISC */
/* wire/addr: distinguishes host names from numeric addresses, and writes each kind as text. */
#include "wire/addr.h"

#include "check.h"

static struct addr name_of(const char *name, size_t len)
{
	return addr_of(ADDR_NAME, name, (uint8_t)len, 80);
}

static bool is_hostname(const char *name, size_t len)
{
	const struct addr a = name_of(name, len);
	return addr_is_hostname(&a);
}

/* Writes a name of len bytes: labels of at most label_max bytes, separated by dots. */
static void fill_name(char *name, size_t len, size_t label_max)
{
	for (size_t i = 0; i < len; i++)
		name[i] = i % (label_max + 1) == label_max && i + 1 < len ? '.' : 'a';
}

static void recognizes_host_names(void)
{
	static const char *const valid[] = {"a", "example.com", "EXAMPLE.COM", "example.com.",
		"a.b", "a.b.", "x-1.example", "_dmarc.example.com", "a_b", "3com.com", "1.2.3.com",
		"1a", "0x7g", "0xg", "x7f", "1x0", "0x7f.com", "0b1", "xn--nxasmq6b", "com0", "0.a",
		"-"};
	static const char *const invalid[] = {"", ".", "..", "a..b", "a..", ".a", ".a.", "a b",
		"a\n", "\ta", "a\033b", "a\177", "a\200", "\303\244", "a/b", "a@b", "a:80", "a%b",
		"[::1]", "::1", "a,b", "a*b", "`", "{", "@", "[", "a\\b", "a\"b", "a=b", "*"};
	/* inet_aton(3) and getaddrinfo(3) parse these as addresses. */
	static const char *const numbers[] = {"0", "1", "127.1", "127.0.0.1", "127.0.0.1.", "1.",
		"2130706433", "017700000001", "0x7f000001", "0X7F000001", "0x", "0X", "0x.", "0x0",
		"0x7f", "0xABCDEF", "0xabcdef.", "127.0x1", "example.1", "example.0x1f", "a.0X",
		"1.2.3.4.5", "99999999999999999999"};

	EACH_TEXT(text, valid)
		CHECK(is_hostname(text, strlen(text)));
	EACH_TEXT(text, invalid)
		CHECK(!is_hostname(text, strlen(text)));
	EACH_TEXT(text, numbers)
		CHECK(!is_hostname(text, strlen(text)));
}

static void a_label_has_letters_digits_hyphens_and_underscores(void)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.";
	for (unsigned i = 0; i < 256; i++) {
		const char name[] = {'a', (char)i, 'b'};
		char about[16];
		snprintf(about, sizeof about, "byte %02x", i);
		check_about = about;
		CHECK_NUMBER(
			is_hostname(name, sizeof name), i != 0 && strchr(allowed, (int)i) != NULL);
	}
}

/* RFC 1035 s2.3.4. A final dot does not count. */
static void limits_the_length_of_names_and_labels(void)
{
	static const char *const frames[][2] = {
		{"", ""}, {"", "."}, {"", ".com"}, {"www.", ""}, {"www.", ".com."}};
	char name[ADDR_NAME_MAX + 1], label[80], about[32];
	memset(label, 'x', sizeof label);
	for (size_t len = 1; len <= ADDR_NAME_MAX; len++) {
		snprintf(about, sizeof about, "%zu bytes", len);
		check_about = about;

		fill_name(name, len, 60);
		CHECK_NUMBER(is_hostname(name, len), len <= 253);

		name[len - 1] = 'a';
		if (len > 1 && name[len - 2] != '.') {
			name[len - 1] = '.';
			CHECK_NUMBER(is_hostname(name, len), len <= 254);
		}

		memset(name, 'a', len); /* a single label */
		CHECK_NUMBER(is_hostname(name, len), len <= 63);
		for (size_t i = 0; i < COUNT(frames) && len < 80; i++) {
			snprintf(name, sizeof name, "%s%.*s%s", frames[i][0], (int)len, label,
				frames[i][1]);
			CHECK_NUMBER(is_hostname(name, strlen(name)), len <= 63);
		}
	}
}

static void an_address_is_not_a_host_name(void)
{
	const struct addr others[] = {{.kind = ADDR_NONE}, addr_of(ADDR_IPV4, "aaaa", 4, 80),
		addr_of(ADDR_IPV6, "aaaaaaaaaaaaaaaa", 16, 80)};
	for (size_t i = 0; i < COUNT(others); i++)
		CHECK(!addr_is_hostname(&others[i]));
}

/* Values are compared by their bytes, so unused bytes must be zero. */
static void zeroes_unused_bytes(void)
{
	struct addr a = addr_of(ADDR_NAME, "example.com", 11, 65535), zero = {0};
	CHECK_NUMBER(a.kind, ADDR_NAME);
	CHECK_NUMBER(a.port, 65535);
	CHECK_NUMBER(a.len, 11);
	CHECK_STRING((const char *)a.bytes, "example.com");
	CHECK(memcmp(a.bytes + 11, zero.bytes, sizeof a.bytes - 11) == 0);

	char all[ADDR_NAME_MAX];
	memset(all, 'z', sizeof all);
	a = name_of(all, sizeof all);
	CHECK_NUMBER(a.len, 255);
	CHECK_BYTES(a.bytes, 255, all, sizeof all);
	CHECK_NUMBER(a.bytes[255], 0);

	a = addr_of(ADDR_NAME, "", 0, 1);
	CHECK_NUMBER(a.len, 0);
}

static void accepts_only_strict_literals(void)
{
	static const struct {
		const char *name;
		enum addr_kind kind;
		const char *text;
	} rows[] = {
		{"192.0.2.1", ADDR_IPV4, "192.0.2.1:80"},
		{"0.0.0.0", ADDR_IPV4, "0.0.0.0:80"},
		{"255.255.255.255", ADDR_IPV4, "255.255.255.255:80"},
		{"::", ADDR_IPV6, "[::]:80"},
		{"::1", ADDR_IPV6, "[::1]:80"},
		{"2001:DB8:0:0:0:0:0:1", ADDR_IPV6, "[2001:db8::1]:80"},
		{"64:ff9b::192.0.2.1", ADDR_IPV6, "[64:ff9b::c000:201]:80"},
	};
	static const char *const names[] = {"127.1", "0x7f.0.0.1", "0x7f000001", "2130706433",
		"127.0.0.01", "127.0.0.256", "127.0.0.1.", " 127.0.0.1", "127.0.0.1 ", "::1%1",
		"::1%lo", "[::1]", ":::", "1::2::3", "1:2:3:4:5:6:7", "", "example.com"};
	EACH_ROW(row, rows, name) {
		const struct addr name = name_of(row->name, strlen(row->name)),
				  a = addr_from_literal(&name);
		CHECK_NUMBER(a.kind, row->kind);
		CHECK_PUT(row->text, addr_put, &a);
	}
	EACH_TEXT(text, names) {
		const struct addr name = name_of(text, strlen(text)), a = addr_from_literal(&name);
		CHECK_NUMBER(a.kind, ADDR_NAME);
		CHECK_BYTES(&a, sizeof a, &name, sizeof name);
		CHECK_PUT(text, addr_put_host, &a);
	}
}

static void rejects_a_literal_followed_by_a_nul(void)
{
	struct addr name = name_of("127.0.0.1\0.example.com", 22), a = addr_from_literal(&name);
	CHECK_NUMBER(a.kind, ADDR_NAME);
	CHECK_NUMBER(a.len, 22);
	CHECK(!addr_is_hostname(&a));

	struct addr ipv4 = addr_of(ADDR_IPV4, "1.2.", 4, 80);
	a = addr_from_literal(&ipv4);
	CHECK_NUMBER(a.kind, ADDR_IPV4);
	CHECK_BYTES(a.bytes, a.len, "1.2.", 4);
}

/* RFC 4291 s2.5.5.2. Similar prefixes are not mapped addresses. */
static void unmaps_only_mapped_addresses(void)
{
	static const char *const mapped[] = {"127.0.0.1", "0.0.0.0", "255.255.255.255"};
	static const char *const others[] = {"::127.0.0.1", "::1", "::", "::fffe:127.0.0.1",
		"::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "1::ffff:127.0.0.1", "2001:db8::1"};

	EACH_TEXT(text, mapped) {
		char with_prefix[64];
		snprintf(with_prefix, sizeof with_prefix, "::ffff:%s", text);
		struct addr from = fuzz_address(with_prefix, 443), a = addr_unmapped(&from);
		struct addr want = fuzz_address(text, 443);
		CHECK_BYTES(&a, sizeof a, &want, sizeof want);
	}
	EACH_TEXT(text, others) {
		struct addr from = fuzz_address(text, 443), a = addr_unmapped(&from);
		CHECK_NUMBER(a.kind, ADDR_IPV6);
		CHECK_BYTES(&a, sizeof a, &from, sizeof from);
	}
	struct addr name = name_of("::ffff:127.0.0.1", 16), a = addr_unmapped(&name);
	CHECK_NUMBER(a.kind, ADDR_NAME);
}

/* RFC 5952 s4. */
static void writes_ipv6_in_canonical_form(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"0:0:0:0:0:0:0:0", "::"},
		{"0:0:0:0:0:0:0:1", "::1"},
		{"1:0:0:0:0:0:0:0", "1::"},
		{"2001:0db8:0:0:0:0:0:0001", "2001:db8::1"},      /* s4.1 leading zeros */
		{"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},        /* s4.2.1 as short as possible */
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, /* s4.2.2 not for one group */
		{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},          /* s4.2.3 longest run */
		{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},    /* s4.2.3 first of equal runs */
		{"2001:DB8::ABCD", "2001:db8::abcd"},             /* s4.3 lower case */
		{"0:1:0:1:0:1:0:1", "0:1:0:1:0:1:0:1"},
		{"0:0:1:1:1:1:0:0", "::1:1:1:1:0:0"},
		{"1:1:1:1:1:1:0:0", "1:1:1:1:1:1::"},
		{"0:1:1:1:1:1:1:1", "0:1:1:1:1:1:1:1"},
		{"1:1:1:1:1:1:1:0", "1:1:1:1:1:1:1:0"},
		{"0:0:0:1:0:0:0:0", "0:0:0:1::"},
		{"fe80::a00:27ff:fe00:1", "fe80::a00:27ff:fe00:1"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"100:10:1:f000:f00:f0:f:0", "100:10:1:f000:f00:f0:f:0"},
	};
	EACH_ROW(row, rows, text) {
		const struct addr a = fuzz_address(row->text, 443);
		CHECK_NUMBER(a.kind, ADDR_IPV6);
		CHECK_PUT(row->want, addr_put_host, &a);
	}
}

/* For every pattern of zero groups, the text has at most 39 bytes, and inet_pton(3) returns the
 * same address. */
static void inet_pton_reads_written_ipv6(void)
{
	for (unsigned zeros = 0; zeros < 256; zeros++) {
		uint8_t ip[16], back[16] = {0};
		char text[40] = {0};
		struct writer w = writer_on(text, sizeof text - 1);
		for (unsigned i = 0; i < 8; i++) {
			ip[2 * i] = zeros >> i & 1 ? 0 : (uint8_t)(i * 0x23);
			ip[2 * i + 1] = zeros >> i & 1 ? 0 : (uint8_t)(i + 1);
		}
		struct addr a = addr_of(ADDR_IPV6, ip, 16, 0);
		addr_put_host(&w, &a);
		check_about = text;
		CHECK(!w.full);
		CHECK(inet_pton(AF_INET6, text, back) == 1);
		CHECK_BYTES(back, 16, ip, 16);
	}
}

static void writes_each_kind(void)
{
	static const struct {
		enum addr_kind kind;
		const char *bytes;
		uint8_t len;
		uint16_t port;
		const char *host, *both;
	} rows[] = {
		{ADDR_IPV4, "\xc0\x00\x02\x01", 4, 80, "192.0.2.1", "192.0.2.1:80"},
		{ADDR_IPV4, "\xff\xff\xff\xff", 4, 65535, "255.255.255.255",
			"255.255.255.255:65535"},
		{ADDR_IPV6, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16, 0, "::1", "[::1]:0"},
		{ADDR_NAME, "example.com", 11, 443, "example.com", "example.com:443"},
		{ADDR_NAME, "a\nb\"\\\0c\xff", 8, 1, "a\\nb\\\"\\\\\\x00c\\xff",
			"\"a\\nb\\\"\\\\\\x00c\\xff\":1"},
		{ADDR_NAME, "", 0, 1, "", "\"\":1"},
		{ADDR_NAME, "::1", 3, 1, "::1", "\"::1\":1"},
		{ADDR_NAME, "192.0.2.1", 9, 1, "192.0.2.1", "192.0.2.1:1"},
	};
	EACH_ROW(row, rows, both) {
		const struct addr a = addr_of(row->kind, row->bytes, row->len, row->port);
		CHECK_PUT(row->host, addr_put_host, &a);
		CHECK_PUT(row->both, addr_put, &a);
	}
	CHECK_PUT("", addr_put_host, &(struct addr){.kind = ADDR_NONE});
}

int main(void)
{
	return CHECK_ALL(recognizes_host_names, a_label_has_letters_digits_hyphens_and_underscores,
		limits_the_length_of_names_and_labels, an_address_is_not_a_host_name,
		zeroes_unused_bytes, accepts_only_strict_literals,
		rejects_a_literal_followed_by_a_nul, unmaps_only_mapped_addresses,
		writes_ipv6_in_canonical_form, inet_pton_reads_written_ipv6, writes_each_kind);
}
