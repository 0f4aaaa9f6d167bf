/* SPDX-License-Identifier: ISC */
/* wire/socks5, wire/socks4: parses each message and the header of datagrams, complete, incomplete
 * and followed by further bytes. Usage: messages FILE, which is tests/vectors/messages.txt. */
#include "check.h"

#include "../fuzz/parse.h"
#include "text/hex.h"

enum { DATA = 20, JUNK = 300, LINE_MAX_ = 2048 };

static void put_quoted(struct writer *w, const uint8_t *bytes, size_t len)
{
	writer_u8(w, '"');
	writer_escaped(w, bytes, len);
	writer_u8(w, '"');
}

/* Writes the values in the form of the table. */
static void put_values(struct writer *w, enum socks5_message message, const union parsed *p)
{
	bool is_4 = message == SOCKS4_REQUEST;

	if (message == SOCKS5_METHODS) {
		for (size_t i = 0; i < p->methods.count; i++) {
			writer_str(w, i > 0 ? " " : "");
			writer_hex(w, p->methods.methods[i]);
		}
	} else if (message == SOCKS5_LOGIN) {
		put_quoted(w, p->login.name, p->login.name_len);
		writer_u8(w, ' ');
		put_quoted(w, p->login.password, p->login.password_len);
	} else {
		writer_hex(w, is_4 ? p->request4.command : p->request.command);
		writer_u8(w, ' ');
		addr_put(w, is_4 ? &p->request4.dst : &p->request.dst);
	}
	if (is_4) {
		writer_u8(w, ' ');
		put_quoted(w, p->request4.userid, p->request4.userid_len);
	}
}

/* Checks that this message and all its prefixes are incomplete. */
static void is_more(enum socks5_message message, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i <= len; i++)
		CHECK_NUMBER(parse(message, bytes, i).verdict, PARSE_MORE);
}

/* Checks that the message is DONE, also if other bytes follow it, and that every shorter prefix is
 * MORE. parse() compares the values with the bytes. text: the expected values, or NULL. */
static void is_done(enum socks5_message message, const uint8_t *bytes, size_t len, const char *text)
{
	static const uint8_t junk_bytes[] = {0x00, 0x01, 0x05, 0xff};
	static const size_t junk[] = {0, 1, JUNK};
	uint8_t with_junk[SOCKS4_REQUEST_MAX + JUNK];

	is_more(message, bytes, len - 1);
	memcpy(with_junk, bytes, len);
	for (size_t i = 0; i < sizeof junk_bytes; i++) {
		memset(with_junk + len, junk_bytes[i], JUNK);
		for (size_t j = 0; j < COUNT(junk); j++) {
			struct outcome o = parse(message, with_junk, len + junk[j]);
			CHECK_NUMBER(o.verdict, PARSE_DONE);
			CHECK_NUMBER(o.used, len);
		}
	}
	union parsed parsed;
	enum socks5_reply reply;
	size_t used;
	if (text &&
		CHECK_NUMBER(parse_client(message, bytes, len, &used, &parsed, &reply), PARSE_DONE))
		CHECK_PUT(text, put_values, message, &parsed);
}

/* reply: the expected SOCKS5 reply, or -1 if it is not checked. */
static void is_refused(enum socks5_message message, const uint8_t *bytes, size_t len, int reply)
{
	struct outcome o = parse(message, bytes, len);
	CHECK_NUMBER(o.verdict, PARSE_BAD);
	if (reply >= 0)
		CHECK_NUMBER(o.reply, reply);
}

/* Checks that the message is BAD, and that after the first BAD prefix all longer ones have the same
 * result, for any next byte. */
static void is_bad(enum socks5_message message, const uint8_t *bytes, size_t len, int reply)
{
	uint8_t longer[LINE_MAX_ + 1];
	size_t good = 0; /* the longest prefix that is MORE */

	while (good < len && parse(message, bytes, good).verdict == PARSE_MORE)
		good++;
	for (size_t i = good; i <= len; i++)
		is_refused(message, bytes, i, reply);
	memcpy(longer, bytes, len);
	for (unsigned next = 0; next < 256; next++) {
		longer[len] = (uint8_t)next;
		is_refused(message, longer, len + 1, reply);
	}
}

static void check_vector(enum socks5_message message, const char *verdict, const char *hex)
{
	uint8_t bytes[LINE_MAX_];
	struct writer w = writer_on(bytes, sizeof bytes);
	struct hex h = hex_start();
	if (!CHECK(hex_read(&h, hex, strlen(hex), &w) && hex_end(&h)))
		return;

	int reply = -1;
	if (strcmp(verdict, "MORE") == 0)
		is_more(message, bytes, w.len);
	else if (strncmp(verdict, "DONE", 4) == 0)
		is_done(message, bytes, w.len, verdict + 4 + strspn(verdict + 4, " "));
	else if (message == SOCKS5_REQUEST && sscanf(verdict, "BAD %x", (unsigned *)&reply) == 1)
		is_bad(message, bytes, w.len, reply);
	else if (message != SOCKS5_REQUEST && strcmp(verdict, "BAD") == 0)
		is_bad(message, bytes, w.len, -1);
	else
		CHECK(!"unknown verdict in the table");
}

static void check_row(const char *line)
{
	char kind[16], verdict[LINE_MAX_];
	int hex = 0;
	if (!CHECK(sscanf(line, "%15[^ |] | %2047[^|]|%n", kind, verdict, &hex) == 2 && hex > 0))
		return;
	for (size_t len = strlen(verdict); len > 0 && verdict[len - 1] == ' '; len--)
		verdict[len - 1] = '\0';
	int message = message_of(kind);
	if (CHECK(message >= 0))
		check_vector((enum socks5_message)message, verdict, line + hex);
}

static const char *table_path;

static void agrees_with_the_table(void)
{
	char line[LINE_MAX_], about[LINE_MAX_];
	FILE *file = table_path ? fopen(table_path, "r") : NULL;
	if (!CHECK(file))
		return;
	for (unsigned number = 1; fgets(line, sizeof line, file); number++) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '\0' || line[0] == '#')
			continue;
		snprintf(about, sizeof about, "line %u", number);
		check_about = about;
		check_row(line);
	}
	fclose(file);
}

/* In version 4, a user ID and a name have at most 255 bytes, as in version 5. */
static void limits_texts_of_version_4(void)
{
	static const uint8_t to_name[8] = {4, 1, 0, 80, 0, 0, 0, 1};

	for (size_t userid_len = 254; userid_len <= 257; userid_len++) {
		for (size_t name_len = 254; name_len <= 257; name_len++) {
			uint8_t bytes[8 + 257 + 1 + 257 + 1];
			struct writer w = writer_on(bytes, sizeof bytes);
			writer_bytes(&w, to_name, sizeof to_name);
			memset(bytes + w.len, 'u', userid_len + 1 + name_len + 1);
			bytes[8 + userid_len] = bytes[8 + userid_len + 1 + name_len] = 0;
			w.len += userid_len + 1 + name_len + 1;
			if (userid_len <= 255 && name_len <= 255)
				is_done(SOCKS4_REQUEST, bytes, w.len, NULL);
			else
				is_bad(SOCKS4_REQUEST, bytes, w.len, -1);
		}
	}
}

/* RFC 1928 s3, RFC 1929 s2, RFC 1928 s4: the first byte. */
static void checks_the_version(void)
{
	for (unsigned i = 0; i < 256; i++) {
		const uint8_t version[] = {(uint8_t)i};
		CHECK_NUMBER(
			parse(SOCKS5_METHODS, version, 1).verdict, i == 5 ? PARSE_MORE : PARSE_BAD);
		CHECK_NUMBER(
			parse(SOCKS5_LOGIN, version, 1).verdict, i == 1 ? PARSE_MORE : PARSE_BAD);
		CHECK_NUMBER(
			parse(SOCKS4_REQUEST, version, 1).verdict, i == 4 ? PARSE_MORE : PARSE_BAD);
		if (i == 5)
			is_more(SOCKS5_REQUEST, version, 1);
		else
			is_bad(SOCKS5_REQUEST, version, 1, 0x01);
	}
}

static void parses_every_count_of_methods(void)
{
	for (unsigned count = 0; count < 256; count++) {
		uint8_t greeting[SOCKS5_METHODS_MAX] = {5, (uint8_t)count};
		for (unsigned i = 0; i < count; i++)
			greeting[2 + i] = (uint8_t)(i * 7 + count);
		is_done(SOCKS5_METHODS, greeting, 2 + count, NULL);
	}
}

static void finds_offered_methods(void)
{
	for (unsigned one = 0; one < 256; one++) {
		const uint8_t bytes[] = {(uint8_t)one, (uint8_t)(one + 1)};
		for (unsigned other = 0; other < 256; other++) {
			struct socks5_methods methods = {.count = 1, .methods = bytes};
			CHECK_NUMBER(socks5_offers(&methods, other), other == one);
			methods.count = 0; /* bytes after the count are not part of the message */
			CHECK(!socks5_offers(&methods, other));
		}
	}
}

static void parses_logins_of_different_lengths(void)
{
	static const unsigned lens[] = {0, 1, 2, 127, 128, 254, 255};
	for (size_t i = 0; i < COUNT(lens); i++) {
		for (size_t j = 0; j < COUNT(lens); j++) {
			uint8_t bytes[SOCKS5_LOGIN_MAX] = {1, (uint8_t)lens[i]};
			memset(bytes + 2, 'n', lens[i]);
			bytes[2 + lens[i]] = (uint8_t)lens[j];
			memset(bytes + 3 + lens[i], 'p', lens[j]);
			is_done(SOCKS5_LOGIN, bytes, 3 + lens[i] + lens[j], NULL);
		}
	}
}

/* RFC 1928 s4: the parser accepts every CMD; RSV must be 0; ATYP has three values (s5). */
static void checks_each_byte_of_a_request(void)
{
	for (unsigned i = 0; i < 256; i++) {
		uint8_t bytes[22] = {5, (uint8_t)i, 0, 1, 192, 0, 2, 1, 0, 80};
		is_done(SOCKS5_REQUEST, bytes, 10, NULL);

		bytes[1] = 1, bytes[2] = (uint8_t)i;
		if (i > 0)
			is_bad(SOCKS5_REQUEST, bytes, 10, 0x01);

		bytes[2] = 0, bytes[3] = (uint8_t)i;
		if (i == 1 || i == 3 || i == 4)
			is_more(SOCKS5_REQUEST, bytes, 4);
		else
			is_bad(SOCKS5_REQUEST, bytes, 4, 0x08);
	}
}

static void parses_names_of_every_length(void)
{
	for (unsigned len = 0; len < 256; len++) {
		uint8_t bytes[SOCKS5_REQUEST_MAX] = {5, 1, 0, 3, (uint8_t)len};
		for (unsigned i = 0; i < len; i++)
			bytes[5 + i] = (uint8_t)(i * 3 + len);
		bytes[5 + len] = 0x12;
		bytes[6 + len] = 0x34;
		is_done(SOCKS5_REQUEST, bytes, 7 + len, NULL);
	}
}

static void parses_every_port(void)
{
	for (unsigned port = 0; port < 65536; port++) {
		const uint8_t bytes[] = {
			5, 1, 0, 1, 192, 0, 2, 1, (uint8_t)(port >> 8), (uint8_t)port};
		CHECK_NUMBER(parse(SOCKS5_REQUEST, bytes, sizeof bytes).dst.port, port);
	}
}

static const struct datagram {
	enum socks5_datagram kind;
	const char *dst;   /* NULL: malformed */
	const char *bytes; /* hex text, the header */
} datagrams[] = {
	{SOCKS5_DATAGRAM_WHOLE, "192.0.2.1:53", "00 00 00 01 c0 00 02 01 00 35"},
	{SOCKS5_DATAGRAM_WHOLE, "0.0.0.0:0", "00 00 00 01 00 00 00 00 00 00"},
	{SOCKS5_DATAGRAM_WHOLE, "[2001:db8::1]:443",
		"00 00 00 04 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 01 bb"},
	{SOCKS5_DATAGRAM_WHOLE, "example.com:53", "00 00 00 03 0b \"example.com\" 00 35"},
	/* the parser does not check that a name is a host name */
	{SOCKS5_DATAGRAM_WHOLE, "\"\":53", "00 00 00 03 00 00 35"},
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

/* RFC 1928 s7. An incomplete header is malformed. The bytes after the header are ignored. */
static void parses_headers_of_datagrams(void)
{
	EACH_ROW(row, datagrams, bytes) {
		uint8_t bytes[64];
		struct writer w = writer_on(bytes, sizeof bytes);
		struct hex h = hex_start();
		struct addr dst;
		size_t used;

		CHECK(hex_read(&h, row->bytes, strlen(row->bytes), &w) && hex_end(&h));
		memset(bytes + w.len, 0xff, sizeof bytes - w.len);
		for (size_t cut = 0; cut <= w.len + DATA; cut++) {
			enum socks5_datagram kind = parse_datagram(bytes, cut, &used, &dst);
			if (cut < w.len || !row->dst) {
				CHECK_NUMBER(kind, SOCKS5_DATAGRAM_MALFORMED);
				continue;
			}
			CHECK_NUMBER(kind, row->kind);
			CHECK_NUMBER(used, w.len);
			CHECK_PUT(row->dst, addr_put, &dst);
			if (dst.kind == ADDR_IPV4)
				CHECK_NUMBER(used, SOCKS5_DATAGRAM_IPV4_LEN);
			if (dst.kind == ADDR_IPV6)
				CHECK_NUMBER(used, SOCKS5_DATAGRAM_IPV6_LEN);
		}
	}
}

static void writes_messages_of_the_server(void)
{
	const struct addr none = {.kind = ADDR_NONE}, ipv4 = fuzz_address("192.0.2.1", 0x1234),
			  ipv6 = fuzz_address("2001:db8::1", 443),
			  name = addr_of(ADDR_NAME, "a.test", 6, 0);

	for (unsigned i = 0; i < 256; i++) {
		uint8_t method[] = {5, (uint8_t)i}, status[] = {1, (uint8_t)i};
		CHECK_PUT_BYTES(method, 2, socks5_put_method, (enum socks5_method)i);
		CHECK_PUT_BYTES(status, 2, socks5_put_login_status, (uint8_t)i);
	}
	CHECK_NUMBER(SOCKS4_REPLY_LEN, 8);
	for (unsigned i = 0; i <= 8; i++) {
		uint8_t reply[] = {5, (uint8_t)i, 0, 1, 0, 0, 0, 0, 0, 0};
		CHECK_PUT_BYTES(reply, sizeof reply, socks5_put_reply, (enum socks5_reply)i, &none);
	}
	CHECK_PUT_BYTES(
		"\5\0\0\1\xc0\0\2\1\x12\x34", 10, socks5_put_reply, SOCKS5_SUCCEEDED, &ipv4);
	CHECK_PUT_BYTES("\5\0\0\4\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\1\xbb", 22,
		socks5_put_reply, SOCKS5_SUCCEEDED, &ipv6);
	CHECK_PUT_BYTES("\5\0\0\3\6a.test\0\0", 13, socks5_put_reply, SOCKS5_SUCCEEDED, &name);
	CHECK_PUT_BYTES("\0\x5a\x12\x34\xc0\0\2\1", 8, socks4_put_reply, SOCKS4_GRANTED, &ipv4);
	CHECK_PUT_BYTES("\0\x5d\0\0\0\0\0\0", 8, socks4_put_reply, SOCKS4_OTHER_USER, &none);
	CHECK_PUT_BYTES("\0\x5a\1\xbb\0\0\0\0", 8, socks4_put_reply, SOCKS4_GRANTED, &ipv6);
}

/* RFC 1928 s3 to s6. */
static void describes_every_code(void)
{
	static const char *const replies[] = {"succeeded", "general SOCKS server failure",
		"connection not allowed by ruleset", "network unreachable", "host unreachable",
		"connection refused", "TTL expired", "command not supported",
		"address type not supported"};
	static const char *const commands[] = {"unassigned", "CONNECT", "BIND", "UDP ASSOCIATE"};
	static const char *const atyps[] = {
		"unassigned", "IPv4", "unassigned", "domain name", "IPv6"};
	static const char *const methods[] = {
		"no authentication required", "GSSAPI", "username/password"};

	for (unsigned i = 0; i < 256; i++) {
		uint8_t code = (uint8_t)i;
		CHECK_STRING(socks5_reply_text(code), i < 9 ? replies[i] : "unassigned");
		CHECK_STRING(socks5_command_text(code),
			i < 4               ? commands[i]
				: i == 0xf0 ? "RESOLVE"
				: i == 0xf1 ? "RESOLVE_PTR"
					    : "unassigned");
		CHECK_STRING(socks5_atyp_text(code), i < 5 ? atyps[i] : "unassigned");
		CHECK_STRING(socks5_method_text(code),
			i < 3              ? methods[i]
				: i == 255 ? "no acceptable methods"
				: i < 128  ? "IANA assigned"
					   : "private");
	}
}

int main(int argc, char **argv)
{
	table_path = argc == 2 ? argv[1] : NULL;
	return CHECK_ALL(agrees_with_the_table, checks_the_version, limits_texts_of_version_4,
		parses_every_count_of_methods, finds_offered_methods,
		parses_logins_of_different_lengths, checks_each_byte_of_a_request,
		parses_names_of_every_length, parses_every_port, parses_headers_of_datagrams,
		writes_messages_of_the_server, describes_every_code);
}
