/* SPDX-License-Identifier: ISC */
#include "text/annotate.h"

#include <string.h>

#include "wire/socks4.h"

enum { BYTES_PER_LINE = 16 };

static void put_hex(struct writer *w, const uint8_t *bytes, size_t n, bool hidden)
{
	for (size_t i = 0; i < BYTES_PER_LINE; i++) {
		if (i >= n)
			writer_str(w, "  ");
		else if (hidden)
			writer_str(w, "**");
		else
			writer_hex(w, bytes[i]);
		writer_u8(w, ' ');
	}
	writer_str(w, " # ");
}

/* Writes lines with the next n bytes, the name of the field, and the bytes as text in quotes. */
static void put_text(struct writer *w, struct reader *r, size_t n, const char *name, bool hidden)
{
	if (n > r->len - r->at)
		n = r->len - r->at;
	while (n > 0) {
		size_t some = n < BYTES_PER_LINE ? n : BYTES_PER_LINE;
		const uint8_t *bytes = reader_bytes(r, some);
		put_hex(w, bytes, some, hidden);
		writer_str(w, name);
		writer_str(w, hidden ? "(not shown)" : "\"");
		if (!hidden) {
			writer_escaped(w, bytes, some);
			writer_u8(w, '"');
		}
		writer_u8(w, '\n');
		n -= some;
	}
}

/* Writes a byte that is a code, or, if meaning is NULL, a number. Returns it, or 0 if there is no
 * byte. */
static uint8_t put_code(
	struct writer *w, struct reader *r, const char *name, const char *(*meaning)(uint8_t))
{
	const uint8_t *byte = reader_bytes(r, 1);
	if (!byte)
		return 0;
	put_hex(w, byte, 1, false);
	writer_str(w, name);
	writer_u8(w, ' ');
	if (meaning)
		writer_str(w, meaning(*byte));
	else
		writer_decimal(w, *byte, 1);
	writer_u8(w, '\n');
	return *byte;
}

static uint8_t put_number(struct writer *w, struct reader *r, const char *name)
{
	return put_code(w, r, name, NULL);
}

static const char *login_status_text(uint8_t status)
{
	return status == 0 ? "success" : "failure"; /* RFC 1929 s2 */
}

static void put_ip(
	struct writer *w, struct reader *r, enum addr_kind kind, uint8_t len, const char *name)
{
	const uint8_t *bytes = reader_bytes(r, len);
	if (!bytes)
		return;
	struct addr a = addr_of(kind, bytes, len, 0);
	put_hex(w, bytes, len, false);
	writer_str(w, name);
	addr_put_host(w, &a);
	writer_u8(w, '\n');
}

static void put_port(struct writer *w, struct reader *r, const char *name)
{
	const uint8_t *bytes = reader_bytes(r, 2);
	if (!bytes)
		return;
	put_hex(w, bytes, 2, false);
	writer_str(w, name);
	writer_decimal(w, (uint64_t)(bytes[0] << 8 | bytes[1]), 1);
	writer_u8(w, '\n');
}

static void put_methods(struct writer *w, struct reader *r)
{
	put_number(w, r, "VER");
	for (uint8_t n = put_number(w, r, "NMETHODS"); n > 0 && r->at < r->len; n--)
		put_code(w, r, "METHODS", socks5_method_text);
}

static void put_login(struct writer *w, struct reader *r)
{
	put_number(w, r, "VER");
	put_text(w, r, put_number(w, r, "ULEN"), "UNAME ", false);
	put_text(w, r, put_number(w, r, "PLEN"), "PASSWD ", true);
}

/* RFC 1928 s5: ATYP, the address and the port. */
static void put_address(struct writer *w, struct reader *r, const char *addr, const char *port)
{
	switch (put_code(w, r, "ATYP", socks5_atyp_text)) {
	case SOCKS5_IPV4:
		put_ip(w, r, ADDR_IPV4, 4, addr);
		break;
	case SOCKS5_DOMAINNAME:
		put_text(w, r, put_number(w, r, "LEN"), addr, false);
		break;
	case SOCKS5_IPV6:
		put_ip(w, r, ADDR_IPV6, 16, addr);
		break;
	default:
		return; /* the length of the address is unknown */
	}
	put_port(w, r, port);
}

static void put_request_or_reply(struct writer *w, struct reader *r, bool is_request)
{
	put_number(w, r, "VER");
	put_code(w, r, is_request ? "CMD" : "REP",
		is_request ? socks5_command_text : socks5_reply_text);
	put_number(w, r, "RSV");
	put_address(w, r, is_request ? "DST.ADDR " : "BND.ADDR ",
		is_request ? "DST.PORT " : "BND.PORT ");
}

/* RFC 1928 s7. */
static void put_datagram(struct writer *w, struct reader *r)
{
	put_number(w, r, "RSV");
	put_number(w, r, "RSV");
	put_number(w, r, "FRAG");
	put_address(w, r, "DST.ADDR ", "DST.PORT ");
}

/* Writes the next bytes up to a NUL as text, and the NUL. */
static void put_text4(struct writer *w, struct reader *r, const char *name)
{
	const uint8_t *text = r->bytes + r->at;
	size_t left = r->ended ? 0 : r->len - r->at;
	const uint8_t *nul = left > 0 ? memchr(text, '\0', left) : NULL;

	put_text(w, r, nul ? (size_t)(nul - text) : left, name, false);
	const uint8_t *end = reader_bytes(r, 1);
	if (end) {
		put_hex(w, end, 1, false);
		writer_str(w, "NUL\n");
	}
}

static void put_request4(struct writer *w, struct reader *r)
{
	put_number(w, r, "VN");
	put_code(w, r, "CD", socks5_command_text);
	put_port(w, r, "DSTPORT ");
	size_t ip_at = r->at;
	put_ip(w, r, ADDR_IPV4, 4, "DSTIP ");
	bool ip_is_whole = r->at == ip_at + 4;
	put_text4(w, r, "USERID ");
	if (ip_is_whole && socks4_has_name(r->bytes + ip_at))
		put_text4(w, r, "DOMAIN ");
}

static void put_reply4(struct writer *w, struct reader *r)
{
	put_number(w, r, "VN");
	put_code(w, r, "CD", socks4_reply_text);
	put_port(w, r, "DSTPORT ");
	put_ip(w, r, ADDR_IPV4, 4, "DSTIP ");
}

void annotate_data(struct writer *w, const uint8_t *bytes, size_t len)
{
	struct reader r = reader_of(bytes, len);
	put_text(w, &r, len, "", false);
}

void annotate_message(
	struct writer *w, enum socks5_message message, const uint8_t *bytes, size_t len)
{
	struct reader r = reader_of(bytes, len);

	switch (message) {
	case SOCKS5_METHODS:
		put_methods(w, &r);
		break;
	case SOCKS5_METHOD:
		put_number(w, &r, "VER");
		put_code(w, &r, "METHOD", socks5_method_text);
		break;
	case SOCKS5_LOGIN:
		put_login(w, &r);
		break;
	case SOCKS5_LOGIN_STATUS:
		put_number(w, &r, "VER");
		put_code(w, &r, "STATUS", login_status_text);
		break;
	case SOCKS5_REQUEST:
	case SOCKS5_REPLY:
		put_request_or_reply(w, &r, message == SOCKS5_REQUEST);
		break;
	case SOCKS4_REQUEST:
		put_request4(w, &r);
		break;
	case SOCKS4_REPLY:
		put_reply4(w, &r);
		break;
	case SOCKS5_DATAGRAM:
		put_datagram(w, &r);
		break;
	}
	annotate_data(w, bytes + r.at, len - r.at);
}
