/* SPDX-License-Identifier: ISC */
/* The parsers and the encoders of wire/socks5 and wire/socks4 for another program: a question a line on standard
 * input, its answer on standard output.
 * Knows: how values are written. Does not know: what is right.
 *
 *	methods HEX, login HEX, request HEX     MORE, BAD, BAD REPLY, or DONE and the bytes used, then
 *	                                        the values: bytes as hex, "-" for none
 *	request4 HEX                            the same
 *	method N, status N, reply N ADDRESS,
 *	reply4 N ADDRESS                        the server's message, as hex; ADDRESS is that of a
 *	                                        request, as it is answered: KIND HEX PORT */
#include "wire/socks4.h"

#include "fuzz.h"
#include "wire/hex.h"

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

static enum parse put_parsed(
	struct writer *w, const char *what, const uint8_t *bytes, size_t len, size_t *ret_used)
{
	struct socks5_methods methods;
	struct socks5_login login;
	struct socks5_request request;
	struct socks4_request request4;
	enum socks5_reply reply;
	enum parse verdict;

	if (strcmp(what, "methods") == 0) {
		verdict = socks5_parse_methods(bytes, len, ret_used, &methods);
		if (verdict == PARSE_DONE)
			put_bytes(w, methods.methods, methods.count);
		return verdict;
	}
	if (strcmp(what, "login") == 0) {
		verdict = socks5_parse_login(bytes, len, ret_used, &login);
		if (verdict == PARSE_DONE) {
			put_bytes(w, login.name, login.name_len);
			put_bytes(w, login.password, login.password_len);
		}
		return verdict;
	}
	if (strcmp(what, "request4") == 0) {
		verdict = socks4_parse_request(bytes, len, ret_used, &request4);
		if (verdict == PARSE_DONE) {
			put_number(w, request4.command);
			put_number(w, request4.dst.kind);
			put_bytes(w, request4.dst.bytes, request4.dst.len);
			put_number(w, request4.dst.port);
			put_bytes(w, request4.userid, request4.userid_len);
		}
		return verdict;
	}
	verdict = socks5_parse_request(bytes, len, ret_used, &request, &reply);
	if (verdict == PARSE_BAD)
		put_number(w, reply);
	if (verdict == PARSE_DONE) {
		put_number(w, request.command);
		put_number(w, request.dst.kind);
		put_bytes(w, request.dst.bytes, request.dst.len);
		put_number(w, request.dst.port);
	}
	return verdict;
}

static void answer_client(const char *what, const uint8_t *bytes, size_t len)
{
	static const char *const verdicts[] = {"MORE", "DONE", "BAD"};
	char text[LINE_MAX_];
	struct writer w = writer_on(text, sizeof text);
	size_t used = 0;

	enum parse verdict = put_parsed(&w, what, bytes, len, &used);
	printf("%s", verdicts[verdict]);
	if (verdict == PARSE_DONE)
		printf(" %zu", used);
	printf("%.*s\n", (int)w.len, text);
}

/* N, or N KIND HEX PORT. */
static void answer_server(const char *what, const char *line)
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
	if (strcmp(what, "method") == 0)
		socks5_put_method(&w, (enum socks5_method)code);
	else if (strcmp(what, "status") == 0)
		socks5_put_login_status(&w, (uint8_t)code);
	else if (strcmp(what, "reply4") == 0)
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
		if (strcmp(line, "method") == 0 || strcmp(line, "status") == 0 ||
			strcmp(line, "reply") == 0 || strcmp(line, "reply4") == 0) {
			answer_server(line, rest);
			continue;
		}
		struct writer w = writer_on(bytes, sizeof bytes);
		struct hex h = hex_start();
		if (!hex_read(&h, rest, strlen(rest), &w) || !hex_end(&h))
			return 64;
		uint8_t *copy = fuzz_copy(bytes, w.len);
		answer_client(line, copy, w.len);
		free(copy);
	}
	return 0;
}
