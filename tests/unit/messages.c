/* SPDX-License-Identifier: ISC */
/* wire/socks5, wire/socks4: each message, cut anywhere and with anything behind it. Usage:
 * messages MESSAGES, the path of tests/vectors/messages.txt. */
#include "wire/socks4.h"

#include "check.h"
#include "wire/hex.h"

enum { JUNK = 300, LINE_MAX_ = 2048, UNTOUCHED = 0x5a };

/* What a parser says, in one shape for all of them. */
struct outcome {
	enum parse verdict;
	size_t used;
	enum socks5_reply reply; /* of a request that is BAD */
	union {
		struct socks5_methods methods;
		struct socks5_login login;
		struct socks5_request request;
		struct socks4_request request4;
	} of;
	size_t text_len; /* the values, as the table writes them */
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

static void put_request(struct writer *w, uint8_t command, const struct addr *dst)
{
	writer_hex(w, command);
	writer_u8(w, ' ');
	addr_put(w, dst);
}

static enum parse parse_methods(
	const uint8_t *bytes, size_t len, struct outcome *o, struct writer *w)
{
	const struct socks5_methods *methods = &o->of.methods;
	o->verdict = socks5_parse_methods(bytes, len, &o->used, &o->of.methods);
	for (size_t i = 0; o->verdict == PARSE_DONE && i < methods->count; i++) {
		if (i > 0)
			writer_u8(w, ' ');
		writer_hex(w, methods->methods[i]);
	}
	return o->verdict;
}

static enum parse parse_login(const uint8_t *bytes, size_t len, struct outcome *o, struct writer *w)
{
	const struct socks5_login *login = &o->of.login;
	o->verdict = socks5_parse_login(bytes, len, &o->used, &o->of.login);
	if (o->verdict != PARSE_DONE)
		return o->verdict;
	put_quoted(w, login->name, login->name_len);
	writer_u8(w, ' ');
	put_quoted(w, login->password, login->password_len);
	return o->verdict;
}

static enum parse parse_request(
	const uint8_t *bytes, size_t len, struct outcome *o, struct writer *w)
{
	o->verdict = socks5_parse_request(bytes, len, &o->used, &o->of.request, &o->reply);
	if (o->verdict == PARSE_DONE)
		put_request(w, o->of.request.command, &o->of.request.dst);
	return o->verdict;
}

static enum parse parse_request4(
	const uint8_t *bytes, size_t len, struct outcome *o, struct writer *w)
{
	const struct socks4_request *request = &o->of.request4;
	o->verdict = socks4_parse_request(bytes, len, &o->used, &o->of.request4);
	if (o->verdict != PARSE_DONE)
		return o->verdict;
	put_request(w, request->command, &request->dst);
	writer_u8(w, ' ');
	put_quoted(w, request->userid, request->userid_len);
	return o->verdict;
}

/* The bytes lie at the end of their memory, where a sanitizer sees one read too many. */
static struct outcome parse(enum socks5_message message, const void *bytes, size_t len)
{
	static enum parse (*const parsers[])(
		const uint8_t *, size_t, struct outcome *, struct writer *) = {
		[SOCKS5_METHODS] = parse_methods,
		[SOCKS5_LOGIN] = parse_login,
		[SOCKS5_REQUEST] = parse_request,
		[SOCKS4_REQUEST] = parse_request4,
	};
	struct outcome o;
	char *copy = check_copy(bytes, len);
	memset(&o, UNTOUCHED, sizeof o);
	struct writer text = writer_on(o.text, sizeof o.text);
	if (parsers[message]((const uint8_t *)copy, len, &o, &text) != PARSE_DONE) {
		CHECK(is_untouched(&o.used, sizeof o.used));
		CHECK(is_untouched(&o.of, sizeof o.of));
	}
	o.text_len = text.len;
	free(copy);
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

/* reply -1: there is none. */
static void is_refused(enum socks5_message message, const uint8_t *bytes, size_t len, int reply)
{
	struct outcome o = parse(message, bytes, len);
	CHECK_NUMBER(o.verdict, PARSE_BAD);
	if (reply >= 0)
		CHECK_NUMBER(o.reply, reply);
}

/* Once a prefix is BAD, it stays so, with the same reply, whatever follows. */
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
	static const struct {
		const char *kind;
		enum socks5_message message;
	} rows[] = {{"methods", SOCKS5_METHODS}, {"login", SOCKS5_LOGIN},
		{"request", SOCKS5_REQUEST}, {"request4", SOCKS4_REQUEST}};
	char *kind = take_field(&line), *verdict = take_field(&line);
	size_t i = 0;
	if (!CHECK(kind && verdict))
		return;
	while (i < COUNT(rows) && strcmp(rows[i].kind, kind) != 0)
		i++;
	if (CHECK(i < COUNT(rows)))
		check_vector(rows[i].message, verdict, line);
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
		check_line(line);
	}
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
	const struct addr none = {.kind = ADDR_NONE}, ipv4 = check_address("192.0.2.1", 0x1234),
			  ipv6 = check_address("2001:db8::1", 443),
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
	table_path = argc == 2 ? argv[1] : NULL;
	return CHECK_ALL(agrees_with_the_table, knows_every_version, ends_every_text,
		knows_every_count_of_methods, knows_which_methods_are_offered,
		knows_every_length_of_a_login, knows_every_code_of_a_request,
		knows_every_length_of_a_name, knows_every_port, writes_what_the_server_says,
		has_words_for_every_code);
}
