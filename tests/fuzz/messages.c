/* SPDX-License-Identifier: ISC */
/* Fuzzes wire/socks5, wire/socks4, text/annotate and wire/addr with a message and a prefix of it:
 * checks the contract of the parsers in socks5.h.
 *
 * Input: the kind of the message and whether it is annotated (one byte), the length of the prefix
 * (two bytes), the message. */
#include "parse.h"

#include "text/annotate.h"

/* Annotation takes a hundred times as long as parsing, so only one input in eight is annotated. */
enum { ANNOTATED = 0xe0 };

/* Checks the result of the first len bytes against that of all bytes, `whole`. */
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

/* Checks the text of an address, and that the text is parsed as the same address. */
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

/* Checks that the annotated message is printable text, and that it is hex text of the same bytes or
 * contains "**" in place of a password. */
static void check_annotated(enum socks5_message message, const uint8_t *bytes, size_t len)
{
	static char text[ANNOTATE_MAX];
	struct writer w = writer_on(text, sizeof text);
	uint8_t *copy = fuzz_copy(bytes, len);

	annotate_message(&w, message, copy, len);
	INVARIANT(!w.full && fuzz_is_harmless(text, w.len, true));
	size_t at = 2 + (len > 1 ? copy[1] : 0); /* position of PLEN in a login */
	if (message == SOCKS5_LOGIN && at + 1 < len && copy[at] > 0)
		INVARIANT(memmem(text, w.len, "**", 2) != NULL);
	else
		INVARIANT(fuzz_is_hex_of(&w, copy, len));
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
	struct addr dst;
	size_t used;
	/* No parser reads a SOCKS5_REPLY, so its bytes are used as a datagram. */
	if (message == SOCKS5_REPLY &&
		parse_datagram(bytes, len, &used, &dst) != SOCKS5_DATAGRAM_MALFORMED)
		check_addr(&dst);
	if (choice >= ANNOTATED && len <= SOCKS4_REQUEST_MAX)
		check_annotated(message, bytes, choice % 2 ? len : cut % (len + 1));
	return 0;
}
