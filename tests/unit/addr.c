/* SPDX-License-Identifier: ISC */
/* wire/addr: which names are host names or addresses in disguise, and how each form is written. */
#include "wire/addr.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "check.h"

static struct addr name_of(const char *name, size_t len)
{
	return addr_of(ADDR_NAME, name, (uint8_t)len, 80);
}

static struct addr name_of_text(const char *name)
{
	check_about = name;
	return name_of(name, strlen(name));
}

/* A name of len bytes: labels of at most label_max bytes, each ended by a dot but the last. */
static void fill_name(char *name, size_t len, size_t label_max)
{
	for (size_t i = 0; i < len; i++)
		name[i] = i % (label_max + 1) == label_max && i + 1 < len ? '.' : 'a';
}

static void knows_host_names(void)
{
	static const char *const right[] = {"a", "example.com", "EXAMPLE.COM", "example.com.",
		"a.b", "a.b.", "x-1.example", "_dmarc.example.com", "a_b", "3com.com", "1.2.3.com",
		"1a", "0x7g", "0xg", "x7f", "1x0", "0x7f.com", "0b1", "xn--nxasmq6b", "com0", "0.a",
		"-"};
	static const char *const wrong[] = {"", ".", "..", "a..b", "a..", ".a", ".a.", "a b", "a\n",
		"\ta", "a\033b", "a\177", "a\200", "\303\244", "a/b", "a@b", "a:80", "a%b", "[::1]",
		"::1", "a,b", "a*b", "`", "{", "@", "[", "a\\b", "a\"b", "a=b", "*"};

	for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
		struct addr a = name_of_text(right[i]);
		CHECK(addr_is_hostname(&a));
	}
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct addr a = name_of_text(wrong[i]);
		CHECK(!addr_is_hostname(&a));
	}
	check_about = NULL;
}

/* All that inet_aton(3), and so getaddrinfo(3), takes for an address. */
static void refuses_numbers(void)
{
	static const char *const numbers[] = {"0", "1", "127.1", "127.0.0.1", "127.0.0.1.", "1.",
		"2130706433", "017700000001", "0x7f000001", "0X7F000001", "0x", "0X", "0x.", "0x0",
		"0x7f", "0xABCDEF", "0xabcdef.", "127.0x1", "example.1", "example.0x1f", "a.0X",
		"1.2.3.4.5", "99999999999999999999"};
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		struct addr a = name_of_text(numbers[i]);
		CHECK(!addr_is_hostname(&a));
	}
	check_about = NULL;
}

static void knows_which_bytes_a_label_has(void)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.";
	for (unsigned i = 0; i < 256; i++) {
		const char name[] = {'a', (char)i, 'b'};
		struct addr a = name_of(name, sizeof name);
		char about[16];
		snprintf(about, sizeof about, "byte %02x", i);
		check_about = about;
		CHECK_NUMBER(addr_is_hostname(&a), i != 0 && strchr(allowed, (int)i) != NULL);
	}
	check_about = NULL;
}

/* RFC 1035 s2.3.4. The dot at the end does not count. */
static void knows_the_longest_name_and_label(void)
{
	char name[ADDR_NAME_MAX + 1];
	for (size_t len = 1; len <= ADDR_NAME_MAX; len++) {
		char about[32];
		snprintf(about, sizeof about, "%zu bytes", len);
		check_about = about;

		fill_name(name, len, 60);
		struct addr a = name_of(name, len);
		CHECK_NUMBER(addr_is_hostname(&a), len <= 253);

		name[len - 1] = 'a';
		if (len > 1 && name[len - 2] != '.') {
			name[len - 1] = '.';
			a = name_of(name, len);
			CHECK_NUMBER(addr_is_hostname(&a), len <= 254);
		}

		memset(name, 'a', len); /* one label */
		a = name_of(name, len);
		CHECK_NUMBER(addr_is_hostname(&a), len <= 63);
	}
	check_about = NULL;
}

static void knows_the_longest_label_wherever_it_stands(void)
{
	for (size_t len = 62; len <= 65; len++) {
		static const char *const frames[] = {
			"%s", "%s.", "%s.com", "www.%s", "www.%s.com."};
		char label[80] = {0};
		memset(label, 'x', len);
		for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
			char name[128];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			snprintf(name, sizeof name, frames[i], label);
#pragma GCC diagnostic pop
			struct addr a = name_of_text(name);
			CHECK_NUMBER(addr_is_hostname(&a), len <= 63);
		}
	}
	check_about = NULL;
}

static void only_a_name_is_a_host_name(void)
{
	struct addr none = {.kind = ADDR_NONE};
	struct addr ipv4 = addr_of(ADDR_IPV4, "aaaa", 4, 80);
	struct addr ipv6 = addr_of(ADDR_IPV6, "aaaaaaaaaaaaaaaa", 16, 80);
	CHECK(!addr_is_hostname(&none));
	CHECK(!addr_is_hostname(&ipv4));
	CHECK(!addr_is_hostname(&ipv6));
}

/* A value compares by its bytes: what it does not use is zero, whatever was there before. */
static void holds_plain_values(void)
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

static void takes_strict_literals_only(void)
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
		{"127.1", ADDR_NAME, "127.1:80"},
		{"0x7f.0.0.1", ADDR_NAME, "0x7f.0.0.1:80"},
		{"0x7f000001", ADDR_NAME, "0x7f000001:80"},
		{"2130706433", ADDR_NAME, "2130706433:80"},
		{"127.0.0.01", ADDR_NAME, "127.0.0.01:80"},
		{"127.0.0.256", ADDR_NAME, "127.0.0.256:80"},
		{"127.0.0.1.", ADDR_NAME, "127.0.0.1.:80"},
		{" 127.0.0.1", ADDR_NAME, " 127.0.0.1:80"},
		{"127.0.0.1 ", ADDR_NAME, "127.0.0.1 :80"},
		{"::1%1", ADDR_NAME, "::1%1:80"},
		{"::1%lo", ADDR_NAME, "::1%lo:80"},
		{"[::1]", ADDR_NAME, "[::1]:80"},
		{":::", ADDR_NAME, ":::80"},
		{"1::2::3", ADDR_NAME, "1::2::3:80"},
		{"1:2:3:4:5:6:7", ADDR_NAME, "1:2:3:4:5:6:7:80"},
		{"", ADDR_NAME, ":80"},
		{"example.com", ADDR_NAME, "example.com:80"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char text[ADDR_NAME_MAX];
		struct writer w = writer_on(text, sizeof text);
		struct addr name = name_of_text(rows[i].name), a = addr_from_literal(&name);
		CHECK_NUMBER(a.kind, rows[i].kind);
		addr_put(&w, &a);
		if (strcmp(rows[i].name, ":::") != 0)
			CHECK_TEXT(w, rows[i].text);
	}
	check_about = NULL;
}

static void takes_no_literal_with_a_nul_behind_it(void)
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

static struct addr ipv6_of(const char *text)
{
	uint8_t ip[16] = {0};
	CHECK(inet_pton(AF_INET6, text, ip) == 1);
	return addr_of(ADDR_IPV6, ip, 16, 443);
}

/* RFC 4291 s2.5.5.2; a neighbour of that form is none. */
static void unmaps_mapped_addresses_only(void)
{
	static const char *const mapped[][2] = {
		{"::ffff:127.0.0.1", "127.0.0.1:443"},
		{"::ffff:0.0.0.0", "0.0.0.0:443"},
		{"::ffff:255.255.255.255", "255.255.255.255:443"},
	};
	static const char *const others[] = {"::127.0.0.1", "::1", "::", "::fffe:127.0.0.1",
		"::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "1::ffff:127.0.0.1", "2001:db8::1"};

	for (size_t i = 0; i < sizeof mapped / sizeof mapped[0]; i++) {
		char text[64];
		struct writer w = writer_on(text, sizeof text);
		check_about = mapped[i][0];
		struct addr from = ipv6_of(mapped[i][0]), a = addr_unmapped(&from);
		CHECK_NUMBER(a.kind, ADDR_IPV4);
		CHECK_NUMBER(a.len, 4);
		addr_put(&w, &a);
		CHECK_TEXT(w, mapped[i][1]);
	}
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		check_about = others[i];
		struct addr from = ipv6_of(others[i]), a = addr_unmapped(&from);
		CHECK_BYTES(&a, sizeof a, &from, sizeof from);
	}
	check_about = NULL;
	struct addr name = name_of("::ffff:127.0.0.1", 16), a = addr_unmapped(&name);
	CHECK_NUMBER(a.kind, ADDR_NAME);
}

/* RFC 5952 s4. */
static void writes_ipv6_in_the_one_right_way(void)
{
	static const char *const rows[][2] = {
		{"0:0:0:0:0:0:0:0", "::"},
		{"0:0:0:0:0:0:0:1", "::1"},
		{"1:0:0:0:0:0:0:0", "1::"},
		{"2001:0db8:0:0:0:0:0:0001", "2001:db8::1"},      /* s4.1 leading zeros */
		{"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},        /* s4.2.1 as short as it can be */
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, /* s4.2.2 not for one group */
		{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},          /* s4.2.3 the longest run */
		{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},    /* s4.2.3 the first of equals */
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
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char text[64];
		struct writer w = writer_on(text, sizeof text);
		check_about = rows[i][0];
		struct addr a = ipv6_of(rows[i][0]);
		addr_put_host(&w, &a);
		CHECK_TEXT(w, rows[i][1]);
	}
	check_about = NULL;
}

/* Every pattern of zero groups comes back from inet_pton(3), in at most 39 bytes. */
static void writes_ipv6_that_reads_back(void)
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
	check_about = NULL;
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
			"a\\nb\\\"\\\\\\x00c\\xff:1"},
		{ADDR_NAME, "", 0, 1, "", ":1"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char text[64];
		struct addr a = addr_of(rows[i].kind, rows[i].bytes, rows[i].len, rows[i].port);
		struct writer w = writer_on(text, sizeof text);
		addr_put_host(&w, &a);
		CHECK_TEXT(w, rows[i].host);
		w = writer_on(text, sizeof text);
		addr_put(&w, &a);
		CHECK_TEXT(w, rows[i].both);
	}

	char text[8];
	struct writer w = writer_on(text, sizeof text);
	addr_put_host(&w, &(struct addr){.kind = ADDR_NONE});
	CHECK_NUMBER(w.len, 0);
}

int main(void)
{
	knows_host_names();
	refuses_numbers();
	knows_which_bytes_a_label_has();
	knows_the_longest_name_and_label();
	knows_the_longest_label_wherever_it_stands();
	only_a_name_is_a_host_name();
	holds_plain_values();
	takes_strict_literals_only();
	takes_no_literal_with_a_nul_behind_it();
	unmaps_mapped_addresses_only();
	writes_ipv6_in_the_one_right_way();
	writes_ipv6_that_reads_back();
	writes_each_kind();
	return check_end();
}
