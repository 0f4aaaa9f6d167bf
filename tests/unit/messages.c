/* SPDX-License-Identifier: ISC */
/* wire/socks5, wire/socks4: each message, cut anywhere and with anything behind it. Usage: messages MESSAGES, the
 * path of tests/vectors/messages.txt. */
#include "wire/socks4.h"

#include <stdlib.h>

#include "check.h"
#include "wire/hex.h"

enum { JUNK = 300, LINE_MAX_ = 2048, UNTOUCHED = 0x5a };

/* What a parser says, in one shape for all of them. */
struct outcome {
	enum parse verdict;
	size_t used;
	enum socks5_reply reply; /* of a request that is BAD */
	size_t text_len;         /* the values, as the table writes them */
	char text[4 * 512];
};

static bool is_untouched(const void *output, size_t size)
{
	const uint8_t *bytes = output;
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != UNTOUCHED)
			return false;
	return true;
}

static void put_quoted(struct writer *w, const uint8_t *bytes, size_t len)
{
	writer_u8(w, '"');
	writer_escaped(w, bytes, len);
	writer_u8(w, '"');
}

static enum parse parse_methods(
	const uint8_t *bytes, size_t len, struct outcome *o, struct writer *text)
{
	struct socks5_methods methods;
	memset(&methods, UNTOUCHED, sizeof methods);
	enum parse verdict = socks5_parse_methods(bytes, len, &o->used, &methods);
	if (verdict != PARSE_DONE) {
		CHECK(is_untouched(&methods, sizeof methods));
		return verdict;
	}
	for (size_t i = 0; i < methods.count; i++) {
		if (i > 0)
			writer_u8(text, ' ');
		writer_hex(text, methods.methods[i]);
	}
	return verdict;
}

static enum parse parse_login(
	const uint8_t *bytes, size_t len, struct outcome *o, struct writer *text)
{
	struct socks5_login login;
	memset(&login, UNTOUCHED, sizeof login);
	enum parse verdict = socks5_parse_login(bytes, len, &o->used, &login);
	if (verdict != PARSE_DONE) {
		CHECK(is_untouched(&login, sizeof login));
		return verdict;
	}
	put_quoted(text, login.name, login.name_len);
	writer_u8(text, ' ');
	put_quoted(text, login.password, login.password_len);
	return verdict;
}

static enum parse parse_request(
	const uint8_t *bytes, size_t len, struct outcome *o, struct writer *text)
{
	struct socks5_request request;
	memset(&request, UNTOUCHED, sizeof request);
	enum parse verdict = socks5_parse_request(bytes, len, &o->used, &request, &o->reply);
	if (verdict != PARSE_DONE) {
		CHECK(is_untouched(&request, sizeof request));
		return verdict;
	}
	writer_hex(text, request.command);
	writer_u8(text, ' ');
	addr_put(text, &request.dst);
	return verdict;
}

static enum parse parse_request4(
	const uint8_t *bytes, size_t len, struct outcome *o, struct writer *text)
{
	struct socks4_request request;
	memset(&request, UNTOUCHED, sizeof request);
	enum parse verdict = socks4_parse_request(bytes, len, &o->used, &request);
	if (verdict != PARSE_DONE) {
		CHECK(is_untouched(&request, sizeof request));
		return verdict;
	}
	writer_hex(text, request.command);
	writer_u8(text, ' ');
	addr_put(text, &request.dst);
	writer_u8(text, ' ');
	put_quoted(text, request.userid, request.userid_len);
	return verdict;
}

/* The bytes lie at the end of their memory, where a sanitizer sees one read too many. */
static struct outcome parse(enum socks5_message message, const void *bytes, size_t len)
{
	struct outcome o;
	uint8_t *copy = malloc(len + 1);
	memset(&o, UNTOUCHED, sizeof o);
	struct writer text = writer_on(o.text, sizeof o.text);
	if (!copy)
		exit(71);
	if (len > 0)
		memcpy(copy + 1, bytes, len);

	if (message == SOCKS5_METHODS)
		o.verdict = parse_methods(copy + 1, len, &o, &text);
	else if (message == SOCKS5_LOGIN)
		o.verdict = parse_login(copy + 1, len, &o, &text);
	else if (message == SOCKS4_REQUEST)
		o.verdict = parse_request4(copy + 1, len, &o, &text);
	else
		o.verdict = parse_request(copy + 1, len, &o, &text);
	o.text_len = text.len;
	free(copy);

	if (o.verdict != PARSE_DONE)
		CHECK(is_untouched(&o.used, sizeof o.used));
	if (o.verdict != PARSE_BAD || message != SOCKS5_REQUEST)
		CHECK(is_untouched(&o.reply, sizeof o.reply));
	return o;
}

static void is_more(enum socks5_message message, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i <= len; i++)
		CHECK_NUMBER(parse(message, bytes, i).verdict, PARSE_MORE);
}

/* Every proper prefix is MORE; the whole is DONE; with junk behind it, it is the same. */
static void is_done(enum socks5_message message, const uint8_t *bytes, size_t len, const char *text)
{
	static const uint8_t junk_bytes[] = {0x00, 0x01, 0x05, 0xff};
	uint8_t with_junk[SOCKS4_REQUEST_MAX + JUNK];

	is_more(message, bytes, len - 1);
	struct outcome o = parse(message, bytes, len);
	CHECK_NUMBER(o.verdict, PARSE_DONE);
	CHECK_NUMBER(o.used, len);
	if (text)
		CHECK_BYTES(o.text, o.text_len, text, strlen(text));

	memcpy(with_junk, bytes, len);
	for (size_t i = 0; i < sizeof junk_bytes; i++) {
		memset(with_junk + len, junk_bytes[i], JUNK);
		for (size_t junk = 1; junk <= JUNK; junk += JUNK - 1) {
			struct outcome longer = parse(message, with_junk, len + junk);
			CHECK_NUMBER(longer.verdict, PARSE_DONE);
			CHECK_NUMBER(longer.used, len);
			CHECK_BYTES(longer.text, longer.text_len, o.text, o.text_len);
		}
	}
}

/* Once a prefix is BAD, it stays so, with the same reply, whatever follows. reply -1: there is none. */
static void is_bad(enum socks5_message message, const uint8_t *bytes, size_t len, int reply)
{
	uint8_t longer[LINE_MAX_ + 1];
	size_t good = 0; /* the longest prefix that is MORE */

	while (good < len && parse(message, bytes, good).verdict == PARSE_MORE)
		good++;
	for (size_t i = good; i <= len; i++) {
		struct outcome o = parse(message, bytes, i);
		CHECK_NUMBER(o.verdict, PARSE_BAD);
		if (reply >= 0)
			CHECK_NUMBER(o.reply, reply);
	}
	memcpy(longer, bytes, len);
	for (unsigned next = 0; next < 256; next++) {
		longer[len] = (uint8_t)next;
		struct outcome o = parse(message, longer, len + 1);
		CHECK_NUMBER(o.verdict, PARSE_BAD);
		if (reply >= 0)
			CHECK_NUMBER(o.reply, reply);
	}
}

/* Takes the text up to the next '|' off the line, without the blanks around it. */
static char *take_field(char **line)
{
	char *field = *line + strspn(*line, " "), *bar = strchr(field, '|');
	if (!bar)
		return NULL;
	*line = bar + 1;
	while (bar > field && bar[-1] == ' ')
		bar--;
	*bar = '\0';
	return field;
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
		CHECK(!"a verdict");
}

static void check_line(char *line)
{
	char *kind = take_field(&line), *verdict = take_field(&line);
	if (!CHECK(kind && verdict))
		return;
	if (strcmp(kind, "methods") == 0)
		check_vector(SOCKS5_METHODS, verdict, line);
	else if (strcmp(kind, "login") == 0)
		check_vector(SOCKS5_LOGIN, verdict, line);
	else if (strcmp(kind, "request") == 0)
		check_vector(SOCKS5_REQUEST, verdict, line);
	else if (strcmp(kind, "request4") == 0)
		check_vector(SOCKS4_REQUEST, verdict, line);
	else
		CHECK(!"a kind of message");
}

static void agrees_with_the_table(const char *path)
{
	char line[LINE_MAX_], about[LINE_MAX_];
	FILE *file = path ? fopen(path, "r") : NULL;
	if (!CHECK(file))
		return;
	for (unsigned number = 1; fgets(line, sizeof line, file); number++) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '\0' || line[0] == '#')
			continue;
		snprintf(about, sizeof about, "line %u", number);
		check_about = about;
		check_line(line);
	}
	check_about = NULL;
	fclose(file);
}

/* A text of version 4 has 255 bytes at most, as those of version 5 have. */
static void ends_every_text(void)
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
static void knows_every_version(void)
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

static void knows_every_count_of_methods(void)
{
	for (unsigned count = 0; count < 256; count++) {
		uint8_t greeting[SOCKS5_METHODS_MAX] = {5, (uint8_t)count};
		size_t used;
		struct socks5_methods methods;
		for (unsigned i = 0; i < count; i++)
			greeting[2 + i] = (uint8_t)(i * 7 + count);
		is_done(SOCKS5_METHODS, greeting, 2 + count, NULL);
		CHECK_NUMBER(
			socks5_parse_methods(greeting, 2 + count, &used, &methods), PARSE_DONE);
		CHECK_NUMBER(methods.count, count);
		CHECK(methods.methods == greeting + 2);
	}
}

static void knows_which_methods_are_offered(void)
{
	for (unsigned one = 0; one < 256; one++) {
		const uint8_t bytes[] = {(uint8_t)one, (uint8_t)(one + 1)};
		for (unsigned other = 0; other < 256; other++) {
			struct socks5_methods methods = {.count = 1, .methods = bytes};
			CHECK_NUMBER(socks5_offers(&methods, other), other == one);
			methods.count = 0; /* what lies behind the count is not the client's */
			CHECK(!socks5_offers(&methods, other));
		}
	}
}

static void knows_every_length_of_a_login(void)
{
	static const unsigned lens[] = {0, 1, 2, 127, 128, 254, 255};
	for (size_t i = 0; i < 7; i++) {
		for (size_t j = 0; j < 7; j++) {
			uint8_t bytes[SOCKS5_LOGIN_MAX] = {1, (uint8_t)lens[i]};
			size_t used, len = 3 + lens[i] + lens[j];
			struct socks5_login login;
			memset(bytes + 2, 'n', lens[i]);
			bytes[2 + lens[i]] = (uint8_t)lens[j];
			memset(bytes + 3 + lens[i], 'p', lens[j]);
			is_done(SOCKS5_LOGIN, bytes, len, NULL);
			CHECK_NUMBER(socks5_parse_login(bytes, len, &used, &login), PARSE_DONE);
			CHECK_NUMBER(login.name_len, lens[i]);
			CHECK_NUMBER(login.password_len, lens[j]);
			CHECK(login.name == bytes + 2);
			CHECK(login.password == bytes + 3 + lens[i]);
		}
	}
}

/* RFC 1928 s4: CMD is for others to judge; RSV must be 0; ATYP has three values (s5). */
static void knows_every_code_of_a_request(void)
{
	for (unsigned i = 0; i < 256; i++) {
		uint8_t bytes[22] = {5, 1, 0, 1, 192, 0, 2, 1, 0, 80};
		struct socks5_request request;
		enum socks5_reply reply;
		size_t used;

		bytes[1] = (uint8_t)i;
		is_done(SOCKS5_REQUEST, bytes, 10, NULL);
		CHECK_NUMBER(socks5_parse_request(bytes, 10, &used, &request, &reply), PARSE_DONE);
		CHECK_NUMBER(request.command, i);

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

static void knows_every_length_of_a_name(void)
{
	for (unsigned len = 0; len < 256; len++) {
		uint8_t bytes[SOCKS5_REQUEST_MAX] = {5, 1, 0, 3, (uint8_t)len};
		struct socks5_request request;
		enum socks5_reply reply;
		size_t used;

		for (unsigned i = 0; i < len; i++)
			bytes[5 + i] = (uint8_t)(i * 3 + len);
		bytes[5 + len] = 0x12;
		bytes[6 + len] = 0x34;
		is_done(SOCKS5_REQUEST, bytes, 7 + len, NULL);
		CHECK_NUMBER(
			socks5_parse_request(bytes, 7 + len, &used, &request, &reply), PARSE_DONE);
		CHECK_NUMBER(request.dst.kind, ADDR_NAME);
		CHECK_NUMBER(request.dst.port, 0x1234);
		CHECK_BYTES(request.dst.bytes, request.dst.len, bytes + 5, len);
		CHECK_NUMBER(request.dst.bytes[len], 0);
	}
}

static void knows_every_port(void)
{
	for (unsigned port = 0; port < 65536; port++) {
		const uint8_t bytes[] = {
			5, 1, 0, 1, 192, 0, 2, 1, (uint8_t)(port >> 8), (uint8_t)port};
		struct socks5_request request = {.command = 0};
		enum socks5_reply reply;
		size_t used;
		socks5_parse_request(bytes, sizeof bytes, &used, &request, &reply);
		CHECK_NUMBER(request.dst.port, port);
	}
}

static void writes_what_the_server_says(void)
{
	static const uint8_t ip[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
	struct addr none = {.kind = ADDR_NONE};
	struct addr ipv4 = addr_of(ADDR_IPV4, "\xc0\x00\x02\x01", 4, 0x1234);
	struct addr ipv6 = addr_of(ADDR_IPV6, ip, 16, 443);
	uint8_t bytes[SOCKS5_REPLY_MAX];

	for (unsigned i = 0; i < 256; i++) {
		uint8_t method[] = {5, (uint8_t)i}, status[] = {1, (uint8_t)i};
		struct writer w = writer_on(bytes, sizeof bytes);
		socks5_put_method(&w, (enum socks5_method)i);
		CHECK_BYTES(w.bytes, w.len, method, 2);
		w = writer_on(bytes, sizeof bytes);
		socks5_put_login_status(&w, (uint8_t)i);
		CHECK_BYTES(w.bytes, w.len, status, 2);
	}
	struct writer w4 = writer_on(bytes, sizeof bytes);
	socks4_put_reply(&w4, SOCKS4_GRANTED, &ipv4);
	CHECK_BYTES(w4.bytes, w4.len, "\0\x5a\x12\x34\xc0\0\2\1", SOCKS4_REPLY_LEN);
	w4 = writer_on(bytes, sizeof bytes);
	socks4_put_reply(&w4, SOCKS4_OTHER_USER, &none);
	CHECK_BYTES(w4.bytes, w4.len, "\0\x5d\0\0\0\0\0\0", SOCKS4_REPLY_LEN);
	w4 = writer_on(bytes, sizeof bytes);
	socks4_put_reply(&w4, SOCKS4_GRANTED, &ipv6);
	CHECK_BYTES(w4.bytes, w4.len, "\0\x5a\1\xbb\0\0\0\0", SOCKS4_REPLY_LEN);
	w4 = writer_on(bytes, sizeof bytes);
	struct addr name = addr_of(ADDR_NAME, "a.test", 6, 0);
	socks5_put_reply(&w4, SOCKS5_SUCCEEDED, &name);
	CHECK_BYTES(w4.bytes, w4.len, "\5\0\0\3\6a.test\0\0", 13);
	for (unsigned i = 0; i <= 8; i++) {
		struct writer w = writer_on(bytes, sizeof bytes);
		bytes[1] = 0xee;
		socks5_put_reply(&w, i, &none);
		CHECK_BYTES(w.bytes + 2, w.len - 2, "\0\1\0\0\0\0\0\0", 8);
		CHECK_NUMBER(bytes[0], 5);
		CHECK_NUMBER(bytes[1], i);
	}
	struct writer w = writer_on(bytes, sizeof bytes);
	socks5_put_reply(&w, SOCKS5_SUCCEEDED, &ipv4);
	CHECK_BYTES(w.bytes, w.len, "\5\0\0\1\xc0\0\2\1\x12\x34", 10);
	w = writer_on(bytes, sizeof bytes);
	socks5_put_reply(&w, SOCKS5_SUCCEEDED, &ipv6);
	CHECK_BYTES(w.bytes, w.len, "\5\0\0\4\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\1\xbb", 22);
}

/* RFC 1928 s6, s3, s4, s5. */
static void has_words_for_every_code(void)
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
	agrees_with_the_table(argc == 2 ? argv[1] : NULL);
	knows_every_version();
	ends_every_text();
	knows_every_count_of_methods();
	knows_which_methods_are_offered();
	knows_every_length_of_a_login();
	knows_every_code_of_a_request();
	knows_every_length_of_a_name();
	knows_every_port();
	writes_what_the_server_says();
	has_words_for_every_code();
	return check_end();
}
