/* SPDX-License-Identifier: ISC */
/* wire/socks5: the header of datagrams (RFC 1928 s7), cut anywhere; and the same, written. */
#include "check.h"
#include "wire/annotate.h"
#include "wire/hex.h"
#include "wire/socks5.h"

static const struct row {
	enum socks5_datagram kind;
	const char *where; /* NULL: malformed */
	const char *bytes; /* hex text, the header */
} rows[] = {
	{SOCKS5_DATAGRAM_WHOLE, "192.0.2.1:53", "00 00 00 01 c0 00 02 01 00 35"},
	{SOCKS5_DATAGRAM_WHOLE, "0.0.0.0:0", "00 00 00 01 00 00 00 00 00 00"},
	{SOCKS5_DATAGRAM_WHOLE, "[2001:db8::1]:443",
		"00 00 00 04 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 01 bb"},
	{SOCKS5_DATAGRAM_WHOLE, "example.com:53", "00 00 00 03 0b \"example.com\" 00 35"},
	{SOCKS5_DATAGRAM_WHOLE, ":53",
		"00 00 00 03 00 00 35"}, /* whether it is a name is not syntax */
	{SOCKS5_DATAGRAM_FRAGMENT, "192.0.2.1:53", "00 00 01 01 c0 00 02 01 00 35"},
	{SOCKS5_DATAGRAM_FRAGMENT, "192.0.2.1:53", "00 00 80 01 c0 00 02 01 00 35"},
	{SOCKS5_DATAGRAM_FRAGMENT, "192.0.2.1:53", "00 00 ff 01 c0 00 02 01 00 35"},
	{SOCKS5_DATAGRAM_MALFORMED, NULL, ""},
	{SOCKS5_DATAGRAM_MALFORMED, NULL, "00 01 00 01 c0 00 02 01 00 35"},
	{SOCKS5_DATAGRAM_MALFORMED, NULL, "01 00 00 01 c0 00 02 01 00 35"},
	{SOCKS5_DATAGRAM_MALFORMED, NULL, "00 00 00 00 c0 00 02 01 00 35"},
	{SOCKS5_DATAGRAM_MALFORMED, NULL, "00 00 00 02 c0 00 02 01 00 35"},
	{SOCKS5_DATAGRAM_MALFORMED, NULL, "00 00 00 05 c0 00 02 01 00 35"},
	{SOCKS5_DATAGRAM_MALFORMED, NULL, "05 01 00 01 c0 00 02 01 00 35"}, /* a request */
};

enum { DATA = 20 };

/* The bytes and, behind them, data. */
static size_t bytes_of(const struct row *row, uint8_t *bytes, size_t cap)
{
	struct writer w = writer_on(bytes, cap);
	struct hex h = hex_start();

	CHECK(hex_read(&h, row->bytes, strlen(row->bytes), &w) && hex_end(&h));
	memset(bytes + w.len, 0xff, cap - w.len);
	return w.len;
}

static void checks_where(const struct addr *dst, const char *where)
{
	char text[64];
	struct writer w = writer_on(text, sizeof text);

	addr_put(&w, dst);
	CHECK_TEXT(w, where);
}

/* Every cut is malformed and leaves outputs as they were; what follows the header is not looked
 * at. */
static void reads(const struct row *row)
{
	uint8_t bytes[64];
	size_t len = bytes_of(row, bytes, sizeof bytes);

	for (size_t cut = 0; cut <= len + DATA; cut++) {
		struct addr dst = {.port = 4711};
		size_t used = 4712;
		enum socks5_datagram kind = socks5_parse_datagram(bytes, cut, &used, &dst);
		if (cut < len || !row->where) {
			CHECK_NUMBER(kind, SOCKS5_DATAGRAM_MALFORMED);
			CHECK(used == 4712 && dst.port == 4711);
			continue;
		}
		CHECK_NUMBER(kind, row->kind);
		CHECK_NUMBER(used, len);
		checks_where(&dst, row->where);
	}
}

static void writes(const struct row *row)
{
	uint8_t bytes[64], again[64];
	size_t len = bytes_of(row, bytes, sizeof bytes), used;
	struct addr from;
	struct writer w = writer_on(again, sizeof again);

	if (socks5_parse_datagram(bytes, len, &used, &from) != SOCKS5_DATAGRAM_WHOLE)
		return;
	socks5_put_datagram(&w, &from);
	CHECK_BYTES(w.bytes, w.len, bytes, len);
	if (from.kind == ADDR_IPV4)
		CHECK_NUMBER(w.len, SOCKS5_DATAGRAM_IPV4_LEN);
	if (from.kind == ADDR_IPV6)
		CHECK_NUMBER(w.len, SOCKS5_DATAGRAM_IPV6_LEN);
}

static void is_shown_to_people(void)
{
	char text[1024];
	struct writer w = writer_on(text, sizeof text);

	annotate_message(&w, SOCKS5_DATAGRAM, (const uint8_t *)"\0\0\1\1\300\0\2\1\0\65hi", 12);
	CHECK_TEXT(w,
		"00                                               # RSV 0\n"
		"00                                               # RSV 0\n"
		"01                                               # FRAG 1\n"
		"01                                               # ATYP IPv4\n"
		"c0 00 02 01                                      # DST.ADDR 192.0.2.1\n"
		"00 35                                            # DST.PORT 53\n"
		"68 69                                            # \"hi\"\n");
}

int main(void)
{
	EACH_ROW(row, rows, bytes) {
		reads(row);
		writes(row);
	}
	is_shown_to_people();
	return check_end();
}
