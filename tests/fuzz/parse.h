/* SPDX-License-Identifier: ISC */
/* One function for all parsers of wire/socks5 and wire/socks4, which checks the contract of their
 * headers. */
#pragma once

#include "fuzz.h"
#include "wire/socks4.h"

/* The value of each byte of an output before the call. */
enum { UNTOUCHED = 0x5a };

union parsed {
	struct socks5_methods methods;
	struct socks5_login login;
	struct socks5_request request;
	struct socks4_request request4;
};

/* Returns a client's message by its name in a table, or -1. */
static inline int message_of(const char *name)
{
	static const char *const names[] = {[SOCKS5_METHODS] = "methods",
		[SOCKS5_LOGIN] = "login",
		[SOCKS5_REQUEST] = "request",
		[SOCKS4_REQUEST] = "request4"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (names[i] && strcmp(name, names[i]) == 0)
			return (int)i;
	return -1;
}

/* Parses a client's message. ret_reply is set for a SOCKS5_REQUEST that is BAD. */
static inline enum parse parse_client(enum socks5_message message, const uint8_t *bytes, size_t len,
	size_t *ret_used, union parsed *ret_parsed, enum socks5_reply *ret_reply)
{
	if (message == SOCKS5_METHODS)
		return socks5_parse_methods(bytes, len, ret_used, &ret_parsed->methods);
	if (message == SOCKS5_LOGIN)
		return socks5_parse_login(bytes, len, ret_used, &ret_parsed->login);
	if (message == SOCKS4_REQUEST)
		return socks4_parse_request(bytes, len, ret_used, &ret_parsed->request4);
	return socks5_parse_request(bytes, len, ret_used, &ret_parsed->request, ret_reply);
}

/* The result of a parser. */
struct outcome {
	enum parse verdict;
	size_t used;
	enum socks5_reply reply; /* of a request that is BAD */
	uint8_t command;         /* of a request that is DONE, and its destination */
	struct addr dst;
};

static inline bool is_untouched(const void *output, size_t size)
{
	const uint8_t *bytes = output;
	return bytes[0] == UNTOUCHED && memcmp(bytes, bytes + 1, size - 1) == 0;
}

static inline void put_request(struct writer *w, const struct socks5_request *request)
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

static inline void put_request4(
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

/* Encodes the parsed values of a message. bytes: the message that was parsed. */
static inline void put_parsed(
	struct writer *w, enum socks5_message message, const union parsed *p, const uint8_t *bytes)
{
	if (message == SOCKS5_METHODS) {
		writer_u8(w, SOCKS5_VERSION);
		writer_u8(w, p->methods.count);
		writer_bytes(w, p->methods.methods, p->methods.count);
		INVARIANT(p->methods.methods == bytes + 2);
		INVARIANT(p->methods.count == 0 ||
			socks5_offers(&p->methods, bytes[1 + p->methods.count]));
	} else if (message == SOCKS5_LOGIN) {
		writer_u8(w, SOCKS5_LOGIN_VERSION);
		writer_u8(w, p->login.name_len);
		writer_bytes(w, p->login.name, p->login.name_len);
		writer_u8(w, p->login.password_len);
		writer_bytes(w, p->login.password, p->login.password_len);
		INVARIANT(p->login.name == bytes + 2);
		INVARIANT(p->login.password == bytes + 3 + p->login.name_len);
	} else if (message == SOCKS4_REQUEST) {
		put_request4(w, &p->request4, bytes);
	} else {
		put_request(w, &p->request);
	}
}

/* Parses a message at the end of its memory. Checks that the encoded values are equal to the used
 * bytes, and that the outputs are unchanged unless the verdict is PARSE_DONE. */
static inline struct outcome parse(enum socks5_message message, const uint8_t *bytes, size_t len)
{
	struct outcome o;
	union parsed parsed;
	char encoded[SOCKS4_REQUEST_MAX];
	struct writer w = writer_on(encoded, sizeof encoded);
	uint8_t *copy = fuzz_copy(bytes, len);

	memset(&o, UNTOUCHED, sizeof o);
	memset(&parsed, UNTOUCHED, sizeof parsed);
	o.dst.kind = ADDR_NONE;
	o.verdict = parse_client(message, copy, len, &o.used, &parsed, &o.reply);
	if (o.verdict == PARSE_DONE) {
		put_parsed(&w, message, &parsed, copy);
		INVARIANT(!w.full && o.used <= len);
		INVARIANT(fuzz_same(encoded, w.len, copy, o.used));
		if (message == SOCKS5_REQUEST) {
			o.command = parsed.request.command;
			o.dst = parsed.request.dst;
		} else if (message == SOCKS4_REQUEST) {
			o.command = parsed.request4.command;
			o.dst = parsed.request4.dst;
		}
	} else {
		INVARIANT(is_untouched(&parsed, sizeof parsed));
		INVARIANT(is_untouched(&o.used, sizeof o.used));
	}
	if (message == SOCKS5_REQUEST && o.verdict == PARSE_BAD)
		INVARIANT(
			o.reply == SOCKS5_GENERAL_FAILURE || o.reply == SOCKS5_ATYP_NOT_SUPPORTED);
	else
		INVARIANT(is_untouched(&o.reply, sizeof o.reply));
	free(copy);
	return o;
}

/* Parses the header of a datagram, with the checks of parse(). FRAG is encoded as 0. */
static inline enum socks5_datagram parse_datagram(
	const uint8_t *bytes, size_t len, size_t *ret_used, struct addr *ret_dst)
{
	char again[SOCKS5_REQUEST_MAX];
	struct writer w = writer_on(again, sizeof again);
	uint8_t *copy = fuzz_copy(bytes, len);

	memset(ret_dst, UNTOUCHED, sizeof *ret_dst);
	memset(ret_used, UNTOUCHED, sizeof *ret_used);
	enum socks5_datagram kind = socks5_parse_datagram(copy, len, ret_used, ret_dst);
	if (kind == SOCKS5_DATAGRAM_MALFORMED) {
		INVARIANT(is_untouched(ret_dst, sizeof *ret_dst));
		INVARIANT(is_untouched(ret_used, sizeof *ret_used));
	} else {
		socks5_put_datagram(&w, ret_dst);
		INVARIANT(!w.full && *ret_used <= len && w.len == *ret_used);
		INVARIANT((kind == SOCKS5_DATAGRAM_WHOLE) == (copy[2] == 0));
		copy[2] = 0;
		INVARIANT(fuzz_same(again, w.len, copy, *ret_used));
	}
	free(copy);
	return kind;
}
