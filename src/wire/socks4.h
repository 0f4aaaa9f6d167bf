/* SPDX-License-Identifier: ISC */
/* The messages of SOCKS 4 and 4A. Neither has an RFC; the sources are "SOCKS: A protocol for TCP
 * proxy across firewalls" and "SOCKS 4A: A Simple Extension to SOCKS 4 Protocol" by Ying-Da Lee.
 * The commands CONNECT and BIND have the numbers of SOCKS 5. */
#pragma once

#include "wire/socks5.h"

#define SOCKS4_VERSION 4

enum socks4_reply {
	SOCKS4_GRANTED = 0x5a,
	SOCKS4_REJECTED = 0x5b,  /* rejected or failed */
	SOCKS4_NO_IDENTD = 0x5c, /* identd on the client's host does not answer */
	SOCKS4_OTHER_USER = 0x5d /* identd reports a different user id */
};

/* Bytes. The protocol sets no limit for texts that end in NUL; this is the limit of SOCKS 5. */
#define SOCKS4_USERID_MAX 255

/* VN, CD, DSTPORT, DSTIP, USERID, NUL; with 4A also the name and NUL. */
#define SOCKS4_REQUEST_MAX (8 + SOCKS4_USERID_MAX + 1 + ADDR_NAME_MAX + 1)
#define SOCKS4_REPLY_LEN   8

struct socks4_request {
	uint8_t command; /* not checked */
	struct addr dst; /* a name if DSTIP is 0.0.0.x with x not 0 (4A) */
	/* Any bytes but NUL. Points into the bytes that were parsed. */
	const uint8_t *userid;
	uint8_t userid_len;
};

/* Returns true if a DSTIP of 4 bytes is 0.0.0.x with x not 0: a name follows the user id (4A). */
bool socks4_has_name(const uint8_t *dstip);

/* Parses a request, with the contract of wire/socks5.h. Returns PARSE_BAD if the version is not 4
 * or a text has more than 255 bytes; the reply to that is SOCKS4_REJECTED. */
enum parse socks4_parse_request(
	const uint8_t *bytes, size_t len, size_t *ret_used, struct socks4_request *ret_request);

/* Appends a reply. If bnd is not an IPv4 address, the reply has 0.0.0.0 and the port of bnd,
 * because SOCKS 4 has no other address type. */
void socks4_put_reply(struct writer *w, enum socks4_reply reply, const struct addr *bnd);

/* Returns the words of the protocol, such as "request granted", or "unassigned". Static strings. */
const char *socks4_reply_text(uint8_t reply);
