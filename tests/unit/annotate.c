/* SPDX-License-Identifier: ISC */
/* text/annotate: an annotated message is hex text and contains no password. */
#include "text/annotate.h"

#include "check.h"

enum { TEXT_MAX = 64 * 1024 };

#define PAD "                                             "

static char text_bytes[TEXT_MAX];

static struct writer annotated(enum socks5_message message, const void *bytes, size_t len)
{
	struct writer w = writer_on(text_bytes, sizeof text_bytes);
	annotate_message(&w, message, bytes, len);
	return w;
}

static void shows_each_message(void)
{
	static const struct {
		enum socks5_message message;
		const char *bytes;
		size_t len;
		const char *text;
	} rows[] = {
		{SOCKS5_METHODS, "\5\3\0\2\x80", 5,
			"05 " PAD " # VER 5\n"
			"03 " PAD " # NMETHODS 3\n"
			"00 " PAD " # METHODS no authentication required\n"
			"02 " PAD " # METHODS username/password\n"
			"80 " PAD " # METHODS private\n"},
		{SOCKS5_METHOD, "\5\xff", 2,
			"05 " PAD " # VER 5\n"
			"ff " PAD " # METHOD no acceptable methods\n"},
		{SOCKS5_LOGIN, "\1\5alice\6secret", 14,
			"01 " PAD " # VER 1\n"
			"05 " PAD " # ULEN 5\n"
			"61 6c 69 63 65                                   # UNAME \"alice\"\n"
			"06 " PAD " # PLEN 6\n"
			"** ** ** ** ** **                                # PASSWD (not shown)\n"},
		{SOCKS5_LOGIN_STATUS, "\1\0", 2,
			"01 " PAD " # VER 1\n"
			"00 " PAD " # STATUS success\n"},
		{SOCKS5_LOGIN_STATUS, "\1\1", 2,
			"01 " PAD " # VER 1\n"
			"01 " PAD " # STATUS failure\n"},
		{SOCKS5_REQUEST,
			"\5\1\0\3\x0b"
			"example.com\0\x50",
			18,
			"05 " PAD " # VER 5\n"
			"01 " PAD " # CMD CONNECT\n"
			"00 " PAD " # RSV 0\n"
			"03 " PAD " # ATYP domain name\n"
			"0b " PAD " # LEN 11\n"
			"65 78 61 6d 70 6c 65 2e 63 6f 6d                 # DST.ADDR "
			"\"example.com\"\n"
			"00 50                                            # DST.PORT 80\n"},
		{SOCKS5_REPLY, "\5\5\0\1\0\0\0\0\0\0", 10,
			"05 " PAD " # VER 5\n"
			"05 " PAD " # REP connection refused\n"
			"00 " PAD " # RSV 0\n"
			"01 " PAD " # ATYP IPv4\n"
			"00 00 00 00                                      # BND.ADDR 0.0.0.0\n"
			"00 00                                            # BND.PORT 0\n"},
		{SOCKS5_REPLY, "\5\0\0\4\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\1\xbb", 22,
			"05 " PAD " # VER 5\n"
			"00 " PAD " # REP succeeded\n"
			"00 " PAD " # RSV 0\n"
			"04 " PAD " # ATYP IPv6\n"
			"20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01  # BND.ADDR 2001:db8::1\n"
			"01 bb                                            # BND.PORT 443\n"},
		{SOCKS4_REQUEST, "\4\1\0\x50\xc0\0\2\1bob\0", 12,
			"04 " PAD " # VN 4\n"
			"01 " PAD " # CD CONNECT\n"
			"00 50                                            # DSTPORT 80\n"
			"c0 00 02 01                                      # DSTIP 192.0.2.1\n"
			"62 6f 62                                         # USERID \"bob\"\n"
			"00 " PAD " # NUL\n"},
		{SOCKS4_REQUEST, "\4\2\0\x50\0\0\0\1\0example.com\0", 21,
			"04 " PAD " # VN 4\n"
			"02 " PAD " # CD BIND\n"
			"00 50                                            # DSTPORT 80\n"
			"00 00 00 01                                      # DSTIP 0.0.0.1\n"
			"00 " PAD " # NUL\n"
			"65 78 61 6d 70 6c 65 2e 63 6f 6d                 # DOMAIN "
			"\"example.com\"\n"
			"00 " PAD " # NUL\n"},
		{SOCKS4_REPLY, "\0\x5b\0\0\0\0\0\0", 8,
			"00 " PAD " # VN 0\n"
			"5b " PAD " # CD request rejected or failed\n"
			"00 00                                            # DSTPORT 0\n"
			"00 00 00 00                                      # DSTIP 0.0.0.0\n"},
		/* an address of unknown length: the bytes after it are not annotated as a port */
		{SOCKS5_REQUEST, "\5\1\0\2\xc0\0\2\1\0\x50", 10,
			"05 " PAD " # VER 5\n"
			"01 " PAD " # CMD CONNECT\n"
			"00 " PAD " # RSV 0\n"
			"02 " PAD " # ATYP unassigned\n"
			"c0 00 02 01 00 50                                # "
			"\"\\xc0\\x00\\x02\\x01\\x00P\"\n"},
		{SOCKS5_REQUEST, "\5\1\0\1\xc0\0\2", 7,
			"05 " PAD " # VER 5\n"
			"01 " PAD " # CMD CONNECT\n"
			"00 " PAD " # RSV 0\n"
			"01 " PAD " # ATYP IPv4\n"
			"c0 00 02                                         # \"\\xc0\\x00\\x02\"\n"},
		{SOCKS5_DATAGRAM, "\0\0\1\1\300\0\2\1\0\65hi", 12,
			"00 " PAD " # RSV 0\n"
			"00 " PAD " # RSV 0\n"
			"01 " PAD " # FRAG 1\n"
			"01 " PAD " # ATYP IPv4\n"
			"c0 00 02 01                                      # DST.ADDR 192.0.2.1\n"
			"00 35                                            # DST.PORT 53\n"
			"68 69                                            # \"hi\"\n"},
	};
	EACH_ROW(row, rows, text) {
		struct writer w = annotated(row->message, row->bytes, row->len);
		CHECK_TEXT(w, row->text);
	}
}

static void shows_data_sixteen_bytes_a_line(void)
{
	CHECK_PUT("30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  # \"0123456789abcdef\"\n"
		  "22 0a 1b                                         # \"\\\"\\n\\x1b\"\n",
		annotate_data, (const uint8_t *)"0123456789abcdef\"\n\x1b", 19);
	CHECK_PUT("", annotate_data, NULL, 0);
}

/* Fills bytes with a message of this kind and further bytes. */
static void fill(uint8_t *bytes, size_t len, enum socks5_message message, unsigned seed)
{
	static const uint8_t starts[][6] = {
		[SOCKS5_METHODS] = {5, 255},
		[SOCKS5_METHOD] = {5, 0},
		[SOCKS5_LOGIN] = {5, 255},
		[SOCKS5_LOGIN_STATUS] = {1, 0},
		[SOCKS5_REQUEST] = {5, 1, 0, 3, 255},
		[SOCKS5_REPLY] = {5, 0, 0, 4},
		[SOCKS4_REQUEST] = {4, 1, 8, 80, 0, 0},
		[SOCKS4_REPLY] = {0, 0x5a, 0, 80, 192, 0},
	};
	for (size_t i = 0; i < len; i++)
		bytes[i] = i < 5 ? starts[message][i] : (uint8_t)(i * 37 + seed);
	if (message == SOCKS5_REQUEST || message == SOCKS5_REPLY)
		bytes[3] = (uint8_t)(1 + seed % 5);
}

/* The text of a complete, incomplete or longer message is hex text of the same bytes, in lines of
 * printable characters. ANNOTATE_MAX bytes are enough. */
static void is_hex_text(enum socks5_message message, unsigned with)
{
	uint8_t bytes[SOCKS5_LOGIN_MAX];
	fill(bytes, sizeof bytes, message, with);
	for (size_t len = 0; len <= sizeof bytes; len++) {
		struct writer w = annotated(message, bytes, len);
		CHECK(fuzz_is_hex_of(&w, bytes, len));
		CHECK(w.len <= ANNOTATE_MAX);
		CHECK(len == 0 || w.bytes[w.len - 1] == '\n');
		CHECK(fuzz_is_harmless(w.bytes, w.len, true));
	}
}

static void are_hex_text(void)
{
	static const enum socks5_message messages[] = {SOCKS5_METHODS, SOCKS5_METHOD,
		SOCKS5_LOGIN_STATUS, SOCKS5_REQUEST, SOCKS5_REPLY, SOCKS4_REQUEST, SOCKS4_REPLY};
	for (size_t i = 0; i < COUNT(messages); i++) {
		bool has_atyp = messages[i] == SOCKS5_REQUEST || messages[i] == SOCKS5_REPLY;
		for (unsigned with = 0; with < (has_atyp ? 5 : 1); with++)
			is_hex_text(messages[i], with);
	}
}

static bool contains(const struct writer *w, const char *text)
{
	return memmem(w->bytes, w->len, text, strlen(text)) != NULL;
}

/* Tests passwords of every length, in complete and incomplete messages and in one of another
 * version. */
static void never_shows_a_password(void)
{
	for (unsigned len = 1; len < 256; len++) {
		uint8_t bytes[SOCKS5_LOGIN_MAX] = {1, 3, 'b', 'o', 'b', (uint8_t)len};
		memset(bytes + 6, 'Q', len);
		for (size_t cut = 6; cut <= 6 + len; cut++) {
			struct writer w = annotated(SOCKS5_LOGIN, bytes, cut);
			CHECK(!contains(&w, "51 51") && !contains(&w, "Q"));
			CHECK(contains(&w, "\"bob\""));
		}
		bytes[0] = 5;
		struct writer w = annotated(SOCKS5_LOGIN, bytes, 6 + len);
		CHECK(!contains(&w, "51 51") && !contains(&w, "Q"));
	}
}

int main(void)
{
	return CHECK_ALL(shows_each_message, shows_data_sixteen_bytes_a_line, are_hex_text,
		never_shows_a_password);
}
