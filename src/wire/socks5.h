/* SPDX-License-Identifier: ISC */
/* The messages of SOCKS 5 (RFC 1928) and of username/password authentication (RFC 1929).
 *
 * A parser is called with all received bytes that do not belong to an earlier message. It keeps no
 * state: if it returns PARSE_MORE, call it again with the old and the new bytes. */
#pragma once

#include "wire/addr.h"

/* The result of a parser. Unless it is PARSE_DONE, *ret_used and the parsed message (*ret_methods,
 * *ret_login or *ret_request) are unchanged. */
enum parse {
	PARSE_MORE, /* the message is incomplete */
	PARSE_DONE, /* the first *ret_used bytes are the message; the others were not read */
	PARSE_BAD   /* the message is invalid, whatever bytes follow */
};

#define SOCKS5_VERSION       5
#define SOCKS5_LOGIN_VERSION 1 /* RFC 1929 s2: version of the subnegotiation */

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
	SOCKS5_RESOLVE = 0xf0,    /* Tor's socks-extensions: the address of the name in DST */
	SOCKS5_RESOLVE_PTR = 0xf1 /* Tor's socks-extensions: the name of the address in DST */
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

/* The types of messages, each with its sender. */
enum socks5_message {
	SOCKS5_METHODS,      /* client: version and offered methods (the greeting) */
	SOCKS5_METHOD,       /* server: the selected method */
	SOCKS5_LOGIN,        /* client: RFC 1929, name and password */
	SOCKS5_LOGIN_STATUS, /* server: RFC 1929, 0 for success */
	SOCKS5_REQUEST,      /* client: command and destination */
	SOCKS5_REPLY,        /* server: reply code and bound address */
	SOCKS4_REQUEST,      /* client: request of SOCKS 4 and 4A (wire/socks4.h) */
	SOCKS4_REPLY,        /* server: reply of SOCKS 4 and 4A */
	SOCKS5_DATAGRAM      /* client and server: the header of a UDP datagram */
};

/* Bytes of the longest message of a type. Methods: VER, NMETHODS, 255 methods. Login: VER, ULEN,
 * 255 bytes, PLEN, 255 bytes. Request and reply: VER to ATYP (4 bytes), the length of a name, 255
 * bytes, a port. */
#define SOCKS5_METHODS_MAX 257
#define SOCKS5_LOGIN_MAX   513
#define SOCKS5_REQUEST_MAX 262
#define SOCKS5_REPLY_MAX   262

/* The methods in the client's first message, the greeting (RFC 1928 s3). `methods` points into the
 * bytes that were parsed. */
struct socks5_methods {
	uint8_t count;
	const uint8_t *methods;
};

/* Parses the greeting. Returns PARSE_BAD if the first byte is not 5; the answer to such a client is
 * SOCKS5_NO_ACCEPTABLE_METHODS. */
enum parse socks5_parse_methods(
	const uint8_t *bytes, size_t len, size_t *ret_used, struct socks5_methods *ret_methods);

/* Returns true if the client offered the method. */
bool socks5_offers(const struct socks5_methods *methods, enum socks5_method method);

/* A username/password request (RFC 1929 s2). Name and password point into the bytes that were
 * parsed. They can be empty, and can contain any byte. */
struct socks5_login {
	uint8_t name_len, password_len;
	const uint8_t *name, *password;
};

/* Parses a username/password request. Returns PARSE_BAD if the version is not 1; the answer to such
 * a request is a status other than 0. */
enum parse socks5_parse_login(
	const uint8_t *bytes, size_t len, size_t *ret_used, struct socks5_login *ret_login);

/* A request (RFC 1928 s4). The parser accepts any command, and any bytes as a name in dst. */
struct socks5_request {
	uint8_t command;
	struct addr dst;
};

/* Parses a request. Returns PARSE_BAD, and sets *ret_reply to the reply to send, if the version is
 * not 5 or RSV is not 0 (SOCKS5_GENERAL_FAILURE), or if the address type is unknown
 * (SOCKS5_ATYP_NOT_SUPPORTED). */
enum parse socks5_parse_request(const uint8_t *bytes, size_t len, size_t *ret_used,
	struct socks5_request *ret_request, enum socks5_reply *ret_reply);

/* Append a message of the server: the selected method; the status of RFC 1929, 0 for success; a
 * reply. bnd is BND.ADDR and BND.PORT: an address or, as the answer to RESOLVE_PTR, a name.
 * ADDR_NONE is written as 0.0.0.0, port 0. */
void socks5_put_method(struct writer *w, enum socks5_method method);
void socks5_put_login_status(struct writer *w, uint8_t status);
void socks5_put_reply(struct writer *w, enum socks5_reply reply, const struct addr *bnd);

enum socks5_datagram {
	SOCKS5_DATAGRAM_WHOLE,    /* the header is valid, and FRAG is 0 */
	SOCKS5_DATAGRAM_FRAGMENT, /* the header is valid, but FRAG is not 0 */
	SOCKS5_DATAGRAM_MALFORMED /* the header is incomplete, RSV is not 0, or ATYP is unknown */
};

/* Bytes of a datagram's header: RSV, FRAG, ATYP, an address of 4 or 16 bytes, a port. */
#define SOCKS5_DATAGRAM_IPV4_LEN 10
#define SOCKS5_DATAGRAM_IPV6_LEN 22

/* Parses the header of a datagram from the client (RFC 1928 s7). Sets *ret_used to the length of
 * the header, behind which the data begin, and *ret_dst to their destination. If the header is
 * malformed, both are unchanged. */
enum socks5_datagram socks5_parse_datagram(
	const uint8_t *bytes, size_t len, size_t *ret_used, struct addr *ret_dst);

/* Appends the header of a datagram to the client. `from` is the IPv4 or IPv6 address that the
 * datagram came from. */
void socks5_put_datagram(struct writer *w, const struct addr *from);

/* Return the meaning of a value in words, such as "connection refused": a static string. For a
 * value that has no meaning in RFC 1928, they return "unassigned"; for such a method, the name of
 * its range, "IANA assigned" or "private". */
const char *socks5_reply_text(uint8_t reply);
const char *socks5_method_text(uint8_t method);
const char *socks5_command_text(uint8_t command);
const char *socks5_atyp_text(uint8_t atyp);
