/* SPDX-License-Identifier: ISC */
/* Runs the parsers and encoders of wire/socks5 and wire/socks4 for another program (oracle.py).
 * Each line of standard input is a command, and its result is one line on standard output:
 *
 * - "methods HEX", "login HEX", "request HEX" and "request4 HEX" parse a message. The result is
 *   "MORE", "BAD", "BAD REPLY" for a request of version 5, or "DONE" with the number of bytes used
 *   and the values. Bytes are written in hex, and no bytes as "-".
 * - "method N", "status N", "reply N ADDRESS" and "reply4 N ADDRESS" encode a message. The result
 *   is the message in hex. ADDRESS is "KIND HEX PORT", and KIND is a number of enum addr_kind. */
#include "parse.h"

#include "fuzz.h"
#include "text/hex.h"

enum { LINE_MAX_ = 4096 };

static void put_bytes(struct writer *w, const uint8_t *bytes, size_t len)
{
	writer_u8(w, ' ');
	for (size_t i = 0; i < len; i++)
		writer_hex(w, bytes[i]);
	if (len == 0)
		writer_u8(w, '-');
}

static void put_number(struct writer *w, unsigned value)
{
	writer_u8(w, ' ');
	writer_decimal(w, value, 1);
}

static void put_destination(struct writer *w, uint8_t command, const struct addr *dst)
{
	put_number(w, command);
	put_number(w, dst->kind);
	put_bytes(w, dst->bytes, dst->len);
	put_number(w, dst->port);
}

static void put_values(struct writer *w, enum socks5_message message, const union parsed *p)
{
	if (message == SOCKS5_METHODS) {
		put_bytes(w, p->methods.methods, p->methods.count);
	} else if (message == SOCKS5_LOGIN) {
		put_bytes(w, p->login.name, p->login.name_len);
		put_bytes(w, p->login.password, p->login.password_len);
	} else if (message == SOCKS4_REQUEST) {
		put_destination(w, p->request4.command, &p->request4.dst);
		put_bytes(w, p->request4.userid, p->request4.userid_len);
	} else {
		put_destination(w, p->request.command, &p->request.dst);
	}
}

static void parse_line(enum socks5_message message, const uint8_t *bytes, size_t len)
{
	static const char *const verdicts[] = {"MORE", "DONE", "BAD"};
	char text[LINE_MAX_];
	struct writer w = writer_on(text, sizeof text);
	union parsed parsed;
	enum socks5_reply reply;
	size_t used;

	enum parse verdict = parse_client(message, bytes, len, &used, &parsed, &reply);
	writer_str(&w, verdicts[verdict]);
	if (verdict == PARSE_DONE) {
		put_number(&w, (unsigned)used);
		put_values(&w, message, &parsed);
	} else if (verdict == PARSE_BAD && message == SOCKS5_REQUEST) {
		put_number(&w, reply);
	}
	printf("%.*s\n", (int)w.len, text);
}

/* line: "N" or "N KIND HEX PORT". */
static void encode_line(const char *name, const char *line)
{
	uint8_t message[SOCKS5_REPLY_MAX];
	struct writer w = writer_on(message, sizeof message);
	unsigned code = 0, kind = 0, port = 0;
	char hex[64] = "", text[64], ip[32];
	struct writer i = writer_on(ip, sizeof ip), t = writer_on(text, sizeof text);
	struct hex h = hex_start();

	sscanf(line, "%u %u %63s %u", &code, &kind, hex, &port);
	hex_read(&h, hex, strlen(hex), &i);
	const struct addr a = addr_of((enum addr_kind)kind, ip, (uint8_t)i.len, (uint16_t)port);
	if (strcmp(name, "method") == 0)
		socks5_put_method(&w, (enum socks5_method)code);
	else if (strcmp(name, "status") == 0)
		socks5_put_login_status(&w, (uint8_t)code);
	else if (strcmp(name, "reply4") == 0)
		socks4_put_reply(&w, (enum socks4_reply)code, &a);
	else
		socks5_put_reply(&w, (enum socks5_reply)code, &a);
	put_bytes(&t, message, w.len);
	printf("%.*s\n", (int)t.len - 1, text + 1);
}

int main(void)
{
	static char line[LINE_MAX_], bytes[LINE_MAX_];
	while (fgets(line, sizeof line, stdin)) {
		char *rest = strchr(line, ' ');
		if (!rest)
			return 64;
		*rest++ = '\0';
		int message = message_of(line);
		if (message < 0) {
			encode_line(line, rest);
			continue;
		}
		struct writer w = writer_on(bytes, sizeof bytes);
		struct hex h = hex_start();
		if (!hex_read(&h, rest, strlen(rest), &w) || !hex_end(&h))
			return 64;
		uint8_t *copy = fuzz_copy(bytes, w.len);
		parse_line((enum socks5_message)message, copy, w.len);
		free(copy);
	}
	return 0;
}
