/* SPDX-License-Identifier: ISC */
/* The messages of SOCKS version 4 and of its extension 4A, which have no RFC: "SOCKS: A protocol
 * for TCP proxy across firewalls" and "SOCKS 4A: A Simple Extension to SOCKS 4 Protocol", Ying-Da
 * Lee. Knows: their bytes. Does not know: where bytes come from, or what anybody is allowed.
 *
 * The commands are those of version 5, CONNECT and BIND. */
#pragma once

#include "wire/socks5.h"

#define SOCKS4_VERSION 4

enum socks4_reply {
	SOCKS4_GRANTED = 0x5a,
	SOCKS4_REJECTED = 0x5b,  /* or failed */
	SOCKS4_NO_IDENTD = 0x5c, /* the client's host does not tell who the user is */
	SOCKS4_OTHER_USER = 0x5d /* it tells that it is another one */
};

/* The texts have no length, but end in a NUL, so their limits are ours: those of version 5. */
#define SOCKS4_USERID_MAX 255

/* VN, CD, DSTPORT, DSTIP, USERID, NUL; with 4A the name and NUL. */
#define SOCKS4_REQUEST_MAX (8 + SOCKS4_USERID_MAX + 1 + ADDR_NAME_MAX + 1)
#define SOCKS4_REPLY_LEN   8

struct socks4_request {
	uint8_t command;       /* perhaps one that there is not */
	struct addr dst;       /* a name where DSTIP is 0.0.0.x, x not 0 (4A) */
	const uint8_t *userid; /* what the client calls itself, any bytes but NUL; inside those that
				  were parsed */
	uint8_t userid_len;
};

/* Whether a DSTIP of 4 bytes means that a name follows the user id (4A): 0.0.0.x, x not 0. */
bool socks4_has_name(const uint8_t *dstip);

/* BAD where the version is not 4, or a text has more than 255 bytes; the answer is SOCKS4_REJECTED.
 * The parser's contract is that of wire/socks5.h. */
enum parse socks4_parse_request(
	const uint8_t *bytes, size_t len, size_t *ret_used, struct socks4_request *ret_request);

/* What the server says. bnd is an IPv4 address; any other one is told as 0.0.0.0 with its port, for
 * version 4 has no room for it. */
void socks4_put_reply(struct writer *w, enum socks4_reply reply, const struct addr *bnd);

/* "request granted", ...: the words of the protocol; "unassigned" for others. Static strings. */
const char *socks4_reply_text(uint8_t reply);
