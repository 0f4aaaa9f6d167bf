/* SPDX-License-Identifier: ISC */
/* The messages of SOCKS 5 (RFC 1928) and of username/password authentication (RFC 1929). */
#include "wire/socks5.h"

#include <string.h>

enum parse socks5_parse_methods(
	const uint8_t *bytes, size_t len, size_t *ret_used, struct socks5_methods *ret_methods)
{
	struct reader r = reader_of(bytes, len);
	uint8_t version = reader_u8(&r);
	if (!r.ended && version != SOCKS5_VERSION)
		return PARSE_BAD;
	uint8_t count = reader_u8(&r);
	const uint8_t *methods = reader_bytes(&r, count);
	if (r.ended)
		return PARSE_MORE;

	*ret_methods = (struct socks5_methods){.count = count, .methods = methods};
	*ret_used = r.at;
	return PARSE_DONE;
}

bool socks5_offers(const struct socks5_methods *methods, enum socks5_method method)
{
	return memchr(methods->methods, method, methods->count) != NULL;
}

enum parse socks5_parse_login(
	const uint8_t *bytes, size_t len, size_t *ret_used, struct socks5_login *ret_login)
{
	struct reader r = reader_of(bytes, len);
	uint8_t version = reader_u8(&r);
	if (!r.ended && version != SOCKS5_LOGIN_VERSION)
		return PARSE_BAD;
	struct socks5_login login = {.name_len = reader_u8(&r)};
	login.name = reader_bytes(&r, login.name_len);
	login.password_len = reader_u8(&r);
	login.password = reader_bytes(&r, login.password_len);
	if (r.ended)
		return PARSE_MORE;

	*ret_login = login;
	*ret_used = r.at;
	return PARSE_DONE;
}

/* RFC 1928 s5: an address of type atyp and a port; a name has its length in front. */
static enum parse parse_addr(struct reader *r, uint8_t atyp, struct addr *ret_addr)
{
	enum addr_kind kind = ADDR_NONE;
	uint8_t len = 0;

	switch (atyp) {
	case SOCKS5_IPV4:
		kind = ADDR_IPV4, len = 4;
		break;
	case SOCKS5_IPV6:
		kind = ADDR_IPV6, len = 16;
		break;
	case SOCKS5_DOMAINNAME:
		kind = ADDR_NAME, len = reader_u8(r);
		break;
	default:
		return PARSE_BAD;
	}
	const uint8_t *bytes = reader_bytes(r, len);
	uint16_t port = reader_u16(r);
	if (r->ended)
		return PARSE_MORE;

	*ret_addr = addr_of(kind, bytes, len, port);
	return PARSE_DONE;
}

enum parse socks5_parse_request(const uint8_t *bytes, size_t len, size_t *ret_used,
	struct socks5_request *ret_request, enum socks5_reply *ret_reply)
{
	struct reader r = reader_of(bytes, len);
	uint8_t version = reader_u8(&r);
	uint8_t command = reader_u8(&r);
	uint8_t reserved = reader_u8(&r);
	/* RFC 1928 s4: RSV must be 0, which the reader returns if it is missing. */
	if ((len > 0 && version != SOCKS5_VERSION) || reserved != 0) {
		*ret_reply = SOCKS5_GENERAL_FAILURE;
		return PARSE_BAD;
	}
	uint8_t atyp = reader_u8(&r);
	if (r.ended)
		return PARSE_MORE;

	struct addr dst;
	enum parse verdict = parse_addr(&r, atyp, &dst);
	if (verdict == PARSE_BAD)
		*ret_reply = SOCKS5_ATYP_NOT_SUPPORTED;
	if (verdict == PARSE_DONE) {
		*ret_request = (struct socks5_request){.command = command, .dst = dst};
		*ret_used = r.at;
	}
	return verdict;
}

enum socks5_datagram socks5_parse_datagram(
	const uint8_t *bytes, size_t len, size_t *ret_used, struct addr *ret_dst)
{
	struct reader r = reader_of(bytes, len);
	uint16_t reserved = reader_u16(&r);
	uint8_t fragment = reader_u8(&r);
	uint8_t atyp = reader_u8(&r);

	if (reserved != 0 || parse_addr(&r, atyp, ret_dst) != PARSE_DONE)
		return SOCKS5_DATAGRAM_MALFORMED;
	*ret_used = r.at;
	return fragment == 0 ? SOCKS5_DATAGRAM_WHOLE : SOCKS5_DATAGRAM_FRAGMENT;
}

void socks5_put_method(struct writer *w, enum socks5_method method)
{
	writer_u8(w, SOCKS5_VERSION);
	writer_u8(w, (uint8_t)method);
}

void socks5_put_login_status(struct writer *w, uint8_t status)
{
	writer_u8(w, SOCKS5_LOGIN_VERSION);
	writer_u8(w, status);
}

/* RFC 1928 s5. */
static void put_addr(struct writer *w, const struct addr *a)
{
	if (a->kind == ADDR_NAME) {
		writer_u8(w, SOCKS5_DOMAINNAME);
		writer_u8(w, a->len);
	} else {
		writer_u8(w, a->kind == ADDR_IPV6 ? SOCKS5_IPV6 : SOCKS5_IPV4);
	}
	writer_bytes(w, a->bytes, a->len);
	writer_u16(w, a->port);
}

void socks5_put_reply(struct writer *w, enum socks5_reply reply, const struct addr *bnd)
{
	static const struct addr unspecified = {.kind = ADDR_IPV4, .len = 4};

	writer_u8(w, SOCKS5_VERSION);
	writer_u8(w, (uint8_t)reply);
	writer_u8(w, 0); /* RSV */
	put_addr(w, bnd->kind == ADDR_NONE ? &unspecified : bnd);
}

void socks5_put_datagram(struct writer *w, const struct addr *from)
{
	writer_u16(w, 0); /* RSV */
	writer_u8(w, 0);  /* FRAG: not a fragment */
	put_addr(w, from);
}

const char *socks5_reply_text(uint8_t reply)
{
	static const char *const texts[] = {
		[SOCKS5_SUCCEEDED] = "succeeded",
		[SOCKS5_GENERAL_FAILURE] = "general SOCKS server failure",
		[SOCKS5_NOT_ALLOWED] = "connection not allowed by ruleset",
		[SOCKS5_NETWORK_UNREACHABLE] = "network unreachable",
		[SOCKS5_HOST_UNREACHABLE] = "host unreachable",
		[SOCKS5_CONNECTION_REFUSED] = "connection refused",
		[SOCKS5_TTL_EXPIRED] = "TTL expired",
		[SOCKS5_COMMAND_NOT_SUPPORTED] = "command not supported",
		[SOCKS5_ATYP_NOT_SUPPORTED] = "address type not supported",
	};
	return reply < sizeof texts / sizeof texts[0] ? texts[reply] : "unassigned";
}

const char *socks5_method_text(uint8_t method)
{
	switch (method) {
	case SOCKS5_NO_AUTHENTICATION_REQUIRED:
		return "no authentication required";
	case SOCKS5_GSSAPI:
		return "GSSAPI";
	case SOCKS5_USERNAME_PASSWORD:
		return "username/password";
	case SOCKS5_NO_ACCEPTABLE_METHODS:
		return "no acceptable methods";
	default:
		return method < 0x80 ? "IANA assigned" : "private";
	}
}

const char *socks5_command_text(uint8_t command)
{
	switch (command) {
	case SOCKS5_CONNECT:
		return "CONNECT";
	case SOCKS5_BIND:
		return "BIND";
	case SOCKS5_UDP_ASSOCIATE:
		return "UDP ASSOCIATE";
	case SOCKS5_RESOLVE:
		return "RESOLVE";
	case SOCKS5_RESOLVE_PTR:
		return "RESOLVE_PTR";
	default:
		return "unassigned";
	}
}

const char *socks5_atyp_text(uint8_t atyp)
{
	switch (atyp) {
	case SOCKS5_IPV4:
		return "IPv4";
	case SOCKS5_DOMAINNAME:
		return "domain name";
	case SOCKS5_IPV6:
		return "IPv6";
	default:
		return "unassigned";
	}
}
