/* SPDX-License-Identifier: ISC */
/* Fuzzes wire/socks5, wire/socks4, wire/annotate and wire/addr: a message, cut where the input says.
 * Knows: what socks5.h promises of every parser. Does not know: which message is a good one.
 *
 * Input: which message and whether it is annotated, where it is cut (two bytes), the message. */
#include "parse.h"

#include <arpa/inet.h>

#include "fuzz.h"
#include "wire/annotate.h"
#include "wire/hex.h"

/* Annotation takes a hundred times as long as parsing: one input in eight has it. */
enum { UNTOUCHED = 0x5a, ANNOTATED = 0xe0 };

/* What a parser says. Its values are kept as the bytes that an encoder makes of them. */
struct outcome {
	enum parse verdict;
	size_t used;
	enum socks5_reply reply; /* of a request that is BAD */
	struct addr dst;         /* of a request that is DONE */
	size_t encoded_len;
	char encoded[SOCKS4_REQUEST_MAX];
};

static bool is_untouched(const void *output, size_t size)
{
	const uint8_t *bytes = output;
	return bytes[0] == UNTOUCHED && memcmp(bytes, bytes + 1, size - 1) == 0;
}

static void put_request(struct writer *w, const struct socks5_request *request)
{
	static const uint8_t atyps[] = {[ADDR_IPV4] = SOCKS5_IPV4,
		[ADDR_IPV6] = SOCKS5_IPV6,
		[ADDR_NAME] = SOCKS5_DOMAINNAME};
	const struct addr *dst = &request->dst;

	INVARIANT(dst->kind != ADDR_NONE && dst->kind <= ADDR_NAME);
	INVARIANT(dst->bytes[dst->len] == '\0' || dst->kind != ADDR_NAME);
	writer_u8(w, SOCKS5_VERSION);
	writer_u8(w, request->command);
	writer_u8(w, 0);
	writer_u8(w, atyps[dst->kind]);
	if (dst->kind == ADDR_NAME)
		writer_u8(w, dst->len);
	writer_bytes(w, dst->bytes, dst->len);
	writer_u16(w, dst->port);
}

static void put_request4(
	struct writer *w, const struct socks4_request *request, const uint8_t *bytes)
{
	bool is_name = request->dst.kind == ADDR_NAME;

	INVARIANT(is_name || request->dst.kind == ADDR_IPV4);
	INVARIANT(is_name == socks4_has_name(bytes + 4));
	writer_u8(w, SOCKS4_VERSION);
	writer_u8(w, request->command);
	writer_u16(w, request->dst.port);
	writer_bytes(w, is_name ? bytes + 4 : request->dst.bytes, 4);
	writer_bytes(w, request->userid, request->userid_len);
	writer_u8(w, 0);
	if (is_name)
		writer_bytes(w, request->dst.bytes, (size_t)request->dst.len + 1);
}

/* Writes the message again that was parsed from the bytes. */
static void put_parsed(
	struct writer *w, enum socks5_message message, const union parsed *p, const uint8_t *bytes)
{
	if (message == SOCKS5_METHODS) {
		writer_u8(w, SOCKS5_VERSION);
		writer_u8(w, p->methods.count);
		writer_bytes(w, p->methods.methods, p->methods.count);
		INVARIANT(p->methods.count == 0 ||
			socks5_offers(&p->methods, bytes[1 + p->methods.count]));
	} else if (message == SOCKS5_LOGIN) {
		writer_u8(w, SOCKS5_LOGIN_VERSION);
		writer_u8(w, p->login.name_len);
		writer_bytes(w, p->login.name, p->login.name_len);
		writer_u8(w, p->login.password_len);
		writer_bytes(w, p->login.password, p->login.password_len);
	} else if (message == SOCKS4_REQUEST) {
		put_request4(w, &p->request4, bytes);
	} else {
		put_request(w, &p->request);
	}
}

/* What is true of every answer, whatever came before it. */
static void check_alone(enum socks5_message message, const struct outcome *o, const uint8_t *bytes)
{
	if (o->verdict == PARSE_DONE)
		INVARIANT(fuzz_same(o->encoded, o->encoded_len, bytes, o->used));
	else
		INVARIANT(is_untouched(&o->used, sizeof o->used));
	if (message == SOCKS5_REQUEST && o->verdict == PARSE_BAD)
		INVARIANT(o->reply == SOCKS5_GENERAL_FAILURE ||
			o->reply == SOCKS5_ATYP_NOT_SUPPORTED);
	else
		INVARIANT(is_untouched(&o->reply, sizeof o->reply));
}

static struct outcome parse(enum socks5_message message, const uint8_t *bytes, size_t len)
{
	struct outcome o;
	union parsed parsed;
	uint8_t *copy = fuzz_copy(bytes, len);
	memset(&o.used, UNTOUCHED, sizeof o.used);
	memset(&o.reply, UNTOUCHED, sizeof o.reply);
	memset(&parsed, UNTOUCHED, sizeof parsed);
	struct writer w = writer_on(o.encoded, sizeof o.encoded);

	o.dst.kind = ADDR_NONE;
	o.verdict = parse_client(message, copy, len, &o.used, &parsed, &o.reply);
	if (o.verdict != PARSE_DONE)
		INVARIANT(is_untouched(&parsed, sizeof parsed));
	else
		put_parsed(&w, message, &parsed, copy);
	if (o.verdict == PARSE_DONE && message == SOCKS5_REQUEST)
		o.dst = parsed.request.dst;
	if (o.verdict == PARSE_DONE && message == SOCKS4_REQUEST)
		o.dst = parsed.request4.dst;
	INVARIANT(!w.full);
	o.encoded_len = w.len;
	INVARIANT(o.verdict != PARSE_DONE || o.used <= len);
	check_alone(message, &o, copy);
	free(copy);
	return o;
}

/* The answer to the first bytes of what was answered with `whole`. */
static void check_prefix(
	enum socks5_message message, const struct outcome *whole, const uint8_t *bytes, size_t len)
{
	struct outcome part = parse(message, bytes, len);
	if (whole->verdict == PARSE_DONE) {
		INVARIANT(part.verdict == (len < whole->used ? PARSE_MORE : PARSE_DONE));
		INVARIANT(part.verdict == PARSE_MORE || part.used == whole->used);
	} else if (part.verdict != PARSE_MORE) {
		INVARIANT(part.verdict == whole->verdict);
		INVARIANT(part.reply == whole->reply);
	}
}

/* An address, as it is written and read again. */
static void check_addr(const struct addr *dst)
{
	char text[4 * ADDR_NAME_MAX + 16];
	struct writer w = writer_on(text, sizeof text - 1);
	uint8_t ip[16];

	addr_put(&w, dst);
	INVARIANT(!w.full && fuzz_is_harmless(text, w.len, false));
	const struct addr a = addr_from_literal(dst);
	INVARIANT(a.port == dst->port);
	w = writer_on(text, sizeof text - 1);
	addr_put_host(&w, &a);
	text[w.len] = '\0';
	if (a.kind != ADDR_NAME) {
		INVARIANT(inet_pton(a.kind == ADDR_IPV4 ? AF_INET : AF_INET6, text, ip) == 1);
		INVARIANT(memcmp(ip, a.bytes, a.len) == 0);
		INVARIANT(!addr_is_hostname(dst));
	} else if (addr_is_hostname(&a)) {
		INVARIANT(fuzz_same(text, w.len, a.bytes, a.len));
		INVARIANT(inet_aton(text, &(struct in_addr){0}) == 0);
	}
}

/* Shown to a person: one harmless text, from which the bytes can be read again, or a password that
 * is not there. */
static void check_annotated(enum socks5_message message, const uint8_t *bytes, size_t len)
{
	static char text[ANNOTATE_MAX];
	char back[SOCKS4_REQUEST_MAX];
	struct writer w = writer_on(text, sizeof text), b = writer_on(back, sizeof back);
	struct hex h = hex_start();
	uint8_t *copy = fuzz_copy(bytes, len);

	annotate_message(&w, message, copy, len);
	INVARIANT(!w.full && fuzz_is_harmless(text, w.len, true));
	size_t at = 2 + (len > 1 ? copy[1] : 0); /* of a login: PLEN */
	if (message == SOCKS5_LOGIN && at + 1 < len && copy[at] > 0) {
		INVARIANT(memmem(text, w.len, "**", 2) != NULL);
	} else {
		INVARIANT(hex_read(&h, text, w.len, &b) && hex_end(&h) && !b.full);
		INVARIANT(fuzz_same(back, b.len, copy, len));
	}
	free(copy);
}

/* The header of a datagram: what was read of it is written again, but for FRAG. */
static void check_datagram(const uint8_t *bytes, size_t len)
{
	char again[SOCKS5_REQUEST_MAX];
	struct writer w = writer_on(again, sizeof again);
	struct addr dst;
	size_t used;
	uint8_t *copy = fuzz_copy(bytes, len);
	enum socks5_datagram kind;

	memset(&dst, UNTOUCHED, sizeof dst);
	memset(&used, UNTOUCHED, sizeof used);
	kind = socks5_parse_datagram(copy, len, &used, &dst);
	if (kind == SOCKS5_DATAGRAM_MALFORMED) {
		INVARIANT(is_untouched(&dst, sizeof dst) && is_untouched(&used, sizeof used));
	} else {
		socks5_put_datagram(&w, &dst);
		INVARIANT(!w.full && used <= len && w.len == used);
		INVARIANT((kind == SOCKS5_DATAGRAM_WHOLE) == (copy[2] == 0));
		copy[2] = 0;
		INVARIANT(fuzz_same(again, w.len, copy, used));
		check_addr(&dst);
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader in = reader_of(data, size);
	const unsigned choice = reader_u8(&in);
	const enum socks5_message message = choice % (SOCKS4_REPLY + 1);
	const size_t cut = reader_u16(&in), len = in.len - in.at;
	const uint8_t *bytes = data + in.at;

	if (message == SOCKS5_METHODS || message == SOCKS5_LOGIN || message == SOCKS5_REQUEST ||
		message == SOCKS4_REQUEST) {
		struct outcome whole = parse(message, bytes, len);
		check_prefix(message, &whole, bytes, cut % (len + 1));
		if (whole.verdict == PARSE_DONE) {
			check_prefix(message, &whole, bytes, whole.used);
			check_prefix(message, &whole, bytes, whole.used - 1);
		}
		if (whole.dst.kind != ADDR_NONE)
			check_addr(&whole.dst);
	}
	if (message == SOCKS5_REPLY) /* which nobody reads here */
		check_datagram(bytes, len);
	if (choice >= ANNOTATED && len <= SOCKS4_REQUEST_MAX)
		check_annotated(message, bytes, choice % 2 ? len : cut % (len + 1));
	return 0;
}
