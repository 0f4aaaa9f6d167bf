/* SPDX-License-Identifier: ISC */
/* The messages of SOCKS version 5 (RFC 1928) and of its user name and password method (RFC 1929).
 * Knows: their bytes. Does not know: where bytes come from, or what anybody is allowed.
 *
 * A parser is given all bytes that have arrived and not been used: `bytes`, `len`. It keeps
 * nothing between calls; call it again, with more, until it does not say MORE. */
#pragma once

#include "wire/addr.h"

enum parse {
	PARSE_MORE, /* a proper beginning: nothing was used, outputs are untouched */
	PARSE_DONE, /* *ret_used bytes are the message; what follows them is not looked at */
	PARSE_BAD   /* no continuation can make it a message; outputs are untouched */
};

#define SOCKS5_VERSION       5
#define SOCKS5_LOGIN_VERSION 1 /* RFC 1929 s2: of the subnegotiation */

enum socks5_method { /* RFC 1928 s3 */
	SOCKS5_NO_AUTHENTICATION_REQUIRED = 0x00,
	SOCKS5_GSSAPI = 0x01,
	SOCKS5_USERNAME_PASSWORD = 0x02,
	SOCKS5_NO_ACCEPTABLE_METHODS = 0xff
};

enum socks5_command { /* s4 */
	SOCKS5_CONNECT = 1,
	SOCKS5_BIND = 2,
	SOCKS5_UDP_ASSOCIATE = 3,
	SOCKS5_RESOLVE = 0xf0,    /* Tor's, of its socks-extensions: the address of DST */
	SOCKS5_RESOLVE_PTR = 0xf1 /* the name of DST */
};

enum socks5_atyp { SOCKS5_IPV4 = 1, SOCKS5_DOMAINNAME = 3, SOCKS5_IPV6 = 4 }; /* s4, s5 */

enum socks5_reply { /* s6 */
	SOCKS5_SUCCEEDED = 0,
	SOCKS5_GENERAL_FAILURE = 1,
	SOCKS5_NOT_ALLOWED = 2,
	SOCKS5_NETWORK_UNREACHABLE = 3,
	SOCKS5_HOST_UNREACHABLE = 4,
	SOCKS5_CONNECTION_REFUSED = 5,
	SOCKS5_TTL_EXPIRED = 6,
	SOCKS5_COMMAND_NOT_SUPPORTED = 7,
	SOCKS5_ATYP_NOT_SUPPORTED = 8
};

/* What one message is, for those who show it (text/annotate.h). */
enum socks5_message {
	SOCKS5_METHODS,      /* client: version, methods that it can do */
	SOCKS5_METHOD,       /* server: the one it chose */
	SOCKS5_LOGIN,        /* client: RFC 1929, name and password */
	SOCKS5_LOGIN_STATUS, /* server: RFC 1929, 0 when they are right */
	SOCKS5_REQUEST,      /* client: command and destination */
	SOCKS5_REPLY,        /* server: how it went, and an address of its own */
	SOCKS4_REQUEST,      /* client: the same in version 4 and 4A (wire/socks4.h) */
	SOCKS4_REPLY,        /* server: the same */
	SOCKS5_DATAGRAM      /* both, over UDP: where data goes, or where it came from */
};

/* The longest of each: 1 + 1 + 255; 1 + 1 + 255 + 1 + 255; 4 + 1 + 255 + 2. */
#define SOCKS5_METHODS_MAX 257
#define SOCKS5_LOGIN_MAX   513
#define SOCKS5_REQUEST_MAX 262
#define SOCKS5_REPLY_MAX   262

/* The greeting. `methods` points into the bytes that were parsed. */
struct socks5_methods {
	uint8_t count;
	const uint8_t *methods;
};

/* BAD at once when the first byte is not 5; the answer to that is NO_ACCEPTABLE_METHODS. */
enum parse socks5_parse_methods(
	const uint8_t *bytes, size_t len, size_t *ret_used, struct socks5_methods *ret_methods);

/* Whether the client offered the method. */
bool socks5_offers(const struct socks5_methods *methods, enum socks5_method method);

/* RFC 1929 s2. Both point into the bytes that were parsed, hold anything, and may be empty. */
struct socks5_login {
	uint8_t name_len, password_len;
	const uint8_t *name, *password;
};

/* BAD when the version is not 1; the answer to that is a status that is not 0. */
enum parse socks5_parse_login(
	const uint8_t *bytes, size_t len, size_t *ret_used, struct socks5_login *ret_login);

/* The request. The command may be one that the RFC does not know, the name any bytes. */
struct socks5_request {
	uint8_t command;
	struct addr dst;
};

/* *ret_reply is set when BAD: SOCKS5_GENERAL_FAILURE for a version other than 5 or an RSV other
 * than 0, SOCKS5_ATYP_NOT_SUPPORTED for an address type without a known length. */
enum parse socks5_parse_request(const uint8_t *bytes, size_t len, size_t *ret_used,
	struct socks5_request *ret_request, enum socks5_reply *ret_reply);

/* What the server says. bnd is an IPv4 or IPv6 address, or a name, to RESOLVE_PTR; ADDR_NONE stands
 * for 0.0.0.0 port 0. */
void socks5_put_method(struct writer *w, enum socks5_method method);
void socks5_put_login_status(struct writer *w, uint8_t status);
void socks5_put_reply(struct writer *w, enum socks5_reply reply, const struct addr *bnd);

/* RFC 1928 s7: what stands before the data of each datagram, to and from the server. */
enum socks5_datagram {
	SOCKS5_DATAGRAM_WHOLE,
	SOCKS5_DATAGRAM_FRAGMENT, /* of one that is to be put together; else it is a whole one */
	SOCKS5_DATAGRAM_MALFORMED /* an RSV that is not 0, an unknown ATYP, or too short */
};

/* RSV, FRAG, ATYP, an address of 4 or 16 bytes, a port. */
#define SOCKS5_DATAGRAM_IPV4_LEN 10
#define SOCKS5_DATAGRAM_IPV6_LEN 22

/* Its header: *ret_used bytes long, and where the data behind it, perhaps none, is to go. Outputs
 * are untouched when it is malformed. */
enum socks5_datagram socks5_parse_datagram(
	const uint8_t *bytes, size_t len, size_t *ret_used, struct addr *ret_dst);

/* The header of what came from an address. */
void socks5_put_datagram(struct writer *w, const struct addr *from);

/* "succeeded", "connection refused", ...: the words of RFC 1928 s6; "unassigned" for others.
 * The same for methods, commands and address types. Static strings. */
const char *socks5_reply_text(uint8_t reply);
const char *socks5_method_text(uint8_t method);
const char *socks5_command_text(uint8_t command);
const char *socks5_atyp_text(uint8_t atyp);
